//! The wire as the rest of the crate sees it.

use super::{
    StreamDecoder, StreamEncoder, Watch, decode_reply, decode_request, encode_reply,
    encode_request, glance_at_reply,
};
use crate::call::BadRequest;
use crate::chat::{Reply, Request, StreamEvent};
use crate::codec::{Encoded, Untranslatable};
use crate::stream::{Facts, Glance, is_object};
use crate::wire::{self, Caller, Reader, Target, Terms, Writer};
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

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(StreamReader::default())
    }
}

impl Caller for OpenAiResponses {
    fn decode_request(&self, body: &[u8]) -> Result<Request, BadRequest> {
        decode_request(body)
    }

    fn encode_reply(&self, reply: &Reply, created: u64, _dropped: &mut Vec<&'static str>) -> Bytes {
        encode_reply(reply, created)
    }

    fn writer(&self, _include_usage: bool, created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::new(created))
    }

    fn watch(&self) -> Box<dyn wire::Watch> {
        Box::new(Watch::default())
    }
}

/// Watches and decodes.
#[derive(Debug, Default)]
struct StreamReader {
    watch: Watch,
    decoder: StreamDecoder,
}

impl Reader for StreamReader {
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        let glance = self.watch.glance(name, data, facts);
        match glance {
            Glance::Broken | Glance::Error => {}
            // An extension that is no object says nothing in any other dialect.
            Glance::Quiet if !is_object(data) => {}
            Glance::Content | Glance::Life | Glance::Quiet | Glance::End => {
                self.decoder.decode(data, out)?;
            }
        }
        Ok(glance)
    }

    fn is_complete(&self) -> bool {
        self.watch.is_complete()
    }

    fn left_out(&self) -> bool {
        self.decoder.left_out()
    }
}

impl wire::Watch for Watch {
    fn glance(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance {
        self.glance(name, data, facts)
    }

    fn is_complete(&self) -> bool {
        self.is_complete()
    }

    fn end_marker(&self) -> &'static [u8] {
        // The event that tells why the answer ended is the last.
        b""
    }
}

impl Writer for StreamEncoder {
    fn write(&mut self, event: &StreamEvent, out: &mut BytesMut) -> Result<(), Untranslatable> {
        self.encode(event, out)
    }
}
