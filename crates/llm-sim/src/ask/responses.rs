//! Requests of OpenAI's responses.
//!
//! Fields from the official Python SDK, openai 3.57.0 (`types/responses/response_create_params.py`,
//! `response_input_item_param.py`), and <https://developers.openai.com/api/reference/resources/responses>, read
//! 2026-11-26.

use serde_json::Value;

use super::chat::{choice, described, tools};
use super::{Ask, Format, Who, list, text_of};
use crate::prose;
use crate::voice::Problem;
use crate::wire::Family;

/// `input` is a text or a list of items: messages (with or without `"type": "message"`), calls of functions and their
/// outputs; other items say nothing.
pub(super) fn read(mut ask: Ask, body: &Value) -> Result<Ask, Problem> {
    ask.limit(body.get("max_output_tokens"), "max_output_tokens")?;
    if let Some(instructions) = body.get("instructions").and_then(Value::as_str) {
        ask.prompt_tokens += prose::count(instructions);
    }
    if let Some(text) = body.get("input").and_then(Value::as_str) {
        ask.hear(Who::User, text.to_owned(), None, true);
    } else {
        let items = list(body, "input", Family::OpenAi)?;
        let last = items.len() - 1;
        for (index, item) in items.iter().enumerate() {
            item_heard(&mut ask, item, index == last);
        }
    }
    ask.tools = tools(body);
    ask.choice = choice(body.get("tool_choice"));
    ask.format = body.pointer("/text/format").map_or(Format::Text, described);
    Ok(ask)
}

fn item_heard(ask: &mut Ask, item: &Value, is_last: bool) {
    if item.get("type").and_then(Value::as_str) == Some("function_call_output") {
        let output = item.get("output").map(text_of).unwrap_or_default();
        ask.hear(Who::Other, output.clone(), Some(output), is_last);
        return;
    }
    let text = item.get("content").map(text_of).unwrap_or_default();
    let who = match item.get("role").and_then(Value::as_str) {
        Some("user") => Who::User,
        // An earlier answer at the end is not a prefill: the model begins a new one.
        _ => Who::Other,
    };
    ask.hear(who, text, None, is_last);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ask::Choice;
    use crate::wire::{Target, Wire};

    fn ask(body: &Value) -> Result<Ask, Problem> {
        let target = Target::of(Some(Wire::OpenAiResponses), "", Some(body));
        Ask::read(Wire::OpenAiResponses, Family::OpenAi, &target, body)
    }

    #[test]
    fn texts_and_items_are_heard() {
        let short = ask(&json!({"model": "m", "instructions": "be kind", "input": "two words"}));
        let long = ask(&json!({"model": "m", "input": [
            {"role": "developer", "content": "be kind"},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "two words"}, {"type": "input_image", "image_url": "data:,"}]}]}));
        for ask in [short.unwrap(), long.unwrap()] {
            assert_eq!(
                (ask.prompt_tokens, ask.last_user.as_str()),
                (4, "two words")
            );
        }
    }

    #[test]
    fn a_function_is_offered_and_its_output_heard() {
        let ask = ask(&json!({"model": "m", "max_output_tokens": 16, "tool_choice": {"type": "function", "name": "f"},
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "input": [{"role": "user", "content": "x"}, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "21 degrees"}]}))
        .unwrap();
        assert_eq!(ask.max_tokens, Some(16));
        assert_eq!(ask.choice, Choice::Named("f".to_owned()));
        assert_eq!(ask.tools[0].schema, json!({"type": "object"}));
        assert_eq!(ask.tool_result.as_deref(), Some("21 degrees"));
        assert!(matches!(ask.format, Format::Schema(_)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let wrong = ask(&json!({"model": "m"})).unwrap_err();
        assert_eq!((wrong.status, wrong.param), (400, Some("input")));
        assert!(ask(&json!({"model": "m", "input": "x", "max_output_tokens": 0})).is_err());
    }
}
