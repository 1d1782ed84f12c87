//! Targets: what can be called, and what is known of it before the first call.

use crate::detector::Detectors;
use crate::money::{Allowance, Price};
use crate::pace::Limits;
use crate::reaction::SetAside;
use crate::thinking::Thinking;
use llm_breaker::{BreakerConfig, Mode};
use std::fmt;

/// Index of a target in its [`Table`](crate::Table). Names are resolved to it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub(crate) u16);

impl TargetId {
    /// The position in the table, for parallel arrays kept by the caller.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of abilities, one bit each. The meaning of a bit belongs to whoever fills it in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Abilities(u32);

impl Abilities {
    /// No ability at all.
    pub const NONE: Self = Self(0);
    /// Every ability: the default of a target that nothing is known about.
    pub const ALL: Self = Self(u32::MAX);

    /// The set whose bits are `bits`.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits of the set.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// True where every ability of `wanted` is in this set.
    #[must_use]
    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl fmt::Debug for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Abilities({:#b})", self.0)
    }
}

/// What calls that are made again are a load for: they are paid from one budget.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RetryDomain {
    domain: Box<str>,
    region: Option<Box<str>>,
}

/// One model with one credential at one address: the unit that is chosen, limited and set aside.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) name: Box<str>,
    pub(crate) provider: Box<str>,
    pub(crate) domain: Option<Box<str>>,
    pub(crate) credential: Box<str>,
    pub(crate) organisation: Option<Box<str>>,
    pub(crate) model: Option<Box<str>>,
    pub(crate) region: Option<Box<str>>,
    pub(crate) context_window_tokens: u32,
    pub(crate) abilities: Abilities,
    pub(crate) identity: u64,
    pub(crate) limits: Limits,
    pub(crate) price: Price,
    pub(crate) allowance: Allowance,
    pub(crate) tags: Vec<Box<str>>,
    pub(crate) prefill: bool,
    pub(crate) breaker: Mode,
    pub(crate) thinks: Thinking,
    pub(crate) breaker_settings: Option<BreakerConfig>,
    pub(crate) detectors: Detectors,
    pub(crate) set_aside: SetAside,
}

impl Target {
    /// A target called `name`, served by `provider`.
    ///
    /// `provider` is its failure domain as well, unless another is named.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, provider: impl Into<Box<str>>) -> Self {
        let provider = provider.into();
        Self {
            name: name.into(),
            credential: provider.clone(),
            provider,
            domain: None,
            organisation: None,
            model: None,
            region: None,
            context_window_tokens: 0,
            abilities: Abilities::ALL,
            identity: 0,
            limits: Limits::default(),
            price: Price::default(),
            allowance: Allowance::default(),
            tags: Vec::new(),
            prefill: false,
            breaker: Mode::Enforce,
            thinks: Thinking::default(),
            breaker_settings: None,
            detectors: Detectors::ALL,
            set_aside: SetAside::default(),
        }
    }

    /// Names the failure domain, where servers of one provider fail on their own, such as two of one's
    /// own machines. Targets that share it and their [`region`](Self::region) share a retry budget; those that
    /// share it are set aside together where several of them are found to be out. Defaults to the provider's name.
    #[must_use]
    pub fn failure_domain(mut self, name: impl Into<Box<str>>) -> Self {
        self.domain = Some(name.into());
        self
    }

    pub(crate) fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(&self.provider)
    }

    pub(crate) fn retry_domain(&self) -> RetryDomain {
        RetryDomain {
            domain: self.domain().into(),
            region: self.region.clone(),
        }
    }

    /// Names the credential: targets that share it are set aside together when it is refused or
    /// spent. Defaults to the provider's name. Give a label, never the key itself.
    #[must_use]
    pub fn credential(mut self, label: impl Into<Box<str>>) -> Self {
        self.credential = label.into();
        self
    }

    /// Names the organisation that the credential belongs to, at this provider: where its cap is
    /// reached, all its credentials are set aside. Defaults to none.
    #[must_use]
    pub fn organisation(mut self, label: impl Into<Box<str>>) -> Self {
        self.organisation = Some(label.into());
        self
    }

    /// Names the model at this provider: targets that share it (by other credentials or in other
    /// regions) are set aside together where the model itself is out. Defaults to none.
    #[must_use]
    pub fn model(mut self, name: impl Into<Box<str>>) -> Self {
        self.model = Some(name.into());
        self
    }

    /// Names the provider's region: targets that share it are set aside together where the region is
    /// out, and each region has a retry budget of its own. Defaults to none.
    #[must_use]
    pub fn region(mut self, name: impl Into<Box<str>>) -> Self {
        self.region = Some(name.into());
        self
    }

    /// Sets the context window in tokens; 0, the default, means unknown.
    #[must_use]
    pub fn context_window(mut self, tokens: u32) -> Self {
        self.context_window_tokens = tokens;
        self
    }

    /// Tells what is behind the name: a hash of address and model. When a table replaces another, a
    /// target whose identity changed begins with a clean slate. Defaults to 0.
    #[must_use]
    pub fn identity(mut self, identity: u64) -> Self {
        self.identity = identity;
        self
    }

    /// Sets the rate limits that are spent here before the provider says 429. Limits that are not
    /// set are learnt from reply headers.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the price, for [`Strategy::Cheapest`](crate::Strategy::Cheapest) and for the cost of
    /// each hop. Defaults to nothing known.
    #[must_use]
    pub fn price(mut self, price: Price) -> Self {
        self.price = price;
        self
    }

    /// Sets what an hour of calls to the target may cost, over all routes. Defaults to no cap and no
    /// alert. It counts only what the [`price`](Self::price) tells.
    #[must_use]
    pub fn allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// Adds a tag, by which requests and routes may ask for the target or keep away from it.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Says that the target goes on from where it is given the beginning of an answer, so that a broken
    /// stream can be continued there. Defaults to no. One that refuses it once is remembered.
    #[must_use]
    pub fn prefill(mut self) -> Self {
        self.prefill = true;
        self
    }

    /// Says whether the opinion of its breaker counts, or is replaced by an operator's. Defaults to
    /// [`Mode::Enforce`].
    #[must_use]
    pub const fn breaker(mut self, mode: Mode) -> Self {
        self.breaker = mode;
        self
    }

    /// Gives its breaker settings of its own: for a target that is called a hundred times a second, or once a minute. Defaults to those of
    /// the [table](crate::TableBuilder::breaker).
    #[must_use]
    pub const fn breaker_settings(mut self, config: BreakerConfig) -> Self {
        self.breaker_settings = Some(config);
        self
    }

    /// Says which detectors are heeded. Defaults to all.
    #[must_use]
    pub const fn detectors(mut self, detectors: Detectors) -> Self {
        self.detectors = detectors;
        self
    }

    /// Sets how long calls stay away after a spent quota, a refused key or a missing model. Defaults to an hour, 5 and 10 minutes.
    #[must_use]
    pub const fn set_aside(mut self, times: SetAside) -> Self {
        self.set_aside = times;
        self
    }

    /// Says when its model thinks before it speaks: such calls may be silent for longer, and are learnt apart. Defaults to
    /// [`Thinking::WhenAsked`].
    #[must_use]
    pub const fn thinks(mut self, habit: Thinking) -> Self {
        self.thinks = habit;
        self
    }

    /// Sets what the target can do. Defaults to everything.
    #[must_use]
    pub fn abilities(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }
}
