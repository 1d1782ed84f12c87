//! A new target on trial beside a stable one: it gets a small share of the calls, more as the
//! evidence grows, and is stopped by itself where it is worse.
//!
//! The trial is one sequential probability ratio test (Wald 1945) each for errors, quality and
//! latency, against what the stable arm is learnt to do. Its steps (5, 25, 50 % of the callers)
//! share that evidence: a step is taken after 150 calls that speak for the canary rather than
//! against it, which is not proof, so the test goes on and a bad one that slipped through is
//! stopped in the next step. Only the last step, to all callers, asks for proof in all three.
//!
//! Errors have a last word besides, where a canary three times as bad would have failed some 20
//! times: more doubt than trust then stops it. With 2 % errors of the stable arm, one with 6 % is
//! so stopped within 400 of its own calls in 97 of 100 trials, and an equal one promoted in as many.

use crate::strategy::mix;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// The chance to stop a good one for its errors, before the last word on them.
const ERROR_ALPHA: f64 = 0.007;
const QUALITY_ALPHA: f64 = 0.005;
/// Latency is settled by few calls, so that it can afford to be surer.
const LATENCY_ALPHA: f64 = 0.0001;
/// The chance to let a bad one pass.
const BETA: f64 = 0.02;
/// The last word on errors: asked while a worse canary would have failed this often ...
const LAST_WORD: std::ops::Range<f64> = 20.0..24.0;
/// ... this evidence is enough to stop it. At any later call the full evidence is asked for again,
/// for every further look at the lower bound would stop more good ones.
const LAST_WORD_EVIDENCE: f64 = 1.0;
/// Evidence on errors that takes a step: at least this clearly on the good side.
const STEP_EVIDENCE: f64 = -2.5;
/// "Worse" means this many times the stable arm's rate of failures ...
const WORSE: f64 = 3.0;
/// ... and at least this much more.
const WORSE_BY: f64 = 0.02;
/// The least rate that a stable arm is taken to have.
const LEAST_RATE: f64 = 0.002;
/// Calls of the stable arm before which nothing is said of its times, and no step is taken.
const KNOWN: f64 = 1_000.0;
/// Calls of the stable arm before which the canary is not stopped.
const GLIMPSED: f64 = 200.0;
/// Calls of the canary in a step before the next is taken.
const STEP: f64 = 150.0;
/// Calls of the stable arm after which older ones lose half their say.
const MEMORY: f64 = 20_000.0;
/// "Slow" is this many times the stable arm's time to the first token.
const SLOWER: f64 = 2.0;
const LEAST_SIGMA: f64 = 0.1;
/// The most evidence on latency that one call can give, either way.
const MOST_OF_A_CALL: f64 = 2.5;

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arm {
    /// The target that is known.
    Stable,
    /// The target on trial.
    Canary,
}

/// How a call ended. The caller's own faults and cancelled calls are not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// A good answer, with its time to the first token.
    Good(Duration),
    /// An answer that failed the quality look.
    Poor,
    /// No answer.
    Error,
}

/// What spoke against the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// It fails more often.
    Errors,
    /// Its answers are bad more often.
    Quality,
    /// It is slower.
    Latency,
}

/// What a record led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CanaryVerdict {
    /// Nothing is decided yet.
    Continue,
    /// The step is passed: the share is now this, in percent; 100 means promoted.
    Promote(u8),
    /// The canary is stopped.
    Stop(StopReason),
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CanaryState {
    /// The canary gets this share of the callers, in percent.
    Running(u8),
    /// It gets all.
    Promoted,
    /// It gets none, until [`Canary::reset`].
    Stopped(StopReason),
}

/// A trial. [`admit`](Self::admit) is one relaxed load; [`record`](Self::record) holds a lock for
/// some tens of nanoseconds and never while anything else happens.
#[derive(Debug)]
pub struct Canary {
    /// The present share in percent, for `admit`.
    share: AtomicU8,
    steps: Box<[u8]>,
    /// A lock, for a dozen sums must change together, and only once a finished call: `admit`, on
    /// the way of every request, does not touch it.
    trial: Mutex<Trial>,
}

#[derive(Debug)]
struct Trial {
    state: CanaryState,
    stable: Stable,
    /// Calls since the present step was taken; all else counts from the beginning.
    in_step: f64,
    calls: f64,
    errors: f64,
    answers: f64,
    poor: f64,
    slow: f64,
}

/// What the stable arm is learnt to do.
#[derive(Debug, Default)]
struct Stable {
    calls: f64,
    errors: f64,
    poor: f64,
    times: f64,
    sum: f64,
    squares: f64,
}

