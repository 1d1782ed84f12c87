//! How a client is put together.

use crate::client::{Client, Inner, Upstream};
use crate::degrade::Degraded;
use crate::keep::keyring;
use crate::look::Quality;
use crate::observe::{Log, Observer};
use crate::rewrite::Rewrite;
use llm_breaker::{BreakerConfig, Mode};
use llm_cache::{Cache, CacheConfig};
use llm_errors::Provider;
use llm_providers::{
    Endpoint, Estimate, Features, Hold, Prefill, Purpose, ReqwestTransport, Transport,
    TransportBuildError, catalog, model,
};
use llm_router::{
    Abilities, Allowance, Budget, Detectors, Edge, Limits, Member, Policy, Price, Route, SetAside,
    Table, TableError, Target, Thinking,
};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use thiserror::Error;

/// One target: a name for it, and the endpoint that is called.
#[derive(Debug, Clone)]
pub struct TargetSpec {
    name: Box<str>,
    endpoint: Endpoint,
    credential: Option<Box<str>>,
    context_window: u32,
    features: Option<Features>,
    organisation: Option<Box<str>>,
    region: Option<Box<str>>,
    failure_domain: Option<Box<str>>,
    tags: Vec<Box<str>>,
    limits: Limits,
    price: Price,
    allowance: Allowance,
    breaker: Mode,
    thinks: Thinking,
    breaker_settings: Option<BreakerConfig>,
    detectors: Detectors,
    set_aside: SetAside,
}

impl TargetSpec {
    /// The target `name`, served by `endpoint`. Window, abilities, price and when it thinks are those that public
    /// pages state of the model ([`model::lookup`], [`model::thinking`]), where they do; the setters replace them.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, endpoint: Endpoint) -> Self {
        let known = model::lookup(endpoint.provider(), endpoint.model());
        let stated = known.and_then(|known| known.price);
        Self {
            name: name.into(),
            thinks: habit(endpoint.provider(), endpoint.model()),
            endpoint,
            credential: None,
            context_window: known.and_then(|known| known.context_window).unwrap_or(0),
            features: known.map(|known| Features::from_bits(u32::MAX).without(known.cannot)),
            organisation: None,
            region: None,
            failure_domain: None,
            tags: Vec::new(),
            limits: Limits::default(),
            price: stated.map_or_else(Price::default, list_price),
            allowance: Allowance::default(),
            breaker: Mode::Enforce,
            breaker_settings: None,
            detectors: Detectors::ALL,
            set_aside: SetAside::default(),
        }
    }

    /// A label for the credential: targets that share it are set aside together when it is
    /// refused or spent. Never the key itself. Defaults to the target's name, that is to a
    /// credential of its own.
    #[must_use]
    pub fn credential(mut self, label: impl Into<Box<str>>) -> Self {
        self.credential = Some(label.into());
        self
    }

    /// The context window in tokens; 0 means unknown. Defaults to what pages state of the model.
    #[must_use]
    pub fn context_window(mut self, tokens: u32) -> Self {
        self.context_window = tokens;
        self
    }

    /// The rate limits that are kept here before the provider says 429. Those not given are learnt
    /// from reply headers.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The organisation that the credential belongs to at the provider: where its cap is reached, all
    /// its credentials are set aside. Defaults to none.
    #[must_use]
    pub fn organisation(mut self, label: impl Into<Box<str>>) -> Self {
        self.organisation = Some(label.into());
        self
    }

    /// The provider's region: targets that share it are set aside together where several of them are
    /// out, and each region has a retry budget of its own. Defaults to none.
    #[must_use]
    pub fn region(mut self, name: impl Into<Box<str>>) -> Self {
        self.region = Some(name.into());
        self
    }

    /// The failure domain: targets that share it and their [`region`](Self::region) share a retry budget; those
    /// that share it are set aside together where several of them are out. Defaults to the provider at its own address, else to the
    /// server.
    #[must_use]
    pub fn failure_domain(mut self, name: impl Into<Box<str>>) -> Self {
        self.failure_domain = Some(name.into());
        self
    }

    /// Adds a tag, by which calls and routes may ask for the target or keep away from it.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// What an hour of calls to the target may cost, and the sums at which somebody should know.
    /// Defaults to no cap and no alert. Counted by the [`price`](Self::price).
    #[must_use]
    pub fn allowance(mut self, allowance: Allowance) -> Self {
        self.allowance = allowance;
        self
    }

    /// The price, for the cost of each hop, the caps on it, and the strategy that prefers the
    /// cheapest. Defaults to the list price, where one is stated.
    #[must_use]
    pub fn price(mut self, price: Price) -> Self {
        self.price = price;
        self
    }

    /// Whether the opinion of the target's breaker counts: to try settings out ([`Mode::Observe`]), or to
    /// keep all calls away or none ([`Mode::ForcedOpen`], [`Mode::ForcedClosed`]). Defaults to
    /// [`Mode::Enforce`].
    #[must_use]
    pub fn breaker(mut self, mode: Mode) -> Self {
        self.breaker = mode;
        self
    }

    /// Settings of the target's own breaker, for one that is called far more or less often than the others. Defaults to those of the
    /// [client](ClientBuilder::breaker).
    #[must_use]
    pub fn breaker_settings(mut self, config: BreakerConfig) -> Self {
        self.breaker_settings = Some(config);
        self
    }

    /// Which detectors are heeded for the target, beside plain failures. Defaults to all.
    #[must_use]
    pub fn detectors(mut self, detectors: Detectors) -> Self {
        self.detectors = detectors;
        self
    }

    /// How long calls stay away after a spent quota, a refused key or a missing model. Defaults to an hour, 5 and 10 minutes.
    #[must_use]
    pub fn set_aside(mut self, times: SetAside) -> Self {
        self.set_aside = times;
        self
    }

    /// When the model thinks before it speaks: such calls may be silent for longer, and are learnt apart
    /// ([`Windows::thinking`](llm_router::Windows::thinking)). Defaults to what is known of the model.
    #[must_use]
    pub fn thinks(mut self, habit: Thinking) -> Self {
        self.thinks = habit;
        self
    }

    /// What the model can do. Defaults to everything but what pages state that it cannot.
    #[must_use]
    pub fn features(mut self, features: Features) -> Self {
        self.features = Some(features);
        self
    }
}

