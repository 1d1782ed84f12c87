//! What one caller wants, as far as choosing a target is concerned.

use crate::allow::Allowed;
use crate::money::Spend;
use crate::pace::Cost;
use crate::target::Abilities;
use std::time::Duration;

/// One caller's wish. It may take several attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Request {
    /// Abilities a target must have.
    pub abilities: Abilities,
    /// Tokens that prompt and answer need at the least; targets with a smaller known window are
    /// passed over. 0 means unknown. Give a low estimate: a target that is tried in vain refuses
    /// for free, one that is passed over in error is lost.
    pub context_tokens: u32,
    /// What the call is expected to take from rate limits, corrected when it has ended.
    pub expected: Cost,
    /// Requests of the same key go to the same target under
    /// [`Strategy::Sticky`](crate::Strategy::Sticky): a hash of the caller, session or prompt. 0 is none: they go to any.
    pub key: u64,
    /// The answer is streamed: it counts as given at its first token.
    pub streamed: bool,
    /// Whether the model is to think before it speaks, where the request says so: see [`Thinking`](crate::Thinking).
    pub thinking: Option<bool>,
    /// The call does something in the world beyond answering: it is never sent to two targets at
    /// once.
    pub side_effects: bool,
    /// The call must not be run twice: after a failure that may have come when it had been executed, nobody is asked
    /// again. Said together with `side_effects`, which keeps copies from being sent beside it.
    pub at_most_once: bool,
    /// Replaces the route's deadline. More than a year counts as a year.
    pub deadline: Option<Duration>,
    /// Replaces the route's deadline for calls in which a model thinks first; `None` stands for `deadline`, where that is given.
    pub thinking_deadline: Option<Duration>,
    /// Replaces the route's patience.
    pub patience: Option<Duration>,
    /// Replaces the route's tries of one target.
    pub attempts: Option<u8>,
    /// Replaces the route's upstream calls of one request.
    pub max_sends: Option<u8>,
    /// The most that all calls may cost together; the route's own cap holds beside it.
    pub max_cost: Option<Spend>,
    /// Which of the route's targets may be asked. Every one, unless [`Table::allow`](crate::Table::allow)
    /// says otherwise.
    pub allowed: Allowed,
    /// Which of the route's targets can be told all that a strict caller says; every one, unless
    /// [`Table::targets_where`](crate::Table::targets_where) says otherwise.
    pub carried: Allowed,
    /// The caller has a hook that rewrites what was refused: it is asked once.
    pub rewritable: bool,
}

impl Request {
    /// A request that asks for nothing in particular.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the abilities a target must have.
    #[must_use]
    pub fn abilities(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }

    /// Sets the tokens that prompt and answer need at the least.
    #[must_use]
    pub fn context_tokens(mut self, tokens: u32) -> Self {
        self.context_tokens = tokens;
        self
    }

    /// Sets what the call is expected to take from rate limits.
    #[must_use]
    pub fn expected(mut self, cost: Cost) -> Self {
        self.expected = cost;
        self
    }

    /// Sets the key by which requests stick to a target.
    #[must_use]
    pub fn key(mut self, key: u64) -> Self {
        self.key = key;
        self
    }

    /// Says that the answer is streamed.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }

    /// Says whether the model is to think before it speaks.
    #[must_use]
    pub fn thinking(mut self, asked: bool) -> Self {
        self.thinking = Some(asked);
        self
    }

    /// Says that the call does something in the world: it is never sent to two targets at once.
    #[must_use]
    pub fn side_effects(mut self) -> Self {
        self.side_effects = true;
        self
    }

    /// Says that the call does something in the world which must not happen twice: it is sent again only where it was
    /// certainly not executed.
    #[must_use]
    pub fn at_most_once(mut self) -> Self {
        self.at_most_once = true;
        self.side_effects()
    }

    /// Sets which of the route's targets may be asked.
    #[must_use]
    pub fn allowed(mut self, allowed: Allowed) -> Self {
        self.allowed = allowed;
        self
    }

    /// Sets which of the route's targets can be told all that a strict caller says.
    #[must_use]
    pub fn carried(mut self, carried: Allowed) -> Self {
        self.carried = carried;
        self
    }

    /// Says that the caller can rewrite what was refused.
    #[must_use]
    pub fn rewritable(mut self) -> Self {
        self.rewritable = true;
        self
    }

    /// Replaces the route's deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }
}
