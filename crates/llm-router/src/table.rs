//! The table: every target with its health, every route resolved to indices.
//!
//! Built once from names, then read without a lock: a request resolves its route's name once and
//! carries indices from there on. Health lives in atomics beside the facts, so the table itself
//! never changes.

use crate::budget::Budget;
use crate::canary::CanaryState;
use crate::detector::Detector;
use crate::estimate::Estimate;
use crate::money::{Ledger, Price, Spend};
use crate::pace::{Cost, Pace, nanos};
use crate::request::Request;
use crate::resolve::Resolved;
use crate::route::{Policy, RouteId};
use crate::scope::{Memberships, Shared, SharedState};
use crate::strategy::PeakEwma;
use crate::target::{RetryDomain, Target, TargetId};
use crate::thinking::Thinking;
use crate::vitals::Vitals;
use llm_backoff::RetryBudget;
use llm_breaker::{Breaker, BreakerConfig, Unrest};
use llm_errors::Scope;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

mod build;

pub(crate) use self::build::ledger;
pub use self::build::{TableBuilder, TableError};

/// Targets and routes, ready to be asked. Shared as an [`Arc`] by every [`Plan`](crate::Plan).
#[derive(Debug)]
pub struct Table {
    targets: Box<[Arc<Slot>]>,
    pub(crate) shared: Box<[Shared]>,
    /// Whether any of those keeps calls back.
    pub(crate) unrest: Arc<Unrest>,
    budgets: Box<[(RetryDomain, Arc<RetryBudget>)]>,
    /// What each of those is made by.
    budget: Budget,
    routes: Box<[Resolved]>,
    /// Shadow probes granted.
    pub(crate) shadows: AtomicU32,
    by_name: HashMap<Box<str>, RouteId>,
    /// The zero of the clocks of latencies and limits, for all tables in a row.
    origin: Instant,
}

/// An instant, and how long after the origin of the table's clocks it is: made once for all that is asked at that instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) ns: u64,
}

/// One target: what is known of it, and how it does.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Shared with the table that replaces this one, where the target stays the same.
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Arc<Pace>,
    /// The gates of `scopes`, in their order.
    pub(crate) gates: Box<[Arc<SharedState>]>,
    pub(crate) price: Price,
    /// The spend of the last hour, where it is limited or watched.
    pub(crate) ledger: Option<Arc<Ledger>>,
    pub(crate) scopes: Memberships,
    pub(crate) budget: u16,
    pub(crate) facts: Box<Target>,
    /// It goes on from the beginning of an answer.
    pub(crate) prefill: bool,
}

/// How one target does. The gate begins on a cache line of its own; what else a decision reads stands together before it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Health {
    pub(crate) in_flight: AtomicU32,
    /// How far its own count of a prompt is from what was expected.
    pub(crate) estimate: Estimate,
    /// Latency as the power of two choices sees it.
    pub(crate) ewma: PeakEwma,
    pub(crate) gate: Breaker,
    /// Rate limits in a row that stated no wait; the next hold grows with them.
    pub(crate) unhinted_limits: AtomicU32,
    /// It has refused to go on from the beginning of an answer.
    pub(crate) no_prefill: AtomicBool,
    pub(crate) vitals: Vitals,
}

// === impl Slot ===

impl Slot {
    /// As [`Health::expected`].
    pub(crate) fn expected(&self, request: &Request) -> Cost {
        self.health.expected(request)
    }

    /// Whether calls go in and nothing comes out, where anybody looks at that.
    pub(crate) fn is_hanging(&self, now: Instant) -> bool {
        self.health.vitals.is_hanging(now) && self.facts.detectors.contains(Detector::Hang)
    }

    /// Whether it has grown slow, where anybody looks at that.
    pub(crate) fn is_slow(&self, request: &Request) -> bool {
        self.health.vitals.is_slow(request) && self.facts.detectors.contains(Detector::Latency)
    }

    /// As [`Vitals::doubtful_after`], where anybody looks at that.
    pub(crate) fn doubtful_after(&self, request: &Request, now: Instant) -> Option<Duration> {
        let doubtful = self.health.vitals.doubtful_after(request, now)?;
        let heeded = self.facts.detectors.contains(Detector::Latency);
        heeded.then_some(doubtful)
    }
}

// === impl Health ===

impl Health {
    /// What the target would count and take from its rate limits for `request`, as far as its answers have shown.
    #[inline]
    pub(crate) fn expected(&self, request: &Request) -> Cost {
        Cost {
            input_tokens: self.estimate.apply(request.expected.input_tokens),
            ..request.expected
        }
    }

