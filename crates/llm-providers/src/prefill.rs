//! Gives a target the beginning of its own answer, so that it goes on from there.

use crate::call::{Call, Features};
use crate::claude;
use crate::endpoint::{Endpoint, EndpointBuilder};
use crate::wire::Wire;
use bytes::Bytes;
use llm_errors::Provider;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// How a target takes the beginning of its answer: always as the conversation's last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Prefill {
    /// It does not, or nothing is known of it.
    #[default]
    None,
    /// As it is: Claude before 4.6
    /// (<https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-6#prefill-removal>, as
    /// reported in <https://github.com/strands-agents/sdk-python/issues/1694>, read 2026-11-26), llama.cpp's
    /// server (`--prefill-assistant`, on by default; its README, read 2026-11-26).
    Plain,
    /// With `"prefix": true` in that turn: Mistral (the field's description in its `OpenAPI` document,
    /// <https://docs.mistral.ai/api>), DeepSeek at its `/beta` address
    /// (<https://api-docs.deepseek.com/guides/chat_prefix_completion>); both read 2026-11-26.
    Prefix,
    /// With `"continue_final_message": true` and `"add_generation_prompt": false`: vLLM
    /// (`ChatCompletionRequest` in its API reference) and `SGLang`
    /// (<https://github.com/sgl-project/sglang/pull/4226>); both read 2026-11-26.
    ContinueFinal,
}

/// Whether an answer repeats the beginning that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// It does not.
    No,
    /// Some versions do.
    Perhaps,
}

impl Prefill {
    /// Every way.
    pub const ALL: &'static [Self] = &[Self::None, Self::Plain, Self::Prefix, Self::ContinueFinal];

    /// The stable name, for configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Plain => "plain",
            Self::Prefix => "prefix",
            Self::ContinueFinal => "continue_final_message",
        }
    }

    /// The way of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|way| way.as_str() == name)
    }

    /// What is known of a provider's model at an address with this path.
    #[must_use]
    pub fn known(provider: Provider, wire: Wire, model: &str, path: &str) -> Self {
        match (provider, wire) {
            (_, Wire::AnthropicMessages) if takes_prefill(model) => Self::Plain,
            (Provider::LlamaCpp, Wire::OpenAiChat) => Self::Plain,
            (Provider::Mistral, Wire::OpenAiChat) => Self::Prefix,
            (Provider::DeepSeek, Wire::OpenAiChat) if path.starts_with("/beta") => Self::Prefix,
            (Provider::Vllm, Wire::OpenAiChat) => Self::ContinueFinal,
            _ => Self::None,
        }
    }

    /// Whether the answer repeats what was given.
    pub(crate) const fn echo(self, wire: Wire) -> Echo {
        match (self, wire) {
            (Self::ContinueFinal, _) | (_, Wire::AnthropicMessages) => Echo::No,
            _ => Echo::Perhaps,
        }
    }
}

impl Endpoint {
    /// How the model takes the beginning of its answer: on other wires than those that callers speak, not
    /// at all.
    #[must_use]
    pub const fn prefill(&self) -> Prefill {
        match self.wire() {
            Wire::OpenAiChat | Wire::AnthropicMessages => self.prefill,
            _ => Prefill::None,
        }
    }
}

impl EndpointBuilder {
    /// Sets how the model takes the beginning of its answer. Default: what is known of the provider and
    /// the model's name.
    pub const fn prefill(mut self, way: Prefill) -> Self {
        self.prefill = Some(way);
        self
    }
}

/// Whether a model on Anthropic's wire takes a prefill: Claude from 4.6 on refuses it. Of a name that
/// says nothing, nothing is assumed: a server that takes the turn and begins anew would repeat itself.
fn takes_prefill(model: &str) -> bool {
    claude::version(model).is_some_and(|version| version < (4, 6))
}

/// Features that a prefill does not go together with: reasoning comes before an answer and not in its
/// middle, an answer in a given form is made as a whole, and the caller's own prefill is there already.
const EXCLUDED: [Features; 4] = [
    Features::PREFILL,
    Features::REASONING,
    Features::JSON_MODE,
    Features::JSON_SCHEMA,
];

/// True where a target may be given the beginning of the answer to `call`.
pub(crate) fn suits(call: &Call) -> bool {
    let features = call.features();
    !EXCLUDED.iter().any(|out| features.contains(*out))
}

