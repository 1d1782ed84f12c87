//! Why each candidate of a route would win or lose a request now: in words and as data.

use crate::canary::CanaryState;
use crate::money::Spend;
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Role};
use crate::route::{Edge, RouteId};
use crate::select::{self, Fit};
use crate::strategy::{self, Fact, Strategy, mix};
use crate::table::Table;
use crate::target::TargetId;
use crate::trace::Refusal;
use llm_breaker::{Snapshot, State, TripReason};
use llm_errors::Scope;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Draws by which the share of a strategy that looks at more than weights is told.
const DRAWS: u32 = 256;

/// How a route looks to one request at one instant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation<'a> {
    /// How one of a tier's ready candidates is chosen.
    pub strategy: Strategy,
    /// Every candidate, tier by tier.
    pub candidates: Vec<Considered<'a>>,
}

/// How one candidate looks.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Considered<'a> {
    /// The candidate.
    pub target: TargetId,
    /// Its name.
    pub name: &'a str,
    /// Its tier, counted from 0.
    pub tier: u8,
    /// What it is in the route for, where that is one sort of failure.
    pub edge: Option<Edge>,
    /// Where its trial stands, where it is on trial.
    pub canary: Option<CanaryState>,
    /// The chance that it is the first to be called, `0.0..=1.0`.
    pub share: f64,
    /// Tokens that it is expected to count of the prompt: the estimate, corrected by what its answers told.
    pub prompt_tokens: u64,
    /// What the call is expected to cost there; nothing where the price is not known.
    pub cost: Spend,
    /// Why it cannot be called; `None` where it can.
    pub refusal: Option<Refusal>,
    /// How long until it may be back; zero where it is not set aside.
    pub back_in: Duration,
    /// Attempts under way on it.
    pub in_flight: u32,
    /// How long its answers took of late; zero where nothing is known.
    pub latency: Duration,
    /// The free share of its scarcest rate limit, `0.0..=1.0`; 1 where none is known.
    pub headroom: f64,
    /// The health of the target.
    pub health: Snapshot,
    /// The health of what it shares with other targets (credential, organisation, model, region,
    /// provider), as far as it shares it.
    pub shared: Vec<(Scope, Snapshot)>,
}