    /// Of a target that is new at `now`. Its latency is compared with others', so that it has one origin with them.
    fn new(config: BreakerConfig, habit: Thinking, origin: Instant, now: Instant) -> Self {
        Self {
            gate: Breaker::new(config, now),
            vitals: Vitals::new(habit, now),
            ewma: PeakEwma::new(origin),
            in_flight: AtomicU32::new(0),
            unhinted_limits: AtomicU32::new(0),
            no_prefill: AtomicBool::new(false),
            estimate: Estimate::new(),
        }
    }
}

// === impl Table ===

#[expect(
    clippy::indexing_slicing,
    reason = "ids are handed out only by the builder of a table and index its arrays; an id of \
              another table is a caller's bug that must not pass in silence"
)]
impl Table {
    /// Starts an empty table.
    #[must_use]
    pub fn builder() -> TableBuilder {
        TableBuilder::default()
    }

    /// The route called `name`.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<RouteId> {
        self.by_name.get(name).copied()
    }

    /// The names of all routes, in the order they were added.
    pub fn route_names(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| &*route.name)
    }

    /// The name of a route.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn route_name(&self, route: RouteId) -> &str {
        &self.routes[route.index()].name
    }

    /// The limits of a route.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn policy(&self, route: RouteId) -> &Policy {
        &self.routes[route.index()].policy
    }

    /// The ids of all targets, in the order they were added.
    pub fn targets(&self) -> impl Iterator<Item = TargetId> + use<> {
        (0..u16::try_from(self.targets.len()).unwrap_or(u16::MAX)).map(TargetId)
    }

    /// The name of a target.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn target_name(&self, target: TargetId) -> &str {
        &self.targets[target.index()].facts.name
    }

    /// The tags of a target.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    pub fn tags(&self, target: TargetId) -> impl Iterator<Item = &str> {
        self.slot(target).facts.tags.iter().map(|tag| &**tag)
    }

    /// The target on trial on a route, and where the trial stands.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn canary(&self, route: RouteId) -> Option<(TargetId, CanaryState)> {
        let route = self.resolved(route);
        let trial = route.canary.as_ref()?;
        let candidate = route.candidates.get(usize::from(trial.position))?;
        Some((candidate.target, trial.canary.state()))
    }

    /// What calls to a target cost in the last hour, where that is limited or watched.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn spent(&self, target: TargetId, now: Instant) -> Option<Spend> {
        Some(self.slot(target).ledger.as_ref()?.spent(now))
    }

    /// What the requests of a route cost in the last hour, where that is limited or watched.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn spent_on(&self, route: RouteId, now: Instant) -> Option<Spend> {
        Some(self.resolved(route).ledger.as_ref()?.spent(now))
    }

    /// The provider of a target.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn provider(&self, target: TargetId) -> &str {
        &self.targets[target.index()].facts.provider
    }

    /// The attempts that are under way on a target.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn in_flight(&self, target: TargetId) -> u32 {
        self.slot(target).health.in_flight.load(Ordering::Relaxed)
    }

    /// The gate of a target: its state, and the means to force it.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn gate(&self, target: TargetId) -> &Breaker {
        &self.slot(target).health.gate
    }

    /// The gate of a target's credential, shared by all targets of that credential.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn credential_gate(&self, target: TargetId) -> &Breaker {
        self.scope_gate(target, Scope::Credential)
    }

    /// The gate that stands for a scope of a target: shared by all targets of the scope, or the
    /// target's own where it shares it with nobody.
    ///
    /// # Panics
    ///
    /// If `target` comes from a larger table.
    #[must_use]
    pub fn scope_gate(&self, target: TargetId, scope: Scope) -> &Breaker {
        self.gate_of(self.slot(target), scope)
    }

    #[inline]
    pub(crate) fn moment(&self, now: Instant) -> Moment {
        let ns = nanos(now.saturating_duration_since(self.origin));
        Moment { now, ns }
    }

    #[inline]
    pub(crate) fn slot(&self, target: TargetId) -> &Slot {
        &self.targets[target.index()]
    }

    pub(crate) fn budget(&self, slot: &Slot) -> &RetryBudget {
        &self.budgets[usize::from(slot.budget)].1
    }

    pub(crate) fn resolved(&self, route: RouteId) -> &Resolved {
        &self.routes[route.index()]
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
