//! What an operator wants to know about one breaker.

use std::time::Instant;

use crate::gate::Mode;
use crate::reason::TripReason;

/// Where a breaker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A probe is out, or a growing share of calls passes.
    HalfOpen,
}

impl State {
    /// The stable name, for metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How loudly to speak about the error rate of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alert {
    /// Nothing to say, or too few results to say it.
    Quiet,
    /// Above the first threshold (5 %).
    Alert,
    /// Above the second (15 %).
    Escalate,
}

/// One look at a breaker; the fields are read one after another, so they may be of slightly different moments.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Where it is.
    pub state: State,
    /// Whether its opinion counts.
    pub mode: Mode,
    /// Why it is open or half-open; [`TripReason::None`] when closed.
    pub reason: TripReason,
    /// When the next probe may go, or the lease of the present one ends; `None` when calls pass.
    pub retry_at: Option<Instant>,
    /// The end of a rate limit being waited out.
    pub held_until: Option<Instant>,
    /// The share of calls admitted, `0.0..=1.0`: between 0 and 1 during a ramp.
    pub share: f64,
    /// Hard failures in a row.
    pub streak: u32,
    /// Good results in the window.
    pub good: u32,
    /// Hard failures in the window.
    pub hard: u32,
    /// Soft failures (capacity, rate limits, bad answers) in the window.
    pub soft: u32,
    /// The share of results in the window that were not good, `0.0..=1.0`.
    pub error_rate: f64,
    /// What to make of that rate.
    pub alert: Alert,
    /// How often openings have repeated; the next lasts `cooldown * 2^repeats` up to its maximum.
    pub repeats: u32,
    /// Results dropped because they belong to an earlier life of the breaker.
    pub late: u64,
}
