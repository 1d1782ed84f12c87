//! The wire as the rest of the crate sees it.

use super::{
    StreamDecoder, StreamEncoder, Watch, decode_reply, decode_request, encode_reply,
    encode_request, glance_at_reply,
};
use crate::call::BadRequest;
use crate::chat::{Reply, Request, StreamEvent};
use crate::codec::{Encoded, Untranslatable};
use crate::stream::{Facts, Glance, Shown, is_object, unescape_inner};
use crate::wire::{self, Caller, Reader, Target, Terms, Writer};
use bytes::{Bytes, BytesMut};

/// OpenAI's chat completions.
pub(crate) struct OpenAiChat;

impl Target for OpenAiChat {
    fn address(&self, base: &str, _model: &str, _stream: bool) -> String {
        format!("{base}/chat/completions")
    }

    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded {
        encode_request(request, terms.model, terms.quirks)
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

impl Caller for OpenAiChat {
    fn decode_request(&self, body: &[u8]) -> Result<Request, BadRequest> {
        decode_request(body)
    }

    fn encode_reply(&self, reply: &Reply, created: u64, _dropped: &mut Vec<&'static str>) -> Bytes {
        encode_reply(reply, created)
    }

    fn writer(&self, include_usage: bool, created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::new(include_usage, created))
    }

    fn resume(&self, shown: &Shown, include_usage: bool, created: u64) -> Option<Box<dyn Writer>> {
        let encoder = StreamEncoder::resumed(shown, include_usage, created);
        Some(Box::new(encoder))
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
        if let Some(text) = self.watch.plain_text(name, data) {
            let mut plain = String::new();
            if !unescape_inner(text, &mut plain) {
                return Err(Untranslatable(()));
            }
            out.push(StreamEvent::Text(plain));
            return Ok(Glance::Content);
        }
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
}

impl wire::Watch for Watch {
    fn glance(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance {
        self.glance(name, data, facts)
    }

    fn is_complete(&self) -> bool {
        self.is_complete()
    }

    fn keep(&mut self) {
        self.keep();
    }

    fn shown(&self) -> Option<&Shown> {
        self.shown()
    }

    fn end_marker(&self) -> &'static [u8] {
        b"data: [DONE]\n\n"
    }
}

impl Writer for StreamEncoder {
    fn write(&mut self, event: &StreamEvent, out: &mut BytesMut) -> Result<(), Untranslatable> {
        self.encode(event, out);
        Ok(())
    }

    fn fork(&self) -> Option<Box<dyn Writer>> {
        Some(Box::new(self.clone()))
    }
}
