//! What comes back: an error's body, a whole answer, or a stream up to its first content.

use super::{MAX_REPLY_BYTES, Whole, timed_out};
use crate::call::Call;
use crate::embedding::{Asked, Embedder};
use crate::endpoint::Endpoint;
use crate::failure::{Failure, MAX_ERROR_BODY_BYTES};
use crate::form::{self, Ungathered};
use crate::framing::Framing;
use crate::stream::{
    Clocks, Course, Facts, Glance, Name, Parts, REPLY_TOOL_CALLS, Reading, ReplyStream, Stuck,
    Translator,
};
use crate::transport::TransportError;
use crate::{chat, embedding};
use bytes::{Bytes, BytesMut};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use llm_errors::{
    ErrorKind, HealthEffect, Phase, Reply, Scope, TransportFault, Verdict, classify_answer,
    classify_reply, classify_stream_error, classify_transport,
};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// How long the rest of an error's body may take: what has come by then is classified.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(2);

/// One attempt, once the head of its reply is there.
pub(super) struct Attempt<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) call: &'a Call,
    /// What a credential authorised the request with.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) status: u16,
    pub(super) started: Instant,
    pub(super) now: SystemTime,
    pub(super) limit: Instant,
}

type Body = BoxStream<'static, Result<Bytes, TransportError>>;

impl Attempt<'_> {
    /// Reads an error's body, as much as comes, and classifies it.
    pub(super) async fn refused(&self, mut body: Body, facts: &Facts) -> Failure {
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
        let mut verdict = classify_reply(self.endpoint.provider(), &reply);
        let renews = |sent| Some(self.endpoint.credential()?.refused(sent, self.now));
        if verdict.kind == ErrorKind::AuthInvalidKey
            && self.authorization.as_ref().and_then(renews) == Some(true)
        {
            // A token that was good for longer than its provider thought: another try has another one.
            verdict.scope = Scope::Request;
            verdict.health = HealthEffect::Neutral;
            verdict.advice = Verdict::new(ErrorKind::ServerError, Phase::FirstByte).advice;
        }
        self.failed(verdict, &read, facts)
    }

    /// Reads a whole answer.
    pub(super) async fn whole(&self, body: Body, mut facts: Facts) -> Result<Whole, Failure> {
        let body = self.collect(body, Bytes::new()).await?;
        if let (Some(embedder), Some(asked)) = (self.endpoint.embedder(), self.call.asked()) {
            return self.vectors(embedder, asked, &body, facts);
        }
        let dialect = self.call.dialect();
        let reply = if self.is_streamed(&body, &facts.headers) {
            // Some servers stream whether they are asked to or not.
            Some(self.gather(&body, &mut facts)?)
        } else {
            self.check(&body, &mut facts)?;
            let same = self.endpoint.wire() == dialect;
            (!same)
                .then(|| self.decode(&body, &mut facts))
                .transpose()?
        };
        let body = reply.map_or(body, |reply| {
            let (created, dropped) = (self.seconds(), &mut facts.dropped);
            dialect.caller().encode_reply(&reply, created, dropped)
        });
        Ok(Whole {
            body,
            facts,
            dialect,
        })
    }

    /// Reads vectors from a wire that has its own way for them.
    fn vectors(
        &self,
        embedder: &dyn Embedder,
        asked: Asked,
        body: &Bytes,
        mut facts: Facts,
    ) -> Result<Whole, Failure> {
        let vectors = embedder.decode(body);
        let glance = embedding::judge(vectors.as_ref(), body, asked, &mut facts);
        self.weigh(glance, body, &facts)?;
        let vectors = vectors.ok_or_else(|| self.garbled(&facts))?;
        let tokens = facts.usage.input_tokens;
        Ok(Whole {
            body: embedding::write(&vectors, self.endpoint.model(), asked, tokens),
            facts,
            dialect: self.call.dialect(),
        })
    }

    /// Reads a streamed answer up to its first content.
    pub(super) async fn stream(
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
            wire: upstream,
            course,
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
            Stuck::Shape | Stuck::ToolCall => self.garbled(&facts),
        })?;
        let course = Course::Pass(dialect.caller().watch());
        let parts = parts(stream::empty().boxed(), course, facts);
        Ok(ReplyStream::complete(bytes, parts))
    }

    /// True where a stream of events came in place of a whole answer.
    fn is_streamed(&self, body: &[u8], headers: &HeaderMap) -> bool {
        let sse = self.endpoint.wire().target().framing() == Framing::Sse;
        let declared = headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
        let asked = self.call.asked().is_none();
        asked && sse && declared && !is_document(body, headers)
    }

    /// Puts a streamed answer together.
    fn gather(&self, body: &Bytes, facts: &mut Facts) -> Result<chat::Reply, Failure> {
        let gathered = form::gather(self.endpoint.wire(), body.clone(), facts);
        let reply = gathered.map_err(|why| match why {
            Ungathered::Error(event) => {
                let provider = self.endpoint.provider();
                let verdict = classify_stream_error(provider, &event, Phase::FirstByte);
                self.failed(verdict, &event.into(), facts)
            }
            Ungathered::Cut => {
                // As a whole answer whose connection is lost.
                let verdict = classify_transport(TransportFault::Closed, Phase::FirstByte);
                Failure::new(verdict)
            }
            Ungathered::Shape => self.garbled(facts),
        })?;
        let blank =
            |part: &chat::Part| matches!(part, chat::Part::Text(text) if text.text.is_empty());
        if reply.parts.iter().all(blank) {
            return Err(self.garbled(facts));
        }
        self.complete(reply, facts)
    }

    /// Reads a whole answer that has to be written anew.
    fn decode(&self, body: &Bytes, facts: &mut Facts) -> Result<chat::Reply, Failure> {
        let decoded = self.endpoint.wire().target().decode(body);
        self.complete(decoded.ok_or_else(|| self.garbled(facts))?, facts)
    }

    /// Makes an answer fit to be written. A tool call whose arguments are no object fails the attempt; where the output
    /// limit cut them, the call is left out of an answer that says so.
    fn complete(&self, mut reply: chat::Reply, facts: &mut Facts) -> Result<chat::Reply, Failure> {
        for name in &reply.lost {
            facts.drop_once(name);
        }
        self.name(facts).fill(&mut reply.id, &mut reply.model);
        if reply.has_broken_calls() {
            if reply.finish != Some(chat::FinishReason::Length) {
                return Err(self.unread(ErrorKind::ToolCallInvalid, facts));
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
        self.weigh(glance, body, facts)
    }

    /// The same of one that has been looked at.
    fn weigh(&self, glance: Glance, body: &Bytes, facts: &Facts) -> Result<(), Failure> {
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
            None => Err(self.garbled(facts)),
        }
    }

    /// A 200 in which no answer can be found.
    fn garbled(&self, facts: &Facts) -> Failure {
        self.unread(ErrorKind::EmptyOutput, facts)
    }

    /// A 200 whose answer cannot be given on. Its body is no provider's message and is not kept.
    fn unread(&self, kind: ErrorKind, facts: &Facts) -> Failure {
        let verdict = Verdict::new(kind, Phase::FirstByte);
        Failure::from_reply(verdict, self.status, Bytes::new())
            .with_request_id(facts.request_id.clone())
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
