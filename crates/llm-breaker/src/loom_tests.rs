//! Gate and permits under every interleaving of two or three threads.
//!
//! `cargo xtask check` runs them.

use std::time::{Duration, Instant};

use loom::sync::Arc;
use loom::thread;

use crate::{Breaker, BreakerConfig, Change, Outcome, Readiness, State, TripReason};

/// A breaker that trips at the first failure, and the instant its cooldown is over.
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn due() -> (Arc<Breaker>, Instant) {
    let origin = Instant::now();
    let config = BreakerConfig::builder()
        .failures(1)
        .ratio(None)
        .build()
        .expect("these settings are valid");
    let breaker = Arc::new(Breaker::new(config, origin));
    let ticket = breaker.acquire(origin).expect("closed");
    breaker.settle(ticket, Outcome::Hard, origin);
    (breaker, origin + Duration::from_secs(60))
}

fn bounded(test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(test);
}

#[test]
fn two_callers_get_one_probe() {
    bounded(|| {
        let (breaker, now) = due();
        let other = Arc::clone(&breaker);
        let asked = thread::spawn(move || other.acquire(now).is_ok());
        let mine = breaker.acquire(now).is_ok();
        let theirs = asked.join().expect("no panic");
        assert!(mine ^ theirs);
    });
}

#[test]
fn a_recall_beside_a_caller_gives_one_probe_and_never_takes_it_back() {
    bounded(|| {
        let (breaker, due) = due();
        // Half of the cooldown is to come.
        let now = due - Duration::from_secs(30);
        let other = Arc::clone(&breaker);
        let asked = thread::spawn(move || other.acquire(now).is_ok());
        breaker.recall(now);
        let mine = breaker.acquire(now).is_ok();
        let theirs = asked.join().expect("no panic");
        assert!(mine ^ theirs);
        breaker.recall(now);
        assert!(breaker.acquire(now).is_err());
    });
}

#[test]
fn a_dropped_permit_beside_another_caller_leaves_a_way_out() {
    bounded(|| {
        let (breaker, now) = due();
        let other = Arc::clone(&breaker);
        let asked = thread::spawn(move || drop(other.permit(now)));
        drop(breaker.permit(now));
        asked.join().expect("no panic");
        // Both probes were dropped: the lease is free again, in whatever order it happened.
        assert_eq!(breaker.readiness(now), Readiness::Probe);
    });
}

#[test]
fn when_every_probe_is_lost_the_next_lease_brings_another() {
    bounded(|| {
        let (breaker, mut now) = due();
        for _ in 0..2 {
            let other = Arc::clone(&breaker);
            let asked = thread::spawn(move || other.acquire(now).is_ok());
            let mine = breaker.acquire(now).is_ok();
            let theirs = asked.join().expect("no panic");
            // Whoever has it never says how it went.
            assert!(mine ^ theirs);
            now += Duration::from_secs(150);
        }
        assert_eq!(breaker.readiness(now), Readiness::Probe);
    });
}

#[test]
fn a_probe_that_is_given_back_late_leaves_the_lease_of_the_next_alone() {
    bounded(|| {
        let (breaker, now) = due();
        let late = breaker.acquire(now).expect("the probe");
        // Its lease is over: another may be sent, and only one.
        let now = now + Duration::from_secs(150);
        let other = Arc::clone(&breaker);
        let asked = thread::spawn(move || other.acquire(now).is_ok());
        breaker.abandon(late);
        let mine = breaker.acquire(now).is_ok();
        let theirs = asked.join().expect("no panic");
        assert!(mine ^ theirs);
        assert!(breaker.acquire(now).is_err());
    });
}

#[test]
fn of_two_probes_that_end_together_one_decides() {
    bounded(|| {
        let (breaker, now) = due();
        let first = breaker.acquire(now).expect("the probe");
        let now = now + Duration::from_secs(150);
        let second = breaker.acquire(now).expect("the next");
        let other = Arc::clone(&breaker);
        let settled = thread::spawn(move || other.settle(first, Outcome::Success, now));
        let mine = breaker.settle(second, Outcome::Hard, now);
        let theirs = settled.join().expect("no panic");
        let ramps = theirs == Some(Change::Ramping);
        let opens = matches!(mine, Some(Change::Opened { .. }));
        assert!(ramps ^ opens, "{theirs:?} {mine:?}");
        let state = breaker.snapshot(now).state;
        assert_eq!(state == State::Open, opens);
    });
}

