//! Which candidates cost the least, remembered by the size of the request.
//!
//! Prices stand still, and how a target counts tokens moves slowly. What differs from request to request is how much of it is prompt
//! and how much answer, and that is an estimate itself: so what was the cheapest for one request is so for others of about its size,
//! for a second.

use super::{halves, mix, spread};
use crate::pace::Cost;
use crate::route::MAX_CANDIDATES;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Four sizes from one power of two to the next; all from a million tokens on are one.
const SIZES: usize = 76;
const LARGEST: u64 = (1 << 20) - 1;
/// Of more that cost the same, so many are drawn each time.
const MOST: usize = 8;
const PLACE_BITS: u32 = 7;
const COUNT_AT: u32 = 56;
const STAMP_AT: u32 = 59;
/// What was looked up is known for as long as this bit of the time in nanoseconds stands still: 1.07 s.
const SECOND_BIT: u32 = 30;

/// The candidates of a tier that cost the least, by the size of prompt and answer, as far as they have been looked up.
///
/// Requests that are taken to be of one size differ by at most a quarter, so that is the most that the choice can be dearer than the
/// cheapest one: where a target with dear prompts and one with dear answers cost about the same.
///
/// A word holds up to eight places, how many they are, and the second of which they are, modulo 31. What was remembered 31 s ago, and
/// not asked for since, passes for new: the prices are the same, and how targets count tokens has hardly moved.
#[derive(Debug)]
pub(crate) struct Cheapest(Box<[AtomicU64]>);

impl Cheapest {
    /// Nothing is looked up yet: 46 KiB.
    pub(crate) fn new() -> Self {
        Self((0..SIZES * SIZES).map(|_| AtomicU64::new(0)).collect())
    }

    /// The place of a cheapest one of `all` for a call of this cost, each of several as likely as any other; `None` where all prices
    /// are endless. `price` is asked once a second, perhaps by several callers at once, whose answers are as good.
    #[inline]
    pub(crate) fn of<T>(
        &self,
        all: &[T],
        cost: Cost,
        at_ns: u64,
        draw: u64,
        price: impl Fn(&T) -> f64,
    ) -> Option<usize> {
        let place = size(cost.input_tokens) * SIZES + size(cost.output_tokens);
        let known = self.0.get(place)?;
        let stamp = (at_ns >> SECOND_BIT) % 31 + 1;
        let mut word = known.load(Relaxed);
        if word >> STAMP_AT != stamp {
            word = look_up(all, draw, price)? | stamp << STAMP_AT;
            known.store(word, Relaxed);
        }
        let count = u32::try_from(word >> COUNT_AT & 7).unwrap_or(0) + 1;
        let (low, _) = halves(draw);
        let nth = u32::try_from(spread(low, count)).unwrap_or(0);
        usize::try_from(word >> (nth * PLACE_BITS) & ((1 << PLACE_BITS) - 1)).ok()
    }
}

/// Numbers sizes from 0 on, below [`SIZES`].
#[inline]
fn size(tokens: u64) -> usize {
    let tokens = tokens.min(LARGEST);
    let size = match tokens.checked_ilog2() {
        Some(log @ 2..) => u64::from(log - 1) * 4 + (tokens >> (log - 2) & 3),
        _ => tokens,
    };
    usize::try_from(size).unwrap_or(0)
}

/// The places of the least price, and how many they are, as one word.
#[inline(never)]
fn look_up<T>(all: &[T], draw: u64, price: impl Fn(&T) -> f64) -> Option<u64> {
    let mut equals = [0u64; MAX_CANDIDATES];
    let mut count = 0;
    let mut least = f64::INFINITY;
    for (place, one) in (0u64..).zip(all) {
        let price = price(one);
        if price < least {
            (least, count) = (price, 0);
        }
        if price <= least
            && let Some(next) = equals.get_mut(count)
        {
            *next = mix(draw ^ mix(place)) << PLACE_BITS | place;
            count += 1;
        }
    }
    let equals = equals.get_mut(..count).filter(|_| least < f64::INFINITY)?;
    equals.sort_unstable();
    let drawn = equals.iter().take(MOST);
    let last = u64::try_from(drawn.len()).ok()?.checked_sub(1)?;
    let places = drawn.rev().fold(0, |word, equal| {
        word << PLACE_BITS | equal & ((1 << PLACE_BITS) - 1)
    });
    Some(last << COUNT_AT | places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1 << SECOND_BIT;

    fn cost(input_tokens: u64, output_tokens: u64) -> Cost {
        Cost {
            input_tokens,
            output_tokens,
        }
    }

    #[test]
    fn sizes_are_numbered_without_a_gap_and_differ_by_a_quarter_at_most() {
        let mut smallest = 0;
        for tokens in 1..=LARGEST {
            let step = size(tokens) - size(tokens - 1);
            assert!(step <= 1);
            if step == 1 {
                smallest = tokens;
            }
            assert!(
                tokens < 4 || tokens * 4 < smallest * 5,
                "{smallest} {tokens}"
            );
        }
        assert_eq!(size(LARGEST) + 1, SIZES);
        assert_eq!(size(u64::MAX) + 1, SIZES);
    }

    #[test]
    fn prices_are_asked_once_a_second_and_size() {
        let known = Cheapest::new();
        let price = |one: &f64| *one;
        let unasked = |_: &f64| unreachable!("it is remembered");
        assert_eq!(known.of(&[2.0, 1.0], cost(900, 100), 0, 3, price), Some(1));
        assert_eq!(
            known.of(&[2.0, 1.0], cost(1_000, 110), SECOND - 1, 4, unasked),
            Some(1)
        );
        assert_eq!(
            known.of(&[1.0, 2.0], cost(1_100, 100), 0, 3, price),
            Some(0)
        );
        assert_eq!(
            known.of(&[1.0, 2.0], cost(900, 100), SECOND, 3, price),
            Some(0)
        );
        assert_eq!(known.of(&[f64::INFINITY; 2], cost(1, 1), 0, 3, price), None);
        assert_eq!(known.of(&[0.0; 0], cost(1, 1), 0, 3, price), None);
    }

    #[test]
    fn equals_have_equal_shares() {
        for count in [2usize, 3, 5, 8, 9, 40] {
            let known = Cheapest::new();
            let mut all = vec![1.0; count];
            all[0] = 2.0;
            let mut picks = vec![0u32; count];
            for draw in 0..40_000u64 {
                let at_ns = draw / 4 * SECOND;
                picks[known
                    .of(&all, cost(9, 9), at_ns, mix(draw), |one| *one)
                    .unwrap()] += 1;
            }
            assert_eq!(picks[0], 0);
            let fair = u32::try_from(40_000 / (count - 1)).unwrap();
            let off = picks.iter().skip(1).map(|picks| picks.abs_diff(fair)).max();
            assert!(off < Some(fair / 4), "{count}: {picks:?}");
        }
    }

    proptest! {
        #[test]
        fn none_costs_less(prices in prop::collection::vec(0u8..20, 1..=MAX_CANDIDATES), draw: u64) {
            let price = |one: &u8| f64::from(*one);
            let place = Cheapest::new().of(&prices, cost(5, 5), 0, draw, price).unwrap();
            prop_assert_eq!(Some(prices[place]), prices.iter().copied().min());
        }
    }
}
