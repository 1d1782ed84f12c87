//! Routes with their names resolved to positions, and how they get there.

use crate::canary::Canary;
use crate::money::{Allowance, Ledger, Rates};
use crate::pace::Pace;
use crate::route::{Edge, MAX_CANDIDATES, Member, Policy, Route, RouteId};
use crate::select::Set;
use crate::strategy::{Cheapest, Homes, Shares, Strategy, mix, stable_hash};
use crate::table::{Health, Slot, TableError, ledger};
use crate::target::{Abilities, TargetId};
use llm_backoff::{HedgeBudget, RetryBudget};
use rand::Rng;
use std::collections::HashMap;
use std::slice::SliceIndex;
use std::sync::Arc;
use std::time::Instant;

/// A route whose names are resolved.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) name: Box<str>,
    /// The first of the groups.
    head: Span,
    /// All candidates: tier by tier, then edge by edge, then the canary.
    pub(crate) candidates: Box<[Candidate]>,
    /// Each tier, then each edge, then the canary.
    groups: Box<[Span]>,
    /// How many of those are tiers.
    tiers: usize,
    pub(crate) canary: Option<OnTrial>,
    /// The spend of the last hour, where it is limited or watched.
    pub(crate) ledger: Option<Arc<Ledger>>,
    pub(crate) allowance: Allowance,
    pub(crate) policy: Policy,
    pub(crate) hedges: Arc<HedgeBudget>,
    /// Bounds repeated calls by the number of requests, whatever succeeds.
    pub(crate) retries: Arc<RetryBudget>,
}

/// Where a group's candidates are, and how one of them is picked.
#[derive(Debug, Clone, Default)]
struct Span {
    first: u8,
    length: u8,
    /// Whose turn it is, where weights decide; `None` where no member has one.
    shares: Option<Arc<Shares>>,
    /// Where keys are at home, for those who stick to them.
    homes: Option<Arc<Homes>>,
    /// Who costs the least, where that decides.
    cheapest: Option<Arc<Cheapest>>,
    one_burst: bool,
}

/// A target on trial in one route.
#[derive(Debug)]
pub(crate) struct OnTrial {
    pub(crate) position: u8,
    /// Shared with the table that replaces this one, where the target and the steps are the same.
    pub(crate) canary: Arc<Canary>,
    identity: u64,
}

/// What a candidate is in its route for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// For every request, in its tier.
    Member,
    /// For one sort of failure.
    Edge(Edge),
    /// To be compared with the first tier.
    Canary,
}

/// One tier of a route, or the targets of one edge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tier<'a> {
    /// The position of the first candidate in its route.
    pub(crate) first: u8,
    pub(crate) candidates: &'a [Candidate],
    pub(crate) shares: Option<&'a Shares>,
    pub(crate) homes: Option<&'a Homes>,
    pub(crate) cheapest: Option<&'a Cheapest>,
    /// The rate limits of all are of the same burst.
    pub(crate) one_burst: bool,
    pub(crate) strategy: Strategy,
}

/// One target's place in a route. What every decision reads comes first, on one cache line.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(crate) struct Candidate {
    /// The target's, here as well, as are its abilities and its window.
    pub(crate) health: Arc<Health>,
    pub(crate) pace: Arc<Pace>,
    pub(crate) abilities: Abilities,
    pub(crate) context_window_tokens: u32,
    /// One divided by the weight.
    pub(crate) per_weight: f64,
    /// A member with a weight and without a bill.
    pub(crate) is_plain: bool,
    pub(crate) position: u8,
    pub(crate) target: TargetId,
    pub(crate) weight: u32,
    /// What is known of the target.
    pub(crate) slot: Arc<Slot>,
    pub(crate) route: RouteId,
    pub(crate) role: Role,
    pub(crate) tier: u8,
    pub(crate) less_restrictive: bool,
    /// An hour's spend counts its calls: the target's or the route's.
    pub(crate) is_billed: bool,
    /// Tells the target from others for as long as its name stays: what sticky keys hash to.
    pub(crate) sticky_id: u64,
    pub(crate) rates: Rates,
}

/// What a route's names are resolved with.
pub(crate) struct Draft<'a> {
    pub(crate) id: RouteId,
    pub(crate) ids: &'a HashMap<Box<str>, TargetId>,
    pub(crate) slots: &'a [Arc<Slot>],
    /// Where turns begin.
    pub(crate) seed: u64,
}

