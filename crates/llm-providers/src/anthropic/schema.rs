//! Fits a JSON schema to what Claude can be held to.
//!
//! A schema that holds more is answered by 400, in the API's words at <https://github.com/agentjido/req_llm/issues/302>
//! and <https://github.com/laravel/ai/issues/715>. The rules are those that `transform_schema` of `anthropic-sdk-python`
//! 2.12.0 keeps to (`lib/_parse/_transform.py`). All read 2026-11-26.

use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The deepest schema that is fitted.
const MAX_DEPTH: usize = 64;
/// Forms of a text that can be held to.
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];
/// Words that demand nothing.
const REMARKS: [&str; 10] = [
    "$schema",
    "$id",
    "$comment",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "nullable",
];

/// A schema that Claude takes.
pub(crate) struct Fitted {
    pub(crate) schema: Value,
    /// Some of what it demanded stands in descriptions now: a wish, no longer a rule.
    pub(crate) is_looser: bool,
}

/// Fits `schema`. `None` where it cannot be said here at all: it refers to itself, or leaves open what a value is.
pub(crate) fn fit(schema: &Value) -> Option<Fitted> {
    if schema.get("type").is_none_or(|kind| kind != "object") || refers_to_itself(schema) {
        return None;
    }
    let mut is_looser = false;
    let schema = fitted(schema, MAX_DEPTH, &mut is_looser)?;
    Some(Fitted { schema, is_looser })
}

/// Asks in words for what cannot be demanded, which is likely and not certain to work.
pub(crate) fn wish_for(schema: &Value) -> String {
    format!("Answer with one JSON value that fits this JSON schema, and nothing else: {schema}")
}

fn fitted(schema: &Value, depth: usize, looser: &mut bool) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut left = schema.as_object()?.clone();
    left.retain(|key, _| !REMARKS.contains(&key.as_str()));
    let mut out = Map::new();
    for key in ["$defs", "definitions"] {
        if let Some(Value::Object(named)) = left.remove(key) {
            out.insert(key.to_owned(), each(&named, depth, looser)?.into());
        }
    }
    if let Some(name) = left.remove("$ref") {
        left.remove("description");
        left.remove("title");
        *looser |= !left.is_empty();
        out.insert("$ref".to_owned(), name);
        return Some(out.into());
    }
    for key in ["description", "title"] {
        if let Some(text) = left.remove(key) {
            out.insert(key.to_owned(), text);
        }
    }
    let fixed = fix(&mut left, &mut out);
    let kind = left.remove("type");
    if fixed {
        // The values tell their types.
    } else if let Some(Value::Array(kinds)) = kind {
        let one_each = kinds.iter().map(|kind| {
            let mut one = left.clone();
            one.insert("type".to_owned(), kind.clone());
            one.retain(|key, _| key == "type" || concerns(key, kind));
            fitted(&one.into(), depth, looser)
        });
        out.insert(
            "anyOf".to_owned(),
            one_each.collect::<Option<Vec<_>>>()?.into(),
        );
        return Some(out.into());
    } else if let Some(kind) = kind {
        describe(&kind, &mut left, &mut out, depth, looser)?;
    } else if left.contains_key("properties") {
        describe(&json!("object"), &mut left, &mut out, depth, looser)?;
    } else {
        let mut ways = ["anyOf", "oneOf", "allOf"].into_iter();
        let way = ways.find(|way| left.contains_key(*way))?;
        let list = left.remove(way)?;
        let list = list.as_array()?.iter();
        let list = list.map(|one| fitted(one, depth, looser));
        let list: Vec<_> = list.collect::<Option<_>>()?;
        let way = if way == "oneOf" { "anyOf" } else { way };
        out.insert(way.to_owned(), list.into());
    }
    wish(left, &mut out, looser);
    Some(out.into())
}

fn each(named: &Map<String, Value>, depth: usize, looser: &mut bool) -> Option<Map<String, Value>> {
    let fitted = |(name, one): (&String, &Value)| Some((name.clone(), fitted(one, depth, looser)?));
    named.iter().map(fitted).collect()
}

/// Takes over the values that are allowed, where they are plain.
fn fix(left: &mut Map<String, Value>, out: &mut Map<String, Value>) -> bool {
    let is_plain = |value: &Value| !value.is_array() && !value.is_object();
    let mut fixed = false;
    for key in ["enum", "const"] {
        let plain = left.get(key).is_some_and(|value| match value {
            Value::Array(values) => !values.is_empty() && values.iter().all(is_plain),
            value => key == "const" && is_plain(value),
        });
        if plain && let Some(value) = left.remove(key) {
            out.insert(key.to_owned(), value);
            fixed = true;
        }
    }
    fixed
}

/// Writes a type and what can be demanded of it.
fn describe(
    kind: &Value,
    left: &mut Map<String, Value>,
    out: &mut Map<String, Value>,
    depth: usize,
    looser: &mut bool,
) -> Option<()> {
    out.insert("type".to_owned(), kind.clone());
    match kind.as_str()? {
        "object" => {
            if let Some(named) = left.remove("properties") {
                let named = each(named.as_object()?, depth, looser)?;
                out.insert("properties".to_owned(), named.into());
            }
            // What else an object may hold cannot be said: here it holds nothing else.
            *looser |= left
                .remove("additionalProperties")
                .is_some_and(|more| more.is_object());
            out.insert("additionalProperties".to_owned(), false.into());
            if let Some(required) = left.remove("required") {
                out.insert("required".to_owned(), required);
            }
        }
        "array" => {
            if let Some(items) = left.remove("items") {
                out.insert("items".to_owned(), fitted(&items, depth, looser)?);
            }
            if left
                .get("minItems")
                .is_some_and(|least| *least == 0 || *least == 1)
                && let Some(least) = left.remove("minItems")
            {
                out.insert("minItems".to_owned(), least);
            }
        }
        "string" => {
            let known = |form: &Value| form.as_str().is_some_and(|form| FORMATS.contains(&form));
            if left.get("format").is_some_and(known)
                && let Some(form) = left.remove("format")
            {
                out.insert("format".to_owned(), form);
            }
        }
        _ => {}
    }
    Some(())
}

