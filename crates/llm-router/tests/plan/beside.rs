//! Targets that hang, and second targets asked beside them.

use crate::world::*;
use llm_breaker::State;
use llm_errors::{ErrorKind as K, Phase, Verdict};
use llm_router::{
    Action, Event, Hedging, Plan, Policy, Request, Route, Table, Target, Tokens, Why,
};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn two(policy: Policy) -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("primary", "one"))
            .target(Target::new("backup", "two"))
            .route(
                Route::new("r")
                    .tier(["primary"])
                    .tier(["backup"])
                    .policy(policy),
            )
            .build(now)
            .unwrap()
    })
}

/// A healthy time, with some spread.
fn usual(call: u64) -> Duration {
    ms(200 + call * 37 % 100)
}

/// `calls` healthy calls, 20 a second.
fn warm(world: &mut World, calls: u64) {
    world.script("primary", (0..calls).map(|call| Reply::Good(usual(call))));
    world.traffic(calls, ms(50), |n| (Request::new(), n));
    world.calls.clear();
}

#[test]
fn a_warm_target_that_hangs_is_left_within_three_seconds_and_nobody_waits_longer() {
    for streamed in [false, true] {
        let request = if streamed {
            Request::new().streamed()
        } else {
            Request::new()
        };
        let mut world = two(Policy::default());
        world.script("primary", (0..200).map(|call| Reply::Good(usual(call))));
        world.traffic(200, ms(50), |n| (request, n));
        world.script("primary", [Reply::Hang]);
        for done in world.leaves_the_first(secs(3), 400, request) {
            assert!(done.took <= secs(3), "waited {:?}", done.took);
        }
    }
}

/// Whole answers that take 1 to 4 s, most of them under 2.
fn whole(call: u64) -> Duration {
    let place = call * 37 % 100;
    ms(1_000 + place * 8 + place.saturating_sub(70) * 80)
}

#[test]
fn whole_answers_that_hang_are_left_within_three_seconds_although_each_may_take_four() {
    let mut world = two(Policy::default());
    world.script("primary", (0..300).map(|call| Reply::Good(whole(call))));
    world.script("backup", [Reply::Good(ms(1_500))]);
    world.traffic(300, ms(50), |n| (Request::new(), n));
    world.script("primary", [Reply::Hang]);
    for done in world.leaves_the_first(secs(3), 200, Request::new()) {
        let fallback = done.trace.hops.last().unwrap();
        assert!(fallback.sent_after <= secs(3), "{:?}", fallback.sent_after);
    }
}

#[test]
fn a_probe_costs_its_caller_no_more_than_the_usual_time() {
    let mut world = two(Policy::default());
    warm(&mut world, 200);
    world.script("primary", [bad(K::ServerError)]);
    let primary = world.table.targets().next().unwrap();
    while world.table.gate(primary).snapshot(world.now).state != State::Open {
        world.call();
    }
    world.script("primary", [Reply::Hang]);
    world.now += secs(70);
    let before = world.now;
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert!(trace.hops[0].probe);
    assert_eq!(trace.hops[1].why, Why::Cover);
    assert!(world.now - before < ms(500), "{:?}", world.now - before);
    // A probe that said nothing has failed: the next caller is not its next victim.
    let (_, trace) = world.call();
    assert_eq!(trace.hops.len(), 1);
}

#[test]
fn hedges_start_at_the_p90_and_stay_near_one_call_in_ten() {
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = two(policy);
    let stragglers = |call: u64| {
        if call % 33 == 7 {
            ms(1_900)
        } else {
            usual(call)
        }
    };
    world.script(
        "primary",
        (0..3_000).map(|call| Reply::Good(stragglers(call))),
    );
    let done = world.traffic(3_000, ms(50), |n| (Request::new(), n));
    let mut times: Vec<_> = done.iter().map(|done| done.took).collect();
    let extra = world.calls.len() - 3_000;
    assert!((150..=330).contains(&extra), "{extra} hedges");
    times.drain(..500);
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    assert!(p99 <= ms(1_200), "p99 {p99:?}");
}

#[test]
fn nothing_is_sent_twice_at_once_for_a_call_with_side_effects() {
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = two(policy);
    warm(&mut world, 200);
    world.script("primary", [Reply::Good(ms(1_500))]);
    let (end, trace) = world.call_with(Request::new().side_effects(), 5);
    assert_eq!(end, End::Answered);
    assert_eq!(trace.hops.len(), 1);
}

