//! What is learnt of an answer while it passes.

use crate::chat::{FinishReason, Usage};
use http::HeaderMap;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What is known of an answer beside its text.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The model that answered, in the provider's words.
    pub model: Option<Box<str>>,
    /// Tokens, as the provider counted them.
    pub usage: Usage,
    /// Why the answer ended.
    pub finish: Option<FinishReason>,
    /// Fields of the request that the target's wire has no place for; names only, sorted. Last,
    /// `reply.reasoning` where the answer's reasoning has no place in the caller's dialect.
    pub dropped: Vec<&'static str>,
    /// The provider's name for the request, for its support.
    pub request_id: Option<Box<str>>,
    /// Events that were not JSON: left out where they carried nothing, else the stream failed.
    pub broken_events: u32,
    /// The reply's headers: rate-limit snapshots are read from them.
    pub headers: HeaderMap,
}

impl Facts {
    /// Names what has no place in the caller's dialect; each name once.
    pub(crate) fn drop_once(&mut self, name: &'static str) {
        if !self.dropped.contains(&name) {
            self.dropped.push(name);
        }
    }
}

/// What one event, or one whole answer, means to whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glance {
    /// Part of the answer: text, a tool call, reasoning.
    Content,
    /// A sign of life without content.
    Life,
    /// Neither: a ping, or something unknown.
    Quiet,
    /// An error object.
    Error,
    /// Not JSON.
    Broken,
    /// The normal end marker.
    End,
}

/// True where the value is there and not empty.
pub(crate) fn is_filled(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| !matches!(raw.get(), "null" | "\"\"" | "[]" | "{}" | "false"))
}

/// The text of a JSON string; copied only where it holds escapes.
pub(crate) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// True where the data of an event is a JSON object, or begins like one.
pub(crate) fn is_object(data: &[u8]) -> bool {
    data.trim_ascii_start().starts_with(b"{")
}
