//! From the configuration to the engine that serves it.

use crate::config::{self, Config, Preset, Proxy};
use anyhow::Context as _;
pub(crate) use llm_resilience::breaker::{Alert, Mode};
use llm_resilience::breaker::{BreakerConfig, Snapshot, State, TripReason};
use llm_resilience::cache::{Cache, CacheConfig};
use llm_resilience::providers::{
    AwsCredential, AwsKeys, Endpoint, EndpointBuilder, ReqwestTransport,
};
use llm_resilience::router::{Member, TargetId};
use llm_resilience::{ClientBuilder, Degraded, Observer, RouteSpec, StaticAnswer, TargetSpec};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use llm_resilience::backoff::{Backoff, Jitter};
pub(crate) use llm_resilience::errors::{ErrorKind, Provider, Scope};
pub(crate) use llm_resilience::providers::catalog::{entry as catalog_entry, wire as catalog_wire};
pub(crate) use llm_resilience::providers::model::{self, Model};
pub(crate) use llm_resilience::providers::{
    Dialect, Estimate, Features, GoogleCredential, Hold, Prefill, Wire, embedding,
};
pub(crate) use llm_resilience::quality::{Finding, Language};
pub(crate) use llm_resilience::router::{
    Allowance, Budget, Canary, CanaryState, Detector, Detectors, Edge, FailOpen, Filter, Hedge,
    Hedging, Ledger, Limits, MAX_CANDIDATES, OnCut, Payer, Policy, Price, SetAside, Spend,
    Strategy, Thinking, Truncate,
};
pub(crate) use llm_resilience::{Client, Quality};
pub(crate) use llm_resilience::{habit, list_price};

/// Builds the client that a configuration describes. Targets and routes keep their order, so that their indices are
/// those of the configuration.
///
/// # Errors
///
/// What the reader of the configuration could not see: an endpoint, a table or a transport that cannot be built.
pub(crate) fn build(config: &Config, observer: Arc<dyn Observer>) -> anyhow::Result<Client> {
    let mut builder = describe(config, observer)?.transport(transport(config.proxy)?);
    if keeps_answers(config) {
        builder = builder.cache(cache(&config.cache));
    }
    Ok(builder.build()?)
}

