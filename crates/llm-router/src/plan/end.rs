//! How a search ends without an answer.

use super::{Action, AttemptId, Cause, Plan, State, abandon};
use crate::reaction;
use crate::resolve::Resolved;
use crate::select::{self, Admission, Fit};
use crate::table::Table;
use crate::trace::{HopResult, Refusal, Refused};
use llm_errors::{ErrorKind, Phase, Verdict};
use std::sync::Arc;
use std::time::Instant;

impl Plan {
    /// The deadline passed with an attempt under way: ends one, and names it.
    pub(super) fn expire(&mut self, now: Instant) -> Option<AttemptId> {
        let mut live = self.lives.take_other(None)?;
        let attempt = live.attempt;
        let verdict = Verdict::new(ErrorKind::Timeout, Phase::Sent);
        let table = Arc::clone(&self.table);
        let slot = self.close_hop(&table, &mut live, HopResult::Failed(verdict), now);
        self.punish(&table, slot, live, &verdict, now);
        Some(attempt)
    }

    /// The caller left: nothing that was under way counts.
    pub(super) fn cancel_all(&mut self, now: Instant) {
        let table = Arc::clone(&self.table);
        while let Some(mut live) = self.lives.take_other(None) {
            let slot = self.close_hop(&table, &mut live, HopResult::Cancelled, now);
            self.leave_silence(slot, &live, now);
            abandon(&table, slot, live, &self.request);
        }
    }

    /// Ends the search: the caller's own failure goes back as it is, anything else is degraded.
    pub(super) fn end(&mut self, now: Instant) -> Action {
        self.trace.ended_after = Some(self.since_start(now));
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let (tried, moment) = (self.tried(), table.moment(now));
        self.trace.refused = route
            .candidates
            .iter()
            .zip(0u8..)
            .filter(|(_, position)| !tried.contains(*position))
            .filter_map(|(candidate, _)| {
                let crowded = || {
                    let crowded = self.is_crowded(table.slot(candidate.target), now);
                    crowded.then_some(Refusal::Full)
                };
                let reason = select::refusal(&table, candidate, &self.request, self.fit, &moment)
                    .or_else(crowded)?;
                Some(Refused {
                    target: candidate.target,
                    reason,
                })
            })
            .collect();
        let action = match self.trace.failures().next_back() {
            _ if let Some(broken) = self.broken_by() => broken,
            // Nobody else fits the request, so what it lacks is the news.
            Some(last) if reaction::is_callers(&last) => Action::GiveUp(last),
            _ => {
                let verdict = self
                    .trace
                    .failures()
                    .max_by_key(|verdict| reaction::actionability(verdict.kind));
                Action::Degrade(Cause {
                    kind: match verdict {
                        Some(verdict) => verdict.kind,
                        None => self.kept_away_by(&table, route, now),
                    },
                    verdict,
                    retry_at: self.earliest_return(&table, route, now),
                })
            }
        };
        self.state = State::Ended(action);
        action
    }

    /// What the targets are set aside for, where no call was made.
    pub(super) fn kept_away_by(&self, table: &Table, route: &Resolved, now: Instant) -> ErrorKind {
        let moment = table.moment(now);
        let kinds = route.candidates.iter().filter_map(|candidate| {
            let refusal = select::refusal(table, candidate, &self.request, self.fit, &moment)?;
            let slot = table.slot(candidate.target);
            Some(match refusal {
                Refusal::Unable | Refusal::Lossy => ErrorKind::UnsupportedFeature,
                Refusal::TooSmall => ErrorKind::ContextLength,
                Refusal::Held | Refusal::Paced | Refusal::Full | Refusal::OverLimit => {
                    ErrorKind::RateLimitOther
                }
                Refusal::OverBudget | Refusal::SpendCap | Refusal::RouteSpendCap => {
                    ErrorKind::QuotaExhausted
                }
                other => {
                    let scope = other.scope()?;
                    reaction::kind_of(table.gate_of(slot, scope).snapshot(now).reason)
                }
            })
        });
        kinds
            .max_by_key(|kind| reaction::actionability(*kind))
            .unwrap_or(ErrorKind::Overloaded)
    }

    pub(super) fn earliest_return(
        &self,
        table: &Table,
        route: &Resolved,
        now: Instant,
    ) -> Option<Instant> {
        route
            .candidates
            .iter()
            .filter(|candidate| {
                let fit = Fit::of(&route.policy, &self.request);
                select::fits(table, candidate, &self.request, fit, now).is_ok()
            })
            .map(|candidate| {
                match select::admission(table, table.slot(candidate.target), &self.request, now) {
                    Admission::Ready => now + route.policy.backoff.nominal(0),
                    Admission::Held(until) | Admission::Paced(until) | Admission::Open(until) => {
                        until
                    }
                }
            })
            .min()
    }
}
