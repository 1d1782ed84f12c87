//! What calls that are made again are paid from.

use crate::beside::two;
use crate::world::*;
use llm_breaker::{Outcome, TripReason};
use llm_errors::ErrorKind as K;
use llm_router::{Hedging, Policy, Price, Request, Route, Spend, Table, Target, Why};

/// Calls that one more request to the second target makes, after all have failed at the first: two routes to one provider.
fn calls_after_a_bad_hour_elsewhere(first_region: &str, second_region: &str) -> usize {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("first", "one").region(first_region))
            .target(Target::new("second", "one").region(second_region))
            .route(Route::new("r").tier(["first"]))
            .route(Route::new("other").tier(["second"]))
            .build(now)
            .unwrap()
    });
    world.script("first", [bad(K::Overloaded)]);
    world.script("second", [bad(K::Overloaded), good()]);
    for n in 0..200 {
        world.call_with(Request::new(), n);
    }
    // Ten first calls and the ten repeated ones that a budget begins with; then the breaker has seen enough.
    assert_eq!(world.calls_to("first"), 20);
    world.route = "other";
    world.call_with(Request::new(), 1_000);
    world.calls_to("second")
}

#[test]
fn each_region_of_a_provider_pays_for_its_own_repeated_calls() {
    assert_eq!(calls_after_a_bad_hour_elsewhere("east", "west"), 2);
    assert_eq!(calls_after_a_bad_hour_elsewhere("east", "east"), 1);
}

/// A warm primary that slows down, beside a backup in the first step of its ramp, which lets one call in ten in: by how many calls the
/// backup was asked then, and, after its ramp, by as many more.
fn asked_in_a_ramp_and_after(hedging: Hedging, slow: Reply, count: u64) -> (usize, usize) {
    let mut policy = Policy::default();
    policy.hedging = hedging;
    let mut world = two(policy);
    let request = Request::new().streamed();
    let usual = |call: u64| Reply::Good(ms(200 + call * 37 % 100));
    world.script("primary", (0..600).map(usual));
    world.traffic(600, ms(50), |n| (request, n));
    let backup = world.table.targets().nth(1).unwrap();
    let gate = world.table.gate(backup);
    gate.trip(world.now, TripReason::Streak).unwrap();
    world.now += secs(61);
    let probe = gate.acquire(world.now).unwrap();
    gate.settle(probe, Outcome::Success, world.now);
    let asked = |world: &mut World| {
        world.calls.clear();
        world.script("primary", [slow]);
        world.traffic(count, ms(50), |n| (request, 1_000 + n));
        world.calls_to("backup")
    };
    let in_ramp = asked(&mut world);
    world.now += secs(60);
    (in_ramp, asked(&mut world))
}

#[test]
fn a_second_call_that_a_gate_refuses_costs_nothing() {
    // Hedges come at the p90 of about 0.3 s, and twenty are in store.
    let (in_ramp, after) = asked_in_a_ramp_and_after(Hedging::AtP90, Reply::Good(ms(400)), 60);
    assert!((3..=10).contains(&in_ramp), "{in_ramp}");
    assert!(after >= 15, "{after}");
    // Trials: ten are in store, and ten more that the backup's budget begins with.
    let (in_ramp, _) = asked_in_a_ramp_and_after(Hedging::Off, Reply::Good(ms(1_900)), 90);
    assert!(in_ramp >= 5, "{in_ramp}");
}

/// Where one call in twenty is late at a first target of this price, and another one is dearer: the hedges, what they cost, and what all cost.
fn hedges_beside(first: u64, other: u64) -> (usize, u64, u64) {
    // Millionths of a dollar for a call.
    let each = |per_request| Price {
        per_request,
        ..Price::default()
    };
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("primary", "one").price(each(first)))
            .target(Target::new("backup", "two").price(each(other)))
            .route(
                Route::new("r")
                    .tier(["primary"])
                    .tier(["backup"])
                    .policy(policy),
            )
            .build(now)
            .unwrap()
    });
    let usual = |call: u64| ms(200 + call * 37 % 100);
    let times = (0..2_000).map(|call| match call % 20 {
        7 => Reply::Good(ms(900)),
        _ => Reply::Good(usual(call)),
    });
    world.script("primary", times);
    let done = world.traffic(2_000, ms(50), |n| (Request::new(), n));
    let hops = || done.iter().flat_map(|done| &done.trace.hops);
    let hedges = || hops().filter(|hop| hop.why == Why::Hedge);
    let cost = hedges().map(|hop| hop.cost).sum::<Spend>();
    let all = hops().map(|hop| hop.cost).sum::<Spend>();
    (hedges().count(), cost.0, all.0)
}

#[test]
fn hedges_cost_no_more_than_a_tenth_of_the_spend_however_dear_the_other_target() {
    let (unpriced, ..) = hedges_beside(0, 0);
    assert!((90..=210).contains(&unpriced), "{unpriced}");
    for (first, other) in [(100, 100), (100, 2_000), (2_000, 100), (10, 500)] {
        let (count, cost, all) = hedges_beside(first, other);
        assert!(cost * 10 <= all, "{other} beside {first}: {cost} of {all}");
        if other <= first {
            assert_eq!(count, unpriced, "what is no dearer is bounded by number");
        } else {
            assert!(count > 0 && count < unpriced / 2, "{count} of {unpriced}");
        }
    }
    // No spend is known of which it could be a tenth: the number alone bounds them.
    let (count, ..) = hedges_beside(0, 2_000);
    assert_eq!(count, unpriced);
}
