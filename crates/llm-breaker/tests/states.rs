//! What opens a breaker, what brings it back, and what leaves it alone.
#![expect(clippy::expect_used, reason = "a helper of tests")]

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;
use llm_breaker::{
    Alert, Breaker, BreakerConfig, Change, Mode, Outcome, Readiness, State, TripReason,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn after(clock: &Clock, seconds: f64) -> Instant {
    clock.now + Duration::from_secs_f64(seconds)
}

fn breaker(clock: &Clock) -> Breaker {
    Breaker::new(BreakerConfig::default(), clock.origin)
}

fn call(breaker: &Breaker, outcome: Outcome, clock: &Clock) -> Option<Change> {
    let ticket = breaker.acquire(clock.now).expect("admitted");
    breaker.settle(ticket, outcome, clock.now)
}

fn tripped(clock: &Clock) -> Breaker {
    let breaker = breaker(clock);
    for _ in 0..5 {
        call(&breaker, Outcome::Hard, clock);
    }
    assert_eq!(breaker.snapshot(clock.now).state, State::Open);
    breaker
}

fn ramping(clock: &mut Clock) -> Breaker {
    let breaker = tripped(clock);
    clock.pass(60.0);
    assert_eq!(
        call(&breaker, Outcome::Success, clock),
        Some(Change::Ramping)
    );
    breaker
}

#[test]
fn five_hard_failures_in_a_row_open_it() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..4 {
        assert_eq!(call(&breaker, Outcome::Hard, &clock), None);
    }
    let reason = TripReason::Streak;
    assert_eq!(
        call(&breaker, Outcome::Hard, &clock),
        Some(Change::Opened { reason })
    );
    assert_eq!(
        breaker.readiness(clock.now),
        Readiness::Open(after(&clock, 60.0))
    );
    let rejected = breaker.acquire(clock.now).unwrap_err();
    assert_eq!(rejected.retry_at, after(&clock, 60.0));
    assert_eq!(rejected.reason, reason);
}

#[test]
fn a_success_ends_the_streak() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..10 {
        for _ in 0..4 {
            assert_eq!(call(&breaker, Outcome::Hard, &clock), None);
        }
        for _ in 0..8 {
            call(&breaker, Outcome::Success, &clock);
        }
    }
}

#[test]
fn failures_spread_over_more_than_a_minute_do_not_open_it() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..30 {
        assert_eq!(call(&breaker, Outcome::Hard, &clock), None);
        clock.pass(15.1);
    }
}

#[test]
fn rate_limits_and_the_callers_faults_do_not_feed_the_streak() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..100 {
        assert_eq!(call(&breaker, Outcome::Neutral, &clock), None);
    }
    for _ in 0..15 {
        assert_eq!(call(&breaker, Outcome::Soft, &clock), None);
        clock.pass(0.1);
    }
    assert_eq!(breaker.snapshot(clock.now).streak, 0);
}

#[test]
fn half_of_twenty_failing_opens_it_by_ratio() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    let mut change = None;
    for n in 0..20 {
        assert_eq!(change, None, "after {n}");
        let outcome = if n % 2 == 0 {
            Outcome::Success
        } else {
            Outcome::Hard
        };
        change = call(&breaker, outcome, &clock);
        clock.pass(1.0);
    }
    let reason = TripReason::Ratio;
    assert_eq!(change, Some(Change::Opened { reason }));
}

#[test]
fn nothing_but_busy_opens_it_and_two_thirds_busy_does_not() {
    let mut clock = Clock::new();
    let busy = breaker(&clock);
    let mixed = breaker(&clock);
    for n in 0..200 {
        if n < 19 {
            assert_eq!(call(&busy, Outcome::Soft, &clock), None);
        } else if n == 19 {
            assert!(call(&busy, Outcome::Soft, &clock).is_some());
        }
        let outcome = if n % 3 == 0 {
            Outcome::Success
        } else {
            Outcome::Soft
        };
        assert_eq!(call(&mixed, outcome, &clock), None);
        clock.pass(0.05);
    }
}

#[test]
fn bad_answers_have_a_streak_of_their_own() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..4 {
        assert_eq!(call(&breaker, Outcome::BadAnswer, &clock), None);
        assert_eq!(call(&breaker, Outcome::Hard, &clock), None);
    }
    assert_eq!(breaker.snapshot(clock.now).streak, 4);
    let reason = TripReason::Quality;
    assert_eq!(
        call(&breaker, Outcome::BadAnswer, &clock),
        Some(Change::Opened { reason })
    );
}

