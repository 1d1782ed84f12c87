//! Money of calls that are under way, broken off, left by their callers, or never heard of.

use crate::world::*;
use llm_errors::{ErrorKind as K, Phase, Verdict, stream_cut};
use llm_router::{
    Action, Allowance, AttemptId, Broken, Cost, Event, Hedging, Limits, Mend, OnCut, Plan, Policy,
    Price, Request, Route, Spend, Table, Target, Tokens, Why,
};
use std::sync::Arc;
use std::time::Instant;

/// A cent for a thousand tokens in, ten cents for as many out.
fn price() -> Price {
    Price {
        input: 10_000_000,
        output: 100_000_000,
        ..Price::default()
    }
}

/// Six cents.
fn six_cents() -> Request {
    Request::new().expected(Cost {
        input_tokens: 1_000,
        output_tokens: 500,
    })
}

fn hour(cents: u64) -> Allowance {
    let mut allowance = Allowance::default();
    allowance.per_hour = Some(Spend(cents * 10_000));
    allowance
}

/// Two tiers of one target each, which cost the same.
fn two(policy: Policy, route: Allowance) -> World {
    World::new(|now| {
        let target = |name: &'static str| Target::new(name, name).price(price());
        let route = Route::new("r")
            .tier(["a"])
            .tier(["b"])
            .policy(policy)
            .allowance(route);
        let table = Table::builder().target(target("a")).target(target("b"));
        table.route(route).build(now).unwrap()
    })
}

fn plan(world: &World, request: Request, seed: u64) -> Plan {
    let route = world.table.route("r").unwrap();
    Plan::new(Arc::clone(&world.table), route, request, world.now, seed)
}

fn sent(plan: &mut Plan, now: Instant) -> AttemptId {
    match plan.poll(now) {
        Action::Send { attempt, .. } => attempt,
        other => panic!("no call is due: {other:?}"),
    }
}

/// A stream whose beginning is with its caller.
fn begun(plan: &mut Plan, now: Instant) -> AttemptId {
    let attempt = sent(plan, now);
    plan.on(Event::FirstToken(attempt), now);
    assert_eq!(plan.poll(now), Action::Accept(attempt));
    attempt
}

/// Enough answers for the usual time to be known, and enough spent on them to pay for a hedge.
fn warm(world: &mut World) {
    for seed in 0..200 {
        world.now += ms(50);
        world.call_with(six_cents(), seed);
    }
    world.calls.clear();
}

#[test]
fn a_call_under_way_counts_against_the_cap_of_its_request() {
    for (cap, calls) in [(100_000, 1), (120_000, 2)] {
        let mut policy = Policy::default();
        policy.hedging = Hedging::AtP90;
        let mut world = two(policy, Allowance::default());
        warm(&mut world);
        world.script("a", [Reply::Good(ms(900))]);
        let mut request = six_cents();
        request.max_cost = Some(Spend(cap));
        let (end, trace) = world.call_with(request, 1);
        assert_eq!(end, End::Answered);
        assert_eq!(trace.hops.len(), calls, "with a cap of {}", Spend(cap));
        assert!(calls == 1 || trace.hops[1].why == Why::Hedge);
    }
}

#[test]
fn what_a_call_under_way_does_not_use_can_be_spent_again() {
    let mut world = two(Policy::default(), Allowance::default());
    world.script("a", [bad(K::Overloaded)]);
    let mut request = six_cents();
    request.max_cost = Some(Spend(100_000));
    let (end, trace) = world.call_with(request, 1);
    assert_eq!(end, End::Answered);
    let to: Vec<_> = trace.hops.iter().map(|hop| hop.target.index()).collect();
    assert_eq!(
        to.last(),
        Some(&1),
        "the first was refused and cost nothing"
    );
}

#[test]
fn a_broken_stream_that_is_not_mended_is_billed_what_it_said() {
    let cases = [
        (OnCut::Error, Mend::Prefill, false),
        (OnCut::Continue, Mend::Never, false),
        (OnCut::Continue, Mend::Prefill, true),
    ];
    for (on_cut, mend, side_effects) in cases {
        let mut policy = Policy::default();
        policy.on_cut = on_cut;
        let world = two(policy, hour(10_000));
        let mut request = six_cents().streamed();
        request.side_effects = side_effects;
        let mut plan = plan(&world, request, 1);
        let attempt = begun(&mut plan, world.now);
        let broken = Broken {
            verdict: stream_cut(Phase::MidStream),
            at_chars: 20_000,
            tokens: Tokens {
                input: 1_000,
                output: 5_000,
            },
            mend,
        };
        plan.on(Event::Broken(attempt, broken), world.now);
        assert!(matches!(plan.poll(world.now), Action::GiveUp(_)));
        // A cent and fifty.
        assert_eq!(plan.trace().cost(), Spend(510_000), "{on_cut:?} {mend:?}");
        let route = world.table.route("r").unwrap();
        assert_eq!(world.table.spent_on(route, world.now), Some(Spend(510_000)));
    }
}

