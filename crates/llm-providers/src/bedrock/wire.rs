//! The wire as the rest of the crate sees it.

use super::stream::StreamReader;
use super::{embedding, reply, request};
use crate::address::escape;
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
use crate::embedding::Embedder;
use crate::framing::Framing;
use crate::stream::{Facts, Glance};
use crate::wire::{Reader, Target, Terms};

/// Bedrock's Converse.
pub(crate) struct BedrockConverse;

impl Target for BedrockConverse {
    fn address(&self, base: &str, model: &str, stream: bool) -> String {
        let mut address = format!("{base}/model/");
        // An inference profile may be given by its ARN, which has slashes.
        escape(model, &mut address);
        address.push_str(if stream {
            "/converse-stream"
        } else {
            "/converse"
        });
        address
    }

    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded {
        request::encode_request(request, terms)
    }

    fn decode(&self, body: &[u8]) -> Option<Reply> {
        reply::decode(body)
    }

    fn glance(&self, body: &[u8], facts: &mut Facts) -> Glance {
        reply::glance(body, facts)
    }

    fn framing(&self) -> Framing {
        Framing::EventStream
    }

    fn embedder(&self, model: &str, _on_vertex: bool) -> Option<&'static dyn Embedder> {
        embedding::embedder(model)
    }

    fn carries(&self, name: &[u8]) -> Option<bool> {
        let kinds = ["message", "contentBlock", "metadata"];
        let is_part = kinds.iter().any(|kind| name.starts_with(kind.as_bytes()));
        (!name.is_empty()).then_some(is_part)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
