//! What one call wants beyond its body.

use crate::observe::Observer;
use llm_router::{Filter, Spend};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What one call wants beyond its body.
///
/// Its `Debug` output leaves the tenant out, which may be a key.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// Whose call it is: answers are never shared between tenants. Only a hash of it is kept.
    pub tenant: Box<str>,
    /// What the caller calls the request: observers and the log repeat it. Empty: it has no name.
    pub request_id: Box<str>,
    /// Replaces the route's deadline.
    pub deadline: Option<Duration>,
    /// Replaces the route's deadline for calls in which a model thinks before it speaks; `None` stands for `deadline`, where that
    /// is given.
    pub thinking_deadline: Option<Duration>,
    /// Under the sticky strategy, calls of the same number go to the same target as long as it is
    /// there: a hash of the caller, session or prompt.
    pub stick_to: u64,
    /// The call does something in the world beyond answering, and must not do it twice: it is sent again only where it
    /// was certainly not executed, and its answer is taken as it is. Where the provider is to run tools or to keep
    /// something, it is taken for granted that a call is never sent to two targets at once, and no more than that.
    pub side_effects: bool,
    /// Replaces the route's patience.
    pub patience: Option<Duration>,
    /// Replaces the route's tries of one target.
    pub attempts: Option<u8>,
    /// Replaces the route's upstream calls of one request.
    pub max_calls: Option<u8>,
    /// The most that all upstream calls may cost together; the route's own cap holds beside it.
    pub max_cost: Option<Spend>,
    /// Which of the route's targets may be asked: by name, by tag, or without fallback.
    pub targets: Filter,
    /// Told of this call alone, when it is over, after the client's own observers: what it cost, and whom.
    pub observer: Option<Arc<dyn Observer>>,
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("request_id", &self.request_id)
            .field("deadline", &self.deadline)
            .field("thinking_deadline", &self.thinking_deadline)
            .field("stick_to", &self.stick_to)
            .field("side_effects", &self.side_effects)
            .field("patience", &self.patience)
            .field("attempts", &self.attempts)
            .field("max_calls", &self.max_calls)
            .field("max_cost", &self.max_cost)
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

impl CallOptions {
    /// Options of the tenant `tenant`.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<Box<str>>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Names the request, for observers and the log.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<Box<str>>) -> Self {
        self.request_id = id.into();
        self
    }

    /// Sets the number by which calls stick to a target.
    #[must_use]
    pub fn stick_to(mut self, key: u64) -> Self {
        self.stick_to = key;
        self
    }

    /// Says that the call does something in the world that must not happen twice.
    #[must_use]
    pub fn side_effects(mut self) -> Self {
        self.side_effects = true;
        self
    }

    /// Has somebody told of this call alone, when it is over.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Replaces the route's deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Replaces the route's patience: the longest wait for a tier before the next one is used.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }

    /// Replaces the route's tries of one target. 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u8) -> Self {
        self.attempts = Some(attempts.max(1));
        self
    }

    /// Replaces the route's upstream calls of one request. 0 counts as 1.
    #[must_use]
    pub fn max_calls(mut self, calls: u8) -> Self {
        self.max_calls = Some(calls.max(1));
        self
    }

    /// Sets the most that all upstream calls may cost together.
    #[must_use]
    pub fn max_cost(mut self, cap: Spend) -> Self {
        self.max_cost = Some(cap);
        self
    }

    /// Adds a target to the only ones that may be asked.
    #[must_use]
    pub fn only(mut self, target: impl Into<Box<str>>) -> Self {
        self.targets.only.push(target.into());
        self
    }

    /// Adds a target that must not be asked.
    #[must_use]
    pub fn never(mut self, target: impl Into<Box<str>>) -> Self {
        self.targets.never.push(target.into());
        self
    }

    /// Adds a tag that a target must bear.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.targets.tags.push(tag.into());
        self
    }

    /// Adds a tag that a target must not bear.
    #[must_use]
    pub fn without_tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.targets.without_tags.push(tag.into());
        self
    }

    /// Only the first tier may be asked.
    #[must_use]
    pub fn no_fallback(mut self) -> Self {
        self.targets.no_fallback = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_does_not_tell_the_tenant() {
        let options = CallOptions::default()
            .tenant("Bearer sk-123")
            .side_effects();
        let text = format!("{options:?}");
        assert!(text.contains("side_effects: true"), "{text}");
        assert!(!text.contains("sk-123"), "{text}");
    }
}
