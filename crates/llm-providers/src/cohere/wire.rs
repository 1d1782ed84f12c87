//! The wire as the rest of the crate sees it.

use super::embedding::CohereEmbed;
use super::stream::StreamReader;
use super::{reply, request};
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
use crate::embedding::Embedder;
use crate::stream::{Facts, Glance};
use crate::wire::{Reader, Target, Terms, is_named};

/// Cohere's chat, version 2.
pub(crate) struct CohereChat;

impl Target for CohereChat {
    fn address(&self, base: &str, _model: &str, _stream: bool) -> String {
        format!("{base}/chat")
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

    fn embedder(&self, _model: &str, _on_vertex: bool) -> Option<&'static dyn Embedder> {
        Some(&CohereEmbed)
    }

    fn carries(&self, name: &[u8]) -> Option<bool> {
        let kinds = ["message-", "content-", "tool-", "citation-"];
        let is_part = kinds.iter().any(|kind| name.starts_with(kind.as_bytes()));
        is_named(name).then_some(is_part)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
