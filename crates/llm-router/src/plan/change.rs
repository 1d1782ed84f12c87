//! A request that nobody takes as it is, and that may be changed: each way once.

use super::Plan;
use crate::cut::Form;
use crate::route::Truncate;
use crate::trace::HopResult;
use llm_errors::{ErrorKind, Verdict};
use std::sync::Arc;
use std::time::Instant;

impl Plan {
    /// The prompt is too long for everybody: where the route allows, the search begins once more with
    /// fewer turns, at the longest window there is.
    pub(super) fn shorten(&mut self, now: Instant) -> bool {
        let policy = *self.table.policy(self.route);
        let fresh = self.changed == Form::AsAsked && self.cut.is_none();
        if policy.truncate == Truncate::Never || !fresh || self.request.side_effects {
            return false;
        }
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let too_long = match self.trace.failures().next_back() {
            Some(last) => last.kind == ErrorKind::ContextLength,
            None => self.kept_away_by(&table, route, now) == ErrorKind::ContextLength,
        };
        if !too_long {
            return false;
        }
        let told = self
            .trace
            .failures()
            .filter(|verdict| verdict.kind == ErrorKind::ContextLength)
            .max_by_key(|verdict| verdict.context_limit_tokens);
        let known = route.candidates.iter();
        let known = known.map(|candidate| table.slot(candidate.target).facts.context_window_tokens);
        let longest = known.max().unwrap_or(0);
        let stated = told.map_or(0, |verdict| verdict.context_limit_tokens);
        let window_tokens = longest.max(stated);
        if window_tokens == 0 {
            return false;
        }
        self.changed = Form::Shortened {
            window_tokens,
            counted_tokens: told.map_or(0, |verdict| verdict.context_requested_tokens),
        };
        // Whoever refused for length alone may be asked again, if its window is the one aimed at.
        self.request.context_tokens = 0;
        self.fit.context_above = longest.saturating_sub(1);
        if stated > longest {
            self.fit.context_above = 0;
        }
        let refused = |position: u8| {
            let target = route.candidates.get(usize::from(position));
            self.trace.hops.iter().any(|hop| {
                Some(hop.target) == target.map(|candidate| candidate.target)
                    && matches!(hop.result, HopResult::Failed(verdict) if verdict.kind == ErrorKind::ContextLength)
            })
        };
        self.touched.retain(|known| !refused(known.position));
        true
    }

    /// The prompt was refused for what it says: the caller's hook may rewrite it, once, and then the
    /// same target is asked again.
    pub(super) fn ask_for_rewrite(&mut self, position: u8, verdict: &Verdict) {
        let refused = matches!(verdict.kind, ErrorKind::ContentFilter | ErrorKind::Refusal);
        let fresh = self.changed == Form::AsAsked && self.cut.is_none();
        if !refused || !fresh || !self.request.rewritable {
            return;
        }
        self.changed = Form::Rewritten;
        self.fit.less_restrictive = false;
        self.touched.retain(|known| known.position != position);
    }
}
