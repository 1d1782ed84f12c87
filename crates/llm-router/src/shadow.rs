//! Shadow probes: looking for recovery without any caller waiting for it.
//!
//! While a target is open for a passing reason, the duplicate of a live request without side effects
//! is sent to it, at most one every 5 s; its answer is thrown away. A good one brings the real probe
//! forward to now, so that a healed target is not left alone for the rest of its cooldown. Where the cooldown is over and no caller comes to be
//! the probe, because the target is a fallback and nobody needs one, the duplicate is the probe: a fallback is not to be found ill on the day it is needed
//! that has been well for long.
//!
//! Nobody asked for it, so it costs no more than it may: a place in the target's rate limits, its expected price in the hours of target and
//! route, and no more than the request itself may cost; where one of them is spent it is not sent. It takes a token of the retry budget of the target's
//! region, so that retries make room for it, and goes without one where none is left: with everything down that budget is empty, and
//! nothing but shadows would notice the end of it. One every 5 s is the bound then.

use crate::budget::Learnt;
use crate::money::Spend;
use crate::pace::Reservation;
use crate::plan::pay::{self, Earmarks};
use crate::reaction;
use crate::request::Request;
use crate::resolve::Resolved;
use crate::route::{RouteId, Windows};
use crate::scope::Passes;
use crate::select::{self, Fit};
use crate::table::{Slot, Table};
use crate::target::TargetId;
use crate::trace::{HopResult, Tokens};
use llm_breaker::{Breaker, Change, Outcome, Readiness, Ticket, TripReason};
use llm_errors::{Certainty, Verdict};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The longest that a shadow probe may take: at one every 5 s, this bounds how many are in flight. Of those that the model thinks about
/// only one is.
const LONGEST: Duration = Duration::from_secs(30);
const LONGEST_THOUGHT: Duration = Duration::from_secs(120);

/// What was left for its slowness is well again when it takes no more than twice its old usual time, or this.
const AS_EVER: Duration = Duration::from_millis(100);

/// Leave to send one shadow probe. Dropped unfinished, it says nothing about its target.
#[derive(Debug)]
#[must_use = "a probe that is granted and not sent is a chance lost"]
pub struct Shadow {
    table: Arc<Table>,
    target: TargetId,
    route: RouteId,
    request: Request,
    windows: Windows,
    thinks: bool,
    sent_at: Instant,
    leave: Option<Leave>,
}

