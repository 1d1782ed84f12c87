//! A small value that satisfies a JSON schema: the arguments of a tool call, the answer in JSON mode.
//!
//! Only the parts of JSON Schema that callers of chat interfaces use: `type`, `properties`, `required`, `items`, `enum`,
//! `const`, `anyOf`, `oneOf`, `allOf`, `$ref` into `$defs` or `definitions`, `minimum`, `minLength`, `minItems` and `default`.

use serde_json::{Map, Value, json};

/// Deeper schemas (or endless references) end in `null`.
const MAX_DEPTH: usize = 16;
/// The most array items or string characters made to satisfy a minimum.
const MAX_FILL: u64 = 64;

/// Makes the simplest value that satisfies `schema`: required properties only.
pub(crate) fn example(schema: &Value) -> Value {
    value(schema, schema, 0)
}

fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let found = target
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return found.map_or(Value::Null, |found| value(found, root, depth + 1));
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema.get("default")) {
        return fixed.clone();
    }
    if let Some(first) = schema
        .get("enum")
        .and_then(Value::as_array)
        .and_then(|list| list.first())
    {
        return first.clone();
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema
            .get(word)
            .and_then(Value::as_array)
            .and_then(|list| list.first())
        {
            return value(first, root, depth + 1);
        }
    }
    // Gemini writes types in capitals.
    match type_of(schema).to_ascii_lowercase().as_str() {
        "object" => object(schema, root, depth),
        "array" => {
            let count = minimum(schema, "minItems").min(MAX_FILL);
            let item = schema
                .get("items")
                .map_or(Value::Null, |items| value(items, root, depth + 1));
            Value::Array((0..count).map(|_| item.clone()).collect())
        }
        "integer" => json!(schema.get("minimum").and_then(Value::as_i64).unwrap_or(1)),
        "number" => json!(schema.get("minimum").and_then(Value::as_f64).unwrap_or(1.5)),
        "boolean" => Value::Bool(true),
        "null" => Value::Null,
        _ => {
            let mut text = "sample".to_owned();
            let least = minimum(schema, "minLength").min(MAX_FILL);
            while u64::try_from(text.len()).is_ok_and(|length| length < least) {
                text.push('x');
            }
            Value::String(text)
        }
    }
}

fn object(schema: &Value, root: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
        Some(names) => names.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
    };
    let mut made = Map::new();
    for name in required {
        let inner = properties.and_then(|list| list.get(name));
        made.insert(
            name.to_owned(),
            inner.map_or_else(|| json!("sample"), |inner| value(inner, root, depth + 1)),
        );
    }
    Value::Object(made)
}

/// The schema's type; of a list the first that is not `null`; guessed from the other keys if there is none.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|&name| name != "null")
            .unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

fn minimum(schema: &Value, key: &str) -> u64 {
    schema.get(key).and_then(Value::as_u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_required_properties_only() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}, "unit": {"enum": ["c", "f"]},
                "note": {"type": "string"}, "tags": {"type": "array", "minItems": 2, "items": {"type": "boolean"}}
            },
            "required": ["city", "days", "unit", "tags"]
        });
        assert_eq!(
            example(&schema),
            json!({"city": "sample", "days": 3, "unit": "c", "tags": [true, true]})
        );
    }

    #[test]
    fn follows_references_and_survives_endless_ones() {
        let schema = json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": ["null", "number"]}}});
        assert_eq!(example(&schema), json!(1.5));
        assert_eq!(example(&json!({"$ref": "#"})), Value::Null);
    }

    #[test]
    fn lengths_are_satisfied() {
        assert_eq!(
            example(&json!({"type": "string", "minLength": 9}))
                .as_str()
                .map(str::len),
            Some(9)
        );
    }
}
