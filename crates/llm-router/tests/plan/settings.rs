//! What may be set otherwise than by default: by target, by route, by table.

use crate::world::*;
use llm_breaker::{BreakerConfig, State, TripReason};
use llm_errors::{ErrorKind as K, Scope};
use llm_router::{
    Action, Allowance, Budget, Detector, Detectors, Hedge, Hedging, Learnt, Plan, Policy, Request,
    Route, SetAside, Spend, Table, TableError, Target,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A primary as it is described, before a backup elsewhere.
fn primary_as(
    policy: Policy,
    describe: impl FnOnce(Target) -> Target,
    now: Instant,
) -> Result<Arc<Table>, TableError> {
    Table::builder()
        .target(describe(Target::new("primary", "one")))
        .target(Target::new("backup", "two"))
        .route(
            Route::new("r")
                .tier(["primary"])
                .tier(["backup"])
                .policy(policy),
        )
        .build(now)
}

fn with(policy: Policy, describe: impl FnOnce(Target) -> Target) -> World {
    World::new(|now| primary_as(policy, describe, now).unwrap())
}

fn heeding(detectors: Detectors) -> World {
    with(Policy::default(), |target| target.detectors(detectors))
}

fn usual(call: u64) -> Reply {
    Reply::Good(ms(200 + call * 37 % 100))
}

/// So many healthy calls, 20 a second, then as many of which the primary does the same.
fn then(world: &mut World, reply: impl Fn(u64) -> Reply) {
    let request = Request::new().streamed();
    world.script("primary", (0..600).map(usual));
    world.traffic(600, ms(50), |n| (request, n));
    world.script("primary", (0..600).map(reply));
    world.calls.clear();
    world.traffic(400, ms(50), |n| (request, 1_000 + n));
}

fn primary(world: &World) -> (State, TripReason) {
    let first = world.table.targets().next().unwrap();
    let seen = world.table.gate(first).snapshot(world.now);
    (seen.state, seen.reason)
}

#[test]
fn a_target_may_have_a_breaker_of_its_own_and_keeps_it_over_a_reload() {
    let twice = BreakerConfig::builder().failures(2).build().unwrap();
    let build = |before: Option<Arc<Table>>, now: Instant| {
        let mut builder = Table::builder()
            .breaker(BreakerConfig::builder().failures(7).build().unwrap())
            .target(Target::new("own", "one").breaker_settings(twice))
            .target(Target::new("usual", "two"))
            .route(Route::new("r").tier(["own", "usual"]));
        if let Some(before) = before {
            builder = builder.inherit(before);
        }
        builder.build(now).unwrap()
    };
    let mut world = World::new(|now| build(None, now));
    let failures = |table: &Table| {
        let of = |id| table.gate(id).config().failures();
        table.targets().map(of).collect::<Vec<_>>()
    };
    assert_eq!(failures(&world.table), [2, 7]);
    world.table = build(Some(Arc::clone(&world.table)), world.now);
    assert_eq!(failures(&world.table), [2, 7]);
}

#[test]
fn a_hang_is_seen_unless_nobody_looks_for_one() {
    let mut world = heeding(Detectors::ALL);
    then(&mut world, |_| Reply::Hang);
    assert_eq!(primary(&world), (State::Open, TripReason::Hang));
    let mut world = heeding(Detectors::NONE);
    then(&mut world, |_| Reply::Hang);
    assert_ne!(primary(&world).1, TripReason::Hang);
}

#[test]
fn slowness_is_neither_compared_nor_left_where_nobody_looks_for_it() {
    let slow = |_| Reply::Good(ms(1_000));
    let mut world = heeding(Detectors::ALL);
    then(&mut world, slow);
    assert_eq!(primary(&world), (State::Open, TripReason::Latency));
    let mut world = heeding(Detectors::ALL.without(Detector::Latency));
    then(&mut world, |_| Reply::Good(ms(500)));
    assert_eq!(primary(&world).0, State::Closed);
    assert_eq!(world.calls_to("backup"), 0, "no trial is paid for");
}

#[test]
fn bad_answers_go_elsewhere_and_count_for_nothing_where_nobody_looks_at_them() {
    for (detectors, opens) in [
        (Detectors::ALL, true),
        (Detectors::ALL.without(Detector::Quality), false),
    ] {
        let mut world = heeding(detectors);
        world.script("primary", [bad(K::EmptyOutput)]);
        for seed in 0..20 {
            let (end, trace) = world.call_with(Request::new(), seed);
            assert_eq!(end, End::Answered);
            assert!(opens || trace.spared.is_empty(), "nobody was spared");
        }
        assert_eq!(primary(&world).0 == State::Open, opens, "{detectors:?}");
        let all = world.calls_to("primary") == 20;
        assert_eq!(all, !opens, "{detectors:?}");
    }
}

#[test]
fn what_targets_share_stays_where_nobody_infers_it() {
    for (detectors, opens) in [
        (Detectors::ALL, true),
        (Detectors::ALL.without(Detector::Scope), false),
    ] {
        let mut world = World::new(|now| {
            let mut builder = Table::builder();
            for name in ["a", "b", "c"] {
                let target = Target::new(name, "one").credential(name).model(name);
                builder = builder.target(target.detectors(detectors));
            }
            builder
                .target(Target::new("backup", "two"))
                .route(Route::new("r").tier(["a", "b", "c"]).tier(["backup"]))
                .build(now)
                .unwrap()
        });
        for name in ["a", "b", "c"] {
            world.script(name, [bad(K::ServerError)]);
        }
        for seed in 0..60 {
            world.call_with(Request::new(), seed);
        }
        let first = world.table.targets().next().unwrap();
        let gate = world.table.scope_gate(first, Scope::Provider);
        let shut = gate.snapshot(world.now).state != State::Closed;
        assert_eq!(shut, opens, "{detectors:?}");
    }
}

#[test]
fn set_asides_last_as_long_as_the_target_says() {
    let times = SetAside {
        spent_quota: secs(120),
        refused_key: secs(7),
        missing_model: secs(40),
    };
    for (kind, lasts) in [
        (K::QuotaExhausted, 120),
        (K::AuthInvalidKey, 7),
        (K::ModelNotFound, 40),
    ] {
        let mut world = with(Policy::default(), |target| target.set_aside(times));
        world.script("primary", [bad(kind), good()]);
        world.call();
        world.now += secs(lasts - 1);
        world.call();
        assert_eq!(world.calls_to("primary"), 1, "{kind}");
        world.now += secs(1);
        world.call();
        assert_eq!(world.calls_to("primary"), 2, "{kind}");
    }
}

#[test]
fn the_budgets_of_a_route_and_of_a_provider_may_be_nothing() {
    let none = Budget {
        percent: 0,
        reserve: 0,
        most: 1,
    };
    let calls = |route: Budget, provider: Budget| {
        let mut policy = Policy::default();
        policy.retries = route;
        let mut world = World::new(|now| {
            Table::builder()
                .retry_budget(provider)
                .target(Target::new("only", "one"))
                .route(Route::new("r").tier(["only"]).policy(policy))
                .build(now)
                .unwrap()
        });
        world.script("only", [bad(K::ServerError), good()]);
        world.call();
        world.calls_to("only")
    };
    assert_eq!(calls(Budget::ROUTE, Budget::PROVIDER), 2);
    assert_eq!(calls(none, Budget::PROVIDER), 1);
    assert_eq!(calls(Budget::ROUTE, none), 1);
}

/// How many second calls there are, of the last thousand.
fn hedges(hedge: Hedge) -> usize {
    let mut policy = Policy::default();
    policy.hedging = Hedging::At(hedge);
    let mut world = with(policy, |target| target);
    world.script("primary", (0..2_000).map(usual));
    let request = Request::new().streamed();
    world.traffic(1_000, ms(50), |n| (request, n));
    world.calls.clear();
    world.traffic(1_000, ms(50), |n| (request, 5_000 + n));
    world.calls.len() - 1_000
}

#[test]
fn hedges_come_by_the_numbers_of_the_route() {
    let at = |percentile, percent| {
        hedges(Hedge {
            percentile,
            percent,
            ..Hedge::AT_P90
        })
    };
    let (often, seldom) = (at(60, 100), at(98, 100));
    assert!((250..=450).contains(&often), "{often}");
    assert!(seldom <= 60, "{seldom}");
    assert!(at(60, 1) <= 35, "the budget bounds them");
    let late = hedges(Hedge {
        floor: secs(5),
        ..Hedge::AT_P90
    });
    assert_eq!(late, 0);
}

#[test]
fn nothing_is_ejected_where_a_route_allows_none() {
    let mut policy = Policy::default();
    policy.eject_percent = 0;
    let mut world = with(policy, |target| target);
    then(&mut world, |_| Reply::Good(ms(1_000)));
    assert_eq!(primary(&world).0, State::Closed);
}

/// The window of a streamed call after many that took a second.
fn window(learnt: Option<Learnt>) -> Duration {
    let mut policy = Policy::default();
    policy.learnt = learnt;
    let mut world = with(policy, |target| target);
    world.script("primary", [Reply::Good(ms(1_000))]);
    let request = Request::new().streamed();
    world.traffic(300, ms(50), |n| (request, n));
    let (table, now) = (Arc::clone(&world.table), world.now);
    let route = table.route("r").unwrap();
    match Plan::new(table, route, request, now, 1).poll(now) {
        Action::Send { windows, .. } => windows.first_token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_learnt_shortens_windows_as_the_route_says() {
    let learnt = |percent, floor| {
        Some(Learnt {
            percent,
            floor: secs(floor),
        })
    };
    let about = |window: Duration, seconds: u64| {
        assert!(window > secs(seconds) * 9 / 10 && window < secs(seconds) * 11 / 10);
    };
    about(window(Some(Learnt::default())), 2);
    about(window(learnt(400, 1)), 4);
    about(window(learnt(100, 7)), 7);
    about(window(None), 10);
}

#[test]
fn what_cannot_be_meant_is_refused_with_place_and_mend() {
    let told = |policy: Policy, describe: fn(Target) -> Target| {
        primary_as(policy, describe, origin())
            .err()
            .unwrap()
            .to_string()
    };
    let mut policy = Policy::default();
    policy.max_sends = 0;
    assert_eq!(
        told(policy, |target| target),
        "route `r`: `policy.max_sends`: it may be 1 or more, else nobody is ever asked"
    );
    let never = |target: Target| {
        target.set_aside(SetAside {
            refused_key: Duration::ZERO,
            ..SetAside::default()
        })
    };
    assert_eq!(
        told(Policy::default(), never),
        "target `primary`: `set_aside`: each time may be 1 ms to 24 h"
    );
    let alarmed = |target: Target| {
        let mut allowance = Allowance::default();
        allowance.alerts = vec![Spend(1); 5];
        target.allowance(allowance)
    };
    assert_eq!(
        told(Policy::default(), alarmed),
        "target `primary`: `allowance.alerts`: there may be at most 4"
    );
    let empty = Budget {
        most: 0,
        ..Budget::PROVIDER
    };
    let table = Table::builder().retry_budget(empty).build(origin());
    assert!(matches!(
        table,
        Err(TableError::Setting {
            setting: "retry_budget",
            ..
        })
    ));
}
