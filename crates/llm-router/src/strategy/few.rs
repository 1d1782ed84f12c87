//! The least of a few: so that what a decision costs does not grow with the tier, no more than four are compared.
//!
//! Two that are drawn would do to keep loads close together (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing,
//! 2001), and a gateway that knows only its own calls had better not always agree with the others on the least of all. Most tiers
//! are no larger than four: of those all are compared.

use super::{halves, spread};
use std::hint::select_unpredictable;

/// The golden section of all numbers of 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// How many are compared.
const FEW: usize = 4;
/// The bits of a cost in whose place equals are drawn.
const DRAWN: u64 = 0xffff;
/// The cost of one that is never chosen.
const ENDLESS: u64 = f64::INFINITY.to_bits();

/// A cost that is not below 0 as a number that grows with it.
#[inline(always)]
pub(crate) const fn ordered(cost: f64) -> u64 {
    cost.to_bits()
}

/// The one that costs the least: of all up to [`FEW`], of so many that are drawn where there are more; `None` where the costs of all
/// these are [`ENDLESS`]. Costs are compared without their last 16 bits.
#[inline(always)]
pub(crate) fn least_of_drawn<T>(all: &[T], draw: u64, cost: impl Fn(&T) -> u64) -> Option<&T> {
    // Bits that all of the draw has a say in, as its upper half says who is compared.
    let word = draw.wrapping_mul(GOLDEN);
    if all.len() <= FEW {
        return least_of_few(all.iter(), word, cost);
    }
    let place = drawn(all.len(), draw);
    let few = (0..FEW).map_while(|nth| all.get(place(nth)));
    least_of_few(few, word, cost)
}

/// The one of at most [`FEW`] that costs the least, each of several equal ones as likely as any other.
///
/// One number an entry: its cost, and in place of its last bits some that are drawn.
#[inline(always)]
fn least_of_few<'a, T: 'a>(
    few: impl Iterator<Item = &'a T>,
    mut draw: u64,
    cost: impl Fn(&T) -> u64,
) -> Option<&'a T> {
    let (mut least, mut found) = (ENDLESS, None);
    for one in few.take(FEW) {
        let cost = cost(one) & !DRAWN | draw & DRAWN;
        // Which of a few costs the least no branch could foresee.
        found = select_unpredictable(cost < least, Some(one), found);
        least = least.min(cost);
        draw >>= 16;
    }
    found
}

/// The places of [`FEW`] of so many, more than those: each as likely as any other, and all of them about as far apart.
#[inline(always)]
fn drawn(count: usize, draw: u64) -> impl Fn(usize) -> usize {
    let (_, high) = halves(draw);
    let start = spread(high, u32::try_from(count).unwrap_or(0));
    move |nth| {
        let next = start + nth * count / FEW;
        match nth {
            0 => start,
            _ => select_unpredictable(next < count, next, next.wrapping_sub(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::mix;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn none_of_a_few_costs_less(costs in prop::collection::vec(0u8..20, 1..=FEW), draw: u64) {
            let numbers: Vec<f64> = costs.iter().copied().map(f64::from).collect();
            let least = least_of_few(numbers.iter(), draw, |cost| ordered(*cost)).copied();
            prop_assert_eq!(least, costs.iter().copied().min().map(f64::from));
        }
    }

    #[test]
    fn equals_are_drawn_alike_and_endless_costs_never() {
        for costs in [[0.0, 0.0, 1.0, 0.0], [f64::INFINITY, 1.0, 1.0, 1.0]] {
            let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
            let mut picks = [0u32; FEW];
            for draw in 0..30_000 {
                let places = [0, 1, 2, 3];
                picks[*least_of_few(places.iter(), mix(draw), |place| ordered(costs[*place]))
                    .unwrap()] += 1;
            }
            for (picks, cost) in picks.into_iter().zip(costs) {
                let fair = if cost > least { 0..=0 } else { 9_600..=10_400 };
                assert!(fair.contains(&picks), "{picks}");
            }
        }
        let endless = [f64::INFINITY; 3];
        assert_eq!(least_of_few(endless.iter(), 7, |cost| ordered(*cost)), None);
        assert_eq!(
            least_of_few([0.0; 0].iter(), 7, |cost| ordered(*cost)),
            None
        );
    }

    #[test]
    fn each_of_many_is_drawn_as_often_and_none_twice_at_once() {
        for count in [5, 9, 13, 64, 127, 128] {
            let mut picks = vec![0u32; count];
            for draw in 0..20_000 {
                let few: BTreeSet<usize> = (0..FEW).map(drawn(count, mix(draw))).collect();
                assert_eq!(few.len(), FEW, "{few:?}");
                for place in few {
                    picks[place] += 1;
                }
            }
            let fair = u32::try_from(20_000 * FEW / count).unwrap();
            let off = picks.iter().map(|picks| picks.abs_diff(fair)).max();
            assert!(off < Some(fair / 5), "{count}: {picks:?}");
        }
    }

    #[test]
    fn equals_of_many_are_drawn_alike() {
        for count in [5, 8, 64] {
            let places: Vec<usize> = (0..count).collect();
            let mut picks = vec![0u32; count];
            for draw in 0..100_000 {
                picks[*least_of_drawn(&places, mix(draw), |_| 1).unwrap()] += 1;
            }
            let fair = u32::try_from(100_000 / count).unwrap();
            let off = picks.iter().map(|picks| picks.abs_diff(fair)).max();
            assert!(off < Some(fair / 8), "{count}: {picks:?}");
        }
    }
}