/// When a model thinks before it speaks, as the router knows it.
#[must_use]
pub fn habit(provider: Provider, model: &str) -> Thinking {
    match model::thinking(provider, model) {
        model::Thinking::Never => Thinking::Never,
        model::Thinking::WhenAsked => Thinking::WhenAsked,
        model::Thinking::ByDefault => Thinking::ByDefault,
        model::Thinking::Always => Thinking::Always,
    }
}

/// The list price as the router counts: where the price of cached tokens is not stated, that of others.
#[must_use]
pub fn list_price(stated: model::Price) -> Price {
    Price {
        input: stated.input,
        output: stated.output,
        cache_read: stated.cache_read.unwrap_or(stated.input),
        cache_write: stated.cache_write.unwrap_or(stated.input),
        per_request: 0,
    }
}

/// One public name and what serves it.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    route: Route,
    name: Box<str>,
    members: Vec<Box<str>>,
    degraded: Vec<Degraded>,
    quality: Quality,
    hold: Hold,
    rewrite: Option<Arc<dyn Rewrite>>,
}

impl RouteSpec {
    /// The route that callers ask for as the model `name`.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        let name = name.into();
        Self {
            route: Route::new(name.clone()),
            name,
            members: Vec::new(),
            degraded: Vec::new(),
            quality: Quality::default(),
            hold: Hold::default(),
            rewrite: None,
        }
    }

    /// Adds a tier of targets after those already there; see [`Route::tier`].
    #[must_use]
    pub fn tier<M: Into<Member>>(mut self, members: impl IntoIterator<Item = M>) -> Self {
        let members: Vec<Member> = members.into_iter().map(Into::into).collect();
        let names = members.iter().map(|member| member.target().into());
        self.members.extend(names);
        self.route = self.route.tier(members);
        self
    }

    /// The limits of a request. Defaults to [`Policy::interactive`].
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.route = self.route.policy(policy);
        self
    }

    /// Names targets that are used for one sort of failure and for nothing else; see [`Route::on`].
    #[must_use]
    pub fn on<M: Into<Member>>(mut self, edge: Edge, members: impl IntoIterator<Item = M>) -> Self {
        let members: Vec<Member> = members.into_iter().map(Into::into).collect();
        let names = members.iter().map(|member| member.target().into());
        self.members.extend(names);
        self.route = self.route.on(edge, members);
        self
    }

    /// Puts a target on trial beside the first tier, with a share that grows by `steps` (percent of
    /// the callers, ascending, at most 8; none stands for 5, 25, 50) unless it is worse; see [`Route::canary`].
    #[must_use]
    pub fn canary(mut self, target: impl Into<Box<str>>, steps: &[u8]) -> Self {
        let target = target.into();
        self.members.push(target.clone());
        self.route = self.route.canary(target, steps);
        self
    }

    /// Says that every target of this route must bear the tag, or the client is not built.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Box<str>>) -> Self {
        self.route = self.route.tag(tag);
        self
    }

    /// What an hour of this route may cost, and the sums at which somebody should know. Defaults to no
    /// cap and no alert.
    #[must_use]
    pub fn allowance(mut self, allowance: Allowance) -> Self {
        self.route = self.route.allowance(allowance);
        self
    }

    /// What answers are looked at for. Defaults to [`Quality::default`].
    #[must_use]
    pub fn quality(mut self, quality: Quality) -> Self {
        self.quality = quality;
        self
    }

    /// How much of a stream is held back before the caller gets its first word. Whatever goes wrong
    /// meanwhile, or is found to be no good, is retried or failed over unseen. Defaults to nothing.
    #[must_use]
    pub fn hold(mut self, hold: Hold) -> Self {
        self.hold = hold;
        self
    }

    /// Sets who rewrites a prompt that was refused for what it says. Defaults to nobody: then a target
    /// that the route names as less restrictive is asked, or the caller gets the refusal.
    #[must_use]
    pub fn rewrite(mut self, rewrite: Arc<dyn Rewrite>) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// Adds a step of the last resort after those already there. Without any, the caller gets the
    /// error.
    #[must_use]
    pub fn degraded(mut self, step: Degraded) -> Self {
        self.degraded.push(step);
        self
    }
}

