//! One absolute instant by which the whole call must be over.
//!
//! It is set once and handed down into attempts, sleeps, hedges and queue waits, so time spent *inside* attempts
//! counts like time spent waiting. Budgets of sleep alone mean nothing when one attempt may take two minutes.

use std::time::{Duration, Instant};

/// What "never" is cut down to when an instant that far away cannot be represented: about a hundred years.
const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The monotonic instant at which a caller stops caring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline at this instant.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// A deadline this long after `now`; a span too long for the clock becomes about a hundred years.
    #[must_use]
    pub fn after(now: Instant, span: Duration) -> Self {
        let far = || now.checked_add(FAR).unwrap_or(now);
        Self(now.checked_add(span).unwrap_or_else(far))
    }

    /// The instant itself.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// What is left, zero once past.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether the instant has been reached.
    #[must_use]
    pub fn is_past(&self, now: Instant) -> bool {
        now >= self.0
    }

    /// Whether a wait that begins now ends before the deadline, with time left to do something after it.
    #[must_use]
    pub fn allows(&self, now: Instant, wait: Duration) -> bool {
        wait < self.remaining(now)
    }

    /// The earlier of two.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn a_wait_that_ends_on_the_deadline_is_not_allowed() {
        let now = start();
        let deadline = Deadline::after(now, Duration::from_secs(2));
        assert!(deadline.allows(now, Duration::from_millis(1999)));
        assert!(!deadline.allows(now, Duration::from_secs(2)));
        assert!(!deadline.allows(now + Duration::from_secs(3), Duration::ZERO));
        assert!(deadline.is_past(now + Duration::from_secs(2)));
        assert_eq!(
            deadline.remaining(now + Duration::from_secs(9)),
            Duration::ZERO
        );
    }

    #[test]
    fn an_endless_span_does_not_overflow() {
        let now = start();
        assert!(Deadline::after(now, Duration::MAX).allows(now, Duration::from_secs(1 << 30)));
    }
}
