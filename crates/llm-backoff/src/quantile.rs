//! A quantile of a stream of durations, learnt without locks.
//!
//! Log-linear buckets: below 1 ms sixteen of 64 µs each, then sixteen to every doubling, up to about 71 minutes, interpolated
//! inside a bucket. Two halves take turns: new values go to one, a read sums both, and when a half's time is up the older
//! one is emptied. A half lasts `half` of time, or longer until it holds enough values, but never longer than twenty times that; so a
//! quiet target keeps what it has learnt for a while, and a changed one is relearnt within two halves.
//!
//! The quantile itself is computed every 64 records and kept in one word, so reading it is two loads. Threads that record
//! while the halves change may lose a value or put it into the wrong half; for a quantile of hundreds that is noise.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SUB: u32 = 16;
const OCTAVES: u32 = 22;
const BUCKETS: usize = (SUB + OCTAVES * SUB) as usize;
const UNIT_US: u64 = 64;
const UNITS_MAX: u64 = (1 << 26) - 1;
const REFRESH: u32 = 64;
const MAX_HALVES: u64 = 20;
/// The last millisecond that is told apart: 36 million years after the origin.
const TICK_MAX: u64 = 1 << 60;

#[derive(Debug)]
struct Half {
    total: AtomicU32,
    buckets: [AtomicU32; BUCKETS],
}

