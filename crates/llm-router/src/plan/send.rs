//! One attempt's beginning: through the gates, into the trace, with its windows.

use super::live::Tickets;
use super::{Action, AttemptId, Live, Plan, RESERVE, State, abandon, pay};
use crate::detector::Detector;
use crate::money::Spend;
use crate::resolve::Resolved;
use crate::route::{Edge, LONGEST, Windows};
use crate::select::{self, Set};
use crate::table::{Slot, Table};
use crate::target::TargetId;
use crate::trace::{Hop, HopResult, Refused, Tokens, Why};
use crate::vitals::Vitals;
use llm_backoff::Deadline;
use llm_breaker::TripReason;
use llm_errors::Scope;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How a call passes its target's gate.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// As the gate says.
    IfAdmitted,
    /// Whatever the gate says.
    LeastBad,
}

impl Plan {
    /// Passes the gates of a candidate and says `Send`; `None` where a gate closed meanwhile.
    pub(super) fn send(&mut self, position: u8, why: Why, now: Instant) -> Option<Action> {
        self.enter(position, why, Entry::IfAdmitted, now)
    }

    /// Says `Send` to a target whose gate does not let this call through, because there is nobody
    /// else to call: in a ramp it lets only a share of them.
    pub(super) fn insist(&mut self, position: u8, why: Why, now: Instant) -> Option<Action> {
        self.enter(position, why, Entry::LeastBad, now)
    }

    fn enter(&mut self, position: u8, why: Why, entry: Entry, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let target = route.candidates.get(usize::from(position))?.target;
        let slot = table.slot(target);
        if self.leave_if_hanging(&table, route, position, now) || !self.may_join(slot, now) {
            return None;
        }
        let anyway = matches!(entry, Entry::LeastBad);
        let shared = table.enter(slot, anyway, now)?;
        let gate = &slot.health.gate;
        let own = if anyway {
            gate.acquire_anyway(now)
        } else if let Ok(own) = gate.acquire(now) {
            own
        } else {
            table.abandon_passes(slot, shared);
            return None;
        };
        let tickets = Tickets { own, shared };
        let in_flight = slot.health.in_flight.fetch_add(1, Ordering::Relaxed);
        let reserved = slot
            .pace
            .reserve(slot.expected(&self.request), in_flight, now);
        let Ok(reservation) = reserved else {
            slot.health.in_flight.fetch_sub(1, Ordering::Relaxed);
            slot.health.gate.abandon(tickets.own);
            table.abandon_passes(slot, tickets.shared);
            return None;
        };
        let money_left = self.fit.money_left;
        let Some(earmarks) = pay::earmark(route, slot, &self.request, money_left, now) else {
            slot.health.in_flight.fetch_sub(1, Ordering::Relaxed);
            slot.pace.refund(reservation);
            slot.health.gate.abandon(tickets.own);
            table.abandon_passes(slot, tickets.shared);
            return None;
        };
        if self.trace.hops.is_empty() {
            route.retries.deposit();
        }
        // Hops are bounded by `max_sends`, a u8.
        let attempt = AttemptId(u8::try_from(self.trace.hops.len()).unwrap_or(u8::MAX));
        let probe = tickets.is_probe();
        // The first entry of the hop list is the one allocation of a request that succeeds.
        self.trace.hops.push(Hop {
            target,
            why,
            probe,
            form: self.form(),
            waited: self.waited.take(),
            sent_after: self.since_start(now),
            first_token_after: None,
            ended_after: None,
            result: HopResult::Running,
            finding: None,
            lost: Vec::new(),
            broken_events: 0,
            cost: Spend::default(),
            passed_over: self.passed_over(&table, route, position, now),
        });
        self.leave_room_to_think(route, slot, now);
        let (windows, fair, cut) = self.windows(&table, route, position, now);
        let live = Live {
            attempt,
            position,
            tickets,
            begun: false,
            reservation,
            waiting: Some(slot.health.vitals.begin(&self.request, now)),
            sent_at: now,
            window: match cut {
                Some(cut) => cut,
                None if self.request.streamed => windows.first_token,
                None => windows.whole,
            },
            cut_at: cut.map(|cut| now + cut),
            fair,
            spoke: false,
            spoke_after: None,
            earmarks,
            used: Tokens::default(),
            committed: false,
        };
        if self.lives.count() == 0 {
            self.beside = self.plan_beside(route, slot, probe, now);
        }
        if let Some(mut live) = self.lives.add(live) {
            // As many as may be are under way already; nothing asks for another.
            let marks = std::mem::take(&mut live.earmarks);
            pay::book_untold(route, slot, marks, Spend::default(), now);
            abandon(&table, slot, live, &self.request);
            return None;
        }
        self.count_money();
        self.state = State::Running;
        Some(Action::Send {
            attempt,
            target,
            windows,
            form: self.form(),
        })
    }

