//! What a look at a value can cost, before the schema is compiled.
//!
//! `{"anyOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]}` twenty times over is a short document and a million steps, and a
//! schema that refers to itself from two branches doubles the steps with each level of the value. So the steps along the dearest
//! way through the schema are counted for values of growing depth, and the depth is kept at which there are too many.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The most steps along one way through the schema, for each value at the end of a way.
const MAX_STEPS: u64 = 10_000;
/// No value is looked at that is nested deeper. The reader of JSON takes 128.
const MAX_DEPTH: usize = 32;
/// The most schemas inside or behind each other, for the stack's sake.
const MAX_CHAIN: usize = 128;

const FOREIGN: &str = "a reference that is no JSON pointer into the document itself";
const ENDLESS: &str = "a schema that refers to itself without end";
const COSTLY: &str =
    "a schema that branches too much, or whose references follow on each other too long";

/// The deepest value that is cheap to look at.
pub(super) fn deepest(document: &Value) -> Result<usize, &'static str> {
    let mut steps = Steps {
        root: document,
        known: HashMap::new(),
        chain: 0,
    };
    for depth in 0..=MAX_DEPTH {
        if steps.of(document, depth)? > MAX_STEPS {
            return depth.checked_sub(1).ok_or(COSTLY);
        }
    }
    Ok(MAX_DEPTH)
}

/// How deeply a value is nested: 0 for a number.
pub(super) fn depth(value: &Value) -> usize {
    let below: Option<usize> = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    below.unwrap_or(0) + 1
}

struct Steps<'a> {
    root: &'a Value,
    /// By schema and depth of the value; `None` while it is being counted.
    known: HashMap<(*const Value, usize), Option<u64>>,
    chain: usize,
}

impl<'a> Steps<'a> {
    /// The steps that `schema` takes at most for a value of this depth.
    fn of(&mut self, schema: &'a Value, depth: usize) -> Result<u64, &'static str> {
        let Value::Object(fields) = schema else {
            return Ok(1);
        };
        let key = (std::ptr::from_ref(schema), depth);
        match self.known.get(&key) {
            Some(Some(steps)) => return Ok(*steps),
            // The value is no smaller than when this schema was met before.
            Some(None) => return Err(ENDLESS),
            None => self.known.insert(key, None),
        };
        if self.chain == MAX_CHAIN {
            return Err(COSTLY);
        }
        self.chain += 1;
        let mut steps = self.of_same(fields, depth)?.saturating_add(1);
        if let Some(below) = depth.checked_sub(1) {
            steps = steps.saturating_add(self.of_parts(fields, below)?);
        }
        self.chain -= 1;
        self.known.insert(key, Some(steps));
        Ok(steps)
    }

    /// The keywords that look at the same value.
    fn of_same(
        &mut self,
        fields: &'a Map<String, Value>,
        depth: usize,
    ) -> Result<u64, &'static str> {
        let mut steps = 0_u64;
        for (keyword, value) in fields {
            let more = match (keyword.as_str(), value) {
                ("$ref", Value::String(reference)) => {
                    let pointer = reference.strip_prefix('#').ok_or(FOREIGN)?;
                    let target = self.root.pointer(pointer).ok_or(FOREIGN)?;
                    self.of(target, depth)?
                }
                ("$dynamicRef" | "$recursiveRef", _) => return Err(FOREIGN),
                // A new base for the references inside.
                ("$id", Value::String(_)) if !self.is_root(fields) => return Err(FOREIGN),
                ("allOf" | "anyOf" | "oneOf", Value::Array(all)) => self.sum(all, depth)?,
                ("not" | "if" | "then" | "else", one) => self.of(one, depth)?,
                ("dependentSchemas" | "dependencies", Value::Object(all)) => {
                    self.sum(all.values(), depth)?
                }
                _ => 0,
            };
            steps = steps.saturating_add(more);
        }
        Ok(steps)
    }

