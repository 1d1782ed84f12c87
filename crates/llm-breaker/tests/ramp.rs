//! How a target comes back that is healed, nearly healed, or not healed at all, at rates from a call now and then to thousands a second.
#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;
use llm_breaker::{Breaker, BreakerConfig, Change, Outcome, State, TripReason};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::time::Duration;

/// A breaker whose probe has just answered well.
fn ramping(clock: &mut Clock) -> Breaker {
    let breaker = Breaker::new(BreakerConfig::default(), clock.origin);
    breaker.trip(clock.now, TripReason::Streak);
    clock.pass(60.0);
    let probe = breaker.acquire(clock.now).unwrap();
    let change = breaker.settle(probe, Outcome::Success, clock.now);
    assert_eq!(change, Some(Change::Ramping));
    breaker
}

/// What became of a ramp.
struct Ramped {
    state: State,
    after: Duration,
    /// The admitted calls whose result was not good.
    hurt: u32,
}

/// Calls at a steady rate, a share of which ends in `outcome`, until the ramp is over.
fn ramp(rate: f64, share: f64, outcome: Outcome, seed: u64) -> Ramped {
    let mut clock = Clock::new();
    let breaker = ramping(&mut clock);
    let mut rng = SmallRng::seed_from_u64(seed);
    let began = clock.now;
    let mut hurt = 0;
    loop {
        if let Ok(ticket) = breaker.acquire(clock.now) {
            let is_bad = rng.random::<f64>() < share;
            hurt += u32::from(is_bad);
            let outcome = if is_bad { outcome } else { Outcome::Success };
            breaker.settle(ticket, outcome, clock.now);
        }
        let state = breaker.snapshot(clock.now).state;
        let after = clock.now - began;
        if state != State::HalfOpen || after > Duration::from_secs(600) {
            return Ramped { state, after, hurt };
        }
        clock.pass(1.0 / rate);
    }
}

#[test]
fn a_target_that_fails_now_and_then_is_back_within_thirty_seconds_at_any_rate() {
    for rate in [2.0, 20.0, 200.0, 2_000.0] {
        for outcome in [Outcome::Hard, Outcome::Soft, Outcome::BadAnswer] {
            for share in [0.0, 0.02, 0.05, 0.1] {
                // A ramp of 2000 calls a second has 1700 results and more.
                let seeds = if rate > 1_000.0 { 8 } else { 30 };
                let ramps: Vec<_> = (0..seeds)
                    .map(|seed| ramp(rate, share, outcome, seed))
                    .collect();
                let longest = ramps.iter().map(|ramp| ramp.after).max().unwrap();
                let case = format!("{share} {outcome:?} at {rate} a second");
                assert!(longest <= Duration::from_secs(30), "{longest:?}: {case}");
                assert!(
                    ramps.iter().all(|ramp| ramp.state == State::Closed),
                    "{case}"
                );
            }
        }
    }
}

#[test]
fn a_target_that_is_still_down_is_left_after_a_few_calls() {
    for rate in [2.0, 20.0, 200.0, 2_000.0] {
        for (share, median, most) in [(1.0, 4, 4), (0.8, 6, 12), (0.6, 12, 30)] {
            let mut ramps: Vec<_> = (0..100)
                .map(|seed| ramp(rate, share, Outcome::Hard, seed))
                .collect();
            ramps.sort_by_key(|ramp| ramp.hurt);
            let closed = ramps.iter().filter(|ramp| ramp.state == State::Closed);
            let (closed, half, nearly_all) = (closed.count(), ramps[50].hurt, ramps[94].hurt);
            let case = format!("{half} hurt, in 19 of 20 ramps {nearly_all}: {share} at {rate}");
            assert!(half <= median && nearly_all <= most, "{case}");
            // Two calls a second are too few results in 30 s to be sure of anything less plain.
            assert!(closed == 0 || rate < 10.0 && share < 1.0, "{case}");
        }
    }
}

#[test]
fn no_second_of_a_ramp_brings_more_than_its_share() {
    for share in [0.0, 0.05, 0.3] {
        let mut clock = Clock::new();
        let breaker = ramping(&mut clock);
        let mut rng = SmallRng::seed_from_u64(7);
        let mut before: f64 = 0.0;
        while before < 1.0 {
            let (mut admitted, mut offered): (f64, f64) = (0.0, 0.0);
            for _ in 0..500 {
                // The share of this very moment: within a second it may take one step.
                offered += breaker.share(clock.now);
                if let Ok(ticket) = breaker.acquire(clock.now) {
                    admitted += 1.0;
                    let is_bad = rng.random::<f64>() < share;
                    let outcome = if is_bad {
                        Outcome::Soft
                    } else {
                        Outcome::Success
                    };
                    breaker.settle(ticket, outcome, clock.now);
                }
                clock.pass(0.002);
            }
            assert!(admitted <= 1.2 * offered, "{admitted} of {offered}");
            let now = breaker.share(clock.now);
            assert!(now <= (before * 2.5).max(0.1), "from {before} to {now}");
            before = now.max(0.1);
        }
    }
}

#[test]
fn a_ramp_that_time_has_finished_is_over_before_anything_is_judged() {
    for first in [Outcome::Hard, Outcome::Soft, Outcome::BadAnswer] {
        let mut clock = Clock::new();
        let breaker = ramping(&mut clock);
        clock.pass(3_600.0);
        assert_eq!(breaker.snapshot(clock.now).state, State::Closed);
        for nth in 0..4 {
            let ticket = breaker.acquire(clock.now).unwrap();
            let change = breaker.settle(ticket, first, clock.now);
            assert_eq!(change, (nth == 0).then_some(Change::Closed), "{first:?}");
            assert_eq!(breaker.share(clock.now), 1.0, "{first:?}");
        }
        let ticket = breaker.acquire(clock.now).unwrap();
        let change = breaker.settle(ticket, first, clock.now);
        let opened = matches!(change, Some(Change::Opened { .. }));
        assert_eq!(opened, first != Outcome::Soft, "{first:?}");
    }
}

#[test]
fn five_in_a_row_reopen_a_ramp_however_many_were_good_before() {
    let mut clock = Clock::new();
    let breaker = ramping(&mut clock);
    for _ in 0..200 {
        let ticket = breaker.acquire_anyway(clock.now);
        breaker.settle(ticket, Outcome::Success, clock.now);
    }
    for nth in 1..=5 {
        let ticket = breaker.acquire_anyway(clock.now);
        let change = breaker.settle(ticket, Outcome::Hard, clock.now);
        assert_eq!(change.is_some(), nth == 5);
    }
}

#[test]
fn a_failure_takes_five_good_results_to_make_up_for() {
    let mut clock = Clock::new();
    let breaker = ramping(&mut clock);
    let settle = |outcome, clock: &Clock| {
        let ticket = breaker.acquire_anyway(clock.now);
        breaker.settle(ticket, outcome, clock.now)
    };
    clock.pass(2.0);
    settle(Outcome::Soft, &clock);
    for _ in 0..9 {
        settle(Outcome::Success, &clock);
    }
    assert_eq!(breaker.share(clock.now), 0.1);
    settle(Outcome::Success, &clock);
    assert_eq!(breaker.share(clock.now), 0.25);
    // However it fails, time brings it on.
    clock.pass(9.9);
    settle(Outcome::Soft, &clock);
    assert_eq!(breaker.share(clock.now), 0.25);
    clock.pass(0.1);
    assert_eq!(breaker.share(clock.now), 0.5);
}
