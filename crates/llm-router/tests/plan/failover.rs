//! What a request does after each kind of failure.

use crate::beside::two;
use crate::world::*;
use llm_errors::{ErrorKind as K, Phase, TransportFault, Verdict, classify_transport};
use llm_router::{Cost, Member, Policy, Request, Route, Table, Target, Tokens, Why};
use std::sync::Arc;

fn two_tiers() -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("primary", "one"))
            .target(Target::new("backup", "two"))
            .route(Route::new("r").tier(["primary"]).tier(["backup"]))
            .build(now)
            .unwrap()
    })
}

fn siblings() -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("a", "one").credential("a"))
            .target(Target::new("b", "one").credential("b"))
            .target(Target::new("c", "two"))
            .route(
                Route::new("r")
                    .tier([Member::new("a").weight(1_000_000), Member::new("b")])
                    .tier(["c"]),
            )
            .build(now)
            .unwrap()
    })
}

fn alone() -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("only", "one"))
            .route(Route::new("r").tier(["only"]))
            .build(now)
            .unwrap()
    })
}

#[test]
fn a_long_retry_after_never_delays_a_caller_with_another_target() {
    for wait in [secs(20), secs(3_600)] {
        let mut world = two_tiers();
        world.script("primary", [bad_for(K::RateLimitRequests, wait), good()]);
        let (end, _) = world.call();
        assert_eq!(end, End::Answered);
        assert_eq!(world.calls, ["primary", "backup"]);
        assert!(world.since_start() < ms(200));
        // While the limit lasts the primary is not asked at all, and then again.
        let before_the_end = world.start + wait - secs(1);
        while world.now < before_the_end {
            world.call();
            world.now += wait / 10;
        }
        assert_eq!(world.calls_to("primary"), 1);
        world.now += wait;
        world.call();
        assert_eq!(world.calls_to("primary"), 2);
    }
}

#[test]
fn a_retry_after_within_the_patience_is_waited_out_once_and_the_primary_answers() {
    let mut world = two_tiers();
    world.script("primary", [bad_for(K::RateLimitRequests, secs(2)), good()]);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["primary", "primary"]);
    assert_eq!(trace.hops[1].why, Why::Retry);
    let (waited, _) = trace.hops[1].waited.unwrap();
    assert!(
        waited < secs(2) + ms(2),
        "a spread beyond the patience is cut: {waited:?}"
    );
}

#[test]
fn a_second_rate_limit_after_the_wait_leaves_the_tier() {
    let mut world = two_tiers();
    world.script("primary", [bad_for(K::RateLimitRequests, secs(1))]);
    let (end, _) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["primary", "primary", "backup"]);
    assert!(world.since_start() < ms(2200));
}

#[test]
fn a_ready_sibling_is_used_at_once_whatever_the_hint() {
    for wait in [ms(500), secs(2), secs(20)] {
        let mut world = siblings();
        world.script("a", [bad_for(K::RateLimitTokens, wait)]);
        let (end, trace) = world.call();
        assert_eq!(end, End::Answered);
        assert_eq!(world.calls, ["a", "b"]);
        assert_eq!(trace.hops[1].why, Why::Sibling);
        assert!(trace.hops[1].waited.is_none());
    }
}

#[test]
fn overload_gets_one_quick_retry_inside_the_patience_then_the_next_tier() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::Overloaded)]);
    let (end, _) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["primary", "primary", "backup"]);
    assert!(world.since_start() < ms(800));
}

#[test]
fn no_patience_means_no_wait() {
    let mut policy = Policy::interactive();
    policy.patience = secs(0);
    let mut world = two(policy);
    world.script("primary", [bad(K::ServerError)]);
    world.call();
    assert_eq!(world.calls, ["primary", "backup"]);
    assert_eq!(world.since_start(), ms(110));
}

#[test]
fn a_hanging_primary_leaves_time_for_the_fallback() {
    let mut world = two_tiers();
    world.script("primary", [Reply::Hang]);
    let (end, _) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["primary", "backup"]);
    assert!(world.since_start() <= secs(21));
}

