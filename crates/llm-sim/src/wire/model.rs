//! The list of models, in OpenAI's shape, Anthropic's or Google's.
//!
//! Shapes read 2026-11-23: <https://platform.openai.com/docs/api-reference/models>, <https://platform.claude.com/docs/en/api/models-list>;
//! 2026-11-26: <https://ai.google.dev/api/models>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Family;
use super::openai::CREATED;
use crate::json;
use crate::voice::Problem;

/// What is listed when the script names no models.
pub(crate) const DEFAULT: &str = "sim-1";

/// Answers `…/models` and `…/models/{id}`.
pub(crate) fn reply(family: Family, path: &str, models: &[String]) -> Result<Bytes, Problem> {
    let listed: Vec<&str> = if models.is_empty() {
        vec![DEFAULT]
    } else {
        models.iter().map(String::as_str).collect()
    };
    if let Some((_, wanted)) = path.trim_end_matches('/').split_once("/models/") {
        if models.is_empty() || listed.contains(&wanted) {
            return Ok(json::bytes(&entry(family, wanted)));
        }
        return Err(family.voice().unknown_model(wanted));
    }
    let data: Vec<Value> = listed.iter().map(|model| entry(family, model)).collect();
    Ok(json::bytes(&match family {
        Family::Google | Family::Vertex => json!({ "models": data }),
        Family::Anthropic => {
            json!({"data": data, "has_more": false, "first_id": listed.first(), "last_id": listed.last()})
        }
        Family::OpenAi | Family::Aws | Family::Cohere | Family::Ollama => {
            json!({"object": "list", "data": data})
        }
    }))
}

fn entry(family: Family, model: &str) -> Value {
    match family {
        Family::Google | Family::Vertex => {
            json!({"name": format!("models/{model}"), "displayName": model, "supportedGenerationMethods": ["generateContent"]})
        }
        Family::Anthropic => {
            json!({"type": "model", "id": model, "display_name": model, "created_at": "2025-12-01T00:00:00Z"})
        }
        Family::OpenAi | Family::Aws | Family::Cohere | Family::Ollama => {
            json!({"id": model, "object": "model", "created": CREATED, "owned_by": "simulated"})
        }
    }
}
