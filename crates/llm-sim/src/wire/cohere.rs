//! Cohere's chat, version 2: replies and stream events.
//!
//! Shapes from the official Python SDK, cohere 7.3.1 (`types/chat_*_event.py`, `types/assistant_message_response.py`,
//! `types/usage.py`), and <https://docs.cohere.com/v2/docs/streaming>, read 2026-11-26: the stream ends with
//! `message-end`; an error in the middle is a `message-end` with the reason `ERROR` and an `error` text.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use super::Frames;
use super::openai::pieces;
use crate::answer::{Answer, Content, ToolCall};
use crate::json;
use crate::prose;
use crate::script::Finish;
use crate::voice::Problem;

/// Cohere has no reason for a filter; the nearest is `ERROR`.
const fn finish_reason(answer: &Answer) -> &'static str {
    match (&answer.content, answer.finish) {
        (Content::Tools(_), Finish::Stop) => "TOOL_CALL",
        (Content::Refusal(_), _) | (_, Finish::Stop) => "COMPLETE",
        (_, Finish::Length) => "MAX_TOKENS",
        (_, Finish::ContentFilter) => "ERROR",
    }
}

fn usage(answer: &Answer) -> Value {
    let output = answer
        .completion_tokens
        .saturating_add(answer.thinking_tokens);
    let tokens = json!({"input_tokens": answer.prompt_tokens, "output_tokens": output});
    json!({"billed_units": tokens, "tokens": tokens})
}

fn id(answer: &Answer) -> String {
    format!("{:016x}", answer.id)
}

fn tool(call: &ToolCall, arguments: &str) -> Value {
    let function = json!({"name": call.name, "arguments": arguments});
    json!({"id": format!("{}_{:016x}", call.name, call.id), "type": "function", "function": function})
}

/// A whole reply.
pub(crate) fn whole(answer: &Answer) -> Bytes {
    let mut content: Vec<Value> = answer
        .thinking
        .iter()
        .map(|text| json!({"type": "thinking", "thinking": text}))
        .collect();
    let mut message = json!({"role": "assistant"});
    match &answer.content {
        Content::Text(text) | Content::Refusal(text) => {
            content.push(json!({"type": "text", "text": text}));
        }
        Content::Tools(calls) => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|call| tool(call, &call.arguments))
                .collect();
            set(&mut message, "tool_calls", json!(calls));
        }
    }
    if !content.is_empty() {
        set(&mut message, "content", json!(content));
    }
    json::bytes(
        &json!({"id": id(answer), "finish_reason": finish_reason(answer), "message": message,
        "usage": usage(answer)}),
    )
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// A streamed reply.
pub(crate) fn stream(answer: &Answer) -> Frames {
    let mut frames = Frames::default();
    let message = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
    frames.opening.push(event(
        "message-start",
        json!({"id": id(answer), "delta": {"message": message}}),
    ));
    let mut index = 0;
    if let Some(thinking) = &answer.thinking {
        frames.content.push(block(index, "thinking"));
        for chunk in prose::chunks(thinking) {
            frames.content.push(piece(index, "thinking", chunk));
        }
        frames
            .content
            .push(event("content-end", json!({ "index": index })));
        index += 1;
    }
    match &answer.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => {
            let start = block(index, "text");
            if index == 0 {
                frames.opening.push(start);
            } else {
                frames.content.push(start);
            }
            for chunk in prose::chunks(text) {
                frames.content.push(piece(index, "text", chunk));
            }
            frames
                .closing
                .push(event("content-end", json!({ "index": index })));
        }
        Content::Tools(calls) => {
            for (index, call) in calls.iter().enumerate() {
                frames
                    .content
                    .push(tool_event("tool-call-start", index, &tool(call, "")));
                for piece in pieces(&call.arguments) {
                    let part = json!({"function": {"arguments": piece}});
                    frames
                        .content
                        .push(tool_event("tool-call-delta", index, &part));
                }
                let end = event("tool-call-end", json!({ "index": index }));
                if index + 1 == calls.len() {
                    frames.closing.push(end);
                } else {
                    frames.content.push(end);
                }
            }
        }
    }
    let delta = json!({"finish_reason": finish_reason(answer), "usage": usage(answer)});
    frames.closing.push(event(
        "message-end",
        json!({"id": id(answer), "delta": delta}),
    ));
    frames
}

/// The event in which a stream tells of an error.
pub(crate) fn error(answer: &Answer, problem: &Problem) -> Bytes {
    let delta = json!({"finish_reason": "ERROR", "error": problem.message, "usage": usage(answer)});
    event("message-end", json!({"id": id(answer), "delta": delta}))
}

fn block(index: usize, kind: &str) -> Bytes {
    let content = json!({"type": kind, kind: ""});
    event(
        "content-start",
        json!({"index": index, "delta": {"message": {"content": content}}}),
    )
}

fn piece(index: usize, kind: &str, text: &str) -> Bytes {
    event(
        "content-delta",
        json!({"index": index, "delta": {"message": {"content": {kind: text}}}}),
    )
}

fn tool_event(kind: &str, index: usize, call: &Value) -> Bytes {
    event(
        kind,
        json!({"index": index, "delta": {"message": {"tool_calls": call}}}),
    )
}

fn event(kind: &str, mut data: Value) -> Bytes {
    set(&mut data, "type", json!(kind));
    let mut buffer = BytesMut::with_capacity(192);
    buffer.put_slice(b"event: ");
    buffer.put_slice(kind.as_bytes());
    buffer.put_slice(b"\ndata: ");
    json::write(&mut buffer, &data);
    buffer.put_slice(b"\n\n");
    buffer.freeze()
}
