//! Whether any of many breakers keeps calls back, in one word.
//!
//! Who looks at several gates before each call pays for each of them, although all are closed nearly always. Breakers that share an
//! [`Unrest`] count in it what keeps calls back, each at the moment it begins and ends: one look tells that there is nothing, and only
//! where there is something each gate need be asked.

use std::sync::atomic::{AtomicU32, Ordering};

/// What keeps calls back at any of the breakers that share it: each that is not plainly closed, and each hold.
///
/// It is counted right after the change, so that for an instant a look may miss one: [`acquire`](crate::Breaker::acquire) has the
/// last word, as ever.
#[derive(Debug, Default)]
pub struct Unrest(AtomicU32);

impl Unrest {
    /// Whether nothing was kept back at any of them, a moment ago at the latest. One relaxed load.
    #[inline(always)]
    pub fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Counts a change of one of them. An end may be counted before its beginning was: then it is below zero, which is not none, until
    /// that is made up for.
    pub(crate) fn note(&self, was_clear: bool, is_clear: bool) {
        match (was_clear, is_clear) {
            (true, false) => self.0.fetch_add(1, Ordering::Relaxed),
            (false, true) => self.0.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{Breaker, BreakerConfig, Mode, Outcome, TripReason};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    fn two() -> (Arc<Unrest>, Breaker, Breaker, Instant) {
        let (unrest, start) = (Arc::new(Unrest::default()), Instant::now());
        let new = || Breaker::new(BreakerConfig::default(), start).counted_in(Arc::clone(&unrest));
        (Arc::clone(&unrest), new(), new(), start)
    }

    #[test]
    fn it_lasts_from_the_opening_of_the_first_to_the_closing_of_the_last() {
        let (unrest, one, other, start) = two();
        assert!(unrest.is_none());
        one.trip(start, TripReason::Scope);
        other.force(Mode::ForcedOpen);
        assert!(!unrest.is_none());
        other.force(Mode::Enforce);
        assert!(!unrest.is_none());
        let mut now = start + Duration::from_secs(3_600);
        for _ in 0..10_000 {
            if let Ok(ticket) = one.acquire(now) {
                one.settle(ticket, Outcome::Success, now);
            }
            now += Duration::from_millis(10);
        }
        assert!(one.is_clear() && unrest.is_none());
    }

    #[test]
    fn a_hold_lasts_until_somebody_meets_its_end() {
        let (unrest, one, _other, start) = two();
        one.hold(start + Duration::from_secs(1));
        one.hold(start + Duration::from_secs(2));
        assert!(!unrest.is_none());
        assert!(one.acquire(start + Duration::from_secs(2)).is_ok());
        assert!(unrest.is_none());
    }

    #[test]
    fn a_breaker_that_is_gone_keeps_nobody_back() {
        let (unrest, one, other, start) = two();
        one.trip(start, TripReason::Scope);
        one.hold(start + Duration::from_secs(1));
        drop(one);
        assert!(unrest.is_none());
        drop(other);
        assert!(unrest.is_none());
    }
}
