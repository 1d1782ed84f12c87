//! The one error of a call: what it was, for whom, and when to come back.

use bytes::Bytes;
use llm_errors::{ErrorKind, Verdict};
use llm_providers::{BadRequest, Failure, Wire};
use llm_router::{FilterError, Table, Trace};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a call has no answer.
///
/// `Display` and `Debug` hold no word of prompt, answer or key; the provider's own words are in
/// [`provider_message`](Self::provider_message), for the caller alone.
pub struct Error(Box<Inner>);

struct Inner {
    what: What,
    kind: ErrorKind,
    verdict: Option<Verdict>,
    failure: Option<Failure>,
    target_wire: Option<Wire>,
    retry_after: Option<Duration>,
    trail: Option<(Arc<Table>, Trace)>,
    options: Option<FilterError>,
    lost: Vec<&'static str>,
}

/// What kind of end a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// No route has this name.
    UnknownRoute,
    /// The request cannot be read, or cannot be said in the dialect of any target.
    BadRequest(BadRequest),
    /// The call's options ask for targets that the route does not have.
    BadOptions,
    /// The call is strict, and no target of the route can be told all that it says:
    /// [`Error::lost`] names what.
    Lossy,
    /// A target refused the request for the caller's own fault.
    Refused,
    /// Every target failed or is set aside.
    Exhausted,
    /// An answer is there and cannot be put into neutral form.
    Unreadable,
    /// The stream broke after its first content had reached the caller.
    Broken,
}

impl Error {
    pub(crate) fn unknown_route() -> Self {
        Self::bare(What::UnknownRoute, ErrorKind::ModelNotFound)
    }

    pub(crate) fn bad_request(bad: BadRequest) -> Self {
        Self::bare(What::BadRequest(bad), ErrorKind::InvalidRequest)
    }

    pub(crate) fn bad_options(bad: FilterError) -> Self {
        let mut error = Self::bare(What::BadOptions, ErrorKind::InvalidRequest);
        error.0.options = Some(bad);
        error
    }

    pub(crate) fn lossy(lost: Vec<&'static str>) -> Self {
        let mut error = Self::bare(What::Lossy, ErrorKind::UnsupportedFeature);
        error.0.lost = lost;
        error
    }

    pub(crate) fn unreadable() -> Self {
        Self::bare(What::Unreadable, ErrorKind::Other)
    }

    fn bare(what: What, kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            what,
            kind,
            verdict: None,
            failure: None,
            target_wire: None,
            retry_after: None,
            trail: None,
            options: None,
            lost: Vec::new(),
        }))
    }

    pub(crate) fn of_call(
        what: What,
        kind: ErrorKind,
        verdict: Option<Verdict>,
        failure: Option<(Failure, Wire)>,
        retry_after: Option<Duration>,
    ) -> Self {
        let (failure, target_wire) = failure.unzip();
        Self(Box::new(Inner {
            what,
            kind,
            verdict,
            failure,
            target_wire,
            retry_after,
            trail: None,
            options: None,
            lost: Vec::new(),
        }))
    }

    pub(crate) fn with_trail(mut self, table: Arc<Table>, trace: Trace) -> Self {
        self.0.trail = Some((table, trace));
        self
    }

    /// What kind of end the call came to.
    #[must_use]
    pub fn what(&self) -> What {
        self.0.what
    }

    /// What somebody can do most about: the kind of a failure or, where no call was made, what the
    /// targets are set aside for.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// All that is known of that failure; `None` where no call was made.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.0.verdict
    }

    /// Where [`What::Lossy`]: what of the request the target that can be told the most of it cannot be
    /// told; names of fields and features, sorted.
    #[must_use]
    pub fn lost(&self) -> &[&'static str] {
        &self.0.lost
    }

    /// When it makes sense to come back: the earliest time at which a target may answer.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The status with which the provider refused, where one did.
    #[must_use]
    pub fn provider_status(&self) -> Option<u16> {
        self.0.failure.as_ref().and_then(|failure| failure.status)
    }

    /// The provider's words on it, for the caller's eyes alone: they may quote the prompt.
    #[must_use]
    pub fn provider_message(&self) -> Option<&str> {
        self.0.failure.as_ref().and_then(Failure::message)
    }

    /// The provider's own name for the request, for whoever asks it what happened.
    #[must_use]
    pub fn provider_request_id(&self) -> Option<&str> {
        self.0.failure.as_ref().and_then(Failure::request_id)
    }

    /// The provider's error body and the wire it came on, for the caller's eyes alone.
    #[must_use]
    pub fn provider_body(&self) -> Option<(&Bytes, Wire)> {
        let body = self.0.failure.as_ref()?.body()?;
        Some((body, self.0.target_wire?))
    }

    /// Every hop of the call; `None` where no route was entered.
    #[must_use]
    pub fn trace(&self) -> Option<&Trace> {
        self.0.trail.as_ref().map(|(_, trace)| trace)
    }

    /// Every hop in words.
    #[must_use]
    pub fn trail(&self) -> Option<impl fmt::Display + '_> {
        let (table, trace) = self.0.trail.as_ref()?;
        Some(trace.describe(table))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.what {
            What::UnknownRoute => f.write_str("no route has this name"),
            What::BadRequest(bad) => write!(f, "{bad}"),
            What::BadOptions => match &self.0.options {
                Some(bad) => write!(f, "{bad}"),
                None => f.write_str("the options do not suit the route"),
            },
            What::Lossy => write!(
                f,
                "the call is strict, and no target of the route can carry {}",
                self.0.lost.join(", ")
            ),
            What::Refused => write!(f, "refused: {}", self.kind()),
            What::Exhausted => write!(f, "no target could answer: {}", self.kind()),
            What::Unreadable => f.write_str("the answer cannot be put into neutral form"),
            What::Broken => write!(f, "the stream broke: {}", self.kind()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("what", &self.0.what)
            .field("verdict", &self.0.verdict)
            .field("retry_after", &self.0.retry_after)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}
