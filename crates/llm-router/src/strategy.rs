//! How one of several ready candidates is chosen: pure functions of a few facts of each.
//!
//! Nothing here allocates, locks or draws: the caller gives a number, random or counted, and the
//! same numbers give the same choice.
//!
//! | strategy | looks at |
//! |---|---|
//! | [`Weighted`](Strategy::Weighted) | the one whose turn it is |
//! | [`PowerOfTwo`](Strategy::PowerOfTwo) | the two it draws |
//! | [`Sticky`](Strategy::Sticky) | the one at which the key's lot is at home, after the lot's first time |
//! | [`LeastInFlight`](Strategy::LeastInFlight), [`HeadRoom`](Strategy::HeadRoom) | one number of each, or of four that it draws, and then at the one that has the least |
//! | [`Cheapest`](Strategy::Cheapest) | one of those that were the cheapest for a request of about the same size less than a second ago |
//!
//! Where what they chose is set aside, all look at every candidate.

use crate::pace::nanos;
use std::f64::consts::LOG2_E;
use std::fmt;
use std::hint::select_unpredictable;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

mod alias;
mod cheapest;
mod few;
mod home;
mod least;
mod shares;
#[cfg(test)]
mod tests;

pub(crate) use self::cheapest::Cheapest;
pub(crate) use self::few::{least_of_drawn, ordered};
pub(crate) use self::home::{Homes, distance, lot};
pub(crate) use self::least::least;
pub(crate) use self::shares::Shares;

