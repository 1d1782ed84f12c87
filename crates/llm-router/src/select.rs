//! One decision: which of a route's candidates a request goes to now.
//!
//! A pure function of the table's atomics, the request and `now`. It takes no lock and allocates
//! nothing, and where all is well its cost does not grow with the number of targets.

use crate::money::{Billed, Ledger, Spend, cost};
use crate::pace::PaceReadiness;
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Role, Tier};
use crate::route::{Edge, MAX_CANDIDATES, Policy, RouteId};
use crate::strategy::{self, Load, Strategy};
use crate::table::{Moment, Slot, Table};
use crate::target::TargetId;
use crate::trace::Refusal;
use llm_breaker::Readiness;
use rand::{Rng, RngExt};
use std::hint::select_unpredictable;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A set of candidates of one route, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u128);

impl Set {
    pub(crate) const ALL: Self = Self(u128::MAX);

    pub(crate) const fn contains(self, position: u8) -> bool {
        self.0 >> position & 1 == 1
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn is_all(self) -> bool {
        self.0 == u128::MAX
    }

    pub(crate) const fn insert(&mut self, position: u8) {
        self.0 |= 1 << position;
    }
}

/// What a candidate must offer beyond being ready. It changes as a request's failures teach.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit {
    /// Only windows larger than this will do; 0 means any.
    pub(crate) context_above: u32,
    /// Only members the route names for refused prompts.
    pub(crate) less_restrictive: bool,
    /// The edges whose failure has been met, one bit each.
    pub(crate) edges: u8,
    /// The request is on the side of the canary.
    pub(crate) canary: bool,
    /// What the request may still cost, in millionths of a dollar; all bits set: anything.
    pub(crate) money_left: u64,
    /// Only targets that go on from the beginning of an answer.
    pub(crate) prefill: bool,
}

impl Fit {
    /// For a request that has met no failure yet.
    pub(crate) fn of(policy: &Policy, request: &Request) -> Self {
        let cap = match (policy.max_cost, request.max_cost) {
            (None, None) => u64::MAX,
            (own, asked) => own
                .into_iter()
                .chain(asked)
                .min()
                .map_or(u64::MAX, |cap| cap.0),
        };
        Self {
            context_above: 0,
            less_restrictive: false,
            edges: 0,
            canary: false,
            money_left: cap,
            prefill: false,
        }
    }

    /// Nothing is asked beyond abilities and window.
    const fn is_least(&self) -> bool {
        self.money_left == u64::MAX
            && self.context_above == 0
            && !self.less_restrictive
            && !self.prefill
    }

    pub(crate) const fn open(&mut self, edge: Edge) {
        self.edges |= 1 << edge as u8;
    }

    /// The same with an edge open.
    pub(crate) const fn with(mut self, edge: Edge) -> Self {
        self.open(edge);
        self
    }

    pub(crate) const fn is_open(self, edge: Edge) -> bool {
        self.edges >> edge as u8 & 1 == 1
    }
}

/// When a candidate can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Now.
    Ready,
    /// From this instant on, because of a rate limit that the provider has met us with.
    Held(Instant),
    /// From this instant on, because of a rate limit that is kept here.
    Paced(Instant),
    /// Perhaps from this instant on: its breaker, or its credential's, is open.
    Open(Instant),
}

/// When to look again at a target that has as many calls in flight as it may have.
const FULL: Duration = Duration::from_millis(50);
/// For how long a request that exceeds a target's limits by itself is kept from it: the limits may
/// be learnt anew.
const TOO_LARGE: Duration = Duration::from_secs(60);