    /// Gives a call in which the model thinks first the time that it needs, or as much of it as the caller has; and one after it to a
    /// target that does not think as much as it would have had alone, within that.
    fn leave_room_to_think(&mut self, route: &Resolved, slot: &Slot, now: Instant) {
        let (policy, request) = (&route.policy, &self.request);
        let thinks = slot.health.vitals.thinks(request);
        if !thinks && (!self.thought || self.lives.count() > 0) {
            return;
        }
        self.thought = true;
        let usual = request.deadline.unwrap_or(policy.deadline).min(LONGEST);
        let asked = request.thinking_deadline.or(request.deadline);
        let most = asked.unwrap_or(policy.thinking_deadline).max(usual);
        let last = Deadline::after(self.searching_since, most.min(LONGEST));
        let last = match &self.cut {
            Some(cut) => last.earlier(Deadline::at(cut.until)),
            None => last,
        };
        self.deadline = if thinks {
            last
        } else {
            last.earlier(Deadline::after(now, usual))
        };
    }

    /// Opens the breaker of a target that has stopped answering, where another one takes all that comes. Alone,
    /// or beside one that is in its ramp, it is asked for as long as its breaker's own evidence lets calls through: part of
    /// an answer is better than none.
    pub(super) fn leave_if_hanging(
        &mut self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> bool {
        let Some(target) = route
            .candidates
            .get(usize::from(position))
            .map(|c| c.target)
        else {
            return false;
        };
        let slot = table.slot(target);
        if !slot.is_hanging(now)
            || !self.another_takes_all(table, route, position, now)
            || !self.may_eject(table, route, target, TripReason::Hang, now)
        {
            return false;
        }
        let change = slot.health.gate.trip(now, TripReason::Hang);
        if change.is_some() {
            slot.health.vitals.recovered(now);
        }
        self.note_change(target, Scope::Deployment, change);
        if change.is_some() {
            self.widen(table, route, target, Scope::Deployment, now);
        }
        change.is_some()
    }

    /// Whether a detector may set a target aside; noted where not.
    pub(super) fn may_eject(
        &mut self,
        table: &Table,
        route: &Resolved,
        target: TargetId,
        reason: TripReason,
        now: Instant,
    ) -> bool {
        let may = table.may_eject(route, target, now);
        let spared = (target, reason);
        if !may && !self.trace.spared.contains(&spared) {
            self.trace.spared.push(spared);
        }
        may
    }

    /// Opens the wider scopes whose trouble the opening of `target` shows, where the route has
    /// somewhere else to go.
    pub(super) fn widen(
        &mut self,
        table: &Table,
        route: &Resolved,
        target: TargetId,
        said: Scope,
        now: Instant,
    ) {
        if !table.slot(target).facts.detectors.contains(Detector::Scope) {
            return;
        }
        let (tried, moment) = (self.tried(), table.moment(now));
        for shared in table.outages(target, said, now) {
            let mut others = route.candidates.iter().zip(0u8..);
            let elsewhere = others.any(|(other, position)| {
                !tried.contains(position)
                    && !shared.members.contains(&other.target)
                    && select::refusal(table, other, &self.request, self.fit, &moment).is_none()
            });
            if elsewhere {
                let change = shared.state.gate.trip(now, TripReason::Scope);
                self.note_change(target, shared.key.scope, change);
            }
        }
    }

    /// Whether one of those that could be called now, and are not, takes all who come: none that is in its ramp or was lately.
    pub(super) fn another_takes_refugees(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> bool {
        let mut others = self.unasked_others(table, route, position, now);
        others.any(|slot| {
            slot.health.gate.share(now) >= 1.0 && !slot.health.vitals.healed_lately(now)
        })
    }

    /// Those of the [ready](Self::ready_others) that no call is under way to.
    pub(super) fn unasked_others<'t>(
        &self,
        table: &'t Table,
        route: &'t Resolved,
        position: u8,
        now: Instant,
    ) -> impl Iterator<Item = &'t Slot> {
        let asked = |other: u8| self.lives.iter().any(|live| live.position == other);
        let others = self.ready_others(table, route, position, now);
        others.filter_map(move |(other, slot)| (!asked(other)).then_some(slot))
    }

