//! One attempt's beginning: through the gates, into the trace, with its windows.

use super::live::Tickets;
use super::{Action, AttemptId, Live, Plan, RESERVE, State, abandon};
use crate::money::Spend;
use crate::route::Windows;
use crate::select;
use crate::table::{Resolved, Slot, Table};
use crate::trace::{Hop, HopResult, Refused, Why};
use llm_breaker::TripReason;
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

    /// Says `Send` to a target whose ramp lets only a share of calls through, because there is
    /// nobody else to call.
    pub(super) fn insist(&mut self, position: u8, why: Why, now: Instant) -> Option<Action> {
        self.enter(position, why, Entry::LeastBad, now)
    }

    fn enter(&mut self, position: u8, why: Why, entry: Entry, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let target = route.candidates.get(usize::from(position))?.target;
        let slot = table.slot(target);
        if self.leave_if_hanging(&table, route, position, now) || self.is_crowded(slot, now) {
            return None;
        }
        let shared = table.credential(slot).acquire(now).ok()?;
        let gate = &slot.health.gate;
        let own = match entry {
            Entry::IfAdmitted => gate.acquire(now).ok(),
            Entry::LeastBad => Some(gate.acquire_anyway(now)),
        };
        let Some(own) = own else {
            table.credential(slot).abandon(shared);
            return None;
        };
        let in_flight = slot.health.in_flight.fetch_add(1, Ordering::Relaxed);
        let reserved = slot.pace.reserve(self.request.expected, in_flight, now);
        let Ok(reservation) = reserved else {
            slot.health.in_flight.fetch_sub(1, Ordering::Relaxed);
            slot.health.gate.abandon(own);
            table.credential(slot).abandon(shared);
            return None;
        };
        // Hops are bounded by `max_sends`, a u8.
        let attempt = AttemptId(u8::try_from(self.trace.hops.len()).unwrap_or(u8::MAX));
        let probe = own.is_probe() || shared.is_probe();
        // The first entry of the hop list is the one allocation of a request that succeeds.
        self.trace.hops.push(Hop {
            target,
            why,
            probe,
            waited: self.waited.take(),
            sent_after: self.since_start(now),
            first_token_after: None,
            ended_after: None,
            result: HopResult::Running,
            cost: Spend::default(),
            passed_over: self.passed_over(&table, route, position, now),
        });
        let (windows, fair, cut) = self.windows(&table, route, position, now);
        let live = Live {
            attempt,
            position,
            tickets: Some(Tickets { own, shared }),
            reservation,
            waiting: slot.health.vitals.begin(&self.request, now),
            sent_at: now,
            window: match cut {
                Some(cut) => cut,
                None if self.request.streamed => windows.first_token,
                None => windows.whole,
            },
            cut_at: cut.map(|cut| now + cut),
            fair,
            spoke: false,
            committed: false,
        };
        if self.lives.count() == 0 {
            self.beside = self.plan_beside(route, slot, probe, now);
        }
        if let Err(live) = self.lives.add(live) {
            // Two are under way already; nothing asks for a third.
            abandon(&table, slot, live);
            return None;
        }
        self.state = State::Running;
        Some(Action::Send {
            attempt,
            target,
            windows,
        })
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
        if !slot.health.vitals.is_hanging(now)
            || !self.another_takes_all(table, route, position, now)
        {
            return false;
        }
        let change = slot.health.gate.trip(now, TripReason::Hang);
        if change.is_some() {
            slot.health.vitals.recovered(now);
        }
        self.trace
            .changes
            .extend(change.map(|change| (target, change)));
        change.is_some()
    }

    /// Whether a candidate that this request has not called could be called now, and does not hang.
    fn another_is_ready(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> bool {
        self.ready_others(table, route, position, now)
            .next()
            .is_some()
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
        others.any(|slot| slot.health.gate.share(now) >= 1.0)
    }

    fn ready_others<'t>(
        &self,
        table: &'t Table,
        route: &'t Resolved,
        position: u8,
        now: Instant,
    ) -> impl Iterator<Item = &'t Slot> {
        let tried = self.tried();
        let others = route.candidates.iter().zip(0u8..);
        others.filter_map(move |(candidate, other)| {
            let slot = table.slot(candidate.target);
            let ready = other != position
                && !tried.contains(other)
                && select::refusal(table, *candidate, &self.request, self.fit, now).is_none()
                && !slot.health.vitals.is_hanging(now);
            ready.then_some(slot)
        })
    }

    /// The attempt's windows; whether the deadline left it at least half of what it should have; and after how long it is to be
    /// [looked at](Self::cut_if_late), if that comes first.
    ///
    /// | another target is ready | this one | until the first token, or the end of a whole answer |
    /// |---|---|---|
    /// | yes | any | what was learnt, inside the route's; the deadline less a reserve for the other |
    /// | no | by then answers others as usual | the route's, or what was learnt where that is more |
    /// | no | by then has grown slow, or is not known | the deadline: who is cut off here has nowhere to go |
    ///
    /// Half as much again after a timeout of the same target.
    pub(super) fn windows(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> (Windows, bool, Option<Duration>) {
        let left = self.deadline.remaining(now);
        let another = self.another_is_ready(table, route, position, now);
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
        let policy = route.policy.windows;
        let candidate = route.candidates.get(usize::from(position));
        let vitals = candidate.map(|candidate| &table.slot(candidate.target).health.vitals);
        let usual = match vitals {
            // The learnt window cuts rare long answers short: it is for those who have somewhere else
            // to go, and not for a second try after it.
            Some(vitals) if another && !timed_out => vitals.windows(&self.request, policy, now),
            Some(_) | None => policy,
        };
        let cut = vitals
            .filter(|_| self.request.streamed && !another)
            .map(|vitals| within(vitals.patience(&self.request, policy.first_token, now)));
        let windows = Windows {
            connect: within(usual.connect),
            first_token: match cut {
                Some(_) => left,
                None => within(usual.first_token),
            },
            idle: usual.idle,
            whole: within(usual.whole),
            stream: usual.stream,
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
        route
            .candidates
            .iter()
            .zip(0u8..)
            .take_while(|(candidate, _)| candidate.tier <= tier)
            .filter(|(_, other)| *other != position && !tried.contains(*other))
            .filter_map(|(candidate, _)| {
                let reason = select::refusal(table, *candidate, &self.request, self.fit, now)?;
                Some(Refused {
                    target: candidate.target,
                    reason,
                })
            })
            .collect()
    }
}
