//! What a caller gets back.

use crate::calls::Calls;
use crate::client::now;
use crate::degrade::Mode;
use crate::drive::{Drive, tokens};
use crate::error::{Error, What};
use crate::keep::Keep;
use crate::loops::Loops;
use crate::mend::{self, Mended, Rest, Search};
use crate::observe::Outcome;
use crate::render;
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use llm_providers::{Call, Dialect, Facts, Failure, ReplyStream, chat};
use llm_router::{AttemptId, BadAnswer, Event, Table, TargetId, Tokens, Trace};
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
/// One that breaks is continued where its route says so ([`OnCut`](llm_router::OnCut)): what comes out of
/// [`next`](Self::next) is then one answer, without a word twice or missing, or ends in the error.
///
/// Dropping it before its end cancels the upstream call at once, and the search for the rest.
pub struct AnswerStream {
    upstream: ReplyStream,
    /// `None` while the rest of a broken stream is looked for, and once the end was reported.
    drive: Option<Drive>,
    attempt: AttemptId,
    /// Gone while the rest of a broken stream is looked for.
    call: Option<Call>,
    /// Whether a stream that breaks may be continued.
    mendable: bool,
    /// The search for the rest of a stream that broke. Kept here, so that a caller who stops waiting
    /// for the next bytes and comes back loses nothing.
    mending: Option<BoxFuture<'static, Mended>>,
    keep: Option<(Keep, BytesMut)>,
    /// Where streams that loop are to be ended.
    loops: Option<Loops>,
    /// Where tool calls are to be looked at, until that was done.
    calls: Option<Calls>,
    /// What is wrong with them.
    bad_call: Option<BadAnswer>,
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
        (call, mendable): (Call, bool),
        keep: Option<Keep>,
        dialect: Dialect,
    ) -> Self {
        Self {
            upstream,
            drive: Some(drive),
            attempt,
            call: Some(call),
            mendable,
            mending: None,
            keep: keep.map(|keep| (keep, BytesMut::new())),
            loops: None,
            calls: None,
            bad_call: None,
            dialect,
        }
    }

    /// The same, ended where it is found to loop, and with a look at its tool calls.
    pub(crate) fn following(mut self, loops: Option<Loops>, calls: Option<Calls>) -> Self {
        self.loops = loops;
        self.calls = calls;
        self
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
        loop {
            if let Some(mending) = &mut self.mending {
                let mended = mending.await;
                self.mending = None;
                match mended {
                    Ok(rest) => self.go_on(rest),
                    Err(error) => return Some(Err(error)),
                }
            }
            self.drive.as_ref()?;
            match self.upstream.next().await {
                Some(Ok(bytes)) => {
                    let bad = self.end_loop().or_else(|| self.end_broken_call(&bytes));
                    if let Some(error) = bad {
                        return Some(Err(error));
                    }
                    self.keep_aside(&bytes);
                    return Some(Ok(bytes));
                }
                Some(Err(failure)) => self.mend(failure),
                None => {
                    self.finish().await;
                    return None;
                }
            }
        }
    }

    /// The stream broke: the plan decides whether the rest is looked for.
    fn mend(&mut self, failure: Failure) {
        let Some(mut drive) = self.drive.take() else {
            return;
        };
        let facts = self.upstream.facts();
        drive
            .plan
            .lost(self.attempt, &facts.dropped, facts.broken_events);
        let upstream = drive.wire_of(self.attempt).unwrap_or(self.dialect.wire());
        let Some(call) = self.call.take() else {
            return;
        };
        let seam = self.mendable.then(|| self.upstream.seam()).flatten();
        let broken = mend::broken(&self.upstream, &call, seam.as_ref(), &failure);
        let search = Search {
            drive,
            call,
            seam,
            failure: (failure, upstream),
        };
        self.mending = Some(Box::pin(search.run(self.attempt, broken)));
    }

    /// Ends the stream where its text is found to go round in a circle.
    fn end_loop(&mut self) -> Option<Error> {
        let bad = self.loops.as_mut()?.look(&self.upstream)?;
        let bad = BadAnswer {
            verdict: bad.verdict,
            finding: bad.finding,
            tokens: self.used(),
        };
        self.end_bad(bad)
    }

    /// Ends the stream where a tool call is not whole though it is said to be.
    fn end_broken_call(&mut self, bytes: &Bytes) -> Option<Error> {
        let calls = self.calls.as_mut()?;
        if !calls.push(bytes) {
            self.calls = None;
            return None;
        }
        let facts = self.upstream.facts();
        facts.finish?;
        if facts.finish == Some(chat::FinishReason::Length) || !calls.are_there() {
            self.calls = None;
            return None;
        }
        // The finish reason may be known before the caller is told.
        let reply = calls.reply()?;
        self.calls = None;
        let bad = self
            .drive
            .as_ref()?
            .look_at_calls(self.call.as_ref()?, &reply)?;
        let tokens = self.used();
        let bad = BadAnswer { tokens, ..bad };
        if reply.has_broken_calls() {
            return self.end_bad(bad);
        }
        self.bad_call = Some(bad);
        None
    }

    /// Ends the stream of an answer that nobody has the rest of, in the error.
    fn end_bad(&mut self, bad: BadAnswer) -> Option<Error> {
        let mut drive = self.drive.take()?;
        self.upstream.stop();
        self.keep = None;
        let facts = self.upstream.facts();
        drive
            .plan
            .lost(self.attempt, &facts.dropped, facts.broken_events);
        drive.plan.on(Event::Bad(self.attempt, bad), now());
        let kind = bad.verdict.kind;
        let error = Error::of_call(What::Broken, kind, Some(bad.verdict), None, None);
        Some(drive.fail(error))
    }

    fn go_on(&mut self, rest: Rest) {
        self.upstream = *rest.stream;
        self.drive = Some(rest.drive);
        self.call = Some(rest.call);
        self.attempt = rest.attempt;
    }

    /// The stream came to its normal end.
    async fn finish(&mut self) {
        let Some(mut drive) = self.drive.take() else {
            return;
        };
        // Not every provider tells.
        drive.plan.used(self.attempt, self.used());
        let bad = self.bad_call.take();
        let bad = bad.or_else(|| drive.look_back(self.call.as_ref(), &self.upstream));
        let facts = self.upstream.facts();
        let event = match bad {
            Some(bad) => Event::Bad(self.attempt, bad),
            None => Event::Succeeded(self.attempt, tokens(facts)),
        };
        drive
            .plan
            .lost(self.attempt, &facts.dropped, facts.broken_events);
        if let Some(time) = self.upstream.time_per_token() {
            drive.plan.flowed(self.attempt, time, now());
        }
        drive.plan.on(event, now());
        let mut facts = facts.clone();
        facts.usage = self.upstream.usage();
        drive.finish(Outcome::Answered, Some(&facts));
        if bad.is_none() {
            self.remember().await;
        }
    }

    /// What the call has used so far, as told or estimated.
    fn used(&self) -> Tokens {
        mend::used(&self.upstream, self.call.as_ref())
    }

    /// The tokens of the answer so far. They differ from those of its last call, which
    /// [`facts`](Self::facts) tells, where its stream broke and was continued.
    #[must_use]
    pub fn usage(&self) -> chat::Usage {
        self.upstream.usage()
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

impl Drop for AnswerStream {
    /// What the caller had is billed, whether or not he stays to the end.
    fn drop(&mut self) {
        let used = self.used();
        if let Some(drive) = &mut self.drive {
            drive.plan.used(self.attempt, used);
        }
    }
}
