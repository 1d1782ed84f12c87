//! Targets with more to do than they can, and nobody else to ask.

use crate::world::*;
use llm_breaker::State;
use llm_errors::ErrorKind as K;
use llm_router::{Refusal, Request, Route, Table, Target, WaitSource};

fn lone() -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("only", "one"))
            .route(Route::new("r").tier(["only"]))
            .build(now)
            .unwrap()
    })
}

/// Healthy streams, 20 a second.
fn warm(world: &mut World) {
    let usual = |call: u64| Reply::Good(ms(200 + call * 37 % 100));
    world.script("only", (0..200).map(usual));
    world.traffic(200, ms(50), |n| (Request::new().streamed(), n));
    world.calls.clear();
}

#[test]
fn a_lone_target_that_grows_slow_is_waited_for_and_never_worse_than_without_protection() {
    let mut world = lone();
    warm(&mut world);
    // Slower step by step, past the window that a stream has to its first token.
    world.script(
        "only",
        (0..240).map(|call| Reply::Good(ms(1_000 + call * 50))),
    );
    let done = world.traffic(240, ms(50), |n| (Request::new().streamed(), 1_000 + n));
    let answered = done.iter().filter(|done| done.end == End::Answered).count();
    assert_eq!(answered, 240);
    assert_eq!(world.calls.len(), 240, "and no call is made twice");
    let only = world.table.targets().next().unwrap();
    assert_eq!(
        world.table.gate(only).snapshot(world.now).state,
        State::Closed
    );
}

#[test]
fn a_lone_target_that_nothing_is_known_of_is_waited_for() {
    let mut world = lone();
    world.script("only", [Reply::Good(secs(14))]);
    let (end, trace) = world.call_with(Request::new().streamed(), 1);
    assert_eq!((end, trace.hops.len()), (End::Answered, 1));
}

#[test]
fn a_call_of_a_usually_quick_lone_target_is_still_cut_and_tried_again() {
    let mut world = lone();
    warm(&mut world);
    world.script("only", [Reply::Hang, Reply::Good(ms(300))]);
    let (end, trace) = world.call_with(Request::new().streamed(), 7);
    assert_eq!((end, trace.hops.len()), (End::Answered, 2));
}

#[test]
fn what_would_come_too_late_is_not_sent_and_room_is_waited_for_only_a_moment() {
    let mut world = lone();
    warm(&mut world);
    // It answers one call in half a second, each after 29 s in its queue: twenty times what it can do.
    world.script(
        "only",
        (0..100).map(|call| Reply::Good(ms(2_000 + call * 450))),
    );
    let done = world.traffic(600, ms(50), |n| (Request::new().streamed(), 5_000 + n));
    let shed: Vec<_> = done
        .iter()
        .filter(|done| matches!(done.end, End::Degraded(cause) if cause.kind == K::Overloaded))
        .filter(|done| done.trace.refused.first().map(|r| r.reason) == Some(Refusal::Full))
        .collect();
    assert!(shed.len() > 20, "{}", shed.len());
    let waited = done
        .iter()
        .filter_map(|done| done.trace.hops.first()?.waited);
    let for_room = waited.filter(|(_, source)| *source == WaitSource::Room);
    assert!(for_room.count() > 0, "and who waited in the end says so");
    for done in shed {
        assert!(done.trace.hops.is_empty());
        assert!(done.took <= ms(7_501), "{:?}", done.took);
    }
}

#[test]
fn a_lone_target_that_answers_some_too_late_is_not_left() {
    let mut world = lone();
    warm(&mut world);
    // Slower step by step, until only one in three is answered before its caller leaves.
    let replies = (0..1_200).map(|call: u64| match call {
        400.. if !call.is_multiple_of(3) => Reply::Hang,
        _ => Reply::Good(ms(1_000 + (call * 60).min(24_000))),
    });
    world.script("only", replies.chain([Reply::Good(secs(25))]));
    let done = world.traffic(1_200, ms(100), |n| (Request::new().streamed(), 5_000 + n));
    // Until the first who waited in vain have been gone for a while.
    let came_meanwhile = |done: &&Done| done.sent_at + done.took < world.start + secs(105);
    let (mut in_vain, mut answered) = (0, 0);
    for done in done.iter().filter(came_meanwhile) {
        assert!(done.trace.changes.is_empty(), "{:?}", done.trace);
        in_vain += usize::from(done.end != End::Answered && !done.trace.hops.is_empty());
        answered += usize::from(done.end == End::Answered);
    }
    assert!(in_vain > 10 && answered > 200, "{in_vain}, {answered}");
}

#[test]
fn a_lone_target_that_answers_nobody_is_left() {
    let mut world = lone();
    warm(&mut world);
    world.script("only", [Reply::Hang]);
    world.traffic(600, ms(100), |n| (Request::new().streamed(), 9_000 + n));
    let only = world.table.targets().next().unwrap();
    assert_eq!(
        world.table.gate(only).snapshot(world.now).state,
        State::Open
    );
}
