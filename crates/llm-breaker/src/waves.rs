//! How many calls it takes to say what one independent call would.
//!
//! Where load comes in waves, calls of the same moment are slow together and say the same thing many times over. How much so is learnt
//! from the evidence itself: its sums over blocks of calls swing more than those of independent calls would.
//!
//! ```text
//! inflation = E[(sum over 32 calls - 32 m)^2] / (32 E[(e - m)^2])        1 where calls are independent, (1 + r) / (1 - r) for AR(1)
//! ```
//!
//! Evidence is divided by it. For a shift of the level that is what the likelihoods themselves say: with noise of so much more variance,
//! the same sum weighs so much less.

use crate::sync::{AtomicU64, Ordering};

const BLOCK_CALLS: f32 = 32.0;
/// Weight of the newest block, once there are as many.
const NEWEST: f32 = 1.0 / 64.0;
/// Blocks of independent calls that are taken for seen before the first.
const BELIEF: f32 = 8.0;
/// The estimate's own error, which independent calls must not pay for.
const MARGIN: f32 = 1.5;
const INFLATION_MAX: f32 = 64.0;
/// Evidence that hardly differs from call to call swings by chance alone.
const LEAST_VARIANCE: f32 = 0.5;

/// Learns how much the evidence of successive calls hangs together. Lock-free.
#[derive(Debug)]
pub(crate) struct Waves {
    /// Of the running block: sum (f32) | calls (u32).
    block: AtomicU64,
    /// Of single calls: mean (f32) | mean square (f32).
    calls: AtomicU64,
    /// Of blocks: mean square of their swings, a call (f32) | blocks seen (f32).
    swings: AtomicU64,
}

impl Waves {
    pub(crate) fn new() -> Self {
        Self {
            block: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            swings: AtomicU64::new(0),
        }
    }

    /// Books the evidence of one call. Threads that meet lose some of it: it is a statistic.
    pub(crate) fn learn(&self, evidence: f32) {
        let (mean, square) = floats(self.calls.load(Ordering::Relaxed));
        let (swing, blocks) = floats(self.swings.load(Ordering::Relaxed));
        let word = self.block.load(Ordering::Relaxed);
        let (sum, calls) = floats(word);
        let (sum, calls) = (sum + evidence, calls + 1.0);
        let weight = NEWEST.max(1.0 / (blocks + 1.0));
        // A plain mean at first: one that crept away from zero would be taken for a swing.
        let step = (NEWEST / BLOCK_CALLS).max(1.0 / (blocks * BLOCK_CALLS + calls));
        let mean = mean + step * (evidence - mean);
        let square = square + step * (evidence * evidence - square);
        self.calls.store(word_of(mean, square), Ordering::Relaxed);
        if calls < BLOCK_CALLS {
            self.block.store(word_of(sum, calls), Ordering::Relaxed);
            return;
        }
        self.block.store(0, Ordering::Relaxed);
        // How far it is from those before it, of which the mean was without this one. The first has none before it.
        let off = (sum - mean * BLOCK_CALLS) / (1.0 - weight).max(NEWEST);
        let swing = if blocks < 1.0 {
            square - mean * mean
        } else {
            swing + weight * (off * off / BLOCK_CALLS - swing)
        };
        self.swings
            .store(word_of(swing, blocks + 1.0), Ordering::Relaxed);
    }

    /// By how much evidence is to be divided, 1 to 64.
    pub(crate) fn inflation(&self) -> f32 {
        let (mean, square) = floats(self.calls.load(Ordering::Relaxed));
        let (swing, blocks) = floats(self.swings.load(Ordering::Relaxed));
        let variance = (square - mean * mean).max(LEAST_VARIANCE);
        let blocks = blocks.min(1.0 / NEWEST);
        let seen = (swing / variance * blocks + BELIEF) / (blocks + BELIEF);
        (seen / MARGIN).clamp(1.0, INFLATION_MAX)
    }
}

/// Two numbers in one word.
pub(crate) fn word_of(high: f32, low: f32) -> u64 {
    (u64::from(high.to_bits()) << 32) | u64::from(low.to_bits())
}

/// The two numbers of a word.
pub(crate) fn floats(word: u64) -> (f32, f32) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
    let (high, low) = ((word >> 32) as u32, word as u32);
    (f32::from_bits(high), f32::from_bits(low))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    /// What is learnt of `blocks` blocks of an AR(1) with this memory.
    fn inflation(memory: f32, blocks: u32, seed: u64) -> f32 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let waves = Waves::new();
        let mut level = 0.0f32;
        for _ in 0..blocks * 32 {
            let news = (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
            level = memory * level + (1.0 - memory * memory).sqrt() * news;
            waves.learn(level - 0.7);
        }
        waves.inflation()
    }

    #[test]
    fn independent_calls_are_taken_at_their_word() {
        let high = (0..100u32)
            .filter(|seed| inflation(0.0, 3 + seed, (*seed).into()) > 1.1)
            .count();
        assert!(high <= 10, "{high} of 100");
    }

    #[test]
    fn what_is_always_the_same_is_no_wave() {
        let waves = Waves::new();
        for _ in 0..100 {
            (0..32).for_each(|_| waves.learn(-2.5));
            assert!(waves.inflation() < 1.01, "{}", waves.inflation());
        }
    }

    #[test]
    fn what_hangs_together_counts_less() {
        // (1 + r) / (1 - r) is 3 and 19, of which blocks of 32 see a little less.
        let (short, long) = (inflation(0.5, 200, 1), inflation(0.9, 200, 1));
        assert!((1.5..2.5).contains(&short), "{short}");
        assert!((6.0..13.0).contains(&long), "{long}");
    }
}