#[test]
fn one_probe_at_a_time() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    clock.pass(59.9);
    assert!(breaker.acquire(clock.now).is_err());
    clock.pass(0.1);
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    let probe = breaker.acquire(clock.now).unwrap();
    assert!(probe.is_probe());
    assert!(breaker.acquire(clock.now).is_err());
    assert_eq!(
        breaker.readiness(clock.now),
        Readiness::Open(after(&clock, 1.0))
    );
    assert_eq!(
        breaker.settle(probe, Outcome::Success, clock.now),
        Some(Change::Ramping)
    );
}

#[test]
fn a_lost_probe_is_replaced_when_its_lease_ends() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    clock.pass(60.0);
    let _lost = breaker.acquire(clock.now).unwrap();
    clock.pass(149.9);
    assert!(breaker.acquire(clock.now).is_err());
    clock.pass(0.1);
    let second = breaker.acquire(clock.now).unwrap();
    assert!(second.is_probe());
    let change = breaker.settle(second, Outcome::Success, clock.now);
    assert_eq!(change, Some(Change::Ramping));
}

#[test]
fn a_target_comes_back_although_every_probe_before_was_lost() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    clock.pass(60.0);
    for _ in 0..50 {
        assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
        let lost = breaker.acquire(clock.now).unwrap();
        assert!(lost.is_probe());
        clock.pass(150.0);
    }
    let last = breaker.acquire(clock.now).unwrap();
    let change = breaker.settle(last, Outcome::Success, clock.now);
    assert_eq!(change, Some(Change::Ramping));
    assert!(breaker.acquire(clock.now).is_ok());
}

#[test]
fn a_dropped_probe_permit_frees_the_lease_at_once() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    clock.pass(60.0);
    let permit = breaker.permit(clock.now).unwrap();
    assert!(permit.is_probe());
    drop(permit);
    assert!(breaker.permit(clock.now).unwrap().is_probe());
    // Wherever it was dropped.
    let breaker = Arc::new(breaker);
    let permit = breaker.permit_owned(clock.now).unwrap();
    assert!(permit.is_probe());
    std::thread::spawn(move || drop(permit)).join().unwrap();
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    // And the caller's own fault says nothing either way.
    let permit = breaker.permit(clock.now).unwrap();
    assert_eq!(permit.record(Outcome::Neutral, clock.now), None);
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
}

#[test]
fn results_of_calls_sent_before_the_opening_are_dropped() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    let early = breaker.acquire(clock.now).unwrap();
    for _ in 0..5 {
        call(&breaker, Outcome::Hard, &clock);
    }
    assert_eq!(breaker.settle(early, Outcome::Success, clock.now), None);
    assert_eq!(breaker.snapshot(clock.now).state, State::Open);
}

#[test]
fn failed_probes_double_the_cooldown_up_to_five_minutes() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    let mut waits = Vec::new();
    for _ in 0..5 {
        let until = breaker.snapshot(clock.now).retry_at.unwrap();
        waits.push((until - clock.now).as_secs());
        clock.now = until;
        let reason = TripReason::Probe;
        assert_eq!(
            call(&breaker, Outcome::Hard, &clock),
            Some(Change::Opened { reason })
        );
    }
    assert_eq!(waits, [60, 120, 240, 300, 300]);
}

#[test]
fn a_probe_that_meets_a_rate_limit_waits_again_but_not_longer() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    for _ in 0..3 {
        clock.pass(60.0);
        assert!(call(&breaker, Outcome::Soft, &clock).is_some());
        assert_eq!(
            breaker.snapshot(clock.now).retry_at,
            Some(after(&clock, 60.0))
        );
    }
}

#[test]
fn health_forgives_repetitions_one_a_minute() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    for _ in 0..2 {
        clock.now = breaker.snapshot(clock.now).retry_at.unwrap();
        call(&breaker, Outcome::Hard, &clock);
    }
    clock.now = breaker.snapshot(clock.now).retry_at.unwrap();
    call(&breaker, Outcome::Success, &clock);
    assert_eq!(breaker.snapshot(clock.now).repeats, 3);
    clock.pass(125.0);
    assert_eq!(breaker.snapshot(clock.now).repeats, 1);
    for _ in 0..5 {
        let ticket = breaker.acquire(clock.now).unwrap();
        breaker.settle(ticket, Outcome::Hard, clock.now);
        if breaker.snapshot(clock.now).state == State::Open {
            break;
        }
    }
    assert_eq!(
        breaker.snapshot(clock.now).retry_at,
        Some(after(&clock, 120.0))
    );
}

#[test]
fn a_ramp_lets_a_tenth_then_a_quarter_then_half_pass() {
    let mut clock = Clock::new();
    let breaker = ramping(&mut clock);
    for (percent, at_least) in [(10, 0.1), (25, 0.25), (50, 0.5), (100, 1.0)] {
        let admitted = (0..1000)
            .filter(|_| breaker.acquire(clock.now).is_ok())
            .count();
        assert_eq!(admitted, percent * 10);
        assert_eq!(breaker.share(clock.now), at_least);
        clock.pass(10.0);
    }
}

