//! The least of a few: so that what a decision costs does not grow with the tier, no more than four are compared.
//!
//! Two that are drawn would do to keep loads close together (Mitzenmacher, The Power of Two Choices in Randomized Load Balancing,
//! 2001), and a gateway that knows only its own calls had better not always agree with the others on the least of all. Most tiers
//! are no larger than four: of those all are compared.

use super::{halves, spread};

/// The golden section of all numbers of 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// How many are compared.
const FEW: usize = 4;

/// Which costs the least: of all up to [`FEW`], of so many that are drawn where there are more; `None` where the costs of all these are
/// endless.
#[inline(always)]
pub(crate) fn least_of_drawn<T>(all: &[T], draw: u64, cost: impl Fn(&T) -> f64) -> Option<usize> {
    if all.len() <= FEW {
        return least_of_few(all.iter(), draw, cost);
    }
    let place = drawn(all.len(), draw);
    let few = (0..FEW).map_while(|nth| all.get(place(nth)));
    Some(place(least_of_few(few, draw, cost)?))
}

/// Which of at most [`FEW`] costs the least, each of several equal ones as likely as any other; `None` where all costs are endless.
/// No cost is below 0.
///
/// One number an entry: its cost, then 14 bits that are drawn, then its place, so that the least of them says all.
#[inline(always)]
fn least_of_few<'a, T: 'a>(
    few: impl Iterator<Item = &'a T>,
    draw: u64,
    cost: impl Fn(&T) -> f64,
) -> Option<usize> {
    const PLACE: u64 = FEW as u64 - 1;
    const DRAWN: u64 = 0xffff & !PLACE;
    let mut least = u64::MAX;
    let mut word = draw;
    for (place, one) in (0..=PLACE).zip(few) {
        let cost = cost(one).to_bits() & !(DRAWN | PLACE);
        least = least.min(cost | word & DRAWN | place);
        word >>= 16;
    }
    let found = usize::try_from(least & PLACE).ok();
    found.filter(|_| least < f64::INFINITY.to_bits())
}

/// The places of [`FEW`] of so many, more than those: each as likely as any other, and all of them about as far apart.
#[inline(always)]
fn drawn(count: usize, draw: u64) -> impl Fn(usize) -> usize {
    // By bits that all of the draw has a say in, as its own are what ties are drawn by.
    let (_, high) = halves(draw.wrapping_mul(GOLDEN));
    let start = spread(high, u32::try_from(count).unwrap_or(0));
    move |nth| {
        let next = start + nth * count / FEW;
        if next < count { next } else { next - count }
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
            let place = least_of_few(numbers.iter(), draw, |cost| *cost).unwrap();
            prop_assert_eq!(Some(costs[place]), costs.iter().copied().min());
        }
    }

    #[test]
    fn equals_are_drawn_alike_and_endless_costs_never() {
        for costs in [[0.0, 0.0, 1.0, 0.0], [f64::INFINITY, 1.0, 1.0, 1.0]] {
            let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
            let mut picks = [0u32; FEW];
            for draw in 0..30_000 {
                picks[least_of_few(costs.iter(), mix(draw), |cost| *cost).unwrap()] += 1;
            }
            for (picks, cost) in picks.into_iter().zip(costs) {
                let fair = if cost > least { 0..=0 } else { 9_600..=10_400 };
                assert!(fair.contains(&picks), "{picks}");
            }
        }
        let endless = [f64::INFINITY; 3];
        assert_eq!(least_of_few(endless.iter(), 7, |cost| *cost), None);
        assert_eq!(least_of_few([0.0; 0].iter(), 7, |cost| *cost), None);
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
            let mut picks = vec![0u32; count];
            for draw in 0..100_000 {
                let place = drawn(count, mix(draw));
                picks[place(least_of_few([1.0; FEW].iter(), mix(draw), |cost| *cost).unwrap())] +=
                    1;
            }
            let fair = u32::try_from(100_000 / count).unwrap();
            let off = picks.iter().map(|picks| picks.abs_diff(fair)).max();
            assert!(off < Some(fair / 8), "{count}: {picks:?}");
        }
    }
}
