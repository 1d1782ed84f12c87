//! The table: every target with its health, every route resolved to indices.
//!
//! Built once from names, then read without a lock: a request resolves its route's name once and
//! carries indices from there on. Health lives in atomics beside the facts, so the table itself
//! never changes.

use crate::canary::CanaryState;
use crate::estimate::Estimate;
use crate::money::{Allowance, Ledger, Price, Spend};
use crate::pace::{Cost, Pace, nanos};
use crate::request::Request;
use crate::resolve::{Draft, Resolved};
use crate::route::{MAX_CANDIDATES, Policy, Route, RouteId};
use crate::scope::{self, Memberships, Shared};
use crate::strategy::PeakEwma;
use crate::target::{RetryDomain, Target, TargetId};
use crate::vitals::Vitals;
use llm_backoff::RetryBudget;
use llm_breaker::{Breaker, BreakerConfig};
use llm_errors::Scope;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;
use thiserror::Error;

/// Targets and routes, ready to be asked. Shared as an [`Arc`] by every [`Plan`](crate::Plan).
#[derive(Debug)]
pub struct Table {
    targets: Box<[Slot]>,
    pub(crate) shared: Box<[Shared]>,
    budgets: Box<[(RetryDomain, Arc<RetryBudget>)]>,
    routes: Box<[Resolved]>,
    /// Shadow probes granted.
    pub(crate) shadows: AtomicU32,
    by_name: HashMap<Box<str>, RouteId>,
    origin: Instant,
}

/// An instant, and how long after the table's origin it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    ns: u64,
}

impl Moment {
    /// Nanoseconds since the origin of a target's clocks.
    #[inline]
    pub(crate) const fn of(self, slot: &Slot) -> u64 {
        self.ns.saturating_add(slot.age_ns)
    }
}

/// One target: what is known of it, and how it does.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Shared with the table that replaces this one, where the target stays the same.
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) price: Price,
    /// The spend of the last hour, where it is limited or watched.
    pub(crate) ledger: Option<Arc<Ledger>>,
    pub(crate) scopes: Memberships,
    pub(crate) budget: u16,
    pub(crate) facts: Target,
    /// It goes on from the beginning of an answer.
    pub(crate) prefill: bool,
    /// How much older than the table its clocks are.
    age_ns: u64,
}

/// How one target does.
#[derive(Debug)]
pub(crate) struct Health {
    pub(crate) gate: Breaker,
    pub(crate) vitals: Vitals,
    /// Latency as the power of two choices sees it.
    pub(crate) ewma: PeakEwma,
    pub(crate) in_flight: AtomicU32,
    /// Rate limits in a row that stated no wait; the next hold grows with them.
    pub(crate) unhinted_limits: AtomicU32,
    /// It has refused to go on from the beginning of an answer.
    pub(crate) no_prefill: AtomicBool,
    /// How far its own count of a prompt is from what was expected.
    pub(crate) estimate: Estimate,
}

/// Collects targets and routes for a [`Table`].
#[derive(Debug, Clone, Default)]
pub struct TableBuilder {
    targets: Vec<Target>,
    routes: Vec<Route>,
    breaker: BreakerConfig,
    before: Option<Arc<Table>>,
}

/// A fault in the description of a table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableError {
    /// Two targets have the same name.
    #[error("target `{0}` is defined twice")]
    DuplicateTarget(Box<str>),
    /// Two routes have the same name.
    #[error("route `{0}` is defined twice")]
    DuplicateRoute(Box<str>),
    /// A route names a target that does not exist.
    #[error("route `{route}` names the unknown target `{target}`")]
    UnknownTarget {
        /// The route.
        route: Box<str>,
        /// The name it gives.
        target: Box<str>,
    },
    /// A route names the same target twice.
    #[error("route `{route}` names target `{target}` twice")]
    RepeatedTarget {
        /// The route.
        route: Box<str>,
        /// The target.
        target: Box<str>,
    },
    /// A route has no target with a weight above zero.
    #[error("route `{0}` has no target that can be chosen")]
    EmptyRoute(Box<str>),
    /// A tier has no members.
    #[error("route `{route}` has an empty tier at position {tier}")]
    EmptyTier {
        /// The route.
        route: Box<str>,
        /// The tier, counted from 0.
        tier: usize,
    },
    /// A target of a route does not bear the tag that the route asks for.
    #[error("route `{route}` asks for the tag `{tag}`, which target `{target}` does not have")]
    MissingTag {
        /// The route.
        route: Box<str>,
        /// The tag.
        tag: Box<str>,
        /// The target without it.
        target: Box<str>,
    },
    /// A route has more candidates than [`MAX_CANDIDATES`].
    #[error("route `{route}` has {count} candidates, at most {MAX_CANDIDATES} are possible")]
    TooManyCandidates {
        /// The route.
        route: Box<str>,
        /// How many it has.
        count: usize,
    },
    /// More targets or routes than indices.
    #[error("a table holds at most 65535 targets and as many routes")]
    TooLarge,
}

