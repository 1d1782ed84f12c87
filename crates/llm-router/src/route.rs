//! Routes: which targets serve a name, in what order, and how much patience each step has.

mod check;

use crate::budget::{Budget, Hedge, Learnt};
use crate::cut::OnCut;
use crate::money::{Allowance, Spend};
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
    /// The target's name.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

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

/// What the times of a policy are cut down to: as good as none.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 86_400);

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
    /// How much longer `first_token`, `whole` and `stream` are, and `idle` as long as nothing but thoughts has come, where the model
    /// [thinks](crate::Thinking) before it speaks.
    pub thinking: Duration,
}

impl Windows {
    /// Those of a call in which the model thinks first, or does not.
    pub(crate) fn where_it_thinks(self, thinks: bool) -> Self {
        let thinking = if thinks {
            self.thinking
        } else {
            Duration::ZERO
        };
        Self {
            first_token: self.first_token + thinking,
            whole: self.whole + thinking,
            stream: self.stream + thinking,
            thinking,
            ..self
        }
    }
}

impl Default for Windows {
    /// 2 s to connect, 10 s to the first token, 30 s between tokens, 120 s for a whole reply, 10 min
    /// for a stream; 5 min more where the model thinks first. The request's deadline shortens all that precede the first token.
    ///
    /// How long they think: `gpt-5-mini` and `gpt-5.2` at their highest efforts 44 to 92 s for one question
    /// (<https://qiita.com/FukuharaYohei/items/8143f4d51fc30624c39f>), `gpt-5` 32 s without an event where it succeeded
    /// (<https://github.com/2389-research/tracker/issues/577>), `gpt-5.6-sol` beyond 120 s to the first event
    /// (<https://github.com/gptme/gptme/pull/3247>), the hardest problems "several minutes"
    /// (<https://developers.openai.com/api/docs/guides/background>). Codex waits 300 s for the next event of a stream
    /// (<https://github.com/gptme/gptme/pull/3248>). All read 2026-11-26.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_token: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            whole: Duration::from_secs(120),
            stream: Duration::from_secs(600),
            thinking: Duration::from_secs(300),
        }
    }
}

/// What serves one public name: ordered tiers of weighted targets, and the limits of the search.
#[derive(Debug, Clone)]
pub struct Route {
    pub(crate) name: Box<str>,
    pub(crate) tiers: Vec<Vec<Member>>,
    pub(crate) edges: Vec<(Edge, Vec<Member>)>,
    pub(crate) canary: Option<(Box<str>, Vec<u8>)>,
    pub(crate) tags: Vec<Box<str>>,
    pub(crate) allowance: Allowance,
    pub(crate) policy: Policy,
}

/// A failure that has a remedy of its own: targets which are used for it and for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edge {
    /// The prompt is too long, by the provider's word or by the windows known here.
    ContextLength,
    /// A content filter or a refusal.
    ContentFilter,
    /// A credential or its organisation is refused, spent or set aside.
    Credential,
    /// The deployment, its region or its provider is out: overload, crash, silence, no connection.
    Region,
}

impl Edge {
    /// Every edge.
    pub const ALL: [Self; 4] = [
        Self::ContextLength,
        Self::ContentFilter,
        Self::Credential,
        Self::Region,
    ];

    /// Its name in configuration and traces. Stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ContextLength => "context_length",
            Self::ContentFilter => "content_filter",
            Self::Credential => "credential",
            Self::Region => "region",
        }
    }
}

/// The limits of one request on a route. [`Policy::default`] is for a caller who waits; your own begins as one of the three:
///
/// ```
/// use llm_router::{Hedging, Policy, Route};
/// use std::time::Duration;
///
/// let mut policy = Policy::agent();
/// policy.patience = Duration::ZERO;
/// policy.hedging = Hedging::AtP90;
/// let route = Route::new("chat").tier(["primary", "backup"]).policy(policy);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// Wall clock for the whole call: attempts, waits and fallbacks. A stream must have begun
    /// inside it.
    pub deadline: Duration,
    /// The same from the moment on at which a target is asked whose model [thinks](crate::Thinking) before it speaks; at least `deadline`,
    /// and counted from the beginning as well. A request's own deadline holds all the same.
    pub thinking_deadline: Duration,
    /// The longest wait for a target's own tier before another tier is used; 0 means never wait. One as long as the deadline leaves another
    /// tier no time.
    pub patience: Duration,
    /// Tries of one target, at least 1.
    pub attempts: u8,
    /// Upstream calls of one request, over all targets, at least 1.
    pub max_sends: u8,
    /// How long one attempt may take.
    pub windows: Windows,
    /// The waits between two tries of the same target.
    pub backoff: Backoff,
    /// Whether a second target is asked beside a slow first one.
    pub hedging: Hedging,
    /// How one of a tier's ready targets is chosen.
    pub strategy: Strategy,
    /// What to do where every target is set aside for its health.
    pub fail_open: FailOpen,
    /// The most that all calls of one request may cost together: targets that would pass it, by the
    /// expected tokens and their price, are passed over. `None`: no cap. A target without a price
    /// counts as free.
    pub max_cost: Option<Spend>,
    /// What follows when a stream breaks after its beginning has reached the caller.
    pub on_cut: OnCut,
    /// What follows when a prompt is too long for every target.
    pub truncate: Truncate,
    /// How what was learnt of a target shortens the window of an attempt while another target is ready; `None`: not at all, the route's own
    /// [`windows`](Self::windows) alone.
    pub learnt: Option<Learnt>,
    /// What repeated calls on the route may come to, by its requests. They are paid from their provider's budget besides
    /// ([`TableBuilder::retry_budget`](crate::TableBuilder::retry_budget)).
    pub retries: Budget,
    /// How many of the route's members, in percent, [detectors](crate::Detectors) may have set aside at once, 0 to 100; never the last one.
    pub eject_percent: u8,
}

