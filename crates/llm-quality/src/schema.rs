//! Does the JSON fit its schema? Compiled once, asked often.

use std::fmt;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value;

/// A compiled JSON Schema. Clones share it. References are resolved inside the document only: no file, no network.
#[derive(Clone)]
pub struct Schema(Arc<Validator>);

/// The document is not a usable JSON Schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a usable JSON schema, at {path:?}")]
pub struct SchemaError {
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
    /// If the document breaks its own dialect's rules, or refers to another document.
    pub fn try_new(document: &Value) -> Result<Self, SchemaError> {
        match jsonschema::validator_for(document) {
            Ok(validator) => Ok(Self(Arc::new(validator))),
            Err(error) => Err(SchemaError {
                path: error.instance_path().to_string(),
            }),
        }
    }

    /// Does this text hold a JSON value that fits?
    pub(crate) fn fits(&self, text: &str) -> bool {
        serde_json::from_str::<Value>(text).is_ok_and(|value| self.0.is_valid(&value))
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}
