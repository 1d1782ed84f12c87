//! How far a call has come: what stop and wait rules, hooks and attempts are told.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;

/// The state of a call after an attempt.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress {
    /// The attempt that has just ended; the first is 1.
    pub attempt: u32,
    /// When the call began.
    pub started: Instant,
    /// When that attempt began.
    pub began: Instant,
    /// The present moment.
    pub now: Instant,
    /// Time spent in waits between attempts so far.
    pub slept: Duration,
    /// While the next wait is being computed: the previous one. Afterwards: the next one.
    pub wait: Duration,
    /// Attempts that ran into their own time limit.
    pub timeouts: u32,
}

impl Progress {
    /// A call that begins now.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            attempt: 0,
            started: now,
            began: now,
            now,
            slept: Duration::ZERO,
            wait: Duration::ZERO,
            timeouts: 0,
        }
    }

    /// The same at its first attempt.
    pub(crate) const fn first(now: Instant) -> Self {
        Self {
            attempt: 1,
            ..Self::new(now)
        }
    }

    /// After the attempt that it tells of.
    pub(crate) const fn after(mut self, timed_out: bool) -> Self {
        self.timeouts += timed_out as u32;
        self
    }

    /// Time since the call began, inside attempts and between them.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.saturating_duration_since(self.started)
    }
}

/// What one attempt is told.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Attempt {
    /// Its number; the first is 1.
    pub number: u32,
    /// When it begins.
    pub now: Instant,
    /// By when the whole call must be over.
    pub deadline: Option<Deadline>,
    /// How long this attempt may take: its own limit and the deadline's, whichever is shorter.
    pub window: Option<Duration>,
}

/// Why no further attempt was made although the last one was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopReason {
    /// The stop rule said so.
    Rule,
    /// The next wait would not end before the deadline.
    Deadline,
    /// The server asked for a longer wait than the caller is ready for.
    Hint,
    /// The retry budget is spent.
    Budget,
}

impl StopReason {
    /// The stable name, for metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Deadline => "deadline",
            Self::Hint => "hint",
            Self::Budget => "budget",
        }
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