impl Half {
    fn new() -> Self {
        Self {
            total: AtomicU32::new(0),
            buckets: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    fn clear(&self) {
        self.total.store(0, Ordering::Relaxed);
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
    }
}

/// How many of the recent durations were longer than a given one, as [`Quantile::slower`] found them.
#[derive(Debug, Clone)]
pub struct Slower {
    at_least: [u32; BUCKETS],
    total: u32,
}

impl Slower {
    /// The share (above 0 and up to 1) of values that are longer than `age`, rounded up: by a bucket, and by one value more than were seen.
    #[must_use]
    pub fn than(&self, age: Duration) -> f32 {
        let longer = self.at_least.get(index(age)).copied().unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = (longer as f32 + 1.0) / (self.total as f32 + 1.0);
        share.min(1.0)
    }
}

/// One quantile of recent durations. About 3 KiB.
#[derive(Debug)]
pub struct Quantile {
    share: f64,
    samples: u32,
    half_ms: u64,
    origin: Instant,
    /// Start of the running half in ms, and which one it is in the lowest bit.
    turn: AtomicU64,
    /// The quantile in microseconds; 0 = not known.
    known_us: AtomicU64,
    halves: [Half; 2],
}

impl Quantile {
    /// The quantile at `share` (clamped to `0.0..=1.0`), known once `samples` values are there, over halves of `half`.
    /// `origin` is any instant not after the first use.
    #[must_use]
    pub fn new(share: f64, samples: u32, half: Duration, origin: Instant) -> Self {
        Self {
            share: if share.is_nan() {
                1.0
            } else {
                share.clamp(0.0, 1.0)
            },
            samples: samples.max(1),
            half_ms: 1,
            origin,
            turn: AtomicU64::new(0),
            known_us: AtomicU64::new(0),
            halves: [Half::new(), Half::new()],
        }
        .over(half)
    }

    /// The same over halves of another length.
    #[must_use]
    pub fn over(self, half: Duration) -> Self {
        Self {
            half_ms: u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1),
            ..self
        }
    }

    /// Adds a value.
    pub fn record(&self, value: Duration, now: Instant) {
        let turn = self.rotate(self.tick(now));
        let half = self.half(turn);
        if let Some(bucket) = half.buckets.get(index(value)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let total = half.total.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if total.is_multiple_of(REFRESH) || self.known_us.load(Ordering::Relaxed) == 0 {
            self.refresh();
        }
    }

    /// The quantile, if enough recent values are there.
    #[must_use]
    pub fn get(&self, now: Instant) -> Option<Duration> {
        let known = self.known_us.load(Ordering::Relaxed);
        let usable = known != 0 && self.is_recent(now);
        usable.then(|| Duration::from_micros(known))
    }

    /// The quantile at another share (`0.0..=1.0`), if at least `samples` recent values are there: computed anew at each call, in some
    /// 400 steps.
    #[must_use]
    pub fn at(&self, share: f64, samples: u32, now: Instant) -> Option<Duration> {
        let usable = self.samples() >= samples.max(1) && self.is_recent(now);
        let us = usable.then(|| self.compute(share.clamp(0.0, 1.0)))??;
        Some(Duration::from_micros(us))
    }

    fn is_recent(&self, now: Instant) -> bool {
        let start = self.turn.load(Ordering::Relaxed) >> 1;
        let age = self.tick(now).saturating_sub(start);
        age <= self.half_ms.saturating_mul(MAX_HALVES)
    }

    /// The whole of what is known, if enough recent values are there: computed anew at each call, in some 400 steps.
    #[must_use]
    pub fn slower(&self, now: Instant) -> Option<Slower> {
        self.get(now)?;
        let [a, b] = &self.halves;
        let mut at_least = [0u32; BUCKETS];
        let mut total = 0u32;
        let counts = a.buckets.iter().zip(&b.buckets);
        for (place, (a, b)) in at_least.iter_mut().zip(counts).rev() {
            let count = a
                .load(Ordering::Relaxed)
                .saturating_add(b.load(Ordering::Relaxed));
            total = total.saturating_add(count);
            *place = total;
        }
        Some(Slower { at_least, total })
    }

    /// Values held now.
    #[must_use]
    pub fn samples(&self) -> u32 {
        let [a, b] = &self.halves;
        a.total
            .load(Ordering::Relaxed)
            .saturating_add(b.total.load(Ordering::Relaxed))
    }

    fn tick(&self, now: Instant) -> u64 {
        let span = now.saturating_duration_since(self.origin);
        let ms = span.as_secs().saturating_mul(1000);
        ms.saturating_add(u64::from(span.subsec_millis()))
            .min(TICK_MAX)
    }

    fn half(&self, turn: u64) -> &Half {
        let [a, b] = &self.halves;
        if turn & 1 == 0 { a } else { b }
    }

    /// Ends the running half if its time is up; which half is running.
    fn rotate(&self, t: u64) -> u64 {
        let turn = self.turn.load(Ordering::Relaxed);
        let age = t.saturating_sub(turn >> 1);
        if age < self.half_ms {
            return turn;
        }
        let full = self.half(turn).total.load(Ordering::Relaxed) >= self.samples;
        let overdue = age > self.half_ms.saturating_mul(MAX_HALVES);
        if !full && !overdue {
            return turn;
        }
        let next = (t << 1) | (turn & 1 ^ 1);
        match self
            .turn
            .compare_exchange(turn, next, Ordering::Relaxed, Ordering::Relaxed)
        {
            Err(seen) => seen,
            Ok(_) => {
                self.half(next).clear();
                if overdue {
                    self.half(turn).clear();
                    self.known_us.store(0, Ordering::Relaxed);
                }
                next
            }
        }
    }

    fn refresh(&self) {
        if self.samples() < self.samples {
            return;
        }
        if let Some(us) = self.compute(self.share) {
            self.known_us.store(us, Ordering::Relaxed);
        }
    }

    /// The quantile at `share` in microseconds, of all that is held; `None` where that is nothing.
    fn compute(&self, share: f64) -> Option<u64> {
        let [a, b] = &self.halves;
        let target = share * f64::from(self.samples());
        let mut below = 0.0;
        for (place, (a, b)) in a.buckets.iter().zip(&b.buckets).enumerate() {
            let count = a
                .load(Ordering::Relaxed)
                .saturating_add(b.load(Ordering::Relaxed));
            if count == 0 {
                continue;
            }
            let upto = below + f64::from(count);
            if upto >= target {
                let (low, width) = bounds(place);
                let inside = ((target - below) / f64::from(count)).clamp(0.0, 1.0);
                let us = (low + width * inside) * UNIT_US as f64;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "positive, below 2^33"
                )]
                let us = (us as u64).max(1);
                return Some(us);
            }
            below = upto;
        }
        None
    }
}