impl Table {
    /// Explains how `route` looks to `request` at `now`. Reads only; for people, not for the hot
    /// path.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn explain(&self, route: RouteId, request: &Request, now: Instant) -> Explanation<'_> {
        let resolved = self.resolved(route);
        let fit = Fit::of(&resolved.policy, request);
        let mut candidates: Vec<_> = resolved
            .candidates
            .iter()
            .map(|candidate| self.consider(candidate, resolved, request, fit, now))
            .collect();
        let on_trial = Self::share_of_canary(&mut candidates);
        let first = candidates
            .iter()
            .filter(|one| one.refusal.is_none() && one.canary.is_none())
            .map(|one| one.tier)
            .min();
        let ready: Vec<usize> = (0..candidates.len())
            .filter(|index| {
                candidates.get(*index).is_some_and(|one| {
                    one.refusal.is_none() && one.canary.is_none() && Some(one.tier) == first
                })
            })
            .collect();
        let shares = self.shares(resolved, &ready, request, now);
        for (index, share) in ready.iter().zip(shares) {
            if let Some(considered) = candidates.get_mut(*index) {
                considered.share = (1.0 - on_trial) * share;
            }
        }
        Explanation {
            strategy: resolved.policy.strategy,
            candidates,
        }
    }

    /// How often each of these candidates is the one that the route's strategy takes.
    fn shares(
        &self,
        route: &Resolved,
        ready: &[usize],
        request: &Request,
        now: Instant,
    ) -> Vec<f64> {
        let candidates = ready
            .iter()
            .filter_map(|index| route.candidates.get(*index));
        let facts: Vec<_> = candidates
            .map(|candidate| fact_of(candidate, request, now))
            .collect();
        if route.policy.strategy == Strategy::Weighted {
            let all: f64 = facts.iter().map(|fact| f64::from(fact.weight)).sum();
            return facts
                .iter()
                .map(|fact| f64::from(fact.weight) / all)
                .collect();
        }
        let mut chosen = vec![0u32; facts.len()];
        for draw in 0..u64::from(DRAWS) {
            let position = strategy::choose(route.policy.strategy, &facts, mix(draw), request.key);
            if let Some(count) = position.and_then(|position| chosen.get_mut(position)) {
                *count += 1;
            }
        }
        let share = |count: u32| f64::from(count) / f64::from(DRAWS);
        chosen.into_iter().map(share).collect()
    }

    fn consider(
        &self,
        candidate: &Candidate,
        route: &Resolved,
        request: &Request,
        fit: Fit,
        now: Instant,
    ) -> Considered<'_> {
        let slot = self.slot(candidate.target);
        let back_in = match select::admission(self, slot, request, now) {
            select::Admission::Ready => Duration::ZERO,
            select::Admission::Held(until)
            | select::Admission::Paced(until)
            | select::Admission::Open(until) => until.saturating_duration_since(now),
        };
        let (edge, canary) = match (candidate.role, &route.canary) {
            (Role::Edge(edge), _) => (Some(edge), None),
            (Role::Canary, Some(trial)) => (None, Some(trial.canary.state())),
            (Role::Member | Role::Canary, _) => (None, None),
        };
        let side = Fit {
            canary: !matches!(canary, None | Some(CanaryState::Stopped(_))),
            ..fit
        };
        Considered {
            target: candidate.target,
            name: self.target_name(candidate.target),
            tier: candidate.tier,
            edge,
            canary,
            share: 0.0,
            prompt_tokens: slot.health.estimate.apply(request.expected.input_tokens),
            cost: select::expected_cost(slot, request),
            refusal: select::refusal(self, candidate, request, side, &self.moment(now)),
            back_in,
            in_flight: self.in_flight(candidate.target),
            latency: slot.health.ewma.read(now),
            headroom: slot.pace.headroom(now),
            health: self.gate(candidate.target).snapshot(now),
            shared: self
                .scopes(slot)
                .map(|shared| (shared.key.scope, shared.state.gate.snapshot(now)))
                .collect(),
        }
    }

    /// Gives the target on trial its share, and returns it.
    fn share_of_canary(candidates: &mut [Considered<'_>]) -> f64 {
        let mut on_trial = candidates.iter_mut().filter(|one| one.refusal.is_none());
        let Some(canary) = on_trial.find(|one| one.canary.is_some()) else {
            return 0.0;
        };
        canary.share = match canary.canary {
            Some(CanaryState::Running(percent)) => f64::from(percent) / 100.0,
            Some(CanaryState::Promoted) => 1.0,
            Some(CanaryState::Stopped(_)) | None => 0.0,
        };
        canary.share
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, considered) in self.candidates.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{considered}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Considered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.edge, self.canary) {
            (Some(edge), _) => write!(f, "on {} {}: ", edge.as_str(), self.name)?,
            (None, Some(state)) => write!(f, "canary {} ({state}): ", self.name)?,
            (None, None) => write!(f, "tier {} {}: ", self.tier, self.name)?,
        }
        match self.refusal {
            None if self.share > 0.0 => write!(f, "wins {:.0} % of the time", self.share * 100.0)?,
            None => f.write_str("ready, behind an earlier tier")?,
            Some(refusal) => write!(f, "not used: {refusal}")?,
        }
        let shut = |seen: &&(Scope, Snapshot)| seen.1.state == State::Open;
        let mut all = self.shared.iter().map(|(_, seen)| seen);
        let held = all.any(|seen| seen.held_until.is_some()) || self.health.held_until.is_some();
        let reason = match self.shared.iter().find(shut) {
            Some((_, shared)) => shared.reason,
            None if held && self.health.state == State::Closed => TripReason::RateLimit,
            None => self.health.reason,
        };
        if self.refusal.is_some() && reason != TripReason::None {
            write!(f, " ({reason})")?;
        }
        if !self.back_in.is_zero() {
            write!(
                f,
                ", back in {:.1} s at the earliest",
                self.back_in.as_secs_f64()
            )?;
        }
        if self.refusal.is_none() {
            if !self.latency.is_zero() {
                write!(f, ", {:.2} s of late", self.latency.as_secs_f64())?;
            }
            if self.headroom < 1.0 {
                write!(f, ", {:.0} % of its limits free", self.headroom * 100.0)?;
            }
            if self.cost.0 > 0 {
                write!(f, ", costs {}", self.cost)?;
            }
        }
        if self.in_flight > 0 {
            write!(f, ", {} in flight", self.in_flight)?;
        }
        Ok(())
    }
}

/// What the strategies know of a candidate.
fn fact_of(candidate: &Candidate, request: &Request, now: Instant) -> Fact {
    let slot = &*candidate.slot;
    Fact {
        id: candidate.sticky_id,
        weight: candidate.weight,
        in_flight: slot.health.in_flight.load(Ordering::Relaxed),
        ewma: slot.health.ewma.read(now),
        headroom: slot.pace.headroom(now),
        price: select::expected_cost(slot, request).0,
    }
}