impl Draft<'_> {
    pub(crate) fn resolve(
        &self,
        route: Route,
        before: Option<&Resolved>,
        now: Instant,
    ) -> Result<Resolved, TableError> {
        if let Some((setting, mend)) = route.fault() {
            return Err(TableError::Setting {
                place: format!("route `{}`", route.name).into(),
                setting,
                mend,
            });
        }
        let mut candidates: Vec<Candidate> = Vec::new();
        let tiers = route.tiers.len();
        for (tier, members) in route.tiers.iter().enumerate() {
            if members.is_empty() {
                return Err(TableError::EmptyTier {
                    route: route.name,
                    tier,
                });
            }
            for member in members {
                self.add(&route, &mut candidates, member, tier, Role::Member)?;
            }
        }
        if candidates.iter().all(|candidate| candidate.weight == 0) {
            return Err(TableError::EmptyRoute(route.name));
        }
        let mut next = tiers;
        for (edge, members) in &route.edges {
            for member in members {
                self.add(&route, &mut candidates, member, next, Role::Edge(*edge))?;
            }
            next += usize::from(!members.is_empty());
        }
        let mut canary = None;
        if let Some((target, steps)) = &route.canary {
            let member = Member::new(target.clone());
            self.add(&route, &mut candidates, &member, next, Role::Canary)?;
            canary = candidates
                .last()
                .map(|last| self.on_trial(last, steps, before));
        }
        if candidates.len() > MAX_CANDIDATES {
            return Err(TableError::TooManyCandidates {
                route: route.name,
                count: candidates.len(),
            });
        }
        let mut first = 0u8;
        let strategy = route.policy.strategy;
        let span = |group: &[Candidate]| {
            let weights: Vec<u32> = group.iter().map(|member| member.weight).collect();
            // At most MAX_CANDIDATES in all, so lengths and positions fit a u8.
            let length = u8::try_from(group.len()).unwrap_or(u8::MAX);
            let span = Span {
                first,
                length,
                shares: (strategy == Strategy::Weighted)
                    .then(|| self.shares(group, &weights, before))
                    .flatten(),
                homes: (strategy == Strategy::Sticky).then(|| Arc::new(Homes::new())),
                cheapest: (strategy == Strategy::Cheapest).then(|| Arc::new(Cheapest::new())),
                one_burst: group
                    .windows(2)
                    .all(|two| matches!(two, [a, b] if a.pace.burst_ns() == b.pace.burst_ns())),
            };
            first = first.saturating_add(length);
            span
        };
        let groups: Box<[Span]> = candidates
            .chunk_by(|a, b| a.tier == b.tier)
            .map(span)
            .collect();
        Ok(Resolved {
            name: route.name,
            head: groups.first().cloned().unwrap_or_default(),
            groups,
            tiers,
            candidates: candidates.into(),
            canary,
            ledger: ledger(
                &route.allowance,
                before.and_then(|before| before.ledger.as_ref()),
                now,
            ),
            allowance: route.allowance,
            policy: route.policy,
            hedges: match before {
                Some(before) if before.policy.hedging.budget() == route.policy.hedging.budget() => {
                    Arc::clone(&before.hedges)
                }
                _ => Arc::new(route.policy.hedging.budget().open()),
            },
            retries: match before {
                Some(before) if before.policy.retries == route.policy.retries => {
                    Arc::clone(&before.retries)
                }
                _ => Arc::new(route.policy.retries.open()),
            },
        })
    }

    /// Whose turn it is in a group: as it was before, where the same targets have the same weights; else from a turn on that is drawn.
    fn shares(
        &self,
        group: &[Candidate],
        weights: &[u32],
        before: Option<&Resolved>,
    ) -> Option<Arc<Shares>> {
        let known = before.and_then(|before| before.shares_of(group));
        known.or_else(|| {
            let first = group.first()?;
            let draw = mix(self.seed ^ mix(first.sticky_id ^ u64::from(self.id.0)));
            // The lower half of it.
            let turn = u32::try_from(draw & u64::from(u32::MAX)).unwrap_or_default();
            Shares::new(weights, turn).map(Arc::new)
        })
    }

    fn add(
        &self,
        route: &Route,
        candidates: &mut Vec<Candidate>,
        member: &Member,
        tier: usize,
        role: Role,
    ) -> Result<(), TableError> {
        let known = self.ids.get(&member.target);
        let known = known.and_then(|target| Some((*target, self.slots.get(target.index())?)));
        let Some((target, slot)) = known else {
            return Err(TableError::UnknownTarget {
                route: route.name.clone(),
                target: member.target.clone(),
            });
        };
        if candidates.iter().any(|known| known.target == target) {
            return Err(TableError::RepeatedTarget {
                route: route.name.clone(),
                target: member.target.clone(),
            });
        }
        let mut tags = route.tags.iter();
        if let Some(tag) = tags.find(|tag| !slot.facts.tags.contains(tag)) {
            return Err(TableError::MissingTag {
                route: route.name.clone(),
                tag: tag.clone(),
                target: member.target.clone(),
            });
        }
        let is_billed = !route.allowance.is_none() || slot.ledger.is_some();
        candidates.push(Candidate {
            health: Arc::clone(&slot.health),
            pace: Arc::clone(&slot.pace),
            slot: Arc::clone(slot),
            target,
            route: self.id,
            // Too many are refused before anyone asks.
            position: u8::try_from(candidates.len()).unwrap_or(u8::MAX),
            role,
            // Tiers are not empty, so there are no more of them than candidates.
            tier: u8::try_from(tier).unwrap_or(u8::MAX),
            weight: member.weight,
            per_weight: 1.0 / f64::from(member.weight),
            less_restrictive: member.less_restrictive || role == Role::Edge(Edge::ContentFilter),
            is_billed,
            is_plain: role == Role::Member && member.weight > 0 && !is_billed,
            abilities: slot.facts.abilities,
            context_window_tokens: slot.facts.context_window_tokens,
            sticky_id: stable_hash(member.target.as_bytes()),
            rates: match member.weight {
                0 => Rates::NEVER,
                _ => Rates::of(&slot.price),
            },
        });
        Ok(())
    }

    /// The trial of a target, as it was where target and steps are the same.
    fn on_trial(&self, candidate: &Candidate, steps: &[u8], before: Option<&Resolved>) -> OnTrial {
        let identity = mix(candidate.slot.facts.identity ^ candidate.sticky_id);
        let fresh = Canary::with_steps(steps);
        let known = before.and_then(|before| before.canary.as_ref());
        let known = known
            .filter(|known| known.identity == identity && known.canary.steps() == fresh.steps());
        OnTrial {
            position: candidate.position,
            canary: known.map_or_else(|| Arc::new(fresh), |known| Arc::clone(&known.canary)),
            identity,
        }
    }
}

