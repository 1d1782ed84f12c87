//! Streams whose first token comes as ever, and whose answers then flow slowly.

use crate::beside::two;
use crate::world::*;
use llm_breaker::{State, TripReason};
use llm_router::{Action, Event, Plan, Policy, Request, TargetId, Tokens};
use std::sync::Arc;
use std::time::Duration;

/// One stream: begun after 200 ms, and each of its hundred tokens as long after the other as `pace` says. Who answered.
fn stream(world: &World, seed: u64, pace: impl Fn(TargetId) -> Duration) -> TargetId {
    let route = world.table.route("r").unwrap();
    let request = Request::new().streamed();
    let mut plan = Plan::new(Arc::clone(&world.table), route, request, world.now, seed);
    let Action::Send {
        attempt, target, ..
    } = plan.poll(world.now)
    else {
        panic!("nothing is sent");
    };
    let first = world.now + ms(200);
    plan.on(Event::FirstToken(attempt), first);
    assert_eq!(plan.poll(first), Action::Accept(attempt));
    let per_token = pace(target);
    let end = first + per_token * 100;
    plan.flowed(attempt, per_token, end);
    let tokens = Tokens {
        input: 10,
        output: 100,
    };
    plan.on(Event::Succeeded(attempt, tokens), end);
    target
}

/// Streams of a warm primary, then others of which it takes `slower` as long for each token: after which time it is left.
fn left_after(
    world: &mut World,
    slower: u32,
    backup: impl Fn(u64) -> Duration,
) -> Option<Duration> {
    let primary = world.table.targets().next().unwrap();
    let usual = |nth: u64| ms(18 + nth * 7 % 5);
    for nth in 0..400 {
        world.now += ms(50);
        stream(world, nth, |_| usual(nth));
    }
    let began = world.now;
    for nth in 400..1_600 {
        world.now += ms(50);
        let answered = stream(world, nth, |target| match target == primary {
            true => usual(nth) * slower,
            false => backup(nth),
        });
        if answered != primary {
            return Some(world.now - began);
        }
    }
    None
}

#[test]
fn a_target_whose_tokens_come_four_times_slower_is_left_within_seconds() {
    let mut world = two(Policy::default());
    let left = left_after(&mut world, 4, |_| ms(20));
    assert!(left.is_some_and(|left| left <= secs(8)), "{left:?}");
    let primary = world.table.targets().next().unwrap();
    let seen = world.table.gate(primary).snapshot(world.now);
    assert_eq!(
        (seen.state, seen.reason),
        (State::Open, TripReason::Latency)
    );
}

#[test]
fn tokens_as_slow_as_ever_are_no_reason() {
    let mut world = two(Policy::default());
    assert_eq!(left_after(&mut world, 1, |_| ms(1)), None);
}

#[test]
fn nobody_is_left_for_one_that_is_known_to_be_no_faster() {
    let mut world = two(Policy::default());
    let backup = world.table.targets().nth(1).unwrap();
    for nth in 0..100 {
        world
            .table
            .gate(backup)
            .per_token()
            .observe(ms(100 * (70 + nth % 9)));
    }
    assert_eq!(left_after(&mut world, 4, |_| ms(70)), None);
}

#[test]
fn the_only_one_is_not_left() {
    let mut world = two(Policy::default());
    let backup = world.table.targets().nth(1).unwrap();
    world
        .table
        .gate(backup)
        .force(llm_breaker::Mode::ForcedOpen);
    assert_eq!(left_after(&mut world, 10, |_| ms(20)), None);
}
