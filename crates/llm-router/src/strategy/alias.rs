//! A weighted draw in constant time: Walker's alias method, in the construction of Vose (1991).
//!
//! Every member gets one column of equal width; what a light member does not need of its column is
//! given to a heavy one, its alias. A draw picks a column and then one of its two owners.

use std::hint::select_unpredictable;

/// Draws positions in proportion to weights. Positions are counted from 0.
#[derive(Debug, Clone)]
pub(crate) struct Alias(Box<[Column]>);

#[derive(Debug, Clone, Copy)]
struct Column {
    /// The owner keeps draws below this; the rest goes to the alias, which is the owner itself where it keeps all.
    keep: u32,
    /// The bits in which the alias differs from the owner: which of them is drawn is a coin's toss, that no branch could foresee.
    differs: u8,
}

impl Alias {
    /// At most 256 weights; `None` where there are more, or all are 0.
    pub(crate) fn new(weights: &[u32]) -> Option<Self> {
        let count = u64::try_from(weights.len()).ok()?;
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        if total == 0 || count > 256 {
            return None;
        }
        // In units of total/count: a member's fair column is exactly `total` wide.
        let mut left: Vec<u64> = weights.iter().map(|w| u64::from(*w) * count).collect();
        let (mut light, mut heavy): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|member| left.get(*member).is_some_and(|w| *w < total));
        let all_kept = Column {
            keep: u32::MAX,
            differs: 0,
        };
        let mut columns = vec![all_kept; weights.len()];
        while let (Some(small), Some(large)) = (light.pop(), heavy.pop()) {
            let own = left.get(small).copied()?;
            // own < total, so the share is below 2^32.
            let keep = u32::try_from((u128::from(own) << 32) / u128::from(total)).ok()?;
            *columns.get_mut(small)? = Column {
                keep,
                differs: u8::try_from(large ^ small).ok()?,
            };
            let rest = left.get_mut(large)?;
            *rest = rest.saturating_sub(total - own);
            if *rest < total {
                light.push(large);
            } else {
                heavy.push(large);
            }
        }
        Some(Self(columns.into()))
    }

    /// What a random word draws: a multiplication and a comparison.
    #[inline]
    pub(crate) fn of(&self, word: u64) -> u8 {
        let count = u64::try_from(self.0.len()).unwrap_or(1);
        // The upper half picks the column, the lower one of its owners.
        let column = ((word >> 32) * count) >> 32;
        let Some(index) = u8::try_from(column).ok() else {
            return 0;
        };
        match self.0.get(usize::from(index)) {
            Some(Column { keep, differs }) => {
                let goes_on = word & u64::from(u32::MAX) >= u64::from(*keep);
                index ^ select_unpredictable(goes_on, *differs, 0)
            }
            None => index,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};

    fn shares(weights: &[u32], draws: u32) -> Vec<f64> {
        let alias = Alias::new(weights).unwrap();
        let mut rng = SmallRng::seed_from_u64(11);
        let mut counts = vec![0u32; weights.len()];
        for _ in 0..draws {
            counts[usize::from(alias.of(rng.next_u64()))] += 1;
        }
        counts
            .iter()
            .map(|count| f64::from(*count) / f64::from(draws))
            .collect()
    }

    #[test]
    fn nothing_can_be_drawn_from_nothing() {
        assert!(Alias::new(&[]).is_none());
        assert!(Alias::new(&[0, 0]).is_none());
        assert!(Alias::new(&[1; 257]).is_none());
    }

    #[test]
    fn a_weight_of_zero_is_never_drawn() {
        let shares = shares(&[0, 5, 0, 1], 20_000);
        assert!(shares[0] == 0.0 && shares[2] == 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn shares_follow_weights(weights in proptest::collection::vec(0u32..1_000, 1..40)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let total: u32 = weights.iter().sum();
            for (share, weight) in shares(&weights, 40_000).iter().zip(&weights) {
                let fair = f64::from(*weight) / f64::from(total);
                prop_assert!((share - fair).abs() < 0.02, "{share} for {fair}");
            }
        }
    }
}
