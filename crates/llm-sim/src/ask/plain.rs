//! Requests of Cohere's chat and of Ollama's: OpenAI's `messages` and `tools` with a few fields of their own.
//!
//! Read 2026-11-26: <https://docs.cohere.com/reference/chat> and the SDK cohere 7.3.1 (`v2/client.py`);
//! <https://github.com/ollama/ollama/blob/main/docs/api.md> and the SDK ollama 0.6.3 (`_types.py`).

use serde_json::Value;

use super::{Ask, Choice, Format, chat};
use crate::voice::Problem;
use crate::wire::Family;

/// Cohere: `tool_choice` is `"REQUIRED"` or `"NONE"`; a schema is beside `"type": "json_object"`.
pub(super) fn cohere(ask: Ask, body: &Value) -> Result<Ask, Problem> {
    let mut ask = chat::read(ask, Family::Cohere, body)?;
    ask.choice = match body.get("tool_choice").and_then(Value::as_str) {
        Some("REQUIRED") => Choice::Required,
        Some("NONE") => Choice::Never,
        _ => Choice::Auto,
    };
    let format = body.get("response_format").unwrap_or(&Value::Null);
    let schema = format.get("json_schema").or_else(|| format.get("schema"));
    if let Some(schema) = schema.filter(|schema| schema.is_object()) {
        ask.format = Format::Schema(schema.clone());
    }
    Ok(ask)
}

/// Ollama: `format` is `"json"` or a schema, the limit is `options.num_predict` (a negative one is none), and there is no
/// choice of tools.
pub(super) fn ollama(ask: Ask, body: &Value) -> Result<Ask, Problem> {
    let mut ask = chat::read(ask, Family::Ollama, body)?;
    let limit = body
        .pointer("/options/num_predict")
        .filter(|limit| limit.as_i64().is_none_or(|limit| limit >= 0));
    ask.limit(limit, "num_predict")?;
    ask.choice = Choice::Auto;
    ask.format = match body.get("format") {
        Some(schema @ Value::Object(_)) => Format::Schema(schema.clone()),
        Some(Value::String(name)) if name == "json" => Format::Json,
        _ => Format::Text,
    };
    Ok(ask)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{Target, Wire};

    fn ask(wire: Wire, family: Family, body: &Value) -> Ask {
        Ask::read(wire, family, &Target::of(Some(wire), "", Some(body)), body).unwrap()
    }

    #[test]
    fn cohere_writes_its_choice_in_capitals() {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9, "tool_choice": "REQUIRED",
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            "response_format": {"type": "json_object", "json_schema": {"type": "object"}}});
        let ask = ask(Wire::CohereChat, Family::Cohere, &body);
        assert_eq!((ask.choice, ask.max_tokens), (Choice::Required, Some(9)));
        assert_eq!(ask.tools[0].name, "f");
        assert!(matches!(ask.format, Format::Schema(_)));
    }

    #[test]
    fn ollama_streams_unless_told_otherwise() {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x", "images": ["aGk="]}],
            "format": {"type": "object"}, "options": {"num_predict": -1}});
        let first = ask(Wire::OllamaChat, Family::Ollama, &body);
        assert!(first.stream && first.max_tokens.is_none());
        assert!(matches!(first.format, Format::Schema(_)));
        body["stream"] = json!(false);
        body["options"]["num_predict"] = json!(7);
        let second = ask(Wire::OllamaChat, Family::Ollama, &body);
        assert!(!second.stream && second.max_tokens == Some(7));
    }
}
