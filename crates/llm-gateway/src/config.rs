//! The configuration: one TOML file, read into plain values, with every fault told at once.
//!
//! [`Config::parse`] is pure but for the keys it fetches through a [`World`]; what the values mean for the engine is
//! `engine.rs`. The reader walks the document by hand instead of deserialising it, because that is the only way to name
//! line, key and mend for *every* fault in one run rather than for the first one.

mod backoff;
mod breaker;
mod budget;
mod caller;
mod care;
mod cloud;
pub(crate) mod fault;
pub(crate) mod key;
pub(crate) mod known;
mod limit;
mod place;
mod price;
mod reader;
mod remedy;
mod route;
pub(crate) mod secret;
mod server;
mod space;
mod spend;
mod stick;
mod target;
mod unit;
pub(crate) mod walk;
pub(crate) mod wellknown;
mod wording;

#[cfg(test)]
mod tests;

use crate::engine::{Budget, Estimate};
use fault::{Faults, place_of};
use reader::Reader;
use secret::World;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

pub(crate) use breaker::Breaker;
pub(crate) use caller::Caller;
pub(crate) use cloud::{Cloud, Identity};
pub(crate) use price::micros;
pub(crate) use route::{Degraded, Member, Preset, Route};
pub(crate) use stick::{StickTo, keys_of};
pub(crate) use target::Target;
pub(crate) use unit::duration;

/// Where callers are served unless told otherwise: the loopback only.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// A whole configuration, valid in itself.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Where callers are served.
    pub(crate) listen: SocketAddr,
    /// Where metrics and health are served, if apart.
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Web pages that may call, as browsers send them in `Origin`.
    pub(crate) allowed_origins: Vec<String>,
    /// Limits of the server.
    pub(crate) server: Server,
    /// When a target is left alone.
    pub(crate) breaker: Breaker,
    /// What repeated calls to one provider's region may come to.
    pub(crate) retry_budget: Budget,
    /// The store behind the degraded mode `cached`.
    pub(crate) cache: Cache,
    /// How the tokens of a prompt are estimated.
    pub(crate) token_estimate: Estimate,
    /// How providers are reached.
    pub(crate) proxy: Proxy,
    /// How often the file is looked at for a change, where it is.
    pub(crate) watch: Option<Duration>,
    /// At least one.
    pub(crate) targets: Vec<Target>,
    /// At least one; members name targets by index.
    pub(crate) routes: Vec<Route>,
    /// Who may call; anyone, where nobody is named.
    pub(crate) callers: Vec<Caller>,
}

/// How providers are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Proxy {
    /// Straight.
    #[default]
    None,
    /// By way of what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    Environment,
}

/// Limits of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Server {
    /// The largest request body.
    pub(crate) max_body_bytes: usize,
    /// Memory for large bodies of all calls together.
    pub(crate) max_bodies_bytes: usize,
    /// Connections served at once.
    pub(crate) max_connections: usize,
    /// How long a connection may be without a request, or a caller take to send its headers.
    pub(crate) header_timeout: Duration,
    /// How long a caller may take to send the body.
    pub(crate) body_timeout: Duration,
    /// How long a caller may leave the answer unread.
    pub(crate) write_timeout: Duration,
    /// How long calls are still taken after the signal to stop, by a gateway that says it is not ready.
    pub(crate) notice: Duration,
    /// How long running calls may go on after that.
    pub(crate) drain: Duration,
}

impl Default for Server {
    /// 32 MiB a body, 1 GiB for all, 4096 connections, 75 s for headers, 60 s for a body, 30 s unread, no notice, 25 s to
    /// drain.
    ///
    /// A load balancer that keeps connections for longer than this would send calls into closing ones: those of AWS and
    /// nginx keep them for 60 s. Kubernetes kills what has not ended within 30 s.
    fn default() -> Self {
        Self {
            max_body_bytes: 32 << 20,
            max_bodies_bytes: 1 << 30,
            max_connections: 4096,
            header_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            notice: Duration::ZERO,
            drain: Duration::from_secs(25),
        }
    }
}

/// The store behind the degraded mode `cached`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cache {
    /// Memory for all answers together.
    pub(crate) max_bytes: usize,
    /// How old an answer may be when it stands in for a fresh one.
    pub(crate) stale: Duration,
}

impl Default for Cache {
    /// 64 MiB, a day.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            stale: Duration::from_secs(24 * 3600),
        }
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// Every fault of the file, in its order.
    pub(crate) fn load(path: &Path, world: &dyn World) -> Result<Self, Faults> {
        let origin = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|error| {
            let what = format!("the configuration cannot be read: {error}");
            Faults::single(
                &origin,
                what,
                "check the path given by --config, and that this user may read it".to_owned(),
            )
        })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error
                .as_bytes()
                .get(..error.utf8_error().valid_up_to())
                .unwrap_or_default();
            let (line, column) = place_of(&String::from_utf8_lossy(valid), valid.len());
            let what = format!("not UTF-8 text at line {line}, column {column}");
            Faults::single(&origin, what, "save the file as UTF-8".to_owned())
        })?;
        Self::parse(&origin, &text, world)
    }

    /// Reads a configuration from its text; `origin` stands for the file in messages.
    ///
    /// # Errors
    ///
    /// Every fault of the text, in its order.
    pub(crate) fn parse(origin: &str, text: &str, world: &dyn World) -> Result<Self, Faults> {
        let mut reader = Reader::new(text);
        let document = reader.document();
        let top = reader.top(&document);
        let (listen, admin_listen) = server::listeners(&mut reader, &top);
        let allowed_origins = server::origins(&mut reader, &top);
        let server = server::server(&mut reader, &top);
        let breaker = breaker::read(&mut reader, &top);
        let retry_budget = budget::read(&mut reader, &top, Budget::PROVIDER);
        let cache = server::cache(&mut reader, &top);
        let token_estimate = server::token_estimate(&mut reader, &top);
        let proxy = server::proxy(&mut reader, &top);
        let watch = server::watch(&mut reader, &top);
        let targets = target::read(&mut reader, &top, &breaker, world);
        target::check_loops(&mut reader, &top, &targets, listen);
        let routes = route::read(&mut reader, &top, &targets);
        space::check(&mut reader, &top, &targets, &routes);
        let callers = caller::read(&mut reader, &top, &routes, world);
        reader.finish(origin)?;
        let targets = targets
            .into_iter()
            .filter_map(|(_, target)| target)
            .collect();
        Ok(Self {
            listen,
            admin_listen,
            allowed_origins,
            server,
            breaker,
            retry_budget,
            cache,
            token_estimate,
            proxy,
            watch,
            targets,
            routes,
            callers,
        })
    }

    /// Checks that no two listeners want the same port, once more after an argument has replaced one.
    ///
    /// # Errors
    ///
    /// The fault, without a place in a file.
    pub(crate) fn check_listeners(&self) -> Result<(), Faults> {
        match self.admin_listen {
            Some(admin) if server::collide(self.listen, admin) => {
                let what = format!(
                    "two listeners on port {}: --listen and admin_listen",
                    admin.port()
                );
                Err(Faults::single(
                    "command line",
                    what,
                    "give one of them another port".to_owned(),
                ))
            }
            _ => Ok(()),
        }
    }
}
