//! Whole answers: from OpenAI's wire to the neutral form and back.

use super::annotation::{annotations, encode_annotation, search_results};
use super::request::decode_message;
use super::watch::{UsageWire, finish_reason};
use crate::chat::{FinishReason, Part, REPLY_CITATIONS, Reply, Usage};
use crate::codec::{Fields, Object, is_nothing};
use bytes::Bytes;
use serde_json::{Value, json};

/// Reads an answer. `None` where its shape is not the wire's, or where it holds more than the neutral
/// form can say: several choices, parts of an unknown sort.
#[must_use]
pub fn decode_reply(body: &[u8]) -> Option<Reply> {
    let mut fields = Fields::from_slice(body).ok()?;
    let mut reply = Reply {
        id: fields.text("id").ok()?.unwrap_or_default(),
        model: fields.text("model").ok()?.unwrap_or_default(),
        created: fields
            .take("created")
            .and_then(|at| at.as_u64())
            .unwrap_or(0),
        ..Reply::default()
    };
    let mut choices = fields.list("choices").ok()??;
    let choice = choices.pop()?;
    if !choices.is_empty() {
        return None;
    }
    let mut choice = Fields::from_value(choice, "choices").ok()?;
    let mut message = choice.object("message").ok()??;
    // Some local servers leave the role out.
    if message.0.get("role").is_none_or(Value::is_null) {
        message.0.insert("role".to_owned(), json!("assistant"));
    }
    let list = |value: Option<Value>| match value {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let (cited, all) = annotations(&list(message.take("annotations")));
    reply.citations = cited;
    let sources = search_results(&list(fields.take("search_results")));
    reply.citations.extend(sources);
    reply.lose_if(!all || refers(&message), REPLY_CITATIONS);
    // Sounds and pictures, which the neutral form cannot say of an answer.
    let shown = ["audio", "images"].map(|key| message.take(key));
    if shown.into_iter().flatten().any(|shown| !is_nothing(&shown)) {
        return None;
    }
    let mut lost = Vec::new();
    reply.parts = decode_message(message, &mut lost).ok()?.parts;
    // Of the rest, what the neutral form does not know is no part of the answer.
    if lost.iter().any(|field| is_said(field)) {
        return None;
    }
    reply.parts.retain(|part| !is_blank(part));
    reply.finish = choice
        .text("finish_reason")
        .ok()?
        .map(|reason| finish_reason(&reason));
    if let Some(usage) = fields.take("usage")
        && let Ok(wire) = serde_json::from_value::<UsageWire>(usage)
    {
        reply.usage = wire.into_usage();
    }
    Some(reply)
}

/// True of what a message says.
fn is_said(field: &str) -> bool {
    ["messages.content", "messages.tool_calls"]
        .iter()
        .any(|said| field.starts_with(said))
}

/// Mistral's references: numbers of what its tools found.
fn refers(message: &Fields) -> bool {
    let parts = message.0.get("content").and_then(Value::as_array);
    let is_reference = |part: &Value| part.get("type").is_some_and(|kind| kind == "reference");
    parts.is_some_and(|parts| parts.iter().any(is_reference))
}

/// An empty text beside tool calls says nothing.
fn is_blank(part: &Part) -> bool {
    match part {
        Part::Text(text) => text.text.is_empty(),
        Part::Refusal(text) => text.is_empty(),
        _ => false,
    }
}

/// Writes an answer; `created` is used where the reply does not say when it was made.
#[must_use]
pub fn encode_reply(reply: &Reply, created: u64) -> Bytes {
    let mut message = Object::default();
    message.set("role", "assistant");
    let mut text = None::<String>;
    let mut thinking = None::<String>;
    let mut refusal = None::<String>;
    let mut calls = Vec::new();
    let append = |to: &mut Option<String>, more: &str| {
        to.get_or_insert_default().push_str(more);
    };
    for part in &reply.parts {
        match part {
            Part::Text(more) => append(&mut text, &more.text),
            Part::Thinking(more) => append(&mut thinking, &more.text),
            Part::Refusal(more) => append(&mut refusal, more),
            Part::ToolCall(call) => calls.push(json!({
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            })),
            _ => {}
        }
    }
    message.set("content", json!(text));
    message.set("refusal", json!(refusal));
    message.set_some("reasoning_content", thinking);
    if !reply.citations.is_empty() {
        let cited = reply.citations.iter().map(encode_annotation);
        message.set("annotations", cited.collect::<Vec<_>>());
    }
    if !calls.is_empty() {
        message.set("tool_calls", calls);
    }
    let mut out = Object::default();
    out.set("id", reply.id.as_str());
    out.set("object", "chat.completion");
    out.set(
        "created",
        if reply.created == 0 {
            created
        } else {
            reply.created
        },
    );
    out.set("model", reply.model.as_str());
    out.set(
        "choices",
        json!([{
            "index": 0,
            "message": message.0,
            "logprobs": null,
            "finish_reason": finish_name(reply.finish.unwrap_or(FinishReason::Stop)),
        }]),
    );
    out.set("usage", encode_usage(&reply.usage));
    out.into_bytes()
}

/// The wire's name for why an answer ended.
pub(super) const fn finish_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter | FinishReason::Refusal => "content_filter",
        FinishReason::Stop
        | FinishReason::StopSequence
        | FinishReason::Pause
        | FinishReason::Other => "stop",
    }
}

pub(super) fn encode_usage(usage: &Usage) -> Value {
    let mut prompt = Object::default();
    prompt.set("cached_tokens", usage.cache_read_tokens);
    if usage.cache_write_tokens > 0 {
        prompt.set("cache_write_tokens", usage.cache_write_tokens);
    }
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens(),
        "prompt_tokens_details": prompt.0,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    })
}
