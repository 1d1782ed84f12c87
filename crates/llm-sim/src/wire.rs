//! The wires the simulator speaks and how a request's path chooses one.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod cohere;
pub(crate) mod embedding;
pub(crate) mod eventstream;
pub(crate) mod gemini;
pub(crate) mod model;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod responses;

pub(crate) use self::embedding::Embedder;

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
    /// `POST …/models/{model}:generateContent` and `:streamGenerateContent`, Gemini in AI Studio; with `?alt=sse` the
    /// stream is server-sent events, without it one JSON array.
    GeminiGenerate,
    /// `POST …/models/{model}:embedContent` and `:batchEmbedContents`, Gemini's embeddings.
    GeminiEmbeddings,
    /// `POST …/publishers/google/models/{model}:predict` and `:embedContent`, embeddings on Vertex.
    VertexEmbeddings,
    /// The same as [`GeminiGenerate`](Self::GeminiGenerate) below `…/publishers/google/models/`, Gemini on Vertex.
    VertexGemini,
    /// `POST …/publishers/anthropic/models/{model}:rawPredict` and `:streamRawPredict`, Anthropic's messages on Vertex.
    VertexAnthropic,
    /// `POST …/model/{id}/converse` and `…/converse-stream`, Bedrock's Converse.
    BedrockConverse,
    /// `POST …/model/{id}/invoke`, embeddings on Bedrock: Titan's, and Cohere's.
    BedrockEmbeddings,
    /// `POST …/v2/chat`, Cohere's chat.
    CohereChat,
    /// `POST …/v2/embed`, Cohere's embeddings.
    CohereEmbeddings,
    /// `POST …/api/chat`, Ollama's own chat; it streams unless told otherwise.
    OllamaChat,
    /// `POST …/api/embed`, Ollama's own embeddings.
    OllamaEmbeddings,
    /// `GET …/models` and `GET …/models/{id}`, in the shape of whichever provider the request's headers name.
    Models,
}

