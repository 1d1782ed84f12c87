//! Turns the events of one dialect's stream into those of another's.

use crate::call::Dialect;
use crate::chat::{Reply, StreamEvent};
use crate::codec::Untranslatable;
use crate::form::{Decoder, Encoder};
use bytes::{Bytes, BytesMut};

/// Decodes one wire and encodes the other.
#[derive(Debug)]
pub(crate) struct Translator {
    decoder: Decoder,
    encoder: Encoder,
    events: Vec<StreamEvent>,
    out: BytesMut,
}

impl Translator {
    /// From `upstream`'s wire to `caller`'s. `include_usage` is the caller's wish on OpenAI's wire,
    /// `created` the time in seconds since 1970.
    pub(crate) fn new(
        upstream: Dialect,
        caller: Dialect,
        include_usage: bool,
        created: u64,
    ) -> Self {
        Self {
            decoder: Decoder::new(upstream),
            encoder: Encoder::new(caller, include_usage, created),
            events: Vec::new(),
            out: BytesMut::new(),
        }
    }

    /// Translates the data of one event; the result is empty where the caller's wire has nothing
    /// to say for it.
    pub(crate) fn translate(&mut self, data: &[u8]) -> Result<Bytes, Untranslatable> {
        self.decoder.decode(data, &mut self.events)?;
        self.encode()
    }

    /// Ends the caller's stream in the normal way.
    pub(crate) fn end(&mut self) -> Result<Bytes, Untranslatable> {
        self.events.push(StreamEvent::End);
        self.encode()
    }

    /// A whole answer as a stream in the caller's dialect, end marker included.
    pub(crate) fn unroll(&mut self, reply: &Reply) -> Result<Bytes, Untranslatable> {
        self.events.extend(reply.events());
        self.encode()
    }

    fn encode(&mut self) -> Result<Bytes, Untranslatable> {
        for event in self.events.drain(..) {
            self.encoder.encode(&event, &mut self.out)?;
        }
        Ok(self.out.split().freeze())
    }
}
