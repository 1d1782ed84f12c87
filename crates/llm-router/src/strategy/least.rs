//! The least of many, and of several that are equal each as likely as any other.
//!
//! One pass over what is looked at, in which nothing is done but to compute and compare; who is equal is kept as bits, and drawn when
//! all have been seen.

use super::{halves, mix, spread};

/// How many are looked at between two draws.
const STRETCH: usize = 64;

/// The place of the least cost among those that are `good`, and that cost. Only of who may be the one that is asked, and `cost` is told
/// the least one so far: of what costs more it need say only so.
#[inline]
pub(crate) fn least<T>(
    all: &[T],
    draw: u64,
    good: impl Fn(&T) -> bool,
    cost: impl Fn(&T, f64) -> f64,
) -> Option<(usize, f64)> {
    let mut stretches = all.chunks(STRETCH);
    let first = stretches.next()?;
    let (ties, mut lowest) = lowest(first, f64::INFINITY, &good, &cost);
    let mut count = ties.count_ones();
    let mut place = drawn(ties, length(first), draw);
    let mut before = 0;
    for stretch in stretches {
        before += STRETCH;
        let (ties, low) = self::lowest(stretch, lowest, &good, &cost);
        let more = ties.count_ones();
        count = if low < lowest { more } else { count + more };
        lowest = low;
        // Those who are equal to those before take their place as often as there are of them.
        let draw = mix(draw ^ mix(u64::from(count)));
        let (own, _) = halves(mix(draw));
        if spread(own, count) < usize::try_from(more).unwrap_or(0) {
            place = before + drawn(ties, length(stretch), draw);
        }
    }
    (count > 0).then_some((place, lowest))
}

/// Which of a stretch cost the least, one bit each, and how much: no more than `most`, which is also the answer if there are none.
#[inline(always)]
fn lowest<T>(
    stretch: &[T],
    most: f64,
    good: &impl Fn(&T) -> bool,
    cost: &impl Fn(&T, f64) -> f64,
) -> (u64, f64) {
    let (mut ties, mut lowest) = (0u64, most);
    let mut bit = 1u64;
    for one in stretch {
        let costs = cost(one, lowest);
        if costs <= lowest && good(one) {
            if costs < lowest {
                (ties, lowest) = (0, costs);
            }
            ties |= bit;
        }
        bit <<= 1;
    }
    (ties, lowest)
}

/// The place of one of these bits, each as likely as any other; 0 where there are none.
#[inline]
fn drawn(mut ties: u64, length: u32, draw: u64) -> usize {
    let (low, high) = halves(draw);
    // Where most are equal, one that is drawn of all is nearly always one of them.
    let any = spread(high, length) % STRETCH;
    if ties >> any & 1 == 1 {
        return any;
    }
    for _ in 0..spread(low, ties.count_ones()) {
        ties &= ties.wrapping_sub(1);
    }
    usize::try_from(ties.trailing_zeros()).unwrap_or(0) % STRETCH
}

/// At most that of a stretch.
fn length<T>(stretch: &[T]) -> u32 {
    u32::try_from(stretch.len()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equals_of_several_stretches_are_drawn_alike() {
        let costs: Vec<f64> = (0..200u8).map(|place| f64::from(place % 50 / 10)).collect();
        let mut picks = vec![0u32; costs.len()];
        for draw in 0..80_000 {
            picks[least(&costs, mix(draw), |_| true, |cost, _| *cost)
                .unwrap()
                .0] += 1;
        }
        for (picks, cost) in picks.into_iter().zip(costs) {
            // Ten in each fifty.
            let fair = if cost > 0.0 { 0..=0 } else { 1_800..=2_200 };
            assert!(fair.contains(&picks), "{picks}");
        }
    }

    #[test]
    fn only_good_ones_are_taken() {
        let costs = [1.0, 2.0, 3.0];
        let above = |least: f64| super::least(&costs, 7, |cost| *cost > least, |cost, _| *cost);
        assert_eq!(above(1.5).map(|(place, _)| place), Some(1));
        assert_eq!(above(3.0), None);
    }

    proptest! {
        #[test]
        fn none_costs_less(costs in prop::collection::vec(0u8..20, 1..200), draw: u64) {
            let (place, low) = least(&costs, draw, |_| true, |cost, _| f64::from(*cost)).unwrap();
            prop_assert_eq!(Some(costs[place]), costs.iter().copied().min());
            prop_assert!((low - f64::from(costs[place])).abs() < 0.1);
        }
    }

    #[test]
    fn where_all_costs_are_endless_one_is_drawn_all_the_same() {
        let all = [f64::INFINITY; 3];
        assert!(least(&all, 7, |_| true, |cost, _| *cost).is_some_and(|(place, _)| place < 3));
        assert_eq!(least(&[0.0; 0], 7, |_| true, |cost, _| *cost), None);
    }
}
