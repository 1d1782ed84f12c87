//! Whole answers in the form of any dialect: for caches, prepared answers and Rust callers, who
//! have an answer at hand that no provider is sending just now.

use crate::chat::{Assembly, FinishReason, Reply, StreamEvent};
use crate::exchange::MAX_REPLY_BYTES;
use crate::sse::{self, Frames};
use crate::stream::{Facts, Glance};
use crate::wire::{Dialect, Reader};
use bytes::{Bytes, BytesMut};

/// Reads a whole answer. `None` where its shape is not the dialect's, or where it holds more than the
/// neutral form can say: several choices, blocks of an unknown sort, sources without an address.
#[must_use]
pub fn decode_whole(dialect: Dialect, body: &[u8]) -> Option<Reply> {
    let reply = dialect.wire().target().decode(body)?;
    reply.lost.is_empty().then_some(reply)
}

/// Writes a whole answer.
#[must_use]
pub fn encode_whole(dialect: Dialect, reply: &Reply) -> Bytes {
    dialect.caller().encode_reply(reply, 0, &mut Vec::new())
}

/// Writes a whole answer as a stream of events, end marker included. On OpenAI's wire a usage chunk
/// comes before that marker where `include_usage` is set. `None` where the wire cannot say it, or
/// where a tool call's arguments are no JSON object though the answer says that it is finished.
#[must_use]
pub fn encode_stream(dialect: Dialect, reply: &Reply, include_usage: bool) -> Option<Bytes> {
    if reply.has_broken_calls() && reply.finish != Some(FinishReason::Length) {
        return None;
    }
    let mut writer = dialect.caller().writer(include_usage, reply.created);
    let mut out = BytesMut::new();
    for event in reply.events() {
        writer.write(&event, &mut out).ok()?;
    }
    Some(out.freeze())
}

/// Puts a recorded stream of events together to a whole answer. `None` where the stream has a broken
/// event, an error, several choices, blocks of an unknown sort, sources without an address, or no finish
/// reason: a part of an answer is never taken for the whole.
#[must_use]
pub fn decode_stream(dialect: Dialect, stream: &[u8]) -> Option<Reply> {
    let mut reader = dialect.wire().target().reader();
    let mut frames = Frames::new(MAX_REPLY_BYTES);
    let mut events = Vec::new();
    frames.push(Bytes::copy_from_slice(stream));
    while let Some(frame) = frames.next() {
        read_frame(reader.as_mut(), &frame.ok()?, &mut events)?;
    }
    read_frame(reader.as_mut(), &frames.rest(), &mut events)?;
    if !reader.lost().is_empty() {
        return None;
    }
    let mut assembly = Assembly::default();
    for event in events {
        assembly.push(event);
    }
    let reply = assembly.finish();
    reply.finish.is_some().then_some(reply)
}

fn read_frame(reader: &mut dyn Reader, frame: &[u8], events: &mut Vec<StreamEvent>) -> Option<()> {
    let event = sse::parse(frame);
    let Some(data) = event.data else {
        return Some(());
    };
    match reader.read(event.name, &data, &mut Facts::default(), events) {
        Ok(Glance::Error | Glance::Broken) | Err(_) => None,
        Ok(_) => Some(()),
    }
}
