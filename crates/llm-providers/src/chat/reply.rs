//! A whole answer.

use super::citation::Citation;
use super::message::Part;

/// Why the model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// It had said everything, or met a stop sequence.
    Stop,
    /// It met one of the caller's stop sequences, and the wire says so.
    StopSequence,
    /// The output limit or the context window was full.
    Length,
    /// It wants tools to be run.
    ToolCalls,
    /// The provider's filter cut the answer.
    ContentFilter,
    /// The model or its safety layer declined.
    Refusal,
    /// The provider paused a long turn; send the answer back to continue.
    Pause,
    /// Anything else.
    Other,
}

impl FinishReason {
    /// A stable name for traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::StopSequence => "stop_sequence",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::Refusal => "refusal",
            Self::Pause => "pause",
            Self::Other => "other",
        }
    }
}

/// Tokens as the provider counted them. Zero where it told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Usage {
    /// All input tokens, cached ones included.
    pub input_tokens: u64,
    /// All output tokens, reasoning included.
    pub output_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache.
    pub cache_write_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// True where the provider told nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Input and output together.
    #[must_use]
    pub const fn total_tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Reply {
    /// The provider's name for the answer.
    pub id: String,
    /// The model that answered, in the provider's words.
    pub model: String,
    /// When it was made, seconds since 1970; 0 where the wire does not say.
    pub created: u64,
    /// What was said, in order.
    pub parts: Vec<Part>,
    /// Where what it says comes from.
    pub citations: Vec<Citation>,
    /// What it held that this form cannot say, and that it stands without: names of fields.
    pub lost: Vec<&'static str>,
    /// Why it ended.
    pub finish: Option<FinishReason>,
    /// Which stop sequence ended it, where the wire says so.
    pub stop_sequence: Option<String>,
    /// What it cost in tokens.
    pub usage: Usage,
}

impl Reply {
    /// The answer's text, its text parts joined.
    #[must_use]
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| match part {
                Part::Text(text) => Some(text.text.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Names what this form cannot say; each name once.
    pub(crate) fn lose_if(&mut self, condition: bool, name: &'static str) {
        if condition && !self.lost.contains(&name) {
            self.lost.push(name);
        }
    }

    /// True where some tool call's arguments are no JSON object.
    #[must_use]
    pub fn has_broken_calls(&self) -> bool {
        self.parts.iter().any(is_broken_call)
    }

    /// Leaves out the tool calls whose arguments are no JSON object.
    pub(crate) fn remove_broken_calls(&mut self) {
        self.parts.retain(|part| !is_broken_call(part));
    }

    /// True where some reasoning has no signature.
    pub(crate) fn has_unsigned_thinking(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Thinking(thinking) => thinking.signature.is_none(),
            _ => false,
        })
    }
}

/// A tool call whose arguments are no JSON object.
pub(crate) fn is_broken_call(part: &Part) -> bool {
    match part {
        Part::ToolCall(call) => is_broken_arguments(&call.arguments),
        _ => false,
    }
}

/// Arguments that are no JSON object. None at all are an empty one.
pub(crate) fn is_broken_arguments(text: &str) -> bool {
    let text = text.trim();
    // An ignored value still has to be whole.
    !text.is_empty()
        && (!text.starts_with('{') || serde_json::from_str::<serde::de::IgnoredAny>(text).is_err())
}
