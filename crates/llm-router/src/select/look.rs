//! One look at the candidates of a tier: which of them is drawn, and whether it can be used.
//!
//! Nearly every target is nearly always the same: closed gates, limits far away. So this is asked first, in a few loads, and
//! all else out of its way.

use super::{Fit, Set, fits, is_large_enough, is_ready, refusal};
use crate::money::Expected;
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Tier};
use crate::route::{MAX_CANDIDATES, RouteId};
use crate::scope::SharedState;
use crate::strategy::{self, Load, Strategy};
use crate::table::{Moment, Table};
use crate::target::TargetId;
use crate::trace::Refusal;
use rand::{Rng, RngExt};
use std::cell::Cell;
use std::hint::select_unpredictable;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// The candidate of one tier to use now, by the tier's strategy among those that are ready and outside
/// `tried`.
pub(crate) fn pick(
    table: &Table,
    tier: Tier<'_>,
    request: &Request,
    fit: &Fit,
    tried: Set,
    now: Instant,
    rng: &mut impl Rng,
) -> Option<u8> {
    let look = Look::new(table, request, fit, tried, table.moment(now));
    look.pick(tier, rng.next_u64(), rng)
}

/// The candidate that one draw settles on, in constant time: one by its weight, or the better of two; `None` where the strategy does
/// not draw, or one that was drawn cannot be used. Then one is drawn among those that can, so that each of these, or each pair, has
/// its share.
#[inline]
fn drawn<'t>(
    tier: Tier<'t>,
    draw: u64,
    usable: impl Fn(&Candidate) -> bool,
) -> Option<&'t Candidate> {
    match tier.strategy {
        Strategy::Weighted => {
            let drawn = tier.candidates.get(usize::from(tier.draw?.of(draw)))?;
            usable(drawn).then_some(drawn)
        }
        Strategy::PowerOfTwo => {
            let (first, second) = strategy::pair(draw, tier.candidates.len())?;
            let (first, second) = (tier.candidates.get(first)?, tier.candidates.get(second)?);
            if !usable(first) || !usable(second) {
                return None;
            }
            Some(better(first, second))
        }
        _ => None,
    }
}

/// The candidate that a strategy which does not draw prefers of all, whether it can be used or not.
///
/// Apart from [`drawn`], so that this need not make room for it.
#[inline(never)]
fn preferred<'t>(
    tier: Tier<'t>,
    request: &Request,
    draw: u64,
    at: impl FnOnce() -> u64,
) -> Option<&'t Candidate> {
    match tier.strategy {
        Strategy::LeastInFlight => least_of_drawn(tier, draw, crowding),
        Strategy::HeadRoom => most_room(tier, draw, at()),
        Strategy::Cheapest => {
            let (all, expected) = (tier.candidates, Expected::of(request.expected));
            let price = |one: &Candidate| price(one, &expected);
            all.get(
                tier.cheapest?
                    .of(all, request.expected, at(), draw, price)?,
            )
        }
        Strategy::Sticky => home(tier, request),
        Strategy::Weighted | Strategy::PowerOfTwo => None,
    }
}

/// The one whose rate limits leave it the most room: asked quickly, and thoroughly only where that will not do for one of them.
#[inline(always)]
fn most_room<'t>(tier: Tier<'t>, draw: u64, at: u64) -> Option<&'t Candidate> {
    let unlike = Cell::new(0);
    let quickly = least_of_drawn(tier, draw, |one| {
        unlike.set(unlike.get() | one.pace.unlike());
        unless_weightless(one, || one.pace.used_share_of_like(at))
    });
    match unlike.get() {
        0 => quickly,
        _ => most_room_by_each(tier, draw, at),
    }
}

#[inline(never)]
fn most_room_by_each<'t>(tier: Tier<'t>, draw: u64, at: u64) -> Option<&'t Candidate> {
    least_of_drawn(tier, draw, |one| used_share(one, at))
}

