//! One decision: which of a route's candidates a request goes to now.
//!
//! A pure function of the table's atomics, the request and `now`. It takes no lock and allocates
//! nothing: one pass reads gates and sums weights, one draw picks, one walk finds the pick.

use crate::request::Request;
use crate::route::RouteId;
use crate::table::{Candidate, Slot, Table};
use crate::target::TargetId;
use crate::trace::Refusal;
use llm_breaker::Readiness;
use rand::{Rng, RngExt};
use std::time::Instant;

/// A set of candidates of one route, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u128);

impl Set {
    pub(crate) const fn contains(self, position: u8) -> bool {
        self.0 >> position & 1 == 1
    }

    pub(crate) const fn insert(&mut self, position: u8) {
        self.0 |= 1 << position;
    }
}

/// What a candidate must offer beyond being ready. It narrows as a request's failures teach.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fit {
    /// Only windows larger than this will do; 0 means any.
    pub(crate) context_above: u32,
    /// Only members the route names for refused prompts.
    pub(crate) less_restrictive: bool,
}

/// When a candidate can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Now.
    Ready,
    /// From this instant on, because of a rate limit.
    Held(Instant),
    /// Perhaps from this instant on: its breaker, or its credential's, is open.
    Open(Instant),
}

/// Whether `candidate` could serve the request at all, health aside.
pub(crate) fn fits(
    slot: &Slot,
    candidate: Candidate,
    request: &Request,
    fit: Fit,
) -> Result<(), Refusal> {
    if candidate.weight == 0 {
        return Err(Refusal::NoWeight);
    }
    if !slot.abilities.contains(request.abilities) {
        return Err(Refusal::Unable);
    }
    let window = slot.context_window_tokens;
    // An unknown window is given the benefit of the doubt: a refusal for length costs nothing.
    if window != 0 && (window < request.context_tokens || window <= fit.context_above) {
        return Err(Refusal::TooSmall);
    }
    if fit.less_restrictive && !candidate.less_restrictive {
        return Err(Refusal::NotLessRestrictive);
    }
    Ok(())
}

/// When the target's own gate and its credential's let a call through.
pub(crate) fn admission(table: &Table, slot: &Slot, now: Instant) -> Admission {
    let own = gate(slot.gate.readiness(now));
    let shared = gate(table.credential(slot).readiness(now));
    match (own, shared) {
        (Admission::Ready, other) => other,
        (other, Admission::Ready) => other,
        (Admission::Held(a), Admission::Held(b)) => Admission::Held(a.max(b)),
        (Admission::Open(a) | Admission::Held(a), Admission::Open(b) | Admission::Held(b)) => {
            Admission::Open(a.max(b))
        }
    }
}

fn gate(readiness: Readiness) -> Admission {
    match readiness {
        Readiness::Ready | Readiness::Probe => Admission::Ready,
        Readiness::Held(until) => Admission::Held(until),
        Readiness::Open(until) => Admission::Open(until),
    }
}

/// The candidate of one tier to use now, drawn by weight among those that are ready and outside
/// `tried`. `first` is the position of the tier's first candidate in its route.
#[expect(
    clippy::too_many_arguments,
    reason = "each is one fact of the decision; a struct would be built for this call alone"
)]
pub(crate) fn pick(
    table: &Table,
    tier: &[Candidate],
    first: u8,
    request: &Request,
    fit: Fit,
    tried: Set,
    now: Instant,
    rng: &mut impl Rng,
) -> Option<u8> {
    let mut ready = Set::default();
    let mut total = 0u64;
    let mut only = None;
    for (candidate, position) in tier.iter().zip(first..) {
        let slot = table.slot(candidate.target);
        if tried.contains(position)
            || fits(slot, *candidate, request, fit).is_err()
            || admission(table, slot, now) != Admission::Ready
        {
            continue;
        }
        only = if total == 0 { Some(position) } else { None };
        ready.insert(position);
        total += u64::from(candidate.weight);
    }
    if total == 0 || only.is_some() {
        return only; // none, or one: no draw is needed
    }
    let mut point = rng.random_range(0..total);
    tier.iter().zip(first..).find_map(|(candidate, position)| {
        if !ready.contains(position) {
            return None;
        }
        match point.checked_sub(u64::from(candidate.weight)) {
            Some(left) => {
                point = left;
                None
            }
            None => Some(position),
        }
    })
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
        let route = self.resolved(route);
        let (fit, tried) = (Fit::default(), Set::default());
        let position = route
            .tiers()
            .find_map(|(first, tier)| pick(self, tier, first, request, fit, tried, now, rng))?;
        Some(route.candidates.get(usize::from(position))?.target)
    }
}

/// Why a candidate cannot be used now; `None` where it can.
pub(crate) fn refusal(
    table: &Table,
    candidate: Candidate,
    request: &Request,
    fit: Fit,
    now: Instant,
) -> Option<Refusal> {
    let slot = table.slot(candidate.target);
    if let Err(refusal) = fits(slot, candidate, request, fit) {
        return Some(refusal);
    }
    match gate(slot.gate.readiness(now)) {
        Admission::Held(_) => return Some(Refusal::Held),
        Admission::Open(_) => return Some(Refusal::Open),
        Admission::Ready => {}
    }
    match gate(table.credential(slot).readiness(now)) {
        Admission::Held(_) | Admission::Open(_) => Some(Refusal::CredentialSetAside),
        Admission::Ready => None,
    }
}