fn index(value: Duration) -> usize {
    let units = u64::try_from(value.as_micros()).unwrap_or(u64::MAX) / UNIT_US;
    let units = units.min(UNITS_MAX) as u32;
    if units < SUB {
        return units as usize;
    }
    let octave = units.ilog2() - SUB.ilog2();
    (SUB + octave * SUB + ((units >> octave) - SUB)) as usize
}

/// A bucket's lower bound and width, in units.
fn bounds(place: usize) -> (f64, f64) {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    if place < SUB {
        return (f64::from(place), 1.0);
    }
    let octave = (place - SUB) / SUB;
    let low = (SUB + (place - SUB) % SUB) << octave;
    (f64::from(low), f64::from(1u32 << octave))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;
    use proptest::prelude::*;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const MS: fn(u64) -> Duration = Duration::from_millis;

    proptest! {
        #[test]
        fn every_value_lies_in_its_bucket(us in 0u64..4_294_967_296) {
            let units = us as f64 / UNIT_US as f64;
            let (low, width) = bounds(index(Duration::from_micros(us)));
            prop_assert!(units >= low && units < low + width);
            prop_assert!(width <= 1.0 || width / low <= 1.0 / 16.0);
        }

        #[test]
        fn the_share_of_slower_ones_is_never_too_small(values in prop::collection::vec(1u64..20_000, 100..300), age in 0u64..30_000) {
            let origin = start();
            let quantile = Quantile::new(0.9, 100, S(30), origin);
            for value in &values { quantile.record(MS(*value), origin); }
            let share = f64::from(quantile.slower(origin).unwrap().than(MS(age)));
            let count = |from: f64| values.iter().filter(|value| **value as f64 > from).count() as f64 / values.len() as f64;
            prop_assert!(share >= count(age as f64) - 1e-6);
            prop_assert!(share <= count(age as f64 * 0.9 - 1.0) + 0.02);
        }

        #[test]
        fn any_duration_has_a_bucket(value: Duration) {
            prop_assert!(index(value) < BUCKETS);
        }

        #[test]
        fn the_estimate_is_within_a_bucket_of_the_truth(mut values in prop::collection::vec(1u64..100_000, 128), share in 0.5f64..0.99) {
            let origin = start();
            let quantile = Quantile::new(share, 100, S(30), origin);
            for value in &values { quantile.record(MS(*value), origin); }
            values.sort_unstable();
            // Rank by the same rule: the smallest value with at least this share at or below it.
            let truth = (1..=128u32).zip(&values).find(|(rank, _)| f64::from(*rank) >= share * 128.0).map(|(_, v)| *v as f64).unwrap();
            let found = quantile.get(origin).unwrap().as_secs_f64() * 1000.0;
            prop_assert!((found / truth - 1.0).abs() < 0.075, "{} {}", found, truth);
        }
    }

    #[test]
    fn nothing_is_known_before_there_are_enough_values() {
        let origin = start();
        let quantile = Quantile::new(0.9, 100, S(30), origin);
        for _ in 0..99 {
            quantile.record(MS(10), origin);
        }
        assert_eq!(quantile.get(origin), None);
        quantile.record(MS(10), origin);
        assert!(quantile.get(origin).is_some());
    }

    #[test]
    fn a_change_is_learnt_within_two_halves() {
        let origin = start();
        let quantile = Quantile::new(0.9, 100, S(30), origin);
        for second in 0..200u64 {
            let value = if second < 100 { MS(500) } else { S(4) };
            for _ in 0..10 {
                quantile.record(value, origin + S(second));
            }
            if second > 161 {
                let known = quantile.get(origin + S(second)).unwrap();
                assert!(known >= MS(3900), "{second} {known:?}");
            }
        }
        // The median forgets the past too, not only the tail.
        assert!(quantile.samples() <= 620);
    }

    #[test]
    fn a_quiet_target_keeps_what_it_knows_for_ten_minutes() {
        let origin = start();
        let quantile = Quantile::new(0.9, 100, S(30), origin);
        for second in 0..100 {
            quantile.record(MS(100), origin + S(second * 5));
        }
        assert!(quantile.get(origin + S(590)).is_some());
        assert_eq!(quantile.get(origin + S(1200)), None);
        quantile.record(MS(100), origin + S(1200));
        assert_eq!(quantile.samples(), 1);
    }
}