/// Whether `candidate` could serve the request at all, health aside.
#[inline]
pub(crate) fn fits(
    table: &Table,
    candidate: &Candidate,
    request: &Request,
    fit: Fit,
    now: Instant,
) -> Result<(), Refusal> {
    let slot = &*candidate.slot;
    if candidate.weight == 0 {
        return Err(Refusal::NoWeight);
    }
    if !request.allowed.0.contains(candidate.position) {
        return Err(Refusal::Excluded);
    }
    match candidate.role {
        Role::Member => {}
        Role::Edge(edge) if fit.is_open(edge) => {}
        Role::Edge(_) => return Err(Refusal::NotForThis),
        Role::Canary if fit.canary => {}
        Role::Canary => return Err(Refusal::OnTrial),
    }
    if !candidate.abilities.contains(request.abilities) {
        return Err(Refusal::Unable);
    }
    if !request.carried.0.contains(candidate.position) {
        return Err(Refusal::Lossy);
    }
    if !is_large_enough(candidate, request, fit.context_above) {
        return Err(Refusal::TooSmall);
    }
    if fit.less_restrictive && !candidate.less_restrictive {
        return Err(Refusal::NotLessRestrictive);
    }
    if fit.prefill && (!slot.prefill || slot.health.no_prefill.load(Ordering::Relaxed)) {
        return Err(Refusal::NoPrefill);
    }
    if fit.money_left == u64::MAX && !candidate.is_billed {
        return Ok(());
    }
    affords(table, candidate, request, fit, now)
}

/// Whether the request fits into the target's window, and that is larger than `above`. An unknown window is given the benefit
/// of the doubt: a refusal for length costs nothing.
#[inline]
fn is_large_enough(candidate: &Candidate, request: &Request, above: u32) -> bool {
    let window = candidate.context_window_tokens;
    let wanted = || {
        candidate
            .slot
            .health
            .estimate
            .apply(request.context_tokens.into())
    };
    window == 0 || (window > above && u64::from(window) >= wanted())
}

/// Whether the request, the target's hour and the route's hour can bear the price of the call.
#[cold]
fn affords(
    table: &Table,
    candidate: &Candidate,
    request: &Request,
    fit: Fit,
    now: Instant,
) -> Result<(), Refusal> {
    let slot = &*candidate.slot;
    let route = table.resolved(candidate.route).ledger.as_deref();
    let own = slot.ledger.as_deref();
    let price = expected_cost(slot, request);
    let refuses = |ledger: Option<&Ledger>| ledger.is_some_and(|it| !it.allows(price, now));
    if price.0 > fit.money_left {
        Err(Refusal::OverBudget)
    } else if refuses(own) {
        Err(Refusal::SpendCap)
    } else if refuses(route) {
        Err(Refusal::RouteSpendCap)
    } else {
        Ok(())
    }
}

/// What a call to a target is expected to cost.
pub(crate) fn expected_cost(slot: &Slot, request: &Request) -> Spend {
    cost(&slot.price, &Billed::expected(slot.expected(request)))
}

/// Whether a call can go to the target now: what [`admission`] says, without the instant.
fn is_ready(slot: &Slot, request: &Request, moment: &Moment) -> bool {
    let passes = |admission| admission == Admission::Ready;
    let in_flight = || slot.health.in_flight.load(Ordering::Relaxed);
    let mut shared = slot.gates.iter();
    passes(gate(slot.health.gate.readiness(moment.now)))
        && slot
            .pace
            .is_ready(slot.expected(request), in_flight, moment.of(slot))
        && shared.all(|shared| passes(gate(shared.gate.readiness(moment.now))))
}

/// When the target's own gate and its credential's let a call through.
pub(crate) fn admission(table: &Table, slot: &Slot, request: &Request, now: Instant) -> Admission {
    let in_flight = slot.health.in_flight.load(Ordering::Relaxed);
    let paced = match slot.pace.readiness(slot.expected(request), in_flight, now) {
        PaceReadiness::Ready => return gates(table, slot, now),
        PaceReadiness::NotBefore(until) => Admission::Paced(until),
        PaceReadiness::Full => Admission::Paced(now + FULL),
        PaceReadiness::TooLarge => Admission::Open(now + TOO_LARGE),
    };
    both(paced, gates(table, slot, now))
}

/// When the gates alone let a call through.
fn gates(table: &Table, slot: &Slot, now: Instant) -> Admission {
    let own = gate(slot.health.gate.readiness(now));
    let shared = table.scopes(slot);
    shared.fold(own, |so_far, shared| {
        both(so_far, gate(shared.state.gate.readiness(now)))
    })
}

