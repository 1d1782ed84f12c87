//! Routes: which targets serve a name, in what order, and how much patience each step has.

use crate::strategy::Strategy;
use llm_backoff::Backoff;
use std::time::Duration;

/// Index of a route in its [`Table`](crate::Table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(pub(crate) u16);

impl RouteId {
    /// The position in the table, for parallel arrays kept by the caller.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Candidates a route may hold, over all tiers: the width of the mask of tried ones.
pub const MAX_CANDIDATES: usize = 128;

/// One target's place in a tier.
#[derive(Debug, Clone)]
pub struct Member {
    pub(crate) target: Box<str>,
    pub(crate) weight: u32,
    pub(crate) less_restrictive: bool,
}

impl Member {
    /// The target called `target`, with weight 1.
    #[must_use]
    pub fn new(target: impl Into<Box<str>>) -> Self {
        Self {
            target: target.into(),
            weight: 1,
            less_restrictive: false,
        }
    }

    /// Sets the share of the tier's traffic, relative to its siblings. 0 means never chosen.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Names this target as the one to ask after a content filter or a refusal elsewhere.
    /// Without such a member, a refusal goes back to the caller.
    #[must_use]
    pub fn less_restrictive(mut self) -> Self {
        self.less_restrictive = true;
        self
    }
}

impl<T: Into<Box<str>>> From<T> for Member {
    fn from(target: T) -> Self {
        Self::new(target)
    }
}

/// How long one attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// To connect.
    pub connect: Duration,
    /// To the first token of a stream, counted from the send.
    pub first_token: Duration,
    /// Between two tokens of a stream.
    pub idle: Duration,
    /// To the end of a reply that is not streamed, counted from the send.
    pub whole: Duration,
    /// To the end of a stream, counted from the send. The deadline does not shorten it: a stream
    /// that has begun is an answer.
    pub stream: Duration,
}

impl Default for Windows {
    /// 2 s to connect, 10 s to the first token, 30 s between tokens, 120 s for a whole reply, 10 min
    /// for a stream. The request's deadline shortens all that precede the first token.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_token: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            whole: Duration::from_secs(120),
            stream: Duration::from_secs(600),
        }
    }
}

/// What serves one public name: ordered tiers of weighted targets, and the limits of the search.
#[derive(Debug, Clone)]
pub struct Route {
    pub(crate) name: Box<str>,
    pub(crate) tiers: Vec<Vec<Member>>,
    pub(crate) policy: Policy,
}

/// The limits of one request on a route. [`Policy::default`] is for a caller who waits.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// Wall clock for the whole call: attempts, waits and fallbacks. A stream must have begun
    /// inside it.
    pub deadline: Duration,
    /// The longest wait for a target's own tier before another tier is used; 0 means never wait.
    pub patience: Duration,
    /// Tries of one target.
    pub attempts: u8,
    /// Upstream calls of one request, over all targets.
    pub max_sends: u8,
    /// How long one attempt may take.
    pub windows: Windows,
    /// The waits between two tries of the same target.
    pub backoff: Backoff,
    /// Whether a second target is asked beside a slow first one.
    pub hedging: Hedging,
    /// How one of a tier's ready targets is chosen.
    pub strategy: Strategy,
}

/// Whether a second target is asked beside one that answers late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Hedging {
    /// Never, in ordinary traffic. (A breaker's probe is covered, and a target grown slow is
    /// compared, all the same.)
    #[default]
    Off,
    /// When the first has no answer at the p90 of what callers usually see: from 100 calls on, for
    /// at most one call in ten.
    AtP90,
}

impl Policy {
    /// For a caller who waits: 30 s, 3 attempts a target, 2 s of patience.
    #[must_use]
    pub fn interactive() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            patience: Duration::from_secs(2),
            attempts: 3,
            max_sends: 8,
            windows: Windows::default(),
            backoff: Backoff::default(),
            hedging: Hedging::Off,
            strategy: Strategy::Weighted,
        }
    }

    /// For work in the background: ten minutes, 6 attempts a target, 10 s of patience.
    #[must_use]
    pub fn background() -> Self {
        Self {
            deadline: Duration::from_secs(600),
            patience: Duration::from_secs(10),
            attempts: 6,
            max_sends: 16,
            windows: Windows {
                first_token: Duration::from_secs(60),
                ..Windows::default()
            },
            backoff: Backoff::default(),
            hedging: Hedging::Off,
            strategy: Strategy::Weighted,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::interactive()
    }
}

impl Route {
    /// A route called `name`, without targets yet.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self {
            name: name.into(),
            tiers: Vec::new(),
            policy: Policy::default(),
        }
    }

    /// Adds a tier after those already there. Its members share the traffic by weight; a later
    /// tier is used only when no member of an earlier one will do.
    #[must_use]
    pub fn tier<M: Into<Member>>(mut self, members: impl IntoIterator<Item = M>) -> Self {
        self.tiers
            .push(members.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the limits. Defaults to [`Policy::interactive`].
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }
}