    /// Whether one of them has all its share of calls, and not the first of a ramp.
    pub(super) fn another_takes_all(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> bool {
        let mut others = self.ready_others(table, route, position, now);
        others.any(|(_, slot)| slot.health.gate.share(now) >= 1.0)
    }

    /// The candidates that this request has not called, could be called now, and do not hang.
    pub(super) fn ready_others<'t>(
        &self,
        table: &'t Table,
        route: &'t Resolved,
        position: u8,
        now: Instant,
    ) -> impl Iterator<Item = (u8, &'t Slot)> {
        let (tried, moment) = (self.tried(), table.moment(now));
        // What could be waited for in vain is an outage, and has its edge.
        let fit = self.fit.with(Edge::Region);
        let others = route.candidates.iter().zip(0u8..);
        others.filter_map(move |(candidate, other)| {
            let slot = table.slot(candidate.target);
            let ready = other != position
                && !tried.contains(other)
                && select::refusal(table, candidate, &self.request, fit, &moment).is_none()
                && !slot.is_hanging(now);
            ready.then_some((other, slot))
        })
    }

    /// The attempt's windows; whether the deadline left it at least half of what it should have; and after how long it is to be
    /// [looked at](Self::cut_if_late), if that comes first.
    ///
    /// | another target is ready, and was well lately | this one | until the first token, or the end of a whole answer |
    /// |---|---|---|
    /// | yes | any | what was learnt, inside the route's; the deadline less a reserve for the other |
    /// | no | by then answers others as usual | the route's, or what was learnt where that is more |
    /// | no | by then has grown slow, or is not known | the deadline: who is cut off here has nowhere to go |
    ///
    /// Where other targets have been silent in this request, what is [left of its silence](super::quiet), if that is less.
    /// Half as much again after a timeout of the same target. The route's windows are longer where the model
    /// [thinks](crate::Thinking) first.
    pub(super) fn windows(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> (Windows, bool, Option<Duration>) {
        let left = self.deadline.remaining(now);
        let another = self.another_takes_refugees(table, route, position, now);
        let left = if another {
            left.saturating_sub(RESERVE.min(left / 3))
        } else {
            left
        };
        let timed_out = self
            .touched
            .iter()
            .any(|known| known.position == position && known.timed_out);
        let within = |window: Duration| {
            let window = if timed_out { window * 3 / 2 } else { window };
            window.min(left)
        };
        let candidate = route.candidates.get(usize::from(position));
        let vitals = candidate.map(|candidate| &table.slot(candidate.target).health.vitals);
        let policy = route.policy.windows;
        let policy = vitals.map_or(policy, |vitals| vitals.allowed(&self.request, policy));
        let usual = match vitals {
            // The learnt window cuts rare long answers short: it is for those who have somewhere else
            // to go, and not for a second try after it.
            Some(vitals) if another && !timed_out => {
                vitals.windows(&self.request, policy, route.policy.learnt, now)
            }
            Some(_) | None => policy,
        };
        let quiet = vitals.and_then(|vitals| self.quiet_window(position, vitals, policy, now));
        let patience = |vitals: &Vitals| match quiet {
            Some(quiet) => quiet,
            None => vitals.patience(&self.request, policy.first_token, route.policy.learnt, now),
        };
        let cut = vitals
            .filter(|_| self.request.streamed && !another)
            .map(|vitals| within(patience(vitals)));
        let windows = Windows {
            connect: within(usual.connect),
            first_token: match cut {
                Some(_) => left,
                None => {
                    within(quiet.map_or(usual.first_token, |quiet| quiet.min(usual.first_token)))
                }
            },
            idle: usual.idle,
            whole: within(usual.whole),
            stream: match &self.cut {
                Some(cut) => usual.stream.min(cut.until.saturating_duration_since(now)),
                None => usual.stream,
            },
            thinking: usual.thinking,
        };
        let fair = if self.request.streamed {
            windows.first_token * 2 >= usual.first_token
        } else {
            // A whole answer's own window is a bound for the longest one; half of it says little.
            windows.whole * 2 >= usual.whole || windows.whole >= policy.first_token
        };
        (windows, fair, cut)
    }

    /// Candidates of this or an earlier tier that were not ready.
    pub(super) fn passed_over(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> Vec<Refused> {
        let tier = route
            .candidates
            .get(usize::from(position))
            .map_or(0, |candidate| candidate.tier);
        let tried = self.tried();
        let moment = table.moment(now);
        let look = select::Look::new(table, &self.request, &self.fit, Set::default(), moment);
        route
            .candidates
            .iter()
            .zip(0u8..)
            .take_while(|(candidate, _)| candidate.tier <= tier)
            .filter(|(_, other)| *other != position && !tried.contains(*other))
            .filter_map(|(candidate, _)| {
                let reason = look.refusal(candidate)?;
                Some(Refused {
                    target: candidate.target,
                    reason,
                })
            })
            .collect()
    }
}
