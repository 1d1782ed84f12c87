//! Probes that take long, are lost or not alone; and what may and may not move a breaker that is open or forced.
#![expect(clippy::expect_used, reason = "a helper of tests")]

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;
use llm_breaker::{
    Breaker, BreakerConfig, Change, Mode, Outcome, Readiness, State, Ticket, TripReason,
};
use std::time::{Duration, Instant};

fn after(clock: &Clock, seconds: f64) -> Instant {
    clock.now + Duration::from_secs_f64(seconds)
}

fn breaker(clock: &Clock) -> Breaker {
    Breaker::new(BreakerConfig::default(), clock.origin)
}

/// Open, with its cooldown over.
fn due(clock: &mut Clock) -> Breaker {
    let breaker = breaker(clock);
    for _ in 0..5 {
        let ticket = breaker.acquire(clock.now).expect("closed");
        breaker.settle(ticket, Outcome::Hard, clock.now);
    }
    clock.pass(60.0);
    breaker
}

fn state(breaker: &Breaker, clock: &Clock) -> State {
    breaker.snapshot(clock.now).state
}

#[test]
fn answers_that_outlast_the_lease_bring_a_target_back() {
    for answer in [149, 151, 200, 420, 900] {
        let mut clock = Clock::new();
        let breaker = due(&mut clock);
        let mut out: Vec<(Instant, Ticket)> = vec![];
        let mut probes = 0;
        let answered = |out: &mut Vec<(Instant, Ticket)>, now: Instant| {
            while out.first().is_some_and(|(at, _)| *at <= now) {
                breaker.settle(out.remove(0).1, Outcome::Success, now);
            }
        };
        // One call a second, each of which is answered, only late.
        for _ in 0..2 * answer + 60 {
            answered(&mut out, clock.now);
            if let Ok(ticket) = breaker.acquire(clock.now) {
                probes += u32::from(ticket.is_probe());
                out.push((clock.now + Duration::from_secs(answer), ticket));
            }
            clock.pass(1.0);
        }
        assert_eq!(state(&breaker, &clock), State::Closed, "{answer} s");
        // One probe a lease until the first is answered, and no crowd.
        let most = u32::try_from(answer.div_ceil(150)).unwrap();
        assert!(probes <= most, "{probes} probes, answers of {answer} s");
    }
}

#[test]
fn the_first_probe_to_end_decides_whether_its_lease_is_over_or_not() {
    let mut clock = Clock::new();
    let breaker = due(&mut clock);
    let slow = breaker.acquire(clock.now).unwrap();
    clock.pass(150.0);
    let second = breaker.acquire(clock.now).unwrap();
    assert!(second.is_probe());
    let change = breaker.settle(slow, Outcome::Success, clock.now);
    assert_eq!(change, Some(Change::Ramping));
    assert_eq!(breaker.settle(second, Outcome::Hard, clock.now), None);
    assert_eq!(breaker.snapshot(clock.now).late, 1);
    // A bad end counts as well: a target that hangs for longer than the lease must not be probed for ever at the same pace.
    let mut clock = Clock::new();
    let breaker = due(&mut clock);
    let hung = breaker.acquire(clock.now).unwrap();
    clock.pass(400.0);
    let change = breaker.settle(hung, Outcome::Hard, clock.now);
    let reason = TripReason::Probe;
    assert_eq!(change, Some(Change::Opened { reason }));
    assert_eq!(
        breaker.readiness(clock.now),
        Readiness::Open(after(&clock, 120.0))
    );
}

#[test]
fn a_probe_of_an_earlier_opening_decides_nothing() {
    let mut clock = Clock::new();
    let breaker = due(&mut clock);
    let old = breaker.acquire(clock.now).unwrap();
    clock.pass(150.0);
    let second = breaker.acquire(clock.now).unwrap();
    breaker.settle(second, Outcome::Hard, clock.now);
    clock.pass(120.0);
    let third = breaker.acquire(clock.now).unwrap();
    assert_eq!(breaker.settle(old, Outcome::Success, clock.now), None);
    assert_eq!(breaker.snapshot(clock.now).late, 1);
    let change = breaker.settle(third, Outcome::Success, clock.now);
    assert_eq!(change, Some(Change::Ramping));
}

#[test]
fn a_probe_given_back_late_does_not_free_the_lease_of_the_next() {
    let given_back: [fn(&Breaker, Ticket, Instant); 2] = [
        |breaker, ticket, _| breaker.abandon(ticket),
        |breaker, ticket, now| {
            let change = breaker.settle(ticket, Outcome::Neutral, now);
            assert_eq!(change, None);
        },
    ];
    for give_back in given_back {
        let mut clock = Clock::new();
        let breaker = due(&mut clock);
        let late = breaker.acquire(clock.now).unwrap();
        clock.pass(150.0);
        let second = breaker.acquire(clock.now).unwrap();
        give_back(&breaker, late, clock.now);
        assert!(breaker.acquire(clock.now).is_err(), "the second is out");
        give_back(&breaker, second, clock.now);
        assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    }
}

