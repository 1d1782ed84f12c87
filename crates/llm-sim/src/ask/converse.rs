//! Requests of Bedrock's Converse. The model is in the path.
//!
//! Fields from the service's own model as botocore 1.44.8 ships it (`bedrock-runtime/2023-09-30/service-2.json`,
//! `ConverseRequest`), read 2026-11-26.

use serde_json::Value;

use super::{Ask, Choice, Format, Tool, Who, list, text_of};
use crate::prose;
use crate::voice::Problem;
use crate::wire::Family;

pub(super) fn read(mut ask: Ask, body: &Value) -> Result<Ask, Problem> {
    let messages = list(body, "messages", Family::Aws)?;
    ask.limit(body.pointer("/inferenceConfig/maxTokens"), "maxTokens")?;
    if let Some(system) = body.get("system") {
        ask.prompt_tokens += prose::count(&text_of(system));
    }
    let last = messages.len() - 1;
    for (index, message) in messages.iter().enumerate() {
        let who = match message.get("role").and_then(Value::as_str) {
            Some("user") => Who::User,
            Some("assistant") => Who::Model,
            _ => {
                let text = "messages: every message needs the role user or assistant.";
                return Err(Problem::invalid(text.to_owned()));
            }
        };
        let content = message.get("content").unwrap_or(&Value::Null);
        ask.hear(who, text_of(content), result(content), index == last);
    }
    ask.tools = tools(body);
    ask.choice = choice(body.pointer("/toolConfig/toolChoice"));
    ask.format = format(body.pointer("/outputConfig/textFormat"));
    Ok(ask)
}

/// What the tools answered: texts, or JSON as text.
fn result(content: &Value) -> Option<String> {
    let results: Vec<String> = content
        .as_array()?
        .iter()
        .filter_map(|block| block.pointer("/toolResult/content")?.as_array())
        .flatten()
        .filter_map(|part| {
            let text = part.get("text").and_then(Value::as_str).map(str::to_owned);
            text.or_else(|| part.get("json").map(Value::to_string))
        })
        .collect();
    (!results.is_empty()).then(|| results.join("\n"))
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = body.pointer("/toolConfig/tools").and_then(Value::as_array);
    tools
        .into_iter()
        .flatten()
        .filter_map(|tool| {
            let tool = tool.get("toolSpec")?;
            Some(Tool {
                name: tool.get("name")?.as_str()?.to_owned(),
                schema: tool
                    .pointer("/inputSchema/json")
                    .cloned()
                    .unwrap_or_default(),
            })
        })
        .collect()
}

/// A union: `{"auto": {}}`, `{"any": {}}` or `{"tool": {"name": …}}`.
fn choice(choice: Option<&Value>) -> Choice {
    let Some(choice) = choice else {
        return Choice::Auto;
    };
    match choice.pointer("/tool/name").and_then(Value::as_str) {
        Some(name) => Choice::Named(name.to_owned()),
        None if choice.get("any").is_some() => Choice::Required,
        None => Choice::Auto,
    }
}

/// The schema is JSON inside of a string.
fn format(format: Option<&Value>) -> Format {
    let schema = format
        .and_then(|format| format.pointer("/structure/jsonSchema/schema")?.as_str())
        .and_then(|text| serde_json::from_str(text).ok());
    schema.map_or(Format::Text, Format::Schema)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{Target, Wire};

    fn ask(body: &Value) -> Result<Ask, Problem> {
        let path = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse";
        let target = Target::of(Some(Wire::BedrockConverse), path, Some(body));
        Ask::read(Wire::BedrockConverse, Family::Aws, &target, body)
    }

    #[test]
    fn a_conversation_is_heard() {
        let ask = ask(&json!({
            "system": [{"text": "be kind"}],
            "messages": [{"role": "user", "content": [{"text": "two words"}, {"image": {"format": "png", "source": {"bytes": ""}}}]}],
            "inferenceConfig": {"maxTokens": 9},
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}], "toolChoice": {"any": {}}},
            "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"type\":\"object\"}"}}}},
        }))
        .unwrap();
        assert_eq!(ask.model, "anthropic.claude-3-haiku-20240307-v1:0");
        assert_eq!(
            (ask.prompt_tokens, ask.last_user.as_str()),
            (4, "two words")
        );
        assert_eq!((ask.choice, ask.max_tokens), (Choice::Required, Some(9)));
        assert_eq!(ask.tools[0].schema, json!({"type": "object"}));
        assert!(matches!(ask.format, Format::Schema(_)));
    }

    #[test]
    fn what_a_tool_answered_is_heard() {
        let ask = ask(&json!({"messages": [
            {"role": "user", "content": [{"text": "weather?"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "21"}, {"json": {"unit": "C"}}]}}]}]}))
        .unwrap();
        assert_eq!(ask.tool_result.as_deref(), Some("21\n{\"unit\":\"C\"}"));
        assert_eq!(ask.last_user, "weather?");
    }
}
