//! Whole answers in the form of any dialect: for caches, prepared answers and Rust callers, who
//! have an answer at hand that no provider is sending just now.

use crate::chat::{Assembly, FinishReason, Reply, StreamEvent};
use crate::exchange::MAX_REPLY_BYTES;
use crate::sse::{self, Frames};
use crate::stream::{Facts, Glance, is_stray};
use crate::wire::{Dialect, Reader, Wire};
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
    let stream = Bytes::copy_from_slice(stream);
    let reply = gather(dialect.wire(), stream, &mut Facts::default()).ok()?;
    reply.lost.is_empty().then_some(reply)
}

/// Why the events of a stream do not make a whole answer.
#[derive(Debug)]
pub(crate) enum Ungathered {
    /// One of them is this error.
    Error(Vec<u8>),
    /// There is no finish reason.
    Cut,
    /// One of them is broken, or says what the neutral form cannot hold.
    Shape,
}

/// Puts the server-sent events of a target together to a whole answer.
pub(crate) fn gather(wire: Wire, stream: Bytes, facts: &mut Facts) -> Result<Reply, Ungathered> {
    let mut reader = wire.target().reader();
    let mut frames = Frames::new(MAX_REPLY_BYTES);
    let mut events = Vec::new();
    let known = facts.dropped.len();
    frames.push(stream);
    while let Some(frame) = frames.next() {
        let frame = frame.map_err(|_| Ungathered::Shape)?;
        read_frame(wire, reader.as_mut(), &frame, facts, &mut events)?;
    }
    read_frame(wire, reader.as_mut(), &frames.rest(), facts, &mut events)?;
    let mut assembly = Assembly::default();
    for event in events {
        assembly.push(event);
    }
    let mut reply = assembly.finish();
    let lost = facts.dropped.get(known..).unwrap_or_default();
    reply.lost.extend_from_slice(lost);
    reply
        .finish
        .is_some()
        .then_some(reply)
        .ok_or(Ungathered::Cut)
}

fn read_frame(
    wire: Wire,
    reader: &mut dyn Reader,
    frame: &[u8],
    facts: &mut Facts,
    events: &mut Vec<StreamEvent>,
) -> Result<(), Ungathered> {
    let event = sse::parse(frame);
    let Some(data) = event.data else {
        return Ok(());
    };
    match reader.read(event.name, &data, facts, events) {
        Ok(Glance::Error) => Err(Ungathered::Error(data.into_owned())),
        Ok(Glance::Broken) if is_stray(wire, event.name, &data) => {
            facts.broken_events = facts.broken_events.saturating_add(1);
            Ok(())
        }
        Ok(Glance::Broken) | Err(_) => Err(Ungathered::Shape),
        Ok(_) => Ok(()),
    }
}