    /// The keywords that look at what is inside the value.
    fn of_parts(
        &mut self,
        fields: &'a Map<String, Value>,
        depth: usize,
    ) -> Result<u64, &'static str> {
        let mut steps = 0_u64;
        for (keyword, value) in fields {
            let more = match (keyword.as_str(), value) {
                // A field has one name, and an item one place.
                ("properties", Value::Object(all)) => self.most(all.values(), depth)?,
                ("prefixItems" | "items", Value::Array(all)) => self.most(all, depth)?,
                ("patternProperties", Value::Object(all)) => self.sum(all.values(), depth)?,
                (
                    "items"
                    | "additionalItems"
                    | "additionalProperties"
                    | "contains"
                    | "propertyNames"
                    | "unevaluatedItems"
                    | "unevaluatedProperties",
                    one,
                ) => self.of(one, depth)?,
                _ => 0,
            };
            steps = steps.saturating_add(more);
        }
        Ok(steps)
    }

    fn sum(
        &mut self,
        all: impl IntoIterator<Item = &'a Value>,
        depth: usize,
    ) -> Result<u64, &'static str> {
        all.into_iter().try_fold(0_u64, |sum, schema| {
            Ok(sum.saturating_add(self.of(schema, depth)?))
        })
    }

    fn most(
        &mut self,
        all: impl IntoIterator<Item = &'a Value>,
        depth: usize,
    ) -> Result<u64, &'static str> {
        all.into_iter()
            .try_fold(0, |most, schema| Ok(self.of(schema, depth)?.max(most)))
    }

    fn is_root(&self, fields: &Map<String, Value>) -> bool {
        matches!(self.root, Value::Object(root) if std::ptr::eq(root, fields))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_schema_without_branches_is_cheap_however_wide_or_deep() {
        let fields = |count: usize| -> Value {
            (0..count)
                .map(|nth| (nth.to_string(), json!({ "type": "string" })))
                .collect()
        };
        let wide = json!({ "type": "object", "properties": fields(5_000) });
        assert_eq!(deepest(&wide), Ok(MAX_DEPTH));
        let tree = json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" } } });
        assert_eq!(deepest(&tree), Ok(MAX_DEPTH));
        let list = json!({ "$ref": "#/$defs/node", "$defs": { "node": {
            "properties": { "next": { "anyOf": [{ "$ref": "#/$defs/node" }, { "type": "null" }] } } } } });
        assert_eq!(deepest(&list), Ok(MAX_DEPTH));
        assert_eq!(deepest(&json!(true)), Ok(MAX_DEPTH));
    }

    #[test]
    fn a_schema_that_doubles_with_every_definition_is_refused() {
        let mut defs: Map<String, Value> = [("d0".to_owned(), json!({ "type": "string" }))]
            .into_iter()
            .collect();
        for nth in 1..=30 {
            let before = json!({ "$ref": format!("#/$defs/d{}", nth - 1) });
            defs.insert(format!("d{nth}"), json!({ "anyOf": [before, before] }));
        }
        let bomb = json!({ "$ref": "#/$defs/d30", "$defs": defs });
        assert_eq!(deepest(&bomb), Err(COSTLY));
    }

    #[test]
    fn one_that_doubles_with_every_level_is_looked_at_where_the_value_is_flat() {
        let inner = json!({ "properties": { "x": { "$ref": "#" } } });
        let deepest = deepest(&json!({ "anyOf": [inner, inner] })).unwrap();
        assert!((8..14).contains(&deepest), "{deepest}");
    }

    #[test]
    fn what_never_ends_or_leads_elsewhere_is_refused() {
        for endless in [
            json!({ "$ref": "#" }),
            json!({ "allOf": [{ "not": { "$ref": "#" } }] }),
            json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "if": { "$ref": "#/$defs/a" } } } }),
        ] {
            assert_eq!(deepest(&endless), Err(ENDLESS), "{endless}");
        }
        for foreign in [
            json!({ "$ref": "https://example.org/other.json" }),
            json!({ "$ref": "#name", "$defs": { "a": { "$anchor": "name" } } }),
            json!({ "properties": { "x": { "$dynamicRef": "#x" } } }),
            json!({ "properties": { "x": { "$id": "http://x", "$ref": "#" } } }),
        ] {
            assert_eq!(deepest(&foreign), Err(FOREIGN), "{foreign}");
        }
    }

    #[test]
    fn depth_is_counted_from_zero() {
        for (value, expected) in [
            (json!(1), 0),
            (json!([]), 1),
            (json!({ "a": [1, { "b": 2 }] }), 3),
        ] {
            assert_eq!(depth(&value), expected, "{value}");
        }
    }
}
