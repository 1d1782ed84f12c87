//! Is this target slower than its own past?
//!
//! A one-sided CUSUM of likelihood ratios: how much better does "everything takes 2.8 times as long, or more" explain the times than "as ever"?
//!
//! ```text
//! S = max(0, S + clip(ln g(x) / f(x), -2.5, 2.5) / waves)        alarm at S >= 10
//! g(x) = mean of f(x / k), k = 2.8, 4.8, 8, 13; a twentieth spread over all that is slower than the median, a tenth over what is more than 13 times as slow
//! ```
//!
//! `f` is the learnt share of times in each quarter of an octave, smoothed with its neighbours; beyond what was ever seen it falls by half
//! with each octave. Because it is learnt, the shape of the times does not matter: a second mode or a tail without end is as usual there as it has been. Whatever `f`
//! is, a healthy target's S reaches h in fewer than one of e^h stretches of calls (Page 1954; Lorden 1971). Nothing is learnt while S is
//! above 2, so that a slow hour does not become the baseline. Feed it time to first token and, in a second one, time per output
//! token; never the total time, which is mostly the length of the answer. A call that is given up says that it took longer than
//! its age, and is weighed by how much likelier that is: ln G(age) / F(age), the shares of all slower times.
//!
//! The median is learnt by small steps.
//!
//! Where load comes in waves, successive calls are not independent, and a few of them prove little. How much less is learnt
//! (`waves` above, see `waves.rs`); it is 1 where calls are independent.
//!
//! What it cannot do: tell this target's trouble from a wave of load that slows everyone. So its alarm opens no breaker. Ask a peer beside
//! the target then, and leave it for one that is faster again and again; `llm-router` does.

use std::time::Duration;

use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::waves::Waves;

/// The score from which a target counts as slow.
pub const SLOW: f32 = 10.0;

const CLIP: f32 = 2.5;
/// Quarters of an octave from 1 ms to 17 minutes.
const BINS: usize = 80;
const BINS_PER_OCTAVE: f32 = 4.0;
const LEAST_SECONDS: f32 = 0.001;
/// How much slower the other hypotheses are, in bins: the first is 2^(6/4) = 2.8 times.
const SHIFTS: [usize; 4] = [6, 9, 12, 15];
/// What every bin holds before anything was seen, and so many octaves beyond what was, half as much for each.
const PRIOR: f32 = 1.0;
/// The part of all times that a slow target puts into each bin above the median, a twentieth over forty, and into each that is
/// slower than the last of the shifts.
const TAIL: f32 = 0.05 / 40.0;
const FAR_TAIL: f32 = 0.1 / 40.0;
/// Counts are halved after so many times, which forgets old ones.
const HALVE: u32 = 4096;
const FREEZE: f32 = 2.0;
const SCORE_MAX: f32 = 15.0;
/// Times that only teach; no score before.
const WARM: u32 = 50;
/// Times after which their shares are known well enough to tell waves by them.
const KNOWN: u32 = 200;
/// Calls with a raised score after which the slow time is taken for the new normal.
const FREEZE_MAX: u32 = 1000;
const STEP_MIN: f32 = 0.004;

/// Learns how long one target usually takes, and scores how far it is from that. Lock-free.
#[derive(Debug)]
pub struct LatencyDetector {
    /// Score (f32) | times seen (u32).
    score: AtomicU64,
    /// Median of ln(seconds) (f32).
    median: AtomicU32,
    /// Calls since the median last moved.
    frozen: AtomicU32,
    /// How often a time fell into each bin.
    bins: [AtomicU32; BINS],
    waves: Waves,
}

impl Default for LatencyDetector {
    fn default() -> Self {
        Self {
            score: AtomicU64::new(0),
            median: AtomicU32::new(0.0f32.to_bits()),
            frozen: AtomicU32::new(0),
            bins: std::array::from_fn(|_| AtomicU32::new(0)),
            waves: Waves::new(),
        }
    }
}

impl LatencyDetector {
    /// Books a time; the score after it.
    pub fn observe(&self, time: Duration) -> f32 {
        let x = time.as_secs_f32().max(1e-6).ln();
        let (score, seen) = unpack(self.score.load(Ordering::Relaxed));
        let median = self.median();
        let frozen = self.frozen.load(Ordering::Relaxed);
        let bin = bin_of(x);
        let next = if seen < WARM {
            0.0
        } else {
            let slow = self.slow(bin, bin_of(median), seen);
            let evidence = (slow / self.usual(bin)).ln().clamp(-CLIP, CLIP);
            let next = self.after(score, evidence);
            // What may be trouble says nothing of waves, nor does what is weighed by hardly known shares.
            if next < SLOW / 2.0 && seen >= KNOWN {
                self.waves.learn(evidence);
            }
            next
        };
        let frozen = if next <= FREEZE {
            0
        } else {
            frozen.saturating_add(1)
        };
        // A lost race between two threads loses one observation of a statistic; that is not worth a loop.
        self.score
            .store(pack(next, seen.saturating_add(1)), Ordering::Relaxed);
        self.frozen.store(frozen, Ordering::Relaxed);
        if frozen == 0 || frozen > FREEZE_MAX {
            self.learn(x, seen, median);
            self.count(bin, seen);
        }
        next
    }

