//! The simulator as a value: built, started, watched, steered, stopped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::record::{Received, Recorder};
use crate::script::Script;
use crate::server;
use crate::shared::Shared;

/// The simulated provider; see [`Sim::builder`].
#[derive(Debug)]
pub struct Sim;

impl Sim {
    /// Starts to describe a simulator. Defaults: a healthy script, seed 0, a free port of the loopback.
    pub fn builder() -> SimBuilder {
        SimBuilder {
            script: Script::healthy(),
            seed: 0,
            address: "127.0.0.1:0".to_owned(),
            allow_remote: false,
            connections: 4_096,
            remember: 1_024,
            keep_body: 16 << 10,
        }
    }
}

/// Describes a simulator.
///
/// ```
/// use llm_sim::{Preset, Rule, Script, Sim};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let script = Script::builder().rule(Rule::new().calls(1..=1).preset(Preset::ServerError)).build()?;
/// let sim = Sim::builder().script(script).seed(7).start().await?;
/// println!("point your client's base URL to {}", sim.openai_base_url());
/// assert_eq!(sim.count(), 0);
/// sim.shutdown().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `start`"]
pub struct SimBuilder {
    script: Script,
    seed: u64,
    address: String,
    allow_remote: bool,
    connections: usize,
    remember: usize,
    keep_body: usize,
}

impl SimBuilder {
    /// Sets how the provider behaves. Default: [`Script::healthy`].
    pub fn script(mut self, script: Script) -> Self {
        self.script = script;
        self
    }

    /// Sets the source of all that is made up. Equal seeds and equal calls in equal order give equal bodies. Default 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the address to listen on, an IP address with a port (`localhost` is understood; port 0 takes a free one).
    /// Default `127.0.0.1:0`.
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Allows an address that other machines can reach. Anybody who can reach the port can steer the simulator.
    /// Default: refused.
    pub const fn allow_remote(mut self) -> Self {
        self.allow_remote = true;
        self
    }

    /// Sets how many connections may be open at one time; more wait in the kernel's queue. Default 4096, at least 1.
    pub const fn connections(mut self, most: usize) -> Self {
        self.connections = most;
        self
    }

    /// Sets how many calls the record remembers; older ones are forgotten, but counted. 0 switches it off. Default 1024.
    pub const fn remember(mut self, calls: usize) -> Self {
        self.remember = calls;
        self
    }

    /// Sets how many bytes of each request body the record keeps. Default 16 KiB.
    pub const fn keep_body(mut self, bytes: usize) -> Self {
        self.keep_body = bytes;
        self
    }

    /// Listens and serves, on a task of the Tokio runtime it is called in.
    ///
    /// # Errors
    ///
    /// [`StartError`] if the address is none, is not the loopback, or cannot be bound.
    pub async fn start(self) -> Result<SimHandle, StartError> {
        let address = self
            .address
            .strip_prefix("localhost:")
            .map_or_else(|| self.address.clone(), |port| format!("127.0.0.1:{port}"));
        let address: SocketAddr = address.parse().map_err(|_| StartError::Address {
            address: self.address.clone(),
        })?;
        if !address.ip().is_loopback() && !self.allow_remote {
            return Err(StartError::Remote { address });
        }
        let bind = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let shared = Arc::new(Shared::new(
            self.seed,
            self.script,
            Recorder::new(self.remember, self.keep_body),
        ));
        let (stop, stopped) = watch::channel(false);
        let connections = self
            .connections
            .clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        let task = tokio::spawn(server::run(
            listener,
            Arc::clone(&shared),
            connections,
            stopped,
        ));
        Ok(SimHandle {
            address,
            shared,
            stop,
            task: Some(task),
        })
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is not an IP address with a port.
    #[error("`{address}` is not an address to listen on; write it as 127.0.0.1:9001")]
    Address {
        /// What was given.
        address: String,
    },
    /// The address can be reached by other machines, and nobody said it may.
    #[error(
        "{address} can be reached by other machines; allow that explicitly or listen on 127.0.0.1"
    )]
    Remote {
        /// What was given.
        address: SocketAddr,
    },
    /// The operating system refused the address.
    #[error("cannot listen on {address}")]
    Bind {
        /// What was given.
        address: SocketAddr,
        /// Its reason.
        source: io::Error,
    },
}

/// A running simulator. Dropping it stops it at once; [`shutdown`](Self::shutdown) lets calls in progress finish.
#[derive(Debug)]
#[must_use = "dropping the handle stops the simulator"]
pub struct SimHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl SimHandle {
    /// The address it listens on.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for Anthropic clients and for the control interface, as `http://127.0.0.1:9001`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL for OpenAI clients, as `http://127.0.0.1:9001/v1`.
    #[must_use]
    pub fn openai_base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The calls still remembered, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.recorder.received()
    }

    /// Calls since the start or the last reset, the forgotten ones included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.shared.recorder.count()
    }

    /// Waits until the remembered calls satisfy `condition`; false if they do not within `limit`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wait_until(
        &self,
        limit: Duration,
        mut condition: impl FnMut(&[Received]) -> bool,
    ) -> bool {
        let watching = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.recorder.changed());
                changed.as_mut().enable();
                if condition(&self.received()) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, watching).await.is_ok()
    }

    /// Empties the record and begins counters, schedule and limits anew, with the same script.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Changes the script for all calls that arrive from now on; counters, schedule and limits begin anew. Calls in
    /// progress end as their script had it; the record stays.
    pub fn set_script(&self, script: Script) {
        self.shared.set_script(script);
    }

    /// Stops listening at once, lets calls in progress go on for at most one second, and then ends them.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future stops the simulator at once.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if let Some(task) = &mut self.task {
            let _ = task.await;
        }
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
