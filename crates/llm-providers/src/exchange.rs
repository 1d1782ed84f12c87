//! One attempt: a request goes out, an answer or a failure comes back.

use crate::call::{Call, Features, SHORTENED};
use crate::codec::note;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, MAX_ERROR_BODY_BYTES};
use crate::stream::{
    Clocks, Course, Facts, Glance, Name, Parts, REPLY_TOOL_CALLS, Reading, ReplyStream, Resume,
    Stuck, Translator,
};
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use crate::wire::{Dialect, Terms};
use crate::{chat, embedding, form, prefill};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use llm_errors::{
    ErrorKind, Phase, Reply, TransportFault, Verdict, classify_answer, classify_reply,
    classify_stream_error, classify_transport,
};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// The largest whole answer that is accepted, in bytes: 32 MiB.
pub const MAX_REPLY_BYTES: usize = 32 << 20;
/// How long the rest of an error's body may take: what has come by then is classified.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(2);

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
}

/// 5 s to connect, 30 s to the first token, 15 s between tokens, 600 s in all.
impl Default for Windows {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_token: Duration::from_secs(30),
            idle: Duration::from_secs(15),
            total: Duration::from_secs(600),
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
    /// The answer in neutral form. `None` where it has a shape that its dialect does not allow.
    #[must_use]
    pub fn chat(&self) -> Option<chat::Reply> {
        form::decode_whole(self.dialect, &self.body)
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
    if let Some(credential) = endpoint.credential() {
        let authorize = credential.authorize(&mut outgoing.request, transport, now);
        match timeout_at(limit, authorize).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failure::new(error.verdict())),
            Err(_) => return Err(timed_out(Phase::Connect)),
        }
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
        total,
    };
    let stream = attempt.stream(body, facts, clocks, reading).await?;
    Ok(Exchange::Stream(Box::new(stream)))
}

/// What no dialect has a place for in another's: left out, it would change the answer unseen.
const NATIVE_ONLY: [Features; 5] = [
    Features::STATE,
    Features::CHOICES,
    Features::LOGPROBS,
    Features::AUDIO,
    Features::SERVER_TOOLS,
];

/// What a turn shows: pictures, documents and sounds, wherever a wire has no place for them.
fn is_essential(field: &str) -> bool {
    let shown = ["messages.image.", "messages.document", "messages.audio"];
    shown.iter().any(|kind| field.starts_with(kind)) && field != "messages.image.detail"
}

/// Headers that hold a list, to which endpoint and caller both add.
const LIST_HEADERS: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// A request ready to go.
struct Outgoing {
    request: HttpRequest,
    dropped: Vec<&'static str>,
}

