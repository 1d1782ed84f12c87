//! What a breaker is told of a call, and what it says of itself.

use std::time::Instant;

use crate::reason::TripReason;

/// How a call ended, as far as the target's health is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A good answer.
    Success,
    /// A stream has begun, and nothing will be told of its end; where it will, use [`Breaker::begin`](crate::Breaker::begin). As
    /// [`Success`](Self::Success), but no streak of broken streams or bad answers ends.
    Begun,
    /// The target or the way to it is broken: crash, timeout, connection failure.
    Hard,
    /// The target is there and cannot take more: rate limit, overload. Never feeds the streak.
    Soft,
    /// A success in form with an unusable answer: empty, garbled, invalid. Has a streak of its own.
    BadAnswer,
    /// Says nothing about the target: the caller's own fault. Frees a probe's lease without judgement.
    Neutral,
}

/// Whether a target may be called: the answer of [`Breaker::readiness`](crate::Breaker::readiness).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It may. During a ramp [`Breaker::acquire`](crate::Breaker::acquire) may still refuse some.
    Ready,
    /// The next call would be the probe.
    Probe,
    /// A hold keeps calls away until this instant; then it is as before.
    Held(Instant),
    /// Open until this instant; or half-open, and its probe may have answered by then.
    Open(Instant),
}

/// A change of state worth an event.
///
/// What time alone does is not among them, as nobody is there to be told: that a cooldown is over (whoever comes then
/// [is the probe](crate::Ticket::is_probe)), that a probe's lease is, or that a ramp has reached its next step. A [`Snapshot`](crate::Snapshot) shows all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// It opened.
    Opened {
        /// Why.
        reason: TripReason,
    },
    /// A sign of life ended an opening early; the next call is the probe.
    HalfOpened,
    /// The probe was good; a growing share of calls passes.
    Ramping,
    /// All calls pass again.
    Closed,
}

impl Change {
    /// Its name in logs and metrics. Stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::HalfOpened => "half_opened",
            Self::Ramping => "ramping",
            Self::Closed => "closed",
        }
    }

    /// Why it opened; [`TripReason::None`] of any other change.
    #[must_use]
    pub const fn reason(self) -> TripReason {
        match self {
            Self::Opened { reason } => reason,
            _ => TripReason::None,
        }
    }
}
