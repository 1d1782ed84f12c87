//! Whole answers: from this wire to the neutral form and back.

use super::annotation;
use super::item::Item;
use super::stream::StreamEncoder;
use super::watch::{UsageWire, finish_of};
use crate::chat::{FinishReason, Part, REPLY_CITATIONS, Reply, Usage};
use crate::codec::{Fields, Object};
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

/// Reads an answer. `None` where its shape is not the wire's, or where it holds what the neutral form
/// does not know: a part of an answer is never taken for the whole.
#[must_use]
pub fn decode_reply(body: &[u8]) -> Option<Reply> {
    let mut fields = Fields::from_slice(body).ok()?;
    let mut reply = Reply {
        id: fields.text("id").ok()?.unwrap_or_default(),
        model: fields.text("model").ok()?.unwrap_or_default(),
        created: created(fields.take("created_at")),
        ..Reply::default()
    };
    let mut lost = Vec::new();
    let items = fields.list("output").ok()??;
    let (cited, all) = annotation::in_items(&items);
    reply.citations = cited;
    reply.lose_if(!all, REPLY_CITATIONS);
    for item in items {
        match Item::decode(item, &mut lost).ok()? {
            Item::Message(_, parts) => reply.parts.extend(parts),
            Item::Spoken(part) => reply.parts.push(part),
            // The answer stands without it.
            Item::Sealed => {}
            Item::Result(_) | Item::Reference | Item::Foreign => return None,
        }
    }
    // Of the rest, what the neutral form does not know is no part of the answer.
    if lost.contains(&"input.content") {
        return None;
    }
    reply.parts.retain(|part| match part {
        Part::Text(text) => !text.text.is_empty(),
        Part::Refusal(text) => !text.is_empty(),
        _ => true,
    });
    let status = fields.text("status").ok()?;
    let details = fields.object("incomplete_details").ok()?;
    let reason = details.and_then(|mut details| details.text("reason").ok().flatten());
    reply.finish = finish_of(status.as_deref().unwrap_or_default(), reason.as_deref());
    if reply.finish == Some(FinishReason::Stop) && calls_tools(&reply.parts) {
        reply.finish = Some(FinishReason::ToolCalls);
    }
    if let Some(usage) = fields.take("usage")
        && let Ok(wire) = serde_json::from_value::<UsageWire>(usage)
    {
        reply.usage = wire.into_usage();
    }
    Some(reply)
}

fn calls_tools(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::ToolCall(_)))
}

/// Seconds since 1970; some servers write a fraction.
fn created(value: Option<Value>) -> u64 {
    let value = value.unwrap_or_default();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a fraction is left out, and what lies outside becomes the nearest"
    )]
    let whole = value.as_f64().map_or(0, |seconds| seconds as u64);
    value.as_u64().unwrap_or(whole)
}

/// Writes an answer, made at `created` (seconds since 1970) where it does not say so itself.
#[must_use]
pub fn encode_reply(reply: &Reply, created: u64) -> Bytes {
    write(reply, created).0
}

/// The same, and what has no place here.
pub(super) fn write(reply: &Reply, created: u64) -> (Bytes, Vec<&'static str>) {
    let created = if reply.created == 0 {
        created
    } else {
        reply.created
    };
    let mut encoder = StreamEncoder::new(created);
    let mut unsent = BytesMut::new();
    for event in reply.events() {
        // A whole answer has its parts in order, and is in memory already: neither fault can occur.
        let _ = encoder.encode(&event, &mut unsent);
        unsent.clear();
    }
    let lost = encoder.lost().to_vec();
    (encoder.into_response(), lost)
}

/// Tokens as this wire counts them.
pub(super) fn encode_usage(usage: &Usage) -> Value {
    let mut input = Object::default();
    input.set("cached_tokens", usage.cache_read_tokens);
    if usage.cache_write_tokens > 0 {
        input.set("cache_write_tokens", usage.cache_write_tokens);
    }
    json!({
        "input_tokens": usage.input_tokens,
        "input_tokens_details": input.0,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens(),
    })
}
