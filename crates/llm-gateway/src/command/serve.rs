//! `serve`: the gateway itself.

use crate::config::secret::{Process, World as _};
use crate::config::{Config, Proxy, wellknown};
use crate::engine;
use crate::http::App;
use crate::metrics::Metrics;
use crate::reload::{Hangup, Reload};
use crate::room;
use crate::server::{Drained, Server};
use crate::simulated::Simulated;
use crate::stop::StopSignals;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Serves OpenAI and Anthropic clients until told to stop.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// The configuration. Without it, providers whose keys are in the environment are used; without any key, a
    /// simulator.
    #[arg(long, value_name = "FILE", env = "LLM_GATEWAY_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen, in place of what the configuration says. Only this machine unless told otherwise.
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
}

impl Serve {
    /// Runs until Ctrl-C or SIGTERM. Reads the file again on SIGHUP.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        // Held to the end: it stops with this.
        let mut simulated = None;
        let mut config = match &self.config {
            Some(path) => Config::load(path, &Process)?,
            None => match wellknown::from_environment(&Process) {
                Some(config) => config,
                None => {
                    let sims = Simulated::start().await?;
                    let config = sims.config();
                    simulated = Some(sims);
                    config
                }
            },
        };
        // As the file says, without what arguments replace.
        let read = config.clone();
        if let Some(listen) = self.listen {
            config.listen = listen;
            config.check_listeners()?;
        }
        leave_room(&mut config);
        tell_of_proxy(&config);
        let metrics = Arc::new(Metrics::new(&config));
        let client = engine::build(&config, Arc::clone(&metrics) as _)?;
        let app = Arc::new(App::new(&config, client, metrics));
        let server = Server::bind(&config, Arc::clone(&app)).await?;
        // Without a file there is nothing to read again, and the signal ends the process as usual.
        let reload = match self.config {
            Some(path) => Some(Reload::new(path, read, app).run(Hangup::catch()?)),
            None => None,
        };
        // Caught before anybody is told to call: by default the first signal would end the process and what runs in it.
        let mut signals = StopSignals::catch()?;
        let address = server.address()?;
        if simulated.is_some() {
            say!("{}", no_keys());
        }
        announce(&config, address);
        if let Some(admin) = server.admin_address() {
            say!("metrics and health on http://{admin}");
        }
        say!("listening on http://{address}");
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let impatient = async {
            signals.next().await;
            tracing::info!("finishing running calls; a second signal ends at once");
            // The server is gone only if this is over as well.
            let _ = stop.send(());
            signals.next().await;
        };
        let stopped = async {
            let _ = stopped.await;
        };
        let drained = tokio::select! {
            drained = server.run(stopped) => drained,
            () = impatient => Drained::Cut,
            () = reloading(reload) => Drained::Cut,
        };
        if drained == Drained::Cut {
            tracing::warn!("calls that were still running were cut");
        }
        if let Some(simulated) = simulated {
            simulated.stop().await;
        }
        Ok(())
    }
}

/// A proxy that the environment names and nobody uses is the likely reason why no provider can be reached.
fn tell_of_proxy(config: &Config) {
    let named = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let named = named
        .into_iter()
        .find(|name| Process.variable(name).is_some());
    if let Some(name) = named.filter(|_| config.proxy == Proxy::None) {
        tracing::warn!(
            "{name} is set and not used: say `proxy = \"environment\"` to reach providers through it"
        );
    }
}

/// Serves no more callers at once than there are sockets for, theirs and those of their calls.
fn leave_room(config: &mut Config) {
    let Some(files) = room::raise() else { return };
    let asked = config.server.max_connections;
    let fit = room::connections(files, asked);
    if fit < asked {
        tracing::warn!(
            files,
            connections = fit,
            "the limit on open files leaves room for fewer callers than max_connections = {asked}: raise it (ulimit -n, LimitNOFILE)"
        );
        config.server.max_connections = fit;
    }
}

/// Reloads where there is something to reload; never done.
async fn reloading(reload: Option<impl Future<Output = ()>>) {
    if let Some(reload) = reload {
        reload.await;
    }
    std::future::pending::<()>().await;
}

/// Says loudly that nothing here is real.
fn no_keys() -> String {
    let variables: Vec<_> = wellknown::variables().collect();
    format!(
        "\n  *** NO KEYS FOUND: ANSWERS COME FROM A SIMULATOR, NOT FROM A MODEL ***\n  \
         Give a file by --config, or set one of {}.\n",
        variables.join(", ")
    )
}

fn announce(config: &Config, address: SocketAddr) {
    for target in &config.targets {
        say!(
            "target {}: {} at {}",
            target.name,
            target.model,
            target.provider
        );
    }
    for route in &config.routes {
        let tiers: Vec<String> = route
            .tiers
            .iter()
            .map(|tier| {
                let names = tier
                    .iter()
                    .filter_map(|member| config.targets.get(member.target));
                names
                    .map(|target| target.name.as_str())
                    .collect::<Vec<_>>()
                    .join(" | ")
            })
            .collect();
        say!("model \"{}\": {}", route.name, tiers.join(", then "));
    }
    let callers = config.callers.len();
    if callers > 0 {
        say!("callers with a key: {callers}");
    } else if !address.ip().is_loopback() {
        say!("other machines can reach {address}: anyone who does spends your keys' money");
    }
}
