//! Is this target slower than its own past?
//!
//! A one-sided CUSUM on the logarithm of a time, measured in spreads above the baseline:
//!
//! ```text
//! z = clip((ln x - median) / spread, -3, 3)        S = max(0, S + z - 1)        alarm at S >= 7.5
//! ```
//!
//! Median and spread (1.4826 x median absolute deviation) are learnt by small steps, and stand still while S is above 2, so that
//! a slow hour does not become the baseline. Feed it time to first token and, in a second one, time per output token;
//! never the total time, which is mostly the length of the answer.
//!
//! Why a CUSUM: at equal false-alarm rates it sees a threefold slowdown about twice as early as the best rule of the kind "n slow calls in a row".
//! What it cannot do: tell this target's trouble from a wave of load that slows everyone, since then successive calls are not
//! independent. So its alarm lowers a target's weight; it opens a breaker only [beside peers](slow_beside) that are not slow.

use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

/// The score from which a target counts as slow.
pub const SLOW: f32 = 7.5;

/// The score that opens a breaker, when peers are calm.
const OPENING: f32 = 9.0;

const ALLOWANCE: f32 = 1.0;
const CLIP: f32 = 3.0;
const FREEZE: f32 = 2.0;
const SCORE_MAX: f32 = 12.0;
/// How far the recent level must stand above the median of the peers', in spreads.
const APART: f32 = 1.5;
/// Weight of the newest time in the recent level.
const LEVEL: f32 = 0.2;
/// Times that only teach; no score before.
const WARM: u32 = 50;
/// Calls with a raised score after which the slow time is taken for the new normal.
const FREEZE_MAX: u32 = 1000;
const STEP_MIN: f32 = 0.004;
const SPREAD_MIN: f32 = 0.15;

/// Learns how long one target usually takes, and scores how far it is from that. Lock-free.
#[derive(Debug)]
pub struct LatencyDetector {
    /// Score (f32) | times seen (u32).
    score: AtomicU64,
    /// Median of ln(seconds) (f32) | median absolute deviation (f32).
    baseline: AtomicU64,
    /// Recent level: average of z (f32) | calls since the baseline last moved (u32).
    level: AtomicU64,
}

/// How a target's times compare with its own past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The evidence that it is slow: 0 is usual, [`SLOW`] and above is slow.
    pub score: f32,
    /// How slow it has lately been, in spreads above its median.
    pub level: f32,
}

impl Default for LatencyDetector {
    fn default() -> Self {
        Self {
            score: AtomicU64::new(0),
            baseline: AtomicU64::new(pack(0.0, 0.4f32.to_bits())),
            level: AtomicU64::new(0),
        }
    }
}

impl LatencyDetector {
    /// Books a time; the score after it.
    pub fn observe(&self, time: Duration) -> f32 {
        let x = time.as_secs_f32().max(1e-6).ln();
        let (score, seen) = unpack(self.score.load(Ordering::Relaxed));
        let (median, deviation) = self.baseline_bits();
        let spread = (1.4826 * deviation).max(SPREAD_MIN);
        let z = ((x - median) / spread).clamp(-CLIP, CLIP);
        let (level, frozen) = unpack(self.level.load(Ordering::Relaxed));
        let (next, level) = if seen < WARM {
            (0.0, 0.0)
        } else {
            (
                (score + z - ALLOWANCE).clamp(0.0, SCORE_MAX),
                level + LEVEL * (z - level),
            )
        };
        let frozen = if next <= FREEZE {
            0
        } else {
            frozen.saturating_add(1)
        };
        // A lost race between two threads loses one observation of a statistic; that is not worth a loop.
        self.score
            .store(pack(next, seen.saturating_add(1)), Ordering::Relaxed);
        self.level.store(pack(level, frozen), Ordering::Relaxed);
        if frozen == 0 || frozen > FREEZE_MAX {
            self.learn(x, seen, median, deviation);
        }
        next
    }

    /// The score: 0 is usual, [`SLOW`] and above is slow.
    #[must_use]
    pub fn score(&self) -> f32 {
        unpack(self.score.load(Ordering::Relaxed)).0
    }

    /// Score and recent level, for comparing with peers.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            score: self.score(),
            level: unpack(self.level.load(Ordering::Relaxed)).0,
        }
    }

    /// Whether the target is much slower than its own past.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.score() >= SLOW
    }

    /// The learnt median, once there is one.
    #[must_use]
    pub fn typical(&self) -> Option<Duration> {
        let (_, seen) = unpack(self.score.load(Ordering::Relaxed));
        let median = self.baseline_bits().0;
        (seen >= WARM).then(|| Duration::from_secs_f32(median.clamp(-13.0, 13.0).exp()))
    }

    /// Takes the score back to zero and keeps the baseline: after a recovery.
    pub fn reset(&self) {
        let (_, seen) = unpack(self.score.load(Ordering::Relaxed));
        self.score.store(pack(0.0, seen), Ordering::Relaxed);
        self.level.store(0, Ordering::Relaxed);
    }

    fn learn(&self, x: f32, seen: u32, median: f32, deviation: f32) {
        #[expect(clippy::cast_precision_loss, reason = "a step size")]
        let step = (1.0 / (seen as f32 + 1.0)).max(STEP_MIN);
        let (median, deviation) = if seen == 0 {
            (x, deviation)
        } else {
            let off = x - median;
            let wide = if off.abs() > deviation { 1.0 } else { -1.0 };
            (
                median + step * off.signum(),
                (deviation + step * wide * 0.5).max(0.01),
            )
        };
        self.baseline
            .store(pack(median, deviation.to_bits()), Ordering::Relaxed);
    }

    fn baseline_bits(&self) -> (f32, f32) {
        let (median, deviation) = unpack(self.baseline.load(Ordering::Relaxed));
        (median, f32::from_bits(deviation))
    }
}

/// Whether a target is slow while its peers are not: its score is at least 9 (opening is a stronger act than lowering a weight,
/// which [`SLOW`] is for), most of its peers' scores are calm, and its recent level stands 1.5 spreads above theirs. Without
/// peers the answer is no: nothing tells the target's trouble from everyone's. Reorders `peers`.
#[must_use]
pub fn slow_beside(own: Standing, peers: &mut [Standing]) -> bool {
    let half = peers.len() / 2;
    let mut median = |of: fn(&Standing) -> f32| {
        peers.sort_unstable_by(|a, b| of(a).total_cmp(&of(b)));
        peers.get(half).map(of)
    };
    let (Some(score), Some(level)) = (median(|s| s.score), median(|s| s.level)) else {
        return false;
    };
    own.score >= OPENING && score <= FREEZE && own.level - level >= APART
}

fn pack(score: f32, low: u32) -> u64 {
    (u64::from(score.to_bits()) << 32) | u64::from(low)
}

fn unpack(word: u64) -> (f32, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
    let halves = ((word >> 32) as u32, word as u32);
    (f32::from_bits(halves.0), halves.1)
}
