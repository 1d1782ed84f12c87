//! One attempt: a request goes out, an answer or a failure comes back.

mod attempt;
mod outgoing;

use self::attempt::Attempt;
use self::outgoing::prepare;
use crate::call::Call;
use crate::chat;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::stream::{Clocks, Facts, Reading, ReplyStream};
use crate::transport::{HttpResponse, Transport};
use crate::wire::Dialect;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use llm_errors::{Phase, TransportFault, classify_transport};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// The largest whole answer that is accepted, in bytes: 32 MiB.
pub const MAX_REPLY_BYTES: usize = 32 << 20;

/// How long an attempt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// A new connection, name resolution and TLS included.
    pub connect: Duration,
    /// Streams: from the start to the first content. A whole answer has no first token; for it
    /// only `total` counts.
    pub first_token: Duration,
    /// Streams: the longest silence after the first content.
    pub idle: Duration,
    /// The whole attempt.
    pub total: Duration,
    /// Streams: how much longer than `idle` the silence may be as long as nothing but thoughts has come.
    pub thinking: Duration,
}

/// 5 s to connect, 30 s to the first token, 15 s between tokens, 600 s in all, no more for a model that thinks.
impl Default for Windows {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(30),
            idle: Duration::from_secs(15),
            total: Duration::from_secs(600),
            thinking: Duration::ZERO,
        }
    }
}

/// An answer.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "moved once and taken apart: a box would cost every whole answer an allocation"
)]
pub enum Exchange {
    /// All of it.
    Whole(Whole),
    /// Its first content has come, the rest is on its way.
    Stream(Box<ReplyStream>),
}

/// A whole answer.
#[derive(Clone)]
#[non_exhaustive]
pub struct Whole {
    /// The answer in the caller's dialect; where the target speaks the same, its own bytes.
    pub body: Bytes,
    /// What is known of it.
    pub facts: Facts,
    dialect: Dialect,
}

impl Whole {
    /// The answer in neutral form; [`lost`](chat::Reply::lost) names what that cannot say. `None` where it has a shape
    /// that its dialect does not allow.
    #[must_use]
    pub fn chat(&self) -> Option<chat::Reply> {
        self.dialect.wire().target().decode(&self.body)
    }

    /// The dialect of the body: the caller's.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }
}

impl std::fmt::Debug for Whole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Whole")
            .field("body_bytes", &self.body.len())
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// Sends `call` to `endpoint` once and reads the answer.
///
/// A stream is returned only when its first content has come; what preceded that is held (at most
/// [`MAX_HELD_BYTES`](crate::MAX_HELD_BYTES)) and comes out of it first. So every failure before
/// the first content is an `Err` here, whether it was a status, an error object inside a 200,
/// silence, or a lost connection.
///
/// `now` is the calendar's time at the start: absolute reset times are counted from it.
///
/// # Errors
///
/// [`Failure`], with a verdict. Nothing was sent if its certainty is `never_sent`.
///
/// # Cancel safety
///
/// Dropping the future ends the call; the provider may have begun it.
pub async fn exchange(
    transport: &dyn Transport,
    endpoint: &Endpoint,
    call: &Call,
    windows: &Windows,
    now: SystemTime,
) -> Result<Exchange, Failure> {
    exchange_reading(transport, endpoint, call, windows, now, Reading::default()).await
}

/// The same, with a say in how a stream is read: its text kept, its beginning held back, or its answer
/// taken for the rest of a broken one. A whole answer is read as by [`exchange`].
///
/// # Errors
///
/// As [`exchange`]; also a failure that [`is_diverged`](Failure::is_diverged).
///
/// # Cancel safety
///
/// As [`exchange`].
pub async fn exchange_reading(
    transport: &dyn Transport,
    endpoint: &Endpoint,
    call: &Call,
    windows: &Windows,
    now: SystemTime,
    reading: Reading,
) -> Result<Exchange, Failure> {
    let mut outgoing = prepare(endpoint, call, windows, reading.resume.as_ref())?;
    let started = Instant::now();
    let total = started + windows.total;
    let first = total.min(started + windows.first_token);
    let limit = if call.is_stream() { first } else { total };
    let mut authorization = None;
    if let Some(credential) = endpoint.credential() {
        let authorize = credential.authorize(&mut outgoing.request, transport, now);
        match timeout_at(limit, authorize).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failure::new(error.verdict())),
            Err(_) => return Err(timed_out(Phase::Connect)),
        }
        authorization = outgoing.request.headers.get(AUTHORIZATION).cloned();
    }
    let response = match timeout_at(limit, transport.send(outgoing.request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            return Err(Failure::new(classify_transport(error.fault, error.phase)));
        }
        Err(_) => return Err(timed_out(Phase::Sent)),
    };
    let HttpResponse {
        status,
        headers,
        body,
    } = response;
    let attempt = Attempt {
        endpoint,
        call,
        authorization,
        status,
        started,
        now,
        limit,
    };
    let facts = Facts {
        request_id: request_id(&headers),
        dropped: outgoing.dropped,
        headers,
        ..Facts::default()
    };
    if !(200..300).contains(&status) {
        return Err(attempt.refused(body, &facts).await);
    }
    if !call.is_stream() {
        return attempt.whole(body, facts).await.map(Exchange::Whole);
    }
    let clocks = Clocks {
        first,
        idle: windows.idle,
        thinking: windows.thinking,
        total,
    };
    let stream = attempt.stream(body, facts, clocks, reading).await?;
    Ok(Exchange::Stream(Box::new(stream)))
}

fn timed_out(phase: Phase) -> Failure {
    Failure::new(classify_transport(TransportFault::Timeout, phase))
}

/// Names of the header that names the request, in the order they are looked for.
const REQUEST_ID_HEADERS: [&str; 4] = [
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
];

fn request_id(headers: &HeaderMap) -> Option<Box<str>> {
    let value = REQUEST_ID_HEADERS
        .into_iter()
        .find_map(|name| headers.get(HeaderName::from_static(name)))?;
    let text = value.to_str().ok()?;
    // Ids are short; anything longer is not one.
    (text.len() <= 256).then(|| text.into())
}
