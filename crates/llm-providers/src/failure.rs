//! A call that did not succeed: the verdict, and what the provider said for the caller's eyes.

use crate::call::BadRequest;
use bytes::Bytes;
use llm_errors::{ErrorKind, Phase, Verdict};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;

/// The most of an error's body that is read and kept: 64 KiB.
pub const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
/// The most of a provider's message that is kept: 2 KiB.
pub const MAX_MESSAGE_BYTES: usize = 2 << 10;

/// A call that did not succeed.
///
/// The provider's words may echo the prompt, so `Debug` and `Display` leave them out; they are for
/// the body of the caller's own error and for nothing else.
#[derive(Clone)]
#[non_exhaustive]
pub struct Failure {
    /// What happened and what to do.
    pub verdict: Verdict,
    /// The HTTP status, where a reply came. It may be 200: an error inside an answer or a stream. For
    /// a status to answer with, go by the verdict's kind.
    pub status: Option<u16>,
    details: Option<Box<Details>>,
}

#[derive(Clone, Default)]
struct Details {
    message: Option<Box<str>>,
    body: Option<Bytes>,
    request_id: Option<Box<str>>,
    diverged: bool,
}

impl Failure {
    /// A failure without a reply.
    #[must_use]
    pub const fn new(verdict: Verdict) -> Self {
        Self {
            verdict,
            status: None,
            details: None,
        }
    }

    /// A failure that came as a reply or as an event inside one.
    pub(crate) fn from_reply(verdict: Verdict, status: u16, body: Bytes) -> Self {
        let details = Details {
            message: message_in(&body),
            body: (!body.is_empty()).then_some(body),
            ..Details::default()
        };
        Self {
            verdict,
            status: Some(status),
            details: Some(Box::new(details)),
        }
    }

    /// The caller's own fault: the request cannot be put into the target's dialect.
    pub(crate) fn from_bad_request(bad: BadRequest) -> Self {
        Self {
            verdict: Verdict::new(ErrorKind::InvalidRequest, Phase::Connect),
            status: None,
            details: Some(Box::new(Details {
                message: Some(bad.to_string().into()),
                ..Details::default()
            })),
        }
    }

    /// The rest of a broken answer says something else than what the caller already has.
    pub(crate) fn diverged() -> Self {
        Self {
            verdict: Verdict::new(ErrorKind::Other, Phase::FirstByte),
            status: None,
            details: Some(Box::new(Details {
                diverged: true,
                ..Details::default()
            })),
        }
    }

    /// True where the rest of a broken answer says something else than what the caller already has:
    /// nobody's fault.
    #[must_use]
    pub fn is_diverged(&self) -> bool {
        self.details
            .as_ref()
            .is_some_and(|details| details.diverged)
    }

    /// The target's wire has no place for this. Nothing was sent.
    pub(crate) fn cannot_carry(names: &[&'static str]) -> Self {
        let mut failure = Self::new(Verdict::new(ErrorKind::UnsupportedFeature, Phase::Connect));
        if !names.is_empty() {
            let message = format!("the target cannot carry {}", names.join(", "));
            failure.details.get_or_insert_default().message = Some(message.into());
        }
        failure
    }

    pub(crate) fn with_request_id(mut self, id: Option<Box<str>>) -> Self {
        if id.is_some() {
            self.details.get_or_insert_default().request_id = id;
        }
        self
    }

    /// The provider's own words, at most [`MAX_MESSAGE_BYTES`]. They may quote the prompt: for the
    /// caller's body only, never for a log.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.details.as_ref()?.message.as_deref()
    }

    /// The error's body as it came, at most [`MAX_ERROR_BODY_BYTES`], for callers of the same
    /// dialect. Never for a log.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.details.as_ref()?.body.as_ref()
    }

    /// The provider's name for the request, for its support.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.details.as_ref()?.request_id.as_deref()
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("verdict", &self.verdict)
            .field("status", &self.status)
            .field("request_id", &self.request_id())
            .field("body_bytes", &self.body().map(Bytes::len))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in phase {}", self.verdict.kind, self.verdict.phase)?;
        match self.status {
            Some(status) => write!(f, " (status {status})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// What stands around an error, on whichever wire.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow)]
    pub(crate) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) message: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    /// The responses wire: an answer that failed says so in itself.
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

/// The message inside an error's body: a field of the usual envelopes, or a short plain text.
fn message_in(body: &[u8]) -> Option<Box<str>> {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(body) else {
        let text = std::str::from_utf8(body).ok()?.trim();
        let plain = !text.is_empty() && !text.starts_with(['<', '{', '[']);
        return plain.then(|| bounded(text));
    };
    fn inside(raw: &RawValue) -> Option<Envelope<'_>> {
        serde_json::from_str(raw.get()).ok()
    }
    let response = envelope.response.and_then(inside);
    let error = envelope
        .error
        .or(response.and_then(|response| response.error));
    let nested = error.and_then(inside).and_then(|inner| inner.message);
    [nested, envelope.error, envelope.message, envelope.detail]
        .into_iter()
        .flatten()
        .find_map(|raw| serde_json::from_str::<String>(raw.get()).ok())
        .filter(|text| !text.is_empty())
        .map(|text| bounded(&text))
}

/// At most [`MAX_MESSAGE_BYTES`], cut between characters.
fn bounded(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(MAX_MESSAGE_BYTES);
    text.get(..end).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_in_the_usual_envelopes() {
        let message = |body: &str| message_in(body.as_bytes()).map(String::from);
        for body in [
            r#"{"error":{"message":"no","type":"x"}}"#,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#,
            r#"{"error":"no"}"#,
            r#"{"object":"error","message":"no"}"#,
            r#"{"detail":"no"}"#,
            " no ",
        ] {
            assert_eq!(message(body).as_deref(), Some("no"), "{body}");
        }
        assert_eq!(message("<html>no</html>"), None);
        assert_eq!(message(r#"{"error":{"code":1}}"#), None);
        assert_eq!(message(""), None);
        let long = message(&"é".repeat(5_000)).unwrap();
        assert_eq!(long.len(), MAX_MESSAGE_BYTES);
    }

    #[test]
    fn neither_debug_nor_display_quotes_the_provider() {
        let body = Bytes::from_static(br#"{"error":{"message":"secret"}}"#);
        let verdict = Verdict::new(ErrorKind::InvalidRequest, Phase::FirstByte);
        let failure = Failure::from_reply(verdict, 400, body);
        assert_eq!(failure.message(), Some("secret"));
        assert!(!format!("{failure:?} {failure}").contains("secret"));
    }
}