#[inline(always)]
fn least_of_drawn<'t>(
    tier: Tier<'t>,
    draw: u64,
    cost: impl Fn(&Candidate) -> f64,
) -> Option<&'t Candidate> {
    let place = strategy::least_of_drawn(tier.candidates, draw, cost)?;
    tier.candidates.get(place)
}

const fn draws(strategy: Strategy) -> bool {
    matches!(strategy, Strategy::Weighted | Strategy::PowerOfTwo)
}

/// The candidate at which the request's lot is at home.
#[inline]
fn home<'t>(tier: Tier<'t>, request: &Request) -> Option<&'t Candidate> {
    let lot = strategy::lot(request.key);
    let place = tier.homes?.of(lot, || {
        let (nearest, _) = strategy::least(tier.candidates, 0, |_| true, distance(lot))?;
        u8::try_from(nearest).ok()
    })?;
    tier.candidates.get(usize::from(place))
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
    unless_weightless(candidate, || candidate.pace.used_share(at))
}

#[inline(always)]
fn unless_weightless(candidate: &Candidate, cost: impl FnOnce() -> f64) -> f64 {
    match candidate.weight {
        0 => f64::INFINITY,
        _ => cost(),
    }
}

#[inline(always)]
fn price(candidate: &Candidate, expected: &Expected) -> f64 {
    let factor = candidate.health.estimate.factor();
    candidate.rates.price(expected, factor)
}

/// The one of the least cost, for strategies that know one, among those that are `good`.
fn least<'t>(
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
        Strategy::Sticky => least_by(tier, 0, good, distance(strategy::lot(request.key))),
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

/// Whether no caller's own limits keep the request from a target.
#[inline]
fn allows_all(request: &Request) -> bool {
    request.allowed.0.is_all() && request.carried.0.is_all()
}

/// Whether a candidate is as nearly all are nearly always: a plain one, with all its gates closed and far from its limits, and so
/// of use for a request that asks for nothing but abilities and a window. Where not, it may be of use all the same.
///
/// No clock is asked: a gate that is closed is so at any time, and time only adds to the room that limits leave.
#[inline(always)]
fn is_at_hand(table: &Table, candidate: &Candidate, request: &Request) -> bool {
    let health = &*candidate.health;
    candidate.is_plain
        && candidate.abilities.contains(request.abilities)
        && is_large_enough(candidate, request, 0)
        && health.gate.is_clear()
        && (table.unrest.is_none() || are_clear(&candidate.slot.gates))
        && candidate
            .pace
            .is_easily_ready(health.expected(request), &health.in_flight)
}

/// Whether no gate that a target shares keeps calls back, where some other's does.
#[cold]
fn are_clear(shared: &[Arc<SharedState>]) -> bool {
    shared.iter().all(|shared| shared.gate.is_clear())
}

/// One look at the candidates of a route.
pub(crate) struct Look<'a> {
    table: &'a Table,
    request: &'a Request,
    fit: &'a Fit,
    tried: Set,
    /// Nothing is asked of a member but its abilities and its window.
    asks_little: bool,
    moment: Moment,
}

impl<'a> Look<'a> {
    pub(crate) fn new(
        table: &'a Table,
        request: &'a Request,
        fit: &'a Fit,
        tried: Set,
        moment: Moment,
    ) -> Self {
        Self {
            table,
            request,
            fit,
            tried,
            asks_little: tried.is_empty() && allows_all(request) && fit.is_least(),
            moment,
        }
    }

    fn pick(&self, tier: Tier<'_>, draw: u64, rng: &mut impl Rng) -> Option<u8> {
        let usable = |one: &Candidate| self.is_usable(one);
        let favourite = if draws(tier.strategy) {
            drawn(tier, draw, usable)
        } else {
            preferred(tier, self.request, draw, || self.moment.ns).filter(|one| usable(one))
        };
        let chosen = favourite.or_else(|| match tier.strategy {
            Strategy::Weighted => self.by_weight(tier, rng),
            Strategy::PowerOfTwo => self.better_of_usable(tier, rng),
            _ => self.least_usable(tier, draw),
        });
        Some(chosen?.position)
    }

