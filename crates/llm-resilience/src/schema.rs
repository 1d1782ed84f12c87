//! The JSON schemas that callers ask for: compiled once, kept for the next answer.

use llm_providers::{Call, Features, chat};
use llm_quality::{Answer, Schema, ToolCall};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Schemas kept at most; the one used longest ago goes first.
const MAX_KEPT: usize = 256;

/// The longest schema that is looked at, in bytes. Answers to a longer one are taken as they are.
const MAX_BYTES: usize = 64 * 1024;

/// Compiled schemas, by their text. `None` for one that cannot be used: what is wrong with it is the
/// provider's to say.
#[derive(Default)]
pub(crate) struct Schemas(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_text: HashMap<Box<str>, (Option<Schema>, u64)>,
    uses: u64,
}

/// The schemas that one call asks for.
#[derive(Default)]
pub(crate) struct Asked<'a> {
    answer: Option<Schema>,
    tools: Vec<(&'a str, Schema)>,
}

impl Schemas {
    /// The schemas that `call` asks for: one for the answer's text, and one for each tool among `tools`, which the
    /// answer calls.
    pub(crate) fn asked<'a>(&self, call: &'a Call, tools: &[ToolCall<'_>]) -> Asked<'a> {
        let mut asked = Asked::default();
        let wanted = call.features().contains(Features::JSON_SCHEMA) || !tools.is_empty();
        let Some(request) = wanted.then(|| call.chat().ok()).flatten() else {
            return asked;
        };
        if let Some(chat::ResponseFormat::JsonSchema(format)) = &request.response_format {
            asked.answer = self.compiled(&format.schema);
        }
        for tool in &request.tools {
            let is_called = tools.iter().any(|call| call.name == tool.name);
            if let Some(schema) = is_called.then(|| self.compiled(&tool.parameters)).flatten() {
                asked.tools.push((&tool.name, schema));
            }
        }
        asked
    }

    fn compiled(&self, document: &Value) -> Option<Schema> {
        let text = document.to_string();
        if text.len() > MAX_BYTES {
            return None;
        }
        if let Some(kept) = self.locked().used(&text) {
            return kept;
        }
        // Not under the lock: others need theirs. Two who meet here compile twice.
        let schema = Schema::try_new(document).ok();
        self.locked().keep(text, schema.clone());
        schema
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn used(&mut self, text: &str) -> Option<Option<Schema>> {
        self.uses += 1;
        let (schema, last) = self.by_text.get_mut(text)?;
        *last = self.uses;
        Some(schema.clone())
    }

    fn keep(&mut self, text: String, schema: Option<Schema>) {
        if self.by_text.len() >= MAX_KEPT {
            let oldest = self.by_text.iter().min_by_key(|(_, (_, last))| *last);
            if let Some(oldest) = oldest.map(|(text, _)| text.clone()) {
                self.by_text.remove(&oldest);
            }
        }
        self.by_text.insert(text.into(), (schema, self.uses));
    }
}

impl Asked<'_> {
    /// Hands them in with the answer.
    pub(crate) fn of<'b>(&'b self, answer: Answer<'b>) -> Answer<'b> {
        let answer = answer.with_tool_schemas(&self.tools);
        match &self.answer {
            Some(schema) => answer.with_schema(schema),
            None => answer,
        }
    }
}

impl fmt::Debug for Schemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schemas")
            .field("kept", &self.locked().by_text.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_latest_schemas_are_kept() {
        let schemas = Schemas::default();
        let first = json!({"type": "object", "title": "first"});
        assert!(schemas.compiled(&first).is_some());
        for nth in 0..MAX_KEPT - 1 {
            assert!(schemas.compiled(&json!({"minimum": nth})).is_some());
        }
        // Used again, it is not the oldest any more.
        assert!(schemas.compiled(&first).is_some());
        assert!(schemas.compiled(&json!({"type": "string"})).is_some());
        let kept = schemas.locked();
        assert_eq!(kept.by_text.len(), MAX_KEPT);
        assert!(kept.by_text.contains_key(first.to_string().as_str()));
        assert!(!kept.by_text.contains_key(r#"{"minimum":0}"#));
    }

    #[test]
    fn one_that_is_no_schema_or_too_long_is_not_looked_at() {
        let schemas = Schemas::default();
        assert!(schemas.compiled(&json!({"type": 12})).is_none());
        assert_eq!(schemas.locked().by_text.len(), 1, "and not tried again");
        let long = json!({"title": "x".repeat(MAX_BYTES)});
        assert!(schemas.compiled(&long).is_none());
        assert_eq!(schemas.locked().by_text.len(), 1);
    }
}
