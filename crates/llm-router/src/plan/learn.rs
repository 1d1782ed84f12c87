//! What an attempt's end means: for health, and for the rest of the request.

use super::{Action, AttemptId, DOUBTFUL_TRIES, LONGEST_UNHINTED_HOLD, Live, Plan, State, Touched};
use super::{UNHINTED_HOLD, abandon, jitter};
use crate::reaction::{self, Aside, Lesson};
use crate::table::{Slot, Table};
use crate::target::TargetId;
use crate::trace::{HopResult, Tokens, WaitSource};
use llm_breaker::{Breaker, Outcome, TripReason};
use llm_errors::{ErrorKind, Needs, Verdict};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Plan {
    pub(super) fn on_first_token(&mut self, attempt: AttemptId, now: Instant) {
        let after = self.since_start(now);
        if let Some(hop) = self.trace.hops.get_mut(attempt.index()) {
            hop.first_token_after.get_or_insert(after);
        }
        if !self.request.streamed {
            return;
        }
        self.spoke(attempt, now);
        if self.lives.find(attempt).is_some_and(|live| !live.committed) {
            self.win(attempt, now);
            self.state = State::Accepting(attempt);
        }
    }

    /// The attempt has shown how fast its target is: by its first token, or by a whole answer.
    fn spoke(&mut self, attempt: AttemptId, now: Instant) {
        let Some(live) = self.lives.find_mut(attempt) else {
            return;
        };
        if std::mem::replace(&mut live.spoke, true) {
            return;
        }
        let (position, waiting) = (usize::from(live.position), live.waiting);
        let took = now.saturating_duration_since(live.sent_at);
        let caller_saw = match self.lives.iter().map(|live| live.sent_at).min() {
            Some(first) => now.saturating_duration_since(first),
            None => took,
        };
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        if let (Some(candidate), Some(live)) =
            (route.candidates.get(position), self.lives.find(attempt))
        {
            let slot = table.slot(candidate.target);
            slot.vitals.end_silence(&self.request, waiting);
            slot.vitals.answered(&self.request, took, caller_saw, now);
            self.note_trial_won(slot, live);
        }
    }

    pub(super) fn on_success(&mut self, attempt: AttemptId, tokens: Tokens, now: Instant) {
        self.spoke(attempt, now);
        let Some(live) = self.lives.take(attempt) else {
            return;
        };
        let committed = live.committed;
        let table = Arc::clone(&self.table);
        let slot = self.close_hop(&table, &live, HopResult::Answered(tokens), now);
        self.settle(&table, slot, live, Outcome::Success, Outcome::Success, now);
        table.budget(slot).deposit();
        table.resolved(self.route).hedges.deposit(0);
        slot.unhinted_limits.store(0, Ordering::Relaxed);
        self.win(attempt, now);
        self.trace.ended_after = Some(self.since_start(now));
        self.state = if committed {
            State::Answered
        } else {
            State::Accepting(attempt)
        };
    }

    pub(super) fn on_failure(&mut self, attempt: AttemptId, verdict: Verdict, now: Instant) {
        let Some(live) = self.lives.take(attempt) else {
            return;
        };
        let (committed, position) = (live.committed, live.position);
        let table = Arc::clone(&self.table);
        let slot = self.close_hop(&table, &live, HopResult::Failed(verdict), now);
        self.punish(&table, slot, live, &verdict, now);
        if committed {
            self.trace.ended_after = Some(self.since_start(now));
            self.state = State::Ended(Action::GiveUp(verdict));
            return;
        }
        self.learn(slot, position, &verdict, now);
        if self.lives.count() > 0 {
            // An error never wins: the other attempt goes on.
            return;
        }
        self.beside = None;
        let only_callers_faults = self
            .trace
            .failures()
            .all(|seen| reaction::is_callers(&seen) || reaction::lesson(&seen) == Lesson::Stop);
        self.state = State::Choosing;
        if reaction::lesson(&verdict) == Lesson::Stop && only_callers_faults {
            self.trace.ended_after = Some(self.since_start(now));
            self.state = State::Ended(Action::GiveUp(verdict));
        }
    }

    /// Tells the gates what the failure says of them, and sets aside whom it speaks for.
    pub(super) fn punish(
        &mut self,
        table: &Table,
        slot: &Slot,
        live: Live,
        verdict: &Verdict,
        now: Instant,
    ) {
        if verdict.kind != ErrorKind::Timeout {
            slot.vitals.end_silence(&self.request, live.waiting);
        } else if !live.fair {
            // The deadline left it no fair chance: that is no evidence against it.
            slot.vitals.end_silence(&self.request, live.waiting);
            abandon(table, slot, live);
            return;
        } else if !live.spoke {
            slot.vitals.timed_out(&self.request, live.window, now);
        }
        let consequence = reaction::consequence(verdict);
        let credential = table.credential(slot);
        let own = match consequence.aside {
            // The account failed, not the deployment.
            Aside::Credential(_) => Outcome::Neutral,
            _ => consequence.outcome,
        };
        let reason = consequence.reason;
        let target = self
            .trace
            .hops
            .get(live.attempt.index())
            .map(|hop| hop.target);
        self.settle(table, slot, live, own, Outcome::Neutral, now);
        match consequence.aside {
            Aside::None => {}
            Aside::Hold(wait) => slot.gate.hold(now + wait),
            Aside::HoldByBackoff => {
                let in_a_row = slot.unhinted_limits.fetch_add(1, Ordering::Relaxed);
                let hold = UNHINTED_HOLD * 2u32.saturating_pow(in_a_row.min(8));
                let hold = hold.min(LONGEST_UNHINTED_HOLD);
                slot.gate
                    .hold(now + hold / 2 + jitter(&mut self.rng, hold / 2));
            }
            Aside::Target(wait) => self.set_aside(&slot.gate, target, wait, reason, now),
            Aside::Credential(wait) => self.set_aside(credential, target, wait, reason, now),
        }
    }

    pub(super) fn set_aside(
        &mut self,
        gate: &Breaker,
        target: Option<TargetId>,
        wait: Duration,
        reason: TripReason,
        now: Instant,
    ) {
        let change = gate.open_until(now, now + wait, reason);
        self.trace.changes.extend(target.zip(change));
    }

    /// Remembers, for the rest of this request, what the failure says of the candidate and of what
    /// the next one must offer.
    pub(super) fn learn(&mut self, slot: &Slot, position: u8, verdict: &Verdict, now: Instant) {
        match verdict.advice.needs {
            Needs::LongerContext => {
                let seen = slot.context_window_tokens.max(verdict.context_limit_tokens);
                self.fit.context_above = self.fit.context_above.max(seen).max(1);
            }
            Needs::LessRestrictive => self.fit.less_restrictive = true,
            _ => {}
        }
        let policy = *self.table.policy(self.route);
        let lesson = reaction::lesson(verdict);
        let tries = self
            .touched
            .iter()
            .find(|known| known.position == position)
            .map_or(0, |known| known.tries)
            .saturating_add(1);
        let retry = u32::from(tries - 1);
        let (wait, source) = match verdict.hint {
            Some(hint) => (
                policy
                    .backoff
                    .delay_with_hint(retry, hint.wait(), &mut self.rng),
                WaitSource::Hint(hint.source()),
            ),
            None => (
                policy.backoff.delay(retry, &mut self.rng),
                WaitSource::Backoff,
            ),
        };
        let timed_out = verdict.kind == ErrorKind::Timeout;
        let doubtful = lesson == Lesson::LastResort && verdict.kind != ErrorKind::Network;
        self.touched.retain(|known| known.position != position);
        // Bounded by `max_sends`: one entry a candidate that was called.
        self.touched.push(Touched {
            position,
            tries,
            lesson,
            cap: if doubtful {
                policy.attempts.min(DOUBTFUL_TRIES)
            } else {
                policy.attempts
            },
            floor: now + verdict.retry_after().unwrap_or(Duration::ZERO),
            again_at: now + wait,
            source,
            timed_out,
        });
    }
}
