//! The one seam through which bytes move.
//!
//! An adapter makes an [`HttpRequest`] and reads an [`HttpResponse`]; a [`Transport`] is all that
//! lies between. It sends once: it neither retries nor follows redirects, because whoever counts
//! attempts must see every one of them.

mod connect;
mod reqwest;

pub use self::reqwest::{
    DEFAULT_CONNECT_TIMEOUT, ReqwestTransport, ReqwestTransportBuilder, TransportBuildError,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use http::{HeaderMap, Method, Uri};
use llm_errors::{Phase, TransportFault};
use std::fmt;
use std::time::Duration;

/// A request to send: a `POST`, but where a token is fetched.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// How.
    pub method: Method,
    /// Where to.
    pub uri: Uri,
    /// The headers, key included.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long a new connection may take. A transport that cannot set it for one request applies
    /// its own.
    pub connect: Duration,
    /// Not by a connection that was kept from an earlier call. A transport that cannot tell sends as it can.
    pub fresh: bool,
}

/// A reply whose head has arrived.
#[non_exhaustive]
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it arrives. Dropping it ends the call.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

/// The connection failed. Carries no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} in phase {phase}")]
pub struct TransportError {
    /// What broke.
    pub fault: TransportFault,
    /// How far the call had come.
    pub phase: Phase,
}

/// Moves bytes. Implement it to use another HTTP client, a proxy of your own, or a recording.
///
/// # Cancel safety
///
/// Dropping the future of [`send`](Self::send), or the body of the reply, must end the call: no
/// more of it is wanted, and the provider should learn that by the closed connection or stream.
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` once and resolves when the reply's head has arrived.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>>;
}

impl HttpRequest {
    /// A `POST` of `body` to `uri`.
    #[must_use]
    pub const fn new(uri: Uri, headers: HeaderMap, body: Bytes, connect: Duration) -> Self {
        Self {
            method: Method::POST,
            uri,
            headers,
            body,
            connect,
            fresh: false,
        }
    }
}

impl HttpResponse {
    /// A reply with this head; `body` is read as it arrives.
    #[must_use]
    pub fn new(
        status: u16,
        headers: HeaderMap,
        body: BoxStream<'static, Result<Bytes, TransportError>>,
    ) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }
}

impl TransportError {
    /// `fault` in `phase`.
    #[must_use]
    pub const fn new(fault: TransportFault, phase: Phase) -> Self {
        Self { fault, phase }
    }
}

/// Shows sizes, never the key, the query or the body.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("host", &self.uri.host())
            .field("path", &self.uri.path())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transport_can_be_a_trait_object() {
        fn takes(_: Option<&dyn Transport>) {}
        takes(None);
    }
}