// === impl Resolved ===

impl Tier<'_> {
    /// What the next pick is made by: the number of a turn where those decide, else a draw.
    pub(crate) fn next(&self, rng: &mut impl Rng) -> u64 {
        next(self.shares, rng)
    }

    /// Whom the last turn picked cannot be used.
    pub(crate) fn give_back(&self) {
        if let Some(shares) = self.shares {
            shares.give_back();
        }
    }

    /// Whether any of these positions is one of the group's.
    pub(crate) fn has_any_of(&self, positions: Set) -> bool {
        let mut candidates = self.candidates.iter();
        !positions.is_empty() && candidates.any(|one| positions.contains(one.position))
    }
}

#[inline]
fn next(shares: Option<&Shares>, rng: &mut impl Rng) -> u64 {
    // Drawn in any case, so that what else a request draws is the same by whatever strategy.
    let draw = rng.next_u64();
    shares.map_or(draw, |shares| shares.next(draw))
}

impl Resolved {
    /// As [`Tier::next`], of the first tier.
    #[inline]
    pub(crate) fn next(&self, rng: &mut impl Rng) -> u64 {
        next(self.head.shares.as_deref(), rng)
    }

    /// The tiers in order.
    pub(crate) fn tiers(&self) -> impl Iterator<Item = Tier<'_>> {
        self.groups(..self.tiers)
    }

    /// The turns of the group that has these very targets with these weights.
    fn shares_of(&self, group: &[Candidate]) -> Option<Arc<Shares>> {
        let of = |one: &Candidate| (one.sticky_id, one.weight);
        let same = |span: &&Span| {
            let (first, length) = (usize::from(span.first), usize::from(span.length));
            let known = self.candidates.get(first..first + length);
            known.is_some_and(|known| known.iter().map(of).eq(group.iter().map(of)))
        };
        self.groups.iter().find(same)?.shares.clone()
    }

    /// The targets of each edge.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (Edge, Tier<'_>)> {
        self.groups(self.tiers..)
            .filter_map(|tier| match tier.candidates.first()?.role {
                Role::Edge(edge) => Some((edge, tier)),
                Role::Member | Role::Canary => None,
            })
    }

    /// The first tier.
    #[inline]
    pub(crate) fn first_tier(&self) -> Option<Tier<'_>> {
        let span = &self.head;
        let candidates = self.candidates.get(..usize::from(span.length))?;
        Some(Tier {
            first: 0,
            candidates,
            shares: span.shares.as_deref(),
            homes: span.homes.as_deref(),
            cheapest: span.cheapest.as_deref(),
            one_burst: span.one_burst,
            strategy: self.policy.strategy,
        })
    }

    fn groups(
        &self,
        which: impl SliceIndex<[Span], Output = [Span]>,
    ) -> impl Iterator<Item = Tier<'_>> {
        let groups = self.groups.get(which).unwrap_or_default();
        groups.iter().map(|span| self.tier(span))
    }

    #[inline]
    fn tier<'a>(&'a self, span: &'a Span) -> Tier<'a> {
        let (first, length) = (usize::from(span.first), usize::from(span.length));
        let candidates = self.candidates.get(first..first + length);
        Tier {
            first: span.first,
            candidates: candidates.unwrap_or_default(),
            shares: span.shares.as_deref(),
            homes: span.homes.as_deref(),
            cheapest: span.cheapest.as_deref(),
            one_burst: span.one_burst,
            strategy: self.policy.strategy,
        }
    }
}
