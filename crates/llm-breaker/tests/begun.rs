//! Calls whose beginning is told before their end.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;
use llm_breaker::{Breaker, BreakerConfig, Change, Outcome, Readiness, State, Ticket, TripReason};
use std::sync::Arc;

fn breaker(clock: &Clock) -> Breaker {
    Breaker::new(BreakerConfig::default(), clock.origin)
}

fn begun(breaker: &Breaker, clock: &Clock) -> Ticket {
    let mut ticket = breaker.acquire_anyway(clock.now);
    breaker.begin(&mut ticket, clock.now);
    ticket
}

/// A ramp whose target was left for broken streams, and whose probe has begun to answer; the probe.
fn doubted(breaker: &Breaker, clock: &mut Clock) -> Ticket {
    for _ in 0..5 {
        let ticket = begun(breaker, clock);
        breaker.settle(ticket, Outcome::Hard, clock.now);
    }
    assert_eq!(breaker.snapshot(clock.now).state, State::Open);
    clock.pass(60.0);
    let mut probe = breaker.acquire(clock.now).unwrap();
    let change = breaker.begin(&mut probe, clock.now);
    assert_eq!(change, Some(Change::Ramping));
    probe
}

#[test]
fn five_broken_streams_in_a_row_open_it() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    for nth in 1..=5 {
        let ticket = begun(&breaker, &clock);
        let change = breaker.settle(ticket, Outcome::Hard, clock.now);
        let reason = TripReason::Streak;
        let opened = (nth == 5).then_some(Change::Opened { reason });
        assert_eq!(change, opened);
    }
}

#[test]
fn a_good_end_ends_their_row_and_a_beginning_that_of_calls_that_fail_at_once() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..60 {
        let ticket = breaker.acquire(clock.now).unwrap();
        breaker.settle(ticket, Outcome::Success, clock.now);
    }
    for _ in 0..3 {
        for _ in 0..4 {
            let ticket = begun(&breaker, &clock);
            assert_eq!(breaker.settle(ticket, Outcome::Hard, clock.now), None);
        }
        let ticket = begun(&breaker, &clock);
        breaker.settle(ticket, Outcome::Success, clock.now);
        for _ in 0..10 {
            drop(begun(&breaker, &clock));
        }
        for _ in 0..4 {
            let ticket = breaker.acquire(clock.now).unwrap();
            assert_eq!(breaker.settle(ticket, Outcome::Hard, clock.now), None);
        }
        drop(begun(&breaker, &clock));
    }
}

#[test]
fn a_good_end_of_an_old_stream_ends_no_row_of_calls_that_fail_at_once() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    let old: Vec<_> = (0..5).map(|_| begun(&breaker, &clock)).collect();
    for (nth, old) in (1..).zip(old) {
        let ticket = breaker.acquire(clock.now).unwrap();
        let change = breaker.settle(ticket, Outcome::Hard, clock.now);
        assert_eq!(change.is_some(), nth == 5);
        breaker.settle(old, Outcome::Success, clock.now);
    }
}

#[test]
fn the_first_few_to_end_among_many_are_no_row() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    let mut streams: Vec<_> = (0..100).map(|_| begun(&breaker, &clock)).collect();
    for ticket in streams.drain(..33) {
        assert_eq!(breaker.settle(ticket, Outcome::Hard, clock.now), None);
    }
    // A third of all that began.
    let change = breaker.settle(streams.remove(0), Outcome::Hard, clock.now);
    assert!(matches!(change, Some(Change::Opened { .. })));
}

