//! Which schemas OpenAI accepts where it is to keep to them strictly.

use serde_json::{Map, Value};

/// Words that strict schemas may not use.
const REFUSED: [&str; 10] = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
];

/// True where every object of the schema requires all its properties and allows no others
/// (<https://platform.openai.com/docs/guides/structured-outputs>; as its readers implement it,
/// <https://effect.website/docs/v4/api/effect/unstable/ai/OpenAiStructuredOutput> and
/// <https://github.com/google/adk-java/pull/1476>, read 2026-11-26), and the whole is an object. In doubt false: then the provider follows the schema as well as it can.
pub(crate) fn is_strict(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object") && holds(schema)
}

fn holds(schema: &Value) -> bool {
    let Value::Object(fields) = schema else {
        return false;
    };
    if REFUSED.iter().any(|word| fields.contains_key(*word)) {
        return false;
    }
    let typed = ["type", "anyOf", "$ref", "enum", "const"];
    if !typed.iter().any(|word| fields.contains_key(*word)) {
        return false;
    }
    let nested = ["properties", "$defs", "definitions"]
        .into_iter()
        .filter_map(|word| fields.get(word)?.as_object())
        .flat_map(Map::values);
    let choices = fields.get("anyOf").and_then(Value::as_array);
    is_closed(fields)
        && nested
            .chain(fields.get("items"))
            .chain(choices.into_iter().flatten())
            .all(holds)
}

/// True for what is no object, or one that requires all it has and allows nothing else.
fn is_closed(fields: &Map<String, Value>) -> bool {
    let is_object = match fields.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => fields.contains_key("properties"),
    };
    if !is_object {
        return true;
    }
    let required = fields.get("required").and_then(Value::as_array);
    let is_required = |name: &String| {
        required.is_some_and(|required| required.iter().any(|given| given == name.as_str()))
    };
    fields.get("additionalProperties") == Some(&Value::Bool(false))
        && fields
            .get("properties")
            .and_then(Value::as_object)
            .is_none_or(|properties| properties.keys().all(is_required))
}
