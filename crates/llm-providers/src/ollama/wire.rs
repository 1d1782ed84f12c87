//! The wire as the rest of the crate sees it.

use super::reply::StreamReader;
use super::{reply, request};
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
use crate::framing::Framing;
use crate::stream::{Facts, Glance};
use crate::wire::{Reader, Target, Terms};

/// Ollama's chat.
pub(crate) struct OllamaChat;

impl Target for OllamaChat {
    fn address(&self, base: &str, _model: &str, _stream: bool) -> String {
        // The layer that speaks OpenAI's wire is at `/v1`, this one beside it.
        let root = base.strip_suffix("/v1").unwrap_or(base);
        let root = root.strip_suffix("/api").unwrap_or(root);
        format!("{root}/api/chat")
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

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
