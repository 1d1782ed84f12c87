//! The wire as the rest of the crate sees it.

use super::{
    StreamDecoder, StreamEncoder, Watch, decode_reply, decode_request, encode_on_own_platform,
    encode_on_vertex, encode_reply, encode_request, glance_at_reply,
};
use crate::call::BadRequest;
use crate::catalog::ANTHROPIC_VERSION;
use crate::chat::{Reply, Request, StreamEvent};
use crate::codec::{Encoded, Untranslatable};
use crate::stream::{Facts, Glance, REPLY_REASONING};
use crate::wire::{self, Caller, Reader, Target, Terms, Watched, Writer, is_named};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Anthropic's messages.
pub(crate) struct AnthropicMessages;

impl Target for AnthropicMessages {
    fn address(&self, base: &str, _model: &str, _stream: bool) -> String {
        // Anthropic's own libraries take the address without the version.
        if base.ends_with("/v1") {
            format!("{base}/messages")
        } else {
            format!("{base}/v1/messages")
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        headers.insert(
            HeaderName::from_static("anthropic-version"),
            HeaderValue::from_static(ANTHROPIC_VERSION),
        );
    }

    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded {
        if terms.on_vertex {
            encode_on_vertex(request, terms.model, terms.default_max_tokens)
        } else if terms.at_home {
            encode_on_own_platform(request, terms.model, terms.default_max_tokens)
        } else {
            encode_request(request, terms.model, terms.default_max_tokens)
        }
    }

    fn decode(&self, body: &[u8]) -> Option<Reply> {
        decode_reply(body)
    }

    fn glance(&self, body: &[u8], facts: &mut Facts) -> Glance {
        glance_at_reply(body, facts)
    }

    fn carries(&self, name: &[u8]) -> Option<bool> {
        let is_part = name.starts_with(b"message_") || name.starts_with(b"content_block_");
        is_named(name).then_some(is_part)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Watched::<Watch, StreamDecoder>::default())
    }
}

impl Caller for AnthropicMessages {
    fn decode_request(&self, body: &[u8]) -> Result<Request, BadRequest> {
        decode_request(body)
    }

    fn encode_reply(&self, reply: &Reply, _created: u64, dropped: &mut Vec<&'static str>) -> Bytes {
        if reply.has_unsigned_thinking() {
            dropped.push(REPLY_REASONING);
        }
        encode_reply(reply)
    }

    fn writer(&self, _include_usage: bool, _created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::default())
    }

    fn watch(&self) -> Box<dyn wire::Watch> {
        Box::new(Watch::default())
    }
}

impl Writer for StreamEncoder {
    fn write(&mut self, event: &StreamEvent, out: &mut BytesMut) -> Result<(), Untranslatable> {
        self.encode(event, out)
    }

    fn lost(&self) -> &[&'static str] {
        self.lost()
    }

    fn fork(&self) -> Box<dyn Writer> {
        Box::new(self.clone())
    }
}
