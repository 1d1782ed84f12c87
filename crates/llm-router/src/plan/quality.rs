//! An answer that came and is no good: it goes elsewhere once, and counts on its target's quality, not
//! on its failures.

use super::{AttemptId, Plan, Settled, State, Used};
use crate::canary::CallOutcome;
use crate::detector::Detector;
use crate::resolve::Resolved;
use crate::table::{Slot, Table};
use crate::trace::{HopResult, Tokens};
use llm_breaker::{Outcome, TripReason};
use llm_errors::Verdict;
use std::sync::Arc;
use std::time::Instant;

/// The bad answers after which a search ends: the first goes elsewhere, the second nowhere.
const MOST_BAD_ANSWERS: u8 = 2;

/// An answer that is no good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAnswer {
    /// What it amounts to, and what to do.
    pub verdict: Verdict,
    /// The stable name of what was found, for the trace.
    pub finding: &'static str,
    /// What it used, as reported or estimated.
    pub tokens: Tokens,
}

impl Plan {
    pub(super) fn on_bad(&mut self, attempt: AttemptId, bad: BadAnswer, now: Instant) {
        self.spoke(attempt, now);
        let Some(mut live) = self.lives.take(attempt) else {
            return;
        };
        let (committed, position) = (live.committed, live.position);
        let table = Arc::clone(&self.table);
        let result = if committed {
            // The caller has it all.
            HopResult::Answered(bad.tokens)
        } else {
            HopResult::Failed(bad.verdict)
        };
        let route = table.resolved(self.route);
        // Whether the caller has it or not, in a trial it counts as it is.
        self.judge_canary(route, &live, CallOutcome::Poor);
        let results = (result, HopResult::Answered(bad.tokens));
        let slot = self.close_billed(&table, &mut live, results, now);
        if let Some(hop) = self.trace.hops.get_mut(attempt.index()) {
            hop.finding = Some(bad.finding);
        }
        let (own, spared) = self.weigh_bad(&table, route, slot, position, now);
        let settled = Settled {
            own,
            spared,
            used: if bad.tokens == Tokens::default() {
                Used::Unknown
            } else {
                Used::Tokens(bad.tokens)
            },
        };
        self.settle(&table, slot, live, settled, now);
        if committed {
            self.trace.ended_after = Some(self.since_start(now));
            self.state = State::Answered;
            return;
        }
        self.learn(slot, position, &bad.verdict, now);
        if self.count_bad(now) || self.lives.count() > 0 {
            return;
        }
        self.beside = None;
        self.state = State::Choosing;
    }

    /// What a bad answer counts for at its target, and whether it is spared, because half of the route is set aside for such reasons already
    /// or nobody else takes all that would come. Where nobody looks at quality, an answer is an answer.
    pub(super) fn weigh_bad(
        &mut self,
        table: &Table,
        route: &Resolved,
        slot: &Slot,
        position: u8,
        now: Instant,
    ) -> (Outcome, bool) {
        if !slot.facts.detectors.contains(Detector::Quality) {
            return (Outcome::Success, false);
        }
        let candidate = route.candidates.get(usize::from(position));
        let spared = candidate.is_some_and(|candidate| {
            !self.another_takes_all(table, route, position, now)
                || !self.may_eject(table, route, candidate.target, TripReason::Quality, now)
        });
        (Outcome::BadAnswer, spared)
    }

    /// Counts an answer that was no good; true where the search is over.
    pub(super) fn count_bad(&mut self, now: Instant) -> bool {
        self.bad_answers += 1;
        self.ends_for_bad_answers(now)
    }

    /// Ends the search where there were too many of them and nothing is under way.
    pub(super) fn ends_for_bad_answers(&mut self, now: Instant) -> bool {
        let over = self.bad_answers >= MOST_BAD_ANSWERS && self.lives.count() == 0;
        if over {
            self.beside = None;
            self.end(now);
        }
        over
    }
}
