//! Shadow probes: looking for recovery without any caller waiting for it.
//!
//! While a target is open for a passing reason, the duplicate of a live request without side effects
//! is sent to it, at most one every 5 s; its answer is thrown away. A good one brings the real probe
//! forward to now, so that a healed target is not left alone for the rest of its cooldown.

use crate::reaction;
use crate::request::Request;
use crate::route::{RouteId, Windows};
use crate::select::{self, Fit};
use crate::table::Table;
use crate::target::TargetId;
use llm_breaker::{Outcome, Readiness, Ticket};
use llm_errors::Verdict;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest that a shadow probe may take: at one every 5 s, this bounds how many are in flight.
const LONGEST: Duration = Duration::from_secs(30);

/// Leave to send one shadow probe. Dropped unfinished, it says nothing about its target.
#[derive(Debug)]
#[must_use = "a probe that is granted and not sent is a chance lost"]
pub struct Shadow {
    table: Arc<Table>,
    target: TargetId,
    windows: Windows,
    ticket: Option<Ticket>,
}

impl Table {
    /// Leave to duplicate `request` to a target of `route` that is open and may have healed; `None`
    /// almost always.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn shadow(
        self: &Arc<Self>,
        route: RouteId,
        request: &Request,
        now: Instant,
    ) -> Option<Shadow> {
        if request.side_effects {
            return None;
        }
        let route = self.resolved(route);
        route.candidates.iter().find_map(|candidate| {
            let slot = self.slot(candidate.target);
            select::fits(slot, *candidate, request, Fit::default()).ok()?;
            if self.credential(slot).readiness(now) != Readiness::Ready {
                return None;
            }
            let ticket = slot.health.gate.shadow(now)?;
            // An answer that is late by the target's own measure is no sign of health.
            let silence = slot.health.vitals.suspicious_silence(request, now);
            let longest = silence.map_or(LONGEST, |silence| silence.min(LONGEST));
            let windows = slot
                .health
                .vitals
                .windows(request, route.policy.windows, now);
            Some(Shadow {
                table: Arc::clone(self),
                target: candidate.target,
                windows: Windows {
                    first_token: windows.first_token.min(longest),
                    whole: windows.whole.min(longest),
                    ..windows
                },
                ticket: Some(ticket),
            })
        })
    }
}

impl Shadow {
    /// Whom to call.
    #[must_use]
    pub fn target(&self) -> TargetId {
        self.target
    }

    /// How long the call may take.
    #[must_use]
    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// Reports how it went: a first token or a whole good answer, or a failure.
    pub fn finish(mut self, result: Result<(), &Verdict>, now: Instant) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let outcome = match result {
            Ok(()) => Outcome::Success,
            Err(verdict) => reaction::consequence(verdict).outcome,
        };
        self.table.gate(self.target).settle(ticket, outcome, now);
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.table.gate(self.target).abandon(ticket);
        }
    }
}