#[test]
fn a_stream_is_one_result() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    let counts = |clock: &Clock| {
        let seen = breaker.snapshot(clock.now);
        (seen.good, seen.soft, seen.hard)
    };
    let mut ticket = breaker.acquire(clock.now).unwrap();
    for _ in 0..2 {
        breaker.begin(&mut ticket, clock.now);
        assert_eq!(counts(&clock), (1, 0, 0));
    }
    breaker.settle(ticket, Outcome::Success, clock.now);
    assert_eq!(counts(&clock), (1, 0, 0));
    let ticket = begun(&breaker, &clock);
    breaker.settle(ticket, Outcome::Hard, clock.now);
    let ticket = begun(&breaker, &clock);
    breaker.settle(ticket, Outcome::BadAnswer, clock.now);
    let ticket = begun(&breaker, &clock);
    breaker.settle_spared(ticket, clock.now);
    assert_eq!(counts(&clock), (1, 2, 1));
    assert_eq!(breaker.snapshot(clock.now).error_rate, 0.75);
    // Where its beginning is long past, its end counts all the same.
    let ticket = begun(&breaker, &clock);
    clock.pass(40.0);
    breaker.settle(ticket, Outcome::Hard, clock.now);
    assert_eq!(counts(&clock), (0, 0, 1));
    // Nothing of its end is known.
    let shared = Arc::new(Breaker::new(BreakerConfig::default(), clock.origin));
    let mut permit = shared.permit_owned(clock.now).unwrap();
    permit.begin(clock.now);
    drop(permit);
    assert_eq!(shared.snapshot(clock.now).good, 1);
}

#[test]
fn an_end_counts_in_the_life_it_was_admitted_in() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    let [mut late, old] = [(); 2].map(|()| breaker.acquire(clock.now).unwrap());
    let mut old = old;
    breaker.begin(&mut old, clock.now);
    breaker.trip(clock.now, TripReason::Hang);
    clock.pass(60.0);
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    breaker.settle(old, Outcome::Hard, clock.now);
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    // One that begins too late is late once.
    assert_eq!(breaker.begin(&mut late, clock.now), None);
    breaker.settle(late, Outcome::Success, clock.now);
    assert_eq!(breaker.snapshot(clock.now).late, 2);
    // The probe's own end counts in the ramp it began.
    let mut probe = breaker.acquire(clock.now).unwrap();
    assert_eq!(breaker.begin(&mut probe, clock.now), Some(Change::Ramping));
    assert!(!probe.is_probe());
    breaker.settle(probe, Outcome::Hard, clock.now);
    let seen = breaker.snapshot(clock.now);
    assert_eq!((seen.state, seen.good, seen.hard), (State::HalfOpen, 0, 1));
}

#[test]
fn beginnings_shorten_a_ramp_unless_the_last_stream_that_ended_was_broken() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    let probe = doubted(&breaker, &mut clock);
    clock.pass(2.0);
    let streams: Vec<_> = (0..50).map(|_| begun(&breaker, &clock)).collect();
    assert_eq!(breaker.share(clock.now), 0.1);
    breaker.settle(probe, Outcome::Success, clock.now);
    for _ in 0..5 {
        drop(begun(&breaker, &clock));
    }
    assert_eq!(breaker.share(clock.now), 0.25);
    drop(streams);
}

#[test]
fn a_target_whose_streams_break_as_ever_is_left_in_its_ramp() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    let probe = doubted(&breaker, &mut clock);
    let mut streams = vec![(clock.now, probe)];
    let began = clock.now;
    let mut hurt = 0;
    // Each breaks after four seconds; twenty a second ask.
    while breaker.snapshot(clock.now).state == State::HalfOpen {
        clock.pass(0.05);
        if let Ok(mut ticket) = breaker.acquire(clock.now) {
            breaker.begin(&mut ticket, clock.now);
            streams.push((clock.now, ticket));
        }
        if (clock.now - streams[0].0).as_secs() >= 4 {
            let (_, ticket) = streams.remove(0);
            breaker.settle(ticket, Outcome::Hard, clock.now);
            hurt += 1;
        }
    }
    let (state, after) = (breaker.snapshot(clock.now).state, clock.now - began);
    assert_eq!(state, State::Open);
    assert!(after.as_secs() < 8, "{after:?}");
    assert!(hurt + streams.len() <= 15, "{hurt} and {}", streams.len());
}
