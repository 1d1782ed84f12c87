//! One attempt's beginning: through the gates, into the trace, with its windows.

use super::{Action, AttemptId, Live, Plan, RESERVE, State, abandon};
use crate::route::Windows;
use crate::select;
use crate::table::{Resolved, Table};
use crate::trace::{Hop, HopResult, Refused, Why};
use llm_breaker::TripReason;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Plan {
    /// Passes the gates of a candidate and says `Send`; `None` where a gate closed meanwhile.
    pub(super) fn send(&mut self, position: u8, why: Why, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let target = route.candidates.get(usize::from(position))?.target;
        let slot = table.slot(target);
        if slot.vitals.is_hanging(&self.request, now) {
            let change = slot.gate.trip(now, TripReason::Hang);
            if change.is_some() {
                slot.vitals.recovered();
            }
            self.trace
                .changes
                .extend(change.map(|change| (target, change)));
            if change.is_some() {
                return None;
            }
        }
        let shared = table.credential(slot).acquire(now).ok()?;
        let Ok(own) = slot.gate.acquire(now) else {
            table.credential(slot).abandon(shared);
            return None;
        };
        slot.in_flight.fetch_add(1, Ordering::Relaxed);
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
            passed_over: self.passed_over(&table, route, position, now),
        });
        let (windows, fair) = self.windows(&table, route, position, now);
        let live = Live {
            attempt,
            position,
            own,
            shared,
            waiting: slot.vitals.begin(&self.request, now),
            sent_at: now,
            window: if self.request.streamed {
                windows.first_token
            } else {
                windows.whole
            },
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

    /// The attempt's windows: what its target has taught, inside the route's and the deadline, less
    /// a reserve for the next target where there is one; wider after a timeout of the same target.
    /// And whether the deadline left it at least half of that.
    pub(super) fn windows(
        &self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> (Windows, bool) {
        let left = self.deadline.remaining(now);
        let tried = self.tried();
        let another = route
            .candidates
            .iter()
            .zip(0u8..)
            .any(|(candidate, other)| {
                other != position
                    && !tried.contains(other)
                    && select::refusal(table, *candidate, &self.request, self.fit, now).is_none()
            });
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
        let usual = match route.candidates.get(usize::from(position)) {
            Some(candidate) => {
                let slot = table.slot(candidate.target);
                slot.vitals.windows(&self.request, policy, now)
            }
            None => policy,
        };
        let windows = Windows {
            connect: within(usual.connect),
            first_token: within(usual.first_token),
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
        (windows, fair)
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
