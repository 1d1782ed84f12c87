//! One decision: which of a route's candidates a request goes to now.
//!
//! A pure function of the table's atomics, the request and `now`. It takes no lock and allocates
//! nothing, and where all is well its cost does not grow with the number of targets.

use crate::money::{Billed, Ledger, Spend, cost};
use crate::pace::PaceReadiness;
use crate::request::Request;
use crate::resolve::{Candidate, Role};
use crate::route::{Edge, Policy};
use crate::table::{Moment, Slot, Table};
use crate::trace::Refusal;
use llm_breaker::Readiness;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

mod favourite;
mod look;

pub(crate) use self::look::{Look, pick};

/// A set of candidates of one route, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Set(u128);

impl Set {
    pub(crate) const ALL: Self = Self(u128::MAX);

    pub(crate) const fn contains(self, position: u8) -> bool {
        self.0 >> position & 1 == 1
    }

    pub(crate) const fn is_empty(self) -> bool {
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
    let in_flight = slot.health.in_flight.load(Ordering::Relaxed);
    let mut shared = slot.gates.iter();
    passes(gate(slot.health.gate.readiness(moment.now)))
        && slot
            .pace
            .is_ready(slot.expected(request), in_flight, || moment.ns)
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
