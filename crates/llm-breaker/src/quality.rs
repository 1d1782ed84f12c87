//! Does this target answer badly more often than it used to?
//!
//! A CUSUM of likelihoods: is the share of bad answers still `p0`, what it has been, or `p1`, ten times that?
//!
//! ```text
//! p1 = 10 p0, but from 15 % to 30 %, and at least 1.5 p0
//! bad: S += ln(p1/p0)      good: S = max(0, S + ln((1-p1)/(1-p0)))
//! alarm: S >= ln(6 000 (1 + 40 p0) D) + 12 * 100 / answers so far       D = p0 ln(p0/p1) + (1-p0) ln((1-p0)/(1-p1))
//! ```
//!
//! D is what S loses by an answer, on average, while all is as usual; `e^S / D` is about the number of calls between false alarms
//! (Siegmund, *Sequential Analysis*, 1985, less the overshoot, which errs to the quiet side). The larger `p0`, the closer `p1` is to it and
//! the more does an error of what was learnt cost, hence the factor of `p0`; the last term is for what is hardly known yet.
//!
//! By chance as many bad answers follow each other as `p0` makes likely. So a streak, too, must be longer where they are usual: so long that
//! it comes about once in 40 000 calls. That is five up to 12 %, seven at 20 %.
//!
//! `p0` is learnt, between 1 % and 50 %, from every answer, but from each only when it has been judged: when S is back at zero, or has
//! raised an alarm. To leave out what looks bad would make the share that is learnt too small, by a third at 5 %; and one that has risen
//! for good would never be learnt. An outage is a dozen answers until it is found, and moves a share by less than half a percent.
//!
//! Good answers are only counted, elsewhere: those since the last bad one are accounted for when the next
//! bad one comes, which gives exactly the same score. An alarm starts S again, whoever heeds it. The table of delays and false alarms is in the manual.

use crate::sync::{AtomicU32, AtomicU64, Ordering};

const P0_MIN: f64 = 0.01;
const P0_MAX: f64 = 0.5;
const P1_MIN: f64 = 0.15;
/// More than this is bad enough wherever it is not usual.
const P1_ENOUGH: f64 = 0.3;
const P1_LEAST_RATIO: f64 = 1.5;
const CALLS_BETWEEN_ALARMS: f64 = 6_000.0;
/// How much more of them, by `p0`.
const MORE_BETWEEN: f64 = 40.0;
/// ln(40 000): how unlikely a streak must be.
const STREAK_NATS: f64 = 10.6;
/// How much more the score must be when answers begin to count; less and less with each that is learnt from.
const UNKNOWN: f64 = 12.0;
/// Answers that only teach.
const WARM: u32 = 100;
/// What is thought of a target before it has said anything, and how many answers that is worth.
const PRIOR: f64 = 0.05;
const PRIOR_ANSWERS: u32 = 20;
/// So many answers are what the usual share is learnt from.
const MEMORY: u32 = 1000;
/// Answers are not counted beyond this.
const SEEN_MAX: u32 = 1 << 20;

/// Watches the share of bad answers of one target. Lock-free; what two threads book at once may be booked as one.
#[derive(Debug)]
pub(crate) struct QualityDetector {
    seen: AtomicU32,
    /// The share of all answers so far, those included that are not judged yet.
    share: Real,
    /// The same of those that are, within bounds: `p0`.
    usual: Real,
    score: Real,
}

impl QualityDetector {
    pub(crate) fn new() -> Self {
        Self {
            seen: AtomicU32::new(0),
            share: Real::new(PRIOR),
            usual: Real::new(PRIOR),
            score: Real::new(0.0),
        }
    }

