//! Whole answers: from Anthropic's wire to the neutral form and back.

use super::request::{decode_blocks, encode_block};
use super::watch::{finish_reason, read_usage};
use crate::chat::{FinishReason, Part, Reply, Usage};
use crate::codec::{Fields, Object};
use bytes::Bytes;
use serde_json::{Value, json};

/// Reads an answer. `None` where its shape is not the wire's.
#[must_use]
pub fn decode_reply(body: &[u8]) -> Option<Reply> {
    let mut fields = Fields::from_slice(body).ok()?;
    let mut reply = Reply {
        id: fields.text("id").ok()?.unwrap_or_default(),
        model: fields.text("model").ok()?.unwrap_or_default(),
        ..Reply::default()
    };
    let mut lost = Vec::new();
    reply.parts = decode_blocks(Some(fields.take("content")?), "content", &mut lost).ok()?;
    reply.finish = fields
        .text("stop_reason")
        .ok()?
        .map(|reason| finish_reason(&reason));
    reply.stop_sequence = fields.text("stop_sequence").ok()?;
    if let Some(usage) = fields.take("usage") {
        read_usage(&usage.to_string(), &mut reply.usage);
    }
    Some(reply)
}

/// Writes an answer.
#[must_use]
pub fn encode_reply(reply: &Reply) -> Bytes {
    let mut out = Object::default();
    out.set("id", reply.id.as_str());
    out.set("type", "message");
    out.set("role", "assistant");
    out.set("model", reply.model.as_str());
    let content: Vec<Value> = reply.parts.iter().filter_map(encode_part).collect();
    out.set("content", content);
    let reason = reply.finish.map(|reason| stop_reason(reason, &reply.parts));
    out.set("stop_reason", json!(reason));
    out.set("stop_sequence", json!(reply.stop_sequence));
    out.set("usage", encode_usage(&reply.usage));
    out.into_bytes()
}

/// Reasoning without a signature keeps its place with an empty one, as the provider itself writes
/// it before signing.
fn encode_part(part: &Part) -> Option<Value> {
    match part {
        Part::Thinking(thinking) => Some(json!({
            "type": "thinking",
            "thinking": thinking.text,
            "signature": thinking.signature.as_deref().unwrap_or_default(),
        })),
        other => encode_block(other, &mut Vec::new()),
    }
}

/// The wire's name for why an answer ended.
pub(super) fn stop_reason(reason: FinishReason, parts: &[Part]) -> &'static str {
    let refused = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    match reason {
        FinishReason::Stop if refused => "refusal",
        FinishReason::Stop | FinishReason::Other => "end_turn",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter | FinishReason::Refusal => "refusal",
        FinishReason::Pause => "pause_turn",
    }
}

/// Cached input is counted apart on this wire.
pub(super) fn encode_usage(usage: &Usage) -> Value {
    let mut out = Object::default();
    let fresh = usage
        .input_tokens
        .saturating_sub(usage.cache_read_tokens)
        .saturating_sub(usage.cache_write_tokens);
    out.set("input_tokens", fresh);
    out.set("output_tokens", usage.output_tokens);
    out.set("cache_read_input_tokens", usage.cache_read_tokens);
    out.set("cache_creation_input_tokens", usage.cache_write_tokens);
    if usage.reasoning_tokens > 0 {
        out.set(
            "output_tokens_details",
            json!({"thinking_tokens": usage.reasoning_tokens}),
        );
    }
    out.0.into()
}
