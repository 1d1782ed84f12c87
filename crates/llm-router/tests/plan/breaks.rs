//! Streams that begin and break: each is one result, and belongs to the life of the breaker it began in.

use crate::beside::two;
use crate::world::*;
use llm_breaker::{State, TripReason};
use llm_errors::{ErrorKind, Phase, Verdict, stream_cut};
use llm_router::{Action, AttemptId, Event, Plan, Policy, Request, Tokens};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A stream under way: its plan and its attempt, when it ends, and whether well.
struct Flowing {
    plan: Plan,
    attempt: AttemptId,
    ends_at: Instant,
    well: bool,
}

fn plan(world: &World, seed: u64) -> Plan {
    let route = world.table.route("r").unwrap();
    let request = Request::new().streamed();
    Plan::new(Arc::clone(&world.table), route, request, world.now, seed)
}

/// Begins a stream; `None` where it was not the first target that was asked.
fn begin(world: &World, seed: u64, length: Duration, well: bool) -> Option<Flowing> {
    let mut plan = plan(world, seed);
    let Action::Send {
        attempt, target, ..
    } = plan.poll(world.now)
    else {
        panic!("nothing is sent");
    };
    plan.on(Event::FirstToken(attempt), world.now);
    assert_eq!(plan.poll(world.now), Action::Accept(attempt));
    let is_first = world.table.targets().next() == Some(target);
    is_first.then_some(Flowing {
        plan,
        attempt,
        ends_at: world.now + length,
        well,
    })
}

impl Flowing {
    fn end(mut self) {
        let event = if self.well {
            Event::Succeeded(self.attempt, Tokens::default())
        } else {
            Event::Failed(self.attempt, stream_cut(Phase::MidStream))
        };
        self.plan.on(event, self.ends_at);
    }
}

fn end_due(flowing: &mut Vec<Flowing>, now: Instant) {
    while flowing.first().is_some_and(|stream| stream.ends_at <= now) {
        flowing.remove(0).end();
    }
}

/// Streams at a steady rate, each of which is good or bad by itself; when the first target is left, if it is within `most`.
fn left_after(
    rate: f64,
    seed: u64,
    most: Duration,
    mut stream: impl FnMut(&mut SmallRng) -> (Duration, bool),
) -> Option<Duration> {
    let mut world = two(Policy::default());
    let primary = world.table.targets().next().unwrap();
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut flowing = Vec::new();
    let mut nth = 0;
    while world.now - world.start < most {
        end_due(&mut flowing, world.now);
        if world.table.gate(primary).snapshot(world.now).state == State::Open {
            return Some(world.now - world.start);
        }
        let (length, well) = stream(&mut rng);
        if let Some(stream) = begin(&world, nth, length, well) {
            let place = flowing.partition_point(|known: &Flowing| known.ends_at <= stream.ends_at);
            flowing.insert(place, stream);
        }
        nth += 1;
        world.now += Duration::from_secs_f64(1.0 / rate);
    }
    None
}

/// The least, the median and the most of five.
fn of_five(left: impl Fn(u64) -> Option<Duration>) -> [Option<Duration>; 3] {
    let mut all: Vec<_> = (0..5).map(left).collect();
    all.sort_by_key(|left| left.unwrap_or(Duration::MAX));
    [all[0], all[2], all[4]]
}

fn breaking(rate: f64, share: f64) -> [Option<Duration>; 3] {
    of_five(|seed| {
        left_after(rate, seed, secs(300), |rng| {
            let is_bad = rng.random::<f64>() < share;
            (ms(rng.random_range(2_000..10_000)), !is_bad)
        })
    })
}

#[test]
fn a_target_all_of_whose_streams_break_is_left_like_one_that_fails_at_once() {
    for (rate, within) in [(0.5, 20), (2.0, 12), (20.0, 10)] {
        let [_, _, most] = breaking(rate, 1.0);
        assert!(most.unwrap() <= secs(within), "{rate}: {most:?}");
    }
}

#[test]
fn half_of_all_streams_broken_are_half_of_all_results() {
    for (rate, share, within) in [
        (2.0, 0.8, 30),
        (20.0, 0.8, 30),
        (2.0, 0.6, 60),
        (20.0, 0.6, 60),
        (20.0, 0.5, 300),
    ] {
        let [_, median, _] = breaking(rate, share);
        assert!(
            median.unwrap() <= secs(within),
            "{share} at {rate}: {median:?}"
        );
    }
}

