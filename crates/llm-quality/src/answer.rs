//! The answer as the caller hands it in: text, and the few facts that stand beside the text.

use std::fmt;

#[cfg(feature = "schema")]
use crate::schema::Schema;

/// Why the provider says it stopped, in the words common to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Finish {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The output limit was reached (`length`, `max_tokens`, `MAX_TOKENS`).
    Length,
    /// It stopped so that tools may be called.
    ToolUse,
    /// The model declined (`refusal`).
    Refusal,
    /// A filter took the answer away (`content_filter`, `SAFETY`, `guardrail_intervened`).
    ContentFilter,
    /// Anything else.
    Other,
}

/// One tool call of an answer.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ToolCall<'a> {
    /// The name of the tool.
    pub name: &'a str,
    /// The arguments as they came: JSON text.
    pub arguments: &'a str,
}

impl<'a> ToolCall<'a> {
    /// Names a tool and its arguments, JSON text.
    #[must_use]
    pub const fn new(name: &'a str, arguments: &'a str) -> Self {
        Self { name, arguments }
    }
}

/// Shows lengths, not words.
impl fmt::Debug for ToolCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall")
            .field("name_bytes", &self.name.len())
            .field("arguments_bytes", &self.arguments.len())
            .finish()
    }
}

/// A finished answer. Borrows everything.
///
/// ```
/// use llm_quality::{Answer, Finish, ToolCall};
///
/// let calls = [ToolCall::new("weather", r#"{"city":"Oslo"}"#)];
/// let answer = Answer::new("Let me look:")
///     .with_finish(Finish::ToolUse)
///     .with_tool_calls(&calls)
///     .with_tools(&["weather", "calendar"]);
/// # let _ = answer;
/// ```
#[derive(Clone, Copy)]
#[must_use]
pub struct Answer<'a> {
    pub(crate) text: &'a str,
    pub(crate) finish: Option<Finish>,
    pub(crate) refusal: Option<&'a str>,
    pub(crate) calls: &'a [ToolCall<'a>],
    pub(crate) tools: Option<&'a [&'a str]>,
    pub(crate) question: Option<&'a str>,
    #[cfg(feature = "schema")]
    pub(crate) schema: Option<&'a Schema>,
    #[cfg(feature = "schema")]
    pub(crate) tool_schemas: &'a [(&'a str, Schema)],
}

impl<'a> Answer<'a> {
    /// Starts from the text: what the caller would see, without reasoning blocks.
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            finish: None,
            refusal: None,
            calls: &[],
            tools: None,
            question: None,
            #[cfg(feature = "schema")]
            schema: None,
            #[cfg(feature = "schema")]
            tool_schemas: &[],
        }
    }

    /// Says why the provider stopped. Without it, nobody vouches for the end of the text, and a broken end weighs more.
    pub const fn with_finish(mut self, finish: Finish) -> Self {
        self.finish = Some(finish);
        self
    }

    /// Hands in the refusal field that some dialects have beside the text. Empty counts as absent.
    pub const fn with_refusal(mut self, refusal: &'a str) -> Self {
        self.refusal = Some(refusal);
        self
    }

    /// Hands in the tool calls of the answer.
    pub const fn with_tool_calls(mut self, calls: &'a [ToolCall<'a>]) -> Self {
        self.calls = calls;
        self
    }

    /// Names the tools that were offered: a call to any other is malformed. Without it every name is taken.
    pub const fn with_tools(mut self, tools: &'a [&'a str]) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Hands in the question, for [`Similarity`](crate::Similarity) only.
    pub const fn with_question(mut self, question: &'a str) -> Self {
        self.question = Some(question);
        self
    }

    /// Hands in the schema that this request asked for, in the place of the look's own. It is tried where the look asks for JSON.
    #[cfg(feature = "schema")]
    pub const fn with_schema(mut self, schema: &'a Schema) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Hands in the schemas of this request's tools, by name, beside the look's own.
    #[cfg(feature = "schema")]
    pub const fn with_tool_schemas(mut self, schemas: &'a [(&'a str, Schema)]) -> Self {
        self.tool_schemas = schemas;
        self
    }
}

/// Shows lengths, not words.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("text_bytes", &self.text.len())
            .field("finish", &self.finish)
            .field("refused", &self.refusal.is_some())
            .field("tool_calls", &self.calls.len())
            .finish_non_exhaustive()
    }
}
