//! The route's canary: whether this request is on its side, and what the request's first call says.
//!
//! Only first calls are compared, and only of requests that the canary could serve: later ones go to
//! whoever is left, and a prompt that one arm cannot take must not count for the other.

use super::{Live, Plan};
use crate::canary::{Arm, CallOutcome, CanaryVerdict};
use crate::plan::Action;
use crate::reaction;
use crate::resolve::{Resolved, Role};
use crate::select;
use crate::table::Table;
use crate::trace::{HopResult, Why};
use llm_breaker::Outcome;
use rand::RngExt;
use std::time::Instant;

/// The side of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Not asked yet.
    Undrawn,
    /// No trial, or none that this request could be part of.
    Neither,
    /// Its first call counts for this arm.
    Of(Arm),
}

impl Plan {
    /// The first call of a request on the side of the canary; `None` for any other.
    pub(super) fn ask_canary(
        &mut self,
        table: &Table,
        route: &Resolved,
        now: Instant,
    ) -> Option<Action> {
        if self.side != Side::Undrawn {
            return None;
        }
        self.side = Side::Neither;
        let trial = route.canary.as_ref()?;
        let candidate = route.candidates.get(usize::from(trial.position))?;
        self.fit.canary = true;
        let comparable = select::fits(table, candidate, &self.request, self.fit, now).is_ok();
        let hash = match self.request.key {
            0 => self.rng.random(),
            key => key,
        };
        let arm = trial.canary.admit(hash);
        let sent = if comparable && arm == Arm::Canary {
            self.send(trial.position, Why::Canary, now)
        } else {
            None
        };
        self.fit.canary = sent.is_some();
        self.side = match (arm, sent.is_some()) {
            (Arm::Canary, true) => Side::Of(Arm::Canary),
            (Arm::Stable, _) if comparable => Side::Of(Arm::Stable),
            // Set aside or full: the request goes on without it, and is no fair sample of the rest.
            _ => Side::Neither,
        };
        sent
    }

    /// Tells the trial how the request's first call ended.
    pub(super) fn judge_canary(&mut self, route: &Resolved, live: &Live, outcome: CallOutcome) {
        let (Side::Of(arm), 0) = (self.side, live.attempt.index()) else {
            return;
        };
        let Some(trial) = &route.canary else { return };
        let compared = match arm {
            Arm::Canary => live.position == trial.position,
            Arm::Stable => route
                .candidates
                .get(usize::from(live.position))
                .is_some_and(|candidate| candidate.role == Role::Member && candidate.tier == 0),
        };
        if !compared {
            return;
        }
        // One request counts once, whatever comes after.
        self.side = Side::Neither;
        let verdict = trial.canary.record(arm, outcome);
        let target = route.candidates.get(usize::from(trial.position));
        if let (Some(candidate), true) = (target, verdict != CanaryVerdict::Continue) {
            self.trace.canary = Some((candidate.target, verdict));
        }
    }
}

/// What a result says in a trial; `None`: nothing.
pub(super) fn outcome(result: HopResult, live: &Live, now: Instant) -> Option<CallOutcome> {
    match result {
        HopResult::Answered(_) => {
            let whole = now.saturating_duration_since(live.sent_at);
            Some(CallOutcome::Good(live.spoke_after.unwrap_or(whole)))
        }
        HopResult::Failed(verdict) => match reaction::outcome(&verdict) {
            Outcome::Hard | Outcome::Soft => Some(CallOutcome::Error),
            Outcome::BadAnswer => Some(CallOutcome::Poor),
            Outcome::Neutral | Outcome::Success | Outcome::Begun => None,
        },
        HopResult::Running | HopResult::Diverged | HopResult::Cancelled => None,
    }
}