// === impl TableBuilder ===

impl TableBuilder {
    /// Adds a target.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Sets the breaker of every target. Defaults to [`BreakerConfig::default`].
    #[must_use]
    pub fn breaker(mut self, config: BreakerConfig) -> Self {
        self.breaker = config;
        self
    }

    /// Takes over what `before` has learnt: a target of the same name, provider, credential and identity keeps
    /// its health, a credential or a wider scope its set-aside, a provider's region its retry budget, a route
    /// its budgets for hedges and repeated calls and its trial, both their spend of the hour. Settings
    /// and limits are those of the new table from then on. Calls that are under way on `before` end there, and count here.
    #[must_use]
    pub fn inherit(mut self, before: Arc<Table>) -> Self {
        self.before = Some(before);
        self
    }

    /// Builds the table; `now` is the zero of its clocks.
    ///
    /// # Errors
    ///
    /// The first [`TableError`] found, targets before routes.
    pub fn build(self, now: Instant) -> Result<Arc<Table>, TableError> {
        let mut ids: HashMap<Box<str>, TargetId> = HashMap::new();
        let before = self.before.as_deref();
        let described: Vec<&Target> = self.targets.iter().collect();
        let (shared, memberships) = scope::resolve(&described, before, self.breaker, now);
        let mut domains: Vec<RetryDomain> = Vec::new();
        let mut slots = Vec::with_capacity(self.targets.len());
        for (target, scopes) in self.targets.into_iter().zip(memberships) {
            let id = u16::try_from(slots.len()).map_err(|_| TableError::TooLarge)?;
            if ids.insert(target.name.clone(), TargetId(id)).is_some() {
                return Err(TableError::DuplicateTarget(target.name));
            }
            let pace = before
                .and_then(|before| before.pace_of(&target))
                .unwrap_or_else(|| Arc::new(Pace::new(target.limits, now)));
            slots.push(Slot {
                health: before
                    .and_then(|before| before.health_of(&target))
                    .unwrap_or_else(|| Arc::new(Health::new(self.breaker, now))),
                age_ns: nanos(now.saturating_duration_since(pace.origin())),
                pace,
                price: target.price,
                ledger: ledger(
                    &target.allowance,
                    before.and_then(|before| before.equal_of(&target)?.ledger.as_ref()),
                    now,
                ),
                scopes,
                budget: intern(&mut domains, target.retry_domain())?,
                prefill: target.prefill,
                facts: target,
            });
        }
        let mut by_name = HashMap::new();
        let mut routes = Vec::with_capacity(self.routes.len());
        for route in self.routes {
            let id = u16::try_from(routes.len()).map_err(|_| TableError::TooLarge)?;
            if by_name.insert(route.name.clone(), RouteId(id)).is_some() {
                return Err(TableError::DuplicateRoute(route.name));
            }
            let known = before.and_then(|before| before.route_called(&route.name));
            let draft = Draft {
                id: RouteId(id),
                ids: &ids,
                slots: &slots,
            };
            routes.push(draft.resolve(route, known, now)?);
        }
        let table = Table {
            targets: slots.into(),
            shared,
            budgets: domains
                .into_iter()
                .map(|domain| {
                    let known = before.and_then(|before| find(&before.budgets, &domain));
                    (domain, known.unwrap_or_default())
                })
                .collect(),
            routes: routes.into(),
            shadows: AtomicU32::new(0),
            by_name,
            origin: now,
        };
        if before.is_some() {
            table.settle_in(&self.breaker);
        }
        Ok(Arc::new(table))
    }
}

fn intern<T: PartialEq>(seen: &mut Vec<T>, value: T) -> Result<u16, TableError> {
    let index = seen.iter().position(|known| *known == value);
    let index = index.unwrap_or_else(|| {
        seen.push(value);
        seen.len() - 1
    });
    u16::try_from(index).map_err(|_| TableError::TooLarge)
}

/// What is kept under `key`.
fn find<K: PartialEq, V>(kept: &[(K, Arc<V>)], key: &K) -> Option<Arc<V>> {
    let (_, value) = kept.iter().find(|(known, _)| known == key)?;
    Some(Arc::clone(value))
}

