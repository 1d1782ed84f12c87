//! Anthropic's messages: replies and stream events.
//!
//! Shapes from the API reference, read 2026-11-23: <https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming> (order of events: `message_start`, for each block
//! `content_block_start`, deltas and `content_block_stop`, then `message_delta` with the stop reason and cumulative
//! usage, then `message_stop`; `ping` anywhere; a thinking block ends with its `signature_delta`).

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Frames;
use super::openai::pieces;
use crate::answer::{Answer, Content};
use crate::ask::Ask;
use crate::json;
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
    Thinking {
        thinking: &'a str,
        signature: String,
    },
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

const fn output_tokens(answer: &Answer) -> u64 {
    answer
        .completion_tokens
        .saturating_add(answer.thinking_tokens)
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

/// Proves to the provider that a thinking block is its own.
fn signature(answer: &Answer) -> String {
    format!("sig{:016x}", answer.id)
}

fn tool_id(id: u64) -> String {
    format!("toolu_{id:016x}")
}

/// A whole reply.
pub(crate) fn whole(ask: &Ask, answer: &Answer) -> Bytes {
    let mut content: Vec<Block<'_>> = answer
        .thinking
        .iter()
        .map(|thinking| Block::Thinking {
            thinking,
            signature: signature(answer),
        })
        .collect();
    match &answer.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => content.push(Block::Text { text }),
        Content::Tools(calls) => content.extend(calls.iter().map(|call| Block::ToolUse {
            id: tool_id(call.id),
            name: &call.name,
            input: json::raw(&call.arguments),
        })),
    }
    json::bytes(&Message {
        id: &id(answer),
        kind: "message",
        role: "assistant",
        model: &ask.model,
        content,
        stop_reason: Some(stop_reason(answer)),
        stop_sequence: None,
        usage: Usage::of(answer, output_tokens(answer)),
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
    // The place of the first block after the thinking.
    let first = usize::from(answer.thinking.is_some());
    if let Some(thinking) = &answer.thinking {
        let block = json!({"type": "thinking", "thinking": "", "signature": ""});
        frames.opening.push(block_start(0, &block));
        frames.opening.push(ping.clone());
        for chunk in prose::chunks(thinking) {
            frames
                .content
                .push(delta(0, "thinking_delta", "thinking", chunk));
        }
        let signature = signature(answer);
        frames
            .content
            .push(delta(0, "signature_delta", "signature", &signature));
        frames.content.push(block_stop(0));
    }
    match &answer.content {
        Content::Text(text) if text.is_empty() && first > 0 => {}
        Content::Text(text) if text.is_empty() => frames.opening.push(ping),
        Content::Text(text) | Content::Refusal(text) => {
            let start = block_start(first, &json!({"type": "text", "text": ""}));
            if first == 0 {
                frames.opening.push(start);
                frames.opening.push(ping);
            } else {
                frames.content.push(start);
            }
            for chunk in prose::chunks(text) {
                frames
                    .content
                    .push(delta(first, "text_delta", "text", chunk));
            }
            frames.closing.push(block_stop(first));
        }
        Content::Tools(calls) => {
            if first == 0 {
                frames.opening.push(ping);
            }
            for (index, call) in (first..).zip(calls) {
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
                if index + 1 == first + calls.len() {
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
        "usage": {"output_tokens": output_tokens(answer)},
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
    json::write(&mut buffer, &index);
    buffer.put_slice(b",\"delta\":{\"type\":");
    json::write(&mut buffer, &kind);
    buffer.put_slice(b",");
    json::write(&mut buffer, &key);
    buffer.put_slice(b":");
    json::write(&mut buffer, &value);
    buffer.put_slice(b"}}\n\n");
    buffer.freeze()
}

fn event(name: &str, data: &impl Serialize) -> Bytes {
    let mut buffer = BytesMut::with_capacity(256);
    buffer.put_slice(b"event: ");
    buffer.put_slice(name.as_bytes());
    buffer.put_slice(b"\ndata: ");
    json::write(&mut buffer, data);
    buffer.put_slice(b"\n\n");
    buffer.freeze()
}