/// Replaces what `client` serves, described by `before`, by what `next` describes. Health, limits and kept answers of
/// what stays are kept; calls under way end as they began. A store for answers is made only where its settings are new.
///
/// # Errors
///
/// As for [`build`]; then everything stays as it was.
pub(crate) fn replace(
    client: &Client,
    before: &Config,
    next: &Config,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<()> {
    let mut builder = describe(next, observer)?;
    if before.proxy != next.proxy {
        builder = builder.transport(transport(next.proxy)?);
    }
    if new_store(before, next) {
        builder = builder.cache(cache(&next.cache));
    }
    Ok(client.replace(builder)?)
}

/// What carries calls to providers.
fn transport(proxy: Proxy) -> anyhow::Result<Arc<ReqwestTransport>> {
    let builder = ReqwestTransport::builder();
    let builder = match proxy {
        Proxy::None => builder,
        Proxy::Environment => builder.environment_proxy(),
    };
    Ok(Arc::new(builder.build()?))
}

/// Whether a store for answers is to be made, since there was none or its settings are new.
fn new_store(before: &Config, next: &Config) -> bool {
    keeps_answers(next) && !(keeps_answers(before) && before.cache == next.cache)
}

/// Whether some route answers by kept answers.
fn keeps_answers(config: &Config) -> bool {
    let mut routes = config.routes.iter();
    routes.any(|route| route.degraded.contains(&config::Degraded::Cached))
}

/// Targets, routes and breakers; all but the store for answers.
fn describe(config: &Config, observer: Arc<dyn Observer>) -> anyhow::Result<ClientBuilder> {
    let mut builder = Client::builder()
        .observer(observer)
        .token_estimate(config.token_estimate)
        .retry_budget(config.retry_budget)
        .breaker(breaker(&config.breaker).context("[breaker]")?);
    for target in &config.targets {
        builder = builder
            .target(target_spec(target).with_context(|| format!("target `{}`", target.name))?);
    }
    for route in &config.routes {
        builder = builder.route(route_spec(route, &config.targets));
    }
    Ok(builder)
}

fn breaker(settings: &config::Breaker) -> anyhow::Result<BreakerConfig> {
    let built = BreakerConfig::builder()
        .failures(settings.failures)
        .failure_window(settings.failure_window)
        .samples(settings.samples)
        .ratio_window(settings.ratio_window)
        .cooldown(settings.cooldown)
        .cooldown_max(settings.cooldown_max)
        .heal(settings.heal)
        .lease(settings.lease)
        .ramp_step(settings.ramp_step)
        .ramp_good(settings.ramp_good)
        .ratio(settings.failure_percent.map(share))
        .shadow_every(settings.shadow_every)
        .alerts(
            share(settings.alert_percent),
            share(settings.escalate_percent),
        )
        .build();
    Ok(built?)
}

/// Percent as a part of one.
fn share(percent: u32) -> f64 {
    f64::from(percent) / 100.0
}

fn cache(settings: &config::Cache) -> Cache {
    let bytes = u64::try_from(settings.max_bytes).unwrap_or(u64::MAX);
    Cache::in_memory(
        CacheConfig::default()
            .max_bytes(bytes)
            .stale(settings.stale),
    )
}

/// Where in a cloud an endpoint is, and who asks there.
fn place(mut endpoint: EndpointBuilder, cloud: &config::Cloud) -> anyhow::Result<EndpointBuilder> {
    if let Some(region) = &cloud.region {
        endpoint = endpoint.region(region);
    }
    if let Some(project) = &cloud.project {
        endpoint = endpoint.project(project);
    }
    Ok(match &cloud.identity {
        None => endpoint,
        Some(config::Identity::Aws {
            access_key_id,
            secret_access_key,
            session_token,
        }) => {
            let mut keys = AwsKeys::new(access_key_id.expose_secret(), secret_access_key.clone());
            if let Some(token) = session_token {
                keys = keys.session_token(token.clone());
            }
            let region = cloud.region.as_deref().context("region")?;
            endpoint.authorized_by(Arc::new(AwsCredential::new(keys, region, "bedrock")))
        }
        Some(config::Identity::ServiceAccount(file)) => {
            let account = GoogleCredential::service_account(file.expose_secret().as_bytes());
            endpoint.authorized_by(Arc::new(account.context("service_account")?))
        }
        Some(config::Identity::Machine) => {
            endpoint.authorized_by(Arc::new(GoogleCredential::machine()))
        }
    })
}

fn target_spec(target: &config::Target) -> anyhow::Result<TargetSpec> {
    let mut endpoint = Endpoint::builder(target.provider, &target.model);
    if let Some(url) = &target.base_url {
        endpoint = endpoint.base_url(url);
    }
    if let Some(wire) = target.wire {
        endpoint = endpoint.wire(wire);
    }
    if let Some(space) = &target.embeddings {
        endpoint = endpoint.embeddings(space.as_str());
    }
    if let Some(key) = &target.api_key {
        endpoint = endpoint.credential(key.clone());
    }
    endpoint = place(endpoint, &target.cloud)?;
    if let Some(tokens) = target.default_max_tokens {
        endpoint = endpoint.default_max_tokens(tokens);
    }
    if let Some(prefill) = target.prefill {
        endpoint = endpoint.prefill(prefill);
    }
    for (name, value) in &target.headers {
        endpoint = endpoint.header(name.as_str(), value.to_str().context("headers")?);
    }
    for (name, value) in &target.query {
        endpoint = endpoint.query(name, value);
    }
    let mut spec = TargetSpec::new(target.name.as_str(), endpoint.build()?)
        .limits(target.limits)
        .breaker(target.breaker.mode)
        .breaker_settings(breaker(&target.breaker)?)
        .detectors(target.breaker.detectors)
        .set_aside(target.breaker.set_aside)
        .thinks(target.thinks)
        .price(target.price.unwrap_or_default());
    if let Some(label) = &target.credential {
        spec = match target.key_turn {
            0 => spec.credential(label.as_str()),
            turn => spec.credential(format!("{label}, replaced by reload {turn}")),
        };
    }
    let place = &target.place;
    for tag in &place.tags {
        spec = spec.tag(tag.as_str());
    }
    if let Some(label) = &place.organisation {
        spec = spec.organisation(label.as_str());
    }
    if let Some(name) = &target.cloud.region {
        spec = spec.region(name.as_str());
    }
    if let Some(name) = &place.failure_domain {
        spec = spec.failure_domain(name.as_str());
    }
    spec = spec.allowance(place.spend.clone());
    // What pages state of the model was weighed when the file was read; here the file's word is the last.
    let abilities = Features::from_bits(u32::MAX).without(target.lacks);
    Ok(spec
        .context_window(target.context_window.unwrap_or(0))
        .features(abilities))
}

/// Whether a target goes on from the beginning of an answer, as far as is known.
pub(crate) fn takes_beginning(target: &config::Target) -> bool {
    let known = catalog_entry(target.provider);
    let url = target.base_url.as_deref().or(known.base_url);
    let uri = url.and_then(|url| url.parse::<http::Uri>().ok());
    let path = uri.as_ref().map_or("", |uri| uri.path());
    let own = catalog_wire(target.provider, &target.model);
    let wire = target.wire.unwrap_or(own);
    let prefill = target
        .prefill
        .unwrap_or_else(|| Prefill::known(target.provider, wire, &target.model, path));
    prefill != Prefill::None && !target.lacks.contains(Features::PREFILL)
}

fn route_spec(route: &config::Route, targets: &[config::Target]) -> RouteSpec {
    let mut spec = RouteSpec::new(route.name.as_str()).policy(policy(route));
    let name = |index: usize| Some(targets.get(index)?.name.as_str());
    let member = |member: &config::Member| {
        let named = Member::new(name(member.target)?).weight(member.weight);
        Some(if member.less_restrictive {
            named.less_restrictive()
        } else {
            named
        })
    };
    for tier in &route.tiers {
        spec = spec.tier(tier.iter().filter_map(member));
    }
    let remedy = &route.remedy;
    for (edge, members) in &remedy.on {
        spec = spec.on(*edge, members.iter().filter_map(member));
    }
    if let Some(trial) = &remedy.canary
        && let Some(target) = name(trial.target)
    {
        spec = spec.canary(target, &trial.steps);
    }
    for tag in &remedy.tags {
        spec = spec.tag(tag.as_str());
    }
    spec = spec.allowance(remedy.spend.clone());
    spec = spec.hold(route.care.hold);
    if let Some(quality) = &route.care.quality {
        spec = spec.quality(quality.clone());
    }
    for step in &route.degraded {
        spec = spec.degraded(match step {
            config::Degraded::Cached => Degraded::Cached,
            config::Degraded::Static { text, when: None } => Degraded::always(text.as_str()),
            config::Degraded::Static {
                text,
                when: Some(words),
            } => Degraded::Static(vec![StaticAnswer::when(words.as_str(), text.as_str())]),
            config::Degraded::Message { text, contact } => Degraded::Message {
                text: text.as_str().into(),
                contact: contact.as_deref().map(Into::into),
            },
        });
    }
    spec
}

pub(crate) fn policy(route: &config::Route) -> Policy {
    let mut policy = match route.preset {
        Preset::Interactive => Policy::interactive(),
        Preset::Background => Policy::background(),
        Preset::Agent => Policy::agent(),
    };
    let given = &route.windows;
    if let Some(deadline) = route.deadline {
        // Who says how long a call may take says it of every call.
        (policy.deadline, policy.thinking_deadline) = (deadline, deadline);
        // A default must not use up all of what is given.
        policy.patience = policy.patience.min(deadline / 2);
    }
    policy.thinking_deadline = route.thinking_deadline.unwrap_or(policy.thinking_deadline);
    policy.patience = route.patience.unwrap_or(policy.patience);
    policy.attempts = route.attempts.unwrap_or(policy.attempts);
    policy.max_sends = route.max_calls.unwrap_or(policy.max_sends);
    policy.strategy = route.strategy.unwrap_or(policy.strategy);
    policy.hedging = route.hedging.unwrap_or(policy.hedging);
    policy.retries = route.retries;
    policy.eject_percent = route.eject_percent.unwrap_or(policy.eject_percent);
    policy.fail_open = route.remedy.fail_open;
    policy.max_cost = route.remedy.max_cost;
    policy.on_cut = route.care.on_cut.unwrap_or(policy.on_cut);
    policy.truncate = route.care.truncate.unwrap_or(policy.truncate);
    policy.windows.connect = given.connect.unwrap_or(policy.windows.connect);
    policy.windows.first_token = given.first_token.unwrap_or(policy.windows.first_token);
    policy.windows.idle = given.idle.unwrap_or(policy.windows.idle);
    policy.windows.whole = given.whole.unwrap_or(policy.windows.whole);
    policy.windows.stream = given.stream.unwrap_or(policy.windows.stream);
    policy.backoff = route.backoff.unwrap_or(policy.backoff);
    policy.windows.thinking = given.thinking.unwrap_or(policy.windows.thinking);
    let mut learnt = policy.learnt.unwrap_or_default();
    learnt.floor = given.learnt_floor.unwrap_or(learnt.floor);
    learnt.percent = given.learnt_percent.unwrap_or(learnt.percent);
    policy.learnt = (learnt.percent > 0).then_some(learnt);
    policy
}

/// The health of a target: its own, or that of what it shares with others (key, organisation, model, region, provider)
/// where that is worse.
pub(crate) fn health(client: &Client, target: TargetId, now: Instant) -> Snapshot {
    let table = client.table();
    let own = table.gate(target).snapshot(now);
    if own.state != State::Closed {
        return own;
    }
    let shared = [
        Scope::Credential,
        Scope::Organisation,
        Scope::Model,
        Scope::Region,
        Scope::Provider,
    ];
    let shared = shared.map(|scope| table.scope_gate(target, scope).snapshot(now));
    let shut = shared.iter().find(|seen| seen.state != State::Closed);
    // A rate limit that is waited out closes nothing.
    let held = || shared.iter().find(|seen| seen.held_until.is_some());
    match shut {
        Some(shut) => *shut,
        None if own.held_until.is_some() => own,
        None => held().copied().unwrap_or(own),
    }
}

/// What keeps calls away, as far as this tells: why it is not closed, or a rate limit that is waited out.
pub(crate) fn reason(seen: &Snapshot) -> TripReason {
    match seen.state {
        State::Closed if seen.held_until.is_some() => TripReason::RateLimit,
        State::Closed => TripReason::None,
        _ => seen.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::secret::Nothing;
    use crate::metrics::Metrics;
    use std::time::Duration;

    fn client(route: &str) -> anyhow::Result<Client> {
        let text = format!(
            r#"
            [targets.a]
            provider = "vllm"
            model = "m"
            headers = {{ x-team = "blue" }}
            query = {{ version = "1" }}
            [targets.b]
            provider = "ollama"
            model = "n"
            dialect = "anthropic_messages"
            [routes.chat]
            tiers = [["a", {{ target = "b", weight = 3, less_restrictive = true }}]]
            {route}
            "#
        );
        let config = Config::parse("t", &text, &Nothing)?;
        build(&config, Arc::new(Metrics::new(&config)))
    }

    fn policy_of(route: &str) -> Policy {
        let client = client(route).unwrap();
        *client.table().policy(client.route("chat").unwrap())
    }

    #[test]
    fn what_is_not_given_is_the_presets() {
        assert_eq!(policy_of(""), Policy::interactive());
        assert_eq!(policy_of("preset = \"background\""), Policy::background());
        assert_eq!(policy_of("preset = \"agent\""), Policy::agent());
    }

    #[test]
    fn what_is_given_reaches_the_engine() {
        let policy = policy_of(
            "deadline = \"9s\"\npatience = \"0s\"\nattempts = 2\nmax_calls = 5\nwindows = { connect = \"1s\", first_token = \"2s\", idle = \"3s\", whole = \"4s\", stream = \"5s\", thinking = \"6s\" }",
        );
        assert_eq!(
            (policy.deadline, policy.patience),
            (Duration::from_secs(9), Duration::ZERO)
        );
        assert_eq!((policy.attempts, policy.max_sends), (2, 5));
        let windows = policy.windows;
        let seconds = [
            windows.connect,
            windows.first_token,
            windows.idle,
            windows.whole,
            windows.stream,
            windows.thinking,
        ];
        assert_eq!(seconds.map(|window| window.as_secs()), [1, 2, 3, 4, 5, 6]);
        assert_eq!(policy.thinking_deadline, policy.deadline);
    }

    #[test]
    fn the_defaults_of_the_file_are_those_of_the_breaker() {
        let built = breaker(&config::Breaker::default()).unwrap();
        assert_eq!(built, BreakerConfig::default());
        let usual = config::Breaker::default();
        assert_eq!(usual.mode, Mode::default());
        assert_eq!(usual.detectors, Detectors::default());
    }

    #[test]
    fn the_deadline_of_thinking_calls_may_be_set_alone() {
        let policy = policy_of("thinking_deadline = \"3m\"");
        assert_eq!(policy.thinking_deadline, Duration::from_secs(180));
        assert_eq!(policy.deadline, Policy::interactive().deadline);
        let policy = policy_of("deadline = \"5s\"\nthinking_deadline = \"3m\"");
        assert_eq!(policy.thinking_deadline, Duration::from_secs(180));
        assert_eq!(policy.deadline, Duration::from_secs(5));
        let policy = policy_of("deadline = \"1s\"");
        assert_eq!(policy.patience, Duration::from_millis(500));
        for (route, named) in [
            (
                "thinking_deadline = \"9s\"",
                "routes.chat.thinking_deadline: shorter than the deadline of 30s",
            ),
            (
                "patience = \"40s\"",
                "routes.chat.patience: longer than the deadline of 30s",
            ),
        ] {
            let error = client(route).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn what_is_learnt_may_count_for_more_or_for_nothing() {
        let policy = policy_of("windows = { learnt_percent = 300, learnt_floor = \"4s\" }");
        let learnt = policy.learnt.unwrap();
        assert_eq!(
            (learnt.percent, learnt.floor),
            (300, Duration::from_secs(4))
        );
        assert_eq!(policy_of("windows = { learnt_percent = 0 }").learnt, None);
        let error = client("windows = { learnt_percent = 50 }").unwrap_err();
        assert!(
            error.to_string().contains("windows.learnt_percent"),
            "{error}"
        );
        assert_eq!(policy_of("eject_percent = 30").eject_percent, 30);
    }

    #[test]
    fn each_kind_of_jitter_reaches_the_engine() {
        for (word, jitter) in [
            ("full", Jitter::Full),
            ("equal", Jitter::Equal),
            ("decorrelated", Jitter::Decorrelated),
            ("none", Jitter::None),
        ] {
            let policy = policy_of(&format!(
                "backoff = {{ base = \"100ms\", factor = 3, ceiling = \"1s\", jitter = \"{word}\" }}"
            ));
            let expected = Backoff::builder()
                .base(Duration::from_millis(100))
                .factor(3.0)
                .ceiling(Duration::from_secs(1))
                .jitter(jitter)
                .build();
            assert_eq!(Ok(policy.backoff), expected, "{word}");
        }
        let error = client("backoff = { base = \"20s\" }").unwrap_err();
        assert!(
            error.to_string().contains("routes.chat.backoff.base"),
            "{error}"
        );
    }

    #[test]
    fn what_follows_a_cut_reaches_the_engine() {
        assert_eq!(policy_of("").on_cut, OnCut::Continue);
        assert_eq!(policy_of("on_cut = \"restart\"").on_cut, OnCut::Restart);
    }

    #[test]
    fn strategy_and_hedging_reach_the_engine() {
        let policy = policy_of("strategy = \"sticky\"\nhedging = \"at_p90\"");
        assert_eq!(policy.strategy, Strategy::Sticky);
        assert_eq!(policy.hedging, Hedging::AtP90);
    }

    #[test]
    fn kept_answers_survive_a_reload_unless_their_store_changes() {
        let text = |cache: &str| {
            format!(
                "{cache}\n[targets.a]\nprovider = \"vllm\"\nmodel = \"m\"\n[routes.r]\ntiers = [[\"a\"]]\ndegraded = [{{ mode = \"cached\" }}]"
            )
        };
        let config = |cache: &str| Config::parse("t", &text(cache), &Nothing).unwrap();
        let (plain, smaller) = (config(""), config("[cache]\nmax_bytes = \"1MiB\""));
        assert!(!new_store(&plain, &plain));
        assert!(new_store(&plain, &smaller));
        let mut none = plain.clone();
        none.routes.clear();
        assert!(new_store(&none, &plain));
        assert!(!new_store(&plain, &none));
    }

    #[test]
    fn targets_keep_their_order_and_dialect() {
        let client = client("").unwrap();
        let table = client.table();
        let names: Vec<_> = table
            .targets()
            .map(|target| table.target_name(target))
            .collect();
        assert_eq!(names, ["a", "b"]);
        let wires: Vec<_> = table
            .targets()
            .filter_map(|target| client.endpoint(target))
            .map(|endpoint| endpoint.wire())
            .collect();
        assert_eq!(wires, [Wire::OpenAiChat, Wire::AnthropicMessages]);
    }

    #[test]
    fn health_is_closed_at_the_start() {
        let client = client("").unwrap();
        let now = tokio::time::Instant::now().into_std();
        for target in client.table().targets() {
            assert_eq!(health(&client, target, now).state, State::Closed);
        }
    }
}
