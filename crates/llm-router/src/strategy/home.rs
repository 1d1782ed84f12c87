//! Where sticky keys are at home: weighted rendezvous hashing, remembered.
//!
//! Keys are dealt into [`LOTS`] lots, and each lot belongs to the candidate that is nearest to it by a hash of the two and by weight. So
//! where a candidate is lost only its own lots move, and where one is new it takes only what becomes its own. Who is nearest takes a
//! look at all of them, but depends on nothing that changes: it is looked up once a lot, and then it is known.

use super::{mix, unit};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

const LOT_BITS: u32 = 14;
/// With 64 equal candidates each has 256 of them, give or take 16.
pub(crate) const LOTS: usize = 1 << LOT_BITS;

/// The lot of a key.
#[inline]
pub(crate) const fn lot(key: u64) -> u64 {
    mix(key) >> (u64::BITS - LOT_BITS)
}

/// How far a candidate is from a lot; endless where that is more than `bound`.
#[inline]
pub(crate) fn distance(id: u64, lot: u64, per_weight: f64, bound: f64) -> f64 {
    let share = unit(mix(id ^ mix(lot)));
    // The logarithm is no less than this, and dear.
    let at_least = (1.0 - share) * per_weight;
    if at_least > bound {
        return f64::INFINITY;
    }
    -share.ln() * per_weight
}

/// The places of the candidates of one tier at which its lots are at home, as far as they have been looked up.
#[derive(Debug)]
pub(crate) struct Homes(Box<[AtomicU8]>);

impl Homes {
    /// Nothing is looked up yet: 16 KiB.
    pub(crate) fn new() -> Self {
        Self((0..LOTS).map(|_| AtomicU8::new(0)).collect())
    }

    /// The home of a lot. `look_up` is asked the first time, perhaps by several at once, who find the same.
    #[inline]
    pub(crate) fn of(&self, lot: u64, look_up: impl FnOnce() -> Option<u8>) -> Option<u8> {
        let known = self.0.get(usize::try_from(lot).ok()?)?;
        match known.load(Relaxed).checked_sub(1) {
            Some(place) => Some(place),
            None => {
                let place = look_up()?;
                known.store(place.checked_add(1)?, Relaxed);
                Some(place)
            }
        }
    }
}
