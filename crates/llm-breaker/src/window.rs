//! Counts of the recent past, exact to a tenth of the window.
//!
//! Ten buckets of failures, one atomic word each: the round of its slot in 20 bits, then hard and soft results in 22 bits each. A
//! bucket whose round is not the current one is started afresh by whoever writes first. Buckets were chosen over a
//! decaying average because the average gives a fast burst of failures almost no weight.
//!
//! Good results are the usual ones, and threads that counted them in one place would spend their time handing its cache line to each
//! other: two threads need 100 ns a call so, and 15 with a line each. They are therefore counted in eight stripes, each
//! thread in its own; only failures and snapshots, which are rare, add them up.

use crate::stripe::{self, STRIPES};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

const BUCKETS: u64 = 10;
const RING: usize = 10;
const FIELD: u32 = 22;
const FIELD_MAX: u64 = (1 << FIELD) - 1;
const ROUND_SHIFT: u32 = 2 * FIELD;
const ROUND_MAX: u64 = (1 << (64 - ROUND_SHIFT)) - 1;
const COUNTS: u64 = (1 << ROUND_SHIFT) - 1;

/// What the window counts as failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
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
        self.good
            .saturating_add(self.hard)
            .saturating_add(self.soft)
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

/// The rings of buckets.
#[derive(Debug)]
pub(crate) struct Window {
    /// Round 20 | soft 22 | hard 22.
    failures: [AtomicU64; RING],
    goods: [Goods; STRIPES],
    /// Failures of calls that were counted as good when they began: round 20 | calls 44.
    taken_back: [AtomicU64; RING],
    slot_ms: AtomicU64,
}

/// The good results that some of the threads have seen, alone on a pair of cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Goods {
    /// Round 20 | good 44.
    buckets: [AtomicU64; RING],
    /// Those since they were last taken.
    untaken: AtomicU32,
}

impl Window {
    pub(crate) fn new(window_ms: u64) -> Self {
        let ring = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            failures: ring(),
            goods: std::array::from_fn(|_| Goods {
                buckets: ring(),
                untaken: AtomicU32::new(0),
            }),
            taken_back: ring(),
            slot_ms: AtomicU64::new(slot(window_ms)),
        }
    }

    /// Begins anew with another length. What is booked at the same moment may be lost, or count for a little longer.
    pub(crate) fn resize(&self, window_ms: u64) {
        self.slot_ms.store(slot(window_ms), Ordering::Relaxed);
        self.clear();
    }

    /// Counts a good result.
    #[inline]
    pub(crate) fn good(&self, now_ms: u64) {
        let slot = now_ms / self.slot_ms.load(Ordering::Relaxed);
        let Some(goods) = self.goods.get(stripe::own()) else {
            return;
        };
        goods.untaken.fetch_add(1, Ordering::Relaxed);
        if let Some(bucket) = of_slot(&goods.buckets, slot) {
            // 44 bits are not filled in any slot.
            count(bucket, slot, |counts| counts + 1);
        }
    }

    /// Counts a failure.
    pub(crate) fn failure(&self, sort: Sort, now_ms: u64) {
        let slot = now_ms / self.slot_ms.load(Ordering::Relaxed);
        let shift = match sort {
            Sort::Hard => 0,
            Sort::Soft => FIELD,
        };
        if let Some(bucket) = of_slot(&self.failures, slot) {
            count(bucket, slot, |counts| {
                let full = (counts >> shift) & FIELD_MAX == FIELD_MAX;
                if full { counts } else { counts + (1 << shift) }
            });
        }
    }

    /// Counts as a failure a call that was counted as good when it began. Where its beginning has left the window meanwhile, one of those
    /// that began since stands for it: of them as many will break.
    pub(crate) fn broken(&self, sort: Sort, now_ms: u64) {
        self.failure(sort, now_ms);
        let slot = now_ms / self.slot_ms.load(Ordering::Relaxed);
        if let Some(bucket) = of_slot(&self.taken_back, slot) {
            count(bucket, slot, |counts| counts + 1);
        }
    }

    /// Takes the number of good results since this was last asked.
    pub(crate) fn take_goods(&self) -> u32 {
        self.goods.iter().fold(0, |sum: u32, goods| {
            sum.saturating_add(goods.untaken.swap(0, Ordering::Relaxed))
        })
    }

    /// Sums the buckets of the ten latest slots, the running one included.
    pub(crate) fn sums(&self, now_ms: u64) -> Sums {
        let newest = now_ms / self.slot_ms.load(Ordering::Relaxed);
        let mut sums = Sums::default();
        let mut taken_back: u32 = 0;
        for slot in (newest + 1).saturating_sub(BUCKETS)..=newest {
            let failures = read(&self.failures, slot);
            sums.hard += low(failures & FIELD_MAX);
            sums.soft += low(failures >> FIELD);
            taken_back = taken_back.saturating_add(low(read(&self.taken_back, slot)));
            for goods in &self.goods {
                let good = low(read(&goods.buckets, slot));
                sums.good = sums.good.saturating_add(good);
            }
        }
        sums.good = sums.good.saturating_sub(taken_back);
        sums
    }

    /// Forgets everything: after a recovery the past says nothing about the target.
    pub(crate) fn clear(&self) {
        let goods = self.goods.iter().flat_map(|goods| &goods.buckets);
        let failures = self.failures.iter().chain(&self.taken_back);
        for bucket in failures.chain(goods) {
            bucket.store(0, Ordering::Relaxed);
        }
    }
}

