//! The transport everybody knows: reqwest on rustls with ring.

use super::connect::{CONNECTING, Connecting, WindowLayer};
use super::{HttpRequest, HttpResponse, Transport, TransportError};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use llm_errors::{Phase, TransportFault};
use reqwest::{Client, Url};
use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind as Io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a new connection may take by default, name resolution and TLS included.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// [`Transport`] over reqwest.
///
/// One pool of connections for all endpoints. reqwest's own retries and redirects are off (it
/// would resend bodies unseen, and a key to whatever host it is pointed at), `TCP_NODELAY` is on,
/// TLS is rustls with ring and the system's roots, no matter what provider the process has
/// installed, if any. A gzipped answer, which nobody asks for and some proxies give, is unpacked.
/// Cheap to clone.
///
/// It speaks HTTP/1.1, one call at a time on each connection. Over HTTP/2 all calls to a host would
/// share one connection: a stream lasts for half a minute, edges allow a hundred at a time, and the
/// next call would wait in the client, unseen and unsent, until its first-token window blames the
/// provider; and one lost packet, or one closed connection, would be everybody's.
///
/// A connection that was kept and that the peer closed before anything of a reply came is told as
/// [`TransportFault::Stale`]. A call that is to go by a [fresh](HttpRequest::fresh) one never meets it.
#[derive(Clone)]
pub struct ReqwestTransport {
    client: Client,
    /// The same without connections that are kept.
    fresh: Client,
}

/// Settings of a [`ReqwestTransport`].
#[derive(Debug, Clone)]
#[must_use = "nothing is built until `build` is called"]
pub struct ReqwestTransportBuilder {
    connect_timeout: Duration,
    idle_connections: usize,
    idle_timeout: Duration,
    environment_proxy: bool,
}

/// The client could not be built; for instance, the system has no TLS roots.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client could not be built")]
pub struct TransportBuildError(#[source] Box<dyn StdError + Send + Sync>);

impl ReqwestTransport {
    /// A transport with the default settings.
    ///
    /// # Errors
    ///
    /// [`TransportBuildError`] where the system's TLS roots cannot be read.
    pub fn try_new() -> Result<Self, TransportBuildError> {
        Self::builder().build()
    }

    /// Starts with the default settings.
    pub const fn builder() -> ReqwestTransportBuilder {
        ReqwestTransportBuilder {
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            idle_connections: 256,
            idle_timeout: Duration::from_secs(60),
            environment_proxy: false,
        }
    }
}

impl ReqwestTransportBuilder {
    /// Sets how long a new connection may take at most; a request's own window may be shorter.
    /// Default: [`DEFAULT_CONNECT_TIMEOUT`].
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how many idle connections are kept for each host. Default: 256.
    pub const fn idle_connections(mut self, count: usize) -> Self {
        self.idle_connections = count;
        self
    }

    /// Sets how long an idle connection is kept. Default: 60 s, under the 65 s and more after which
    /// common edges close theirs, so that a request seldom meets a closing connection.
    pub const fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Reads the proxy from the usual environment variables. Default: no proxy.
    pub const fn environment_proxy(mut self) -> Self {
        self.environment_proxy = true;
        self
    }

    /// Builds the transport. No connection is made yet.
    ///
    /// # Errors
    ///
    /// [`TransportBuildError`] where the system's TLS roots cannot be read.
    pub fn build(self) -> Result<ReqwestTransport, TransportBuildError> {
        // reqwest panics when it finds no provider. Installing can only fail because one is
        // already there, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(ReqwestTransport {
            client: self.client(self.idle_connections)?,
            fresh: self.client(0)?,
        })
    }

    fn client(&self, idle_connections: usize) -> Result<Client, TransportBuildError> {
        let mut builder = Client::builder()
            .retry(reqwest::retry::never())
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // Some edges turn away whoever does not say what he is; a target's own header replaces it.
            .user_agent(concat!("llm-resilience/", env!("CARGO_PKG_VERSION")))
            .tcp_nodelay(true)
            .tcp_keepalive(Duration::from_secs(30))
            .connect_timeout(self.connect_timeout)
            .connector_layer(WindowLayer)
            .http1_only()
            .pool_max_idle_per_host(idle_connections)
            .pool_idle_timeout(self.idle_timeout);
        if !self.environment_proxy {
            builder = builder.no_proxy();
        }
        builder
            .build()
            .map_err(|error| TransportBuildError(Box::new(error.without_url())))
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").finish_non_exhaustive()
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let url = Url::parse(&request.uri.to_string())
                .map_err(|_| TransportError::new(TransportFault::Other, Phase::Connect))?;
            let mut outgoing = reqwest::Request::new(request.method, url);
            *outgoing.headers_mut() = request.headers;
            *outgoing.body_mut() = Some(request.body.into());
            let made = Arc::new(AtomicBool::new(false));
            let connecting = Connecting {
                window: request.connect,
                made: Arc::clone(&made),
            };
            let client = if request.fresh {
                &self.fresh
            } else {
                &self.client
            };
            let mut response = CONNECTING
                .scope(connecting, client.execute(outgoing))
                .await
                .map_err(|error| stale(read(&error, Phase::Sent), made.load(Ordering::Relaxed)))?;
            let status = response.status().as_u16();
            let headers = std::mem::take(response.headers_mut());
            let body = response
                .bytes_stream()
                .map_err(|error| read(&error, Phase::FirstByte))
                .boxed();
            Ok(HttpResponse::new(status, headers, body))
        })
    }
}

/// A connection lost before anything of a reply came, and that was kept from an earlier call if none was `made` for this
/// one. Where one was made and another came free meanwhile, it is not known which was used, and nothing is excused.
fn stale(error: TransportError, made: bool) -> TransportError {
    let lost = matches!(error.fault, TransportFault::Reset | TransportFault::Closed);
    if lost && error.phase == Phase::Sent && !made {
        return TransportError::new(TransportFault::Stale, Phase::Sent);
    }
    error
}

/// Reads reqwest's error down to its cause. `phase` is how far the call had come at least.
fn read(error: &reqwest::Error, phase: Phase) -> TransportError {
    let phase = if error.is_connect() {
        Phase::Connect
    } else {
        phase
    };
    if error.is_timeout() {
        return TransportError::new(TransportFault::Timeout, phase);
    }
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    let mut fault = if error.is_dns() {
        TransportFault::Dns
    } else if error.is_connect() {
        TransportFault::Connect
    } else {
        TransportFault::Other
    };
    while let Some(inner) = cause {
        if inner.is::<rustls::Error>() {
            return TransportError::new(TransportFault::Tls, phase);
        }
        if let Some(hyper) = inner.downcast_ref::<hyper::Error>() {
            if hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled() {
                fault = TransportFault::Closed;
            } else if hyper.is_parse() {
                fault = TransportFault::Protocol;
            }
        }
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            if is_shortage(io) {
                return TransportError::new(TransportFault::Local, phase);
            }
            match io.kind() {
                Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe => {
                    fault = TransportFault::Reset;
                }
                Io::UnexpectedEof => fault = TransportFault::Closed,
                _ => {}
            }
            // A TLS error travels inside an I/O error, whose `source` skips it.
            if io
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>())
            {
                return TransportError::new(TransportFault::Tls, phase);
            }
        }
        cause = inner.source();
    }
    TransportError::new(fault, phase)
}

/// No file or memory left, here: `ENFILE`, `EMFILE` and `ENOMEM`, which have these numbers on every Unix.
fn is_shortage(error: &std::io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(12 | 23 | 24))
}
