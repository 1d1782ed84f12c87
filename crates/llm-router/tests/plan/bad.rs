//! Answers that are no good: on whom they count, and what they end.

use crate::world::*;
use llm_breaker::{State, TripReason};
use llm_errors::{ErrorKind as K, Phase, Verdict};
use llm_router::{
    Action, BadAnswer, CanaryState, Event, Plan, Request, Route, StopReason, Table, Target, Tokens,
};
use std::sync::Arc;

fn no_json() -> BadAnswer {
    BadAnswer {
        verdict: Verdict::new(K::StructuredOutputInvalid, Phase::FirstByte),
        finding: "invalid_json",
        tokens: Tokens::default(),
    }
}

/// One streamed request whose first answer is good to its end or found bad there; to whom it went.
fn streamed(world: &World, seed: u64, good: impl Fn(&str) -> bool) -> String {
    let route = world.table.route("r").unwrap();
    let table = Arc::clone(&world.table);
    let mut plan = Plan::new(table, route, Request::new().streamed(), world.now, seed);
    let Action::Send {
        attempt, target, ..
    } = plan.poll(world.now)
    else {
        panic!("nobody is asked");
    };
    let name = world.table.target_name(target).to_owned();
    let at = world.now + ms(100);
    plan.on(Event::FirstToken(attempt), at);
    assert_eq!(plan.poll(at), Action::Accept(attempt));
    let event = if good(&name) {
        Event::Succeeded(attempt, Tokens::default())
    } else {
        Event::Bad(attempt, no_json())
    };
    plan.on(event, at + ms(100));
    name
}

#[test]
fn a_canary_whose_streams_end_in_bad_answers_is_stopped_for_its_quality() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("stable", "one"))
            .target(Target::new("new", "two"))
            .route(Route::new("r").tier(["stable"]).canary("new", &[]))
            .build(now)
            .unwrap()
    });
    let route = world.table.route("r").unwrap();
    let state = |world: &World| world.table.canary(route).unwrap().1;
    let mut to_new = 0;
    for seed in 0..20_000u64 {
        world.now += ms(20);
        // Three in ten.
        let to = streamed(&world, seed, |name| name != "new" || seed * 7 % 10 >= 3);
        to_new += u32::from(to == "new");
        if state(&world) != CanaryState::Running(5) {
            break;
        }
    }
    assert_eq!(state(&world), CanaryState::Stopped(StopReason::Quality));
    assert!(to_new < 200, "{to_new} calls");
}

#[test]
fn the_last_target_that_works_is_not_left_for_answers_that_are_often_bad() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("primary", "one"))
            .target(Target::new("backup", "two"))
            .route(Route::new("r").tier(["primary"]).tier(["backup"]))
            .build(now)
            .unwrap()
    });
    let [primary, backup] = [0, 1].map(|place| world.table.targets().nth(place).unwrap());
    world
        .table
        .gate(primary)
        .force(llm_breaker::Mode::ForcedOpen);
    for seed in 0..400 {
        world.now += ms(50);
        streamed(&world, seed, |_| true);
    }
    world.table.gate(primary).force(llm_breaker::Mode::Enforce);
    world
        .table
        .gate(primary)
        .trip(world.now, TripReason::Streak);
    for seed in 0..200u64 {
        world.now += ms(50);
        streamed(&world, seed, |_| seed % 3 != 0);
        let seen = world.table.gate(backup).snapshot(world.now);
        assert_eq!(seen.state, State::Closed, "{seed}: {}", seen.reason);
    }
}

#[test]
fn two_bad_answers_beside_another_call_end_the_search_when_that_one_fails() {
    let mut world = World::new(|now| {
        let names = ["a", "b", "c", "d"];
        let table = names.iter().fold(Table::builder(), |table, name| {
            table.target(Target::new(*name, *name))
        });
        let route = names
            .iter()
            .fold(Route::new("r"), |route, name| route.tier([*name]));
        table.route(route).build(now).unwrap()
    });
    let first = world.table.targets().next().unwrap();
    // What is known of the second tells when it is late.
    world.table.gate(first).force(llm_breaker::Mode::ForcedOpen);
    for seed in 0..400 {
        world.now += ms(50);
        world.call_with(Request::new(), seed);
    }
    world.table.gate(first).force(llm_breaker::Mode::Enforce);
    let route = world.table.route("r").unwrap();
    let start = world.now;
    let mut plan = Plan::new(Arc::clone(&world.table), route, Request::new(), start, 9);
    let mut now = start;
    let next = |plan: &mut Plan, now: &mut std::time::Instant| loop {
        match plan.poll(*now) {
            Action::Send { attempt, .. } => return attempt,
            Action::WaitUntil(until) => *now = until,
            other => panic!("{other:?}"),
        }
        assert!(*now < start + secs(20), "nobody is asked");
    };
    let first = next(&mut plan, &mut now);
    plan.on(Event::Bad(first, no_json()), now);
    let second = next(&mut plan, &mut now);
    // It is silent for so long that another one is asked beside it.
    let third = next(&mut plan, &mut now);
    plan.on(Event::Bad(third, no_json()), now);
    let down = Verdict::new(K::ServerError, Phase::FirstByte);
    plan.on(Event::Failed(second, down), now);
    let action = plan.poll(now);
    assert!(matches!(action, Action::Degrade(_)), "{action:?}");
}