#[test]
fn few_broken_streams_among_long_ones_do_not_open_a_target_that_nobody_has_called_yet() {
    for rate in [2.0, 20.0] {
        for share in [0.02, 0.05] {
            for at_once in [false, true] {
                let [least, ..] = of_five(|seed| {
                    left_after(rate, seed, secs(60), |rng| {
                        let is_bad = rng.random::<f64>() < share;
                        let broken = if at_once { 0 } else { 5_000 };
                        let length = if is_bad { ms(broken) } else { secs(120) };
                        (length, !is_bad)
                    })
                });
                assert_eq!(least, None, "{share} at {rate}");
            }
        }
    }
}

#[test]
fn the_rate_of_errors_counts_a_broken_stream_once() {
    let mut world = two(Policy::default());
    let primary = world.table.targets().next().unwrap();
    for nth in 0..20 {
        let stream = begin(&world, nth, ms(100), nth % 2 == 0).unwrap();
        world.now += ms(100);
        if nth == 19 {
            let seen = world.table.gate(primary).snapshot(world.now);
            // Nineteen are over, and the last has begun.
            assert_eq!((seen.good, seen.hard, seen.state), (11, 9, State::Closed));
        }
        stream.end();
    }
    let seen = world.table.gate(primary).snapshot(world.now);
    assert_eq!((seen.good, seen.hard), (10, 10));
    assert_eq!(seen.error_rate, 0.5);
    assert_eq!((seen.state, seen.reason), (State::Open, TripReason::Ratio));
}

#[test]
fn a_stream_from_before_the_opening_that_breaks_late_is_nobodys_probe() {
    let mut world = two(Policy::default());
    let gate = |world: &World| {
        world
            .table
            .gate(world.table.targets().next().unwrap())
            .snapshot(world.now)
    };
    let old = begin(&world, 0, secs(65), false).unwrap();
    for nth in 1..=5 {
        begin(&world, nth, ms(1), false).unwrap().end();
    }
    let opened = gate(&world);
    assert_eq!(opened.state, State::Open);
    world.now += secs(65);
    old.end();
    // The cooldown is over, and nobody has been the probe.
    let seen = gate(&world);
    assert_eq!(
        (seen.retry_at, seen.repeats),
        (opened.retry_at, opened.repeats)
    );
    assert_eq!(seen.late, 1);
    // In the ramp that follows it is as late.
    let old = begin(&world, 6, secs(65), false);
    assert!(old.is_some(), "the probe");
    assert_eq!(gate(&world).state, State::HalfOpen);
}

#[test]
fn a_probe_whose_stream_breaks_counts_in_the_ramp_it_began() {
    let mut world = two(Policy::default());
    let primary = world.table.targets().next().unwrap();
    world
        .table
        .gate(primary)
        .trip(world.now, TripReason::Streak);
    world.now += secs(60);
    let probe = begin(&world, 0, secs(3), false).unwrap();
    let state = |world: &World| world.table.gate(primary).snapshot(world.now);
    // At its first token the gate lets a share of calls pass, however long it flows.
    assert_eq!(state(&world).state, State::HalfOpen);
    assert_eq!(state(&world).share, 0.1);
    world.now += secs(3);
    probe.end();
    assert_eq!((state(&world).good, state(&world).hard), (0, 1));
}

#[test]
fn a_call_that_fails_at_once_ends_no_row_of_broken_streams() {
    let mut world = two(Policy::default());
    let primary = world.table.targets().next().unwrap();
    let refused = Verdict::new(ErrorKind::ServerError, Phase::FirstByte);
    for nth in 0..5 {
        assert_ne!(
            world.table.gate(primary).snapshot(world.now).state,
            State::Open
        );
        begin(&world, nth, ms(1), false).unwrap().end();
        let mut plan = plan(&world, 100 + nth);
        if let Action::Send {
            attempt, target, ..
        } = plan.poll(world.now)
            && target == primary
        {
            plan.on(Event::Failed(attempt, refused), world.now);
        }
        world.now += ms(10);
    }
    assert_eq!(
        world.table.gate(primary).snapshot(world.now).state,
        State::Open
    );
}
