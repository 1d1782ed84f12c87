//! Requests with `messages`: OpenAI's chat completions and Anthropic's messages.
//!
//! Read 2026-11-23: <https://platform.openai.com/docs/api-reference/chat/create>,
//! <https://platform.claude.com/docs/en/api/messages>.

use serde_json::Value;

use super::{Ask, Choice, Format, Tool, Who, list, text_of};
use crate::prose;
use crate::voice::Problem;
use crate::wire::Family;

pub(super) fn read(mut ask: Ask, family: Family, body: &Value) -> Result<Ask, Problem> {
    let messages = list(body, "messages", family)?;
    let limit = ["max_completion_tokens", "max_tokens"]
        .into_iter()
        .find_map(|key| body.get(key).filter(|value| !value.is_null()));
    ask.limit(limit, "max_tokens")?;
    if family == Family::Anthropic && ask.max_tokens.is_none() {
        return Err(family.voice().missing_field("max_tokens"));
    }
    ask.include_usage = body
        .pointer("/stream_options/include_usage")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if let Some(system) = body.get("system") {
        ask.prompt_tokens += prose::count(&text_of(system));
    }
    let last = messages.len() - 1;
    for (index, message) in messages.iter().enumerate() {
        let Some(role) = message.get("role").and_then(Value::as_str) else {
            return Err(
                Problem::invalid("messages: every message needs a 'role'.".to_owned())
                    .param("messages"),
            );
        };
        let content = message.get("content").unwrap_or(&Value::Null);
        let text = text_of(content);
        let result = if role == "tool" {
            Some(text.clone())
        } else {
            tool_result(content)
        };
        let who = match role {
            "user" => Who::User,
            "assistant" => Who::Model,
            _ => Who::Other,
        };
        ask.hear(who, text, result, index == last);
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

/// Anthropic's messages on Vertex: the model is in the path, and the body names the version of the interface.
///
/// <https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>, read 2026-11-26.
pub(super) fn read_on_vertex(ask: Ask, body: &Value) -> Result<Ask, Problem> {
    let version = body.get("anthropic_version").and_then(Value::as_str);
    if version.is_none_or(str::is_empty) {
        return Err(Family::Anthropic.voice().missing_field("anthropic_version"));
    }
    read(ask, Family::Anthropic, body)
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

/// OpenAI's chat nests a tool under `function` and calls its schema `parameters`, as the responses do without nesting;
/// Anthropic has `input_schema` beside the name.
pub(super) fn tools(body: &Value) -> Vec<Tool> {
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

/// OpenAI's chat: `"none"`, `"required"`, `{"type": "function", "function": {"name": …}}`, its responses the last without
/// nesting; Anthropic: `{"type": "none" | "any" | "tool", "name": …}`.
pub(super) fn choice(value: Option<&Value>) -> Choice {
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
    found.map_or(Format::Text, described)
}

/// `{"type": "json_object"}`, or `json_schema` with the schema beside the type or nested under `json_schema`.
pub(super) fn described(found: &Value) -> Format {
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
    use crate::wire::{Target, Wire};

    fn ask(wire: Wire, family: Family, body: &Value) -> Result<Ask, Problem> {
        Ask::read(wire, family, &Target::of(Some(wire), "", Some(body)), body)
    }

    #[test]
    fn reads_both_dialects_alike() {
        let openai = ask(
            Wire::OpenAiChat,
            Family::OpenAi,
            &json!({"model": "m", "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "two words"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}], "tool_choice": "required"}),
        )
        .unwrap();
        let anthropic = ask(
            Wire::AnthropicMessages,
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
    fn anthropic_needs_max_tokens() {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
        assert!(ask(Wire::AnthropicMessages, Family::Anthropic, &body).is_err());
        assert!(ask(Wire::OpenAiChat, Family::OpenAi, &body).is_ok());
    }
}
