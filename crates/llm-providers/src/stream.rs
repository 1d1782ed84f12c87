//! A streamed answer on its way to the caller.
//!
//! ```text
//! chunks ─► events ─► watch ─┬─ same dialect: the event's own bytes ─┬─► held until content ─► caller
//!                            └─ else: decode, encode ────────────────┘
//! ```
//!
//! - **Before the first content** everything is held, so that a failure can still be hidden.
//! - **Life** is an event that says something. Comments, pings and response headers are not: they
//!   pass, and the clocks run on.
//! - **The end** is a finish reason. A stream that stops without one has failed, whatever marker it
//!   sent, and the marker is not passed on. A stream that has one and then breaks is complete; a
//!   missing marker is supplied.
//! - **A broken event** (no JSON object) may have carried a part of the answer, so it fails the stream:
//!   a shortened answer is never presented as complete. Only one that shows that it carried nothing
//!   (by its name, by being a word such as `ping` or `OK`, by coming after the finish reason) is left
//!   out and counted; [`MAX_BROKEN_RUN`] of them in a row are a failure too.

mod around;
mod course;
mod flow;
mod glance;
mod joint;
mod plain;
mod seam;
mod stray;
mod template;
mod translate;

pub(crate) use self::around::{Around, Filler};
pub(crate) use self::course::Course;
use self::flow::Flow;
pub use self::glance::Facts;
pub(crate) use self::glance::{
    Glance, is_done, is_filled, parse, text_of, unescape, unescape_inner,
};
pub(crate) use self::seam::Shown;
pub use self::seam::{Hold, MAX_SHOWN_BYTES, Reading, Resume, Seam};
pub(crate) use self::stray::is_stray;
pub(crate) use self::template::{Plain, Template};
pub(crate) use self::translate::{Name, Stuck, Translator};

use crate::exchange::MAX_REPLY_BYTES;
use crate::failure::{Failure, MAX_ERROR_BODY_BYTES};
use crate::framing::{BadFrame, Frames, Framing};
use crate::sse::MAX_EVENT_BYTES;
use crate::transport::TransportError;
use crate::wire::Wire;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use llm_errors::{
    ErrorKind, Phase, Provider, TransportFault, Verdict, classify_stream_error, classify_transport,
    stream_cut,
};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most that is held back before the first content, in bytes: 256 KiB, beside twice the request, which some
/// providers repeat.
pub const MAX_HELD_BYTES: usize = 256 << 10;
/// How many broken events in a row make a stream a failed one, even if none carried content. A proxy may write one a
/// second while a model thinks; how long that may take, the clocks say.
pub const MAX_BROKEN_RUN: u32 = 64;
/// How long to wait for the connection's own end after the end marker, so that it can be reused.
/// Usually it is there already; a server that lets Nagle's algorithm delay its last few bytes sends
/// them after the peer's delayed acknowledgement, some 40 ms later.
const LINGER: Duration = Duration::from_millis(100);

/// What [`Facts::dropped`] says where an answer's reasoning has no place in the caller's dialect.
pub(crate) const REPLY_REASONING: &str = "reply.reasoning";
/// The same for a tool call that the output limit cut, which only OpenAI's wire can say.
pub(crate) const REPLY_TOOL_CALLS: &str = "reply.tool_calls";

/// When the stream must have done what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    /// The first content must have come by then.
    pub(crate) first: Instant,
    /// The longest silence between two signs of life afterwards.
    pub(crate) idle: Duration,
    /// How much longer it may be as long as nothing but thoughts has come, or it is not known what has.
    pub(crate) thinking: Duration,
    /// Everything must be over by then.
    pub(crate) total: Instant,
}

/// A streamed answer in the caller's dialect.
///
/// Dropping it ends the call at the provider.
pub struct ReplyStream {
    body: Option<BoxStream<'static, Result<Bytes, TransportError>>>,
    frames: Frames,
    course: Course,
    wire: Wire,
    provider: Provider,
    status: u16,
    /// For an answer that is to be continued.
    include_usage: bool,
    created: u64,
    clocks: Clocks,
    hold: Hold,
    /// When what is held back goes to the caller.
    release_at: Option<Instant>,
    /// Events with content so far.
    content_events: u32,
    flow: Flow,
    idle_at: Instant,
    /// A sign of life has come: the silence begins anew when more is waited for.
    alive: bool,
    out: VecDeque<Bytes>,
    held_bytes: usize,
    /// The first content has come.
    spoke: bool,
    /// What has come goes to the caller.
    committed: bool,
    broken_run: u32,
    /// The end marker has come.
    ended: bool,
    failure: Option<Failure>,
    facts: Facts,
}

