//! Which of a tier's targets is chosen, and what their limits let through.

use crate::world::*;
use llm_router::{
    Cost, Limits, Member, Policy, Price, Request, Route, Strategy, Table, Target, Trace,
};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::collections::HashMap;

fn four(strategy: Strategy) -> World {
    let mut policy = Policy::default();
    policy.strategy = strategy;
    World::new(|now| {
        let mut builder = Table::builder();
        for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let price = Price {
                input: 100 - 10 * u64::try_from(index).unwrap(),
                ..Price::default()
            };
            builder = builder.target(Target::new(name, name).price(price));
        }
        builder
            .route(Route::new("r").tier(["a", "b", "c", "d"]).policy(policy))
            .build(now)
            .unwrap()
    })
}

fn first_target(trace: &Trace) -> usize {
    trace.hops[0].target.index()
}

#[test]
fn least_in_flight_spreads_calls_that_overlap() {
    let mut world = four(Strategy::LeastInFlight);
    let done = world.traffic(40, ms(25), |n| (Request::new(), n));
    let mut calls = HashMap::new();
    for done in &done {
        *calls.entry(first_target(&done.trace)).or_insert(0) += 1;
    }
    // Four targets, 100 ms a call, one every 25 ms: each has one call at a time.
    assert_eq!(calls.len(), 4);
    assert!(
        calls.values().all(|calls| (8..=12).contains(calls)),
        "{calls:?}"
    );
}

#[test]
fn the_power_of_two_choices_leaves_a_slow_target_mostly_alone() {
    let mut world = four(Strategy::PowerOfTwo);
    world.script("a", [Reply::Good(ms(1_500))]);
    world.traffic(400, ms(25), |n| (Request::new(), n));
    assert!(world.calls_to("a") < 60, "{} of 400", world.calls_to("a"));
}

#[test]
fn the_cheapest_is_preferred_while_it_is_there() {
    let mut world = four(Strategy::Cheapest);
    let expected = Cost {
        input_tokens: 1_000_000,
        output_tokens: 0,
    };
    let (_, trace) = world.call_with(Request::new().expected(expected), 3);
    assert_eq!(first_target(&trace), 3);
    world.script("d", [bad(llm_errors::ErrorKind::QuotaExhausted)]);
    world.call_with(Request::new().expected(expected), 4);
    let (_, trace) = world.call_with(Request::new().expected(expected), 5);
    assert_eq!(first_target(&trace), 2);
}

#[test]
fn a_key_sticks_to_its_target_and_only_the_lost_ones_move() {
    let mut world = four(Strategy::Sticky);
    let place = |world: &mut World, key: u64, seed: u64| {
        first_target(&world.call_with(Request::new().key(key), seed).1)
    };
    let before: Vec<_> = (1..=200).map(|key| place(&mut world, key, key)).collect();
    let again: Vec<_> = (1..=200)
        .map(|key| place(&mut world, key, 999 - key))
        .collect();
    assert_eq!(before, again);
    world.script("b", [bad(llm_errors::ErrorKind::QuotaExhausted)]);
    world.call_with(
        Request::new().key(1 + before.iter().position(|b| *b == 1).unwrap() as u64),
        1,
    );
    for (key, was) in (1..).zip(&before) {
        let now = place(&mut world, key, 7);
        assert!(if *was == 1 { now != 1 } else { now == *was });
    }
}

#[test]
fn limits_are_kept_here_before_the_provider_refuses() {
    let mut limits = Limits::default();
    limits.rpm = Some(60);
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("limited", "one").limits(limits))
            .target(Target::new("backup", "two"))
            .route(Route::new("r").tier(["limited"]).tier(["backup"]))
            .build(now)
            .unwrap()
    });
    // Three times the limit for two minutes.
    let done = world.traffic(360, ms(333), |n| (Request::new(), n));
    assert!(done.iter().all(|done| done.end == End::Answered));
    let limited = world.calls_to("limited");
    assert!(
        (110..=132).contains(&limited),
        "{limited} calls in two minutes"
    );
    // Nobody waits longer than the route's patience for the limited one.
    assert!(done.iter().all(|done| done.took <= ms(2_200)));
}