#[test]
fn good_results_shorten_the_ramp_to_three_seconds_and_no_less() {
    let mut clock = Clock::new();
    let breaker = ramping(&mut clock);
    let start = clock.now;
    loop {
        for _ in 0..50 {
            if let Ok(ticket) = breaker.acquire(clock.now)
                && breaker.settle(ticket, Outcome::Success, clock.now) == Some(Change::Closed)
            {
                assert_eq!((clock.now - start).as_secs(), 3);
                return;
            }
        }
        clock.pass(0.25);
        assert!(clock.now - start < Duration::from_secs(4));
    }
}

#[test]
fn one_failure_in_a_ramp_is_none_and_three_more_than_good_ones_reopen_it() {
    let mut clock = Clock::new();
    let breaker = ramping(&mut clock);
    clock.pass(12.0);
    assert_eq!(breaker.share(clock.now), 0.25);
    let fail = || {
        let ticket = breaker.acquire_anyway(clock.now);
        breaker.settle(ticket, Outcome::Hard, clock.now)
    };
    // The probe was good.
    assert_eq!([fail(), fail(), fail()], [None; 3]);
    assert_eq!(breaker.share(clock.now), 0.25);
    let reason = TripReason::Probe;
    assert_eq!(fail(), Some(Change::Opened { reason }));
    assert_eq!(
        breaker.snapshot(clock.now).retry_at,
        Some(after(&clock, 120.0))
    );
}

#[test]
fn without_a_ramp_a_good_probe_closes() {
    let mut clock = Clock::new();
    let config = BreakerConfig::builder()
        .ramp_step(Duration::ZERO)
        .failures(1)
        .build()
        .unwrap();
    let breaker = Breaker::new(config, clock.origin);
    call(&breaker, Outcome::Hard, &clock);
    clock.pass(60.0);
    assert_eq!(
        call(&breaker, Outcome::Success, &clock),
        Some(Change::Closed)
    );
    assert_eq!(breaker.readiness(clock.now), Readiness::Ready);
}

#[test]
fn a_hold_refuses_until_its_end_and_comes_straight_back() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    breaker.hold(after(&clock, 20.0));
    breaker.hold(after(&clock, 5.0));
    assert_eq!(
        breaker.readiness(clock.now),
        Readiness::Held(after(&clock, 20.0))
    );
    assert_eq!(
        breaker.acquire(clock.now).unwrap_err().reason,
        TripReason::RateLimit
    );
    clock.pass(20.0);
    assert_eq!(breaker.readiness(clock.now), Readiness::Ready);
    assert!(!breaker.acquire(clock.now).unwrap().is_probe());
    assert_eq!(breaker.snapshot(clock.now).state, State::Closed);
}

#[test]
fn a_spent_quota_is_set_aside_until_then_and_comes_back_through_a_probe() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    let reason = TripReason::Quota;
    assert_eq!(
        breaker.open_until(clock.now, after(&clock, 3600.0), reason),
        Some(Change::Opened { reason })
    );
    assert_eq!(
        breaker.open_until(clock.now, after(&clock, 60.0), reason),
        None
    );
    assert!(breaker.shadow(after(&clock, 100.0)).is_none());
    clock.pass(3599.0);
    assert!(breaker.acquire(clock.now).is_err());
    clock.pass(1.0);
    assert!(breaker.acquire(clock.now).unwrap().is_probe());
    assert_eq!(breaker.snapshot(clock.now).repeats, 0);
}

#[test]
fn a_good_shadow_probe_brings_the_real_one_forward() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    assert!(breaker.shadow(clock.now).is_none());
    clock.pass(5.0);
    let bad = breaker.shadow(clock.now).unwrap();
    assert!(breaker.shadow(clock.now).is_none());
    assert_eq!(breaker.settle(bad, Outcome::Hard, clock.now), None);
    clock.pass(5.0);
    let good = breaker.shadow(clock.now).unwrap();
    assert_eq!(
        breaker.settle(good, Outcome::Success, clock.now),
        Some(Change::HalfOpened)
    );
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
}