/// What a stream is made of.
pub(crate) struct Parts {
    pub(crate) body: BoxStream<'static, Result<Bytes, TransportError>>,
    pub(crate) wire: Wire,
    pub(crate) course: Course,
    pub(crate) include_usage: bool,
    pub(crate) created: u64,
    pub(crate) hold: Hold,
    pub(crate) provider: Provider,
    pub(crate) status: u16,
    pub(crate) clocks: Clocks,
    /// The size of the request, which OpenAI's responses repeat in their first two events and in the last.
    pub(crate) request_bytes: usize,
    pub(crate) facts: Facts,
}

impl ReplyStream {
    /// Reads up to the first content.
    pub(crate) async fn open(parts: Parts) -> Result<Self, Failure> {
        let held = MAX_HELD_BYTES.saturating_add(parts.request_bytes.saturating_mul(2));
        let longest = if parts.course.translates() {
            MAX_EVENT_BYTES.saturating_add(parts.request_bytes)
        } else {
            MAX_REPLY_BYTES
        };
        let framing = parts.wire.target().framing();
        let mut stream = Self::new(parts, Frames::new(framing, longest));
        while !stream.committed {
            stream.step().await;
            if let Some(failure) = stream.failure.take() {
                return Err(failure);
            }
            if stream.held_bytes > held && stream.spoke && stream.course.is_news() {
                stream.committed = true;
            } else if stream.held_bytes > held {
                let verdict = classify_transport(TransportFault::Protocol, Phase::FirstByte);
                return Err(Failure::new(verdict));
            }
        }
        Ok(stream)
    }

    fn new(parts: Parts, frames: Frames) -> Self {
        Self {
            body: Some(parts.body),
            frames,
            course: parts.course,
            wire: parts.wire,
            include_usage: parts.include_usage,
            created: parts.created,
            hold: parts.hold,
            release_at: None,
            content_events: 0,
            flow: Flow::default(),
            provider: parts.provider,
            status: parts.status,
            clocks: parts.clocks,
            idle_at: parts.clocks.first,
            alive: false,
            out: VecDeque::new(),
            held_bytes: 0,
            spoke: false,
            committed: false,
            broken_run: 0,
            ended: false,
            failure: None,
            facts: parts.facts,
        }
    }

    /// A stream whose bytes are all there.
    pub(crate) fn complete(bytes: Bytes, parts: Parts) -> Self {
        Self {
            body: None,
            out: VecDeque::from([bytes]),
            spoke: true,
            committed: true,
            ended: true,
            ..Self::new(parts, Frames::new(Framing::Sse, MAX_EVENT_BYTES))
        }
    }

