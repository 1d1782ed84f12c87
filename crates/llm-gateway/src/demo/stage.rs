//! The stage: three simulated providers and the gateway, all on the loopback.

use super::script::{self, Phase, Trouble};
use crate::config::Config;
use crate::config::secret::Process;
use crate::engine;
use crate::http::App;
use crate::metrics::Metrics;
use crate::server::{Drained, Server};
use anyhow::Context as _;
use llm_sim::{Sim, SimHandle};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Everything that runs during the demonstration.
#[derive(Debug)]
pub(crate) struct Stage {
    primary: SimHandle,
    backup: SimHandle,
    /// The equal of the primary that the side without protection calls.
    bare: SimHandle,
    gateway: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Drained>,
}

/// Upstream calls so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Upstream {
    /// By the gateway, to primary and backup.
    pub(crate) protected: u64,
    /// By the plain client.
    pub(crate) bare: u64,
}

impl Stage {
    /// Starts everything, in perfect health; `listen` is where the gateway serves.
    pub(crate) async fn set_up(listen: SocketAddr) -> anyhow::Result<Self> {
        let healthy = script::script(Trouble::None)?;
        let start = |seed| Sim::builder().script(healthy.clone()).seed(seed).start();
        // The two primaries are equal to the last byte.
        let (primary, backup, bare) = (start(1).await?, start(2).await?, start(1).await?);
        let text = configuration(listen, &primary.openai_base_url(), &backup.base_url());
        let config = Config::parse("the demonstration's configuration", &text, &Process)?;
        let metrics = Arc::new(Metrics::new(&config));
        let client = engine::build(&config, Arc::clone(&metrics) as _)?;
        let server = Server::bind(&config, Arc::new(App::new(&config, client, metrics))).await?;
        let gateway = server.address()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async {
            // A dropped sender means the same.
            let _ = stopped.await;
        }));
        Ok(Self {
            primary,
            backup,
            bare,
            gateway,
            stop,
            serving,
        })
    }

    /// Lets a phase begin on both sides.
    pub(crate) fn enter(&self, phase: &Phase) -> anyhow::Result<()> {
        let script = script::script(phase.trouble)?;
        self.bare.set_script(script.clone());
        self.primary.set_script(script);
        let backup = if phase.backup_down {
            Trouble::Down
        } else {
            Trouble::None
        };
        self.backup.set_script(script::script(backup)?);
        Ok(())
    }

    /// The gateway's base URL for OpenAI clients.
    pub(crate) fn protected_url(&self) -> String {
        format!("http://{}/v1", self.gateway)
    }

    /// The base URL of the provider that is called without protection.
    pub(crate) fn bare_url(&self) -> String {
        self.bare.openai_base_url()
    }

    /// The address of the gateway.
    pub(crate) const fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Upstream calls so far, as the providers counted them.
    pub(crate) fn upstream(&self) -> Upstream {
        Upstream {
            protected: self.primary.count() + self.backup.count(),
            bare: self.bare.count(),
        }
    }

    /// Ends everything in order.
    pub(crate) async fn tear_down(self) -> anyhow::Result<()> {
        // If the gateway is gone already, its task tells why.
        let _ = self.stop.send(());
        self.serving.await.context("the gateway ended badly")?;
        self.primary.shutdown().await;
        self.backup.shutdown().await;
        self.bare.shutdown().await;
        Ok(())
    }
}

/// The gateway's configuration. Times are shorter than the defaults, so that an outage fits into half a minute.
pub(crate) fn configuration(listen: SocketAddr, primary: &str, backup: &str) -> String {
    format!(
        r#"
listen = "{listen}"

[server]
drain = "2s"

[breaker]
cooldown = "1s"               # default 60s
cooldown_max = "1s"           # default 5m
ramp_step = "200ms"           # default 10s

[targets.primary]
provider = "openai"
model = "simulated-large"
base_url = "{primary}"

[targets.backup]              # another provider, another dialect: translated
provider = "anthropic"
model = "simulated-other"
base_url = "{backup}"

[routes.chat]
tiers = [["primary"], ["backup"]]
deadline = "4s"               # default 30s
patience = "100ms"            # default 2s
windows = {{ connect = "500ms", first_token = "700ms", whole = "700ms" }}
degraded = [
  {{ mode = "cached" }},
  {{ mode = "message", text = "No model can answer right now.", contact = "A person can: help@example.com." }},
]
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_valid() {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let text = configuration(listen, "http://127.0.0.1:1/v1", "http://127.0.0.1:2");
        Config::parse("demo", &text, &Process).unwrap();
    }
}
