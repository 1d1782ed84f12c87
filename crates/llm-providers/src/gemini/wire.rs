//! The wire as the rest of the crate sees it.

use super::stream::StreamReader;
use super::{reply, request};
use crate::address::escape_path;
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
use crate::stream::{Facts, Glance};
use crate::wire::{Reader, Target, Terms};

/// Gemini's `generateContent`.
pub(crate) struct Gemini;

impl Target for Gemini {
    fn address(&self, base: &str, model: &str, stream: bool) -> String {
        // A tuned model comes with its collection, `tunedModels/…`.
        let collection = if model.contains('/') { "" } else { "models/" };
        let verb = if stream {
            ":streamGenerateContent?alt=sse"
        } else {
            ":generateContent"
        };
        format!("{base}/{collection}{}{verb}", escape_path(model))
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

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
