//! Failures in a row, inside a time.
//!
//! The times of the last sixteen failures are kept, so "five in a row inside 60 s" is exact: a slow trickle that spans
//! longer never trips, and a burst after it does. The count lives on the breaker's hot line (see `breaker.rs`), the
//! times here are touched on failures only. Two threads may write their times in either order; a slot not yet written holds an
//! *older* time, which can only delay a trip by one failure, never cause one.

use crate::config::FAILURES_MAX;
use crate::sync::{AtomicU64, Ordering};

/// The times of the latest failures of one sort.
#[derive(Debug)]
pub(crate) struct Times {
    slots: [AtomicU64; FAILURES_MAX as usize],
}

impl Times {
    pub(crate) fn new() -> Self {
        Self {
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Notes the `count`-th failure in a row (from 1); whether the last `needed` of them lie inside `window_ms`.
    pub(crate) fn note(&self, count: u32, now_ms: u64, needed: u32, window_ms: u64) -> bool {
        let slot = |n: u32| self.slots.get((n % FAILURES_MAX) as usize);
        if let Some(slot) = slot(count) {
            slot.store(now_ms, Ordering::Relaxed);
        }
        if count < needed {
            return false;
        }
        let first = slot(count - (needed - 1)).map_or(0, |slot| slot.load(Ordering::Relaxed));
        now_ms.saturating_sub(first) <= window_ms
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_never_trips_and_a_burst_after_it_does() {
        let times = Times::new();
        let mut count = 0;
        let mut fail = |now| {
            count += 1;
            times.note(count, now, 5, 60_000)
        };
        for n in 0..40 {
            assert!(!fail(n * 16_000));
        }
        let burst = 39 * 16_000;
        // 48 s of trickle and one more: the last five lie inside 60 s.
        assert!(fail(burst + 1_000));
    }

    #[test]
    fn a_streak_of_one_and_of_sixteen() {
        assert!(Times::new().note(1, 9, 1, 10));
        let times = Times::new();
        let tripped: Vec<u32> = (1..=20)
            .filter(|n| times.note(*n, u64::from(*n), 16, 15))
            .collect();
        assert_eq!(tripped, [16, 17, 18, 19, 20]);
    }
}
