//! The wire as the rest of the crate sees it.

use super::{
    StreamDecoder, StreamEncoder, Watch, decode_reply, decode_request, encode_request,
    glance_at_reply, reply,
};
use crate::call::BadRequest;
use crate::chat::{Reply, Request, StreamEvent};
use crate::codec::{Encoded, Untranslatable};
use crate::stream::{Facts, Glance};
use crate::wire::{self, Caller, Reader, Target, Terms, Watched, Writer, is_named};
use bytes::{Bytes, BytesMut};

/// OpenAI's responses.
pub(crate) struct OpenAiResponses;

impl Target for OpenAiResponses {
    fn address(&self, base: &str, _model: &str, _stream: bool) -> String {
        format!("{base}/responses")
    }

    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded {
        encode_request(request, terms.model)
    }

    fn decode(&self, body: &[u8]) -> Option<Reply> {
        decode_reply(body)
    }

    fn glance(&self, body: &[u8], facts: &mut Facts) -> Glance {
        glance_at_reply(body, facts)
    }

    fn carries(&self, name: &[u8]) -> Option<bool> {
        let is_part = name.starts_with(b"response.");
        is_named(name).then_some(is_part)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Watched::<Watch, StreamDecoder>::default())
    }
}

impl Caller for OpenAiResponses {
    fn decode_request(&self, body: &[u8]) -> Result<Request, BadRequest> {
        decode_request(body)
    }

    fn encode_reply(&self, reply: &Reply, created: u64, dropped: &mut Vec<&'static str>) -> Bytes {
        let (body, lost) = reply::write(reply, created);
        dropped.extend(lost);
        body
    }

    fn writer(&self, _include_usage: bool, created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::new(created))
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
