//! What a caller gets back.

use crate::client::now;
use crate::degrade::Mode;
use crate::drive::{Drive, tokens};
use crate::error::{Error, What};
use crate::keep::Keep;
use crate::observe::Outcome;
use crate::render;
use bytes::{Bytes, BytesMut};
use llm_providers::{Dialect, Facts, ReplyStream, chat};
use llm_router::{AttemptId, Event, Table, TargetId, Trace};
use std::fmt;
use std::sync::Arc;

/// The answer to a call, in the dialect and form the caller asked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The answer itself.
    pub body: Body,
    /// The dialect of the body.
    pub dialect: Dialect,
    /// Who gave it, and how it came about.
    pub served: Served,
    /// What the provider told of it: its model's own name, tokens, finish reason. `None` for a
    /// stream that has not ended and for a degraded answer.
    pub facts: Option<Facts>,
}

/// An answer's bytes. `Debug` shows their number, never what they say.
pub enum Body {
    /// All of it: JSON, or a whole event stream where the caller asked for one.
    Whole(Bytes),
    /// An event stream whose first content is there.
    Stream(Box<AnswerStream>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(body) => write!(f, "Whole({} bytes)", body.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// Who gave an answer, and how it came about.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Served {
    /// The target that answered; `None` for a degraded answer.
    pub target: Option<TargetId>,
    /// How the answer falls short, if it does.
    pub degraded: Option<Mode>,
    /// Every hop up to the answer.
    pub trace: Trace,
    table: Arc<Table>,
}

impl Served {
    pub(crate) fn by_target(table: &Arc<Table>, target: TargetId, trace: Trace) -> Self {
        Self {
            target: Some(target),
            degraded: None,
            trace,
            table: Arc::clone(table),
        }
    }

    pub(crate) fn degraded(table: &Arc<Table>, mode: Mode, trace: Trace) -> Self {
        Self {
            target: None,
            degraded: Some(mode),
            trace,
            table: Arc::clone(table),
        }
    }

    /// The name of the target that answered.
    #[must_use]
    pub fn target_name(&self) -> Option<&str> {
        self.target.map(|target| self.table.target_name(target))
    }

    /// Every hop in words.
    #[must_use]
    pub fn trail(&self) -> impl fmt::Display + '_ {
        self.trace.describe(&self.table)
    }
}

impl Answer {
    /// A whole answer in neutral form.
    ///
    /// # Errors
    ///
    /// [`Error`] where the body is a stream or is not in its dialect.
    pub fn reply(&self) -> Result<chat::Reply, Error> {
        match &self.body {
            Body::Whole(body) => render::reply(self.dialect, body).ok_or_else(Error::unreadable),
            Body::Stream(_) => Err(Error::unreadable()),
        }
    }
}

/// Whether an answer came to its natural end: a cut, refused or filtered one is given once, to the
/// caller who asked, and never again.
pub(crate) fn is_worth_keeping(facts: &Facts) -> bool {
    use chat::FinishReason::{Stop, StopSequence, ToolCalls};
    matches!(facts.finish, Some(Stop | StopSequence | ToolCalls))
}

/// The most of a stream that is kept aside to be remembered as a good answer: 1 MiB.
const MAX_KEPT_STREAM_BYTES: usize = 1 << 20;

/// A stream on its way to the caller.
///
/// Dropping it before its end cancels the upstream call at once.
pub struct AnswerStream {
    upstream: ReplyStream,
    /// `None` once the end was reported.
    drive: Option<Drive>,
    attempt: AttemptId,
    keep: Option<(Keep, BytesMut)>,
    dialect: Dialect,
}

impl fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerStream")
            .field("attempt", &self.attempt)
            .field("facts", self.facts())
            .finish_non_exhaustive()
    }
}

impl AnswerStream {
    pub(crate) fn new(
        upstream: ReplyStream,
        drive: Drive,
        attempt: AttemptId,
        keep: Option<Keep>,
        dialect: Dialect,
    ) -> Self {
        Self {
            upstream,
            drive: Some(drive),
            attempt,
            keep: keep.map(|keep| (keep, BytesMut::new())),
            dialect,
        }
    }

    /// The next bytes of the event stream; `None` after its normal end.
    ///
    /// # Errors
    ///
    /// The stream broke: no normal end marker was or will be given. The caller must be told so.
    ///
    /// # Cancel safety
    ///
    /// Safe: no bytes are lost.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        self.drive.as_ref()?;
        match self.upstream.next().await {
            Some(Ok(bytes)) => {
                self.keep_aside(&bytes);
                Some(Ok(bytes))
            }
            Some(Err(failure)) => {
                let mut drive = self.drive.take()?;
                let verdict = failure.verdict;
                drive.plan.on(Event::Failed(self.attempt, verdict), now());
                let wait = verdict.retry_after();
                let upstream = drive.wire_of(self.attempt).unwrap_or(self.dialect.wire());
                let failure = Some((failure, upstream));
                let error =
                    Error::of_call(What::Broken, verdict.kind, Some(verdict), failure, wait);
                Some(Err(drive.fail(error)))
            }
            None => {
                let mut drive = self.drive.take()?;
                let facts = self.upstream.facts();
                drive
                    .plan
                    .on(Event::Succeeded(self.attempt, tokens(facts)), now());
                drive.finish(Outcome::Answered, Some(facts));
                self.remember().await;
                None
            }
        }
    }

    /// What the provider has told of the answer so far.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        self.upstream.facts()
    }

    fn keep_aside(&mut self, bytes: &Bytes) {
        if let Some((_, kept)) = &mut self.keep {
            if kept.len() + bytes.len() > MAX_KEPT_STREAM_BYTES {
                self.keep = None;
            } else {
                kept.extend_from_slice(bytes);
            }
        }
    }

    /// Remembers the streamed answer in its whole form.
    async fn remember(&mut self) {
        let Some((keep, kept)) = self.keep.take() else {
            return;
        };
        if !is_worth_keeping(self.facts()) {
            return;
        }
        if let Some((body, model)) = render::whole_of_stream(self.dialect, &kept.freeze()) {
            keep.store(body, Some(&model), now()).await;
        }
    }
}
