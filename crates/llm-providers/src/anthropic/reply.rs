//! Whole answers: from Anthropic's wire to the neutral form and back.

use super::citation;
use super::request::{LOST_CITATIONS, decode_blocks, encode_block};
use super::watch::{finish_reason, read_usage};
use crate::chat::{FinishReason, Part, REPLY_CITATIONS, Reply, Usage, chars, is_broken_call};
use crate::codec::{Fields, Object};
use bytes::Bytes;
use serde_json::{Value, json};

/// Reads an answer. `None` where its shape is not the wire's, or where it holds what the neutral form
/// does not know: a part of an answer is never taken for the whole.
#[must_use]
pub fn decode_reply(body: &[u8]) -> Option<Reply> {
    let mut fields = Fields::from_slice(body).ok()?;
    let mut reply = Reply {
        id: fields.text("id").ok()?.unwrap_or_default(),
        model: fields.text("model").ok()?.unwrap_or_default(),
        ..Reply::default()
    };
    let content = fields.take("content")?;
    let (cited, all) = citation::in_blocks(&content);
    reply.citations = cited;
    reply.lose_if(!all, REPLY_CITATIONS);
    let mut lost = Vec::new();
    reply.parts = decode_blocks(Some(content), "content", &mut lost).ok()?;
    // They are read already.
    lost.retain(|field| *field != LOST_CITATIONS);
    if lost
        .iter()
        .any(|field| field.starts_with("messages.content"))
    {
        return None;
    }
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

/// Writes an answer. Reasoning without a signature is left out, because it could not be sent back:
/// see [`StreamEncoder`](super::StreamEncoder). A tool call whose arguments are no JSON object is left
/// out as well, and then the answer is one that the output limit cut.
#[must_use]
pub fn encode_reply(reply: &Reply) -> Bytes {
    let mut out = Object::default();
    out.set("id", reply.id.as_str());
    out.set("type", "message");
    out.set("role", "assistant");
    out.set("model", reply.model.as_str());
    let mut unsaid = Vec::new();
    let mut said = Said::default();
    let mut cut = false;
    let mut content: Vec<Value> = Vec::with_capacity(reply.parts.len());
    let mut before = 0;
    for part in &reply.parts {
        if is_broken_call(part) {
            cut = true;
            continue;
        }
        said.refusal |= matches!(part, Part::Refusal(_));
        said.call |= matches!(part, Part::ToolCall(_));
        match part {
            // Requests leave out blank texts; in an answer they may be all there is.
            Part::Text(text) if !text.text.is_empty() => {
                content.extend(citation::blocks(&text.text, before, &reply.citations));
                before += chars(&text.text);
            }
            part => content.extend(encode_block(part, &mut unsaid)),
        }
    }
    citation::add_placeless(&mut content, &reply.citations);
    out.set("content", content);
    let finish = if cut {
        Some(FinishReason::Length)
    } else {
        reply.finish
    };
    let reason = finish.map(|reason| stop_reason(reason, said));
    out.set("stop_reason", json!(reason));
    out.set("stop_sequence", json!(reply.stop_sequence));
    out.set("usage", encode_usage(&reply.usage));
    out.into_bytes()
}

/// What an answer held that bears on its stop reason.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Said {
    /// Words of refusal.
    pub(super) refusal: bool,
    /// A tool call.
    pub(super) call: bool,
}

/// The wire's name for why an answer ended. Some servers write a plain `stop` after tool calls; a
/// caller of this wire would never run them.
pub(super) const fn stop_reason(reason: FinishReason, said: Said) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::Other if said.call => "tool_use",
        FinishReason::Stop if said.refusal => "refusal",
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