/// Collects targets and routes for a [`Client`].
#[derive(Debug, Default)]
pub struct ClientBuilder {
    targets: Vec<TargetSpec>,
    routes: Vec<RouteSpec>,
    transport: Option<Arc<dyn Transport>>,
    cache: Option<Cache>,
    observers: Vec<Arc<dyn Observer>>,
    breaker: Option<BreakerConfig>,
    retry_budget: Option<Budget>,
    seed: Option<u64>,
    token_estimate: Estimate,
}

/// A client cannot be built as described.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Targets and routes do not fit together.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The targets of a route answer in different spaces: vectors from two of them could not be compared, and an index
    /// that holds both is spoilt unseen. Or one is for embeddings and another for conversations.
    #[error("route `{route}`: targets `{first}` and `{other}` are not for embeddings of one space")]
    MixedSpaces {
        /// The route.
        route: Box<str>,
        /// Its first target.
        first: Box<str>,
        /// One that does not fit it.
        other: Box<str>,
    },
    /// The default transport cannot be set up.
    #[error("the transport cannot be set up")]
    Transport(#[source] TransportBuildError),
}

impl ClientBuilder {
    /// Adds a target.
    #[must_use]
    pub fn target(mut self, target: TargetSpec) -> Self {
        self.targets.push(target);
        self
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: RouteSpec) -> Self {
        self.routes.push(route);
        self
    }

    /// Sets what moves the bytes. Defaults to a [`ReqwestTransport`].
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sets where good answers are kept for [`Degraded::Cached`]. Defaults to a cache in memory
    /// where a route asks for one.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Adds somebody who is told of every request. `tracing` events are always written.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Sets the breaker of every target that has no [settings of its own](TargetSpec::breaker_settings). Defaults to
    /// [`BreakerConfig::default`].
    #[must_use]
    pub fn breaker(mut self, config: BreakerConfig) -> Self {
        self.breaker = Some(config);
        self
    }

    /// Sets what repeated calls to each provider, in each region there, may come to. Defaults to [`Budget::PROVIDER`]; that of a
    /// route is in its [`Policy`].
    #[must_use]
    pub fn retry_budget(mut self, budget: Budget) -> Self {
        self.retry_budget = Some(budget);
        self
    }

    /// Sets how the tokens of a prompt are estimated before it is sent. Defaults to [`Estimate::Bytes`].
    #[must_use]
    pub const fn token_estimate(mut self, estimate: Estimate) -> Self {
        self.token_estimate = estimate;
        self
    }

    /// Makes every random choice repeatable. Defaults to a seed of the system.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the target or route that is wrong, or says why the default transport
    /// cannot be set up.
    pub fn build(self) -> Result<Client, BuildError> {
        self.build_after(None).map(Client::new)
    }