#[test]
fn a_shadow_probe_is_paid_from_the_hour_of_its_route_and_kept_within_the_limits_of_its_target() {
    for (cents, rpm, granted) in [(100, 600, true), (5, 600, false), (100, 1, false)] {
        let mut limits = Limits::default();
        limits.rpm = Some(rpm);
        let mut world = World::new(|now| {
            let route = Route::new("r").tier(["a"]).allowance(hour(cents));
            let target = Target::new("a", "one").price(price()).limits(limits);
            let table = Table::builder().target(target).route(route);
            table.build(now).unwrap()
        });
        let a = world.table.targets().next().unwrap();
        let route = world.table.route("r").unwrap();
        if rpm == 1 {
            // Its one call of the minute.
            world.call_with(Request::new(), 1);
        }
        let gate = world.table.gate(a);
        gate.trip(world.now, llm_breaker::TripReason::Streak);
        world.now += secs(6);
        let before = world.table.spent_on(route, world.now).unwrap();
        let shadow = world.table.shadow(route, &six_cents(), world.now);
        assert_eq!(shadow.is_some(), granted, "{cents} cents, {rpm} a minute");
        let Some(shadow) = shadow else { continue };
        drop(shadow);
        let after = world.table.spent_on(route, world.now).unwrap();
        assert_eq!(
            after.0 - before.0,
            10_000,
            "its prompt, of which nothing was heard"
        );
        let down = Verdict::new(K::ServerError, Phase::FirstByte);
        world.now += secs(6);
        let shadow = world.table.shadow(route, &six_cents(), world.now).unwrap();
        shadow.finish(Err(&down), world.now);
    }
}

#[test]
fn a_caller_who_leaves_a_stream_is_billed_what_had_come() {
    let used = Tokens {
        input: 1_000,
        output: 5_000,
    };
    // He says so; or his plan is lost.
    for says in [true, false] {
        let world = two(Policy::default(), hour(10_000));
        let mut plan = plan(&world, six_cents().streamed(), 1);
        let attempt = begun(&mut plan, world.now);
        plan.used(attempt, used);
        if says {
            plan.cancel(world.now);
            assert_eq!(plan.trace().cost(), Spend(510_000));
        }
        drop(plan);
        let route = world.table.route("r").unwrap();
        let spent = world.table.spent_on(route, world.now);
        assert_eq!(spent, Some(Spend(510_000)));
    }
}

#[test]
fn a_stream_whose_provider_tells_no_tokens_is_billed_what_was_seen_of_it() {
    let world = two(Policy::default(), hour(10_000));
    let mut plan = plan(&world, six_cents().streamed(), 1);
    let attempt = begun(&mut plan, world.now);
    let seen = Tokens {
        input: 0,
        output: 5_000,
    };
    plan.used(attempt, seen);
    plan.on(Event::Succeeded(attempt, Tokens::default()), world.now);
    assert_eq!(plan.trace().cost(), Spend(510_000));
}

#[test]
fn what_a_call_crosses_of_which_nobody_hears_is_told_by_the_next_one() {
    let mut world = World::new(|now| {
        let mut allowance = Allowance::default();
        allowance.alerts = vec![Spend(100_000)];
        let route = Route::new("r").tier(["a"]).allowance(allowance);
        let target = Target::new("a", "one").price(price());
        Table::builder()
            .target(target)
            .route(route)
            .build(now)
            .unwrap()
    });
    let mut lost = plan(&world, six_cents().streamed(), 1);
    let attempt = begun(&mut lost, world.now);
    let used = Tokens {
        input: 1_000,
        output: 900,
    };
    lost.used(attempt, used);
    drop(lost);
    world.tokens = used;
    let (_, trace) = world.call_with(six_cents(), 2);
    assert_eq!(trace.alerts.len(), 1, "at twice the sum");
    let (_, trace) = world.call_with(six_cents(), 3);
    assert!(trace.alerts.is_empty(), "once");
}
