//! Anthropic's messages: replies, stream events, errors.
//!
//! Shapes from the API reference, read 2026-11-23: <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming> (order of events: `message_start`, for each block
//! `content_block_start`, deltas and `content_block_stop`, then `message_delta` with the stop reason and cumulative
//! usage, then `message_stop`; `ping` anywhere) and <https://platform.claude.com/docs/en/api/errors>.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Frames;
use super::openai::{json as to_json, pieces, raw, write_json};
use crate::answer::{Answer, Content};
use crate::ask::Ask;
use crate::prose;
use crate::script::Finish;

#[derive(Serialize)]
struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: Option<&'static str>,
    stop_sequence: Option<()>,
    usage: Usage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: &'a str,
    },
    ToolUse {
        id: String,
        name: &'a str,
        input: Option<&'a RawValue>,
    },
}

#[derive(Serialize)]
struct Usage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
}

impl Usage {
    const fn of(answer: &Answer, output_tokens: u64) -> Self {
        Self {
            input_tokens: answer.prompt_tokens,
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: 0,
            output_tokens,
        }
    }
}

const fn stop_reason(answer: &Answer) -> &'static str {
    match (&answer.content, answer.finish) {
        (Content::Tools(_), Finish::Stop) => "tool_use",
        (Content::Refusal(_), _) | (_, Finish::ContentFilter) => "refusal",
        (_, Finish::Stop) => "end_turn",
        (_, Finish::Length) => "max_tokens",
    }
}

fn id(answer: &Answer) -> String {
    format!("msg_{:016x}", answer.id)
}

fn tool_id(id: u64) -> String {
    format!("toolu_{id:016x}")
}

/// A whole reply.
pub(crate) fn whole(ask: &Ask, answer: &Answer) -> Bytes {
    let content = match &answer.content {
        Content::Text(text) if text.is_empty() => Vec::new(),
        Content::Text(text) | Content::Refusal(text) => vec![Block::Text { text }],
        Content::Tools(calls) => calls
            .iter()
            .map(|call| Block::ToolUse {
                id: tool_id(call.id),
                name: &call.name,
                input: raw(&call.arguments),
            })
            .collect(),
    };
    to_json(&Message {
        id: &id(answer),
        kind: "message",
        role: "assistant",
        model: &ask.model,
        content,
        stop_reason: Some(stop_reason(answer)),
        stop_sequence: None,
        usage: Usage::of(answer, answer.completion_tokens),
    })
}

/// A streamed reply.
pub(crate) fn stream(ask: &Ask, answer: &Answer) -> Frames {
    let mut frames = Frames::default();
    let start = Message {
        id: &id(answer),
        kind: "message",
        role: "assistant",
        model: &ask.model,
        content: Vec::new(),
        stop_reason: None,
        stop_sequence: None,
        usage: Usage::of(answer, 1),
    };
    #[derive(Serialize)]
    struct Start<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        message: Message<'a>,
    }
    frames.opening.push(event(
        "message_start",
        &Start {
            kind: "message_start",
            message: start,
        },
    ));
    let ping = event("ping", &json!({"type": "ping"}));
    match &answer.content {
        Content::Text(text) if text.is_empty() => frames.opening.push(ping),
        Content::Text(text) | Content::Refusal(text) => {
            frames
                .opening
                .push(block_start(0, &json!({"type": "text", "text": ""})));
            frames.opening.push(ping);
            for chunk in prose::chunks(text) {
                frames.content.push(delta(0, "text_delta", "text", chunk));
            }
            frames.closing.push(block_stop(0));
        }
        Content::Tools(calls) => {
            frames.opening.push(ping);
            for (index, call) in calls.iter().enumerate() {
                let block = json!({"type": "tool_use", "id": tool_id(call.id), "name": call.name, "input": {}});
                frames.content.push(block_start(index, &block));
                frames
                    .content
                    .push(delta(index, "input_json_delta", "partial_json", ""));
                for piece in pieces(&call.arguments) {
                    frames
                        .content
                        .push(delta(index, "input_json_delta", "partial_json", piece));
                }
                let stop = block_stop(index);
                if index + 1 == calls.len() {
                    frames.closing.push(stop);
                } else {
                    frames.content.push(stop);
                }
            }
        }
    }
    let end = json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(answer), "stop_sequence": null},
        "usage": {"output_tokens": answer.completion_tokens},
    });
    frames.closing.push(event("message_delta", &end));
    frames
        .closing
        .push(event("message_stop", &json!({"type": "message_stop"})));
    frames
}

fn block_start(index: usize, block: &Value) -> Bytes {
    event(
        "content_block_start",
        &json!({"type": "content_block_start", "index": index, "content_block": block}),
    )
}

fn block_stop(index: usize) -> Bytes {
    event(
        "content_block_stop",
        &json!({"type": "content_block_stop", "index": index}),
    )
}

fn delta(index: usize, kind: &str, key: &str, value: &str) -> Bytes {
    // Written by hand: this is the one event a stream has many of.
    let mut buffer = BytesMut::with_capacity(128 + value.len());
    buffer.put_slice(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
    );
    write_json(&mut buffer, &index);
    buffer.put_slice(b",\"delta\":{\"type\":");
    write_json(&mut buffer, &kind);
    buffer.put_slice(b",");
    write_json(&mut buffer, &key);
    buffer.put_slice(b":");
    write_json(&mut buffer, &value);
    buffer.put_slice(b"}}\n\n");
    buffer.freeze()
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut buffer = BytesMut::with_capacity(256);
    buffer.put_slice(b"event: ");
    buffer.put_slice(name.as_bytes());
    buffer.put_slice(b"\ndata: ");
    write_json(&mut buffer, data);
    buffer.put_slice(b"\n\n");
    buffer.freeze()
}

/// An error body: `{"type": "error", "error": {"type", "message"}, "request_id"}`; a code of its own goes into
/// `error.details.error_code`.
pub(crate) fn error(kind: &str, code: Option<&str>, message: &str, request_id: &str) -> Bytes {
    let mut error = json!({"type": kind, "message": message});
    if let (Some(code), Some(fields)) = (code, error.as_object_mut()) {
        fields.insert("details".to_owned(), json!({"error_code": code}));
    }
    to_json(&json!({"type": "error", "error": error, "request_id": request_id}))
}
