//! Whose turn it is, by weight: a cycle of picks that gives each exactly its weight, and spreads them evenly.
//!
//! A cycle is as long as the sum of the weights by their common divisor. One of more than [`MOST`] picks would not pay for its room:
//! then each pick is drawn by weight, and shares are exact only on average.

use super::alias::Alias;
use super::{divisor, place_in_cycle, stride};
use std::sync::atomic::{AtomicU32, Ordering};

/// The longest cycle that is kept: 4 KiB.
const MOST: u64 = 4_096;

/// The picks of one group of candidates.
#[derive(Debug)]
pub(crate) enum Shares {
    /// By turns.
    Cycle(Cycle),
    /// By chance.
    Chance(Alias),
}

/// A cycle of picks, and how many were made.
#[derive(Debug)]
pub(crate) struct Cycle {
    /// Goes round after 2^32 picks: one cycle in so many is cut short.
    count: Count,
    /// The places in their order.
    places: Box<[u8]>,
    /// 2^64 divided by the length, rounded up: what the rest of a division takes without one (Lemire, Kaser and Kurz, Faster Remainder by
    /// Direct Computation, 2019).
    per_length: u64,
}

/// What every pick changes, away from what every pick reads.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Count(AtomicU32);

impl Shares {
    /// Beginning with this turn. `None` where no weight is above 0, or there are more than 256.
    pub(crate) fn new(weights: &[u32], first: u32) -> Option<Self> {
        let alias = Alias::new(weights)?;
        let common = weights.iter().map(|weight| u64::from(*weight));
        let common = common.fold(0, divisor).max(1);
        let weights = || weights.iter().map(|weight| u64::from(*weight) / common);
        let total: u64 = weights().sum();
        if total > MOST {
            return Some(Self::Chance(alias));
        }
        let stride = stride(total);
        let place = |count| u8::try_from(place_in_cycle(weights(), total, stride, count)?).ok();
        Some(Self::Cycle(Cycle {
            count: Count(AtomicU32::new(first)),
            places: (0..total).map(place).collect::<Option<_>>()?,
            per_length: (u64::MAX / total).wrapping_add(1),
        }))
    }

    /// What the next pick is made by: the number of the turn, or this draw.
    #[inline]
    pub(crate) fn next(&self, draw: u64) -> u64 {
        match self {
            Self::Cycle(cycle) => cycle.count.0.fetch_add(1, Ordering::Relaxed).into(),
            Self::Chance(_) => draw,
        }
    }

    /// The last turn is not used. If another was taken meanwhile, that one comes twice, and this one is lost.
    #[cold]
    pub(crate) fn give_back(&self) {
        if let Self::Cycle(cycle) = self {
            cycle.count.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The place that this number picks.
    #[inline]
    pub(crate) fn of(&self, number: u64) -> Option<usize> {
        match self {
            Self::Cycle(cycle) => cycle.of(number),
            Self::Chance(alias) => Some(alias.of(number).into()),
        }
    }
}

impl Cycle {
    #[inline]
    fn of(&self, turn: u64) -> Option<usize> {
        let length = u64::try_from(self.places.len()).ok()?;
        let rest = u128::from(self.per_length.wrapping_mul(turn)) * u128::from(length);
        let rest = usize::try_from(rest >> 64).ok()?;
        self.places.get(rest).copied().map(usize::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    fn picks(shares: &Shares, count: u64, weights: &[u32]) -> Vec<u64> {
        let mut rng = SmallRng::seed_from_u64(5);
        let mut picks = vec![0; weights.len()];
        for _ in 0..count {
            picks[shares.of(shares.next(rng.next_u64())).unwrap()] += 1;
        }
        picks
    }

    proptest! {
        #[test]
        fn a_cycle_gives_each_its_weight(weights in prop::collection::vec(0u32..60, 1..50), common in 1u32..1_000) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let large: Vec<u32> = weights.iter().map(|weight| weight * common).collect();
            let shares = Shares::new(&large, 7).unwrap();
            let total = weights.iter().map(|weight| u64::from(*weight)).sum();
            for _ in 0..3 {
                let fair: Vec<u64> = weights.iter().map(|weight| u64::from(*weight)).collect();
                prop_assert_eq!(picks(&shares, total, &weights), fair);
            }
        }

        #[test]
        fn a_turn_is_the_rest_of_its_number(length in 1u32..=4_096, turn: u32) {
            let cycle = Cycle {
                count: Count::default(),
                places: (0..length).map(|place| u8::try_from(place % 251).unwrap()).collect(),
                per_length: (u64::MAX / u64::from(length)).wrapping_add(1),
            };
            let rest = usize::try_from(turn % length % 251).unwrap();
            prop_assert_eq!(cycle.of(turn.into()), Some(rest));
        }
    }

    #[test]
    fn picks_are_spread_over_the_cycle() {
        let shares = Shares::new(&[3, 1], 0).unwrap();
        for _ in 0..20 {
            // Of any four in a row one.
            assert_eq!(picks(&shares, 4, &[3, 1]), [3, 1]);
            picks(&shares, 1, &[3, 1]);
        }
    }

    #[test]
    fn a_cycle_that_would_be_too_long_is_left_to_chance() {
        let weights = [2_000, 2_097];
        let shares = Shares::new(&weights, 0).unwrap();
        assert!(matches!(shares, Shares::Chance(_)));
        let picks = picks(&shares, 40_970, &weights);
        assert!(picks[0].abs_diff(20_000) < 600, "{picks:?}");
        assert!(Shares::new(&[0, 0], 0).is_none());
    }
}
