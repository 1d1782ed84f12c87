//! What every policy looks like to the fleet: it is told news, and asked what to do.

use llm_errors::Verdict;
use std::time::Duration;

/// No caller waits longer for the beginning of an answer, whatever the policy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The next thing to do for one request. Times are offsets from the start of the run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Call a site. Attempts are numbered from 0 in the order of sending.
    Send(Send),
    /// Nothing before this instant unless news comes first.
    Wait(Duration),
    /// Stop an attempt.
    Cancel(usize),
    /// This attempt's answer goes to the caller.
    Accept,
    /// The next best thing goes to the caller.
    Degrade,
    /// An error goes to the caller.
    Fail,
}

/// One upstream call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Send {
    pub(crate) site: usize,
    /// How long a connection may take.
    pub(crate) connect: Duration,
    /// How long the first token of a stream, or a whole answer, may take.
    pub(crate) window: Duration,
    /// Whether a breaker sent it to see if the site is back.
    pub(crate) probe: bool,
}

/// What happened to an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum News {
    FirstToken,
    Done,
    Failed(Verdict),
}

/// One request in the hands of one policy.
pub(crate) trait Caller {
    /// Something happened to attempt `attempt`.
    fn hear(&mut self, attempt: usize, news: News, now: Duration);
    /// What to do now; asked again until it says [`Step::Wait`] or ends.
    fn ask(&mut self, now: Duration) -> Step;
}
