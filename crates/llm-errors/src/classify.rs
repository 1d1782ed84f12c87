//! The classifier in four functions, for those who add no rules of their own.

use crate::classifier::Classifier;
use crate::kind::Phase;
use crate::provider::Provider;
use crate::reply::Reply;
use crate::verdict::Verdict;

/// Classifies a reply with any status that is not a success.
///
/// Total: any bytes give a verdict. Only the first 64 KiB of the body are read, and nothing is
/// allocated (the rules are compiled once, on first use).
///
/// ```
/// use llm_errors::{ErrorKind, Provider, Reply, classify_reply};
/// use std::time::{Duration, SystemTime};
///
/// let body = br#"{"error":{"message":"Rate limit reached on tokens per min (TPM): Limit 30000,
///     Used 28000, Requested 4000. Please try again in 4s.","code":"rate_limit_exceeded"}}"#;
/// let verdict = classify_reply(Provider::OpenAi, &Reply::new(429, &(), body, SystemTime::now()));
/// assert_eq!(verdict.kind, ErrorKind::RateLimitTokens);
/// assert_eq!(verdict.retry_after(), Some(Duration::from_secs(4)));
/// ```
#[must_use]
pub fn classify_reply(provider: Provider, reply: &Reply<'_>) -> Verdict {
    Classifier::built_in().reply(provider, reply)
}

/// Looks at a reply with a success status: `None` where nothing is wrong with it.
///
/// Finds error objects, pages, cut, blocked, declined and empty answers, and malformed tool
/// calls. It does not judge whether an answer is good.
#[must_use]
pub fn classify_answer(provider: Provider, reply: &Reply<'_>) -> Option<Verdict> {
    Classifier::built_in().answer(provider, reply)
}

/// Classifies an error that came inside a stream opened with a success. `frame` is the data of
/// the event, or whole frames with their `event:` and `data:` lines.
#[must_use]
pub fn classify_stream_error(provider: Provider, frame: &[u8], phase: Phase) -> Verdict {
    Classifier::built_in().stream_error(provider, frame, phase)
}
