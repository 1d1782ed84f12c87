use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What one side does: errors, poor answers, and the median of its times.
type Side = (f64, f64, f64);

fn outcome(side: Side, rng: &mut StdRng) -> CallOutcome {
    let draw: f64 = rng.random();
    if draw < side.0 {
        return CallOutcome::Error;
    }
    if draw < side.0 + side.1 {
        return CallOutcome::Poor;
    }
    // Twelve uniform draws make a good enough normal one.
    let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let straggler = if rng.random::<f64>() < 0.03 { 8.0 } else { 1.0 };
    CallOutcome::Good(Duration::from_secs_f64(
        side.2 * straggler * (0.6 * normal).exp(),
    ))
}

/// The end of a trial, and the calls that the canary had until then.
fn run(stable: Side, new: Side, seed: u64) -> (CanaryState, u32) {
    let canary = Canary::default();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut calls = 0;
    for _ in 0..200_000 {
        let arm = canary.admit(rng.random());
        let side = if arm == Arm::Canary { new } else { stable };
        calls += u32::from(arm == Arm::Canary);
        canary.record(arm, outcome(side, &mut rng));
        if !matches!(canary.state(), CanaryState::Running(_)) {
            break;
        }
    }
    (canary.state(), calls)
}

const SEEDS: u32 = 1_000;

/// How many of all seeds end as `wanted` within `most` calls.
fn share_of(stable: Side, new: Side, most: u32, wanted: impl Fn(CanaryState) -> bool) -> f64 {
    let hits = (0..SEEDS).filter(|seed| {
        let (state, calls) = run(stable, new, (*seed).into());
        calls <= most && wanted(state)
    });
    let share = f64::from(u32::try_from(hits.count()).unwrap()) / f64::from(SEEDS);
    println!("{stable:?} {new:?}: {share}");
    share
}

#[test]
fn six_errors_in_a_hundred_beside_two_are_stopped_within_400_calls_in_95_of_100_seeds() {
    let stopped = |state| matches!(state, CanaryState::Stopped(_));
    for poor in [0.0, 0.01] {
        let share = share_of((0.02, poor, 0.6), (0.06, poor, 0.6), 400, stopped);
        assert!(share >= 0.95, "{share}");
    }
}

#[test]
fn an_equal_one_is_promoted_in_95_of_100_seeds() {
    let promoted = |state| state == CanaryState::Promoted;
    let same = (0.02, 0.01, 0.6);
    let share = share_of(same, same, u32::MAX, promoted);
    assert!(share >= 0.95, "{share}");
}

#[test]
fn poor_answers_and_slowness_stop_it_too() {
    let quality = |state| state == CanaryState::Stopped(StopReason::Quality);
    assert!(share_of((0.02, 0.01, 0.6), (0.02, 0.15, 0.6), 400, quality) >= 0.95);
    let latency = |state| state == CanaryState::Stopped(StopReason::Latency);
    assert!(share_of((0.02, 0.0, 0.6), (0.02, 0.0, 1.8), 400, latency) >= 0.95);
}

#[test]
fn one_that_turns_bad_after_a_step_is_stopped() {
    let good = CallOutcome::Good(Duration::from_secs(1));
    let slow = CallOutcome::Good(Duration::from_secs(3));
    for (bad, reason) in [
        (CallOutcome::Error, StopReason::Errors),
        (CallOutcome::Poor, StopReason::Quality),
        (slow, StopReason::Latency),
    ] {
        let canary = Canary::default();
        for call in 0..3_000 {
            let failed = call % 50 == 0;
            canary.record(Arm::Stable, if failed { CallOutcome::Error } else { good });
        }
        let passed =
            (0..1_000).find(|_| canary.record(Arm::Canary, good) != CanaryVerdict::Continue);
        assert!(passed.is_some_and(|calls| calls >= 149), "{passed:?}");
        assert_eq!(canary.state(), CanaryState::Running(25));
        let stopped = (0..1_000).find(|call| {
            let outcome = if call % 3 == 0 { bad } else { good };
            let outcome = if reason == StopReason::Latency {
                slow
            } else {
                outcome
            };
            canary.record(Arm::Canary, outcome) == CanaryVerdict::Stop(reason)
        });
        assert!(
            stopped.is_some_and(|calls| calls < 60),
            "{reason:?} {stopped:?}"
        );
    }
}

#[test]
fn without_enough_of_the_stable_arm_nothing_is_decided() {
    let canary = Canary::default();
    for _ in 0..199 {
        canary.record(Arm::Stable, CallOutcome::Good(Duration::from_secs(1)));
    }
    let verdict = |outcome| canary.record(Arm::Canary, outcome);
    assert!((0..500).all(|_| verdict(CallOutcome::Error) == CanaryVerdict::Continue));
    // What is known of the canary counts as soon as there is something to compare it with, also
    // where nobody asks it any more.
    let last = canary.record(Arm::Stable, CallOutcome::Good(Duration::from_secs(1)));
    assert_eq!(last, CanaryVerdict::Stop(StopReason::Errors));
    assert_eq!(verdict(CallOutcome::Error), CanaryVerdict::Continue);
}

#[test]
fn a_stop_is_final_until_reset() {
    let canary = Canary::default();
    for _ in 0..1_500 {
        canary.record(Arm::Stable, CallOutcome::Good(Duration::from_secs(1)));
    }
    while !matches!(canary.state(), CanaryState::Stopped(_)) {
        canary.record(Arm::Canary, CallOutcome::Error);
    }
    for _ in 0..5_000 {
        canary.record(Arm::Canary, CallOutcome::Good(Duration::from_secs(1)));
    }
    assert_eq!(canary.state(), CanaryState::Stopped(StopReason::Errors));
    assert!((0..1_000).all(|hash| canary.admit(hash) == Arm::Stable));
    canary.reset();
    assert_eq!(canary.state(), CanaryState::Running(5));
}

#[test]
fn callers_stay_on_their_side_and_the_share_is_kept() {
    let (small, large) = (Canary::new(5), Canary::new(25));
    let on = |canary: &Canary, hash| canary.admit(hash) == Arm::Canary;
    assert!((0..10_000).all(|hash| !on(&small, hash) || on(&large, hash)));
    let count = (0..100_000).filter(|hash| on(&small, *hash)).count();
    assert!((4_700..5_300).contains(&count), "{count}");
}
