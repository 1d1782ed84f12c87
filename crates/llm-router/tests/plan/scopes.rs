//! What targets share is set aside together, and no more than that.

use crate::world::*;
use llm_breaker::{State, TripReason};
use llm_errors::{ErrorKind as K, Scope};
use llm_router::{HealthChange, Refusal, Request, Route, Table, Target, Trace};

/// Three models of one provider, each with its own key, before another provider.
fn three_and_one() -> World {
    World::new(|now| {
        let mut builder = Table::builder();
        for name in ["a", "b", "c"] {
            builder = builder.target(Target::new(name, "one").credential(name).model(name));
        }
        builder
            .target(Target::new("backup", "two"))
            .route(Route::new("r").tier(["a", "b", "c"]).tier(["backup"]))
            .build(now)
            .unwrap()
    })
}

fn opened(trace: &Trace, scope: Scope) -> bool {
    let of = |seen: &&HealthChange| seen.scope == scope;
    trace.changes.iter().any(|seen| of(&seen))
}

/// Calls until a scope opens; the number of calls it took.
fn until_open(world: &mut World, scope: Scope) -> u64 {
    (1..40)
        .find(|seed| {
            let (end, trace) = world.call_with(Request::new(), *seed);
            assert_eq!(end, End::Answered);
            opened(&trace, scope)
        })
        .unwrap()
}

#[test]
fn an_outage_of_the_provider_is_found_out_by_two_and_spares_the_third() {
    let mut world = three_and_one();
    for name in ["a", "b", "c"] {
        world.script(name, [bad(K::ServerError)]);
    }
    until_open(&mut world, Scope::Provider);
    let ids: Vec<_> = world.table.targets().collect();
    let states: Vec<_> = ids[..3]
        .iter()
        .map(|id| world.table.gate(*id).snapshot(world.now).state)
        .collect();
    let closed = states
        .iter()
        .filter(|state| **state == State::Closed)
        .count();
    assert_eq!(closed, 1, "{states:?}");
    // From here on nobody asks the third.
    world.calls.clear();
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["backup"]);
    let refused = &trace.hops[0].passed_over;
    let by_provider = refused
        .iter()
        .filter(|seen| seen.reason == Refusal::ProviderSetAside)
        .count();
    assert_eq!(by_provider, 1, "{refused:?}");
    let gate = world.table.scope_gate(ids[0], Scope::Provider);
    assert_eq!(gate.snapshot(world.now).reason, TripReason::Scope);
    let route = world.table.route("r").unwrap();
    let words = world
        .table
        .explain(route, &Request::new(), world.now)
        .to_string();
    assert!(
        words.contains("not used: provider_set_aside (scope)"),
        "{words}"
    );
}

#[test]
fn a_healed_provider_comes_back_by_one_probe_and_a_ramp() {
    let mut world = three_and_one();
    for name in ["a", "b", "c"] {
        world.script(name, [bad(K::ServerError)]);
    }
    until_open(&mut world, Scope::Provider);
    for name in ["a", "b", "c"] {
        world.script(name, [good()]);
    }
    world.now += secs(61);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert!(trace.hops[0].probe, "{trace:?}");
    assert!(opened(&trace, Scope::Provider), "the provider's gate ramps");
    for second in 0..60 {
        world.now += secs(1);
        world.call_with(Request::new(), second);
    }
    let gate = world
        .table
        .scope_gate(world.table.targets().next().unwrap(), Scope::Provider);
    assert_eq!(gate.snapshot(world.now).state, State::Closed);
}

#[test]
fn a_target_that_must_not_be_tried_does_not_cost_its_siblings_the_look_for_recovery() {
    let mut world = three_and_one();
    let ids: Vec<_> = world.table.targets().collect();
    let route = world.table.route("r").unwrap();
    let provider = world.table.scope_gate(ids[0], Scope::Provider);
    provider.trip(world.now, TripReason::Scope);
    let until = world.now + secs(3_600);
    let spent = world.table.gate(ids[0]);
    spent.open_until(world.now, until, TripReason::Quota);
    for _ in 0..3 {
        world.now += secs(6);
        let shadow = world.table.shadow(route, &Request::new(), world.now);
        assert_ne!(shadow.unwrap().target(), ids[0]);
    }
}