/// What was taken for it.
#[derive(Debug)]
struct Leave {
    own: Option<Ticket>,
    shared: Passes,
    reservation: Reservation,
    earmarks: Earmarks,
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
        let (id, route) = (route, self.resolved(route));
        // Where a scope of many is open, each of its targets has its turn at showing that it healed.
        let first = usize::try_from(self.shadows.load(Ordering::Relaxed)).unwrap_or_default();
        let count = route.candidates.len();
        let fit = Fit::of(&route.policy, request);
        let in_turn = route.candidates.iter().cycle().skip(first % count.max(1));
        in_turn.take(count).find_map(|candidate| {
            let slot = self.slot(candidate.target);
            select::fits(self, candidate, request, fit, now).ok()?;
            let vitals = &slot.health.vitals;
            let thinks = vitals.thinks(request);
            if !vitals.may_shadow(request) {
                return None;
            }
            let leave = self.shadow_of(route, slot, request, fit, now)?;
            vitals.shadow(thinks, true);
            self.shadows.fetch_add(1, Ordering::Relaxed);
            // An answer that is late by the target's own measure is no sign of health.
            let most = if thinks { LONGEST_THOUGHT } else { LONGEST };
            let silence = vitals.suspicious_silence(request, now);
            let longest = silence.map_or(most, |silence| silence.min(most));
            let slow = slot.health.gate.snapshot(now).reason == TripReason::Latency;
            let typical = vitals.typical(request).filter(|_| slow);
            let longest = typical.map_or(longest, |typical| longest.min(AS_EVER.max(typical * 2)));
            let allowed = vitals.allowed(request, route.policy.windows);
            let windows = vitals.windows(request, allowed, Some(Learnt::default()), now);
            Some(Shadow {
                table: Arc::clone(self),
                target: candidate.target,
                route: id,
                request: *request,
                windows: Windows {
                    first_token: windows.first_token.min(longest),
                    whole: windows.whole.min(longest),
                    ..windows
                },
                thinks,
                sent_at: now,
                leave: Some(leave),
            })
        })
    }

    /// Leave of every gate that is open, of limits and of hours; `None` where all gates are closed, one is not to be tried, or there is
    /// nothing left to pay with.
    fn shadow_of(
        &self,
        route: &Resolved,
        slot: &Slot,
        request: &Request,
        fit: Fit,
        now: Instant,
    ) -> Option<Leave> {
        let grants = |gate: &Breaker| match gate.readiness(now) {
            Readiness::Ready => true,
            Readiness::Open(_) | Readiness::Probe => gate.is_shadow_due(now),
            Readiness::Held(_) => false,
        };
        // One of them that says no must not cost the others their chance, which another target may have.
        let mut scopes = self.scopes(slot);
        if !grants(&slot.health.gate) || !scopes.all(|scope| grants(&scope.state.gate)) {
            return None;
        }
        let shut = |gate: &Breaker| gate.readiness(now) != Readiness::Ready;
        if !shut(&slot.health.gate) && !self.scopes(slot).any(|scope| shut(&scope.state.gate)) {
            return None;
        }
        let (in_flight, expected) = (&slot.health.in_flight, slot.expected(request));
        let reserved = slot
            .pace
            .reserve(expected, in_flight.load(Ordering::Relaxed), now);
        let reservation = reserved.ok()?;
        let Some(earmarks) = pay::earmark(route, slot, request, fit.money_left, now) else {
            slot.pace.refund(reservation);
            return None;
        };
        let Some((own, shared)) = self.tickets_of(slot, now) else {
            slot.pace.refund(reservation);
            pay::book_untold(route, slot, earmarks, Spend::default(), now);
            return None;
        };
        in_flight.fetch_add(1, Ordering::Relaxed);
        // Where none is left it goes all the same; see above.
        let _ = self.budget(slot).withdraw();
        Some(Leave {
            own,
            shared,
            reservation,
            earmarks,
        })
    }

    /// A ticket of each gate that is open; `None` where none is, or somebody else was faster.
    fn tickets_of(&self, slot: &Slot, now: Instant) -> Option<(Option<Ticket>, Passes)> {
        let ask = |gate: &Breaker| match gate.readiness(now) {
            Readiness::Open(_) | Readiness::Probe => gate.shadow(now).map(Some),
            _ => Some(None),
        };
        let mut shared = Passes::default();
        for (scope, pass) in self.scopes(slot).zip(shared.iter_mut()) {
            *pass = ask(&scope.state.gate)?;
        }
        let own = ask(&slot.health.gate)?;
        (own.is_some() || shared.iter().any(Option::is_some)).then_some((own, shared))
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

    /// Books what it cost.
    fn pay(&self, slot: &Slot, earmarks: Earmarks, result: HopResult, now: Instant) {
        let spent = pay::bill(slot, &self.request, result, Tokens::default());
        let route = self.table.resolved(self.route);
        pay::book_untold(route, slot, earmarks, spent, now);
    }

    /// Reports how it went: a first token or a whole good answer, with what that used as reported or estimated, or a failure.
    pub fn finish(mut self, result: Result<Tokens, &Verdict>, now: Instant) {
        let Some(leave) = self.leave.take() else {
            return;
        };
        let (outcome, hop) = match result {
            Ok(tokens) => (Outcome::Success, HopResult::Answered(tokens)),
            Err(verdict) => (reaction::outcome(verdict), HopResult::Failed(*verdict)),
        };
        let slot = self.table.slot(self.target);
        let Leave {
            own,
            shared,
            reservation,
            earmarks,
        } = leave;
        self.pay(slot, earmarks, hop, now);
        match result {
            Ok(tokens) if tokens != Tokens::default() => {
                slot.pace.correct(reservation, tokens.as_cost(), now);
            }
            Err(verdict) if is_free(verdict) => slot.pace.refund(reservation),
            Ok(_) | Err(_) => {}
        }
        if let Some(ticket) = own {
            let change = slot.health.gate.settle(ticket, outcome, now);
            if matches!(change, Some(Change::Closed | Change::Ramping)) {
                slot.health.vitals.recovered(now);
            }
        }
        for (scope, pass) in self.table.scopes(slot).zip(shared) {
            if let Some(ticket) = pass {
                scope.state.gate.settle(ticket, scope.outcome(outcome), now);
            }
        }
    }
}

/// Whether a call that failed so took nothing from rate limits.
fn is_free(verdict: &Verdict) -> bool {
    matches!(
        verdict.certainty,
        Certainty::NeverSent | Certainty::Rejected
    )
}

impl Drop for Shadow {
    fn drop(&mut self) {
        let table = Arc::clone(&self.table);
        let slot = table.slot(self.target);
        slot.health.vitals.shadow(self.thinks, false);
        slot.health.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(leave) = self.leave.take() {
            if let Some(ticket) = leave.own {
                slot.health.gate.abandon(ticket);
            }
            table.abandon_passes(slot, leave.shared);
            // No clock here.
            self.pay(slot, leave.earmarks, HopResult::Cancelled, self.sent_at);
        }
    }
}