#[test]
fn settings_that_change_beside_a_failure_leave_a_breaker_that_opens_and_recovers() {
    bounded(|| {
        let (breaker, now) = due();
        let probe = breaker.acquire(now).expect("the probe");
        breaker.settle(probe, Outcome::Success, now);
        let other = Arc::clone(&breaker);
        let config = BreakerConfig::builder()
            .failures(2)
            .ratio(None)
            .ramp_step(Duration::ZERO);
        let config = config.build().expect("these settings are valid");
        let changed = thread::spawn(move || other.reconfigure(&config));
        let ticket = breaker.acquire_anyway(now);
        breaker.settle(ticket, Outcome::Hard, now);
        changed.join().expect("no panic");
        for _ in 0..2 {
            let ticket = breaker.acquire_anyway(now);
            breaker.settle(ticket, Outcome::Hard, now);
        }
        assert_eq!(breaker.snapshot(now).state, State::Open);
        let later = now + Duration::from_secs(600);
        let probe = breaker.acquire(later).expect("the probe");
        breaker.settle(probe, Outcome::Success, later);
        assert_eq!(breaker.snapshot(later).state, State::Closed);
    });
}

#[test]
fn a_probes_success_against_an_outside_opening_ends_in_one_of_the_two() {
    bounded(|| {
        let (breaker, now) = due();
        let probe = breaker.acquire(now).expect("the probe");
        let other = Arc::clone(&breaker);
        let until = now + Duration::from_secs(3600);
        let opened = thread::spawn(move || other.open_until(now, until, TripReason::Quota));
        breaker.settle(probe, Outcome::Success, now);
        opened.join().expect("no panic");
        // The opening always stands: either it came last, or the probe's result was late.
        let snapshot = breaker.snapshot(now);
        assert_eq!(
            (snapshot.state, snapshot.reason),
            (State::Open, TripReason::Quota)
        );
        assert_eq!(snapshot.retry_at, Some(until));
    });
}

#[test]
fn two_failures_open_once() {
    bounded(|| {
        let (breaker, now) = due();
        let probe = breaker.acquire(now).expect("the probe");
        breaker.settle(probe, Outcome::Success, now);
        // A ramp, which either of two failures reopens: one of them does.
        let tickets = [breaker.acquire_anyway(now), breaker.acquire_anyway(now)];
        let [one, two] = tickets;
        let other = Arc::clone(&breaker);
        let settled = thread::spawn(move || other.settle(one, Outcome::Hard, now));
        let mine = breaker.settle(two, Outcome::Hard, now);
        let theirs = settled.join().expect("no panic");
        let opened = [mine, theirs]
            .iter()
            .filter(|change| matches!(change, Some(Change::Opened { .. })))
            .count();
        assert!(opened <= 1);
        let open = breaker.snapshot(now).state == State::Open;
        assert_eq!(opened == 1, open);
    });
}

#[test]
fn the_latest_hold_stands_and_no_caller_takes_a_newer_one_down() {
    bounded(|| {
        let (breaker, now) = due();
        breaker.hold(now);
        let other = Arc::clone(&breaker);
        let later = now + Duration::from_secs(30);
        let held = thread::spawn(move || other.hold(later));
        let _ = breaker.acquire(now);
        held.join().expect("no panic");
        assert_eq!(breaker.snapshot(now).held_until, Some(later));
    });
}

#[test]
fn two_results_after_the_end_of_a_ramp_close_it_once_and_both_count() {
    bounded(|| {
        let (breaker, now) = due();
        let probe = breaker.acquire(now).expect("the probe");
        breaker.settle(probe, Outcome::Success, now);
        let (one, two) = (breaker.acquire_anyway(now), breaker.acquire_anyway(now));
        let later = now + Duration::from_secs(60);
        let other = Arc::clone(&breaker);
        let settled = thread::spawn(move || other.settle(one, Outcome::Soft, later));
        let changes = [
            breaker.settle(two, Outcome::Soft, later),
            settled.join().expect("no panic"),
        ];
        let closed = changes
            .iter()
            .filter(|change| **change == Some(Change::Closed));
        assert_eq!(closed.count(), 1);
        let snapshot = breaker.snapshot(later);
        assert_eq!((snapshot.state, snapshot.soft), (State::Closed, 2));
        assert_eq!(breaker.readiness(later), Readiness::Ready);
    });
}

#[test]
fn two_results_that_both_end_a_step_bring_a_ramp_one_step_on() {
    bounded(|| {
        let (breaker, now) = due();
        let probe = breaker.acquire(now).expect("the probe");
        breaker.settle(probe, Outcome::Success, now);
        for _ in 0..4 {
            let ticket = breaker.acquire_anyway(now);
            breaker.settle(ticket, Outcome::Success, now);
        }
        let mut one = breaker.acquire_anyway(now);
        let two = breaker.acquire_anyway(now);
        let later = now + Duration::from_secs(1);
        let other = Arc::clone(&breaker);
        let begun = thread::spawn(move || other.begin(&mut one, later));
        breaker.settle(two, Outcome::Success, later);
        begun.join().expect("no panic");
        assert!((breaker.share(later) - 0.25).abs() < 0.01);
    });
}