    /// Books a bad answer after so many good ones since the last; whether that makes too many.
    pub(crate) fn bad(&self, good: u32) -> bool {
        let seen = self.teach(good);
        let known = known(seen);
        let share = (self.share.get() * known + 1.0) / (known + 1.0);
        self.share.set(share);
        self.seen.store((seen + 1).min(SEEN_MAX), Ordering::Relaxed);
        if seen < WARM {
            self.usual.set(bounded(share));
            return false;
        }
        let odds = Odds::of(self.usual.get());
        let decayed = (self.score.get() + f64::from(good) * odds.good).max(0.0);
        let odds = if decayed > 0.0 {
            odds
        } else {
            // Back at zero all that came before is judged; and one bad answer alone is no more than usual.
            self.usual.set(bounded(share));
            Odds::of(bounded(share))
        };
        let score = decayed + odds.bad;
        let alarm = score >= odds.alarm + UNKNOWN * f64::from(WARM) / f64::from(seen);
        if alarm {
            self.score.set(0.0);
            self.usual.set(bounded(share));
        } else {
            self.score.set(score);
        }
        alarm
    }

    /// How many bad answers in a row are more than chance; two while the usual share is not known.
    pub(crate) fn streak(&self) -> u32 {
        if self.seen.load(Ordering::Relaxed) < WARM {
            return 2;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 2 and 16 by the bounds of p0"
        )]
        let needed = (STREAK_NATS / -self.usual.get().ln()).ceil() as u32;
        needed
    }

    /// Takes the score back to zero and keeps what was learnt, from the good answers since the last bad one as well.
    pub(crate) fn reset(&self, good: u32) {
        self.teach(good);
        self.score.set(0.0);
        self.usual.set(bounded(self.share.get()));
    }

    /// Books good answers; how many there are of both sorts.
    fn teach(&self, good: u32) -> u32 {
        let seen = self.seen.load(Ordering::Relaxed);
        // A plain mean at first, then one that forgets.
        let room = MEMORY.saturating_sub(seen.saturating_add(PRIOR_ANSWERS));
        let (plain, rest) = (good.min(room), good - good.min(room));
        let known = known(seen);
        let mean = self.share.get() * known / (known + f64::from(plain));
        let forgets = f64::from(MEMORY) / f64::from(MEMORY + 1);
        self.share.set(mean * forgets.powf(f64::from(rest)));
        let seen = seen.saturating_add(good).min(SEEN_MAX);
        self.seen.store(seen, Ordering::Relaxed);
        seen
    }
}

/// What answers weigh where this share is usual, and the score that is too much.
struct Odds {
    bad: f64,
    good: f64,
    alarm: f64,
}

impl Odds {
    fn of(p0: f64) -> Self {
        let p1 = (10.0 * p0)
            .clamp(P1_MIN, P1_ENOUGH)
            .max(P1_LEAST_RATIO * p0);
        let (bad, good) = ((p1 / p0).ln(), ((1.0 - p1) / (1.0 - p0)).ln());
        let loss = -(p0 * bad + (1.0 - p0) * good);
        let between = CALLS_BETWEEN_ALARMS * (1.0 + MORE_BETWEEN * p0);
        Self {
            bad,
            good,
            alarm: (between * loss).ln(),
        }
    }
}

/// What an answer is averaged with.
fn known(seen: u32) -> f64 {
    f64::from(seen.saturating_add(PRIOR_ANSWERS).min(MEMORY))
}

fn bounded(share: f64) -> f64 {
    share.clamp(P0_MIN, P0_MAX)
}

/// An atomic number.
#[derive(Debug)]
struct Real(AtomicU64);

impl Real {
    fn new(value: f64) -> Self {
        Self(AtomicU64::new(value.to_bits()))
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::SmallRng};

    /// A detector beside the streak that its breaker keeps.
    struct Watched {
        detector: QualityDetector,
        good: u32,
        in_a_row: u32,
        rng: SmallRng,
    }

    impl Watched {
        fn cold(seed: u64) -> Self {
            Self {
                detector: QualityDetector::new(),
                good: 0,
                in_a_row: 0,
                rng: SmallRng::seed_from_u64(seed),
            }
        }

        fn warm(rate: f64, seed: u64) -> Self {
            let mut watched = Self::cold(seed);
            watched.openings(rate, 3000);
            watched
        }

        /// One call, bad at this rate; whether the breaker would open.
        fn call(&mut self, rate: f64) -> bool {
            if self.rng.random::<f64>() >= rate {
                self.good += 1;
                self.in_a_row = 0;
                return false;
            }
            self.in_a_row += 1;
            let drifted = self.detector.bad(std::mem::take(&mut self.good));
            let opens = drifted || self.in_a_row >= self.detector.streak().max(5);
            if opens {
                self.in_a_row = 0;
                self.detector.reset(0);
            }
            opens
        }

