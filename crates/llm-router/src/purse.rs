//! What may be spent on comparing a target that seems slow with another one.
//!
//! Who pays must have something left on the day it matters. The retry budget of the other target does not: it is filled by answers, and
//! a fallback that nobody needs gives none. So every target has a purse for trials of itself: ten at most, one more every ten seconds,
//! full again when a trial has led to something. While it lasts a slowness is noticed within seconds; should earlier ones have emptied it, within
//! a minute. It bounds what doubt costs, whatever the traffic: six calls a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const MOST: u64 = 10;
const EVERY_MS: u64 = 10_000;
const FULL_MS: u64 = MOST * EVERY_MS;

/// Tokens that come back with time. Lock-free.
#[derive(Debug)]
pub(crate) struct Purse {
    /// When it was, or would have been, empty: milliseconds since that long before the origin which fills it.
    empty_ms: AtomicU64,
    origin: Instant,
}

impl Purse {
    /// A full one.
    pub(crate) fn new(origin: Instant) -> Self {
        Self {
            empty_ms: AtomicU64::new(0),
            origin,
        }
    }

    /// Takes what one trial costs. `false`: it is not there.
    #[must_use = "a trial that was not paid for must not be sent"]
    pub(crate) fn pay(&self, now: Instant) -> bool {
        let t = self.millis(now);
        let paid = |empty: u64| {
            let next = empty.max(t.saturating_sub(FULL_MS)) + EVERY_MS;
            (next <= t).then_some(next)
        };
        self.empty_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid)
            .is_ok()
    }

    /// Gives that back.
    pub(crate) fn refund(&self) {
        let back = |empty: u64| Some(empty.saturating_sub(EVERY_MS));
        // It always changes the word, so it never fails.
        let _ = self
            .empty_ms
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
    }

    /// Fills it.
    pub(crate) fn fill(&self) {
        self.empty_ms.store(0, Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin) + Duration::from_millis(FULL_MS);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    fn payments(purse: &Purse, now: Instant) -> usize {
        (0..1_000).take_while(|_| purse.pay(now)).count()
    }

    #[test]
    fn it_is_full_at_first_and_one_more_comes_every_ten_seconds() {
        let start = origin();
        let purse = Purse::new(start);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(payments(&purse, at(0)), 10);
        assert_eq!(payments(&purse, at(9)), 0);
        assert_eq!(payments(&purse, at(10)), 1);
        assert_eq!(payments(&purse, at(45)), 3);
        assert_eq!(payments(&purse, at(50)), 1, "and no part is lost");
        assert_eq!(payments(&purse, at(1_000_000)), 10);
    }

    #[test]
    fn what_is_given_back_can_be_spent_again_and_no_more_than_it_holds() {
        let start = origin();
        let purse = Purse::new(start);
        assert!(purse.pay(start));
        purse.refund();
        assert_eq!(payments(&purse, start), 10);
        purse.refund();
        assert_eq!(payments(&purse, start), 1);
        (0..50).for_each(|_| purse.refund());
        assert_eq!(payments(&purse, start), 10);
        purse.fill();
        assert_eq!(payments(&purse, start), 10);
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing_away() {
        let start = origin();
        let purse = Purse::new(start);
        let later = start + Duration::from_secs(3_600);
        assert_eq!(payments(&purse, later), 10);
        assert_eq!(payments(&purse, start), 0);
        assert_eq!(payments(&purse, later), 0);
    }
}
