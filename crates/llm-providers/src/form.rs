//! Whole answers in the form of any dialect: for caches, prepared answers and Rust callers, who
//! have an answer at hand that no provider is sending just now.

use crate::call::Dialect;
use crate::chat::{Assembly, FinishReason, Reply, StreamEvent};
use crate::codec::Untranslatable;
use crate::exchange::MAX_REPLY_BYTES;
use crate::sse::{self, Frames};
use crate::{anthropic, openai};
use bytes::{Bytes, BytesMut};

/// Reads a whole answer. `None` where its shape is not the dialect's, or where it holds more than the
/// neutral form can say: several choices, blocks of an unknown sort.
#[must_use]
pub fn decode_whole(dialect: Dialect, body: &[u8]) -> Option<Reply> {
    match dialect {
        Dialect::OpenAiChat => openai::decode_reply(body),
        Dialect::AnthropicMessages => anthropic::decode_reply(body),
    }
}

/// Writes a whole answer.
#[must_use]
pub fn encode_whole(dialect: Dialect, reply: &Reply) -> Bytes {
    match dialect {
        Dialect::OpenAiChat => openai::encode_reply(reply, 0),
        Dialect::AnthropicMessages => anthropic::encode_reply(reply),
    }
}

/// Writes a whole answer as a stream of events, end marker included. On OpenAI's wire a usage chunk
/// comes before that marker where `include_usage` is set. `None` where the wire cannot say it, or
/// where a tool call's arguments are no JSON object though the answer says that it is finished.
#[must_use]
pub fn encode_stream(dialect: Dialect, reply: &Reply, include_usage: bool) -> Option<Bytes> {
    if reply.has_broken_calls() && reply.finish != Some(FinishReason::Length) {
        return None;
    }
    let mut encoder = Encoder::new(dialect, include_usage, reply.created);
    let mut out = BytesMut::new();
    for event in reply.events() {
        encoder.encode(&event, &mut out).ok()?;
    }
    Some(out.freeze())
}

/// Puts a recorded stream of events together to a whole answer. `None` where the stream has a broken
/// event, an error, several choices, blocks of an unknown sort, or no finish reason: a part of an
/// answer is never taken for the whole.
#[must_use]
pub fn decode_stream(dialect: Dialect, stream: &[u8]) -> Option<Reply> {
    let mut decoder = Decoder::new(dialect);
    let mut frames = Frames::new(MAX_REPLY_BYTES);
    let mut events = Vec::new();
    frames.push(Bytes::copy_from_slice(stream));
    while let Some(frame) = frames.next() {
        decode_frame(&mut decoder, &frame.ok()?, &mut events)?;
    }
    decode_frame(&mut decoder, &frames.rest(), &mut events)?;
    if decoder.left_out() {
        return None;
    }
    let mut assembly = Assembly::default();
    for event in events {
        assembly.push(event);
    }
    let reply = assembly.finish();
    reply.finish.is_some().then_some(reply)
}

fn decode_frame(decoder: &mut Decoder, frame: &[u8], events: &mut Vec<StreamEvent>) -> Option<()> {
    let event = sse::parse(frame);
    if event.name == b"error" {
        return None;
    }
    match event.data {
        Some(data) => decoder.decode(&data, events).ok(),
        None => Some(()),
    }
}

/// Decodes the stream of any dialect.
#[derive(Debug)]
pub(crate) enum Decoder {
    OpenAi(openai::StreamDecoder),
    Anthropic(anthropic::StreamDecoder),
}

impl Decoder {
    pub(crate) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAiChat => Self::OpenAi(openai::StreamDecoder::default()),
            Dialect::AnthropicMessages => Self::Anthropic(anthropic::StreamDecoder::default()),
        }
    }

    /// True where the stream held what the neutral form does not know.
    const fn left_out(&self) -> bool {
        match self {
            Self::OpenAi(_) => false,
            Self::Anthropic(decoder) => decoder.left_out(),
        }
    }

    pub(crate) fn decode(
        &mut self,
        data: &[u8],
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        match self {
            Self::OpenAi(decoder) => decoder.decode(data, out),
            Self::Anthropic(decoder) => decoder.decode(data, out),
        }
    }
}

/// Encodes the stream of any dialect.
#[derive(Debug)]
pub(crate) enum Encoder {
    OpenAi(openai::StreamEncoder),
    Anthropic(anthropic::StreamEncoder),
}

impl Encoder {
    /// `include_usage` is the caller's wish on OpenAI's wire, `created` the time in seconds since
    /// 1970.
    pub(crate) fn new(dialect: Dialect, include_usage: bool, created: u64) -> Self {
        match dialect {
            Dialect::OpenAiChat => Self::OpenAi(openai::StreamEncoder::new(include_usage, created)),
            Dialect::AnthropicMessages => Self::Anthropic(anthropic::StreamEncoder::default()),
        }
    }

    /// True where reasoning was left out.
    pub(crate) const fn dropped_thinking(&self) -> bool {
        match self {
            Self::OpenAi(_) => false,
            Self::Anthropic(encoder) => encoder.dropped_thinking(),
        }
    }

    pub(crate) fn encode(
        &mut self,
        event: &StreamEvent,
        out: &mut BytesMut,
    ) -> Result<(), Untranslatable> {
        match self {
            Self::OpenAi(encoder) => {
                encoder.encode(event, out);
                Ok(())
            }
            Self::Anthropic(encoder) => encoder.encode(event, out),
        }
    }
}
