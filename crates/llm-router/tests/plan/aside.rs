//! How much is set aside, and what is left to do when everything is.

use crate::world::*;
use llm_breaker::{State, TripReason};
use llm_errors::ErrorKind as K;
use llm_router::{FailOpen, Policy, Request, Route, Table, Target, WaitSource, Why};

fn route_of(names: &'static [&'static str], policy: Policy) -> World {
    World::new(|now| {
        let mut builder = Table::builder();
        let mut route = Route::new("r").policy(policy);
        for name in names {
            builder = builder.target(Target::new(*name, *name));
            route = route.tier([*name]);
        }
        builder.route(route).build(now).unwrap()
    })
}

fn aside_for(world: &World, reason: TripReason) -> usize {
    let gates = world
        .table
        .targets()
        .map(|id| world.table.gate(id).snapshot(world.now));
    gates
        .filter(|seen| seen.state == State::Open && seen.reason == reason)
        .count()
}

#[test]
fn detectors_set_aside_at_most_half_of_a_route() {
    let names: &[_] = &["a", "b", "c", "d"];
    let mut world = World::new(|now| {
        let builder = names.iter().fold(Table::builder(), |builder, name| {
            builder.target(Target::new(*name, *name))
        });
        let route = Route::new("r").tier(names.iter().copied());
        builder.route(route).build(now).unwrap()
    });
    // Every other answer is bad: no streak, and far more than usual.
    for name in names {
        let turns = [good(), bad(K::EmptyOutput)].into_iter().cycle();
        let usual = std::iter::repeat_n(good(), 200);
        world.script(name, usual.chain(turns.take(2_000)));
    }
    let (mut spared, mut most) = (0, 0);
    for seed in 0..1_500 {
        spared += world.call_with(Request::new(), seed).1.spared.len();
        most = most.max(aside_for(&world, TripReason::Quality));
    }
    assert_eq!(most, 2);
    assert!(spared > 0, "the trace tells that somebody was spared");
}

#[test]
fn with_everything_open_the_least_bad_is_asked_only_where_the_route_says_so() {
    for (fail_open, answered) in [(FailOpen::Never, false), (FailOpen::LeastBad, true)] {
        let mut policy = Policy::default();
        policy.fail_open = fail_open;
        let mut world = route_of(&["a", "b"], policy);
        for name in ["a", "b"] {
            world.script(name, [bad(K::ServerError)]);
        }
        for seed in 0..20 {
            world.call_with(Request::new(), seed);
        }
        assert_eq!(aside_for(&world, TripReason::Streak), 2);
        world.script("a", [good()]);
        world.script("b", [good()]);
        world.now += secs(10);
        world.calls.clear();
        let (end, trace) = world.call();
        assert_eq!(end == End::Answered, answered, "{trace:?}");
        if answered {
            assert_eq!(trace.hops[0].why, Why::LeastBad);
            let words = trace.describe(&world.table).to_string();
            assert!(words.contains("least_bad answered"), "{words}");
        } else {
            assert!(world.calls.is_empty());
        }
    }
}

#[test]
fn the_least_bad_is_asked_once_a_request_and_never_where_money_or_a_key_is_missing() {
    let mut policy = Policy::default();
    policy.fail_open = FailOpen::LeastBad;
    let mut world = route_of(&["a", "b"], policy);
    world.script("a", [bad_for(K::QuotaExhausted, secs(600))]);
    world.script("b", [bad(K::ServerError)]);
    for seed in 0..20 {
        world.call_with(Request::new(), seed);
    }
    world.calls.clear();
    for seed in 0..10 {
        world.call_with(Request::new(), seed);
    }
    assert_eq!(world.calls, ["b"; 10]);
}

#[test]
fn an_opening_that_ends_within_the_patience_is_waited_for() {
    let mut world = route_of(&["a"], Policy::default());
    world.script("a", [bad(K::ServerError)]);
    while aside_for(&world, TripReason::Streak) == 0 {
        world.call();
    }
    let opened = world.now;
    world.script("a", [good()]);
    world.now = opened + secs(57);
    assert!(matches!(world.call().0, End::Degraded(_)), "too long");
    world.now = opened + ms(58_500);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered, "{trace:?}");
    let (waited, source) = trace.hops[0].waited.unwrap();
    assert_eq!(source, WaitSource::Opening);
    assert!(waited >= ms(1_400) && waited <= ms(1_600), "{waited:?}");
}

/// A healthy past, then nothing but soft failures: upstream calls a request.
fn calls_a_request(names: &'static [&'static str], kind: K) -> f64 {
    let mut world = route_of(names, Policy::default());
    world.traffic(1_000, ms(20), |n| (Request::new(), n));
    for name in names {
        world.script(name, [bad(kind)]);
    }
    world.calls.clear();
    let requests = 2_000;
    world.traffic(requests, ms(50), |n| (Request::new(), n));
    let calls = f64::from(u32::try_from(world.calls.len()).unwrap());
    calls / f64::from(u32::try_from(requests).unwrap())
}

#[test]
fn with_everything_down_softly_calls_stay_within_a_fifth_beyond_the_first_pass() {
    for kind in [K::Overloaded, K::RateLimitOther, K::EmptyOutput] {
        for names in [&["a"] as &[_], &["a", "b"], &["a", "b", "c"]] {
            let made = calls_a_request(names, kind);
            let targets = f64::from(u32::try_from(names.len()).unwrap());
            assert!(
                made <= targets + 0.2,
                "{kind}: {made} calls among {targets}"
            );
        }
    }
}