    /// The next bytes for the caller: one event or several, whole. `None` after the normal end; an
    /// `Err` is the last item, and then no end marker has been given.
    ///
    /// # Errors
    ///
    /// [`Failure`] where the stream broke, went silent, ran out of time, reported an error, or
    /// ended without a finish reason.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing: the next call goes on where it stopped.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            if let Some(bytes) = self.out.pop_front() {
                return Some(Ok(bytes));
            }
            if let Some(failure) = self.failure.take() {
                self.body = None;
                self.ended = true;
                return Some(Err(failure));
            }
            if self.ended {
                self.linger().await;
                return None;
            }
            self.step().await;
        }
    }

    /// Ends the call at the provider: nothing more will come.
    pub fn stop(&mut self) {
        self.body = None;
        self.out.clear();
        self.ended = true;
    }

    /// What is known of the answer so far; final once [`next`](Self::next) has returned `None`.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The tokens that this call has written so far: as the provider told or, where that is more, estimated by the events with content
    /// and the kept text, some four bytes a token. Most providers tell only at the end.
    #[must_use]
    pub fn tokens_written(&self) -> u64 {
        let given = match &self.course {
            Course::Pass(_) => 0,
            Course::Translate(translator) => translator.given_bytes(),
        };
        let text = self.text().map_or(0, str::len).saturating_sub(given);
        let by_text = (text as u64).div_ceil(4);
        let told = self.facts.usage.output_tokens;
        told.max(by_text).max(self.content_events.into())
    }

    /// The time that each token of the answer took after the first, as far as that was the target's doing; `None` where the answer was too
    /// short to tell, or its reader seldom waited for it.
    #[must_use]
    pub fn time_per_token(&self) -> Option<Duration> {
        let usage = &self.facts.usage;
        // Reasoning that is not shown is over when the first content comes; what is shown comes in pieces.
        let shown = usage.output_tokens.saturating_sub(usage.reasoning_tokens);
        self.flow.per_token(shown, self.content_events)
    }

    /// Handles one event, or reads one chunk where none is at hand.
    async fn step(&mut self) {
        match self.frames.next() {
            Some(Ok(frame)) => self.take_frame(frame),
            Some(Err(BadFrame)) => self.fail_transport(TransportFault::Protocol),
            None => self.read().await,
        }
    }

    /// The silence that is allowed now.
    fn idle(&self) -> Duration {
        let Clocks { idle, thinking, .. } = self.clocks;
        match self.text() {
            Some(text) if !text.is_empty() => idle,
            _ => idle + thinking,
        }
    }

    async fn read(&mut self) {
        let idle = self.alive.then(|| self.idle());
        let Some(body) = &mut self.body else {
            self.take_end();
            return;
        };
        let ready = poll_fn(|cx| match body.poll_next_unpin(cx) {
            Poll::Ready(item) => Poll::Ready(Some(item)),
            Poll::Pending => Poll::Ready(None),
        });
        // What is there already needs neither timer nor clock.
        if let Some(item) = ready.await {
            self.flow.forget_wait();
            self.take_chunk(item);
            return;
        }
        if let Some(idle) = idle {
            self.alive = false;
            self.idle_at = Instant::now() + idle;
        }
        let mut limit = self.idle_at.min(self.clocks.total);
        let release = self.release_at.filter(|_| !self.committed);
        if let Some(release) = release {
            limit = limit.min(release);
        }
        if self.spoke {
            self.flow.begin_wait(Instant::now());
        }
        match timeout_at(limit, body.next()).await {
            Ok(item) => {
                self.flow.end_wait(Instant::now());
                self.take_chunk(item);
            }
            Err(_) if release.is_some_and(|release| release <= limit) => self.committed = true,
            Err(_) => self.fail_transport(TransportFault::Timeout),
        }
    }

    fn take_chunk(&mut self, item: Option<Result<Bytes, TransportError>>) {
        match item {
            Some(Ok(chunk)) => self.frames.push(chunk),
            Some(Err(error)) => self.fail_transport(error.fault),
            None => {
                self.body = None;
                // An event that the end of the connection cut off is good if it is whole.
                if let Some(rest) = self.frames.rest() {
                    self.take_frame(rest);
                }
            }
        }
    }

    fn take_frame(&mut self, frame: Bytes) {
        let event = self.frames.parse(&frame);
        let Some(data) = event.data else {
            self.pass(frame);
            return;
        };
        let was_complete = self.course.is_complete();
        let glance = self.course.look(event.name, &data, &mut self.facts);
        match glance {
            Glance::Broken => {
                self.facts.broken_events = self.facts.broken_events.saturating_add(1);
                self.broken_run += 1;
                let harmless = was_complete || is_stray(self.wire, event.name, &data);
                if !harmless || self.broken_run >= MAX_BROKEN_RUN {
                    self.fail(Failure::new(stream_cut(self.phase())));
                }
                return;
            }
            Glance::Error => {
                let verdict = classify_stream_error(self.provider, &data, self.phase());
                let kept = data.get(..data.len().min(MAX_ERROR_BODY_BYTES));
                let body = Bytes::copy_from_slice(kept.unwrap_or_default());
                let id = self.facts.request_id.clone();
                let failure = Failure::from_reply(verdict, self.status, body);
                self.fail(failure.with_request_id(id));
                return;
            }
            Glance::End => {
                if self.course.is_complete() && self.spoke {
                    drop(data);
                    self.forward(frame, was_complete);
                    self.finish_translation();
                    self.ended = true;
                    self.committed = true;
                } else {
                    self.cut();
                }
                return;
            }
            Glance::Content => self.take_content(),
            Glance::Life | Glance::Quiet => {}
        }
        self.broken_run = 0;
        self.alive |= self.spoke && glance != Glance::Quiet;
        drop(data);
        self.forward(frame, was_complete);
        self.commit();
    }

    /// Content has come: from now on the idle clock runs.
    fn take_content(&mut self) {
        self.content_events = self.content_events.saturating_add(1);
        if !std::mem::replace(&mut self.spoke, true) && !self.hold.time.is_zero() {
            self.release_at = Some(Instant::now() + self.hold.time);
        }
    }

    /// The caller gets what has come once it is news and nothing is held back any more. A continuation
    /// may consist of a finish reason alone.
    fn commit(&mut self) {
        if self.committed || self.failure.is_some() || !self.course.is_news() {
            return;
        }
        if self.hold.is_none() || self.course.is_resumed() {
            self.committed = self.spoke || self.course.is_resumed();
            self.spoke = self.committed;
            return;
        }
        let by_text = self.text().map_or(0, |text| text.len() / 4);
        let tokens = usize::try_from(self.content_events).map_or(by_text, |n| n.max(by_text));
        let enough = usize::try_from(self.hold.tokens).is_ok_and(|most| tokens >= most);
        self.committed = self.spoke && self.hold.tokens > 0 && enough;
    }

    /// Hands an event on in the caller's dialect. What comes after the finish reason is no part of the
    /// answer, and left out where it cannot be translated.
    fn forward(&mut self, frame: Bytes, was_complete: bool) {
        match &mut self.course {
            Course::Pass(_) => self.put(frame),
            Course::Translate(translator) => {
                let translated = translator.write();
                if translated.is_ok() || !was_complete {
                    self.put_translated(translated);
                }
            }
        }
    }

    /// What cannot be translated ends the stream: left out, it would shorten the answer unseen.
    fn put_translated(&mut self, translated: Result<Bytes, Stuck>) {
        match translated {
            Ok(bytes) => self.put(bytes),
            Err(Stuck::Shape) => {
                let verdict = classify_transport(TransportFault::Protocol, self.phase());
                self.fail(Failure::new(verdict));
            }
            Err(Stuck::Diverged) => self.fail(Failure::diverged()),
            Err(Stuck::ToolCall) => {
                let verdict = Verdict::new(ErrorKind::ToolCallInvalid, self.phase());
                self.fail(Failure::new(verdict));
            }
        }
    }

    /// Hands on what is no event: comments keep the caller's connection awake as well. What else a
    /// provider writes between its events stays in its own dialect.
    fn pass(&mut self, frame: Bytes) {
        if !self.course.translates() || frame.starts_with(b":") {
            self.put(frame);
        }
    }

    fn put(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        if !self.committed {
            self.held_bytes += bytes.len();
        }
        self.out.push_back(bytes);
    }

    /// The connection ended.
    fn take_end(&mut self) {
        if self.ended || self.failure.is_some() {
            return;
        }
        if self.course.is_complete() && self.spoke {
            self.supply_end();
        } else {
            self.cut();
        }
    }

    /// The answer is complete, only its end marker is missing.
    fn supply_end(&mut self) {
        match &self.course {
            Course::Pass(watch) => self.put(Bytes::from_static(watch.end_marker())),
            Course::Translate(_) => self.finish_translation(),
        }
        self.body = None;
        self.ended = true;
        self.committed = true;
    }

    /// Ends the caller's stream in the normal way, unless its last event has failed it.
    fn finish_translation(&mut self) {
        if self.failure.is_some() {
            return;
        }
        if let Course::Translate(translator) = &mut self.course {
            let translated = translator.end();
            for name in translator.lost() {
                self.facts.drop_once(name);
            }
            self.put_translated(translated);
        }
    }

    /// The stream is over and nothing usable came, or not all of it.
    fn cut(&mut self) {
        use crate::chat::FinishReason;
        let verdict = match self.facts.finish {
            _ if self.committed => stream_cut(Phase::MidStream),
            Some(FinishReason::Length) => Verdict::new(ErrorKind::Truncated, Phase::FirstByte),
            Some(FinishReason::ContentFilter) => {
                Verdict::new(ErrorKind::ContentFilter, Phase::FirstByte)
            }
            Some(FinishReason::Refusal) => Verdict::new(ErrorKind::Refusal, Phase::FirstByte),
            _ => stream_cut(Phase::FirstByte),
        };
        self.fail(Failure::new(verdict));
    }

    fn fail_transport(&mut self, fault: TransportFault) {
        if self.course.is_complete() && self.spoke {
            self.supply_end();
            return;
        }
        self.fail(Failure::new(classify_transport(fault, self.phase())));
    }

    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    const fn phase(&self) -> Phase {
        if self.committed {
            Phase::MidStream
        } else {
            Phase::FirstByte
        }
    }

    /// Reads the connection's own end, which usually is there already, so that it can be reused.
    async fn linger(&mut self) {
        if let Some(mut body) = self.body.take() {
            let _ = tokio::time::timeout(LINGER, body.next()).await;
        }
    }
}

impl fmt::Debug for ReplyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyStream")
            .field("provider", &self.provider)
            .field("committed", &self.committed)
            .field("ended", &self.ended)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}
