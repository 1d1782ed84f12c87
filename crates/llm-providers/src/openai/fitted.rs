//! A request in this dialect that passes as it came, for a target that refuses whatever it does not know.

use super::quirk::{Quirks, short_call_id};
use crate::codec::field_name;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::collections::BTreeMap;

/// What Mistral's request may hold (`ChatCompletionRequest` of `mistralai` 3.7.0, whose server answers anything else by 422, read 2026-11-26). Its messages are those
/// of OpenAI, without what `MESSAGE` lacks.
const FIELDS: [&str; 30] = [
    "frequency_penalty",
    "guardrails",
    "logprobs",
    "max_tokens",
    "messages",
    "metadata",
    "min_tokens",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_logprobs",
    "prompt_mode",
    "random_seed",
    "reasoning_effort",
    "repetition_penalty",
    "response_format",
    "safe_prompt",
    "service_tier",
    "stop",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "top_prompt_logprobs",
];
const MESSAGE: [&str; 5] = ["content", "prefix", "role", "tool_call_id", "tool_calls"];
const CALL: [&str; 4] = ["function", "id", "index", "type"];

/// The fields of an object: values stay as they were written.
type Fields = BTreeMap<String, Box<RawValue>>;

/// `body` without what a target of these quirks refuses, and with OpenAI's names replaced by its own; and the names of what
/// is left out. `None` where nothing had to change.
pub(crate) fn fitted(body: &Bytes, quirks: Quirks) -> Option<(Bytes, Vec<&'static str>)> {
    let mut fields: Fields = serde_json::from_slice(body).ok()?;
    let messages = fields.get("messages")?;
    let mut messages: Vec<Fields> = serde_json::from_str(messages.get()).ok()?;
    let mut fitting = Fitting::default();
    fitting.rename(&mut fields, "max_completion_tokens", "max_tokens");
    if let Some(seed) = quirks.seed {
        fitting.rename(&mut fields, "seed", seed);
    }
    // Usage comes without being asked for.
    fitting.changed |= fields.remove("stream_options").is_some();
    if fields.get("tools").is_some_and(|tools| tools.get() == "[]") {
        fields.retain(|key, _| !["tools", "tool_choice"].contains(&key.as_str()));
        fitting.changed = true;
    }
    fitting.keep(&mut fields, &FIELDS, |key| match key {
        "user" => "user",
        _ => field_name(key),
    });
    fitting.cool(&mut fields, quirks.max_temperature);
    for message in &mut messages {
        fitting.message(message);
    }
    if !fitting.changed {
        return None;
    }
    set(&mut fields, "messages", &messages);
    let body = serde_json::to_vec(&fields).ok()?;
    Some((body.into(), fitting.dropped))
}

#[derive(Default)]
struct Fitting {
    changed: bool,
    dropped: Vec<&'static str>,
}

impl Fitting {
    fn rename(&mut self, fields: &mut Fields, from: &str, to: &str) {
        if let Some(value) = fields.remove(from) {
            self.changed = true;
            if value.get() != "null" {
                fields.insert(to.to_owned(), value);
            }
        }
    }

    /// Takes out all but `known`, and names what asked for something.
    fn keep(&mut self, fields: &mut Fields, known: &[&str], name: fn(&str) -> &'static str) {
        fields.retain(|key, value| {
            let stays = known.contains(&key.as_str());
            self.changed |= !stays;
            let says = !matches!(value.get(), "null" | "false" | "\"\"" | "[]" | "{}");
            if !stays && says {
                self.dropped.push(name(key));
            }
            stays
        });
    }

    fn cool(&mut self, fields: &mut Fields, highest: f64) {
        let wished = fields.get("temperature");
        let wished = wished.and_then(|value| serde_json::from_str::<f64>(value.get()).ok());
        if wished.is_some_and(|wished| wished > highest) {
            set(fields, "temperature", &highest);
            self.dropped.push("temperature");
            self.changed = true;
        }
    }