/// When both let a call through.
fn both(own: Admission, shared: Admission) -> Admission {
    use Admission::{Held, Open, Paced, Ready};
    match (own, shared) {
        (Ready, other) | (other, Ready) => other,
        (Paced(a), Paced(b)) => Paced(a.max(b)),
        (Open(a), Open(b) | Held(b) | Paced(b)) | (Held(a) | Paced(a), Open(b)) => Open(a.max(b)),
        (Held(a), Held(b) | Paced(b)) | (Paced(a), Held(b)) => Held(a.max(b)),
    }
}

fn gate(readiness: Readiness) -> Admission {
    match readiness {
        Readiness::Ready | Readiness::Probe => Admission::Ready,
        Readiness::Held(until) => Admission::Held(until),
        Readiness::Open(until) => Admission::Open(until),
    }
}

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
    Look::new(table, request, fit, tried, table.moment(now)).pick(tier, rng)
}

/// The candidate that one draw settles on, in constant time: one by its weight, or the better of two; `None` where the strategy looks
/// at all of them, or one that was drawn cannot be used. Then one is drawn among those that can, so that each of these, or each
/// pair, has its share.
#[inline]
fn drawn<'t>(
    tier: Tier<'t>,
    moment: &Moment,
    rng: &mut impl Rng,
    usable: impl Fn(&Candidate) -> bool,
) -> Option<&'t Candidate> {
    match tier.strategy {
        Strategy::Weighted => {
            let drawn = tier.candidates.get(usize::from(tier.draw?.draw(rng)))?;
            usable(drawn).then_some(drawn)
        }
        Strategy::PowerOfTwo => {
            let (first, second) = strategy::pair(rng.next_u64(), tier.candidates.len())?;
            let (first, second) = (tier.candidates.get(first)?, tier.candidates.get(second)?);
            if !usable(first) || !usable(second) {
                return None;
            }
            Some(better(first, second, moment))
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
#[inline(always)]
fn is_at_hand(candidate: &Candidate, request: &Request, moment: &Moment) -> bool {
    let slot = &*candidate.slot;
    if !candidate.is_plain
        || !candidate.abilities.contains(request.abilities)
        || !is_large_enough(candidate, request, 0)
        || !slot.health.gate.is_clear()
    {
        return false;
    }
    for shared in &slot.gates {
        if !shared.gate.is_clear() {
            return false;
        }
    }
    let in_flight = || slot.health.in_flight.load(Ordering::Relaxed);
    slot.pace
        .is_easily_ready(slot.expected(request), in_flight, moment.of(slot))
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

    fn pick(&self, tier: Tier<'_>, rng: &mut impl Rng) -> Option<u8> {
        let drawn = drawn(tier, &self.moment, rng, |candidate| {
            self.is_usable(candidate)
        });
        match (drawn, tier.strategy) {
            (Some(drawn), _) => Some(drawn.position),
            (None, Strategy::Weighted) => self.by_weight(tier, rng),
            (None, _) => self.by_strategy(tier, rng),
        }
    }

    fn is_usable(&self, candidate: &Candidate) -> bool {
        (self.asks_little && is_at_hand(candidate, self.request, &self.moment))
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
    fn by_weight(&self, tier: Tier<'_>, rng: &mut impl Rng) -> Option<u8> {
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
        tier.candidates.iter().find_map(|candidate| {
            if !ready.contains(candidate.position) {
                return None;
            }
            match point.checked_sub(u64::from(candidate.weight)) {
                Some(left) => {
                    point = left;
                    None
                }
                None => Some(candidate.position),
            }
        })
    }

    /// The usable candidate that the tier's strategy prefers.
    fn by_strategy(&self, tier: Tier<'_>, rng: &mut impl Rng) -> Option<u8> {
        let (draw, request, moment) = (rng.next_u64(), self.request, &self.moment);
        let chosen = match tier.strategy {
            Strategy::LeastInFlight => self.least(tier, draw, |candidate, _| {
                strategy::crowding(in_flight(candidate), candidate.per_weight)
            }),
            Strategy::HeadRoom => self.least(tier, draw, |candidate, _| {
                let slot = &candidate.slot;
                -slot.pace.headroom_at(moment.of(slot))
            }),
            Strategy::Cheapest => self.least(tier, draw, |candidate, _| {
                strategy::price(expected_cost(&candidate.slot, request).0)
            }),
            Strategy::Sticky => {
                let key = strategy::mix(request.key);
                self.least(tier, draw, |candidate, bound| {
                    strategy::distance(candidate.sticky_id, key, candidate.per_weight, bound)
                })
            }
            Strategy::Weighted | Strategy::PowerOfTwo => self.better_of_usable(tier, draw),
        };
        Some(chosen?.position)
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
    fn better_of_usable<'t>(&self, tier: Tier<'t>, draw: u64) -> Option<&'t Candidate> {
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
        match strategy::pair(draw, count) {
            Some((first, second)) => Some(better(at(first)?, at(second)?, &self.moment)),
            None if count == 0 => None,
            None => at(0),
        }
    }
}

/// The calls under way at a candidate's target.
#[inline]
fn in_flight(candidate: &Candidate) -> u32 {
    candidate.slot.health.in_flight.load(Ordering::Relaxed)
}

/// The one of two whose peak latency, calls in flight and weight promise the sooner answer.
#[inline]
fn better<'t>(first: &'t Candidate, second: &'t Candidate, moment: &Moment) -> &'t Candidate {
    let load = |candidate: &Candidate| Load {
        per_weight: candidate.per_weight,
        in_flight: in_flight(candidate),
        micros: candidate.slot.health.ewma.about(moment.of(&candidate.slot)),
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
        let moment = self.moment(now);
        if uncapped && allows_all(request) {
            let drawn = drawn(
                resolved.first_tier()?,
                &moment,
                rng,
                #[inline(always)]
                |candidate| is_at_hand(candidate, request, &moment),
            );
            if let Some(drawn) = drawn {
                return Some(drawn.target);
            }
        }
        self.decide_by_looking(resolved, request, &moment, rng)
    }

    /// The same for any request, tier by tier.
    #[inline(never)]
    fn decide_by_looking(
        &self,
        route: &Resolved,
        request: &Request,
        moment: &Moment,
        rng: &mut impl Rng,
    ) -> Option<TargetId> {
        let fit = Fit::of(&route.policy, request);
        let look = Look::new(self, request, &fit, Set::default(), *moment);
        let position = route.tiers().find_map(|tier| look.pick(tier, rng))?;
        Some(route.candidates.get(usize::from(position))?.target)
    }
}

/// Why a candidate cannot be used now; `None` where it can.
pub(crate) fn refusal(
    table: &Table,
    candidate: &Candidate,
    request: &Request,
    fit: Fit,
    moment: &Moment,
) -> Option<Refusal> {
    if let Err(refusal) = fits(table, candidate, request, fit, moment.now) {
        return Some(refusal);
    }
    if is_ready(&candidate.slot, request, moment) {
        return None;
    }
    unreadiness(table, &candidate.slot, request, moment.now)
}

/// Why a call cannot go to a target now that could serve it.
#[cold]
fn unreadiness(table: &Table, slot: &Slot, request: &Request, now: Instant) -> Option<Refusal> {
    let in_flight = slot.health.in_flight.load(Ordering::Relaxed);
    match slot.pace.readiness(slot.expected(request), in_flight, now) {
        PaceReadiness::Ready => {}
        PaceReadiness::NotBefore(_) => return Some(Refusal::Paced),
        PaceReadiness::Full => return Some(Refusal::Full),
        PaceReadiness::TooLarge => return Some(Refusal::OverLimit),
    }
    match gate(slot.health.gate.readiness(now)) {
        Admission::Held(_) | Admission::Paced(_) => return Some(Refusal::Held),
        Admission::Open(_) => return Some(Refusal::Open),
        Admission::Ready => {}
    }
    let mut shared = table.scopes(slot);
    shared.find_map(|shared| match gate(shared.state.gate.readiness(now)) {
        Admission::Ready => None,
        Admission::Held(_) | Admission::Paced(_) => Some(Refusal::Held),
        Admission::Open(_) => Some(Refusal::of_scope(shared.key.scope)),
    })
}
