//! The conversations: data files, each the same request in the words of every wire that callers speak.

use crate::error::SuiteError;
use llm_providers::Dialect;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// One conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its name: that of its file.
    pub name: &'static str,
    /// What it is about, in a sentence.
    pub about: String,
    /// How the provider behaves: a script of `llm-sim`.
    pub provider: String,
    /// What the caller must be told.
    pub expect: Expect,
    /// Texts that must reach the provider, whatever its wire.
    pub carries: Vec<String>,
    requests: BTreeMap<String, Map<String, Value>>,
}

/// What the answer must say in the caller's dialect, whole and streamed alike.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The text, all of it.
    #[serde(default)]
    pub text: String,
    /// The words of refusal, where the caller's wire and the provider's keep them apart from text.
    #[serde(default)]
    pub refusal: Option<String>,
    /// The tools that are called, in order.
    #[serde(default)]
    pub calls: Vec<Called>,
    /// Why the answer ended.
    pub finish: Ending,
}

/// A tool the model called.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Called {
    /// The tool's name.
    pub name: String,
}

/// Why an answer ended, as far as every wire can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// It was complete.
    #[default]
    Stop,
    /// The output limit cut it.
    Length,
    /// Tools are to be run.
    ToolCalls,
    /// A filter cut it.
    Filter,
    /// The model declined; some wires call that a filter.
    Refusal,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: String,
    provider: String,
    expect: Expect,
    carries: Vec<String>,
    requests: BTreeMap<String, Map<String, Value>>,
}

impl Conversation {
    /// The request in `dialect`, streamed (with usage at its end) or whole, with `model` for the model's name. `None`
    /// where that wire cannot ask for what the conversation is about.
    #[must_use]
    pub fn request(&self, dialect: Dialect, model: &str, stream: bool) -> Option<Value> {
        let mut body = self.requests.get(dialect.as_str())?.clone();
        body.insert("model".to_owned(), model.into());
        if stream {
            body.insert("stream".to_owned(), true.into());
            if dialect == Dialect::OpenAiChat {
                body.insert(
                    "stream_options".to_owned(),
                    serde_json::json!({"include_usage": true}),
                );
            }
        }
        Some(Value::Object(body))
    }

    fn read(name: &'static str, text: &str) -> Result<Self, SuiteError> {
        let file: File = serde_json::from_str(text)
            .map_err(|source| SuiteError::Conversation { name, source })?;
        Ok(Self {
            name,
            about: file.about,
            provider: file.provider,
            expect: file.expect,
            carries: file.carries,
            requests: file.requests,
        })
    }
}

/// Every conversation, in alphabetical order.
///
/// # Errors
///
/// [`SuiteError::Conversation`] where a data file is malformed.
pub fn conversations() -> Result<Vec<Conversation>, SuiteError> {
    FILES
        .iter()
        .map(|(name, text)| Conversation::read(name, text))
        .collect()
}

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../conversations/", $name, ".json")))),+]
    };
}

const FILES: &[(&str, &str)] = files![
    "choices",
    "empty_turn",
    "escapes",
    "everything",
    "finish_filter",
    "finish_length",
    "hot",
    "image_bytes",
    "image_detail",
    "image_url",
    "json_mode",
    "json_schema",
    "long_words",
    "markup",
    "max_tokens",
    "metadata",
    "multi_turn",
    "penalties",
    "plain",
    "prefill",
    "reasoning_budget",
    "reasoning_effort",
    "reasoning_kept",
    "refusal",
    "same_speaker_twice",
    "seed",
    "stop_many",
    "stop_one",
    "system_prompt",
    "temperature",
    "text_in_parts",
    "tool_error",
    "tool_named",
    "tool_none",
    "tool_offered",
    "tool_required",
    "tool_result",
    "tool_results",
    "tool_strict",
    "tool_then_user",
    "tools_parallel",
    "tools_serial",
    "top_k",
    "two_system_prompts",
    "unicode",
    "user_name",
    "white_space",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_conversation_and_is_used() {
        let all = conversations().unwrap();
        assert!(all.len() >= 40, "{}", all.len());
        let folder =
            std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/conversations")).unwrap();
        let mut files: Vec<_> = folder
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let known: Vec<_> = all
            .iter()
            .map(|conversation| format!("{}.json", conversation.name))
            .collect();
        assert_eq!(files, known);
    }

    #[test]
    fn every_request_is_of_a_wire_that_callers_speak() {
        for conversation in conversations().unwrap() {
            assert!(!conversation.requests.is_empty(), "{}", conversation.name);
            for wire in conversation.requests.keys() {
                assert!(
                    CALLERS.contains(&wire.as_str()),
                    "{}: {wire}",
                    conversation.name
                );
            }
        }
    }

    const CALLERS: [&str; 3] = ["openai_chat", "anthropic_messages", "openai_responses"];
}