    fn message(&mut self, message: &mut Fields) {
        if is(message, "role", "\"developer\"") {
            set(message, "role", &"system");
            self.changed = true;
        }
        let mute = message
            .get("content")
            .is_none_or(|content| content.get() == "null");
        if mute {
            self.rename(message, "refusal", "content");
        }
        let result = is(message, "role", "\"tool\"");
        self.short_id(message, "tool_call_id");
        let calls = message.get("tool_calls");
        let calls = calls.and_then(|calls| serde_json::from_str::<Vec<Fields>>(calls.get()).ok());
        if let Some(mut calls) = calls {
            let before = self.changed;
            self.changed = false;
            for call in &mut calls {
                self.short_id(call, "id");
                self.keep(call, &CALL, field_name);
            }
            if self.changed {
                set(message, "tool_calls", &calls);
            }
            self.changed |= before;
        }
        let named = message.remove("name");
        self.keep(message, &MESSAGE, |key| match key {
            "reasoning_content" | "reasoning" => "messages.thinking",
            "refusal" => "messages.refusal",
            _ => field_name(key),
        });
        match named {
            // A result may say whose it is.
            Some(name) if result => {
                message.insert("name".to_owned(), name);
            }
            Some(name) => {
                self.changed = true;
                if name.get() != "null" {
                    self.dropped.push("messages.name");
                }
            }
            None => {}
        }
    }

    fn short_id(&mut self, fields: &mut Fields, key: &str) {
        let id = fields.get(key);
        let id = id.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
        if let Some(id) = id {
            let short = short_call_id(&id);
            if short != id {
                set(fields, key, &short);
                self.changed = true;
            }
        }
    }
}

fn is(fields: &Fields, key: &str, value: &str) -> bool {
    fields.get(key).is_some_and(|raw| raw.get() == value)
}

fn set(fields: &mut Fields, key: &str, value: &impl Serialize) {
    if let Ok(value) = to_raw_value(value) {
        fields.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::fitted;
    use crate::openai::Quirks;
    use bytes::Bytes;
    use serde_json::{Value, json};

    fn fit(body: &Value) -> Option<(Value, Vec<&'static str>)> {
        let (body, mut dropped) = fitted(&Bytes::from(body.to_string()), Quirks::MISTRAL)?;
        dropped.sort_unstable();
        Some((serde_json::from_slice(&body).unwrap(), dropped))
    }

    #[test]
    fn what_would_be_refused_is_renamed_or_named() {
        let call = |id: &str| json!([{"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
        let (body, dropped) = fit(&json!({
            "model": "m", "max_completion_tokens": 9, "seed": 7, "store": false, "user": "u", "temperature": 1.8,
            "logit_bias": {"1": 2}, "stream": true, "stream_options": {"include_usage": true}, "tools": [],
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "name": "Ann", "content": "hi"},
                {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
                    "reasoning_content": "Hm.", "tool_calls": call("call_0123456789")},
                {"role": "tool", "name": "f", "tool_call_id": "call_0123456789", "content": "1"},
                {"role": "assistant", "content": null, "refusal": "No."},
            ],
        }))
        .unwrap();
        let id = &body["messages"][2]["tool_calls"][0]["id"];
        assert_eq!(id.as_str().unwrap().len(), 9);
        assert_eq!(
            body,
            json!({
                "model": "m", "max_tokens": 9, "random_seed": 7, "temperature": 1.5, "stream": true,
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": null, "tool_calls": call(id.as_str().unwrap())},
                    {"role": "tool", "name": "f", "tool_call_id": id, "content": "1"},
                    {"role": "assistant", "content": "No."},
                ],
            })
        );
        assert_eq!(
            dropped,
            [
                "logit_bias",
                "messages.name",
                "messages.thinking",
                "temperature",
                "user"
            ]
        );
    }

    #[test]
    fn its_own_requests_pass_as_they_are() {
        for body in [
            json!({"model": "m", "max_tokens": 9, "random_seed": 7, "safe_prompt": true, "prompt_mode": null,
                "reasoning_effort": "high", "messages": [
                {"role": "user", "content": [{"type": "document_url", "document_url": "u"}]},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "abcdef123", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "name": "f", "tool_call_id": "abcdef123", "content": "1"},
                {"role": "assistant", "content": "So", "prefix": true},
            ]}),
            json!({"model": "m", "input": "not a chat"}),
            json!({"model": "m", "messages": [1]}),
        ] {
            assert_eq!(fit(&body), None, "{body}");
        }
    }
}