fn round(slot: u64) -> u64 {
    (slot / BUCKETS + 1) & ROUND_MAX
}

fn of_slot(ring: &[AtomicU64; RING], slot: u64) -> Option<&AtomicU64> {
    ring.get(usize::try_from(slot % BUCKETS).ok()?)
}

/// The counts of a slot, 0 where its bucket is of another round.
fn read(ring: &[AtomicU64; RING], slot: u64) -> u64 {
    let word = of_slot(ring, slot).map_or(0, |bucket| bucket.load(Ordering::Relaxed));
    if word >> ROUND_SHIFT == round(slot) {
        word & COUNTS
    } else {
        0
    }
}

/// Changes the counts of a slot, from 0 where its bucket is of another round.
#[inline]
fn count(bucket: &AtomicU64, slot: u64, next: impl Fn(u64) -> u64) {
    let round = round(slot);
    let mut seen = bucket.load(Ordering::Relaxed);
    loop {
        let counts = if seen >> ROUND_SHIFT == round {
            seen & COUNTS
        } else {
            0
        };
        let word = (round << ROUND_SHIFT) | next(counts);
        match bucket.compare_exchange_weak(seen, word, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(now) => seen = now,
        }
    }
}

/// The length of one bucket; never zero.
fn slot(window_ms: u64) -> u64 {
    (window_ms / BUCKETS).max(1)
}

fn low(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_bucket_stays_full() {
        let window = Window::new(30_000);
        let full = u32::try_from(FIELD_MAX).unwrap();
        window.failures[0].store((1 << ROUND_SHIFT) | (FIELD_MAX - 1), Ordering::Relaxed);
        for _ in 0..3 {
            window.failure(Sort::Hard, 5);
        }
        window.failure(Sort::Soft, 5);
        let sums = window.sums(5);
        assert_eq!((sums.hard, sums.soft), (full, 1));
    }

    #[test]
    fn threads_count_in_stripes_and_nothing_is_lost() {
        let window = Window::new(30_000);
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..100).for_each(|n| window.good(n)));
            }
        });
        assert_eq!(window.sums(99).good, 2000);
        assert_eq!((window.take_goods(), window.take_goods()), (2000, 0));
    }

    proptest! {
        /// Against a list of all results: the ring holds those of the running slot and the nine before it.
        #[test]
        fn the_ring_equals_a_list(steps in prop::collection::vec((0u64..9000, 0u8..3), 1..300)) {
            let window = Window::new(30_000);
            let (mut now, mut list) = (0u64, Vec::new());
            for (gap, sort) in steps {
                now += gap;
                match sort {
                    0 => window.good(now),
                    1 => window.failure(Sort::Hard, now),
                    _ => window.failure(Sort::Soft, now),
                }
                list.push((now / 3000, sort));
                let recent = list.iter().filter(|(slot, _)| slot + 10 > now / 3000);
                let mut model = Sums::default();
                for (_, sort) in recent {
                    match sort { 0 => model.good += 1, 1 => model.hard += 1, _ => model.soft += 1 }
                }
                prop_assert_eq!(window.sums(now), model);
            }
        }
    }
}