impl Wire {
    /// Every wire.
    pub const ALL: [Self; 16] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::OpenAiEmbeddings,
        Self::AnthropicMessages,
        Self::GeminiGenerate,
        Self::GeminiEmbeddings,
        Self::VertexEmbeddings,
        Self::VertexGemini,
        Self::VertexAnthropic,
        Self::BedrockConverse,
        Self::BedrockEmbeddings,
        Self::CohereChat,
        Self::CohereEmbeddings,
        Self::OllamaChat,
        Self::OllamaEmbeddings,
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
            Self::GeminiGenerate => "gemini_generate",
            Self::GeminiEmbeddings => "gemini_embeddings",
            Self::VertexEmbeddings => "vertex_embeddings",
            Self::VertexGemini => "vertex_gemini",
            Self::VertexAnthropic => "vertex_anthropic",
            Self::BedrockConverse => "bedrock_converse",
            Self::BedrockEmbeddings => "bedrock_embeddings",
            Self::CohereChat => "cohere_chat",
            Self::CohereEmbeddings => "cohere_embeddings",
            Self::OllamaChat => "ollama_chat",
            Self::OllamaEmbeddings => "ollama_embeddings",
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
        if let Some((model, verb)) = model_and_verb(path) {
            return Self::of_verb(model, verb);
        }
        if path.ends_with("/chat/completions") {
            Some(Self::OpenAiChat)
        } else if path.ends_with("/responses") {
            Some(Self::OpenAiResponses)
        } else if converse(path).is_some() {
            Some(Self::BedrockConverse)
        } else if invoke(path).is_some() {
            Some(Self::BedrockEmbeddings)
        } else if path.ends_with("/v2/chat") {
            Some(Self::CohereChat)
        } else if path.ends_with("/v2/embed") {
            Some(Self::CohereEmbeddings)
        } else if path.ends_with("/api/chat") {
            Some(Self::OllamaChat)
        } else if path.ends_with("/api/embed") {
            Some(Self::OllamaEmbeddings)
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

    /// Google's custom methods; `place` is all of the path before the colon.
    fn of_verb(place: &str, verb: &str) -> Option<Self> {
        let is_vertex = place.contains("/publishers/");
        match verb {
            "generateContent" | "streamGenerateContent" if is_vertex => Some(Self::VertexGemini),
            "generateContent" | "streamGenerateContent" => Some(Self::GeminiGenerate),
            "embedContent" | "batchEmbedContents" if !is_vertex => Some(Self::GeminiEmbeddings),
            "embedContent" | "predict" if is_vertex => Some(Self::VertexEmbeddings),
            "rawPredict" | "streamRawPredict" if place.contains("/publishers/anthropic/") => {
                Some(Self::VertexAnthropic)
            }
            _ => None,
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
            Self::GeminiGenerate | Self::GeminiEmbeddings => Some(Family::Google),
            Self::VertexGemini | Self::VertexAnthropic | Self::VertexEmbeddings => {
                Some(Family::Vertex)
            }
            Self::BedrockConverse | Self::BedrockEmbeddings => Some(Family::Aws),
            Self::CohereChat | Self::CohereEmbeddings => Some(Family::Cohere),
            Self::OllamaChat | Self::OllamaEmbeddings => Some(Family::Ollama),
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
    pub(crate) fn of(wire: Option<Wire>, path: &str, body: Option<&Value>) -> Self {
        let field = |name: &str| body.and_then(|body| body.get(name));
        match (wire, model_and_verb(path)) {
            (
                Some(
                    Wire::GeminiGenerate
                    | Wire::GeminiEmbeddings
                    | Wire::VertexEmbeddings
                    | Wire::VertexGemini
                    | Wire::VertexAnthropic,
                ),
                Some((place, verb)),
            ) => Self {
                model: place.rsplit('/').next().map(str::to_owned),
                stream: verb.starts_with("stream"),
            },
            (Some(Wire::BedrockConverse), _) => {
                let (model, is_streamed) = converse(path).unwrap_or_default();
                Self {
                    model: Some(decoded(model)),
                    stream: is_streamed,
                }
            }
            (Some(Wire::BedrockEmbeddings), _) => Self {
                model: invoke(path).map(decoded),
                stream: false,
            },
            _ => Self {
                model: field("model").and_then(Value::as_str).map(str::to_owned),
                stream: field("stream")
                    .and_then(Value::as_bool)
                    .unwrap_or(wire == Some(Wire::OllamaChat)),
            },
        }
    }
}

/// Takes `…/models/{model}:{verb}` apart at the colon.
fn model_and_verb(path: &str) -> Option<(&str, &str)> {
    let (place, verb) = path.rsplit_once(':')?;
    (place.contains("/models/") && !verb.contains('/')).then_some((place, verb))
}

/// Takes `…/model/{id}/converse` and `…/model/{id}/converse-stream` apart: the id, and whether it is the latter.
fn converse(path: &str) -> Option<(&str, bool)> {
    let (place, is_streamed) = match path.strip_suffix("/converse-stream") {
        Some(place) => (place, true),
        None => (path.strip_suffix("/converse")?, false),
    };
    let (_, model) = place.split_once("/model/")?;
    Some((model, is_streamed))
}

/// The id in `…/model/{id}/invoke`.
fn invoke(path: &str) -> Option<&str> {
    let (_, model) = path.strip_suffix("/invoke")?.split_once("/model/")?;
    Some(model)
}

/// Undoes percent-encoding: AWS's SDKs encode the colon in a model's id, and the slash of an ARN.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if let Some(byte) = byte {
            bytes.push(byte);
            after.get(2..).unwrap_or_default()
        } else {
            bytes.push(b'%');
            after
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whose error shape and headers are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    OpenAi,
    Anthropic,
    /// Google's AI Studio.
    Google,
    /// Google's Vertex, whoever's model it is.
    Vertex,
    /// Amazon's Bedrock.
    Aws,
    Cohere,
    Ollama,
}

impl Family {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::Anthropic,
        Self::Google,
        Self::Vertex,
        Self::Aws,
        Self::Cohere,
        Self::Ollama,
    ];

    /// The family of a call; a wire shared by several providers is told apart by the header that only one's clients send.
    pub(crate) fn of(wire: Option<Wire>, headers: &http::HeaderMap) -> Self {
        wire.and_then(Wire::family).unwrap_or_else(|| {
            if headers.contains_key("anthropic-version") {
                Self::Anthropic
            } else if headers.contains_key("x-goog-api-key") {
                Self::Google
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
            (
                "/v1beta/models/gemini-3-flash:generateContent",
                Some(Wire::GeminiGenerate),
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/g:streamGenerateContent",
                Some(Wire::VertexGemini),
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-1@20250805:rawPredict",
                Some(Wire::VertexAnthropic),
            ),
            (
                "/v1beta/models/e:batchEmbedContents",
                Some(Wire::GeminiEmbeddings),
            ),
            (
                "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream",
                Some(Wire::BedrockConverse),
            ),
            ("/model/m/invoke", Some(Wire::BedrockEmbeddings)),
            ("/model/m/invoke-with-response-stream", None),
            (
                "/v1/projects/p/locations/l/publishers/google/models/e:predict",
                Some(Wire::VertexEmbeddings),
            ),
            ("/v2/chat", Some(Wire::CohereChat)),
            ("/api/chat", Some(Wire::OllamaChat)),
            ("/v1beta/models/g:countTokens", None),
            ("/v1/completions", None),
            ("/", None),
        ] {
            assert_eq!(Wire::of_path(path), wire, "{path}");
        }
    }

    #[test]
    fn a_model_in_the_path_is_decoded() {
        for (path, model, stream) in [
            (
                "/model/amazon.nova-lite-v1%3A0/converse",
                "amazon.nova-lite-v1:0",
                false,
            ),
            (
                "/model/arn%3Aaws%3Ab%2Fx/converse-stream",
                "arn:aws:b/x",
                true,
            ),
            ("/model/a%zz%/converse", "a%zz%", false),
        ] {
            let target = Target::of(Wire::of_path(path), path, None);
            assert_eq!(
                (target.model.as_deref(), target.stream),
                (Some(model), stream)
            );
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
