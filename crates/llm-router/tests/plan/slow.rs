//! Targets that grow slow without an error, at any rate of calls, and those that only seem to.

use crate::beside::two;
use crate::world::*;
use llm_breaker::State;
use llm_router::{Policy, Request, Why};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A healthy time, with some spread.
fn usual(call: u64) -> Duration {
    ms(200 + call * 37 % 100)
}

#[test]
fn a_target_ten_times_slower_without_an_error_is_left_within_five_seconds() {
    let mut world = two(Policy::default());
    world.script("primary", (0..200).map(|call| Reply::Good(usual(call))));
    world.traffic(200, ms(50), |n| (Request::new(), n));
    world.script("primary", [Reply::Good(ms(1_900))]);
    world.leaves_the_first(secs(5), 400, Request::new());
}

#[test]
fn a_target_that_was_well_for_an_hour_is_left_as_soon_although_it_had_late_calls_all_along() {
    let mut rng = SmallRng::seed_from_u64(5);
    let mut world = two(Policy::default());
    let warm = 72_000;
    let times: Vec<_> = (0..warm)
        .map(|_| heavy(&mut rng, ms(400), (0.4, 0.02)))
        .collect();
    world.script("primary", times.into_iter().map(Reply::Good));
    world.script("backup", [Reply::Good(ms(500))]);
    let request = Request::new().streamed();
    let tried = world.traffic(warm, ms(50), |n| (request, n));
    let tried = tried.iter().filter(|done| done.trace.hops.len() > 1);
    assert!(tried.count() <= 720);
    world.script("primary", [Reply::Good(secs(4))]);
    world.leaves_the_first(secs(5), 400, request);
}

/// One call after the other with this pause between them, until the primary is left: when it was last called, and what callers
/// waited.
fn left_after(world: &mut World, pause: Duration) -> (Duration, Vec<Duration>) {
    let primary = world.table.targets().next().unwrap();
    let began = world.now;
    let mut waits = Vec::new();
    let mut last = began;
    for n in 0..60 {
        let sent = world.now;
        let (end, trace) = world.call_with(Request::new().streamed(), 1_000 + n);
        assert_eq!(end, End::Answered);
        waits.push(world.now - sent);
        if trace.hops[0].target != primary {
            return (last - began, waits);
        }
        last = sent;
        world.now += pause;
    }
    panic!("never left: {waits:?}");
}

#[test]
fn a_caller_who_asks_one_thing_after_the_other_is_moved_to_the_faster_one_within_five_seconds() {
    // From, to, and the pause between calls.
    let cases = [
        (ms(5), ms(500), ms(0)),
        (ms(5), ms(500), ms(500)),
        (ms(5), ms(1_500), ms(0)),
        (ms(5), ms(1_500), ms(1_000)),
        (ms(40), ms(400), ms(250)),
        (ms(200), ms(2_000), ms(500)),
        (ms(300), ms(6_000), ms(100)),
    ];
    for (before, after, pause) in cases {
        let mut world = two(Policy::default());
        let times = (0..130).map(|call| before + before * (call * 37 % 100) / 100);
        world.script("primary", times.map(Reply::Good));
        world.script("backup", [Reply::Good(before * 2)]);
        for n in 0..130 {
            world.call_with(Request::new().streamed(), n);
            world.now += pause;
        }
        world.script("primary", [Reply::Good(after)]);
        world.calls.clear();
        let (left, waits) = left_after(&mut world, pause);
        let case = format!("{before:?} to {after:?}, {pause:?} between calls");
        assert!(left <= secs(5), "{case}: {left:?}");
        assert!(
            waits.iter().all(|wait| *wait <= ms(2_000)),
            "{case}: {waits:?}"
        );
        // From the second on another one is asked in time, for as long as it takes to leave the first.
        assert!(
            waits
                .iter()
                .skip(1)
                .all(|wait| *wait <= ms(1_200).max(before * 5)),
            "{case}: {waits:?}"
        );
        assert!(world.calls_to("backup") <= 12, "{case}: {:?}", world.calls);
        // An answer as slow as those it was left for would bring it back in vain.
        let route = world.table.route("r").unwrap();
        let request = Request::new().streamed();
        let shadow = world.table.shadow(route, &request, world.now + secs(6));
        let window = shadow.unwrap().windows().first_token;
        assert!(window < after / 2, "{case}: {window:?}");
    }
}

/// Lognormal times with this median, sigma and share of calls that take eight times as long.
fn heavy(rng: &mut SmallRng, median: Duration, (sigma, stragglers): (f64, f64)) -> Duration {
    let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let straggle = if rng.random::<f64>() < stragglers {
        8.0
    } else {
        1.0
    };
    median.mul_f64((sigma * normal).exp() * straggle)
}

#[test]
fn a_healthy_target_with_a_heavy_tail_is_never_left_and_seldom_tried() {
    for shape in [(0.4, 0.02), (0.6, 0.03), (0.35, 0.1), (1.1, 0.0)] {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut world = two(Policy::default());
        let times: Vec<_> = (0..5_000)
            .map(|_| heavy(&mut rng, ms(400), shape))
            .collect();
        world.script("primary", times.into_iter().map(Reply::Good));
        world.script("backup", [Reply::Good(ms(500))]);
        let mut tried = 0;
        for n in 0..5_000 {
            let (end, trace) = world.call_with(Request::new().streamed(), n);
            assert_eq!(end, End::Answered);
            assert!(
                trace.changes.is_empty(),
                "{shape:?}: {:?} at {n}",
                trace.changes
            );
            tried += usize::from(trace.hops.iter().any(|hop| hop.why == Why::Trial));
        }
        assert!(tried <= 50, "{shape:?}: {tried} trials in 5 000 calls");
    }
}

#[test]
fn callers_who_leave_at_the_first_token_do_not_make_a_healthy_target_hang() {
    let mut rng = SmallRng::seed_from_u64(11);
    let mut world = two(Policy::default());
    let count = 20_000;
    let times: Vec<_> = (0..count)
        .map(|_| heavy(&mut rng, ms(400), (0.35, 0.1)))
        .collect();
    world.script("primary", times.into_iter().map(Reply::Left));
    world.script("backup", [Reply::Left(ms(500))]);
    // No two in an eighth of a second: each is alone in its slot of time.
    for done in world.traffic(count, ms(150), |n| (Request::new().streamed(), n)) {
        assert_eq!(done.end, End::Answered);
        assert!(done.trace.changes.is_empty(), "{:?}", done.trace.changes);
    }
}

#[test]
fn where_both_are_as_slow_neither_is_left() {
    let mut rng = SmallRng::seed_from_u64(3);
    let mut world = two(Policy::default());
    let mut times = |count: u64, median| -> Vec<Reply> {
        let time = |_| Reply::Good(heavy(&mut rng, median, (0.4, 0.02)));
        (0..count).map(time).collect()
    };
    let (before, after) = (times(300, ms(400)), times(3_000, ms(1_600)));
    let backup = times(3_000, ms(1_600));
    world.script("primary", before);
    world.traffic(300, ms(50), |n| (Request::new().streamed(), n));
    world.script("primary", after);
    world.script("backup", backup);
    let primary = world.table.targets().next().unwrap();
    for done in world.traffic(2_000, ms(50), |n| (Request::new().streamed(), 1_000 + n)) {
        assert_eq!(done.end, End::Answered);
        assert!(done.trace.changes.is_empty(), "{:?}", done.trace.changes);
    }
    assert_eq!(
        world.table.gate(primary).snapshot(world.now).state,
        State::Closed
    );
}
