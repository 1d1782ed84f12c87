//! A stream broke after its beginning had reached the caller: the search goes on for the rest of it.
//!
//! The search is the ordinary one, with its caps, budgets and waits; what differs is the form of the
//! calls ([`Form`]), and that nothing is asked beside them. The rest must have begun within the route's
//! deadline, counted anew from the break, and be over within the window of the stream as a whole.

use super::{Action, AttemptId, Plan, Settled, State, Used};
use crate::cut::{Form, OnCut};
use crate::reaction::{self, Lesson};
use crate::trace::{HopResult, Tokens};
use llm_backoff::Deadline;
use llm_breaker::Outcome;
use llm_errors::{ErrorKind, Verdict};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// How a stream broke that can be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Why.
    pub verdict: Verdict,
    /// The characters of text that the caller has.
    pub at_chars: u32,
    /// What it used, as reported or estimated: a broken answer is billed too.
    pub tokens: Tokens,
    /// How the rest may be had.
    pub mend: Mend,
}

/// How the rest of a broken stream may be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mend {
    /// Not at all: the caller has more than text, such as the beginning of a tool call.
    Never,
    /// By beginning anew, unseen up to the break.
    Replay,
    /// By giving a target what the caller has, or else by beginning anew.
    Prefill,
}

/// The break that is being mended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    verdict: Verdict,
    at_chars: u32,
    /// When the stream as a whole must be over.
    pub(super) until: Instant,
}

impl Plan {
    /// A stream broke. One that the caller has seen the beginning of is continued if the route says so.
    pub(super) fn on_broken(&mut self, attempt: AttemptId, broken: Broken, now: Instant) {
        let verdict = broken.verdict;
        let policy = *self.table.policy(self.route);
        let committed = self.lives.find(attempt).filter(|live| live.committed);
        let sent_at = committed.map(|live| live.sent_at);
        let hopeless = broken.mend == Mend::Never
            || policy.on_cut == OnCut::Error
            || self.request.side_effects
            || reaction::lesson(&verdict) == Lesson::Stop;
        let Some(sent_at) = sent_at.filter(|_| !hopeless) else {
            self.used(attempt, broken.tokens);
            self.on_failure(attempt, verdict, now);
            return;
        };
        let Some(mut live) = self.lives.take(attempt) else {
            return;
        };
        let position = live.position;
        let table = Arc::clone(&self.table);
        let results = (
            HopResult::Failed(verdict),
            HopResult::Answered(broken.tokens),
        );
        let slot = self.close_billed(&table, &mut live, results, now);
        self.punish(&table, slot, live, &verdict, now);
        self.learn(slot, position, &verdict, now);
        let windows = slot.health.vitals.allowed(&self.request, policy.windows);
        let until = match self.cut {
            Some(cut) => cut.until,
            None => sent_at + windows.stream,
        };
        let most = self.request.deadline.unwrap_or(policy.deadline);
        let left = until.saturating_duration_since(now);
        self.deadline = Deadline::after(now, most.min(left));
        self.searching_since = now;
        for known in &mut self.touched {
            known.silent_since = None;
        }
        self.patience = policy.patience;
        self.fit.prefill = policy.on_cut == OnCut::Continue && broken.mend == Mend::Prefill;
        self.cut = Some(Cut {
            verdict,
            at_chars: broken.at_chars,
            until,
        });
        self.state = State::Choosing;
    }

    /// An attempt to continue said something else than what the caller already has.
    pub(super) fn on_diverged(&mut self, attempt: AttemptId, tokens: Tokens, now: Instant) {
        let Some(mut live) = self.lives.take(attempt) else {
            return;
        };
        let table = Arc::clone(&self.table);
        let results = (HopResult::Diverged, HopResult::Answered(tokens));
        let slot = self.close_billed(&table, &mut live, results, now);
        slot.health.vitals.end_silence(live.waiting);
        let settled = Settled {
            own: Outcome::Neutral,
            spared: false,
            used: Used::Unknown,
        };
        self.settle(&table, slot, live, settled, now);
        self.state = State::Choosing;
        if !self.next_rung() {
            self.end(now);
        }
    }

    /// The form in which calls are sent at present.
    pub(super) fn form(&self) -> Form {
        match self.cut {
            None => self.changed,
            Some(Cut { at_chars, .. }) if self.fit.prefill => Form::Prefill { at_chars },
            Some(Cut { at_chars, .. }) => Form::Replay { at_chars },
        }
    }

    /// Leaves the first rung of the ladder, if the search stands on it.
    pub(super) fn next_rung(&mut self) -> bool {
        std::mem::take(&mut self.fit.prefill)
    }

    /// What ends a search for the rest of a stream: the failure that broke it.
    pub(super) fn broken_by(&self) -> Option<Action> {
        Some(Action::GiveUp(self.cut?.verdict))
    }

    /// A target that does not take the beginning of an answer is remembered, and may still begin anew.
    pub(super) fn refused_prefill(
        &mut self,
        attempt: AttemptId,
        position: u8,
        verdict: &Verdict,
    ) -> bool {
        let form = self.trace.hops.get(attempt.index()).map(|hop| hop.form);
        let refused = matches!(form, Some(Form::Prefill { .. }))
            && matches!(
                verdict.kind,
                ErrorKind::InvalidRequest
                    | ErrorKind::UnsupportedFeature
                    | ErrorKind::SchemaInvalid
            );
        let route = self.table.resolved(self.route);
        if let Some(candidate) = route.candidates.get(usize::from(position))
            && refused
        {
            let slot = self.table.slot(candidate.target);
            slot.health.no_prefill.store(true, Ordering::Relaxed);
        }
        refused
    }
}
