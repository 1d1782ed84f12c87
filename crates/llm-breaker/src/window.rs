//! Counts of the recent past, exact to a tenth of the window.
//!
//! Ten buckets, one atomic word each: the round of its slot in 19 bits, then good, hard and soft results in 15 bits each. A
//! bucket whose round is not the current one is started afresh by whoever writes first. Buckets were chosen over a
//! decaying average because the average gives a fast burst of failures almost no weight. When a bucket fills (32 767
//! of one sort in three seconds by default) all its counts are halved, which keeps their proportions.

use crate::sync::{AtomicU64, Ordering};

const BUCKETS: u64 = 10;
const RING: usize = 10;
const FIELD: u32 = 15;
const FIELD_MAX: u64 = (1 << FIELD) - 1;
const ROUND_MAX: u64 = (1 << 19) - 1;

/// What the window counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Good,
    Hard,
    Soft,
}

/// The sums over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) good: u32,
    pub(crate) hard: u32,
    pub(crate) soft: u32,
}

impl Sums {
    pub(crate) fn total(self) -> u32 {
        self.good + self.hard + self.soft
    }

    /// The share of failures, a soft one counting half: a target that only ever says "busy" is as good as down, one that says
    /// so to some callers is not.
    pub(crate) fn trip_share(self) -> f64 {
        let bad = f64::from(self.hard) + 0.5 * f64::from(self.soft);
        bad / f64::from(self.total().max(1))
    }

    /// The plain share of results that were not good.
    pub(crate) fn error_rate(self) -> f64 {
        f64::from(self.hard + self.soft) / f64::from(self.total().max(1))
    }
}

/// The ring of buckets.
#[derive(Debug)]
pub(crate) struct Window {
    buckets: [AtomicU64; RING],
    slot_ms: u64,
}

impl Window {
    pub(crate) fn new(window_ms: u64) -> Self {
        Self {
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            slot_ms: (window_ms / BUCKETS).max(1),
        }
    }

    pub(crate) fn add(&self, sort: Sort, now_ms: u64) {
        let slot = now_ms / self.slot_ms;
        let round = (slot / BUCKETS + 1) & ROUND_MAX;
        let Some(bucket) = self.bucket(slot % BUCKETS) else {
            return;
        };
        let shift = match sort {
            Sort::Good => 0,
            Sort::Hard => FIELD,
            Sort::Soft => 2 * FIELD,
        };
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            let counts = if seen >> (3 * FIELD) == round {
                seen & ((1 << (3 * FIELD)) - 1)
            } else {
                0
            };
            let counts = if (counts >> shift) & FIELD_MAX == FIELD_MAX {
                halve(counts)
            } else {
                counts
            };
            let next = (round << (3 * FIELD)) | (counts + (1 << shift));
            match bucket.compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Sums the buckets of the ten latest slots, the running one included.
    pub(crate) fn sums(&self, now_ms: u64) -> Sums {
        let newest = now_ms / self.slot_ms;
        let mut sums = Sums::default();
        for age in 0..BUCKETS.min(newest + 1) {
            let slot = newest - age;
            let Some(bucket) = self.bucket(slot % BUCKETS) else {
                continue;
            };
            let word = bucket.load(Ordering::Relaxed);
            if word >> (3 * FIELD) == (slot / BUCKETS + 1) & ROUND_MAX {
                sums.good += field(word, 0);
                sums.hard += field(word, FIELD);
                sums.soft += field(word, 2 * FIELD);
            }
        }
        sums
    }

    /// Forgets everything: after a recovery the past says nothing about the target.
    pub(crate) fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
    }

    fn bucket(&self, index: u64) -> Option<&AtomicU64> {
        self.buckets.get(usize::try_from(index).ok()?)
    }
}

fn field(word: u64, shift: u32) -> u32 {
    ((word >> shift) & FIELD_MAX) as u32
}

fn halve(counts: u64) -> u64 {
    let half = |shift: u32| (u64::from(field(counts, shift)) / 2) << shift;
    half(0) | half(FIELD) | half(2 * FIELD)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_bucket_keeps_its_proportions() {
        let window = Window::new(30_000);
        for _ in 0..30_000 {
            window.add(Sort::Good, 5);
            window.add(Sort::Hard, 5);
        }
        for _ in 0..10_000 {
            window.add(Sort::Good, 5);
            window.add(Sort::Hard, 5);
        }
        let sums = window.sums(5);
        assert!((sums.error_rate() - 0.5).abs() < 0.001, "{sums:?}");
        assert!(sums.total() > 32_000);
    }

    proptest! {
        /// Against a list of all results: the ring holds those of the running slot and the nine before it.
        #[test]
        fn the_ring_equals_a_list(steps in prop::collection::vec((0u64..9000, 0u8..3), 1..300)) {
            let window = Window::new(30_000);
            let (mut now, mut list) = (0u64, Vec::new());
            for (gap, sort) in steps {
                now += gap;
                let sort = [Sort::Good, Sort::Hard, Sort::Soft][usize::from(sort)];
                window.add(sort, now);
                list.push((now / 3000, sort));
                let recent = list.iter().filter(|(slot, _)| slot + 10 > now / 3000);
                let mut model = Sums::default();
                for (_, sort) in recent {
                    match sort { Sort::Good => model.good += 1, Sort::Hard => model.hard += 1, Sort::Soft => model.soft += 1 }
                }
                prop_assert_eq!(window.sums(now), model);
            }
        }
    }
}