#[test]
fn nobody_is_asked_beside_a_stream_that_has_begun() {
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = two(policy);
    let request = Request::new().streamed();
    world.script("primary", (0..400).map(|call| Reply::Good(usual(call))));
    world.traffic(400, ms(50), |n| (request, n));
    let route = world.table.route("r").unwrap();
    for has_begun in [false, true] {
        let sent = world.now;
        let mut plan = Plan::new(Arc::clone(&world.table), route, request, sent, 5);
        let Action::Send { attempt, .. } = plan.poll(sent) else {
            panic!("nobody is asked");
        };
        if has_begun {
            plan.on(Event::FirstToken(attempt), sent + ms(100));
        }
        let mut later = [150, 400, 1_500, 8_000].map(|after| plan.poll(sent + ms(after)));
        let asked = later
            .iter_mut()
            .any(|action| matches!(action, Action::Send { .. }));
        assert_eq!(asked, !has_begun, "{later:?}");
        plan.cancel(sent + secs(8));
        world.now += secs(9);
    }
}

#[test]
fn an_error_never_wins_the_race() {
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = two(policy);
    warm(&mut world, 400);
    world.script("primary", [Reply::Good(ms(1_500))]);
    world.script("backup", [bad(K::RateLimitRequests)]);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(trace.hops[1].why, Why::Hedge);
    assert_eq!(trace.answered_by(), Some(trace.hops[0].target));
}

#[test]
fn a_healed_target_is_noticed_by_a_shadow_probe_before_its_cooldown_is_over() {
    let mut world = two(Policy::default());
    world.script("primary", [bad(K::ServerError)]);
    let primary = world.table.targets().next().unwrap();
    let route = world.table.route("r").unwrap();
    while world.table.gate(primary).snapshot(world.now).state != State::Open {
        world.call();
    }
    let opened = world.now;
    world.script("primary", [good()]);
    let mut noticed = None;
    for second in 1..30 {
        world.now = opened + secs(second);
        if let Some(shadow) = world.table.shadow(route, &Request::new(), world.now) {
            assert_eq!(shadow.target(), primary);
            shadow.finish(Ok(Tokens::default()), world.now);
        }
        let (end, trace) = world.call();
        assert_eq!(end, End::Answered);
        if trace.answered_by() == Some(primary) {
            noticed = Some(second);
            break;
        }
    }
    assert!(noticed.unwrap() <= 10, "{noticed:?}");
    let asking = Request::new().side_effects();
    assert!(world.table.shadow(route, &asking, world.now).is_none());
}

#[test]
fn with_everything_down_the_end_of_it_is_noticed_within_ten_seconds() {
    for outage in [secs(30), secs(1_800)] {
        let mut world = two(Policy::default());
        warm(&mut world, 200);
        for target in ["primary", "backup"] {
            world.script(target, [bad(K::ServerError)]);
        }
        let route = world.table.route("r").unwrap();
        // Two callers a second, and after each a look for recovery, as the driver of a plan has it.
        let second = |world: &mut World, healthy: bool| {
            let mut answered_by = Vec::new();
            for _ in 0..2 {
                let (end, trace) = world.call();
                assert!(healthy || end != End::Answered);
                answered_by.push(trace.answered_by());
                world.now += ms(500);
                if let Some(shadow) = world.table.shadow(route, &Request::new(), world.now) {
                    let down = Verdict::new(K::ServerError, Phase::FirstByte);
                    shadow.finish(
                        if healthy {
                            Ok(Tokens::default())
                        } else {
                            Err(&down)
                        },
                        world.now,
                    );
                }
            }
            answered_by
        };
        let healed_at = world.now + outage;
        while world.now < healed_at {
            second(&mut world, false);
        }
        for target in ["primary", "backup"] {
            world.script(target, [good()]);
        }
        let healed_at = world.now;
        while second(&mut world, true).contains(&None) {}
        let noticed = world.now - healed_at;
        assert!(
            noticed <= secs(10),
            "after {noticed:?} of an outage of {outage:?}"
        );
        while world.now < healed_at + secs(30) {
            second(&mut world, true);
        }
        let primary = world.table.targets().next();
        for _ in 0..10 {
            assert_eq!(second(&mut world, true), [primary; 2]);
        }
    }
}