impl Stable {
    fn learn(&mut self, outcome: CallOutcome) {
        if self.calls >= MEMORY {
            for sum in [
                &mut self.calls,
                &mut self.errors,
                &mut self.poor,
                &mut self.times,
                &mut self.sum,
                &mut self.squares,
            ] {
                *sum /= 2.0;
            }
        }
        self.calls += 1.0;
        match outcome {
            CallOutcome::Error => self.errors += 1.0,
            CallOutcome::Poor => self.poor += 1.0,
            CallOutcome::Good(took) => {
                let log = log(took);
                self.times += 1.0;
                self.sum += log;
                self.squares += log * log;
            }
        }
    }

    /// Mean and spread of the logarithm of its times.
    fn usual(&self) -> (f64, f64) {
        let mean = self.sum / self.times;
        let variance = (self.squares / self.times - mean * mean).max(0.0);
        (mean, variance.sqrt().max(LEAST_SIGMA))
    }
}

impl StopReason {
    /// The stable name, for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Quality => "quality",
            Self::Latency => "latency",
        }
    }
}

impl fmt::Display for CanaryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(share) => write!(f, "on trial with {share} % of the callers"),
            Self::Promoted => f.write_str("promoted"),
            Self::Stopped(reason) => write!(f, "stopped for its {}", reason.as_str()),
        }
    }
}

impl Trial {
    fn new(share: u8) -> Self {
        Self {
            state: running(share),
            stable: Stable::default(),
            in_step: 0.0,
            calls: 0.0,
            errors: 0.0,
            answers: 0.0,
            poor: 0.0,
            slow: 0.0,
        }
    }

    fn learn(&mut self, outcome: CallOutcome) {
        self.in_step += 1.0;
        self.calls += 1.0;
        if outcome == CallOutcome::Error {
            self.errors += 1.0;
            return;
        }
        self.answers += 1.0;
        match outcome {
            CallOutcome::Good(took) if self.stable.times >= KNOWN => {
                let (mean, sigma) = self.stable.usual();
                let shift = SLOWER.ln() / sigma;
                // A straggler is one slow call, not ten.
                let z = (log(took) - mean) / sigma;
                let says = (shift * (z - shift / 2.0)).clamp(-MOST_OF_A_CALL, MOST_OF_A_CALL);
                // Once it is known to be fast enough, more of the same would only delay the
                // verdict on one that turns slow.
                self.slow = (self.slow + says).max(passed(LATENCY_ALPHA));
            }
            CallOutcome::Poor => self.poor += 1.0,
            CallOutcome::Good(_) | CallOutcome::Error => {}
        }
    }

    fn verdict(&mut self, steps: &[u8]) -> CanaryVerdict {
        let CanaryState::Running(share) = self.state else {
            return CanaryVerdict::Continue;
        };
        let stable = &self.stable;
        if stable.calls < GLIMPSED {
            return CanaryVerdict::Continue;
        }
        let errors = evidence(self.errors, self.calls, stable.errors, stable.calls);
        let answers = stable.calls - stable.errors;
        let poor = evidence(self.poor, self.answers, stable.poor, answers);
        let worse_errors = self.calls * worse(rate(stable.errors, stable.calls));
        let enough = if LAST_WORD.contains(&worse_errors) {
            LAST_WORD_EVIDENCE
        } else {
            condemned(ERROR_ALPHA)
        };
        let stop = if errors >= enough {
            Some(StopReason::Errors)
        } else if poor >= condemned(QUALITY_ALPHA) {
            Some(StopReason::Quality)
        } else if self.slow >= condemned(LATENCY_ALPHA) {
            Some(StopReason::Latency)
        } else {
            None
        };
        if let Some(reason) = stop {
            self.state = CanaryState::Stopped(reason);
            return CanaryVerdict::Stop(reason);
        }
        let next = steps.iter().copied().find(|step| *step > share);
        let next = next.unwrap_or(100);
        let ready = if next == 100 {
            // A stable arm that gives no answers has no times to compare with.
            let timed = stable.times >= KNOWN;
            errors <= passed(ERROR_ALPHA)
                && poor <= passed(QUALITY_ALPHA)
                && (!timed || self.slow <= passed(LATENCY_ALPHA))
        } else {
            errors <= STEP_EVIDENCE && poor <= 0.0 && self.slow <= 0.0
        };
        if !ready || self.in_step < STEP || stable.calls < KNOWN {
            return CanaryVerdict::Continue;
        }
        self.state = running(next);
        self.in_step = 0.0;
        CanaryVerdict::Promote(next)
    }
}

impl Canary {
    /// The usual steps: 5, 25 and 50 % of the callers.
    pub const STEPS: [u8; 3] = [5, 25, 50];
    /// The most steps of a trial.
    pub const MOST_STEPS: usize = 8;

