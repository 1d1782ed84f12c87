//! Requests of Gemini, in AI Studio and on Vertex.
//!
//! Fields from <https://ai.google.dev/api/generate-content> and the official Python SDK, google-genai 3.6.1
//! (`types.py`), read 2026-11-26. As JSON of protocol buffers does, a name may be written in camel or snake case.

use serde_json::Value;

use super::{Ask, Choice, Format, Tool, Who, list};
use crate::prose;
use crate::voice::Problem;
use crate::wire::Family;

pub(super) fn read(mut ask: Ask, family: Family, body: &Value) -> Result<Ask, Problem> {
    let contents = list(body, "contents", family)?;
    let config = either(body, "generationConfig", "generation_config").unwrap_or(&Value::Null);
    let limit = either(config, "maxOutputTokens", "max_output_tokens");
    ask.limit(limit, "max_output_tokens")?;
    if let Some(system) = either(body, "systemInstruction", "system_instruction") {
        ask.prompt_tokens += prose::count(&parts_text(system));
    }
    let last = contents.len() - 1;
    for (index, content) in contents.iter().enumerate() {
        let who = match content.get("role").and_then(Value::as_str) {
            None | Some("user") => Who::User,
            Some("model") => Who::Model,
            Some(_) => Who::Other,
        };
        ask.hear(who, parts_text(content), result(content), index == last);
    }
    ask.tools = tools(body);
    ask.choice = choice(body);
    ask.format = format(config);
    Ok(ask)
}

fn either<'a>(object: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| object.get(snake))
}

fn parts(content: &Value) -> &[Value] {
    content
        .get("parts")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The text of a content; thoughts, images and files say nothing.
fn parts_text(content: &Value) -> String {
    let texts: Vec<&str> = parts(content)
        .iter()
        .filter(|part| part.get("thought").and_then(Value::as_bool) != Some(true))
        .filter_map(|part| part.get("text")?.as_str())
        .collect();
    texts.join("\n")
}

/// What the functions answered: the text that the SDKs put under `result` or `output`, else the whole object.
fn result(content: &Value) -> Option<String> {
    let results: Vec<String> = parts(content)
        .iter()
        .filter_map(|part| either(part, "functionResponse", "function_response"))
        .map(|answered| {
            let object = answered.get("response").unwrap_or(&Value::Null);
            ["result", "output"]
                .into_iter()
                .find_map(|key| object.get(key)?.as_str().map(str::to_owned))
                .unwrap_or_else(|| object.to_string())
        })
        .collect();
    (!results.is_empty()).then(|| results.join("\n"))
}

fn tools(body: &Value) -> Vec<Tool> {
    let tools = body.get("tools").and_then(Value::as_array);
    tools
        .into_iter()
        .flatten()
        .filter_map(|tool| {
            either(tool, "functionDeclarations", "function_declarations")?.as_array()
        })
        .flatten()
        .filter_map(|function| {
            let schema = function
                .get("parameters")
                .or_else(|| either(function, "parametersJsonSchema", "parameters_json_schema"));
            Some(Tool {
                name: function.get("name")?.as_str()?.to_owned(),
                schema: schema.cloned().unwrap_or(Value::Null),
            })
        })
        .collect()
}

/// `{"mode": "AUTO" | "ANY" | "NONE" | "VALIDATED", "allowedFunctionNames": […]}`.
fn choice(body: &Value) -> Choice {
    let config = either(body, "toolConfig", "tool_config")
        .and_then(|config| either(config, "functionCallingConfig", "function_calling_config"))
        .unwrap_or(&Value::Null);
    let names = either(config, "allowedFunctionNames", "allowed_function_names");
    let first = names.and_then(|names| names.get(0)?.as_str());
    match (config.get("mode").and_then(Value::as_str), first) {
        (Some("NONE"), _) => Choice::Never,
        (Some("ANY"), Some(name)) => Choice::Named(name.to_owned()),
        (Some("ANY"), None) => Choice::Required,
        _ => Choice::Auto,
    }
}

fn format(config: &Value) -> Format {
    let schema = either(config, "responseSchema", "response_schema")
        .or_else(|| either(config, "responseJsonSchema", "response_json_schema"));
    if let Some(schema) = schema {
        return Format::Schema(schema.clone());
    }
    match either(config, "responseMimeType", "response_mime_type").and_then(Value::as_str) {
        Some("application/json") => Format::Json,
        _ => Format::Text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{Target, Wire};

    fn ask(body: &Value) -> Result<Ask, Problem> {
        let path = "/v1beta/models/gemini-3-flash:generateContent";
        let target = Target::of(Some(Wire::GeminiGenerate), path, Some(body));
        Ask::read(Wire::GeminiGenerate, Family::Google, &target, body)
    }

    #[test]
    fn a_conversation_is_heard_in_either_case() {
        let ask = ask(&json!({
            "system_instruction": {"parts": [{"text": "be kind"}]},
            "contents": [{"role": "user", "parts": [{"text": "two words"}, {"inlineData": {"mimeType": "image/png", "data": ""}}]}],
            "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
            "generationConfig": {"maxOutputTokens": 9, "responseMimeType": "application/json"},
        }))
        .unwrap();
        assert_eq!(
            (ask.prompt_tokens, ask.last_user.as_str()),
            (4, "two words")
        );
        assert_eq!(
            (ask.model.as_str(), ask.max_tokens),
            ("gemini-3-flash", Some(9))
        );
        assert_eq!(ask.choice, Choice::Named("f".to_owned()));
        assert_eq!(ask.tools[0].schema, json!({"type": "OBJECT"}));
        assert!(matches!(ask.format, Format::Json));
    }

    #[test]
    fn what_a_function_answered_is_heard() {
        for (response, heard) in [
            (json!({"result": "21 degrees"}), "21 degrees"),
            (json!({"degrees": 21}), "{\"degrees\":21}"),
        ] {
            let ask = ask(&json!({"contents": [
                {"role": "user", "parts": [{"text": "weather?"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": response}}]}]}))
            .unwrap();
            assert_eq!(ask.tool_result.as_deref(), Some(heard));
            assert_eq!(ask.last_user, "weather?");
        }
        assert_eq!(ask(&json!({})).unwrap_err().status, 400);
    }
}
