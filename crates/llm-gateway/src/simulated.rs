//! The embedded simulator, for those who have no key yet.

use crate::config::{Breaker, Cloud, Config, Target, wellknown};
use crate::engine::{Features, Limits, Provider, Thinking};
use llm_sim::{Script, Sim, SimHandle};

/// Two simulated providers on the loopback, one of each dialect.
#[derive(Debug)]
pub(crate) struct Simulated {
    openai: SimHandle,
    anthropic: SimHandle,
}

impl Simulated {
    /// Starts both, in perfect health.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Ok(Self {
            openai: Sim::builder()
                .script(Script::healthy())
                .seed(1)
                .start()
                .await?,
            anthropic: Sim::builder()
                .script(Script::healthy())
                .seed(2)
                .start()
                .await?,
        })
    }

    /// A configuration that uses them.
    pub(crate) fn config(&self) -> Config {
        let targets = vec![
            target(
                "simulated-openai",
                Provider::OpenAi,
                self.openai.openai_base_url(),
            ),
            target(
                "simulated-anthropic",
                Provider::Anthropic,
                self.anthropic.base_url(),
            ),
        ];
        let routes = vec![wellknown::route(wellknown::DEFAULT_ROUTE, &[0, 1])];
        wellknown::with_defaults(targets, routes)
    }

    /// Stops both.
    pub(crate) async fn stop(self) {
        self.openai.shutdown().await;
        self.anthropic.shutdown().await;
    }
}

/// A simulated target.
pub(crate) fn target(name: &str, provider: Provider, base_url: String) -> Target {
    Target {
        name: name.to_owned(),
        provider,
        model: format!("{name}-model"),
        base_url: Some(base_url),
        wire: None,
        embeddings: None,
        cloud: Cloud::default(),
        api_key: None,
        credential: None,
        key_turn: 0,
        headers: Vec::new(),
        query: Vec::new(),
        context_window: None,
        default_max_tokens: None,
        prefill: None,
        breaker: Breaker::default(),
        thinks: Thinking::default(),
        lacks: Features::NONE,
        known: None,
        limits: Limits::default(),
        price: None,
        place: Default::default(),
    }
}