#[test]
fn quota_exhausted_never_retries_and_sets_the_credential_aside() {
    for kind in [
        K::QuotaExhausted,
        K::Billing,
        K::OrgLimit,
        K::AuthInvalidKey,
    ] {
        let mut world = World::new(|now| {
            Table::builder()
                .target(Target::new("big", "one").credential("key"))
                .target(Target::new("small", "one").credential("key"))
                .target(Target::new("backup", "two"))
                .route(
                    Route::new("r")
                        .tier(["big"])
                        .tier(["small"])
                        .tier(["backup"]),
                )
                .build(now)
                .unwrap()
        });
        world.script("big", [bad(kind)]);
        let (end, _) = world.call();
        assert_eq!(end, End::Answered, "{kind}");
        assert_eq!(world.calls, ["big", "backup"], "{kind}");
        for _ in 0..10 {
            world.call();
        }
        assert_eq!(world.calls_to("big"), 1, "{kind}");
        assert_eq!(world.calls_to("small"), 0, "{kind}");
    }
}

#[test]
fn the_callers_own_fault_is_given_back_after_exactly_one_call() {
    for kind in [K::InvalidRequest, K::SchemaInvalid] {
        let mut world = two_tiers();
        world.script("primary", [bad(kind)]);
        let (end, _) = world.call();
        assert!(matches!(end, End::GaveUp(verdict) if verdict.kind == kind));
        assert_eq!(world.calls, ["primary"]);
        // It speaks for the request only: the target stays in use.
        world.script("primary", [good()]);
        world.call();
        assert_eq!(world.calls, ["primary", "primary"]);
    }
}

#[test]
fn a_prompt_that_is_too_long_goes_only_to_a_longer_window() {
    let table = |fallback: u32| {
        World::new(move |now| {
            Table::builder()
                .target(Target::new("short", "one").context_window(8_000))
                .target(Target::new("same", "one").context_window(8_000))
                .target(Target::new("long", "two").context_window(fallback))
                .route(
                    Route::new("r")
                        .tier(["short"])
                        .tier(["same"])
                        .tier(["long"]),
                )
                .build(now)
                .unwrap()
        })
    };
    let mut world = table(128_000);
    world.script("short", [bad(K::ContextLength)]);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["short", "long"]);
    assert_eq!(trace.hops[1].why, Why::LongerContext);

    let mut world = table(4_000);
    world.script("short", [bad(K::ContextLength)]);
    let (end, _) = world.call();
    assert!(matches!(end, End::GaveUp(verdict) if verdict.kind == K::ContextLength));
    assert_eq!(world.calls, ["short"]);
}

#[test]
fn a_request_known_to_be_too_long_passes_small_windows_over() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("short", "one").context_window(8_000))
            .target(Target::new("long", "two").context_window(128_000))
            .route(Route::new("r").tier(["short"]).tier(["long"]))
            .build(now)
            .unwrap()
    });
    let (end, trace) = world.call_with(Request::new().context_tokens(9_000), 1);
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["long"]);
    assert_eq!(trace.hops[0].passed_over.len(), 1);
}

#[test]
fn a_target_that_counts_more_than_was_expected_is_passed_over_in_time() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("short", "one").context_window(8_000))
            .target(Target::new("long", "two").context_window(128_000))
            .route(Route::new("r").tier(["short"]).tier(["long"]))
            .build(now)
            .unwrap()
    });
    let request = Request::new().context_tokens(5_000).expected(Cost {
        input_tokens: 5_000,
        output_tokens: 0,
    });
    world.tokens = Tokens {
        input: 10_000,
        output: 1,
    };
    for seed in 0..20 {
        world.call_with(request, seed);
    }
    assert_eq!(world.calls[0], "short", "nothing is known at first");
    assert_eq!(world.calls[19], "long");
}

#[test]
fn a_refusal_goes_elsewhere_only_where_the_route_names_one() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::ContentFilter)]);
    let (end, _) = world.call();
    assert!(matches!(end, End::GaveUp(verdict) if verdict.kind == K::ContentFilter));
    assert_eq!(world.calls, ["primary"]);

    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("strict", "one"))
            .target(Target::new("other", "two"))
            .target(Target::new("frank", "three"))
            .route(
                Route::new("r")
                    .tier(["strict"])
                    .tier(["other"])
                    .tier([Member::new("frank").less_restrictive()]),
            )
            .build(now)
            .unwrap()
    });
    world.script("strict", [bad(K::ContentFilter)]);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["strict", "frank"]);
    assert_eq!(trace.hops[1].why, Why::LessRestrictive);
}

