//! The wires the simulator speaks and how a request's path chooses one.

pub(crate) mod anthropic;
pub(crate) mod embedding;
pub(crate) mod model;
pub(crate) mod openai;

use std::fmt;

use bytes::Bytes;

/// One provider interface, told apart by the end of the request's path, so that any prefix
/// (`/v1`, `/openai/deployments/x`, `/anthropic/v1`, none) will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// `POST …/chat/completions`, OpenAI's chat completions.
    OpenAiChat,
    /// `POST …/embeddings`, OpenAI's embeddings.
    OpenAiEmbeddings,
    /// `POST …/messages`, Anthropic's messages.
    AnthropicMessages,
    /// `GET …/models` and `GET …/models/{id}`, in the shape of whichever provider the request's headers name.
    Models,
}

impl Wire {
    /// Every wire.
    pub const ALL: [Self; 4] = [
        Self::OpenAiChat,
        Self::OpenAiEmbeddings,
        Self::AnthropicMessages,
        Self::Models,
    ];

    /// The name used in scripts and in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiEmbeddings => "openai_embeddings",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Models => "models",
        }
    }

    /// The wires a name in a script stands for: one wire, a provider's (`openai`, `anthropic`), or `any`.
    pub(crate) fn named(name: &str) -> Option<Vec<Self>> {
        match name {
            "any" => Some(Self::ALL.to_vec()),
            "openai" => Some(vec![Self::OpenAiChat, Self::OpenAiEmbeddings]),
            "anthropic" => Some(vec![Self::AnthropicMessages]),
            _ => Self::ALL
                .into_iter()
                .find(|wire| wire.as_str() == name)
                .map(|wire| vec![wire]),
        }
    }

    /// Finds the wire of a path (without its query).
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let path = path.trim_end_matches('/');
        if path.ends_with("/chat/completions") {
            Some(Self::OpenAiChat)
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
            Self::OpenAiChat | Self::OpenAiEmbeddings | Self::AnthropicMessages => {
                http::Method::POST
            }
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whose error shape, headers and stream grammar are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    OpenAi,
    Anthropic,
}

impl Family {
    /// The family of a call; a wire shared by several providers is told apart by the header that only one's clients send.
    pub(crate) fn of(wire: Option<Wire>, headers: &http::HeaderMap) -> Self {
        match wire {
            Some(Wire::AnthropicMessages) => Self::Anthropic,
            Some(Wire::OpenAiChat | Wire::OpenAiEmbeddings) => Self::OpenAi,
            Some(Wire::Models) | None if headers.contains_key("anthropic-version") => {
                Self::Anthropic
            }
            Some(Wire::Models) | None => Self::OpenAi,
        }
    }

    /// The response header in which the provider names the request.
    pub(crate) const fn request_id_header(self) -> &'static str {
        match self {
            Self::OpenAi => "x-request-id",
            Self::Anthropic => "request-id",
        }
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
