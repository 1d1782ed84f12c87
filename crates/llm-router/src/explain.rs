//! Why each candidate of a route would win or lose a request now: in words and as data.

mod outlook;

use self::outlook::Standing;
use crate::canary::CanaryState;
use crate::money::Spend;
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Role};
use crate::route::{Edge, RouteId};
use crate::select;
use crate::strategy::Strategy;
use crate::table::Table;
use crate::target::TargetId;
use crate::trace::Refusal;
use llm_breaker::{Snapshot, State, TripReason};
use llm_errors::Scope;
use std::fmt;
use std::time::{Duration, Instant};

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
    /// The chance that it is the first to be called, `0.0..=1.0`. None is counted for a probe, which is one call.
    pub share: f64,
    /// Its breaker's probe is due: the next call that comes to it, and no other until that has answered.
    pub probe: bool,
    /// The share of the calls that come to it which its breakers let through: less than 1 in a ramp. `0.0..=1.0`.
    pub admits: f64,
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
        let standings = outlook::standings(self, resolved, request, now);
        let all = resolved.candidates.iter().zip(standings);
        Explanation {
            strategy: resolved.policy.strategy,
            candidates: all
                .map(|(candidate, standing)| {
                    self.consider(candidate, standing, resolved, request, now)
                })
                .collect(),
        }
    }

    fn consider(
        &self,
        candidate: &Candidate,
        standing: Standing,
        route: &Resolved,
        request: &Request,
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
        Considered {
            target: candidate.target,
            name: self.target_name(candidate.target),
            tier: candidate.tier,
            edge,
            canary,
            share: standing.share,
            probe: standing.probe.is_some(),
            admits: standing.admits,
            prompt_tokens: slot.health.estimate.apply(request.expected.input_tokens),
            cost: select::expected_cost(slot, request),
            refusal: standing.refusal,
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
            None if self.probe => {
                f.write_str("takes the next call that comes to it, as its probe")?;
            }
            None if self.share > 0.0 => write!(f, "wins {:.0} % of the time", self.share * 100.0)?,
            None => f.write_str("ready, behind an earlier tier")?,
            Some(refusal) if self.share > 0.0 => {
                write!(f, "asked all the same, as the least bad: {refusal}")?;
            }
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
        if self.refusal.is_none() && !self.probe && self.admits < 1.0 {
            let percent = self.admits * 100.0;
            write!(f, ", takes {percent:.0} % of what comes to it")?;
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