#[test]
fn after_the_breaker_opens_callers_reach_the_fallback_with_no_added_wait() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::ServerError)]);
    while world.calls_to("primary") < 5 {
        let (end, _) = world.call();
        assert_eq!(end, End::Answered);
    }
    let before = world.now;
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.now - before, ms(100));
    assert_eq!(trace.hops.len(), 1);
    assert_eq!(trace.hops[0].why, Why::Fallback);
}

#[test]
fn a_healed_primary_comes_back_through_a_probe() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::ServerError)]);
    while world.calls_to("primary") < 5 {
        world.call();
    }
    world.script("primary", [good()]);
    world.now += secs(90);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert!(trace.hops[0].probe);
    assert_eq!(world.calls.last().unwrap(), "primary");
}

#[test]
fn a_lone_target_is_retried_by_backoff_up_to_its_attempts() {
    let mut world = alone();
    world.script("only", [bad(K::ServerError)]);
    let (end, trace) = world.call();
    let End::Degraded(cause) = end else {
        panic!("{end:?}");
    };
    assert_eq!(cause.verdict.unwrap().kind, K::ServerError);
    assert_eq!(trace.sends(), 3);
    // No sleep after the last attempt.
    let last = trace.hops.last().unwrap();
    assert_eq!(trace.ended_after, last.ended_after);
}

#[test]
fn a_lone_target_that_hangs_is_tried_once_more_with_a_wider_window() {
    let mut policy = Policy::interactive();
    policy.windows.whole = secs(4);
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("only", "one"))
            .route(Route::new("r").tier(["only"]).policy(policy))
            .build(now)
            .unwrap()
    });
    world.script("only", [Reply::Hang]);
    let (end, trace) = world.call();
    assert!(matches!(end, End::Degraded(_)));
    let took: Vec<_> = trace.hops.iter().map(|hop| hop.took().unwrap()).collect();
    assert_eq!(took, [secs(4), secs(6)]);
}

#[test]
fn with_everything_down_the_answer_is_ready_at_once_and_says_when_to_come_back() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::ServerError)]);
    world.script("backup", [bad(K::ServerError)]);
    for _ in 0..20 {
        let (end, _) = world.call();
        assert!(matches!(end, End::Degraded(_)));
    }
    let (before, calls) = (world.now, world.calls.len());
    let (end, trace) = world.call();
    let End::Degraded(cause) = end else {
        panic!("{end:?}");
    };
    assert_eq!(world.now, before, "no wait");
    assert_eq!(world.calls.len(), calls, "no call");
    assert!(cause.retry_at.unwrap() > world.now);
    assert_eq!(trace.refused.len(), 2);
}

#[test]
fn a_hold_that_ends_inside_the_deadline_is_waited_for_when_nothing_else_is_left() {
    let mut world = alone();
    world.script("only", [bad_for(K::RateLimitRequests, secs(8)), good()]);
    let (end, _) = world.call();
    assert_eq!(end, End::Answered);
    assert!(world.since_start() >= secs(8));

    let mut world = alone();
    world.script("only", [bad_for(K::RateLimitRequests, secs(3600))]);
    let (end, _) = world.call();
    assert!(matches!(end, End::Degraded(_)));
    assert!(world.since_start() < secs(1));
}

#[test]
fn a_hint_of_zero_does_not_switch_protection_off() {
    let mut world = alone();
    world.script("only", [bad_for(K::RateLimitRequests, secs(0))]);
    let (end, trace) = world.call();
    assert!(matches!(end, End::Degraded(_)));
    assert_eq!(trace.sends(), 3);
    assert!(trace.hops.iter().skip(1).all(|hop| hop.waited.is_some()));
}

#[test]
fn a_hint_of_zero_keeps_nobody_from_being_left_alone() {
    for kind in [K::RateLimitRequests, K::Overloaded] {
        let mut world = two_tiers();
        world.script("primary", [bad_for(kind, secs(0))]);
        let done = world.traffic(100, ms(50), |n| (Request::new(), n));
        assert!(done.iter().all(|one| one.end == End::Answered), "{kind}");
        let asked = world.calls_to("primary");
        assert!(asked <= 30, "{kind}: asked {asked} times");
    }
}

