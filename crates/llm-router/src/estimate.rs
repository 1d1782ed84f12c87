//! How far a target's own count of a prompt's tokens is from the estimate.
//!
//! The estimate is made once a request, of the prompt's bytes, before any target is chosen. A model that
//! cuts text into smaller pieces, or callers who write in another script, make it wrong by the same
//! factor each time, and every answer tells the true count: so each target learns its factor, and its
//! window, its rate limits and its price are compared with what it would count.

use std::sync::atomic::{AtomicU32, Ordering};

/// The factor one, in the unit that is kept: 1024ths.
const ONE: u32 = 1_024;
/// The factor is kept between a quarter and four: further off stands a provider that counts something else.
const LEAST: u32 = ONE / 4;
const MOST: u32 = ONE * 4;
/// Shorter prompts teach nothing: what stands around them weighs more than they do.
const SHORTEST: u64 = 64;
/// Each answer moves the factor by this part of the way to what it showed.
const PART: i64 = 8;

/// A target's factor, learnt from its answers. One word, without a lock: of two answers at the same
/// instant one may be forgotten, which the next makes up for.
#[derive(Debug)]
pub(crate) struct Estimate(AtomicU32);

impl Estimate {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(ONE))
    }

    /// An answer told that a prompt, estimated at `expected` tokens, had `counted`.
    pub(crate) fn observe(&self, expected: u64, counted: u64) {
        if expected < SHORTEST || counted == 0 {
            return;
        }
        let shown = counted.saturating_mul(u64::from(ONE)) / expected;
        let shown = i64::from(u32::try_from(shown).unwrap_or(MOST).clamp(LEAST, MOST));
        let known = i64::from(self.0.load(Ordering::Relaxed));
        let step = (shown - known) / PART;
        // Between two factors that are in bounds lies one that is.
        if let Ok(next) = u32::try_from(known + step) {
            self.0.store(next, Ordering::Relaxed);
        }
    }

    /// What an estimate is to be multiplied with.
    #[inline]
    pub(crate) fn factor(&self) -> f64 {
        f64::from(self.0.load(Ordering::Relaxed)) * (1.0 / f64::from(ONE))
    }

    /// What the target would count of a prompt that is estimated at `expected` tokens.
    #[inline]
    pub(crate) fn apply(&self, expected: u64) -> u64 {
        expected.saturating_mul(u64::from(self.0.load(Ordering::Relaxed))) / u64::from(ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn at_first_the_estimate_is_believed() {
        assert_eq!(Estimate::new().apply(1_000), 1_000);
    }

    #[test]
    fn a_steady_factor_is_learnt() {
        let estimate = Estimate::new();
        for _ in 0..40 {
            estimate.observe(1_000, 1_500);
        }
        let learnt = estimate.apply(1_000);
        assert!((1_450..=1_500).contains(&learnt), "{learnt}");
        for _ in 0..40 {
            estimate.observe(1_000, 500);
        }
        let learnt = estimate.apply(1_000);
        assert!((500..=550).contains(&learnt), "{learnt}");
    }

    #[test]
    fn short_prompts_and_answers_without_a_count_teach_nothing() {
        let estimate = Estimate::new();
        estimate.observe(63, 600);
        estimate.observe(1_000, 0);
        assert_eq!(estimate.apply(1_000), 1_000);
    }

    proptest! {
        #[test]
        fn the_factor_stays_in_bounds(seen in prop::collection::vec((any::<u64>(), any::<u64>()), 0..200)) {
            let estimate = Estimate::new();
            for (expected, counted) in seen {
                estimate.observe(expected, counted);
                let learnt = estimate.apply(1_000_000);
                prop_assert!((250_000..=4_000_000).contains(&learnt), "{learnt}");
            }
        }
    }
}
