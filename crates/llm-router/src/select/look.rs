//! One look at the candidates of a tier: whether its favourite can be used, or who else.
//!
//! Nearly every target is nearly always the same: closed gates, limits far away. So this is asked first, in a few loads, and
//! all else out of its way.

use super::favourite::{better, favourite, least};
use super::{Fit, Set, fits, is_large_enough, is_ready, refusal};
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Tier};
use crate::route::{MAX_CANDIDATES, RouteId};
use crate::scope::SharedState;
use crate::strategy::{self, Strategy};
use crate::table::{Moment, Table};
use crate::target::TargetId;
use crate::trace::Refusal;
use rand::{Rng, RngExt};
use std::sync::Arc;
use std::time::Instant;

#[cfg(test)]
mod tests;

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
    if tier.strategy == Strategy::Weighted && tier.has_any_of(tried) {
        // No turn is taken for a call after the first: where one target's calls fail, those after them would take the others' turns.
        return Some(look.by_weight(tier, rng)?.position);
    }
    look.pick(tier, tier.next(rng), rng)
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
        // A gate that lets one call in so many through counts them, and its count would fall in step with the turns.
        let in_turn =
            |one: &Candidate| tier.strategy != Strategy::Weighted || one.health.gate.is_clear();
        let usable = |one: &Candidate| in_turn(one) && self.is_usable(one);
        let favourite = favourite(tier, self.request, draw, || self.moment.ns, usable);
        let chosen = favourite.or_else(|| match tier.strategy {
            Strategy::Weighted => {
                // Its turn waits for the next one who can use it: else those who cannot would take it from those who can.
                tier.give_back();
                self.by_weight(tier, rng)
            }
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

impl Table {
    /// The target a fresh request on `route` would go to now, without starting it. The hot path
    /// of every call: no lock, no allocation. By weight it takes that target's turn.
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
        let draw = resolved.next(rng);
        if uncapped && allows_all(request) {
            // Each strategy by itself, so that none makes room for what another needs.
            let at_hand = match resolved.policy.strategy {
                Strategy::Weighted => {
                    self.at_hand(Strategy::Weighted, resolved, request, draw, now)
                }
                Strategy::LeastInFlight => {
                    self.at_hand_by(|| Strategy::LeastInFlight, resolved, request, draw, now)
                }
                Strategy::PowerOfTwo => {
                    self.at_hand_by(|| Strategy::PowerOfTwo, resolved, request, draw, now)
                }
                Strategy::HeadRoom => {
                    self.at_hand_by(|| Strategy::HeadRoom, resolved, request, draw, now)
                }
                Strategy::Cheapest => {
                    self.at_hand_by(|| Strategy::Cheapest, resolved, request, draw, now)
                }
                Strategy::Sticky => {
                    self.at_hand_by(|| Strategy::Sticky, resolved, request, draw, now)
                }
            };
            if at_hand.is_some() {
                return at_hand;
            }
        }
        self.decide_by_looking(resolved, request, draw, now, rng)
    }

    /// The same, compiled for one strategy.
    #[inline(never)]
    fn at_hand_by(
        &self,
        strategy: impl FnOnce() -> Strategy,
        route: &Resolved,
        request: &Request,
        draw: u64,
        now: Instant,
    ) -> Option<TargetId> {
        self.at_hand(strategy(), route, request, draw, now)
    }

    /// The favourite of the first tier, if it is at hand.
    #[inline(always)]
    fn at_hand(
        &self,
        strategy: Strategy,
        route: &Resolved,
        request: &Request,
        draw: u64,
        now: Instant,
    ) -> Option<TargetId> {
        let tier = Tier {
            strategy,
            ..route.first_tier()?
        };
        let at = || self.moment(now).ns;
        let favourite = favourite(
            tier,
            request,
            draw,
            at,
            #[inline(always)]
            |one| is_at_hand(self, one, request),
        );
        Some(favourite?.target)
    }

    /// The same for any request, tier by tier.
    #[inline(never)]
    fn decide_by_looking(
        &self,
        route: &Resolved,
        request: &Request,
        draw: u64,
        now: Instant,
        rng: &mut impl Rng,
    ) -> Option<TargetId> {
        let fit = Fit::of(&route.policy, request);
        let look = Look::new(self, request, &fit, Set::default(), self.moment(now));
        // The same draw as before in the first tier: its target may be of use, if not at hand.
        let mut drawn = Some(draw);
        let position = route.tiers().find_map(|tier| {
            let draw = drawn.take().unwrap_or_else(|| tier.next(rng));
            look.pick(tier, draw, rng)
        })?;
        Some(route.candidates.get(usize::from(position))?.target)
    }
}
