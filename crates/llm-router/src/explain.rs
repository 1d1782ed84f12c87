//! Why each candidate of a route would win or lose a request now: in words and as data.

use crate::request::Request;
use crate::route::RouteId;
use crate::select::{self, Fit};
use crate::table::Table;
use crate::target::TargetId;
use crate::trace::Refusal;
use llm_breaker::{Snapshot, State, TripReason};
use std::fmt;
use std::time::{Duration, Instant};

/// How a route looks to one request at one instant.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation<'a> {
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
    /// The chance that it is the first to be called, `0.0..=1.0`.
    pub share: f64,
    /// Why it cannot be called; `None` where it can.
    pub refusal: Option<Refusal>,
    /// How long until it may be back; zero where it is not set aside.
    pub back_in: Duration,
    /// Attempts under way on it.
    pub in_flight: u32,
    /// The health of the target.
    pub health: Snapshot,
    /// The health of its credential.
    pub credential: Snapshot,
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
        let mut chosen_tier = None;
        let mut weights = 0u64;
        let mut candidates: Vec<_> = resolved
            .candidates
            .iter()
            .map(|candidate| {
                let slot = self.slot(candidate.target);
                let refusal = select::refusal(self, *candidate, request, Fit::default(), now);
                let tier = candidate.tier;
                if refusal.is_none() && chosen_tier.is_none_or(|chosen| chosen == tier) {
                    chosen_tier = Some(tier);
                    weights += u64::from(candidate.weight);
                }
                let back_in = match select::admission(self, slot, request, now) {
                    select::Admission::Ready => Duration::ZERO,
                    select::Admission::Held(until)
                    | select::Admission::Paced(until)
                    | select::Admission::Open(until) => until.saturating_duration_since(now),
                };
                let considered = Considered {
                    target: candidate.target,
                    name: self.target_name(candidate.target),
                    tier,
                    share: 0.0,
                    refusal,
                    back_in,
                    in_flight: self.in_flight(candidate.target),
                    health: self.gate(candidate.target).snapshot(now),
                    credential: self.credential_gate(candidate.target).snapshot(now),
                };
                (considered, candidate.weight)
            })
            .collect();
        for (considered, weight) in &mut candidates {
            if considered.refusal.is_none() && Some(considered.tier) == chosen_tier {
                #[expect(clippy::cast_precision_loss, reason = "at most 128 weights of 32 bits")]
                let all = weights as f64;
                considered.share = f64::from(*weight) / all;
            }
        }
        Explanation {
            candidates: candidates
                .into_iter()
                .map(|(considered, _)| considered)
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
        write!(f, "tier {} {}: ", self.tier, self.name)?;
        match self.refusal {
            None if self.share > 0.0 => write!(f, "wins {:.0} % of the time", self.share * 100.0)?,
            None => f.write_str("ready, behind an earlier tier")?,
            Some(refusal) => write!(f, "not used: {refusal}")?,
        }
        let reason = if self.credential.state == State::Open {
            self.credential.reason
        } else {
            self.health.reason
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
        if self.in_flight > 0 {
            write!(f, ", {} in flight", self.in_flight)?;
        }
        Ok(())
    }
}
