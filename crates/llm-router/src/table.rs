//! The table: every target with its health, every route resolved to indices.
//!
//! Built once from names, then read without a lock: a request resolves its route's name once and
//! carries indices from there on. Health lives in atomics beside the facts, so the table itself
//! never changes.

use crate::alias::Alias;
use crate::money::Price;
use crate::pace::Pace;
use crate::route::{MAX_CANDIDATES, Policy, Route, RouteId};
use crate::strategy::{PeakEwma, Strategy, stable_hash};
use crate::target::{Abilities, Target, TargetId};
use crate::vitals::Vitals;
use llm_backoff::{HedgeBudget, RetryBudget};
use llm_breaker::{Breaker, BreakerConfig};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use thiserror::Error;

/// Targets and routes, ready to be asked. Shared as an [`Arc`] by every [`Plan`](crate::Plan).
#[derive(Debug)]
pub struct Table {
    targets: Box<[Slot]>,
    credentials: Box<[(Account, Arc<Breaker>)]>,
    budgets: Box<[(Box<str>, Arc<RetryBudget>)]>,
    routes: Box<[Resolved]>,
    by_name: HashMap<Box<str>, RouteId>,
}

/// A provider, and the label of a credential there.
type Account = (Box<str>, Box<str>);

/// One target: what is known of it, and how it does.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Shared with the table that replaces this one, where the target stays the same.
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) price: Price,
    pub(crate) credential: u16,
    pub(crate) budget: u16,
    pub(crate) context_window_tokens: u32,
    pub(crate) abilities: Abilities,
    facts: Target,
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
}

/// A route whose names are resolved.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) name: Box<str>,
    /// All candidates, tier by tier.
    pub(crate) candidates: Box<[Candidate]>,
    tiers: Box<[Span]>,
    pub(crate) policy: Policy,
    pub(crate) hedges: Arc<HedgeBudget>,
}

/// Where a tier's candidates are, and how one of them is drawn.
#[derive(Debug)]
struct Span {
    first: u8,
    length: u8,
    /// `None` where no member has a weight.
    draw: Option<Alias>,
}

/// One tier of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tier<'a> {
    /// The position of the first candidate in its route.
    pub(crate) first: u8,
    pub(crate) candidates: &'a [Candidate],
    pub(crate) draw: Option<&'a Alias>,
    pub(crate) strategy: Strategy,
}

