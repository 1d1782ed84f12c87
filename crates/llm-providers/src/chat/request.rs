//! What a caller asks of a model.

use super::message::{Message, Role};
use super::tool::{Tool, ToolChoice};
use crate::wire::Dialect;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a caller asks of a model.
///
/// Unset fields are left to the provider. Build it with the chained setters, or set fields.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Request {
    /// The model's name; a route's name where a router stands between.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    pub tools: Vec<Tool>,
    /// Whether and which tool to call.
    pub tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// The form of the answer.
    pub response_format: Option<ResponseFormat>,
    /// The most output tokens, reasoning included.
    pub max_tokens: Option<u32>,
    /// Randomness, 0.0 to 2.0 (Anthropic: to 1.0).
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0.0 to 1.0.
    pub top_p: Option<f64>,
    /// Sample among the `k` likeliest only.
    pub top_k: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Makes sampling repeatable where the provider can.
    pub seed: Option<i64>,
    /// Penalty for any repetition, -2.0 to 2.0.
    pub presence_penalty: Option<f64>,
    /// Penalty by frequency, -2.0 to 2.0.
    pub frequency_penalty: Option<f64>,
    /// How much to reason.
    pub reasoning: Option<Reasoning>,
    /// An opaque name for the end user.
    pub user: Option<String>,
    /// The caller's own labels.
    pub metadata: BTreeMap<String, String>,
    /// Whether to stream the answer.
    pub stream: bool,
    /// Whether an OpenAI stream is to end with a usage chunk.
    pub include_usage: bool,
    /// Fields of the caller's wire that have no place above. Sent on only where the target speaks
    /// the same wire; elsewhere they are reported as dropped.
    pub extra: Map<String, Value>,
    /// The wire the request was read from; `None` where it was built by hand, and then `extra` is
    /// taken for OpenAI's.
    pub extra_dialect: Option<Dialect>,
    /// What had no place in this form when the request was read. Names only.
    pub lost: Vec<&'static str>,
}

/// The form of an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Free text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that fits a schema.
    JsonSchema(JsonSchema),
}

/// A schema the answer must fit.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonSchema {
    /// Its name (OpenAI requires one).
    pub name: String,
    /// What it describes.
    pub description: Option<String>,
    /// The JSON schema.
    pub schema: Value,
    /// Whether the answer must fit it exactly.
    pub strict: Option<bool>,
}

/// How much to reason before answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reasoning {
    /// As a grade.
    pub effort: Option<Effort>,
    /// As a budget in tokens (older Anthropic models).
    pub budget_tokens: Option<u32>,
    /// True where the model decides by itself how long to think (Anthropic's `adaptive`).
    pub adaptive: bool,
    /// True where the caller switched reasoning off.
    pub off: bool,
}

/// A grade of reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Effort {
    /// None at all (OpenAI).
    None,
    /// The least (OpenAI).
    Minimal,
    /// Little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
    /// More.
    ExtraHigh,
    /// The most (Anthropic).
    Max,
}

impl Effort {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::ExtraHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Reads the name used on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::ExtraHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }
}

impl Request {
    /// Forgets a choice that names a tool which was lost: a choice of nothing is refused.
    pub(crate) fn drop_lost_choice(&mut self, lost: &mut Vec<&'static str>) {
        if let Some(ToolChoice::Tool(name)) = &self.tool_choice
            && lost.contains(&"tools")
            && !self.tools.iter().any(|tool| tool.name == *name)
        {
            self.tool_choice = None;
            lost.push("tool_choice");
        }
    }

    /// An empty conversation with `model`.
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            ..Self::default()
        }
    }

    /// Adds a turn.
    #[must_use]
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// Adds instructions.
    #[must_use]
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::text(Role::System, text))
    }

    /// Adds a turn of the user.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::text(Role::User, text))
    }

    /// Adds a turn of the model. As the last turn it is the beginning of the answer (a prefill),
    /// where the provider supports that.
    #[must_use]
    pub fn assistant(self, text: impl Into<String>) -> Self {
        self.message(Message::text(Role::Assistant, text))
    }

    /// Offers a tool.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Sets whether and which tool to call. Default: left to the provider.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Sets the form of the answer. Default: free text.
    #[must_use]
    pub fn response_format(mut self, format: ResponseFormat) -> Self {
        self.response_format = Some(format);
        self
    }

    /// Sets the most output tokens. Default: left to the provider; 4096 where it demands a number.
    #[must_use]
    pub const fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Sets the randomness. Default: left to the provider.
    #[must_use]
    pub const fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Adds a text that ends the answer.
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }

    /// Asks for a stream. Default: a whole answer.
    #[must_use]
    pub const fn streaming(mut self) -> Self {
        self.stream = true;
        self.include_usage = true;
        self
    }
}
