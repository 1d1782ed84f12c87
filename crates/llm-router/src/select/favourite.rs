//! Which candidate of a tier a strategy settles on, by the numbers of the few that it looks at; and which of all is the next best.

use crate::money::Expected;
use crate::pace::are_alike;
use crate::request::Request;
use crate::resolve::{Candidate, Tier};
use crate::strategy::{self, Load, Strategy, ordered};
use std::cell::Cell;
use std::hint::select_unpredictable;
use std::sync::atomic::Ordering;

/// The candidate that its strategy settles on in constant time: the one whose turn it is by weight, the better of two, or the least of a few;
/// `None` where it cannot be used, or where one of the two cannot. Then it is chosen among those that can, so that each of these, or
/// each pair, has its share.
#[inline(always)]
pub(super) fn favourite<'t>(
    tier: Tier<'t>,
    request: &Request,
    draw: u64,
    at: impl FnOnce() -> u64,
    usable: impl Fn(&Candidate) -> bool,
) -> Option<&'t Candidate> {
    let all = tier.candidates;
    let preferred = match tier.strategy {
        Strategy::Weighted => all.get(tier.shares?.of(draw)?)?,
        Strategy::PowerOfTwo => {
            let (first, second) = strategy::pair(draw, all.len())?;
            let (first, second) = (all.get(first)?, all.get(second)?);
            let both = usable(first) && usable(second);
            return both.then(|| better(first, second));
        }
        Strategy::LeastInFlight => {
            strategy::least_of_drawn(all, draw, |one| ordered(crowding(one)))?
        }
        Strategy::HeadRoom => most_room(tier, draw, at)?,
        Strategy::Cheapest => {
            let expected = Expected::of(request.expected);
            let price = |one: &Candidate| price(one, &expected);
            all.get(
                tier.cheapest?
                    .of(all, request.expected, at(), draw, price)?,
            )?
        }
        Strategy::Sticky => home(tier, request, draw)?,
    };
    usable(preferred).then_some(preferred)
}

/// The one whose rate limits leave it the most room, and of several that have all of it the one that has had it longest: asked quickly,
/// by one number of each, and thoroughly where that will not do for one of them.
#[inline(always)]
fn most_room<'t>(tier: Tier<'t>, draw: u64, at: impl FnOnce() -> u64) -> Option<&'t Candidate> {
    let looks = Cell::new(0);
    let quickly = strategy::least_of_drawn(tier.candidates, draw, |one| {
        looks.set(looks.get() | one.pace.looks());
        match one.weight {
            0 => u64::MAX,
            _ => one.pace.whole_at(),
        }
    });
    if tier.one_burst && are_alike(looks.get()) {
        return quickly;
    }
    most_room_by_each(tier.candidates, draw, at())
}

#[inline(never)]
fn most_room_by_each(all: &[Candidate], draw: u64, at: u64) -> Option<&Candidate> {
    strategy::least_of_drawn(all, draw, |one| ordered(used_share(one, at)))
}

/// The candidate at which the request's lot is at home.
#[inline]
fn home<'t>(tier: Tier<'t>, request: &Request, draw: u64) -> Option<&'t Candidate> {
    let lot = lot(request, draw);
    let place = tier.homes?.of(lot, || {
        let (nearest, _) = strategy::least(tier.candidates, 0, |_| true, distance(lot))?;
        u8::try_from(nearest).ok()
    })?;
    tier.candidates.get(usize::from(place))
}

/// The lot of the request's key. Who has none sticks to nobody, and draws one.
#[inline]
fn lot(request: &Request, draw: u64) -> u64 {
    strategy::lot(match request.key {
        0 => draw,
        key => key,
    })
}

/// How far candidates are from a lot.
fn distance(lot: u64) -> impl Fn(&Candidate, f64) -> f64 {
    move |candidate, bound| {
        strategy::distance(candidate.sticky_id, lot, candidate.per_weight, bound)
    }
}

#[inline(always)]
fn crowding(candidate: &Candidate) -> f64 {
    strategy::crowding(in_flight(candidate), candidate.per_weight)
}

fn used_share(candidate: &Candidate, at: u64) -> f64 {
    match candidate.weight {
        0 => f64::INFINITY,
        _ => candidate.pace.used_share(at),
    }
}

#[inline(always)]
fn price(candidate: &Candidate, expected: &Expected) -> f64 {
    let factor = candidate.health.estimate.factor();
    candidate.rates.price(expected, factor)
}

/// The one of the least cost, for strategies that know one, among those that are `good`.
pub(super) fn least<'t>(
    tier: Tier<'t>,
    request: &Request,
    draw: u64,
    at: impl FnOnce() -> u64,
    good: impl Fn(&Candidate) -> bool,
) -> Option<&'t Candidate> {
    match tier.strategy {
        Strategy::LeastInFlight => least_by(tier, draw, good, |one, _| crowding(one)),
        Strategy::HeadRoom => {
            let at = at();
            least_by(tier, draw, good, |one, _| used_share(one, at))
        }
        Strategy::Cheapest => {
            let expected = Expected::of(request.expected);
            least_by(tier, draw, good, |one, _| price(one, &expected))
        }
        Strategy::Sticky => least_by(tier, 0, good, distance(lot(request, draw))),
        Strategy::Weighted | Strategy::PowerOfTwo => None,
    }
}

#[inline]
fn least_by<'t>(
    tier: Tier<'t>,
    draw: u64,
    good: impl Fn(&Candidate) -> bool,
    cost: impl Fn(&Candidate, f64) -> f64,
) -> Option<&'t Candidate> {
    let (place, least) = strategy::least(tier.candidates, draw, good, cost)?;
    tier.candidates.get(place).filter(|_| least < f64::INFINITY)
}

/// The calls under way at a candidate's target.
#[inline]
fn in_flight(candidate: &Candidate) -> u32 {
    candidate.health.in_flight.load(Ordering::Relaxed)
}

/// The one of two whose peak latency, calls in flight and weight promise the sooner answer.
#[inline]
pub(super) fn better<'t>(first: &'t Candidate, second: &'t Candidate) -> &'t Candidate {
    let load = |candidate: &Candidate| {
        let (micros, tick) = candidate.health.ewma.last();
        Load {
            per_weight: candidate.per_weight,
            in_flight: in_flight(candidate),
            micros: micros.into(),
            tick,
        }
    };
    let second_is_better = strategy::is_cheaper(load(second), load(first));
    select_unpredictable(second_is_better, second, first)
}
