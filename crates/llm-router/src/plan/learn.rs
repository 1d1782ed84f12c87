//! What an attempt's end means: for health, and for the rest of the request.

use super::{
    Action, AttemptId, DOUBTFUL_TRIES, LONGEST_UNHINTED_HOLD, Live, Plan, Settled, State, Touched,
};
use super::{UNHINTED_HOLD, Used, abandon, jitter};
use crate::cut::Form;
use crate::money::Spend;
use crate::reaction::{self, Aside, Lesson};
use crate::scope;
use crate::table::{Slot, Table};
use crate::trace::{HopResult, Tokens, WaitSource};
use llm_breaker::{Change, Outcome, Readiness};
use llm_errors::{Certainty, ErrorKind, Needs, Retry, Scope, Verdict};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

impl Plan {
    /// Notes in the trace what an attempt could not carry, by the names of fields, and how many events of its stream were no
    /// events.
    pub fn lost(&mut self, attempt: AttemptId, names: &[&'static str], broken_events: u32) {
        if let Some(hop) = self.trace.hops.get_mut(attempt.index()) {
            hop.lost.clear();
            hop.lost.extend_from_slice(names);
            hop.broken_events = broken_events;
        }
    }

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
            self.settle_early(attempt, now);
            self.win(attempt, now);
            self.state = State::Accepting(attempt);
        }
    }

    /// The attempt has shown how fast its target is: by its first token, or by a whole answer.
    pub(super) fn spoke(&mut self, attempt: AttemptId, now: Instant) {
        let Some(live) = self.lives.find_mut(attempt) else {
            return;
        };
        if std::mem::replace(&mut live.spoke, true) {
            return;
        }
        live.spoke_after = Some(now.saturating_duration_since(live.sent_at));
        let (position, waiting) = (usize::from(live.position), live.waiting.take());
        // The time of a call that was begun anew includes what its caller already had.
        let replayed = self.cut.is_some();
        let took = now.saturating_duration_since(live.sent_at);
        let first = self.lives.iter().min_by_key(|live| live.sent_at);
        let caller_saw = first.map_or(took, |live| now.saturating_duration_since(live.sent_at));
        let first = first.map(|live| usize::from(live.position));
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        if let (Some(candidate), Some(live)) =
            (route.candidates.get(position), self.lives.find(attempt))
        {
            let slot = table.slot(candidate.target);
            slot.health.vitals.end_silence(waiting);
            slot.health.vitals.leave(&self.request);
            if replayed {
                return;
            }
            slot.health.vitals.answered(&self.request, took, now);
            // How long a model thinks is no measure of how busy its target is.
            if !slot.health.vitals.thinks(&self.request) {
                slot.health.ewma.record(took, now);
            }
            // The delay until a hedge is that of the target which is asked first.
            if let Some(first) = first.and_then(|first| route.candidates.get(first)) {
                let vitals = &table.slot(first.target).health.vitals;
                vitals.usual_was(&self.request, caller_saw, now);
            }
            self.note_trial_won(slot, live);
            let position = live.position;
            self.leave_if_outrun(&table, slot, position, now);
        }
    }

    /// A stream has spoken: its gates need not wait for its end, which may be minutes away.
    pub(super) fn settle_early(&mut self, attempt: AttemptId, now: Instant) {
        let table = Arc::clone(&self.table);
        let Some(live) = self.lives.find_mut(attempt) else {
            return;
        };
        let candidates = &table.resolved(self.route).candidates;
        let Some(candidate) = candidates.get(usize::from(live.position)) else {
            return;
        };
        if std::mem::replace(&mut live.begun, true) {
            return;
        }
        let (target, slot) = (candidate.target, table.slot(candidate.target));
        let is_probe = live.is_probe();
        let change = slot.health.gate.begin(&mut live.tickets.own, now);
        let shared = std::mem::take(&mut live.tickets.shared);
        let news = (Outcome::Begun, change, is_probe);
        self.tell_all(&table, slot, target, shared, news, now);
    }

    pub(super) fn on_success(&mut self, attempt: AttemptId, tokens: Tokens, now: Instant) {
        self.spoke(attempt, now);
        let Some(mut live) = self.lives.take(attempt) else {
            return;
        };
        let committed = live.committed;
        let table = Arc::clone(&self.table);
        let slot = self.close_hop(&table, &mut live, HopResult::Answered(tokens), now);
        // A prompt that was shortened or grew by a prefill is not the one that was estimated.
        let hop = self.trace.hops.get(attempt.index());
        let billed = hop.map_or(Spend(0), |hop| hop.cost);
        if hop.is_some_and(|hop| hop.form == Form::AsAsked) {
            let expected = self.request.expected.input_tokens;
            let estimate = &slot.health.estimate;
            estimate.observe(expected, tokens.input.into());
        }
        let settled = Settled {
            own: Outcome::Success,
            spared: false,
            used: if tokens == Tokens::default() {
                Used::Unknown
            } else {
                Used::Tokens(tokens)
            },
        };
        self.settle(&table, slot, live, settled, now);
        table.budget(slot).deposit();
        table.resolved(self.route).hedges.deposit(billed.0);
        slot.health.unhinted_limits.store(0, Ordering::Relaxed);
        self.win(attempt, now);
        self.trace.ended_after = Some(self.since_start(now));
        self.state = if committed {
            State::Answered
        } else {
            State::Accepting(attempt)
        };
    }

    pub(super) fn on_failure(&mut self, attempt: AttemptId, verdict: Verdict, now: Instant) {
        let Some(mut live) = self.lives.take(attempt) else {
            return;
        };
        let (committed, position) = (live.committed, live.position);
        let table = Arc::clone(&self.table);
        let silent_since = (live.was_silent(&verdict, now) && !live.spoke).then_some(live.sent_at);
        let slot = self.close_hop(&table, &mut live, HopResult::Failed(verdict), now);
        self.punish(&table, slot, live, &verdict, now);
        if committed {
            self.trace.ended_after = Some(self.since_start(now));
            self.state = State::Ended(Action::GiveUp(verdict));
            return;
        }
        if self.refused_prefill(attempt, position, &verdict) {
            self.state = State::Choosing;
            return;
        }
        self.learn(slot, position, &verdict, now);
        self.note_silence(position, silent_since);
        self.ask_for_rewrite(position, &verdict);
        if reaction::is_bad_answer(verdict.kind) && self.count_bad(now) {
            return;
        }
        if self.lives.count() > 0 {
            // An error never wins: the others go on.
            self.watch(now);
            return;
        }
        if self.ends_for_bad_answers(now) {
            return;
        }
        self.beside = None;
        self.state = State::Choosing;
        if reaction::lesson(&verdict) == Lesson::Stop {
            self.trace.ended_after = Some(self.since_start(now));
            self.state = State::Ended(self.broken_by().unwrap_or(Action::GiveUp(verdict)));
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
        let (sent_at, position) = (live.sent_at, live.position);
        let waited = now.saturating_duration_since(sent_at);
        let silent = live.was_silent(verdict, now);
        if !silent {
            slot.health.vitals.end_silence(live.waiting);
        } else if !live.fair {
            // The deadline left it no fair chance: that is no evidence against it.
            slot.health.vitals.forget_silence(live.waiting);
            abandon(table, slot, live, &self.request);
            return;
        } else if !live.spoke {
            slot.health
                .vitals
                .timed_out(&self.request, waited.max(live.window), now);
            if self.stood_in_line(table, slot, &live, now) {
                // To keep callers away from it would answer nobody sooner.
                slot.health.vitals.forget_silence(live.waiting);
                abandon(table, slot, live, &self.request);
                return;
            }
        }
        let mut consequence = reaction::consequence(verdict, &slot.facts.set_aside);
        // The latest of a crowd come last and in a row, when all that were sent with them have long been answered: that is no streak.
        if silent
            && !live.spoke
            && !live.is_probe()
            && consequence.outcome == Outcome::Hard
            && slot
                .health
                .vitals
                .has_answered_since(&self.request, live.sent_at)
        {
            consequence.outcome = Outcome::Soft;
        }
        if consequence.outcome != Outcome::Neutral {
            slot.health.ewma.record_failure(verdict.retry_after(), now);
        }
        let own = match consequence.aside {
            // The account or the model failed, not the deployment.
            Aside::Scope(scope, _) if scope != Scope::Deployment => Outcome::Neutral,
            // The hold answers a rate limit; it is no sign of ill health beside that.
            Aside::Hold(..) | Aside::HoldByBackoff(_) if !live.is_probe() => Outcome::Neutral,
            _ => consequence.outcome,
        };
        let reason = consequence.reason;
        let Some(target) = self.target_of(live.attempt) else {
            return;
        };
        let route = table.resolved(self.route);
        let (own, spared) = match own {
            Outcome::BadAnswer => self.weigh_bad(table, route, slot, position, now),
            own => (own, false),
        };
        let settled = Settled {
            own,
            spared,
            used: match verdict.certainty {
                Certainty::NeverSent | Certainty::Rejected => Used::Nothing,
                Certainty::MayHaveExecuted | Certainty::Committed => Used::Unknown,
            },
        };
        let change = self.settle(table, slot, live, settled, now);
        if let Some(Change::Opened { reason }) = change
            && scope::is_outage(reason)
        {
            self.widen(table, route, target, verdict.scope, now);
        }
        match consequence.aside {
            Aside::None => {}
            Aside::Hold(scope, wait) => {
                table.gate_of(slot, scope).hold(now + wait);
                slot.pace.drain(now, now + wait);
            }
            Aside::HoldByBackoff(stated) => self.hold_by_backoff(slot, stated, sent_at, now),
            Aside::Scope(scope, wait) => {
                let change = table
                    .gate_of(slot, scope)
                    .open_until(now, now + wait, reason);
                self.note_change(target, scope, change);
            }
        }
    }

    /// Holds calls back from a target that is rate limited and does not say for how long, or says next to nothing. Each time
    /// in a row lasts twice as long.
    fn hold_by_backoff(
        &mut self,
        slot: &Slot,
        stated: Option<Duration>,
        sent_at: Instant,
        now: Instant,
    ) {
        let health = &slot.health;
        // Calls that were under way together are refused together: that is one time.
        if matches!(health.gate.readiness(sent_at), Readiness::Held(_)) {
            return;
        }
        let in_a_row = health.unhinted_limits.fetch_add(1, Ordering::Relaxed);
        let hold = match (stated, in_a_row) {
            (Some(stated), 0) => stated,
            _ => {
                let longest = UNHINTED_HOLD * 2u32.saturating_pow(in_a_row.min(8));
                let longest = longest.min(LONGEST_UNHINTED_HOLD);
                longest / 2 + jitter(&mut self.rng, longest / 2)
            }
        };
        health.gate.hold(now + hold);
    }

    /// An attempt ends without having said anything, and not by its target's doing. If it was
    /// silent for no longer than usual that says nothing; if longer, its silence stays on the books.
    pub(super) fn leave_silence(&self, slot: &Slot, live: &Live, now: Instant) {
        let vitals = &slot.health.vitals;
        let waited = now.saturating_duration_since(live.sent_at);
        let usual = vitals.suspicious_silence(&self.request, now);
        if usual.is_none_or(|usual| waited < usual) {
            vitals.forget_silence(live.waiting);
        }
    }

    /// Remembers, for the rest of this request, what the failure says of the candidate and of what
    /// the next one must offer.
    pub(super) fn learn(&mut self, slot: &Slot, position: u8, verdict: &Verdict, now: Instant) {
        match verdict.advice.needs {
            Needs::LongerContext => {
                let seen = slot
                    .facts
                    .context_window_tokens
                    .max(verdict.context_limit_tokens);
                self.fit.context_above = self.fit.context_above.max(seen).max(1);
            }
            Needs::LessRestrictive => self.fit.less_restrictive = true,
            _ => {}
        }
        if let Some(edge) = reaction::edge(verdict) {
            self.fit.open(edge);
        }
        let mut policy = *self.table.policy(self.route);
        policy.attempts = self.request.attempts.unwrap_or(policy.attempts);
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
        if verdict.advice.retry == Retry::AtOnce && tries == 1 && policy.attempts > 1 {
            self.at_once = Some(position);
        }
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
            silent_since: None,
        });
    }
}