/// What to do where every target is set aside for its health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FailOpen {
    /// Ask nobody: the answer is degraded at once.
    #[default]
    Never,
    /// Ask the one that is back soonest, once a request. For callers to whom one more failure
    /// costs nothing; the providers are spared less.
    LeastBad,
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
    /// at most one call in ten and, where both targets have a price, for at most a tenth of what answered calls cost.
    AtP90,
    /// By numbers of one's own.
    At(Hedge),
}

impl Hedging {
    /// The numbers it is done by, if it is done.
    pub(crate) const fn hedge(self) -> Option<Hedge> {
        match self {
            Self::Off => None,
            Self::AtP90 => Some(Hedge::AT_P90),
            Self::At(hedge) => Some(hedge),
        }
    }

    /// The numbers its budget is made by, which is kept while it is off.
    pub(crate) fn budget(self) -> Hedge {
        self.hedge().unwrap_or_default()
    }
}

/// What follows when a prompt is too long for every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Truncate {
    /// The caller's error.
    #[default]
    Never,
    /// The oldest turns are left out, never instructions, tools or the last turn of the user, and the
    /// answer says so; where that is not enough, the caller's error.
    OldestTurns,
}

impl Policy {
    /// For a caller who waits: 30 s, 10 min where a model thinks first, 3 attempts a target, 2 s of patience.
    ///
    /// The ten minutes are room for two targets that think, and what callers are used to: the official SDKs wait as long
    /// (<https://github.com/openai/openai-python#timeouts>, <https://github.com/anthropics/anthropic-sdk-python#timeouts>, read
    /// 2026-11-26).
    #[must_use]
    pub fn interactive() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            thinking_deadline: Duration::from_secs(600),
            patience: Duration::from_secs(2),
            attempts: 3,
            max_sends: 8,
            windows: Windows::default(),
            backoff: Backoff::default(),
            hedging: Hedging::Off,
            strategy: Strategy::Weighted,
            fail_open: FailOpen::Never,
            max_cost: None,
            on_cut: OnCut::Continue,
            truncate: Truncate::Never,
            learnt: Some(Learnt::default()),
            retries: Budget::ROUTE,
            eject_percent: 50,
        }
    }

    /// The same with times that an instant can be counted on by: [`Duration::MAX`] is how many say "no limit".
    fn bounded(mut self) -> Self {
        let windows = &mut self.windows;
        for time in [
            &mut self.deadline,
            &mut self.thinking_deadline,
            &mut self.patience,
            &mut windows.connect,
            &mut windows.first_token,
            &mut windows.idle,
            &mut windows.whole,
            &mut windows.stream,
            &mut windows.thinking,
        ] {
            *time = (*time).min(LONGEST);
        }
        if let Hedging::At(hedge) = &mut self.hedging {
            hedge.floor = hedge.floor.min(LONGEST);
        }
        if let Some(learnt) = &mut self.learnt {
            learnt.floor = learnt.floor.min(LONGEST);
        }
        self
    }

    /// For work in the background: ten minutes, half an hour where a model thinks first, 6 attempts a target, 10 s of patience.
    #[must_use]
    pub fn background() -> Self {
        Self {
            deadline: Duration::from_secs(600),
            thinking_deadline: Duration::from_secs(30 * 60),
            patience: Duration::from_secs(10),
            attempts: 6,
            max_sends: 16,
            windows: Windows {
                first_token: Duration::from_secs(60),
                thinking: Duration::from_secs(600),
                ..Windows::default()
            },
            ..Self::interactive()
        }
    }

    /// For one step of many, which a failure would throw away: three minutes, ten where a model thinks first, 5 attempts a target, 5 s of patience, which
    /// keeps it where its prompt is cached.
    #[must_use]
    pub fn agent() -> Self {
        Self {
            deadline: Duration::from_secs(180),
            patience: Duration::from_secs(5),
            attempts: 5,
            max_sends: 12,
            windows: Windows {
                first_token: Duration::from_secs(30),
                ..Windows::default()
            },
            ..Self::interactive()
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
            edges: Vec::new(),
            canary: None,
            tags: Vec::new(),
            allowance: Allowance::default(),
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

    /// Names targets that are used for one sort of failure and for nothing else, after those already
    /// there for it. They come before what else might do: for a prompt that is too long or refused
    /// at once, for a credential or an outage when the tier has nobody left.
    #[must_use]
    pub fn on<M: Into<Member>>(mut self, edge: Edge, members: impl IntoIterator<Item = M>) -> Self {
        let members = members.into_iter().map(Into::into);
        match self.edges.iter_mut().find(|(known, _)| *known == edge) {
            Some((_, known)) => known.extend(members),
            None => self.edges.push((edge, members.collect())),
        }
        self
    }

    /// Puts a target on trial beside the first tier: it gets the first of `steps` (percent of the
    /// callers, ascending, 1 to 99 and at most 8; none stands for [`Canary::STEPS`](crate::Canary::STEPS)), and the later ones as long
    /// as it is not worse. It is used for nothing else, and in no other place of the route.
    #[must_use]
    pub fn canary(mut self, target: impl Into<Box<str>>, steps: &[u8]) -> Self {
        self.canary = Some((target.into(), steps.to_vec()));
        self
    }

    /// Says that every target of this route must bear the tag: a table in which one does not is
    /// refused.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Sets what an hour on this route may cost. Defaults to no cap and no alert.
    #[must_use]
    pub fn allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// Sets the limits. Defaults to [`Policy::interactive`]. A time of more than a year counts as a year.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy.bounded();
        self
    }
}
