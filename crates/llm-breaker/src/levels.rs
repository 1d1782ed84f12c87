//! How slow the last calls were beside the levels that were seen before: what a wave of load could still be, and what none was.
//!
//! A wave slows all calls of some seconds together, so that a hundred of them prove no more than one: the level of that moment. It is
//! compared with levels, not with calls:
//!
//! ```text
//! level = mean of ln(seconds / median) over the last calls, the newest with weight 1/16
//! z     = (level - m) / s        m, s: mean and standard deviation of the same over blocks of 32 calls
//! ```
//!
//! Where calls are independent, s is that of a mean of 32, and any slowness worth the name is far beyond it. Where load comes in waves, s
//! is theirs, and only a level that none of them came near is more than a wave.

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::waves::{floats, word_of};

/// Weight of the newest call in the level. Its variance is that of a mean of 31 independent calls.
const NEWEST_CALL: f32 = 1.0 / 16.0;
const BLOCK_CALLS: f32 = 32.0;
/// Weight of the newest block, once there are as many.
const NEWEST_BLOCK: f32 = 1.0 / 128.0;
/// Blocks before which nothing is known of levels.
const LEAST_BLOCKS: f32 = 4.0;
/// Levels swing by chance alone by as much as this.
const LEAST_VARIANCE: f32 = 0.01;

/// Learns the levels of one target's times. Lock-free.
#[derive(Debug)]
pub(crate) struct Levels {
    /// The level (f32).
    now: AtomicU32,
    /// Of the running block: sum (f32) | calls (f32).
    block: AtomicU64,
    /// Of blocks: mean (f32) | variance (f32).
    blocks: AtomicU64,
    /// Blocks seen (f32).
    seen: AtomicU32,
}

impl Levels {
    pub(crate) fn new() -> Self {
        Self {
            now: AtomicU32::new(0),
            block: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
            seen: AtomicU32::new(0),
        }
    }

    /// Books how far the logarithm of a call's time is from the median. Threads that meet lose some: it is a statistic.
    pub(crate) fn observe(&self, off: f32) {
        let level = self.level();
        let next = level + NEWEST_CALL * (off - level);
        self.now.store(next.to_bits(), Ordering::Relaxed);
    }

    /// Books a call that would have taken longer than this: it says something where that is more than the level.
    pub(crate) fn outlasted(&self, off: f32) {
        if off > self.level() {
            self.observe(off);
        }
    }

    /// Learns from a call of usual times.
    pub(crate) fn learn(&self, off: f32) {
        let (sum, calls) = floats(self.block.load(Ordering::Relaxed));
        let (sum, calls) = (sum + off, calls + 1.0);
        if calls < BLOCK_CALLS {
            self.block.store(word_of(sum, calls), Ordering::Relaxed);
            return;
        }
        self.block.store(0, Ordering::Relaxed);
        let seen = self.seen() + 1.0;
        let weight = NEWEST_BLOCK.max(1.0 / seen);
        let (mean, variance) = floats(self.blocks.load(Ordering::Relaxed));
        let off = sum / BLOCK_CALLS - mean;
        let mean = mean + weight * off;
        let variance = (1.0 - weight) * (variance + weight * off * off);
        self.blocks
            .store(word_of(mean, variance), Ordering::Relaxed);
        self.seen.store(seen.to_bits(), Ordering::Relaxed);
    }

    /// By how many standard deviations of earlier levels the level is above their mean; `None` while they are not known.
    pub(crate) fn beyond(&self) -> Option<f32> {
        let (mean, variance) = self.known()?;
        Some((self.level() - mean) / variance.max(LEAST_VARIANCE).sqrt())
    }

    /// How many times as slow as on average the last calls were; never less than 1.
    pub(crate) fn slower(&self) -> f32 {
        let off = self.known().map_or(0.0, |(mean, _)| self.level() - mean);
        off.clamp(0.0, 10.0).exp()
    }

    /// Takes the level back to where it usually is.
    pub(crate) fn reset(&self) {
        if let Some((mean, _)) = self.known() {
            self.now.store(mean.to_bits(), Ordering::Relaxed);
        }
    }

    fn known(&self) -> Option<(f32, f32)> {
        (self.seen() >= LEAST_BLOCKS).then(|| floats(self.blocks.load(Ordering::Relaxed)))
    }

    fn level(&self) -> f32 {
        f32::from_bits(self.now.load(Ordering::Relaxed))
    }

    fn seen(&self) -> f32 {
        f32::from_bits(self.seen.load(Ordering::Relaxed))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    /// Levels learnt from calls with a standard deviation of 0.6, in waves of 0.5 with this memory from 32 calls to the next.
    fn learnt(memory: f32, sigma: f32) -> Levels {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut normal = move || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
        let levels = Levels::new();
        let mut wave = 0.0f32;
        for call in 0..6_400u32 {
            if call % 32 == 0 {
                wave = memory * wave + (1.0 - memory * memory).sqrt() * normal();
            }
            let x = sigma * wave + 0.6 * normal() - 0.7;
            levels.observe(x);
            levels.learn(x);
        }
        levels
    }

    /// How far beyond what was known the level is after many calls so many times as slow.
    fn beyond(levels: &Levels, slower: f32) -> f32 {
        for _ in 0..100 {
            levels.observe(slower.ln() - 0.7);
        }
        levels.beyond().unwrap_or(f32::NAN)
    }

    #[test]
    fn what_is_a_wave_in_one_world_is_none_in_another() {
        let (still, wavy) = (learnt(0.0, 0.0), learnt(0.9, 0.5));
        assert!(beyond(&still, 3.0) > 8.0, "{}", beyond(&still, 3.0));
        // Nothing is left for its level below the square root of twenty.
        assert!(beyond(&wavy, 3.0) < 4.4, "{}", beyond(&wavy, 3.0));
        assert!(beyond(&wavy, 15.0) > 4.5, "{}", beyond(&wavy, 15.0));
        let slower = wavy.slower();
        assert!((10.0..20.0).contains(&slower), "{slower}");
        wavy.reset();
        assert!(wavy.slower() < 1.01);
    }

    #[test]
    fn a_call_given_up_early_says_nothing_and_a_late_one_does() {
        let levels = learnt(0.0, 0.0);
        let before = levels.slower();
        for _ in 0..50 {
            levels.outlasted(-3.0);
        }
        assert!((levels.slower() - before).abs() < 0.001);
        for _ in 0..50 {
            levels.outlasted(1.0);
        }
        assert!(levels.slower() > 3.0, "{}", levels.slower());
    }

    #[test]
    fn before_a_few_blocks_nothing_is_known() {
        let levels = Levels::new();
        for _ in 0..127 {
            levels.observe(5.0);
            levels.learn(5.0);
        }
        assert_eq!(levels.beyond(), None);
        assert!((levels.slower() - 1.0).abs() < 0.001);
    }
}