#[test]
fn a_lone_limited_target_makes_callers_wait_inside_their_deadline() {
    let mut limits = Limits::default();
    limits.rpm = Some(60);
    limits.burst = secs(1);
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("only", "one").limits(limits))
            .route(Route::new("r").tier(["only"]))
            .build(now)
            .unwrap()
    });
    let done = world.traffic(20, ms(10), |n| (Request::new(), n));
    let answered = done.iter().filter(|done| done.end == End::Answered).count();
    assert_eq!(answered, 20, "one a second fits a deadline of 30 s");
}

#[test]
fn who_is_ready_has_its_share_though_it_is_near_a_limit() {
    // By the dearest of its tokens it could not be sent to at all; this request has none of those.
    let mut near = Limits::default();
    (near.input_tpm, near.output_tpm) = (Some(60), Some(60_000_000_000));
    let request = Request::new().expected(Cost {
        input_tokens: 0,
        output_tokens: 1_000,
    });
    for strategy in [
        Strategy::Weighted,
        Strategy::PowerOfTwo,
        Strategy::LeastInFlight,
    ] {
        let mut policy = Policy::default();
        policy.strategy = strategy;
        let world = World::new(|now| {
            let mut builder = Table::builder();
            for name in ["a", "b", "c", "d"] {
                let target = Target::new(name, name);
                builder = builder.target(match name {
                    "a" | "b" => target.limits(near),
                    _ => target,
                });
            }
            let tiers = Route::new("r").tier(["a", "b", "c", "d"]);
            builder.route(tiers.policy(policy)).build(now).unwrap()
        });
        let table = &world.table;
        let route = table.route("r").unwrap();
        let mut rng = SmallRng::seed_from_u64(3);
        let mut chosen = [0u32; 4];
        for _ in 0..8_000 {
            let target = table.decide(route, &request, world.now, &mut rng).unwrap();
            chosen[target.index()] += 1;
        }
        assert!(
            chosen.iter().all(|count| count.abs_diff(2_000) < 200),
            "{strategy}: {chosen:?}"
        );
    }
}

/// Two targets of one tier, three calls to one.
fn three_to_one() -> World {
    World::new(|now| {
        let tier = [Member::new("a").weight(3), Member::new("b").weight(1)];
        Table::builder()
            .target(Target::new("a", "a"))
            .target(Target::new("b", "b"))
            .route(Route::new("r").tier(tier))
            .build(now)
            .unwrap()
    })
}

#[test]
fn by_weight_each_has_exactly_its_share() {
    let mut world = three_to_one();
    for round in 1..=10 {
        for seed in 0..4 {
            world.call_with(Request::new(), round * 100 + seed);
        }
        let calls = [world.calls_to("a"), world.calls_to("b")];
        assert_eq!(
            calls,
            [3, 1].map(|share| share * usize::try_from(round).unwrap())
        );
    }
}

#[test]
fn who_can_use_only_one_takes_nobodys_turn() {
    let mut world = three_to_one();
    let route = world.table.route("r").unwrap();
    let mut only = llm_router::Filter::default();
    only.only.push("b".into());
    let only = Request::new().allowed(world.table.allow(route, &only).unwrap());
    let mut free = 0;
    for seed in 0..80 {
        let request = if seed % 2 == 0 { only } else { Request::new() };
        let (_, trace) = world.call_with(request, seed);
        free += usize::from(first_target(&trace) == 0);
    }
    // Of the others those who can go to both: at least their share.
    assert!((30..=40).contains(&free), "{free} of 40");
}

#[test]
fn first_calls_keep_their_shares_while_those_to_one_fail() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("a", "a"))
            .target(Target::new("b", "b"))
            .route(Route::new("r").tier(["a", "b"]))
            .build(now)
            .unwrap()
    });
    let broken = world.table.targets().next().unwrap();
    world.table.gate(broken).force(llm_breaker::Mode::Observe);
    world.script("a", [bad(llm_errors::ErrorKind::ServerError)]);
    let done = world.traffic(400, ms(200), |n| (Request::new(), n));
    let first = done
        .iter()
        .filter(|done| first_target(&done.trace) == 0)
        .count();
    assert!((150..=250).contains(&first), "{first} of 400");
}
