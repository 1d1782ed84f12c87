//! The wire as the rest of the crate sees it.

use super::stream::StreamReader;
use super::{reply, request};
use crate::address::escape;
use crate::chat::{Reply, Request};
use crate::codec::Encoded;
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
        request::encode_request(request, terms.model, terms.default_max_tokens)
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

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}