#[derive(Deserialize)]
struct Messages<'a>(#[serde(borrow)] Vec<&'a RawValue>);

/// `body`, a request ready to go, with `text` as the beginning of the answer, and `spent` fewer output
/// tokens where it limits them. `None` where it is no request.
pub(crate) fn add(body: &[u8], way: Prefill, text: &str, spent: u64) -> Option<Bytes> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let messages = fields.get("messages")?;
    let Messages(mut messages) = serde_json::from_str(messages.get()).ok()?;
    let turn = if way == Prefill::Prefix {
        serde_json::json!({"role": "assistant", "content": text, "prefix": true})
    } else {
        serde_json::json!({"role": "assistant", "content": text})
    };
    let turn = serde_json::value::to_raw_value(&turn).ok()?;
    messages.push(&turn);
    let messages = serde_json::value::to_raw_value(&messages).ok()?;
    fields.insert("messages".to_owned(), messages);
    for limit in ["max_tokens", "max_completion_tokens"] {
        let told = fields.get(limit).and_then(|raw| raw.get().parse().ok());
        if let Some(most) = told {
            let left = u64::saturating_sub(most, spent).max(1);
            fields.insert(limit.to_owned(), raw(left.to_string())?);
        }
    }
    if way == Prefill::ContinueFinal {
        fields.insert("continue_final_message".to_owned(), raw("true".to_owned())?);
        fields.insert("add_generation_prompt".to_owned(), raw("false".to_owned())?);
    }
    serde_json::to_vec(&fields).ok().map(Bytes::from)
}

fn raw(json: String) -> Option<Box<RawValue>> {
    RawValue::from_string(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn claude_takes_a_prefill_up_to_4_5() {
        for model in [
            "claude-3-5-haiku-20241022",
            "claude-opus-4-20250514",
            "claude-sonnet-4-5-20250929",
            "claude-haiku-4.5",
            "anthropic.claude-opus-4-1-20250805-v1:0",
            "claude-2.1",
        ] {
            assert!(takes_prefill(model), "{model}");
        }
        for model in [
            "claude-opus-4-6",
            "us.anthropic.claude-opus-4-6-v1",
            "claude-sonnet-4.6",
            "claude-opus-5",
            "claude-sonnet-5-20261001",
            "claude-mythos-preview",
            "model-x",
        ] {
            assert!(!takes_prefill(model), "{model}");
        }
    }

    #[test]
    fn what_is_known_of_providers() {
        let known = |provider, path| Prefill::known(provider, Wire::OpenAiChat, "m", path);
        assert_eq!(known(Provider::Mistral, "/v1"), Prefill::Prefix);
        assert_eq!(known(Provider::DeepSeek, "/v1"), Prefill::None);
        assert_eq!(known(Provider::DeepSeek, "/beta/chat"), Prefill::Prefix);
        assert_eq!(known(Provider::Vllm, "/v1"), Prefill::ContinueFinal);
        assert_eq!(known(Provider::OpenAi, "/v1"), Prefill::None);
        for way in Prefill::ALL {
            assert_eq!(Prefill::from_name(way.as_str()), Some(*way));
        }
    }

    #[test]
    fn only_what_must_changes() {
        let body = br#"{"model":"m","x":1.0e3,"max_tokens":10,"messages":[{"role":"user","content":"h\u00e9"}]}"#;
        let read = |bytes: Bytes| serde_json::from_slice::<Value>(&bytes).unwrap();
        let plain = add(body, Prefill::Plain, "A \"b", 4).unwrap();
        assert!(plain.windows(5).any(|part| part == b"1.0e3"));
        assert_eq!(
            read(plain),
            json!({"model": "m", "x": 1.0e3, "max_tokens": 6, "messages": [
                {"role": "user", "content": "hé"}, {"role": "assistant", "content": "A \"b"}]})
        );
        let prefix = read(add(body, Prefill::Prefix, "A", 40).unwrap());
        assert_eq!(prefix["messages"][1]["prefix"], true);
        assert_eq!(prefix["max_tokens"], 1);
        let open = read(add(body, Prefill::ContinueFinal, "A", 0).unwrap());
        assert_eq!(open["continue_final_message"], true);
        assert_eq!(open["add_generation_prompt"], false);
        assert_eq!(add(b"[]", Prefill::Plain, "A", 0), None);
    }
}