#[test]
fn one_good_answer_between_says_that_the_provider_is_there() {
    let mut world = three_and_one();
    world.script("a", [bad(K::ServerError)]);
    world.script("b", [bad(K::ServerError)]);
    for seed in 0..60 {
        let (_, trace) = world.call_with(Request::new(), seed);
        assert!(!opened(&trace, Scope::Provider));
    }
    let states = world
        .table
        .targets()
        .map(|id| world.table.gate(id).snapshot(world.now).state);
    assert_eq!(states.filter(|state| *state == State::Open).count(), 2);
}

#[test]
fn trouble_of_one_model_stays_with_the_model() {
    let mut world = World::new(|now| {
        let mut builder = Table::builder();
        for name in ["a", "b", "c"] {
            builder = builder.target(Target::new(name, "one").credential(name).model("m"));
        }
        builder
            .target(Target::new("other", "one").credential("o").model("n"))
            .target(Target::new("backup", "two"))
            .route(Route::new("r").tier(["a", "b", "c"]).tier(["backup"]))
            .build(now)
            .unwrap()
    });
    for name in ["a", "b", "c"] {
        world.script(name, [bad(K::ServerError)]);
    }
    until_open(&mut world, Scope::Model);
    let other = world.table.targets().nth(3).unwrap();
    let gate = world.table.scope_gate(other, Scope::Provider);
    assert_eq!(gate.snapshot(world.now).state, State::Closed);
}

#[test]
fn a_lone_provider_is_never_set_aside_by_inference() {
    let mut world = World::new(|now| {
        let mut builder = Table::builder();
        for name in ["a", "b", "c"] {
            builder = builder.target(Target::new(name, "one").credential(name).model(name));
        }
        builder
            .route(Route::new("r").tier(["a", "b", "c"]))
            .build(now)
            .unwrap()
    });
    for name in ["a", "b"] {
        world.script(name, [bad(K::ServerError)]);
    }
    // The third has answered nobody yet when the others are left.
    world.script(
        "c",
        std::iter::repeat_n(bad(K::Overloaded), 6).chain([good()]),
    );
    for seed in 0..30 {
        let (_, trace) = world.call_with(Request::new(), seed);
        assert!(!opened(&trace, Scope::Provider), "{trace:?}");
    }
}

#[test]
fn an_organisations_cap_sets_all_its_keys_aside() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("a", "one").credential("k1").organisation("o"))
            .target(Target::new("b", "one").credential("k2").organisation("o"))
            .target(Target::new("c", "one").credential("k3"))
            .route(Route::new("r").tier(["a"]).tier(["b"]).tier(["c"]))
            .build(now)
            .unwrap()
    });
    world.script("a", [bad_for(K::OrgLimit, secs(90))]);
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["a", "c"]);
    assert!(opened(&trace, Scope::Organisation));
    world.calls.clear();
    let (_, trace) = world.call();
    assert_eq!(world.calls, ["c"]);
    let reasons: Vec<_> = trace.hops[0]
        .passed_over
        .iter()
        .map(|seen| seen.reason)
        .collect();
    assert_eq!(reasons, [Refusal::OrganisationSetAside; 2]);
    world.now += secs(91);
    world.script("a", [good()]);
    world.calls.clear();
    world.call();
    assert_eq!(world.calls, ["a"]);
}

#[test]
fn an_overloaded_model_with_a_stated_wait_is_held_whoever_asks_for_it() {
    let mut world = World::new(|now| {
        let target = |name: &'static str| Target::new(name, "one").credential(name).model("m");
        Table::builder()
            .target(target("a"))
            .target(target("b"))
            .target(Target::new("c", "one").credential("c").model("n"))
            .route(Route::new("r").tier(["a"]).tier(["b"]).tier(["c"]))
            .build(now)
            .unwrap()
    });
    world.script("a", [bad_for(K::Overloaded, secs(20))]);
    world.call();
    assert_eq!(world.calls, ["a", "c"]);
}
