//! How long calls of one kind usually take, and how much better a time fits a target that has grown slow.
//!
//! The evidence of a time is `ln g(x) / f(x)`, see `latency.rs`. Because `f` is learnt, the shape of the times does not matter: a second mode or
//! a tail without end is as usual here as it has been.

use std::time::Duration;

use crate::sync::{AtomicU32, Ordering};

/// No time weighs more than this.
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
/// Times that only teach; no evidence before.
const WARM: u32 = 50;
/// Times after which their shares are known well enough to tell waves by them.
const KNOWN: u32 = 200;
const STEP_MIN: f32 = 0.004;

/// The learnt times of one class of calls. Lock-free.
#[derive(Debug)]
pub(crate) struct Baseline {
    seen: AtomicU32,
    /// Median of ln(seconds) (f32), learnt by small steps.
    median: AtomicU32,
    /// How often a time fell into each bin.
    bins: [AtomicU32; BINS],
}

impl Baseline {
    pub(crate) fn new() -> Self {
        Self {
            seen: AtomicU32::new(0),
            median: AtomicU32::new(0.0f32.to_bits()),
            bins: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Counts a time, whatever it says.
    pub(crate) fn see(&self) {
        // Four thousand million are as good as all: from there on only the turns to halving are told.
        let seen = self.seen().checked_add(1).unwrap_or(u32::MAX - HALVE + 1);
        // A lost race between two threads loses one observation of a statistic; that is not worth a loop.
        self.seen.store(seen, Ordering::Relaxed);
    }

    /// How much better a time whose logarithm this is fits a slow target; `None` while too little is known.
    pub(crate) fn evidence(&self, x: f32) -> Option<f32> {
        let (seen, bin) = (self.seen(), bin_of(x));
        (seen >= WARM).then(|| {
            let slow = self.slow(bin, bin_of(self.median()), seen);
            (slow / self.usual(bin)).ln().clamp(-CLIP, CLIP)
        })
    }

    /// The same for a call that would have taken longer.
    pub(crate) fn evidence_beyond(&self, x: f32) -> Option<f32> {
        let (seen, middle) = (self.seen(), bin_of(self.median()));
        (seen >= WARM).then(|| {
            let (mut slow, mut usual) = (0.0, 0.0);
            for bin in bin_of(x)..BINS {
                slow += self.slow(bin, middle, seen);
                usual += self.usual(bin);
            }
            (slow / usual).ln().clamp(-CLIP, CLIP)
        })
    }

    /// Whether shares are known well enough to tell waves by them.
    pub(crate) fn is_known(&self) -> bool {
        self.seen() >= KNOWN
    }

    /// Learns a usual time.
    pub(crate) fn learn(&self, x: f32) {
        let (seen, median) = (self.seen(), self.median());
        #[expect(clippy::cast_precision_loss, reason = "a step size")]
        let step = (1.0 / (seen as f32 + 1.0)).max(STEP_MIN);
        let median = if seen == 0 {
            x
        } else {
            median + step * (x - median).signum()
        };
        self.median.store(median.to_bits(), Ordering::Relaxed);
        if let Some(bin) = self.bins.get(bin_of(x)) {
            bin.fetch_add(1, Ordering::Relaxed);
        }
        if seen % HALVE == HALVE - 1 {
            for bin in &self.bins {
                // What others count meanwhile may be lost: it is a statistic.
                bin.store(bin.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
            }
        }
    }

    /// The learnt median, once there is one.
    pub(crate) fn typical(&self) -> Option<Duration> {
        let seconds = || Duration::from_secs_f32(self.median().clamp(-13.0, 13.0).exp());
        (self.seen() >= WARM).then(seconds)
    }

    /// The median of ln(seconds), 0 before the first time.
    pub(crate) fn median(&self) -> f32 {
        f32::from_bits(self.median.load(Ordering::Relaxed))
    }

    fn seen(&self) -> u32 {
        self.seen.load(Ordering::Relaxed)
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_outlasts_the_count_of_calls() {
        let usual = Baseline::new();
        let teach = |calls: u32| {
            for _ in 0..calls {
                usual.learn(0.0);
                usual.see();
            }
        };
        teach(HALVE);
        usual.seen.store(u32::MAX - HALVE / 2, Ordering::Relaxed);
        teach(3 * HALVE);
        let counted = usual.density(bin_of(0.0));
        assert!(counted > 1000.0, "{counted}");
        assert!(usual.is_known());
    }
}
