//! Does this target answer badly more often than it used to?
//!
//! A CUSUM of likelihoods: is the share of bad answers still `p0`, what it has been, or `p1`, ten times that (at least 10 %)?
//!
//! ```text
//! bad: S += ln(p1/p0)      good: S = max(0, S + ln((1-p1)/(1-p0)))      alarm at S >= 6.5
//! ```
//!
//! Good answers are only counted, elsewhere: those since the last bad one are accounted for when the next
//! bad one comes, which gives exactly the same score. `p0` is learnt, between 1 % and 30 %, and stands still while S is above 2.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

const ALARM: f32 = 6.5;
const FREEZE: f32 = 2.0;
const P0_MIN: f32 = 0.01;
const P0_MAX: f32 = 0.3;
const P1_MIN: f32 = 0.1;
const P1_MAX: f32 = 0.9;
/// Answers that only teach.
const WARM: u32 = 100;
const STEP: f32 = 1.0 / 500.0;

/// Watches the share of bad answers of one target. Lock-free.
#[derive(Debug)]
pub(crate) struct QualityDetector {
    seen: AtomicU32,
    /// Score (f32) | p0 (f32).
    state: AtomicU64,
}

impl QualityDetector {
    pub(crate) fn new() -> Self {
        Self {
            seen: AtomicU32::new(0),
            state: AtomicU64::new(pack(0.0, P0_MIN)),
        }
    }

    /// Books a bad answer after so many good ones since the last; whether that makes too many.
    pub(crate) fn bad(&self, good: u32) -> bool {
        let before = self
            .seen
            .fetch_add(good.saturating_add(1).min(1 << 20), Ordering::Relaxed);
        let warm = before >= WARM;
        let (score, p0) = unpack(self.state.load(Ordering::Relaxed));
        #[expect(clippy::cast_precision_loss, reason = "a count, used as a weight")]
        let goods = good as f32;
        let p1 = (10.0 * p0).clamp(P1_MIN, P1_MAX);
        let next = if warm {
            let decayed = (score + goods * ((1.0 - p1) / (1.0 - p0)).ln()).max(0.0);
            decayed + (p1 / p0).ln()
        } else {
            0.0
        };
        // Below the freezing point the share is learnt: an average that each answer moves by one step.
        let learnt = if next <= FREEZE.max((p1 / p0).ln()) {
            let step = if warm { STEP } else { STEP * 5.0 };
            (p0 * (1.0 - step).powf(goods + 1.0) + step).clamp(P0_MIN, P0_MAX)
        } else {
            p0
        };
        self.state.store(pack(next, learnt), Ordering::Relaxed);
        next >= ALARM
    }

    /// The learnt usual share of bad answers.
    pub(crate) fn usual(&self) -> f32 {
        unpack(self.state.load(Ordering::Relaxed)).1
    }

    /// Takes the score back to zero and keeps what was learnt.
    pub(crate) fn reset(&self) {
        self.state.store(pack(0.0, self.usual()), Ordering::Relaxed);
    }
}

fn pack(score: f32, p0: f32) -> u64 {
    (u64::from(score.to_bits()) << 32) | u64::from(p0.to_bits())
}

fn unpack(word: u64) -> (f32, f32) {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are meant")]
    let halves = ((word >> 32) as u32, word as u32);
    (f32::from_bits(halves.0), f32::from_bits(halves.1))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    fn warm(rate: f64, rng: &mut SmallRng) -> Watched {
        let mut watched = Watched(QualityDetector::new(), 0);
        feed(&mut watched, rate, 3000, rng);
        watched.0.reset();
        watched
    }

    /// A detector, and the good answers since the last bad one.
    struct Watched(QualityDetector, u32);

    fn feed(watched: &mut Watched, rate: f64, calls: u32, rng: &mut SmallRng) -> u32 {
        let Watched(detector, good) = watched;
        let mut alarms = 0;
        for _ in 0..calls {
            if rng.random::<f64>() >= rate {
                *good += 1;
            } else if detector.bad(std::mem::take(good)) {
                alarms += 1;
                detector.reset();
            }
        }
        alarms
    }

    #[test]
    fn thirty_percent_bad_is_seen_within_twelve_calls() {
        let mut delays: Vec<u32> = (0..301)
            .map(|seed| {
                let mut rng = SmallRng::seed_from_u64(seed);
                let mut watched = warm(0.01, &mut rng);
                (1..)
                    .find(|_| feed(&mut watched, 0.3, 1, &mut rng) > 0)
                    .unwrap()
            })
            .collect();
        delays.sort_unstable();
        assert!(delays[150] <= 12, "median {}", delays[150]);
    }

    #[test]
    fn a_target_as_good_as_ever_alarms_less_than_once_in_ten_thousand() {
        for rate in [0.002, 0.01] {
            let mut rng = SmallRng::seed_from_u64(5);
            let mut watched = warm(rate, &mut rng);
            let alarms = feed(&mut watched, rate, 400_000, &mut rng);
            assert!(alarms < 40, "{alarms} at {rate}");
        }
    }

    #[test]
    fn the_usual_share_is_learnt() {
        let mut rng = SmallRng::seed_from_u64(6);
        let mut watched = warm(0.05, &mut rng);
        feed(&mut watched, 0.05, 5000, &mut rng);
        assert!(
            (0.02..0.09).contains(&watched.0.usual()),
            "{}",
            watched.0.usual()
        );
    }
}