    /// Builds what is in a client, taking over from `before` what stays the same.
    pub(crate) fn build_after(self, before: Option<&Inner>) -> Result<Inner, BuildError> {
        let seed = self.seed.unwrap_or_else(rand::random);
        let mut table = Table::builder().seed(seed);
        if let Some(config) = self.breaker {
            table = table.breaker(config);
        }
        if let Some(budget) = self.retry_budget {
            table = table.retry_budget(budget);
        }
        if let Some(before) = before {
            table = table.inherit(Arc::clone(&before.table));
        }
        let spaces = self.routes.iter();
        let spaces: Result<Box<[_]>, _> = spaces.map(|one| one_space(one, &self.targets)).collect();
        let spaces = spaces?;
        let mut upstreams = Vec::with_capacity(self.targets.len());
        for spec in self.targets {
            let credential = spec.credential.unwrap_or_else(|| spec.name.clone());
            let mut target = Target::new(spec.name, spec.endpoint.provider().as_str())
                .credential(credential)
                .context_window(spec.context_window)
                .identity(identity(&spec.endpoint))
                .model(spec.endpoint.model())
                .failure_domain(
                    spec.failure_domain
                        .unwrap_or_else(|| domain(&spec.endpoint)),
                )
                .limits(spec.limits)
                .price(spec.price)
                .allowance(spec.allowance)
                .breaker(spec.breaker)
                .thinks(spec.thinks)
                .detectors(spec.detectors)
                .set_aside(spec.set_aside);
            if let Some(config) = spec.breaker_settings {
                target = target.breaker_settings(config);
            }
            if let Some(label) = spec.organisation {
                target = target.organisation(label);
            }
            if let Some(name) = spec.region {
                target = target.region(name);
            }
            for tag in spec.tags {
                target = target.tag(tag);
            }
            let features = spec.features.unwrap_or(Features::from_bits(u32::MAX));
            let features = match spec.endpoint.purpose() {
                Purpose::Embeddings => Features::EMBEDDINGS,
                _ => features.without(Features::EMBEDDINGS),
            };
            target = target.abilities(Abilities::from_bits(features.bits()));
            if features.contains(Features::PREFILL) && spec.endpoint.prefill() != Prefill::None {
                target = target.prefill();
            }
            table = table.target(target);
            upstreams.push(Upstream {
                endpoint: spec.endpoint,
            });
        }
        let mut degraded = Vec::with_capacity(self.routes.len());
        let mut qualities = Vec::with_capacity(self.routes.len());
        let mut rewrites = Vec::with_capacity(self.routes.len());
        for spec in self.routes {
            table = table.route(spec.route);
            qualities.push((spec.quality, spec.hold));
            rewrites.push(spec.rewrite);
            degraded.push(spec.degraded.into_boxed_slice());
        }
        let wants_cache = degraded
            .iter()
            .flatten()
            .any(|step| *step == Degraded::Cached);
        let transport = match (self.transport, before) {
            (Some(transport), _) => transport,
            (None, Some(before)) => Arc::clone(&before.transport),
            (None, None) => Arc::new(ReqwestTransport::try_new().map_err(BuildError::Transport)?),
        };
        let kept = before.and_then(|before| before.cache.clone());
        let cache = match (self.cache, kept) {
            (Some(cache), Some((_, keyring))) => Some((cache, keyring)),
            (Some(cache), None) => Some((cache, keyring())),
            (None, Some(kept)) => Some(kept),
            (None, None) => {
                wants_cache.then(|| (Cache::in_memory(CacheConfig::default()), keyring()))
            }
        };
        let mut observers: Vec<Arc<dyn Observer>> = vec![Arc::new(Log)];
        observers.extend(self.observers);
        Ok(Inner {
            table: table.build(crate::client::now())?,
            upstreams: upstreams.into(),
            degraded: degraded.into(),
            qualities: qualities.into(),
            schemas: before.map_or_else(Arc::default, |before| Arc::clone(&before.schemas)),
            rewrites: rewrites.into(),
            spaces,
            transport,
            cache,
            observers: observers.into(),
            token_estimate: self.token_estimate,
            seeds: AtomicU64::new(seed),
        })
    }
}

/// What fails together, where nobody says otherwise: all of a provider, or one server that has an
/// address of its own.
fn domain(endpoint: &Endpoint) -> Box<str> {
    let provider = endpoint.provider();
    let usual = catalog::entry(provider).base_url.unwrap_or_default();
    let host = usual.split("://").nth(1).unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    if host == endpoint.host() && endpoint.port() == 443 {
        provider.as_str().into()
    } else {
        format!("{provider} at {}:{}", endpoint.host(), endpoint.port()).into()
    }
}

/// The space of a route's vectors; a route whose targets do not answer in one space is refused.
fn one_space(route: &RouteSpec, targets: &[TargetSpec]) -> Result<Option<Box<str>>, BuildError> {
    let mut members = route
        .members
        .iter()
        .filter_map(|name| targets.iter().find(|target| target.name == *name));
    let Some(first) = members.next() else {
        return Ok(None);
    };
    let space = first.endpoint.space();
    match members.find(|other| other.endpoint.space() != space) {
        None => Ok(space.map(Into::into)),
        Some(other) => Err(BuildError::MixedSpaces {
            route: route.name.clone(),
            first: first.name.clone(),
            other: other.name.clone(),
        }),
    }
}

/// What is behind a target's name: another address or model is another target.
fn identity(endpoint: &Endpoint) -> u64 {
    let mut hasher = DefaultHasher::new();
    (endpoint.host(), endpoint.port(), endpoint.model()).hash(&mut hasher);
    hasher.finish()
}

impl RouteSpec {
    /// The name callers ask for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
