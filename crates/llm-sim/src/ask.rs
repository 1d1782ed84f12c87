//! What a request asks for, told apart from the wire it came on.

use serde_json::Value;

use crate::preset::Problem;
use crate::prose;
use crate::wire::Family;

/// A request for an answer.
#[derive(Debug, Default)]
pub(crate) struct Ask {
    pub model: String,
    pub stream: bool,
    /// OpenAI: whether the stream ends with a usage chunk.
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

impl Ask {
    /// Reads a request body.
    ///
    /// Strict where the providers are and it is cheap: JSON, `model`, `messages`, and Anthropic's `max_tokens`.
    pub(crate) fn read(family: Family, body: &Value) -> Result<Self, Problem> {
        if !body.is_object() {
            return Err(Problem::invalid(
                "We could not parse the JSON body of your request: an object is expected."
                    .to_owned(),
            ));
        }
        let Some(model) = body
            .get("model")
            .and_then(Value::as_str)
            .filter(|model| !model.is_empty())
        else {
            return Err(missing(
                family,
                "model",
                "you must provide a model parameter",
            ));
        };
        let Some(messages) = body
            .get("messages")
            .and_then(Value::as_array)
            .filter(|list| !list.is_empty())
        else {
            return Err(missing(
                family,
                "messages",
                "Missing required parameter: 'messages'.",
            ));
        };
        let limit = ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .find_map(|key| body.get(key).filter(|v| !v.is_null()));
        let max_tokens = limit
            .and_then(Value::as_u64)
            .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if limit.is_some() && max_tokens.is_none_or(|limit| limit == 0) {
            return Err(Problem::invalid(
                "max_tokens: must be an integer greater than or equal to 1".to_owned(),
            )
            .param("max_tokens"));
        }
        if family == Family::Anthropic && max_tokens.is_none() {
            return Err(missing(family, "max_tokens", ""));
        }
        let mut ask = Self {
            model: model.to_owned(),
            stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
            include_usage: body
                .pointer("/stream_options/include_usage")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            max_tokens,
            ..Self::default()
        };
        if let Some(system) = body.get("system") {
            ask.prompt_tokens += prose::count(&text_of(system));
        }
        let last = messages.len() - 1;
        for (index, message) in messages.iter().enumerate() {
            ask.read_message(message, index == last)?;
        }
        if family == Family::Anthropic && ask.prefill.ends_with(char::is_whitespace) {
            let message = "messages: final assistant content cannot end with trailing whitespace";
            return Err(Problem::invalid(message.to_owned()));
        }
        ask.tools = tools(body);
        ask.choice = choice(body.get("tool_choice"));
        ask.format = format(body);
        Ok(ask)
    }

    fn read_message(&mut self, message: &Value, is_last: bool) -> Result<(), Problem> {
        let Some(role) = message.get("role").and_then(Value::as_str) else {
            return Err(
                Problem::invalid("messages: every message needs a 'role'.".to_owned())
                    .param("messages"),
            );
        };
        let content = message.get("content").unwrap_or(&Value::Null);
        let text = text_of(content);
        self.prompt_tokens += prose::count(&text);
        let result = if role == "tool" {
            Some(text.clone())
        } else {
            tool_result(content)
        };
        match role {
            "user" if result.is_none() => self.last_user = text,
            "assistant" if is_last => self.prefill = text,
            _ => {}
        }
        if is_last {
            self.tool_result = result;
        }
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

fn missing(family: Family, param: &'static str, openai: &str) -> Problem {
    match family {
        Family::OpenAi => Problem::invalid(openai.to_owned()).param(param),
        Family::Anthropic => Problem::invalid(format!("{param}: Field required")),
    }
}

/// All text of a message's content: a string, or the text parts of a list (tool results included).
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
                })
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The text of Anthropic `tool_result` blocks, if there are any.
fn tool_result(content: &Value) -> Option<String> {
    let results: Vec<String> = content
        .as_array()?
        .iter()
        .filter(|part| part.get("type").and_then(Value::as_str) == Some("tool_result"))
        .map(|part| part.get("content").map(text_of).unwrap_or_default())
        .collect();
    if results.is_empty() {
        None
    } else {
        Some(results.join("\n"))
    }
}

/// OpenAI nests a tool under `function` and calls its schema `parameters`; Anthropic has `input_schema` beside the name.
fn tools(body: &Value) -> Vec<Tool> {
    let list = body
        .get("tools")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    list.iter()
        .filter_map(|tool| {
            let inner = tool.get("function").unwrap_or(tool);
            let schema = inner
                .get("parameters")
                .or_else(|| inner.get("input_schema"))
                .cloned()
                .unwrap_or(Value::Null);
            Some(Tool {
                name: inner.get("name")?.as_str()?.to_owned(),
                schema,
            })
        })
        .collect()
}

/// OpenAI: `"none"`, `"required"`, `{"type": "function", "function": {"name": …}}`; Anthropic: `{"type": "none" | "any" | "tool", "name": …}`.
fn choice(value: Option<&Value>) -> Choice {
    let Some(value) = value else {
        return Choice::Auto;
    };
    let name = value
        .pointer("/function/name")
        .or_else(|| value.get("name"))
        .and_then(Value::as_str);
    match value
        .as_str()
        .or_else(|| value.get("type").and_then(Value::as_str))
    {
        Some("none") => Choice::Never,
        Some("required" | "any") => Choice::Required,
        Some("function" | "tool") => {
            name.map_or(Choice::Required, |name| Choice::Named(name.to_owned()))
        }
        _ => Choice::Auto,
    }
}

/// OpenAI `response_format`; Anthropic `output_config.format` (earlier `output_format`).
fn format(body: &Value) -> Format {
    let found = body
        .get("response_format")
        .or_else(|| body.pointer("/output_config/format"))
        .or_else(|| body.get("output_format"));
    let Some(found) = found else {
        return Format::Text;
    };
    match found.get("type").and_then(Value::as_str) {
        Some("json_object") => Format::Json,
        Some("json_schema") => {
            let schema = found
                .pointer("/json_schema/schema")
                .or_else(|| found.get("schema"));
            schema.map_or(Format::Json, |schema| Format::Schema(schema.clone()))
        }
        _ => Format::Text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_both_dialects_alike() {
        let openai = Ask::read(
            Family::OpenAi,
            &json!({"model": "m", "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "two words"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "tool_choice": "required"}),
        )
        .unwrap();
        let anthropic = Ask::read(
            Family::Anthropic,
            &json!({"model": "m", "max_tokens": 9, "system": "be kind", "messages": [{"role": "user", "content": [{"type": "text", "text": "two words"}]}],
                "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "any"}}),
        )
        .unwrap();
        for ask in [&openai, &anthropic] {
            assert_eq!(
                (ask.prompt_tokens, ask.last_user.as_str()),
                (4, "two words")
            );
            assert_eq!(ask.tools[0].name, "f");
            assert_eq!(ask.tools[0].schema, json!({"type": "object"}));
            assert_eq!(ask.choice, Choice::Required);
        }
    }

    #[test]
    fn a_tool_is_asked_for_by_its_whole_name() {
        let ask = Ask {
            last_user: "please use the tool get_weather_now, thanks".to_owned(),
            ..Ask::default()
        };
        assert!(ask.says_use("get_weather_now"));
        assert!(!ask.says_use("get_weather"));
    }

    #[test]
    fn anthropic_needs_max_tokens() {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        assert!(Ask::read(Family::Anthropic, &body).is_err());
        assert!(Ask::read(Family::OpenAi, &body).is_ok());
    }
}