#[test]
fn a_stream_that_begins_at_an_open_target_brings_the_probe_forward() {
    for outcome in [Outcome::Success, Outcome::Begun] {
        let mut clock = Clock::new();
        let breaker = due(&mut clock);
        let probe = breaker.acquire(clock.now).unwrap();
        breaker.settle(probe, Outcome::Hard, clock.now);
        let least_bad = breaker.acquire_anyway(clock.now);
        let change = breaker.settle(least_bad, outcome, clock.now);
        assert_eq!(change, Some(Change::HalfOpened), "{outcome:?}");
        assert_eq!(breaker.readiness(clock.now), Readiness::Probe);
    }
}

#[test]
fn who_waits_for_a_probe_is_told_when_it_may_have_answered() {
    let mut clock = Clock::new();
    let breaker = due(&mut clock);
    let sent = clock.now;
    let probe = breaker.acquire(clock.now).unwrap();
    // Nothing is known of its times: a second, and twice as long each time it was not enough.
    for (waited, told) in [
        (0.1, 1.0),
        (1.0, 2.0),
        (2.5, 4.0),
        (4.0, 8.0),
        (140.0, 150.0),
    ] {
        let now = sent + Duration::from_secs_f64(waited);
        let then = sent + Duration::from_secs_f64(told);
        assert_eq!(breaker.readiness(now), Readiness::Open(then), "{waited}");
        assert_eq!(breaker.acquire(now).unwrap_err().retry_at, then);
        // The operator sees when the probe counts as lost.
        let lost = sent + Duration::from_secs(150);
        assert_eq!(breaker.snapshot(now).retry_at, Some(lost));
    }
    // Whoever comes then is no crowd: one in ten, of a hundred who waited for the same instant.
    clock.pass(1.0);
    breaker.settle(probe, Outcome::Success, clock.now);
    let let_in = (0..100).filter(|_| breaker.acquire(clock.now).is_ok());
    assert_eq!(let_in.count(), 10);
}

#[test]
fn who_waits_for_a_probe_of_a_known_target_is_told_its_usual_time() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    for _ in 0..200 {
        breaker.first_token().observe(Duration::from_secs(20));
    }
    breaker.trip(clock.now, TripReason::Hang);
    clock.pass(60.0);
    let sent = clock.now;
    let _probe = breaker.acquire(clock.now).unwrap();
    let Readiness::Open(then) = breaker.readiness(clock.now) else {
        panic!("its probe is out");
    };
    let told = (then - sent).as_secs_f64();
    assert!((18.0..22.5).contains(&told), "{told}");
}

#[test]
fn forced_modes_freeze_what_is_told_from_outside_as_well() {
    for mode in [Mode::ForcedClosed, Mode::ForcedOpen] {
        let clock = Clock::new();
        let hour = after(&clock, 3600.0);
        let breaker = breaker(&clock);
        breaker.force(mode);
        assert_eq!(breaker.open_until(clock.now, hour, TripReason::Quota), None);
        breaker.hold(hour);
        breaker.force(Mode::Enforce);
        assert_eq!(breaker.readiness(clock.now), Readiness::Ready, "{mode:?}");
        // And what holds then is not taken back.
        breaker.open_until(clock.now, hour, TripReason::Quota);
        breaker.force(mode);
        assert_eq!(breaker.recall(clock.now), None);
        breaker.force(Mode::Enforce);
        assert_eq!(breaker.readiness(clock.now), Readiness::Open(hour));
    }
}

#[test]
fn a_shorter_opening_inside_a_longer_one_leaves_its_reason_alone() {
    let mut clock = Clock::new();
    let breaker = due(&mut clock);
    let probe = breaker.acquire(clock.now).unwrap();
    breaker.settle(probe, Outcome::Hard, clock.now);
    let soon = after(&clock, 5.0);
    breaker.open_until(clock.now, soon, TripReason::Quota);
    assert_eq!(breaker.snapshot(clock.now).reason, TripReason::Probe);
    clock.pass(6.0);
    assert!(breaker.shadow(clock.now).is_some(), "the reason may pass");
    let later = after(&clock, 3600.0);
    breaker.open_until(clock.now, later, TripReason::Quota);
    assert_eq!(breaker.snapshot(clock.now).reason, TripReason::Quota);
    assert_eq!(breaker.readiness(clock.now), Readiness::Open(later));
}

#[test]
fn a_target_that_is_held_takes_no_share_of_calls() {
    let mut clock = Clock::new();
    let breaker = breaker(&clock);
    breaker.hold(after(&clock, 20.0));
    assert_eq!(breaker.share(clock.now), 0.0);
    assert_eq!(breaker.snapshot(clock.now).share, 0.0);
    clock.pass(20.0);
    assert_eq!(breaker.share(clock.now), 1.0);
    breaker.hold(after(&clock, 20.0));
    breaker.force(Mode::Observe);
    assert_eq!(breaker.share(clock.now), 1.0, "nothing is refused");
}

#[test]
fn no_time_is_too_far_away() {
    let clock = Clock::new();
    let breaker = breaker(&clock);
    let Some(far) = clock.now.checked_add(Duration::from_secs(1 << 56)) else {
        return; // This platform's clock cannot say it either.
    };
    assert_eq!(breaker.readiness(far), Readiness::Ready);
    let ticket = breaker.acquire(far).unwrap();
    breaker.settle(ticket, Outcome::Success, far);
    breaker.hold(far);
    assert!(breaker.acquire(clock.now).is_err());
}