/// True where a word speaks of values of this type; what it says of others is left out with them.
fn concerns(key: &str, kind: &Value) -> bool {
    let of = match key {
        "properties"
        | "required"
        | "additionalProperties"
        | "patternProperties"
        | "propertyNames"
        | "minProperties"
        | "maxProperties" => "object",
        "items" | "prefixItems" | "minItems" | "maxItems" | "uniqueItems" | "contains" => "array",
        "minLength" | "maxLength" | "pattern" | "format" => "string",
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            return *kind == "number" || *kind == "integer";
        }
        _ => return *kind != "null",
    };
    *kind == of
}

/// What cannot be demanded is wished for.
fn wish(left: Map<String, Value>, out: &mut Map<String, Value>, looser: &mut bool) {
    if left.is_empty() {
        return;
    }
    *looser = true;
    let wishes = Value::Object(left).to_string();
    let told = out.get("description").and_then(Value::as_str);
    let text = match told {
        Some(told) => format!("{told}\n\n{wishes}"),
        None => wishes,
    };
    out.insert("description".to_owned(), text.into());
}

/// True where a definition leads back to itself, or to a place that is none of the named ones.
fn refers_to_itself(schema: &Value) -> bool {
    let named = |name: &str| {
        let name = name.strip_prefix("#/")?;
        let (list, name) = name.split_once('/')?;
        schema
            .get(list)
            .filter(|_| is_list_of_names(list))?
            .get(name)
    };
    leads_back(schema, &named, &mut Vec::new(), &mut HashSet::new())
}

/// `open` are the references that led here, `closed` those that are known to lead nowhere back: each is followed once.
fn leads_back<'a>(
    schema: &'a Value,
    named: &impl Fn(&str) -> Option<&'a Value>,
    open: &mut Vec<&'a str>,
    closed: &mut HashSet<&'a str>,
) -> bool {
    match schema {
        Value::Array(list) => list.iter().any(|one| leads_back(one, named, open, closed)),
        Value::Object(fields) => {
            if let Some(Value::String(name)) = fields.get("$ref") {
                let name = name.as_str();
                if open.contains(&name) || open.len() >= MAX_DEPTH {
                    return true;
                }
                if !closed.insert(name) {
                    return false;
                }
                let Some(target) = named(name) else {
                    return true;
                };
                open.push(name);
                let back = leads_back(target, named, open, closed);
                open.pop();
                return back;
            }
            let mut inner = fields.iter().filter(|(key, _)| !is_list_of_names(key));
            inner.any(|(_, one)| leads_back(one, named, open, closed))
        }
        _ => false,
    }
}

fn is_list_of_names(key: &str) -> bool {
    key == "$defs" || key == "definitions"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(schema: &Value) -> (Value, bool) {
        let fitted = fit(schema).unwrap();
        (fitted.schema, fitted.is_looser)
    }

    #[test]
    fn what_cannot_be_demanded_is_wished_for() {
        let (schema, looser) = fits(
            &json!({"$schema": "x", "type": "object", "required": ["age"], "properties": {
                "age": {"type": "integer", "minimum": 1, "description": "Years."},
                "mail": {"type": "string", "format": "email", "default": "a@b.c"},
                "tags": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                "kind": {"oneOf": [{"const": "a"}, {"type": "null"}]},
            }}),
        );
        assert!(looser);
        assert_eq!(
            schema,
            json!({"type": "object", "additionalProperties": false, "required": ["age"], "properties": {
                "age": {"type": "integer", "description": "Years.\n\n{\"minimum\":1}"},
                "mail": {"type": "string", "format": "email"},
                "tags": {"type": "array", "minItems": 1, "items": {"type": "string"}},
                "kind": {"anyOf": [{"const": "a"}, {"type": "null"}]},
            }})
        );
    }

    #[test]
    fn a_schema_of_openais_strict_form_keeps_its_meaning() {
        let strict = json!({"type": "object", "additionalProperties": false, "required": ["a", "b", "c"],
            "properties": {
                "a": {"type": ["string", "null"], "description": "A."},
                "b": {"$ref": "#/$defs/B", "description": "B."},
                "c": {"type": ["string", "null"], "enum": ["x", null]},
            },
            "$defs": {"B": {"type": "object", "properties": {"n": {"type": "number"}},
                "required": ["n"], "additionalProperties": false}},
        });
        let (schema, looser) = fits(&strict);
        assert!(!looser);
        assert_eq!(
            schema["properties"],
            json!({
                "a": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "A."},
                "b": {"$ref": "#/$defs/B"},
                "c": {"enum": ["x", null]},
            })
        );
        assert_eq!(schema["$defs"], strict["$defs"]);
        // What fits is left as it is.
        assert_eq!(fits(&schema), (schema.clone(), false));
    }

    #[test]
    fn what_refers_to_itself_or_leaves_a_value_open_does_not_fit() {
        for schema in [
            json!({"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}},
                "$defs": {"N": {"type": "object", "properties": {"next": {"$ref": "#/$defs/N"}}}}}),
            json!({"type": "object", "properties": {"any": {}}}),
            json!({"type": "object", "properties": {"there": {"$ref": "https://example.com/s"}}}),
            json!({"type": "array", "items": {"type": "string"}}),
            json!(true),
        ] {
            assert!(fit(&schema).is_none(), "{schema}");
        }
    }
}
