//! What is explained is what is done.

use crate::world::*;
use llm_breaker::{Breaker, Mode, Outcome, TripReason};
use llm_router::{
    Action, Edge, Event, FailOpen, Member, Plan, Policy, Refusal, Request, Route, Strategy, Table,
    Target,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// How a target does when it is asked about.
#[derive(Debug, Clone, Copy)]
enum State {
    Well,
    Open,
    ProbeDue,
    /// So many seconds into its ramp.
    Ramp(u64),
    Held,
}

fn states() -> impl Strategies<Value = State> {
    prop_oneof![
        Just(State::Well),
        Just(State::Open),
        Just(State::ProbeDue),
        (0u64..40).prop_map(State::Ramp),
        Just(State::Held),
    ]
}

use proptest::strategy::Strategy as Strategies;

/// Puts a gate into a state as of `now`.
fn put(gate: &Breaker, state: State, now: Instant) {
    match state {
        State::Well => {}
        State::Open => {
            gate.trip(now, TripReason::Streak);
        }
        State::ProbeDue => {
            gate.trip(now - secs(100), TripReason::Streak);
        }
        State::Ramp(seconds) => {
            gate.trip(now - secs(200), TripReason::Streak);
            let healed = now - secs(seconds);
            let probe = gate.acquire(healed).unwrap();
            gate.settle(probe, Outcome::Success, healed);
        }
        State::Held => gate.hold(now + secs(5)),
    }
}

/// What is explained, and what a thousand plans do: the shares of each target. Those that are probes stay under way.
fn both(world: &World, request: Request) -> (Vec<f64>, Vec<f64>) {
    let route = world.table.route("r").unwrap();
    let explained = world.table.explain(route, &request, world.now);
    let shares = explained.candidates.iter().map(|one| one.share).collect();
    let mut counts: HashMap<_, u32> = HashMap::new();
    let mut probes = Vec::new();
    for seed in 0..1_000 {
        let table = Arc::clone(&world.table);
        let mut plan = Plan::new(table, route, request, world.now, seed);
        if let Action::Send { target, .. } = plan.poll(world.now) {
            if plan.trace().hops[0].probe {
                probes.push(plan);
            } else {
                *counts.entry(target).or_default() += 1;
            }
        }
    }
    let done = explained.candidates.iter();
    let done = done.map(|one| f64::from(*counts.get(&one.target).unwrap_or(&0)) / 1_000.0);
    (shares, done.collect())
}

fn agree((explained, done): &(Vec<f64>, Vec<f64>)) -> bool {
    let mut pairs = explained.iter().zip(done);
    pairs.all(|(explained, done)| (explained - done).abs() < 0.06)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    #[test]
    fn shares_are_those_of_the_plans_that_follow(
        states in prop::collection::vec(states(), 6),
        weights in prop::collection::vec(1u32..5, 6),
        strategy in prop::sample::select(&Strategy::ALL[..]),
        fail_open in any::<bool>(),
        key in 0u64..3,
    ) {
        let mut policy = Policy::default();
        policy.strategy = strategy;
        policy.fail_open = if fail_open { FailOpen::LeastBad } else { FailOpen::Never };
        let mut world = World::new(|now| {
            let names = ["a", "b", "c", "d", "e", "f"];
            let members: Vec<_> = names.iter().zip(&weights).map(|(name, weight)| Member::new(*name).weight(*weight)).collect();
            let table = names.iter().fold(Table::builder(), |table, name| {
                table.target(Target::new(*name, *name))
            });
            let route = Route::new("r")
                .tier(members[..3].to_vec())
                .tier(members[3..4].to_vec())
                .on(Edge::Region, members[4..].to_vec())
                .policy(policy);
            table.route(route).build(now).unwrap()
        });
        world.now += secs(1_000);
        for (target, state) in world.table.targets().zip(&states) {
            put(world.table.gate(target), *state, world.now);
        }
        let seen = both(&world, Request::new().key(key));
        prop_assert!(agree(&seen), "{:?} with {} at {:?}", seen, strategy, states);
    }
}

fn one_and_one(region: bool) -> World {
    let mut world = World::new(|now| {
        let route = Route::new("r").tier(["a"]);
        let route = if region {
            route.on(Edge::Region, ["eu"])
        } else {
            route
        };
        Table::builder()
            .target(Target::new("a", "one"))
            .target(Target::new("b", "two"))
            .target(Target::new("eu", "three"))
            .route(route.tier(["b"]))
            .build(now)
            .unwrap()
    });
    world.now += secs(1_000);
    world
}

fn words(world: &World) -> String {
    let route = world.table.route("r").unwrap();
    let explained = world.table.explain(route, &Request::new(), world.now);
    explained.to_string()
}

#[test]
fn a_ramp_and_a_probe_are_told_as_what_they_let_through() {
    let world = one_and_one(false);
    let a = world.table.targets().next().unwrap();
    put(world.table.gate(a), State::Ramp(0), world.now);
    let said = words(&world);
    assert!(said.contains("tier 0 a: wins 10 % of the time"), "{said}");
    assert!(said.contains("takes 10 % of what comes to it"), "{said}");
    assert!(said.contains("tier 1 b: wins 90 % of the time"), "{said}");
    let world = one_and_one(false);
    let a = world.table.targets().next().unwrap();
    put(world.table.gate(a), State::ProbeDue, world.now);
    let said = words(&world);
    let probe = "tier 0 a: takes the next call that comes to it, as its probe";
    assert!(said.contains(probe), "{said}");
    assert!(said.contains("tier 1 b: wins 100 % of the time"), "{said}");
}

#[test]
fn an_edge_that_leads_round_an_outage_is_told_to_win() {
    let world = one_and_one(true);
    assert!(words(&world).contains("on region eu: not used: not_for_this"));
    let a = world.table.targets().next().unwrap();
    world.table.gate(a).force(Mode::ForcedOpen);
    let said = words(&world);
    assert!(said.contains("on region eu: wins 100 %"), "{said}");
    assert!(said.contains("tier 1 b: ready, behind"), "{said}");
    assert!(agree(&both(&world, Request::new())));
}

#[test]
fn a_target_that_hangs_is_told_to_be_passed_over() {
    let mut world = one_and_one(false);
    world.traffic(400, ms(50), |n| (Request::new(), n));
    let route = world.table.route("r").unwrap();
    // Twenty a second to which nobody says anything.
    let mut plans = Vec::new();
    let mut told = None;
    for call in 0..100 {
        let table = Arc::clone(&world.table);
        let request = Request::new().side_effects();
        let mut plan = Plan::new(table, route, request, world.now, call);
        let explained = world.table.explain(route, &request, world.now);
        let Action::Send { target, .. } = plan.poll(world.now) else {
            panic!("nobody is asked");
        };
        let first = explained.candidates[0].target;
        let to_first = target == first;
        assert_eq!(explained.candidates[0].share > 0.5, to_first, "{explained}");
        if !to_first {
            told = Some(explained.to_string());
            break;
        }
        plans.push(plan);
        world.now += ms(50);
    }
    let told = told.unwrap();
    assert!(told.contains("tier 0 a: not used: hanging"), "{told}");
    assert!(told.contains("tier 1 b: wins 100 %"), "{told}");
}

#[test]
fn a_target_with_more_to_do_than_it_can_is_told_to_be_full() {
    let mut world = World::new(|now| {
        let table = Table::builder().target(Target::new("only", "one"));
        let route = Route::new("r").tier(["only"]);
        table.route(route).build(now).unwrap()
    });
    let request = Request::new().streamed();
    world.traffic(200, ms(50), |n| (request, n));
    let route = world.table.route("r").unwrap();
    // It answers one call in half a second, of twenty.
    let mut under_way: Vec<(Plan, _, Instant)> = Vec::new();
    let (mut sent, mut kept) = (0u64, 0);
    for call in 0..600 {
        world.now += ms(50);
        while let Some(place) = under_way.iter().position(|(.., at)| *at <= world.now) {
            let (mut plan, attempt, at) = under_way.remove(place);
            plan.on(Event::FirstToken(attempt), at);
        }
        let table = Arc::clone(&world.table);
        let explained = world.table.explain(route, &request, world.now);
        let mut plan = Plan::new(table, route, request, world.now, call);
        let only = &explained.candidates[0];
        match plan.poll(world.now) {
            Action::Send { attempt, .. } => {
                assert!(only.share > 0.99, "{explained}");
                under_way.push((plan, attempt, world.now + ms(2_000 + sent * 450)));
                sent += 1;
            }
            _ => {
                assert_eq!(only.refusal, Some(Refusal::Full), "{explained}");
                assert!(only.share < 0.01);
                kept += 1;
            }
        }
    }
    assert!(sent > 20 && kept > 20, "{sent}, {kept}");
}
