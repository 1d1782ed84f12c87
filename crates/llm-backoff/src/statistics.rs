//! What calls have cost: of one call, and of all calls under one policy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::progress::StopReason;

/// What one call has cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Attempts made.
    pub attempts: u32,
    /// Attempts that ran into their own time limit.
    pub timeouts: u32,
    /// Time spent waiting between attempts.
    pub slept: Duration,
    /// Time from the beginning of the call to its end.
    pub elapsed: Duration,
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Report<T, E> {
    /// The last result: a value, the last error, or a value that the condition rejected to the end.
    pub result: Result<T, E>,
    /// Why no further attempt was made; `None` when the result was accepted or not worth another attempt.
    pub stopped: Option<StopReason>,
    /// What it cost.
    pub statistics: Statistics,
}

/// Running totals over all calls that share it; three relaxed additions a call.
#[derive(Debug, Default)]
pub struct Tally {
    calls: AtomicU64,
    attempts: AtomicU64,
    gave_up: AtomicU64,
    slept_ms: AtomicU64,
}

/// One look at a [`Tally`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Calls that have ended.
    pub calls: u64,
    /// Attempts they made.
    pub attempts: u64,
    /// Calls that ended because a rule, the deadline, a hint or the budget forbade another attempt.
    pub gave_up: u64,
    /// Time spent in waits, in milliseconds.
    pub slept_ms: u64,
}

impl Totals {
    /// Attempts per call: 1 when nothing is retried.
    #[must_use]
    pub fn amplification(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a ratio of counts")]
        let ratio = self.attempts as f64 / self.calls.max(1) as f64;
        ratio
    }
}

impl Tally {
    /// All at zero; can be a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            attempts: AtomicU64::new(0),
            gave_up: AtomicU64::new(0),
            slept_ms: AtomicU64::new(0),
        }
    }

    /// Adds a call.
    pub fn add(&self, statistics: &Statistics, stopped: Option<StopReason>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.attempts
            .fetch_add(u64::from(statistics.attempts), Ordering::Relaxed);
        if stopped.is_some() {
            self.gave_up.fetch_add(1, Ordering::Relaxed);
        }
        if !statistics.slept.is_zero() {
            let ms = u64::try_from(statistics.slept.as_millis()).unwrap_or(u64::MAX);
            self.slept_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }

    /// The totals so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            calls: self.calls.load(Ordering::Relaxed),
            attempts: self.attempts.load(Ordering::Relaxed),
            gave_up: self.gave_up.load(Ordering::Relaxed),
            slept_ms: self.slept_ms.load(Ordering::Relaxed),
        }
    }
}
