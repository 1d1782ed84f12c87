//! One look at the candidates of a tier: which of them is drawn, and whether it can be used.
//!
//! Nearly every target is nearly always the same: closed gates, limits far away. So this is asked first, in a few loads, and
//! all else out of its way.

use super::{Fit, Set, expected_cost, fits, is_large_enough, is_ready, refusal};
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Tier};
use crate::route::{MAX_CANDIDATES, RouteId};
use crate::scope::SharedState;
use crate::strategy::{self, Load, Strategy};
use crate::table::{Moment, Table};
use crate::target::TargetId;
use crate::trace::Refusal;
use rand::{Rng, RngExt};
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

/// The candidate that one draw settles on, in constant time: one by its weight, or the better of two; `None` where the strategy looks
/// at all of them, or one that was drawn cannot be used. Then one is drawn among those that can, so that each of these, or each
/// pair, has its share.
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
        let drawn = drawn(tier, draw, |one| self.is_usable(one));
        let chosen = match tier.strategy {
            _ if drawn.is_some() => drawn,
            Strategy::Weighted => self.by_weight(tier, rng),
            Strategy::PowerOfTwo => self.better_of_usable(tier, rng),
            strategy => self.by_cost(tier, strategy, draw),
        };
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

    /// The usable candidate that the strategy prefers.
    fn by_cost<'t>(&self, tier: Tier<'t>, strategy: Strategy, draw: u64) -> Option<&'t Candidate> {
        let (request, at) = (self.request, self.moment.ns);
        match strategy {
            Strategy::LeastInFlight => self.least(tier, draw, |candidate, _| {
                strategy::crowding(in_flight(candidate), candidate.per_weight)
            }),
            Strategy::HeadRoom => {
                self.least(tier, draw, |candidate, _| -candidate.pace.headroom_at(at))
            }
            Strategy::Cheapest => self.least(tier, draw, |candidate, _| {
                strategy::price(expected_cost(&candidate.slot, request).0)
            }),
            Strategy::Sticky => {
                let key = strategy::mix(request.key);
                self.least(tier, draw, |candidate, bound| {
                    strategy::distance(candidate.sticky_id, key, candidate.per_weight, bound)
                })
            }
            Strategy::Weighted | Strategy::PowerOfTwo => None,
        }
    }

    /// The usable one of the least cost. That is nearly always the one of the least cost, so that only this one is looked at
    /// more closely.
    fn least<'t>(
        &self,
        tier: Tier<'t>,
        draw: u64,
        cost: impl Fn(&Candidate, f64) -> f64,
    ) -> Option<&'t Candidate> {
        let cost = |candidate: &&Candidate, bound| cost(candidate, bound);
        let mut all = tier.candidates.iter().filter(|one| one.weight > 0);
        let least = strategy::least(all.clone(), draw, cost)?;
        if self.is_usable(least) {
            return Some(least);
        }
        strategy::least(all.by_ref().filter(|one| self.is_usable(one)), draw, cost)
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
            let drawn = drawn(
                resolved.first_tier()?,
                draw,
                #[inline(always)]
                |candidate| is_at_hand(self, candidate, request),
            );
            if let Some(drawn) = drawn {
                return Some(drawn.target);
            }
        }
        self.decide_by_looking(resolved, request, draw, now, rng)
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
