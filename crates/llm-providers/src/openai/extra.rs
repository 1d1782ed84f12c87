//! What OpenAI's two wires share beyond the neutral form.

use crate::chat::Request;
use crate::codec::field_name;
use crate::wire::Dialect;
use serde_json::{Map, Value};

/// Fields that both wires have, under one name but for `verbosity`, which has its place inside `text` on the
/// responses wire (types of `openai-python` 3.54.0, `src/openai/types`, read 2026-11-26).
const SHARED: [&str; 7] = [
    "moderation",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "verbosity",
];

/// The caller's fields without a place in the neutral form that a target of `wire`, one of the two, may be sent; the
/// others are named in `dropped`. Those of the other wire of OpenAI go only to a target that follows OpenAI
/// `closely`: others refuse what they do not know.
pub(crate) fn extra_for(
    wire: Dialect,
    closely: bool,
    request: &Request,
    dropped: &mut Vec<&'static str>,
) -> Map<String, Value> {
    let from = request.extra_dialect.unwrap_or(Dialect::OpenAiChat);
    if from == wire {
        return request.extra.clone();
    }
    let related = closely && is_openais(from);
    let mut kept = Map::new();
    for (key, value) in &request.extra {
        if related && SHARED.contains(&key.as_str()) {
            kept.insert(key.clone(), value.clone());
        } else {
            dropped.push(field_name(key));
        }
    }
    kept
}

/// True for a request of one of OpenAI's wires, or one built by hand: it is taken at its word. Settings of other
/// wires' callers must not make a model refuse.
pub(crate) fn is_native(request: &Request) -> bool {
    request.extra_dialect.is_none_or(is_openais)
}

fn is_openais(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses)
}