/// A way to choose among the candidates of one tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// By weight, exactly: a cycle of as many picks as the weights' sum (by their common divisor) gives each its weight, as long as all
    /// are ready and none of a cycle's first calls fails. Where the cycle would be longer than 4,096, by chance.
    #[default]
    Weighted,
    /// The fewest calls in flight for its weight: of all up to four, of four that are drawn where there are more.
    LeastInFlight,
    /// The better of two drawn ones by peak latency, calls in flight and weight.
    PowerOfTwo,
    /// The largest free share of its scarcest rate limit: of all up to four, of four that are drawn where there are more.
    HeadRoom,
    /// The lowest price, for a request of its size give or take a quarter.
    Cheapest,
    /// By the request's key: the same one as long as it is there, and where one is lost only its
    /// own share moves. In proportion to the weights, give or take 6 % of a share of one in 64, 2 % of one in eight.
    Sticky,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 6] = [
        Self::Weighted,
        Self::LeastInFlight,
        Self::PowerOfTwo,
        Self::HeadRoom,
        Self::Cheapest,
        Self::Sticky,
    ];

    /// Its name in configuration and traces. Stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weighted => "weighted",
            Self::LeastInFlight => "least_in_flight",
            Self::PowerOfTwo => "power_of_two",
            Self::HeadRoom => "head_room",
            Self::Cheapest => "cheapest",
            Self::Sticky => "sticky",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no [`Strategy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a strategy")]
pub struct UnknownStrategy;

impl FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(name: &str) -> Result<Self, UnknownStrategy> {
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.as_str() == name)
            .ok_or(UnknownStrategy)
    }
}

/// What is known of one ready candidate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fact {
    /// Tells it from others for as long as it lives; what [`Strategy::Sticky`] hashes.
    pub id: u64,
    /// Its share; a weight of 0 is chosen only where all have it.
    pub weight: u32,
    /// Calls under way.
    pub in_flight: u32,
    /// Its [`PeakEwma`]; zero where nothing is known.
    pub ewma: Duration,
    /// Free share of its scarcest limit, `0.0..=1.0`.
    pub headroom: f64,
    /// The price of this request there, in any unit common to all.
    pub price: u64,
}

/// The position of the chosen one; `None` only where `facts` is empty.
///
/// `draw` is the next number of a counter for [`Strategy::Weighted`] (one `fetch_add` a pick) and
/// any random number for the others, which use it for ties. `key` matters to
/// [`Strategy::Sticky`] alone, which goes by the draw where it is 0.
#[must_use]
pub fn choose(strategy: Strategy, facts: &[Fact], draw: u64, key: u64) -> Option<usize> {
    if facts.len() < 2 {
        return (!facts.is_empty()).then_some(0);
    }
    let weightless = |fact: &Fact, cost: f64| {
        if fact.weight == 0 {
            f64::INFINITY
        } else {
            cost
        }
    };
    let lot = lot(if key == 0 { draw } else { key });
    let least =
        |draw, cost: &dyn Fn(&Fact, f64) -> f64| Some(least(facts, draw, |_| true, cost)?.0);
    let few = |draw, cost: &dyn Fn(&Fact) -> f64| {
        let found = least_of_drawn(facts, draw, |fact| ordered(cost(fact)))?;
        facts.iter().position(|fact| std::ptr::eq(fact, found))
    };
    match strategy {
        Strategy::Weighted => weighted(facts, draw),
        Strategy::LeastInFlight => {
            let cost = |fact: &Fact| crowding(fact.in_flight, per_weight(fact));
            few(draw, &cost).or_else(|| least(draw, &|fact, _| cost(fact)))
        }
        Strategy::PowerOfTwo => power_of_two(facts, draw),
        Strategy::HeadRoom => {
            let cost = |fact: &Fact| weightless(fact, 1.0 - fact.headroom);
            few(draw, &cost).or_else(|| least(draw, &|fact, _| cost(fact)))
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "52 bits tell any two apart that matter"
        )]
        Strategy::Cheapest => least(draw, &|fact, _| weightless(fact, fact.price as f64)),
        Strategy::Sticky => least(0, &|fact, bound| {
            distance(fact.id, lot, per_weight(fact), bound)
        }),
    }
}

/// A stride through the sum of the weights that has no divisor in common with it meets every
/// point once a cycle; one near the golden section also spreads the picks evenly inside it.
fn weighted(facts: &[Fact], count: u64) -> Option<usize> {
    let total: u64 = facts.iter().map(|fact| u64::from(fact.weight)).sum();
    if total == 0 {
        return place(count, facts.len());
    }
    let weights = facts.iter().map(|fact| u64::from(fact.weight));
    place_in_cycle(weights, total, stride(total), count % total)
}

/// The place whose turn it is after `count` turns of a cycle of `total`, the sum of the weights.
fn place_in_cycle(
    mut weights: impl Iterator<Item = u64>,
    total: u64,
    stride: u64,
    count: u64,
) -> Option<usize> {
    let point = (u128::from(count) * u128::from(stride)).checked_rem(total.into())?;
    let mut left = u64::try_from(point).unwrap_or(0);
    weights.position(|weight| {
        let here = left < weight;
        left = left.saturating_sub(weight);
        here
    })
}

fn stride(total: u64) -> u64 {
    let golden = u128::from(total) * 618_034 / 1_000_000;
    let mut stride = u64::try_from(golden).unwrap_or(1).max(1);
    // The one below the sum has no divisor in common with it, so that this ends.
    while divisor(stride, total) != 1 {
        stride += 1;
    }
    stride
}

const fn divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `0..len` in proportion to the position of `draw` among all numbers of 32 bits.
#[inline]
fn spread(draw: u32, len: u32) -> usize {
    // Below `len`, so that it fits.
    usize::try_from((u64::from(draw) * u64::from(len)) >> 32).unwrap_or(0)
}

/// The lower and the upper half of a draw.
#[inline]
fn halves(draw: u64) -> (u32, u32) {
    let low = |word| u32::try_from(word).unwrap_or(u32::MAX);
    (low(draw & u64::from(u32::MAX)), low(draw >> 32))
}

fn place(draw: u64, len: usize) -> Option<usize> {
    usize::try_from(draw.checked_rem(u64::try_from(len).ok()?)?).ok()
}

/// The calls that would then be in flight, by weight.
#[inline]
pub(crate) fn crowding(in_flight: u32, per_weight: f64) -> f64 {
    (f64::from(in_flight) + 1.0) * per_weight
}

fn per_weight(fact: &Fact) -> f64 {
    1.0 / f64::from(fact.weight)
}

fn power_of_two(facts: &[Fact], draw: u64) -> Option<usize> {
    let (first, second) = pair(draw, facts.len())?;
    let load = |fact: &Fact| Load {
        per_weight: per_weight(fact),
        in_flight: fact.in_flight,
        micros: fact.ewma.as_secs_f64() * 1e6,
        tick: 0,
    };
    let (a, b) = (facts.get(first)?, facts.get(second)?);
    Some(if is_cheaper(load(b), load(a)) {
        second
    } else {
        first
    })
}

/// Two different positions below `len`, every pair as likely as any other; `None` where there are not two.
#[inline]
pub(crate) fn pair(draw: u64, len: usize) -> Option<(usize, usize)> {
    let len = u32::try_from(len).ok().filter(|len| *len > 1)?;
    let (low, high) = halves(draw);
    let (first, other) = (spread(low, len), spread(high, len - 1));
    Some((first, other + usize::from(other >= first)))
}

/// What the power of two choices knows of a candidate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// One divided by its weight.
    pub(crate) per_weight: f64,
    pub(crate) in_flight: u32,
    /// Its peak latency when that last changed; 0 where it is not known.
    pub(crate) micros: f64,
    /// When that was.
    pub(crate) tick: u32,
}

/// Peak latency times the calls that would then be in flight, by weight. Where one of the two is
/// not known its latency is taken to be the other's.
///
/// Latencies fade, and both by the same part from the later change of the two on: so it does not matter what time it is, only how
/// far apart they changed. Where nothing would be left of the one by then, it is not known. Within 7 %.
#[inline]
pub(crate) fn is_cheaper(a: Load, b: Load) -> bool {
    let apart = i64::from(a.tick) - i64::from(b.tick);
    // Which of two drawn ones is unknown no branch could foresee.
    let unknown = (a.micros <= 0.0) | (b.micros <= 0.0) | (apart.unsigned_abs() > PeakEwma::GONE);
    let apart = select_unpredictable(unknown, 0, apart);
    let cost = |load: Load| {
        let micros = select_unpredictable(unknown, 1.0, load.micros);
        (crowding(load.in_flight, load.per_weight) * micros).to_bits()
    };
    // From one half to the next a float's bits fall in a straight line. No cost is so small, or so large, that a step leads out of them.
    cost(a).wrapping_add_signed(apart * STEP) < cost(b)
}

/// A hash of bytes that stays the same from build to build: FNV-1a, finished.
pub(crate) fn stable_hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// The finaliser of `SplitMix64`.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number strictly between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "52 bits are kept, by the shift")]
pub(crate) fn unit(hash: u64) -> f64 {
    ((hash >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// Latency that jumps up with a slow call and comes down over [`PeakEwma::DECAY`]. One atomic:
/// microseconds (at most 71 minutes) and the time of the last change in ticks of some 17 ms (wrong
/// after two years).
#[derive(Debug)]
pub struct PeakEwma {
    cell: AtomicU64,
    origin: Instant,
}

impl PeakEwma {
    /// The time in which what is past loses all but 37 % of its say.
    pub const DECAY: Duration = Duration::from_secs(10);
    /// The least that a failure counts as: else a target that fails fast would look fast.
    pub const FAILURE: Duration = Duration::from_secs(5);
    /// A tick is 2 to the power of this in nanoseconds.
    const TICK_BITS: u32 = 24;
    /// After so many ticks (210 s) nothing is left that could be told from nothing.
    const GONE: u64 = 12_500;

    /// Nothing known. `origin` is any instant before its first use.
    #[must_use]
    pub const fn new(origin: Instant) -> Self {
        Self {
            cell: AtomicU64::new(0),
            origin,
        }
    }

    /// The latency now; zero where nothing is known. Without calls it fades, so that a target
    /// left for its slowness is tried again.
    #[must_use]
    pub fn read(&self, now: Instant) -> Duration {
        let (micros, since) = self.faded(self.cell.load(Relaxed), self.tick(now));
        Duration::from_secs_f64(micros * since / 1e6)
    }

    /// The microseconds as of the last change, 0 where nothing is known, and the tick of that.
    #[inline]
    pub(crate) fn last(&self) -> (u32, u32) {
        unpack(self.cell.load(Relaxed))
    }

    /// A call took this long.
    pub fn record(&self, took: Duration, now: Instant) {
        let sample = micros(took);
        let tick = self.tick(now);
        let _ = self.cell.fetch_update(Relaxed, Relaxed, |cell| {
            let (old, kept) = self.faded(cell, tick);
            if sample >= old {
                return Some(pack(sample, tick));
            }
            // Inside one tick nothing has faded yet; the next tick's call speaks for them all.
            (kept < 1.0).then(|| pack(old * kept + sample * (1.0 - kept), tick))
        });
    }

    /// A call failed: counts as the longest of [`FAILURE`](Self::FAILURE), the `hint` of when to
    /// come back, and the present value.
    pub fn record_failure(&self, hint: Option<Duration>, now: Instant) {
        let least = Self::FAILURE.max(hint.unwrap_or_default());
        self.record(least.max(self.read(now)), now);
    }

    /// The stored microseconds, and the part of them that is left at `tick`.
    #[expect(clippy::unused_self, reason = "reads as a question to the cell")]
    fn faded(&self, cell: u64, tick: u32) -> (f64, f64) {
        let (micros, at) = unpack(cell);
        (f64::from(micros), faded(f64::from(tick.saturating_sub(at))))
    }

    fn tick(&self, now: Instant) -> u32 {
        tick_of(nanos(now.saturating_duration_since(self.origin)))
    }
}

/// The part that is left after so many ticks.
fn faded(ticks: f64) -> f64 {
    (-ticks * TICK_S / PeakEwma::DECAY.as_secs_f64()).exp()
}

/// One tick in seconds.
const TICK_S: f64 = 1e-9 * (1u64 << PeakEwma::TICK_BITS) as f64;
/// What one tick takes off the bits of a float that stands for what is left.
#[expect(clippy::cast_possible_truncation, reason = "some 2^43")]
const STEP: i64 = (TICK_S / PeakEwma::DECAY.as_secs_f64() * LOG2_E * (1u64 << 52) as f64) as i64;

#[inline]
fn tick_of(ns: u64) -> u32 {
    u32::try_from((ns >> PeakEwma::TICK_BITS) & u64::from(u32::MAX)).unwrap_or(0)
}

fn micros(duration: Duration) -> f64 {
    f64::from(u32::try_from(duration.as_micros()).unwrap_or(u32::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between two values of 32 bits, and never negative"
)]
fn pack(micros: f64, tick: u32) -> u64 {
    // At least one: zero stands for nothing known.
    (micros.round().max(1.0) as u64) << 32 | u64::from(tick)
}

/// Microseconds and tick.
#[inline]
fn unpack(cell: u64) -> (u32, u32) {
    let (tick, micros) = halves(cell);
    (micros, tick)
}
