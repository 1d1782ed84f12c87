//! What a request asks for, told apart from the wire it came on. One file a dialect of requests.

mod chat;
mod converse;
mod gemini;
mod plain;
mod refusal;
mod responses;

use serde_json::Value;

use crate::prose;
use crate::voice::Problem;
use crate::wire::{Family, Target, Wire};

/// A request for an answer.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub model: String,
    pub stream: bool,
    /// OpenAI's chat: whether the stream ends with a usage chunk.
    pub include_usage: bool,
    pub max_tokens: Option<usize>,
    /// Words of all messages, the system prompt included.
    pub prompt_tokens: u64,
    /// The last thing the user said.
    pub last_user: String,
    /// The beginning of the answer, if the caller wrote it (prefill).
    pub prefill: String,
    /// The result of a tool, if the conversation ends with one.
    pub tool_result: Option<String>,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    pub format: Format,
}

/// A tool the model may call.
#[derive(Debug)]
pub(crate) struct Tool {
    pub name: String,
    pub schema: Value,
}

/// Whether the model must call a tool.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    Never,
    Required,
    Named(String),
}

/// In which form the answer's text must be.
#[derive(Debug, Default)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
    Schema(Value),
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    User,
    Model,
    /// The system, a tool, anybody else.
    Other,
}

impl Ask {
    /// Reads a request body.
    ///
    /// Strict where the providers are and it is cheap: JSON, the model, the conversation, limits that are numbers.
    pub(crate) fn read(
        wire: Wire,
        family: Family,
        target: &Target,
        body: &Value,
    ) -> Result<Self, Problem> {
        if !body.is_object() {
            return Err(Problem::invalid(
                "We could not parse the JSON body of your request: an object is expected."
                    .to_owned(),
            ));
        }
        let Some(model) = target.model.as_ref().filter(|model| !model.is_empty()) else {
            return Err(family.voice().missing_field("model"));
        };
        refusal::check(wire, model, body)?;
        let ask = Self {
            model: model.clone(),
            stream: target.stream,
            ..Self::default()
        };
        match wire {
            Wire::OpenAiResponses => responses::read(ask, body),
            Wire::GeminiGenerate | Wire::VertexGemini => gemini::read(ask, family, body),
            Wire::BedrockConverse => converse::read(ask, body),
            Wire::CohereChat => plain::cohere(ask, body),
            Wire::OllamaChat => plain::ollama(ask, body),
            Wire::VertexAnthropic => chat::read_on_vertex(ask, body),
            _ => chat::read(ask, family, body),
        }
    }

    /// Takes in one turn of the conversation.
    fn hear(&mut self, who: Who, text: String, result: Option<String>, is_last: bool) {
        self.prompt_tokens += prose::count(&text);
        match who {
            Who::User if result.is_none() => self.last_user = text,
            Who::Model if is_last => self.prefill = text,
            _ => {}
        }
        if is_last {
            self.tool_result = result;
        }
    }

    /// Takes in a limit on the answer's tokens, if there is one.
    fn limit(&mut self, limit: Option<&Value>, field: &'static str) -> Result<(), Problem> {
        let Some(limit) = limit.filter(|limit| !limit.is_null()) else {
            return Ok(());
        };
        let limit = limit.as_u64().filter(|&limit| limit > 0).ok_or_else(|| {
            Problem::invalid(format!(
                "{field}: must be an integer greater than or equal to 1"
            ))
            .param(field)
        })?;
        self.max_tokens = Some(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(())
    }

    /// Whether the last user message asks for this tool in words: "use the tool NAME".
    pub(crate) fn says_use(&self, tool: &str) -> bool {
        let phrase = format!("use the tool {tool}");
        self.last_user
            .match_indices(phrase.as_str())
            .any(|(at, _)| {
                let next = self
                    .last_user
                    .get(at + phrase.len()..)
                    .and_then(|rest| rest.chars().next());
                next.is_none_or(|next| !next.is_alphanumeric() && next != '_' && next != '-')
            })
    }
}

/// A list that must be there and not be empty.
fn list<'a>(body: &'a Value, field: &'static str, family: Family) -> Result<&'a [Value], Problem> {
    body.get(field)
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
        .map(Vec::as_slice)
        .ok_or_else(|| family.voice().missing_field(field))
}

/// All text of a message's content: a string, or the text parts of a list (tool results included). Images and other
/// parts without text are taken in and say nothing.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<String> = parts
                .iter()
                .filter_map(|part| {
                    part.get("text")
                        .and_then(Value::as_str)
                        .map(str::to_owned)
                        .or_else(|| part.get("content").map(text_of))
                        .or_else(|| part.pointer("/document/data").map(text_of))
                })
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_asked_for_by_its_whole_name() {
        let ask = Ask {
            last_user: "please use the tool get_weather_now, thanks".to_owned(),
            ..Ask::default()
        };
        assert!(ask.says_use("get_weather_now"));
        assert!(!ask.says_use("get_weather"));
    }
}
