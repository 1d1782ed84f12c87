//! How a table comes about: from names, and from the table it replaces.

use super::{Health, Slot, Table};
use crate::budget::Budget;
use crate::money::{Allowance, Ledger};
use crate::pace::Pace;
use crate::resolve::{Draft, Resolved};
use crate::route::{MAX_CANDIDATES, Route, RouteId};
use crate::scope;
use crate::target::{RetryDomain, Target, TargetId};
use llm_breaker::BreakerConfig;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;
use thiserror::Error;

/// Collects targets and routes for a [`Table`].
#[derive(Debug, Clone, Default)]
pub struct TableBuilder {
    targets: Vec<Target>,
    routes: Vec<Route>,
    breaker: BreakerConfig,
    retry_budget: Option<Budget>,
    before: Option<Arc<Table>>,
    seed: u64,
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
    /// A setting of a route, a target or the table cannot be used.
    #[error("{place}: `{setting}`: {mend}")]
    Setting {
        /// Whose it is.
        place: Box<str>,
        /// Its name in the builder.
        setting: &'static str,
        /// What it may be.
        mend: &'static str,
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

    /// Sets the breaker of every target that has no [settings of its own](Target::breaker_settings), and of what targets share. Defaults to
    /// [`BreakerConfig::default`].
    #[must_use]
    pub fn breaker(mut self, config: BreakerConfig) -> Self {
        self.breaker = config;
        self
    }

    /// Sets what repeated calls to each provider, in each region there, may come to, by its calls that succeed. Defaults to
    /// [`Budget::PROVIDER`].
    #[must_use]
    pub fn retry_budget(mut self, budget: Budget) -> Self {
        self.retry_budget = Some(budget);
        self
    }

    /// Draws where the turns of targets by weight begin, so that the gateways of a fleet do not all begin with the same. The same
    /// seed gives the same turns; 0 where none is given.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes over what `before` has learnt: a target of the same name, provider, credential, identity and habit of thinking keeps
    /// its health, a credential or a wider scope its set-aside, a provider's region its retry budget, a route
    /// its budgets for hedges and repeated calls and its trial, both their spend of the hour, a tier of the same targets and weights
    /// whose turn it is. Settings
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
        let budget = self.retry_budget.unwrap_or(Budget::PROVIDER);
        check(&described, budget)?;
        let origin = before.map_or(now, |before| before.origin);
        // One for all tables in a row, as the gates are that count in it.
        let unrest = before.map_or_else(Arc::default, |before| Arc::clone(&before.unrest));
        let (shared, memberships) = scope::resolve(&described, before, self.breaker, &unrest, now);
        let mut domains: Vec<RetryDomain> = Vec::new();
        let mut slots = Vec::with_capacity(self.targets.len());
        for (target, scopes) in self.targets.into_iter().zip(memberships) {
            let id = u16::try_from(slots.len()).map_err(|_| TableError::TooLarge)?;
            if ids.insert(target.name.clone(), TargetId(id)).is_some() {
                return Err(TableError::DuplicateTarget(target.name));
            }
            let pace = before
                .and_then(|before| before.pace_of(&target))
                .unwrap_or_else(|| Arc::new(Pace::new(target.limits, origin)));
            slots.push(Arc::new(Slot {
                health: before
                    .and_then(|before| before.health_of(&target))
                    .unwrap_or_else(|| {
                        let breaker = target.breaker_settings.unwrap_or(self.breaker);
                        Arc::new(Health::new(breaker, target.thinks, origin, now))
                    }),
                pace,
                price: target.price,
                ledger: ledger(
                    &target.allowance,
                    before.and_then(|before| before.equal_of(&target)?.ledger.as_ref()),
                    now,
                ),
                gates: scopes.gates(&shared),
                scopes,
                budget: intern(&mut domains, target.retry_domain())?,
                prefill: target.prefill,
                facts: Box::new(target),
            }));
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
                seed: self.seed,
            };
            routes.push(draft.resolve(route, known, now)?);
        }
        let table = Table {
            targets: slots.into(),
            shared,
            unrest,
            budgets: domains
                .into_iter()
                .map(|domain| {
                    let known = before.filter(|before| before.budget == budget);
                    let known = known.and_then(|before| find(&before.budgets, &domain));
                    (domain, known.unwrap_or_else(|| Arc::new(budget.open())))
                })
                .collect(),
            budget,
            routes: routes.into(),
            shadows: AtomicU32::new(0),
            by_name,
            origin,
        };
        if before.is_some() {
            table.settle_in(&self.breaker);
        }
        for slot in &table.targets {
            slot.health.gate.force(slot.facts.breaker);
        }
        Ok(Arc::new(table))
    }
}

/// What is taken over from the table before.
impl Table {
    /// The target that is `target`'s equal here.
    fn equal_of(&self, target: &Target) -> Option<&Slot> {
        let mut slots = self.targets.iter().map(|slot| &**slot);
        slots.find(|slot| {
            slot.facts.name == target.name
                && slot.facts.provider == target.provider
                && slot.facts.credential == target.credential
                && slot.facts.identity == target.identity
        })
    }

    fn health_of(&self, target: &Target) -> Option<Arc<Health>> {
        // What was learnt of a model that does not think says nothing of one that does.
        let slot = self.equal_of(target)?;
        (slot.facts.thinks == target.thinks).then(|| Arc::clone(&slot.health))
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
            let own = slot.facts.breaker_settings.as_ref();
            slot.health.gate.reconfigure(own.unwrap_or(config));
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
}

/// Looks for numbers that cannot be used.
fn check(targets: &[&Target], budget: Budget) -> Result<(), TableError> {
    let fault = |place: &str, setting, mend| {
        Err(TableError::Setting {
            place: place.into(),
            setting,
            mend,
        })
    };
    if let Some(mend) = budget.fault() {
        return fault("table", "retry_budget", mend);
    }
    for target in targets {
        let place = || format!("target `{}`", target.name);
        if let Some((setting, mend)) = target.allowance.fault() {
            return fault(&place(), setting, mend);
        }
        if let Some(mend) = target.set_aside.fault() {
            return fault(&place(), "set_aside", mend);
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Member;
    use llm_errors::Scope;

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
