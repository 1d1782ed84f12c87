//! What is learnt of an answer while it passes.

use crate::call::Dialect;
use crate::chat::{FinishReason, Usage};
use crate::{anthropic, openai};
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

/// Watches the stream of any dialect.
#[derive(Debug)]
pub(crate) enum Watcher {
    OpenAi(openai::Watch),
    Anthropic(anthropic::Watch),
}

impl Watcher {
    pub(crate) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat => Self::OpenAi(openai::Watch::default()),
            Dialect::AnthropicMessages => Self::Anthropic(anthropic::Watch::default()),
        }
    }

    pub(crate) fn glance(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance {
        match self {
            Self::OpenAi(watch) => watch.glance(name, data, facts),
            Self::Anthropic(watch) => watch.glance(name, data, facts),
        }
    }

    /// True once the answer's finish reason has come.
    pub(crate) const fn is_complete(&self) -> bool {
        match self {
            Self::OpenAi(watch) => watch.is_complete(),
            Self::Anthropic(watch) => watch.is_complete(),
        }
    }

    /// The end marker to supply where a complete stream ended without one.
    pub(crate) const fn end_marker(&self) -> &'static [u8] {
        match self {
            Self::OpenAi(_) => b"data: [DONE]\n\n",
            Self::Anthropic(_) => b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
        }
    }
}

/// Looks at a whole answer.
pub(crate) fn glance_at_reply(dialect: Dialect, body: &[u8], facts: &mut Facts) -> Glance {
    match dialect {
        Dialect::OpenAiChat => openai::glance_at_reply(body, facts),
        Dialect::AnthropicMessages => anthropic::glance_at_reply(body, facts),
    }
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
