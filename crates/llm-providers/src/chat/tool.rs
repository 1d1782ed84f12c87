//! Tools a model may call, and its calls.

use serde_json::{Map, Value};

/// A function the model may ask to be run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is good for.
    pub description: Option<String>,
    /// JSON schema of its arguments.
    pub parameters: Value,
    /// Whether arguments must fit the schema exactly.
    pub strict: Option<bool>,
    /// A cache mark as Anthropic writes it.
    pub cache_control: Option<Value>,
}

/// The model's wish to run a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Names this call; the result refers to it.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// The arguments as JSON text, exactly as the model wrote them.
    pub arguments: String,
}

/// Whether and which tool the model is to call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// As the model sees fit.
    Auto,
    /// None.
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Tool(String),
}

impl Tool {
    /// A tool called `name` whose arguments fit the JSON schema `parameters`.
    #[must_use]
    pub fn new(name: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: None,
            parameters,
            strict: None,
            cache_control: None,
        }
    }

    /// Says what the tool is good for.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }
}

impl ToolCall {
    /// The arguments as an object, for wires that want one; text that is none cannot be carried, and
    /// is named in `dropped`.
    pub(crate) fn object(&self, dropped: &mut Vec<&'static str>) -> Map<String, Value> {
        match serde_json::from_str(&self.arguments) {
            Ok(Value::Object(map)) => map,
            _ => {
                if !self.arguments.trim().is_empty() {
                    dropped.push("messages.tool_calls.arguments");
                }
                Map::new()
            }
        }
    }
}
