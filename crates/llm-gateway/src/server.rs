//! Listeners, connections and an orderly end.
//!
//! HTTP/1.1 with one task a connection. A request lives in its connection's task, so a caller's hang-up drops it at
//! once, and with it the upstream call; `peer.rs` finds the hang-ups that the server does not see. The number of connections is bounded; beyond it callers wait in the system's
//! queue of the listener. A caller who does not read is cut, so that none can be held for ever.
//!
//! ```text
//! signal ── notice: unready, calls are taken ── drain: none is taken, those there are end ── end
//!           └──────────────── operators are served: health, metrics ─────────────────────┘
//! ```

use crate::config::{self, Config};
use crate::http::{App, Face, handle};
use crate::peer::Peer;
use crate::stall::{Patience, Stall};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long accepting pauses when the system has no socket left.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(50);
/// How long streams that are cut may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Connections of operators served at once.
const ADMIN_CONNECTIONS: usize = 64;

/// A gateway that is bound and not yet serving.
#[derive(Debug)]
pub(crate) struct Server {
    app: Arc<App>,
    limits: config::Server,
    callers: TcpListener,
    admin: Option<TcpListener>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Every call came to its end.
    All,
    /// Some were cut when the time to drain was over.
    Cut,
}

impl Server {
    /// Binds the listeners of `config`.
    ///
    /// # Errors
    ///
    /// The address that cannot be bound, and why.
    pub(crate) async fn bind(config: &Config, app: Arc<App>) -> anyhow::Result<Self> {
        Ok(Self {
            app,
            limits: config.server,
            callers: bind(config.listen).await?,
            admin: match config.admin_listen {
                Some(address) => Some(bind(address).await?),
                None => None,
            },
        })
    }

    /// Where callers are served; tells the port where the configuration left it to the system.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.callers.local_addr()
    }

    /// Where operators are served, if apart.
    pub(crate) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `stop` is done; goes on for the time of notice, unready, so that whoever spreads calls may see it; then
    /// takes no further calls and lets running ones end within the time to drain. Streams that run on are ended in an error
    /// event. Operators are served to the end.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) -> Drained {
        let gate = |face, most| Gate {
            app: Arc::clone(&self.app),
            face,
            limits: self.limits,
            most,
        };
        let callers = gate(Face::Callers, self.limits.max_connections);
        let callers = Listening::start(self.callers, callers);
        let operators = gate(Face::Admin, ADMIN_CONNECTIONS);
        let operators = self.admin.map(|admin| Listening::start(admin, operators));
        stop.await;
        self.app.leave();
        tokio::time::sleep(self.limits.notice).await;
        self.app.drain();
        let mut ended = std::pin::pin!(callers.end());
        let drained = tokio::time::timeout(self.limits.drain, &mut ended).await;
        if drained.is_err() {
            self.app.cut();
            // Whether the last words are read or not, it is over then.
            let _ = tokio::time::timeout(LAST_WORDS, ended).await;
        }
        if let Some(operators) = operators {
            let _ = tokio::time::timeout(LAST_WORDS, operators.end()).await;
        }
        match drained {
            Ok(()) => Drained::All,
            Err(_) => Drained::Cut,
        }
    }
}

/// A listener that takes connections.
#[derive(Debug)]
struct Listening {
    accepting: JoinHandle<()>,
    stop: watch::Sender<bool>,
    connections: Arc<GracefulShutdown>,
}

impl Listening {
    fn start(listener: TcpListener, gate: Gate) -> Self {
        let connections = Arc::new(GracefulShutdown::new());
        let (stop, stopped) = watch::channel(false);
        let accepting = accept(listener, gate, Arc::clone(&connections), stopped);
        Self {
            accepting: tokio::spawn(accepting),
            stop,
            connections,
        }
    }

    /// Takes no more connections, and waits for those there are to come to their end.
    async fn end(self) {
        // The receiver is gone only if the listener is; a listener that panicked has ended as well.
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        if let Some(connections) = Arc::into_inner(self.connections) {
            connections.shutdown().await;
        }
    }
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let mend = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "; another program has the port: stop it, or choose another with --listen"
            }
            std::io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need privileges: choose a higher one"
            }
            std::io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            _ => "",
        };
        anyhow::anyhow!("cannot listen on {address}: {error}{mend}")
    })
}

/// What every connection of one listener needs.
#[derive(Debug, Clone)]
struct Gate {
    app: Arc<App>,
    face: Face,
    limits: config::Server,
    most: usize,
}

async fn accept(
    listener: TcpListener,
    gate: Gate,
    graceful: Arc<GracefulShutdown>,
    mut stopped: watch::Receiver<bool>,
) {
    let free = Arc::new(Semaphore::new(gate.most.min(Semaphore::MAX_PERMITS)));
    loop {
        let next = async {
            // The semaphore is never closed.
            let permit = Arc::clone(&free).acquire_owned().await.ok();
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(stream, gate.clone(), &graceful);
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(OUT_OF_SOCKETS).await;
            }
        }
    }
}

/// Serves one connection to its end.
fn serve(
    stream: TcpStream,
    gate: Gate,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    // Small writes must leave at once: the first token of a stream is one.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let Gate {
        app, face, limits, ..
    } = gate;
    let (socket, presence) = Peer::new(stream);
    let service = service_fn(move |request| {
        let (app, presence) = (Arc::clone(&app), presence.clone());
        async move { Ok::<_, Infallible>(handle(&app, face, presence, request).await) }
    });
    let patience = Patience {
        stall: limits.write_timeout,
        ..Patience::default()
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .serve_connection(TokioIo::new(Stall::new(socket, patience)), service);
    let watched = graceful.watch(connection);
    async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
