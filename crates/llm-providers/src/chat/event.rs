//! One step of a streamed answer.

use super::citation::Citation;
use super::reply::{FinishReason, Usage};
use super::tool::ToolCall;

/// One step of a streamed answer, whatever wire it came on.
///
/// A stream is `Start`, then deltas, then `Finish`, `Usage` (before, after or twice: the last
/// counts) and `End`. Tool calls are told apart by `index`, which counts from 0 in order of
/// appearance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// The answer has a name and a model.
    Start {
        /// The provider's name for the answer.
        id: String,
        /// The model that answers.
        model: String,
    },
    /// More text.
    Text(String),
    /// More reasoning.
    Thinking(String),
    /// The provider's seal on the reasoning so far.
    ThinkingSignature(String),
    /// A block of encrypted reasoning.
    RedactedThinking(String),
    /// Where something that was said comes from. It follows what it is the source of.
    Citation(Citation),
    /// More words of refusal.
    Refusal(String),
    /// A tool call begins.
    ToolCall {
        /// Its place among the answer's tool calls.
        index: u32,
        /// Its name for the result to refer to.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// More of a tool call's arguments.
    ToolArguments {
        /// Which tool call.
        index: u32,
        /// JSON text to append.
        json: String,
    },
    /// The model stopped.
    Finish {
        /// Why.
        reason: FinishReason,
        /// Which stop sequence, where the wire says so.
        stop_sequence: Option<String>,
    },
    /// Tokens so far; cumulative.
    Usage(Usage),
    /// Nothing more will come.
    End,
}

impl StreamEvent {
    /// A tool call that comes all at once, as the answer's call number `index`.
    pub(crate) fn whole_call(index: u32, call: ToolCall) -> [Self; 2] {
        let ToolCall {
            id,
            name,
            arguments,
        } = call;
        [
            Self::ToolCall { index, id, name },
            Self::ToolArguments {
                index,
                json: arguments,
            },
        ]
    }

    /// True for what a caller sees or runs: after it, the answer has begun.
    #[must_use]
    pub fn is_content(&self) -> bool {
        match self {
            Self::Text(text) | Self::Thinking(text) | Self::Refusal(text) => !text.is_empty(),
            Self::RedactedThinking(_) | Self::ToolCall { .. } | Self::ToolArguments { .. } => true,
            Self::Start { .. }
            | Self::ThinkingSignature(_)
            | Self::Citation(_)
            | Self::Finish { .. }
            | Self::Usage(_)
            | Self::End => false,
        }
    }
}