/// The ledger of an allowance, with what was spent before.
pub(crate) fn ledger(
    allowance: &Allowance,
    before: Option<&Arc<Ledger>>,
    now: Instant,
) -> Option<Arc<Ledger>> {
    if allowance.is_none() {
        return None;
    }
    let fresh = || Arc::new(Ledger::new(allowance.per_hour, &allowance.alerts, now));
    Some(before.map_or_else(fresh, Arc::clone))
}

// === impl Slot ===

impl Slot {
    /// What the target would count and take from its rate limits for `request`, as far as its answers have shown.
    pub(crate) fn expected(&self, request: &Request) -> Cost {
        Cost {
            input_tokens: self.health.estimate.apply(request.expected.input_tokens),
            ..request.expected
        }
    }
}

// === impl Health ===

impl Health {
    fn new(config: BreakerConfig, now: Instant) -> Self {
        Self {
            gate: Breaker::new(config, now),
            vitals: Vitals::new(now),
            ewma: PeakEwma::new(now),
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

    /// The target that is `target`'s equal here.
    fn equal_of(&self, target: &Target) -> Option<&Slot> {
        self.targets.iter().find(|slot| {
            slot.facts.name == target.name
                && slot.facts.provider == target.provider
                && slot.facts.credential == target.credential
                && slot.facts.identity == target.identity
        })
    }

    fn health_of(&self, target: &Target) -> Option<Arc<Health>> {
        Some(Arc::clone(&self.equal_of(target)?.health))
    }

    /// What was spent of the limits, also where they have changed.
    fn pace_of(&self, target: &Target) -> Option<Arc<Pace>> {
        let slot = self.equal_of(target)?;
        Some(if slot.facts.limits == target.limits {
            Arc::clone(&slot.pace)
        } else {
            Arc::new(slot.pace.with_limits(target.limits))
        })
    }

    /// Takes what is inherited under the settings of this table: only once it is sure to be used.
    fn settle_in(&self, config: &BreakerConfig) {
        for slot in &self.targets {
            slot.health.gate.reconfigure(config);
            if let Some(ledger) = &slot.ledger {
                ledger.limit(slot.facts.allowance.per_hour, &slot.facts.allowance.alerts);
            }
        }
        for shared in &self.shared {
            shared.state.gate.reconfigure(config);
        }
        for route in &self.routes {
            if let Some(ledger) = &route.ledger {
                ledger.limit(route.allowance.per_hour, &route.allowance.alerts);
            }
        }
    }

    fn route_called(&self, name: &str) -> Option<&Resolved> {
        Some(self.resolved(self.route(name)?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Member;

    fn build(routes: impl IntoIterator<Item = Route>) -> Result<Arc<Table>, TableError> {
        let mut builder = Table::builder()
            .target(Target::new("a", "openai"))
            .target(Target::new("b", "openai").credential("second"))
            .target(Target::new("c", "anthropic"));
        for route in routes {
            builder = builder.route(route);
        }
        builder.build(crate::testing::origin())
    }

    #[test]
    fn targets_of_one_provider_and_region_share_a_budget_and_keep_their_own_credentials() {
        let table = build([Route::new("r").tier(["a", "b"]).tier(["c"])]).unwrap();
        let ids: Vec<_> = table.targets().collect();
        let slots: Vec<_> = ids.iter().map(|id| table.slot(*id)).collect();
        assert_eq!(slots[0].budget, slots[1].budget);
        let gate = |slot| std::ptr::from_ref(table.gate_of(slot, Scope::Credential));
        assert_ne!(gate(slots[0]), gate(slots[1]));
        assert_ne!(slots[0].budget, slots[2].budget);
    }

    #[test]
    fn every_fault_in_a_table_is_named() {
        let fault = |route: Route| build([route]).unwrap_err().to_string();
        assert_eq!(
            fault(Route::new("r").tier(["nope"])),
            "route `r` names the unknown target `nope`"
        );
        assert_eq!(
            fault(Route::new("r").tier(["a"]).tier(["a"])),
            "route `r` names target `a` twice"
        );
        assert_eq!(
            fault(Route::new("r").tier(["a"]).tier(Vec::<&str>::new())),
            "route `r` has an empty tier at position 1"
        );
        assert_eq!(
            fault(Route::new("r").tier([Member::new("a").weight(0)])),
            "route `r` has no target that can be chosen"
        );
        assert_eq!(
            build([Route::new("r").tier(["a"]), Route::new("r").tier(["b"])]).unwrap_err(),
            TableError::DuplicateRoute("r".into())
        );
    }
}