#[test]
fn where_nobody_comes_to_be_the_probe_a_shadow_probe_is() {
    let mut clock = Clock::new();
    let breaker = tripped(&clock);
    clock.pass(60.0);
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    assert!(breaker.shadow(clock.now).is_none(), "somebody may yet come");
    clock.pass(5.0);
    let probe = breaker.shadow(clock.now).unwrap();
    assert!(probe.is_probe());
    assert!(breaker.acquire(clock.now).is_err(), "there is one probe");
    let change = breaker.settle(probe, Outcome::Success, clock.now);
    assert_eq!(change, Some(Change::Ramping));
    // Time alone ends a ramp that nobody climbs.
    clock.pass(30.0);
    assert_eq!(breaker.share(clock.now), 1.0);
    // A bad one opens it for longer, as any probe does.
    let breaker = tripped(&clock);
    clock.pass(65.0);
    let probe = breaker.shadow(clock.now).unwrap();
    breaker.settle(probe, Outcome::Hard, clock.now);
    let again = breaker.snapshot(clock.now).retry_at.unwrap();
    assert_eq!(again, clock.now + Duration::from_secs(120));
}

#[test]
fn observing_judges_and_refuses_nothing() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    breaker.force(Mode::Observe);
    for _ in 0..5 {
        call(&breaker, Outcome::Hard, &clock);
    }
    assert_eq!(breaker.snapshot(clock.now).state, State::Open);
    assert_eq!(breaker.readiness(clock.now), Readiness::Ready);
    assert_eq!(call(&breaker, Outcome::Success, &clock), None);
    breaker.force(Mode::Enforce);
    assert!(breaker.acquire(clock.now).is_err());
}

#[test]
fn forced_modes_freeze_the_state() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    breaker.force(Mode::ForcedClosed);
    for _ in 0..20 {
        assert_eq!(call(&breaker, Outcome::Hard, &clock), None);
    }
    breaker.force(Mode::ForcedOpen);
    assert_eq!(
        breaker.acquire(clock.now).unwrap_err().reason,
        TripReason::Forced
    );
    breaker.force(Mode::Enforce);
    assert_eq!(breaker.snapshot(clock.now).state, State::Closed);
    assert_eq!(breaker.readiness(clock.now), Readiness::Ready);
}

#[test]
fn error_rates_alert_above_five_percent_and_escalate_above_fifteen() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    let level_after = |good: u32, bad: u32| {
        for _ in 0..good {
            call(&breaker, Outcome::Success, &clock);
        }
        for _ in 0..bad {
            call(&breaker, Outcome::Hard, &clock);
        }
        breaker.snapshot(clock.now).alert
    };
    assert_eq!(
        level_after(15, 3),
        Alert::Quiet,
        "18 results say nothing yet"
    );
    assert_eq!(level_after(42, 0), Alert::Quiet, "3 of 60 is not above 5 %");
    assert_eq!(level_after(1, 1), Alert::Alert);
    assert_eq!(level_after(0, 3), Alert::Alert);
    assert_eq!(level_after(1, 4), Alert::Escalate);
}

#[test]
fn external_evidence_trips_a_passing_breaker_only() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    let reason = TripReason::Latency;
    assert_eq!(
        breaker.trip(clock.now, reason),
        Some(Change::Opened { reason })
    );
    assert_eq!(breaker.trip(clock.now, reason), None);
}

#[test]
fn settings_change_without_losing_state_or_evidence() {
    let mut clock = Clock::new();
    let breaker = Breaker::new(BreakerConfig::default(), clock.origin);
    for _ in 0..2 {
        assert_eq!(call(&breaker, Outcome::Hard, &clock), None);
    }
    let stricter = BreakerConfig::builder()
        .failures(3)
        .cooldown(Duration::from_secs(5))
        .build()
        .unwrap();
    breaker.reconfigure(&stricter);
    assert_eq!(breaker.config(), stricter);
    // The two failures from before count.
    let opened = Change::Opened {
        reason: TripReason::Streak,
    };
    assert_eq!(call(&breaker, Outcome::Hard, &clock), Some(opened));
    // An opening that has begun ends as it would have; the next one follows the new numbers.
    breaker.reconfigure(&BreakerConfig::default());
    let until = clock.now + Duration::from_secs(5);
    assert_eq!(breaker.readiness(clock.now), Readiness::Open(until));
    clock.pass(5.0);
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
}

#[test]
fn who_knows_that_the_cause_is_gone_need_not_wait_for_the_stated_end() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    assert_eq!(breaker.recall(clock.now), None);
    breaker.open_until(clock.now, after(&clock, 3600.0), TripReason::Billing);
    breaker.hold(after(&clock, 60.0));
    assert!(breaker.acquire(clock.now).is_err());
    assert_eq!(breaker.recall(clock.now), Some(Change::HalfOpened));
    assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    assert_eq!(
        call(&breaker, Outcome::Success, &clock),
        Some(Change::Ramping)
    );
    // A probe that is out keeps its lease.
    let breaker = tripped(&clock);
    breaker.recall(clock.now);
    let probe = breaker.acquire(clock.now).expect("the probe");
    assert_eq!(breaker.recall(clock.now), None);
    assert!(breaker.acquire(clock.now).is_err());
    breaker.abandon(probe);
}
