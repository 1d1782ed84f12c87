//! Without a file: targets for the providers whose keys are in the environment under their usual names.

use super::care::Care;
use super::cloud::Cloud;
use super::route::{Degraded, Member, Preset, Route, Windows};
use super::secret::{Source, World};
use super::stick::StickTo;
use super::target::Target;
use super::{Breaker, Cache, Config, DEFAULT_LISTEN, Proxy, Server};
use crate::engine::{Budget, Estimate, Limits, Provider, catalog_entry, habit, list_price, model};

/// Targets in the order of fallback: name, provider, and its current small general model or the stable alias of it.
/// Those of Gemini and DeepSeek are from the vendors' pages, those of OpenAI, Anthropic and xAI from third-party lists
/// (all read 2026-11-23); the others are aliases that have long been stable and were not looked up. A file overrides
/// them all. The variables are those the providers' own tools read.
const WELL_KNOWN: &[(&str, Provider, &str)] = &[
    ("openai", Provider::OpenAi, "gpt-6-luna"),
    ("anthropic", Provider::Anthropic, "claude-haiku-5-5"),
    ("gemini", Provider::Gemini, "gemini-3.8-flash"),
    ("mistral", Provider::Mistral, "mistral-medium-latest"),
    ("xai", Provider::Xai, "grok-4.5"),
    ("deepseek", Provider::DeepSeek, "deepseek-flash"),
    ("groq", Provider::Groq, "openai/gpt-oss-120b"),
    ("together", Provider::Together, "openai/gpt-oss-120b"),
    (
        "fireworks",
        Provider::Fireworks,
        "accounts/fireworks/models/gpt-oss-120b",
    ),
    ("openrouter", Provider::OpenRouter, "openrouter/auto"),
];

/// The route that serves callers who leave the choice to the gateway.
pub(crate) const DEFAULT_ROUTE: &str = "default";

/// The variables that are looked at, in order.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    WELL_KNOWN
        .iter()
        .map(|(_, provider, _)| catalog_entry(*provider).key_variable)
}

/// A configuration of every provider whose key is in the environment; nothing if there is none.
///
/// The route [`DEFAULT_ROUTE`] tries them in order. Each target's model is a route of its own as well: that target
/// first, then the others.
pub(crate) fn from_environment(world: &dyn World) -> Option<Config> {
    let targets: Vec<Target> = WELL_KNOWN
        .iter()
        .filter_map(|&(name, provider, model_name)| {
            let variable = catalog_entry(provider).key_variable;
            let source = Source::Env(variable.to_owned());
            world.variable(variable)?;
            let key = match source.fetch(world) {
                Ok(key) => key,
                Err(missing) => {
                    tracing::warn!("{}: {} is not used", missing.what, name);
                    return None;
                }
            };
            let known = model::lookup(provider, model_name);
            let stated = known.unwrap_or(model::UNKNOWN);
            Some(Target {
                name: name.to_owned(),
                provider,
                model: model_name.to_owned(),
                base_url: None,
                wire: None,
                embeddings: None,
                cloud: Cloud::default(),
                api_key: Some(key),
                credential: Some(source.label()),
                key_turn: 0,
                headers: Vec::new(),
                query: Vec::new(),
                context_window: stated.context_window,
                default_max_tokens: None,
                prefill: None,
                breaker: Breaker::default(),
                thinks: habit(provider, model_name),
                lacks: stated.cannot,
                limits: Limits::default(),
                price: stated.price.map(list_price),
                known,
                place: Default::default(),
            })
        })
        .collect();
    if targets.is_empty() {
        return None;
    }
    let order: Vec<usize> = (0..targets.len()).collect();
    let mut routes = vec![route(DEFAULT_ROUTE, &order)];
    for (first, target) in targets.iter().enumerate() {
        if routes.iter().all(|route| route.name != target.model) {
            let others = order.iter().copied().filter(|&index| index != first);
            routes.push(route(
                &target.model,
                &std::iter::once(first).chain(others).collect::<Vec<_>>(),
            ));
        }
    }
    // Keys are taken from the environment, and so is the way out.
    Some(Config {
        proxy: Proxy::Environment,
        ..with_defaults(targets, routes)
    })
}

/// A configuration of the given targets and routes, with every limit at its default.
pub(crate) fn with_defaults(targets: Vec<Target>, routes: Vec<Route>) -> Config {
    Config {
        listen: DEFAULT_LISTEN,
        admin_listen: None,
        allowed_origins: Vec::new(),
        server: Server::default(),
        breaker: Breaker::default(),
        retry_budget: Budget::PROVIDER,
        token_estimate: Estimate::default(),
        proxy: Proxy::default(),
        watch: None,
        cache: Cache::default(),
        targets,
        routes,
        callers: Vec::new(),
    }
}

/// A route with one target a tier, in the order given, and earlier answers as the last resort.
pub(crate) fn route(name: &str, order: &[usize]) -> Route {
    let member = |&target: &usize| {
        vec![Member {
            target,
            weight: 1,
            less_restrictive: false,
        }]
    };
    Route {
        name: name.to_owned(),
        aliases: Vec::new(),
        tiers: order.iter().map(member).collect(),
        preset: Preset::Interactive,
        deadline: None,
        thinking_deadline: None,
        patience: None,
        attempts: None,
        max_calls: None,
        windows: Windows::default(),
        backoff: None,
        strategy: None,
        stick_to: StickTo::Key,
        hedging: None,
        retries: Budget::ROUTE,
        eject_percent: None,
        care: Care::default(),
        degraded: vec![Degraded::Cached],
        remedy: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[derive(Debug)]
    struct Only(&'static [&'static str]);

    impl World for Only {
        fn variable(&self, name: &str) -> Option<String> {
            self.0.contains(&name).then(|| format!("key-of-{name}"))
        }
        fn file(&self, _: &Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn no_key_is_no_configuration() {
        assert!(from_environment(&Only(&[])).is_none());
    }

    #[test]
    fn keys_become_targets_and_each_model_a_route() {
        let config =
            from_environment(&Only(&["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "UNRELATED"])).unwrap();
        let names: Vec<_> = config
            .targets
            .iter()
            .map(|target| target.name.as_str())
            .collect();
        assert_eq!(names, ["openai", "anthropic"]);
        let [default, openai, anthropic] = &config.routes[..] else {
            panic!("{:?}", config.routes)
        };
        assert_eq!(default.name, DEFAULT_ROUTE);
        assert_eq!(openai.tiers[0][0].target, 0);
        assert_eq!(
            (anthropic.tiers[0][0].target, anthropic.tiers[1][0].target),
            (1, 0)
        );
        assert!(
            !format!("{config:?}").contains("key-of"),
            "a key shows in Debug"
        );
    }

    #[test]
    fn two_providers_of_one_model_share_its_route() {
        let config = from_environment(&Only(&["GROQ_API_KEY", "TOGETHER_API_KEY"])).unwrap();
        assert_eq!(config.routes.len(), 2);
    }
}
