//! The wires the simulator speaks and how a request's path chooses one.

pub(crate) mod anthropic;
pub(crate) mod embedding;
pub(crate) mod model;
pub(crate) mod openai;
pub(crate) mod responses;

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

/// One provider interface, told apart by the end of the request's path, so that any prefix
/// (`/v1`, `/openai/deployments/x`, `/anthropic/v1`, none) will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// `POST …/chat/completions`, OpenAI's chat completions.
    OpenAiChat,
    /// `POST …/responses`, OpenAI's responses.
    OpenAiResponses,
    /// `POST …/embeddings`, OpenAI's embeddings.
    OpenAiEmbeddings,
    /// `POST …/messages`, Anthropic's messages.
    AnthropicMessages,
    /// `GET …/models` and `GET …/models/{id}`, in the shape of whichever provider the request's headers name.
    Models,
}

impl Wire {
    /// Every wire.
    pub const ALL: [Self; 5] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::OpenAiEmbeddings,
        Self::AnthropicMessages,
        Self::Models,
    ];

    /// The name used in scripts and in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Models => "models",
        }
    }

    /// The wires a name in a script stands for: one wire, a provider's (the word its wires begin with), or `any`.
    pub(crate) fn named(name: &str) -> Option<Vec<Self>> {
        if name == "any" {
            return Some(Self::ALL.to_vec());
        }
        let found: Vec<Self> = Self::ALL
            .into_iter()
            .filter(|wire| {
                let provider = wire.as_str().split('_').next();
                wire.as_str() == name || provider == Some(name)
            })
            .collect();
        (!found.is_empty()).then_some(found)
    }

    /// Finds the wire of a path (without its query).
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        if path.ends_with("/chat/completions") {
            Some(Self::OpenAiChat)
        } else if path.ends_with("/responses") {
            Some(Self::OpenAiResponses)
        } else if path.ends_with("/messages") {
            Some(Self::AnthropicMessages)
        } else if path.ends_with("/embeddings") {
            Some(Self::OpenAiEmbeddings)
        } else if path.ends_with("/models") || path.contains("/models/") {
            Some(Self::Models)
        } else {
            None
        }
    }

    pub(crate) const fn method(self) -> http::Method {
        match self {
            Self::Models => http::Method::GET,
            _ => http::Method::POST,
        }
    }

    /// Whose wire it is; `None` for one that several providers have.
    const fn family(self) -> Option<Family> {
        match self {
            Self::OpenAiChat | Self::OpenAiResponses | Self::OpenAiEmbeddings => {
                Some(Family::OpenAi)
            }
            Self::AnthropicMessages => Some(Family::Anthropic),
            Self::Models => None,
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request is addressed to, wherever the wire has it: in the body or in the path.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub model: Option<String>,
    pub stream: bool,
}

impl Target {
    pub(crate) fn of(_wire: Option<Wire>, _path: &str, body: Option<&Value>) -> Self {
        let field = |name: &str| body.and_then(|body| body.get(name));
        Self {
            model: field("model").and_then(Value::as_str).map(str::to_owned),
            stream: field("stream").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

/// Whose error shape and headers are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    OpenAi,
    Anthropic,
}

impl Family {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::OpenAi, Self::Anthropic];

    /// The family of a call; a wire shared by several providers is told apart by the header that only one's clients send.
    pub(crate) fn of(wire: Option<Wire>, headers: &http::HeaderMap) -> Self {
        wire.and_then(Wire::family).unwrap_or_else(|| {
            if headers.contains_key("anthropic-version") {
                Self::Anthropic
            } else {
                Self::OpenAi
            }
        })
    }
}

/// A streamed answer, cut where faults may strike: before, between and after the content chunks.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// What is sent before the first token (role chunk; `message_start` and `ping`).
    pub opening: Vec<Bytes>,
    /// One frame a content chunk.
    pub content: Vec<Bytes>,
    /// The proper end: finish reason, usage, end marker.
    pub closing: Vec<Bytes>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_prefix_leads_to_the_wire() {
        for (path, wire) in [
            ("/v1/chat/completions", Some(Wire::OpenAiChat)),
            ("/chat/completions", Some(Wire::OpenAiChat)),
            (
                "/openai/deployments/x/chat/completions",
                Some(Wire::OpenAiChat),
            ),
            ("/anthropic/v1/messages/", Some(Wire::AnthropicMessages)),
            ("/v1/embeddings", Some(Wire::OpenAiEmbeddings)),
            ("/v1/responses", Some(Wire::OpenAiResponses)),
            ("/v1/models", Some(Wire::Models)),
            ("/v1/models/gpt-5-mini", Some(Wire::Models)),
            ("/v1/completions", None),
            ("/", None),
        ] {
            assert_eq!(Wire::of_path(path), wire, "{path}");
        }
    }

    #[test]
    fn every_wire_is_found_by_its_name() {
        for wire in Wire::ALL {
            assert_eq!(Wire::named(wire.as_str()), Some(vec![wire]));
            assert_eq!(wire.to_string(), wire.as_str());
        }
        assert_eq!(Wire::named("grpc"), None);
    }
}
