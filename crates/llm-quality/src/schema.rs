//! Does the JSON fit its schema? Compiled once, asked often.
//!
//! A schema may come from a stranger, so what it can cost is bounded before it is compiled: see [`cost`].

mod cost;

use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// The most bytes that the machine of one `pattern` may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// A compiled JSON Schema. Clones share it.
///
/// References are resolved inside the document only, as JSON pointers (`#/$defs/city`): no file, no network. Patterns are matched in
/// linear time, so one with look-around or back-references makes the document unusable. `format` is taken for a remark.
#[derive(Clone)]
pub struct Schema {
    validator: Arc<Validator>,
    /// The deepest value that is looked at.
    deepest: usize,
}

/// The document is not a usable JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at {path:?}")]
pub struct SchemaError {
    what: &'static str,
    path: String,
}

impl Schema {
    /// Compiles a schema. The dialect is the one it names, else the newest the validator knows.
    ///
    /// ```
    /// use llm_quality::Schema;
    ///
    /// let schema = Schema::try_new(&serde_json::json!({ "type": "object", "required": ["city"] }))?;
    /// # let _ = schema;
    /// # Ok::<(), llm_quality::SchemaError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the document breaks its own dialect's rules, refers to another document or by other means than a JSON pointer, refers to
    /// itself without end, or branches so much that a look could take longer than milliseconds.
    pub fn try_new(document: &Value) -> Result<Self, SchemaError> {
        let deepest = cost::deepest(document).map_err(|what| SchemaError {
            what,
            path: String::new(),
        })?;
        let patterns = PatternOptions::regex()
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES);
        let validator = jsonschema::options()
            .with_pattern_options(patterns)
            .should_validate_formats(false)
            .build(document)
            .map_err(|error| SchemaError {
                what: "not a usable JSON schema",
                path: error.instance_path().to_string(),
            })?;
        Ok(Self {
            validator: Arc::new(validator),
            deepest,
        })
    }

    /// Does this text hold a JSON value that fits? One that is nested too deeply to be looked at does.
    pub(crate) fn fits(&self, text: &str) -> bool {
        serde_json::from_str::<Value>(text).is_ok_and(|value| {
            cost::depth(&value) > self.deepest || self.validator.is_valid(&value)
        })
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}