    fn is_usable(&self, candidate: &Candidate) -> bool {
        (self.asks_little && is_at_hand(self.table, candidate, self.request))
            || !self.tried.contains(candidate.position)
                && fits(
                    self.table,
                    candidate,
                    self.request,
                    *self.fit,
                    self.moment.now,
                )
                .is_ok()
                && is_ready(&candidate.slot, self.request, &self.moment)
    }

    /// Why a candidate cannot be used now; `None` where it can.
    pub(crate) fn refusal(&self, candidate: &Candidate) -> Option<Refusal> {
        if self.is_usable(candidate) {
            return None;
        }
        refusal(self.table, candidate, self.request, *self.fit, &self.moment)
    }

    /// A draw by weight among those that are ready, after one among all members met one that is not. Both together give each
    /// ready member its share.
    #[cold]
    fn by_weight<'t>(&self, tier: Tier<'t>, rng: &mut impl Rng) -> Option<&'t Candidate> {
        let mut ready = Set::default();
        let mut total = 0u64;
        for candidate in tier.candidates {
            if self.is_usable(candidate) {
                ready.insert(candidate.position);
                total += u64::from(candidate.weight);
            }
        }
        if total == 0 {
            return None;
        }
        let mut point = rng.random_range(0..total);
        let mut all = tier.candidates.iter();
        all.find(|candidate| {
            if !ready.contains(candidate.position) {
                return false;
            }
            match point.checked_sub(u64::from(candidate.weight)) {
                Some(left) => {
                    point = left;
                    false
                }
                None => true,
            }
        })
    }

    /// The usable one of the least cost, after the least of all was found not to be.
    #[cold]
    fn least_usable<'t>(&self, tier: Tier<'t>, draw: u64) -> Option<&'t Candidate> {
        let at = || self.moment.ns;
        least(tier, self.request, draw, at, |one| self.is_usable(one))
    }

    /// The better of two that are drawn among those that can be used.
    #[cold]
    fn better_of_usable<'t>(&self, tier: Tier<'t>, rng: &mut impl Rng) -> Option<&'t Candidate> {
        let mut usable = [0u8; MAX_CANDIDATES];
        let mut count = 0;
        for (place, candidate) in (0u8..).zip(tier.candidates) {
            if let Some(next) = usable.get_mut(count)
                && self.is_usable(candidate)
            {
                *next = place;
                count += 1;
            }
        }
        let at = |index: usize| tier.candidates.get(usize::from(*usable.get(index)?));
        match strategy::pair(rng.next_u64(), count) {
            Some((first, second)) => Some(better(at(first)?, at(second)?)),
            None if count == 0 => None,
            None => at(0),
        }
    }
}

/// The calls under way at a candidate's target.
#[inline]
fn in_flight(candidate: &Candidate) -> u32 {
    candidate.health.in_flight.load(Ordering::Relaxed)
}

/// The one of two whose peak latency, calls in flight and weight promise the sooner answer.
#[inline]
fn better<'t>(first: &'t Candidate, second: &'t Candidate) -> &'t Candidate {
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

impl Table {
    /// The target a fresh request on `route` would go to now, without starting it. The hot path
    /// of every call: no lock, no allocation.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn decide(
        &self,
        route: RouteId,
        request: &Request,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<TargetId> {
        let resolved = self.resolved(route);
        let uncapped = resolved.policy.max_cost.is_none() && request.max_cost.is_none();
        let draw = rng.next_u64();
        if uncapped && allows_all(request) {
            let favourite = if draws(resolved.policy.strategy) {
                drawn(
                    resolved.first_tier()?,
                    draw,
                    #[inline(always)]
                    |candidate| is_at_hand(self, candidate, request),
                )
            } else {
                self.preferred_at_hand(resolved, request, draw, now)
            };
            if let Some(favourite) = favourite {
                return Some(favourite.target);
            }
        }
        self.decide_by_looking(resolved, request, draw, now, rng)
    }

    #[inline(never)]
    fn preferred_at_hand<'t>(
        &self,
        route: &'t Resolved,
        request: &Request,
        draw: u64,
        now: Instant,
    ) -> Option<&'t Candidate> {
        let tier = route.first_tier()?;
        let preferred = preferred(tier, request, draw, || self.moment(now).ns)?;
        is_at_hand(self, preferred, request).then_some(preferred)
    }

    /// The same for any request, tier by tier.
    #[inline(never)]
    fn decide_by_looking(
        &self,
        route: &Resolved,
        request: &Request,
        mut draw: u64,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<TargetId> {
        let fit = Fit::of(&route.policy, request);
        let look = Look::new(self, request, &fit, Set::default(), self.moment(now));
        let position = route.tiers().find_map(|tier| {
            // The same draw as before in the first tier: its target may be of use, if not at hand.
            let picked = look.pick(tier, draw, rng);
            draw = rng.next_u64();
            picked
        })?;
        Some(route.candidates.get(usize::from(position))?.target)
    }
}

