//! A stream broke after its beginning had reached the caller: the plan looks for the rest, and this
//! carries it out.

use crate::client::now;
use crate::drive::{Drive, End};
use crate::error::{Error, What};
use llm_errors::Verdict;
use llm_providers::{Call, Failure, ReplyStream, Seam, Wire};
use llm_router::{AttemptId, Broken, Event, Mend, Tokens};

/// The request with the rest of its answer, or the error that the caller gets.
pub(crate) type Mended = Result<Rest, Error>;

/// The rest of an answer whose stream broke.
#[derive(Debug)]
pub(crate) struct Rest {
    pub(crate) drive: Drive,
    pub(crate) call: Call,
    pub(crate) stream: Box<ReplyStream>,
    pub(crate) attempt: AttemptId,
}

/// The search for it.
pub(crate) struct Search {
    pub(crate) drive: Drive,
    pub(crate) call: Call,
    /// What the caller has; `None` where nothing can follow on it.
    pub(crate) seam: Option<Seam>,
    /// What broke the stream.
    pub(crate) failure: (Failure, Wire),
}

impl Search {
    /// Tells the plan that the stream of `attempt` broke, and does what it says.
    ///
    /// Dropped before its end, it cancels whatever is under way and ends the request.
    pub(crate) async fn run(mut self, attempt: AttemptId, broken: Broken) -> Mended {
        self.drive.hear(attempt, &self.failure.0);
        self.drive.plan.on(Event::Broken(attempt, broken), now());
        let seam = self.seam.as_ref();
        let end = self.drive.run(&self.call, seam, vec![self.failure]).await;
        match end {
            End::Stream(stream, attempt, _) => Ok(Rest {
                drive: self.drive,
                call: self.call,
                stream,
                attempt,
            }),
            End::GaveUp(verdict, failure) => Err(broken_by(self.drive, verdict, failure)),
            End::Whole(..) | End::Degraded(..) => Err(broken_by(self.drive, broken.verdict, None)),
        }
    }
}

/// How a stream broke, and how the rest may be had.
pub(crate) fn broken(
    stream: &ReplyStream,
    call: &Call,
    seam: Option<&Seam>,
    failure: &Failure,
) -> Broken {
    let (mend, at_chars) = match seam {
        Some(seam) => {
            let mend = if seam.is_prefillable(call) {
                Mend::Prefill
            } else {
                Mend::Replay
            };
            (mend, seam.chars())
        }
        None => (Mend::Never, 0),
    };
    Broken {
        verdict: failure.verdict,
        at_chars,
        tokens: used(stream, Some(call)),
        mend,
    }
}

fn broken_by(drive: Drive, verdict: Verdict, failure: Option<(Failure, Wire)>) -> Error {
    let wait = verdict.retry_after();
    let error = Error::of_call(What::Broken, verdict.kind, Some(verdict), failure, wait);
    drive.fail(error)
}

/// What a stream that has not come to its end used, as far as it was told; the rest is estimated: it is billed all the same.
pub(crate) fn used(stream: &ReplyStream, call: Option<&Call>) -> Tokens {
    let told = stream.facts().usage;
    let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    Tokens {
        input: match told.input_tokens {
            0 => call.map_or(0, Call::estimated_input_tokens),
            told => small(told),
        },
        output: small(stream.tokens_written()),
    }
}
