//! What a plan says and what it is told: the words between it and the shell that makes the calls.

use super::{BadAnswer, Broken};
use crate::cut::Form;
use crate::route::Windows;
use crate::target::TargetId;
use crate::trace::Tokens;
use llm_errors::{ErrorKind, Verdict};
use std::fmt;
use std::time::Instant;

/// Names one upstream call of one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AttemptId(pub(super) u8);

impl AttemptId {
    /// The position of the attempt among the hops of the [`Trace`](crate::Trace).
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Call `target` within `windows`, then report [`Event`]s of `attempt`.
    Send {
        /// The name of this call in events.
        attempt: AttemptId,
        /// Whom to call.
        target: TargetId,
        /// How long each step of the call may take.
        windows: Windows,
        /// In which form: a call for the rest of a broken stream differs from the caller's.
        form: Form,
    },
    /// Nothing to do before this instant unless an event comes first.
    WaitUntil(Instant),
    /// Stop `attempt`; no event of it is wanted any more.
    Cancel(AttemptId),
    /// Hand the answer of `attempt` to the caller: all of it, or from now on its stream.
    Accept(AttemptId),
    /// No target is left that could answer: give the next best thing.
    Degrade(Cause),
    /// The failure is the caller's to see, as it is.
    GiveUp(Verdict),
}

/// Why no target could answer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Cause {
    /// What somebody can do most about: the kind of a failure of this request or, where no call was
    /// made, what the targets are set aside for.
    pub kind: ErrorKind,
    /// The failure of that kind; `None` where no call was made because every target was set aside.
    pub verdict: Option<Verdict>,
    /// The earliest instant at which a target may be back; `None` where no target fits the
    /// request.
    pub retry_at: Option<Instant>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no target could answer: {}", self.kind)
    }
}

impl std::error::Error for Cause {}

/// What happened to an attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// The first content of a stream arrived.
    FirstToken(AttemptId),
    /// The answer is complete and good.
    Succeeded(AttemptId, Tokens),
    /// The attempt failed.
    Failed(AttemptId, Verdict),
    /// The stream broke after its first token.
    Broken(AttemptId, Broken),
    /// The answer is complete, or its beginning is there, and no good.
    Bad(AttemptId, BadAnswer),
    /// An attempt to continue a broken stream said something else than what the caller already has.
    /// What it used, as reported or estimated, is billed.
    Diverged(AttemptId, Tokens),
}