#[test]
fn a_limit_that_is_over_at_once_is_taken_at_its_word_once() {
    let mut world = two_tiers();
    world.script(
        "primary",
        [bad_for(K::RateLimitTokens, ms(6)), good(), good()],
    );
    let (end, trace) = world.call();
    assert_eq!((end, trace.sends()), (End::Answered, 2));
    assert!(world.since_start() < ms(510), "no longer than a backoff");
    world.call();
    assert_eq!(world.calls_to("primary"), 3);
}

#[test]
fn calls_that_are_refused_together_count_once() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::RateLimitRequests)]);
    world.traffic(40, ms(0), |n| (Request::new(), n));
    // The first hold lasts a second, and not the thirty of the sixth in a row.
    world.script("primary", [good()]);
    world.now += secs(5);
    let before = world.calls_to("primary");
    world.call();
    assert_eq!(world.calls_to("primary"), before + 1);
}

#[test]
fn the_final_error_names_the_most_actionable_cause() {
    let mut world = two_tiers();
    world.script("primary", [bad(K::AuthInvalidKey)]);
    world.script("backup", [bad(K::Network)]);
    let (End::Degraded(cause), trace) = world.call() else {
        panic!();
    };
    assert_eq!(cause.verdict.unwrap().kind, K::AuthInvalidKey);
    let words = trace.describe(&world.table).to_string();
    assert!(words.starts_with("primary first auth_invalid_key in 10ms; backup fallback network"));
}

#[test]
fn a_dropped_plan_leaves_nothing_behind() {
    let world = two_tiers();
    let route = world.table.route("r").unwrap();
    let primary = world.table.targets().next().unwrap();
    let mut plan = llm_router::Plan::new(
        Arc::clone(&world.table),
        route,
        Request::new(),
        world.now,
        1,
    );
    plan.poll(world.now);
    assert_eq!(world.table.in_flight(primary), 1);
    drop(plan);
    assert_eq!(world.table.in_flight(primary), 0);
}

#[test]
fn where_no_call_was_made_the_error_tells_what_the_targets_are_set_aside_for() {
    for (kind, tells) in [
        (K::RateLimitRequests, K::RateLimitOther),
        (K::QuotaExhausted, K::QuotaExhausted),
        (K::AuthInvalidKey, K::AuthInvalidKey),
        (K::ModelNotFound, K::ModelNotFound),
    ] {
        let mut world = alone();
        world.script("only", [bad_for(kind, secs(40))]);
        world.call();
        let calls = world.calls.len();
        let (End::Degraded(cause), _) = world.call() else {
            panic!("{kind}");
        };
        assert_eq!(world.calls.len(), calls);
        assert_eq!(cause.kind, tells);
        assert!(cause.verdict.is_none());
    }
}

#[test]
fn what_must_not_run_twice_is_sent_again_only_where_it_certainly_did_not_run() {
    let never_sent = Verdict::new(K::Network, Phase::Connect);
    for (reply, again) in [
        (bad(K::RateLimitRequests), true),
        (bad(K::Overloaded), true),
        (Reply::Bad(never_sent), true),
        (bad(K::ServerError), false),
        (bad(K::BadGatewayHtml), false),
        (bad(K::EmptyOutput), false),
        (bad(K::Network), false),
        (Reply::Hang, false),
    ] {
        let mut world = two_tiers();
        world.script("primary", [reply]);
        let (end, trace) = world.call_with(Request::new().at_most_once(), 1);
        assert_eq!(trace.sends() > 1, again, "{reply:?}: {trace:?}");
        assert_eq!(end == End::Answered, again, "{reply:?}");
        assert_eq!(trace.may_have_run(), !again, "{reply:?}");
    }
}

#[test]
fn a_stale_connection_is_tried_again_at_once_and_only_once() {
    let stale = Reply::Bad(classify_transport(TransportFault::Stale, Phase::Sent));
    let mut world = siblings();
    world.script("a", [stale, good()]);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["a", "a"], "before its sibling");
    assert_eq!(
        (trace.hops[1].why, trace.hops[1].waited),
        (Why::Retry, None)
    );

    let mut world = siblings();
    world.script("a", [stale]);
    let (end, _) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["a", "a", "b"]);
    let target = world.table.targets().next().unwrap();
    let seen = world.table.gate(target).snapshot(world.now);
    assert_eq!((seen.hard, seen.soft), (0, 0), "no mark against it");

    let mut world = siblings();
    world.script("a", [stale]);
    let (_, trace) = world.call_with(Request::new().at_most_once(), 1);
    assert_eq!(trace.sends(), 1);
}