    /// A trial that begins with `share` percent of the callers (1 to 99, else the nearest).
    #[must_use]
    pub fn new(share: u8) -> Self {
        let later = Self::STEPS.into_iter().filter(|step| *step > share);
        Self::with_steps(&[share].into_iter().chain(later).collect::<Vec<_>>())
    }

    /// A trial that takes these steps, in percent of the callers (each 1 to 99, else the nearest),
    /// in ascending order, and after the last one all of them. At most [`MOST_STEPS`](Self::MOST_STEPS)
    /// count; none stands for [`STEPS`](Self::STEPS).
    #[must_use]
    pub fn with_steps(steps: &[u8]) -> Self {
        let mut steps: Vec<u8> = steps.iter().map(|step| (*step).clamp(1, 99)).collect();
        steps.sort_unstable();
        steps.dedup();
        steps.truncate(Self::MOST_STEPS);
        if steps.is_empty() {
            steps.extend(Self::STEPS);
        }
        let canary = Self {
            share: AtomicU8::new(0),
            steps: steps.into(),
            trial: Mutex::new(Trial::new(0)),
        };
        canary.reset();
        canary
    }

    /// The steps it takes.
    #[must_use]
    pub fn steps(&self) -> &[u8] {
        &self.steps
    }

    /// The side for a request. The same hash stays with the canary as its share grows.
    #[must_use]
    pub fn admit(&self, request_hash: u64) -> Arm {
        // Mixed again, so that a hash used for another choice as well does not tie the two.
        if mix(request_hash ^ 0xca17_a27f) % 100 < u64::from(self.share.load(Relaxed)) {
            Arm::Canary
        } else {
            Arm::Stable
        }
    }

    /// Takes in how a call of one side ended.
    pub fn record(&self, arm: Arm, outcome: CallOutcome) -> CanaryVerdict {
        let mut trial = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        match arm {
            Arm::Stable => {
                trial.stable.learn(outcome);
                // The canary may have failed so badly that its breaker keeps it from being asked:
                // what is known of it counts as soon as there is something to compare it with.
                let enough = (trial.stable.calls - GLIMPSED).abs() < 0.5;
                if !enough || trial.calls < 1.0 {
                    return CanaryVerdict::Continue;
                }
            }
            Arm::Canary => trial.learn(outcome),
        }
        let verdict = trial.verdict(&self.steps);
        self.share.store(share(trial.state), Relaxed);
        verdict
    }

    /// Where the trial stands.
    #[must_use]
    pub fn state(&self) -> CanaryState {
        let trial = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        trial.state
    }

    /// Begins again from the first step, with nothing learnt: the only way back from a stop.
    pub fn reset(&self) {
        let mut trial = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        let first = self.steps.first().copied().unwrap_or(100);
        *trial = Trial::new(first);
        self.share.store(first, Relaxed);
    }
}

impl Default for Canary {
    fn default() -> Self {
        Self::with_steps(&Self::STEPS)
    }
}

/// The log likelihood ratio of "worse" over "as good", where the canary has failed `bad` of
/// `calls` times and the stable arm `stable_bad` of `stable_calls`.
///
/// Failures are rare, so that each arm's are as good as Poisson distributed. Given their sum, the
/// canary's part of it does not depend on the stable arm's true rate, which nobody knows.
fn evidence(bad: f64, calls: f64, stable_bad: f64, stable_calls: f64) -> f64 {
    let stable_calls = stable_calls.max(1.0);
    let rate = rate(stable_bad, stable_calls);
    let stable_bad = stable_bad.max(rate * stable_calls);
    let ratio = worse(rate) / rate;
    let pooled = (stable_calls + ratio * calls) / (stable_calls + calls);
    bad * ratio.ln() - (bad + stable_bad) * pooled.ln()
}

/// The rate that a stable arm is taken to have.
fn rate(bad: f64, calls: f64) -> f64 {
    (bad / calls.max(1.0)).clamp(LEAST_RATE, 0.5)
}

/// The rate of a canary that is worse.
fn worse(rate: f64) -> f64 {
    (rate * WORSE).max(rate + WORSE_BY).min(0.9)
}

fn condemned(alpha: f64) -> f64 {
    ((1.0 - BETA) / alpha).ln()
}

fn passed(alpha: f64) -> f64 {
    (BETA / (1.0 - alpha)).ln()
}

const fn running(share: u8) -> CanaryState {
    match share {
        100.. => CanaryState::Promoted,
        _ => CanaryState::Running(share),
    }
}

const fn share(state: CanaryState) -> u8 {
    match state {
        CanaryState::Running(share) => share,
        CanaryState::Promoted => 100,
        CanaryState::Stopped(_) => 0,
    }
}

fn log(took: Duration) -> f64 {
    took.as_secs_f64().max(1e-6).ln()
}