        fn openings(&mut self, rate: f64, calls: u32) -> u32 {
            (0..calls).map(|_| u32::from(self.call(rate))).sum()
        }
    }

    /// The median number of calls until so large a share is found.
    fn delay(usual: f64, rate: f64) -> u32 {
        let mut delays: Vec<u32> = (0..501)
            .map(|seed| {
                let mut watched = Watched::warm(usual, seed);
                (1..).find(|_| watched.call(rate)).unwrap()
            })
            .collect();
        delays.sort_unstable();
        delays[250]
    }

    /// The manual's table: usual share in percent, false openings one in so many calls, delays to 30, 60 and 100 %.
    fn told() -> Vec<Vec<f64>> {
        let rows = include_str!("lib.rs")
            .lines()
            .skip_while(|line| !line.contains("| usual share"));
        rows.skip(2)
            .map_while(|line| line.strip_prefix("//! | "))
            .map(|row| {
                let cells = row.split(" | ");
                let number = |cell: &str| {
                    let digits = cell.replace([' ', '%', '|'], "");
                    digits.parse().unwrap()
                };
                cells.map(number).collect()
            })
            .collect()
    }

    #[test]
    fn what_the_manual_says_of_delays_and_false_openings_is_so() {
        let told = told();
        assert_eq!(told.len(), 7);
        let mut wrong = Vec::new();
        for row in told {
            let usual = row[0] / 100.0;
            let openings = Watched::warm(usual, 5).openings(usual, 600_000);
            assert!(openings < 60, "{openings} in 600 000 at {usual}");
            let delays = [0.3, 0.6, 1.0].map(|rate| f64::from(delay(usual, rate)));
            println!("{} %: {openings} in 600 000, {delays:?}", row[0]);
            assert!(usual > 0.01 || delays[0] <= 12.0);
            // Three standard deviations of so rare an event are chance.
            let told = 600_000.0 / row[1];
            let rarer = f64::from(openings) <= told + 3.0 * told.sqrt();
            let off = |(calls, told): (&f64, &f64)| (calls - told).abs() > 0.1 * calls;
            if !rarer || delays.iter().zip(&row[2..]).any(off) {
                wrong.push(row);
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_target_hardly_known_yet_is_not_opened_for_chance_either() {
        for usual in [0.002, 0.01, 0.02, 0.05, 0.1, 0.2] {
            let openings: u32 = (0..300)
                .map(|seed| Watched::cold(seed).openings(usual, 2000))
                .sum();
            assert!(openings <= 60, "{openings} in 600 000 at {usual}");
        }
    }

    #[test]
    fn the_usual_share_is_learnt_without_bias() {
        for share in [0.02, 0.05, 0.1, 0.2, 0.3] {
            let mut watched = Watched::warm(share, 6);
            let mut sum = 0.0;
            for _ in 0..100_000 {
                watched.call(share);
                sum += watched.detector.usual.get();
            }
            let mean = sum / 100_000.0;
            assert!((mean - share).abs() <= 0.04 * share, "{mean} at {share}");
        }
    }

    #[test]
    fn a_share_that_has_risen_for_good_becomes_the_usual_one() {
        let mut watched = Watched::warm(0.01, 7);
        let first = watched.openings(0.15, 1000);
        watched.openings(0.15, 3000);
        let later = watched.openings(0.15, 20_000);
        assert!(first >= 3, "{first}");
        assert!(later <= 2, "{later}");
    }

    #[test]
    fn what_nobody_heeded_is_not_held_against_a_target_that_is_well_again() {
        // A lone target is always spared: alarms come, and nothing is done about them.
        let mut watched = Watched::warm(0.01, 8);
        for _ in 0..1000 {
            watched.call(0.5);
            watched.in_a_row = 0;
        }
        watched.detector.bad(std::mem::take(&mut watched.good));
        let score = watched.detector.score.get();
        assert!(score < 12.0, "{score}");
        assert_eq!(watched.openings(0.01, 5_000), 0);
    }
}
