//! The wire as the rest of the crate sees it.

use super::embedding::OllamaEmbed;
use super::reply::StreamReader;
use super::{reply, request};
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
use crate::embedding::Embedder;
use crate::framing::Framing;
use crate::stream::{Facts, Glance};
use crate::wire::{Reader, Target, Terms};

/// The server: the layer that speaks OpenAI's wire is at `/v1`, its own beside it.
pub(super) fn root(base: &str) -> &str {
    let root = base.strip_suffix("/v1").unwrap_or(base);
    root.strip_suffix("/api").unwrap_or(root)
}

/// Ollama's chat.
pub(crate) struct OllamaChat;

impl Target for OllamaChat {
    fn address(&self, base: &str, _model: &str, _stream: bool) -> String {
        format!("{}/api/chat", root(base))
    }

    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded {
        request::encode_request(request, terms.model)
    }

    fn decode(&self, body: &[u8]) -> Option<Reply> {
        reply::decode(body)
    }

    fn glance(&self, body: &[u8], facts: &mut Facts) -> Glance {
        reply::glance(body, facts)
    }

    fn framing(&self) -> Framing {
        Framing::Lines
    }

    fn embedder(&self, _model: &str, _on_vertex: bool) -> Option<&'static dyn Embedder> {
        Some(&OllamaEmbed)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