    /// Books a call that was given up, or beaten by another, at this age: it would have taken longer; the score after it. Nothing
    /// is learnt from it.
    pub fn outlasted(&self, age: Duration) -> f32 {
        let x = age.as_secs_f32().max(1e-6).ln();
        let (score, seen) = unpack(self.score.load(Ordering::Relaxed));
        if seen < WARM {
            return 0.0;
        }
        let middle = bin_of(self.median());
        let (mut slow, mut usual) = (0.0, 0.0);
        for bin in bin_of(x)..BINS {
            slow += self.slow(bin, middle, seen);
            usual += self.usual(bin);
        }
        let next = self.after(score, (slow / usual).ln().clamp(-CLIP, CLIP));
        self.score.store(pack(next, seen), Ordering::Relaxed);
        next
    }

    /// The score: 0 is usual, [`SLOW`] and above is slow.
    #[must_use]
    pub fn score(&self) -> f32 {
        unpack(self.score.load(Ordering::Relaxed)).0
    }

    /// Whether the target is much slower than its own past.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.score() >= SLOW
    }

    /// How many successive calls say what one independent call would, 1 to 64: more than 1 where load comes in waves.
    #[must_use]
    pub fn waves(&self) -> f32 {
        self.waves.inflation()
    }

    /// The learnt median, once there is one.
    #[must_use]
    pub fn typical(&self) -> Option<Duration> {
        let (_, seen) = unpack(self.score.load(Ordering::Relaxed));
        (seen >= WARM).then(|| Duration::from_secs_f32(self.median().clamp(-13.0, 13.0).exp()))
    }

    /// Takes the score back to zero and keeps the baseline: after a recovery.
    pub fn reset(&self) {
        let (_, seen) = unpack(self.score.load(Ordering::Relaxed));
        self.score.store(pack(0.0, seen), Ordering::Relaxed);
        self.frozen.store(0, Ordering::Relaxed);
    }

    /// The score after this evidence.
    fn after(&self, score: f32, evidence: f32) -> f32 {
        (score + evidence / self.waves.inflation()).clamp(0.0, SCORE_MAX)
    }

    /// How many of the times seen would be in this bin if the target had grown slow.
    fn slow(&self, bin: usize, middle: usize, seen: u32) -> f32 {
        let faster = SHIFTS.iter().filter_map(|shift| bin.checked_sub(*shift));
        let shifted = faster.map(|faster| self.density(faster)).sum::<f32>() / 4.0;
        let share = match bin.saturating_sub(middle) {
            0 => 0.0,
            off if off <= SHIFTS[3] => TAIL,
            _ => TAIL + FAR_TAIL,
        };
        #[expect(clippy::cast_precision_loss, reason = "a count, used as a weight")]
        let tail = seen.min(HALVE) as f32 * share;
        shifted + tail + self.prior(bin)
    }

    /// How many of them are.
    fn usual(&self, bin: usize) -> f32 {
        self.density(bin) + self.prior(bin)
    }

    /// What a bin holds beside what was seen in it: the less, the further it is from anything that was.
    fn prior(&self, bin: usize) -> f32 {
        let known = self.bins.get(..=bin).unwrap_or_default().iter().rev();
        let empty = known.take_while(|bin| bin.load(Ordering::Relaxed) == 0);
        #[expect(clippy::cast_precision_loss, reason = "80 at most")]
        let octaves = empty.count() as f32 / BINS_PER_OCTAVE;
        PRIOR * (-octaves).exp2()
    }

    /// The count of a bin, smoothed with its neighbours'.
    fn density(&self, bin: usize) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a count, used as a weight")]
        let count = |bin: Option<usize>| {
            let bin = bin.and_then(|bin| self.bins.get(bin));
            bin.map_or(0, |bin| bin.load(Ordering::Relaxed)) as f32
        };
        let sides = count(bin.checked_sub(1)) + count(Some(bin + 1));
        (count(Some(bin)) * 2.0 + sides) / 4.0
    }

    fn count(&self, bin: usize, seen: u32) {
        if let Some(bin) = self.bins.get(bin) {
            bin.fetch_add(1, Ordering::Relaxed);
        }
        if seen % HALVE == HALVE - 1 {
            for bin in &self.bins {
                // What others count meanwhile may be lost: it is a statistic.
                bin.store(bin.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
    }

    fn learn(&self, x: f32, seen: u32, median: f32) {
        #[expect(clippy::cast_precision_loss, reason = "a step size")]
        let step = (1.0 / (seen as f32 + 1.0)).max(STEP_MIN);
        let median = if seen == 0 {
            x
        } else {
            median + step * (x - median).signum()
        };
        self.median.store(median.to_bits(), Ordering::Relaxed);
    }

    fn median(&self) -> f32 {
        f32::from_bits(self.median.load(Ordering::Relaxed))
    }
}

/// The bin of a time whose logarithm this is.
fn bin_of(x: f32) -> usize {
    let place = (x - LEAST_SECONDS.ln()) * (BINS_PER_OCTAVE / std::f32::consts::LN_2);
    #[expect(clippy::cast_precision_loss, reason = "80")]
    let last = (BINS - 1) as f32;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last bin"
    )]
    let bin = place.clamp(0.0, last) as usize;
    bin
}

fn pack(score: f32, low: u32) -> u64 {
    (u64::from(score.to_bits()) << 32) | u64::from(low)
}

fn unpack(word: u64) -> (f32, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
    let halves = ((word >> 32) as u32, word as u32);
    (f32::from_bits(halves.0), halves.1)
}