/// Puts `call` into the endpoint's dialect.
fn prepare(
    endpoint: &Endpoint,
    call: &Call,
    windows: &Windows,
    resume: Option<&Resume>,
) -> Result<Outgoing, Failure> {
    if endpoint.purpose() != call.purpose() {
        return Err(unsupported());
    }
    let same = endpoint.wire() == call.dialect();
    let mut headers = endpoint.headers().clone();
    let (mut body, mut dropped) = if same {
        let mut dropped = call.dropped().to_vec();
        note(
            &mut dropped,
            call.withholds_reasoning(),
            "messages.thinking",
        );
        (endpoint.body_of(call), dropped)
    } else {
        let features = call.features();
        if NATIVE_ONLY.iter().any(|only| features.contains(*only)) {
            return Err(unsupported());
        }
        let request = call.chat().map_err(Failure::from_bad_request)?;
        let terms = Terms {
            model: endpoint.model(),
            quirks: endpoint.quirks(),
            default_max_tokens: endpoint.default_max_tokens(),
            on_vertex: endpoint.on_vertex(),
        };
        let encoded = endpoint.wire().target().encode(request, &terms);
        // Without a picture or a document the answer would be about something else.
        if encoded.dropped.iter().any(|field| is_essential(field)) {
            return Err(unsupported());
        }
        let mut dropped = encoded.dropped;
        dropped.extend(call.is_shortened().then_some(SHORTENED));
        (encoded.body, dropped)
    };
    if let Some((text, tokens)) = resume.and_then(Resume::prefill) {
        let way = endpoint.prefill();
        body = prefill::add(&body, way, text, tokens).ok_or_else(unsupported)?;
    }
    dropped.sort_unstable();
    dropped.dedup();
    if same {
        add_callers_headers(&mut headers, call.headers());
    }
    let accept = if call.is_stream() {
        endpoint.wire().target().framing().media_type()
    } else {
        "application/json"
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    let uri = endpoint.uri(call.is_stream()).clone();
    Ok(Outgoing {
        request: HttpRequest::new(uri, headers, body, windows.connect),
        dropped,
    })
}

/// What the endpoint cannot do; nothing was sent.
fn unsupported() -> Failure {
    Failure::new(Verdict::new(ErrorKind::UnsupportedFeature, Phase::Connect))
}

/// Adds the caller's headers: lists are joined, the caller names its own API version, and what else
/// the endpoint has configured stays.
fn add_callers_headers(headers: &mut HeaderMap, callers: &HeaderMap) {
    for name in callers.keys() {
        let values = callers.get_all(name);
        if LIST_HEADERS.contains(&name.as_str()) {
            if let Some(joined) = join(headers.get_all(name).iter().chain(&values)) {
                headers.insert(name.clone(), joined);
            }
        } else if name.as_str() == "anthropic-version" || !headers.contains_key(name) {
            headers.remove(name);
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
}

/// The entries of all values in one, each once and in order of appearance.
fn join<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Option<HeaderValue> {
    let mut entries: Vec<&[u8]> = Vec::new();
    let mut sensitive = false;
    for value in values {
        sensitive |= value.is_sensitive();
        for entry in value.as_bytes().split(|byte| *byte == b',') {
            let entry = entry.trim_ascii();
            if !entry.is_empty() && !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    let mut joined = HeaderValue::from_bytes(&entries.join(&b","[..])).ok()?;
    joined.set_sensitive(sensitive);
    Some(joined)
}

/// One attempt, once the head of its reply is there.
struct Attempt<'a> {
    endpoint: &'a Endpoint,
    call: &'a Call,
    status: u16,
    started: Instant,
    now: SystemTime,
    limit: Instant,
}

type Body = BoxStream<'static, Result<Bytes, TransportError>>;

impl Attempt<'_> {
    /// Reads an error's body, as much as comes, and classifies it.
    async fn refused(&self, mut body: Body, facts: &Facts) -> Failure {
        let limit = self.limit.min(Instant::now() + ERROR_BODY_WAIT);
        let mut read = BytesMut::new();
        while read.len() < MAX_ERROR_BODY_BYTES {
            match timeout_at(limit, body.next()).await {
                Ok(Some(Ok(chunk))) => {
                    let room = MAX_ERROR_BODY_BYTES - read.len();
                    read.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
                }
                Ok(Some(Err(_)) | None) | Err(_) => break,
            }
        }
        let read = read.freeze();
        let reply = Reply::new(self.status, &facts.headers, &read, self.arrived());
        let verdict = classify_reply(self.endpoint.provider(), &reply);
        self.failed(verdict, &read, facts)
    }

    async fn whole(&self, body: Body, mut facts: Facts) -> Result<Whole, Failure> {
        let body = self.collect(body, Bytes::new()).await?;
        self.check(&body, &mut facts)?;
        let dialect = self.call.dialect();
        let body = if self.endpoint.wire() == dialect {
            body
        } else {
            let reply = self.decode(&body, &mut facts)?;
            let (created, dropped) = (self.seconds(), &mut facts.dropped);
            dialect.caller().encode_reply(&reply, created, dropped)
        };
        Ok(Whole {
            body,
            facts,
            dialect,
        })
    }

    async fn stream(
        &self,
        mut body: Body,
        mut facts: Facts,
        clocks: Clocks,
        reading: Reading,
    ) -> Result<ReplyStream, Failure> {
        let upstream = self.endpoint.wire();
        let dialect = self.call.dialect();
        let include_usage = self.call.include_usage();
        let created = self.seconds();
        let framing = upstream.target().framing();
        let name = self.name(&facts);
        let Reading {
            keep_text,
            hold,
            resume,
        } = reading;
        let resumes = resume.is_some();
        let translator = || {
            Translator::new(upstream, dialect, include_usage, created, name)
                .keeping(keep_text)
                .resuming(resume, self.endpoint)
        };
        let watch = || {
            let mut watch = dialect.caller().watch();
            if keep_text {
                watch.keep();
            }
            watch
        };
        let parts = |body, course, facts| Parts {
            body,
            framing,
            course,
            dialect,
            include_usage,
            created,
            hold,
            provider: self.endpoint.provider(),
            status: self.status,
            clocks,
            request_bytes: self.call.body().len(),
            facts,
        };
        let first = match timeout_at(self.limit, body.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => {
                return Err(Failure::new(classify_transport(error.fault, error.phase)));
            }
            Ok(None) => Bytes::new(),
            Err(_) => return Err(timed_out(Phase::FirstByte)),
        };
        if !framing.is_told_from_documents() || !is_document(&first, &facts.headers) {
            let body = stream::iter([Ok(first)]).chain(body).boxed();
            let course = if upstream == dialect && !resumes {
                Course::Pass(watch())
            } else {
                Course::Translate(Box::new(translator()))
            };
            return ReplyStream::open(parts(body, course, facts)).await;
        }
        // Some servers answer a stream's request with a whole document: an error, or the answer.
        let document = self.collect(body, first).await?;
        self.check(&document, &mut facts)?;
        let reply = self.decode(&document, &mut facts)?;
        let unrolled = translator().unroll(&reply);
        let bytes = unrolled.map_err(|stuck| match stuck {
            Stuck::Diverged => Failure::diverged(),
            Stuck::Shape | Stuck::ToolCall => self.garbled(&document, &facts),
        })?;
        let course = Course::Pass(dialect.caller().watch());
        let parts = parts(stream::empty().boxed(), course, facts);
        Ok(ReplyStream::complete(bytes, parts))
    }

    /// Reads a whole answer that has to be written anew. A tool call whose arguments are no object
    /// fails the attempt; where the output limit cut them, the call is left out of an answer that
    /// says so.
    fn decode(&self, body: &Bytes, facts: &mut Facts) -> Result<chat::Reply, Failure> {
        let decoded = self.endpoint.wire().target().decode(body);
        let mut reply = decoded.ok_or_else(|| self.garbled(body, facts))?;
        self.name(facts).fill(&mut reply.id, &mut reply.model);
        if reply.has_broken_calls() {
            if reply.finish != Some(chat::FinishReason::Length) {
                let verdict = Verdict::new(ErrorKind::ToolCallInvalid, Phase::FirstByte);
                return Err(self.failed(verdict, body, facts));
            }
            reply.remove_broken_calls();
            facts.dropped.push(REPLY_TOOL_CALLS);
        }
        Ok(reply)
    }

    /// What an answer is called, of which its wire does not say so.
    fn name(&self, facts: &Facts) -> Name {
        Name {
            id: facts.request_id.clone().unwrap_or_default(),
            model: self.endpoint.model().into(),
        }
    }

    /// Reads a whole body after its `first` chunk.
    async fn collect(&self, mut body: Body, first: Bytes) -> Result<Bytes, Failure> {
        let mut single = first;
        let mut joined = BytesMut::new();
        loop {
            let chunk = match timeout_at(self.limit, body.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(Some(Err(error))) => {
                    return Err(Failure::new(classify_transport(error.fault, error.phase)));
                }
                Ok(None) => break,
                Err(_) => return Err(timed_out(Phase::FirstByte)),
            };
            if single.len() + joined.len() + chunk.len() > MAX_REPLY_BYTES {
                let verdict = classify_transport(TransportFault::Protocol, Phase::FirstByte);
                return Err(Failure::new(verdict));
            }
            if joined.is_empty() && single.is_empty() {
                single = chunk;
            } else {
                joined.extend_from_slice(&std::mem::take(&mut single));
                joined.extend_from_slice(&chunk);
            }
        }
        Ok(if joined.is_empty() {
            single
        } else {
            joined.freeze()
        })
    }

    /// Refuses a 2xx that is no answer. An answer that was cut by a length stop or a filter, or in
    /// which the model declines, is an answer as long as it says something.
    fn check(&self, body: &Bytes, facts: &mut Facts) -> Result<(), Failure> {
        let glance = match self.call.asked() {
            Some(asked) => embedding::glance(body, asked, facts),
            None => self.endpoint.wire().target().glance(body, facts),
        };
        let reply = Reply::new(self.status, &facts.headers, body, self.arrived());
        let verdict = classify_answer(self.endpoint.provider(), &reply);
        let says_something = glance == Glance::Content;
        let partial = |verdict: &Verdict| {
            matches!(
                verdict.kind,
                ErrorKind::Truncated | ErrorKind::Refusal | ErrorKind::ContentFilter
            )
        };
        match verdict {
            Some(verdict) if says_something && partial(&verdict) => Ok(()),
            Some(verdict) => Err(self.failed(verdict, body, facts)),
            None if says_something => Ok(()),
            // A request for no output at all fills the provider's prompt cache.
            None if glance == Glance::Life && self.call.max_tokens() == Some(0) => Ok(()),
            None if glance == Glance::Error => {
                let provider = self.endpoint.provider();
                let verdict = classify_stream_error(provider, body, Phase::FirstByte);
                Err(self.failed(verdict, body, facts))
            }
            None => Err(self.garbled(body, facts)),
        }
    }

    fn garbled(&self, body: &Bytes, facts: &Facts) -> Failure {
        let verdict = Verdict::new(ErrorKind::EmptyOutput, Phase::FirstByte);
        self.failed(verdict, body, facts)
    }

    fn failed(&self, verdict: Verdict, body: &Bytes, facts: &Facts) -> Failure {
        let kept = Bytes::copy_from_slice(
            body.get(..body.len().min(MAX_ERROR_BODY_BYTES))
                .unwrap_or_default(),
        );
        Failure::from_reply(verdict, self.status, kept).with_request_id(facts.request_id.clone())
    }

    /// The calendar's time at which the reply arrived.
    fn arrived(&self) -> SystemTime {
        self.now + self.started.elapsed()
    }

    /// The same in seconds since 1970.
    fn seconds(&self) -> u64 {
        self.arrived()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}

fn timed_out(phase: Phase) -> Failure {
    Failure::new(classify_transport(TransportFault::Timeout, phase))
}

/// True where the body is one document and no stream of events: an event cannot begin with any of
/// these characters and mean something.
fn is_document(first: &[u8], headers: &HeaderMap) -> bool {
    match first.trim_ascii_start().first() {
        Some(byte) => b"{[<".contains(byte),
        None => headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/json")),
    }
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
