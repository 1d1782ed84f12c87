//! The wire as the rest of the crate sees it.

use super::stream::StreamReader;
use super::{embedding, reply, request};
use crate::address::escape_path;
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
use crate::embedding::Embedder;
use crate::stream::{Facts, Glance};
use crate::wire::{Reader, Target, Terms};

/// Where a model is, before the verb: a tuned one comes with its collection, `tunedModels/…`.
pub(super) fn place(base: &str, model: &str) -> String {
    let collection = if model.contains('/') { "" } else { "models/" };
    format!("{base}/{collection}{}", escape_path(model))
}

/// Gemini's `generateContent`.
pub(crate) struct Gemini;

impl Target for Gemini {
    fn address(&self, base: &str, model: &str, stream: bool) -> String {
        let verb = if stream {
            ":streamGenerateContent?alt=sse"
        } else {
            ":generateContent"
        };
        format!("{}{verb}", place(base, model))
    }

    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded {
        request::encode_request(request, terms.model, terms.on_vertex)
    }

    fn decode(&self, body: &[u8]) -> Option<Reply> {
        reply::decode(body)
    }

    fn glance(&self, body: &[u8], facts: &mut Facts) -> Glance {
        reply::glance(body, facts)
    }

    fn embedder(&self, model: &str, on_vertex: bool) -> Option<&'static dyn Embedder> {
        Some(embedding::embedder(model, on_vertex))
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