/// One target's place in a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) target: TargetId,
    pub(crate) tier: u8,
    pub(crate) weight: u32,
    pub(crate) less_restrictive: bool,
    /// Tells the target from others for as long as its name stays: what sticky keys hash to.
    pub(crate) sticky_id: u64,
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
    /// its health, a credential its set-aside, a provider its retry budget, a route its hedge
    /// budget. Calls that are under way on `before` end there, and count here.
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
        let mut credentials: Vec<Account> = Vec::new();
        let mut providers: Vec<Box<str>> = Vec::new();
        let mut slots = Vec::with_capacity(self.targets.len());
        for target in self.targets {
            let id = u16::try_from(slots.len()).map_err(|_| TableError::TooLarge)?;
            if ids.insert(target.name.clone(), TargetId(id)).is_some() {
                return Err(TableError::DuplicateTarget(target.name));
            }
            let account = (target.provider.clone(), target.credential.clone());
            slots.push(Slot {
                health: before
                    .and_then(|before| before.health_of(&target))
                    .unwrap_or_else(|| Arc::new(Health::new(self.breaker, now))),
                pace: before
                    .and_then(|before| before.pace_of(&target))
                    .unwrap_or_else(|| Arc::new(Pace::new(target.limits, now))),
                price: target.price,
                credential: intern(&mut credentials, account)?,
                budget: intern(&mut providers, target.provider.clone())?,
                context_window_tokens: target.context_window_tokens,
                abilities: target.abilities,
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
            let hedges = before.and_then(|before| before.hedges_of(&route.name));
            routes.push(resolve(route, &ids, hedges.unwrap_or_default())?);
        }
        Ok(Arc::new(Table {
            targets: slots.into(),
            credentials: credentials
                .into_iter()
                .map(|account| {
                    let known = before.and_then(|before| find(&before.credentials, &account));
                    let gate = || Arc::new(Breaker::new(self.breaker, now));
                    (account, known.unwrap_or_else(gate))
                })
                .collect(),
            budgets: providers
                .into_iter()
                .map(|provider| {
                    let known = before.and_then(|before| find(&before.budgets, &provider));
                    (provider, known.unwrap_or_default())
                })
                .collect(),
            routes: routes.into(),
            by_name,
        }))
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

fn resolve(
    route: Route,
    ids: &HashMap<Box<str>, TargetId>,
    hedges: Arc<HedgeBudget>,
) -> Result<Resolved, TableError> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for (tier, members) in route.tiers.iter().enumerate() {
        if members.is_empty() {
            return Err(TableError::EmptyTier {
                route: route.name,
                tier,
            });
        }
        for member in members {
            let Some(&target) = ids.get(&member.target) else {
                return Err(TableError::UnknownTarget {
                    route: route.name,
                    target: member.target.clone(),
                });
            };
            if candidates.iter().any(|known| known.target == target) {
                return Err(TableError::RepeatedTarget {
                    route: route.name,
                    target: member.target.clone(),
                });
            }
            candidates.push(Candidate {
                target,
                // Tiers are not empty, so there are no more of them than candidates.
                tier: u8::try_from(tier).unwrap_or(u8::MAX),
                weight: member.weight,
                less_restrictive: member.less_restrictive,
                sticky_id: stable_hash(member.target.as_bytes()),
            });
        }
    }
    if candidates.len() > MAX_CANDIDATES {
        return Err(TableError::TooManyCandidates {
            route: route.name,
            count: candidates.len(),
        });
    }
    if candidates.iter().all(|candidate| candidate.weight == 0) {
        return Err(TableError::EmptyRoute(route.name));
    }
    let mut first = 0u8;
    let span = |tier: &[Candidate]| {
        let weights: Vec<u32> = tier.iter().map(|member| member.weight).collect();
        // At most MAX_CANDIDATES in all, so lengths and positions fit a u8.
        let length = u8::try_from(tier.len()).unwrap_or(u8::MAX);
        let span = Span {
            first,
            length,
            draw: Alias::new(&weights),
        };
        first = first.saturating_add(length);
        span
    };
    let tiers = candidates
        .chunk_by(|a, b| a.tier == b.tier)
        .map(span)
        .collect();
    Ok(Resolved {
        name: route.name,
        tiers,
        candidates: candidates.into(),
        policy: route.policy,
        hedges,
    })
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
        }
    }
}

// === impl Resolved ===

impl Resolved {
    /// The tiers in order.
    pub(crate) fn tiers(&self) -> impl Iterator<Item = Tier<'_>> {
        self.tiers.iter().map(|span| {
            let (first, length) = (usize::from(span.first), usize::from(span.length));
            Tier {
                first: span.first,
                candidates: self
                    .candidates
                    .get(first..first + length)
                    .unwrap_or_default(),
                draw: span.draw.as_ref(),
                strategy: self.policy.strategy,
            }
        })
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
        self.credential(self.slot(target))
    }

    pub(crate) fn slot(&self, target: TargetId) -> &Slot {
        &self.targets[target.index()]
    }

    pub(crate) fn credential(&self, slot: &Slot) -> &Breaker {
        &self.credentials[usize::from(slot.credential)].1
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

    /// What was spent of the limits, where they are still the same.
    fn pace_of(&self, target: &Target) -> Option<Arc<Pace>> {
        let slot = self.equal_of(target)?;
        (slot.facts.limits == target.limits).then(|| Arc::clone(&slot.pace))
    }

    fn hedges_of(&self, route: &str) -> Option<Arc<HedgeBudget>> {
        let id = self.route(route)?;
        Some(Arc::clone(&self.resolved(id).hedges))
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
    fn targets_of_one_provider_share_a_budget_and_keep_their_own_credentials() {
        let table = build([Route::new("r").tier(["a", "b"]).tier(["c"])]).unwrap();
        let ids: Vec<_> = table.targets().collect();
        let slots: Vec<_> = ids.iter().map(|id| table.slot(*id)).collect();
        assert_eq!(slots[0].budget, slots[1].budget);
        assert_ne!(slots[0].credential, slots[1].credential);
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
            fault(Route::new("r").tier([crate::Member::new("a").weight(0)])),
            "route `r` has no target that can be chosen"
        );
        assert_eq!(
            build([Route::new("r").tier(["a"]), Route::new("r").tier(["b"])]).unwrap_err(),
            TableError::DuplicateRoute("r".into())
        );
    }
}