#[cfg(test)]
mod tests {
    use crate::strategy::{Fact, Strategy, choose};
    use crate::testing::origin;
    use crate::{Cost, Member, Policy, Price, Request, Route, Table, Target, TargetId};
    use llm_breaker::Mode;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use std::sync::Arc;

    fn table(strategy: Strategy, weights: &[u32]) -> Arc<Table> {
        let mut builder = Table::builder();
        let mut members = Vec::new();
        for (nth, weight) in (0u64..).zip(weights) {
            let price = Price {
                input: 5 - nth % 5,
                output: 1 + nth % 5,
                ..Price::default()
            };
            let name = format!("t{nth}");
            builder = builder.target(Target::new(name.clone(), "p").price(price));
            members.push(Member::new(name).weight(*weight));
        }
        let policy = Policy {
            strategy,
            ..Policy::default()
        };
        let route = Route::new("r").tier(members).policy(policy);
        builder.route(route).build(origin()).unwrap()
    }

    fn decided(table: &Table, request: &Request, seed: u64) -> Option<TargetId> {
        let route = table.route("r").unwrap();
        table.decide(route, request, origin(), &mut SmallRng::seed_from_u64(seed))
    }

    #[test]
    fn a_key_is_at_home_where_it_would_be_chosen_to_be_and_moves_only_while_that_is_set_aside() {
        let weights: Vec<u32> = (0..70).map(|nth| nth % 4).collect();
        let table = table(Strategy::Sticky, &weights);
        let candidates = &table.resolved(table.route("r").unwrap()).candidates;
        let mut facts: Vec<Fact> = candidates
            .iter()
            .map(|one| Fact {
                id: one.sticky_id,
                weight: one.weight,
                ..Fact::default()
            })
            .collect();
        let asked = |key| decided(&table, &Request::new().key(key), key).unwrap();
        let chosen = |facts: &[Fact], key| choose(Strategy::Sticky, facts, 0, key).unwrap();
        for key in 0..500 {
            let home = candidates[chosen(&facts, key)].target;
            // The second time it is remembered.
            assert_eq!([asked(key), asked(key)], [home, home]);
        }
        let lost = asked(7);
        table.gate(lost).force(Mode::ForcedOpen);
        facts[lost.index()].weight = 0;
        for key in 0..500 {
            assert_eq!(asked(key), candidates[chosen(&facts, key)].target);
        }
        table.gate(lost).force(Mode::Enforce);
        assert_eq!(asked(7), lost);
    }

    #[test]
    fn the_cheapest_is_so_for_the_tokens_of_the_request_and_one_without_weight_never_is() {
        let table = table(Strategy::Cheapest, &[0, 1, 1, 1, 0]);
        let asked = |input_tokens, output_tokens| {
            let cost = Cost {
                input_tokens,
                output_tokens,
            };
            let request = Request::new().expected(cost);
            decided(&table, &request, input_tokens).unwrap().index()
        };
        assert_eq!(asked(1_000, 0), 3);
        assert_eq!(asked(0, 1_000), 1);
        table
            .gate(table.targets().nth(3).unwrap())
            .force(Mode::ForcedOpen);
        assert_eq!(asked(1_000, 0), 2);
    }
}
