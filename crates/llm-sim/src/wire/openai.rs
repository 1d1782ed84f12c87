//! OpenAI's chat completions: replies and stream chunks.
//!
//! Shapes from the API reference, read 2026-11-23: <https://platform.openai.com/docs/api-reference/chat/object> and
//! <https://platform.openai.com/docs/api-reference/chat-streaming>. With `stream_options.include_usage` one more chunk
//! with an empty `choices` precedes `data: [DONE]`, and all other chunks carry `"usage": null`. Thinking is shown as
//! `reasoning_content`, as the compatible providers do (<https://api-docs.deepseek.com/guides/thinking_mode>, read
//! 2026-11-26).

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::Frames;
use crate::answer::{Answer, Content};
use crate::ask::Ask;
use crate::json;
use crate::prose;
use crate::script::Finish;

/// Every answer is dated the same, so that equal runs give equal bytes: 2025-12-01 00:00 UTC.
pub(crate) const CREATED: u64 = 1_764_547_200;
const FINGERPRINT: &str = "fp_simulated";

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: Usage,
    system_fingerprint: &'static str,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Clone, Copy, Serialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'static str,
    choices: &'a [ChunkChoice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[ToolCall<'a>; 1]>,
}

const fn finish_reason(answer: &Answer) -> &'static str {
    match (&answer.content, answer.finish) {
        (Content::Tools(_), Finish::Stop) => "tool_calls",
        // A refusal is a proper end on this wire: the `refusal` field tells it.
        (Content::Refusal(_), _) | (_, Finish::Stop) => "stop",
        (_, Finish::Length) => "length",
        (_, Finish::ContentFilter) => "content_filter",
    }
}

const fn usage(answer: &Answer) -> Usage {
    let completion_tokens = answer
        .completion_tokens
        .saturating_add(answer.thinking_tokens);
    Usage {
        prompt_tokens: answer.prompt_tokens,
        completion_tokens,
        total_tokens: answer.prompt_tokens.saturating_add(completion_tokens),
    }
}

fn id(answer: &Answer) -> String {
    format!("chatcmpl-{:016x}", answer.id)
}

pub(crate) fn call_id(id: u64) -> String {
    format!("call_{id:016x}")
}

/// A whole reply.
pub(crate) fn whole(ask: &Ask, answer: &Answer) -> Bytes {
    let (content, refusal) = match &answer.content {
        Content::Text(text) => (Some(text.as_str()), None),
        Content::Refusal(text) => (None, Some(text.as_str())),
        Content::Tools(_) => (None, None),
    };
    let tool_calls = match &answer.content {
        Content::Tools(calls) => calls
            .iter()
            .map(|call| ToolCall {
                index: None,
                id: Some(call_id(call.id)),
                kind: Some("function"),
                function: Function {
                    name: Some(&call.name),
                    arguments: &call.arguments,
                },
            })
            .collect(),
        _ => Vec::new(),
    };
    json::bytes(&Completion {
        id: &id(answer),
        object: "chat.completion",
        created: CREATED,
        model: &ask.model,
        choices: [Choice {
            index: 0,
            message: Message {
                role: "assistant",
                content,
                reasoning_content: answer.thinking.as_deref(),
                refusal,
                tool_calls,
            },
            logprobs: None,
            finish_reason: finish_reason(answer),
        }],
        usage: usage(answer),
        system_fingerprint: FINGERPRINT,
    })
}

/// A streamed reply.
pub(crate) fn stream(ask: &Ask, answer: &Answer) -> Frames {
    let mut writer = Writer {
        id: id(answer),
        ask,
        buffer: BytesMut::new(),
    };
    let mut frames = Frames::default();
    let is_text = matches!(answer.content, Content::Text(_));
    frames.opening.push(writer.delta(Delta {
        role: Some("assistant"),
        content: is_text.then_some(""),
        ..Delta::default()
    }));
    for chunk in answer
        .thinking
        .as_deref()
        .map(prose::chunks)
        .unwrap_or_default()
    {
        frames.content.push(writer.delta(Delta {
            reasoning_content: Some(chunk),
            ..Delta::default()
        }));
    }
    match &answer.content {
        Content::Text(text) => {
            for chunk in prose::chunks(text) {
                frames.content.push(writer.delta(Delta {
                    content: Some(chunk),
                    ..Delta::default()
                }));
            }
        }
        Content::Refusal(text) => {
            for chunk in prose::chunks(text) {
                frames.content.push(writer.delta(Delta {
                    refusal: Some(chunk),
                    ..Delta::default()
                }));
            }
        }
        Content::Tools(calls) => {
            for (index, call) in calls.iter().enumerate() {
                let head = ToolCall {
                    index: Some(index),
                    id: Some(call_id(call.id)),
                    kind: Some("function"),
                    function: Function {
                        name: Some(&call.name),
                        arguments: "",
                    },
                };
                frames.content.push(writer.delta(Delta {
                    tool_calls: Some([head]),
                    ..Delta::default()
                }));
                for piece in pieces(&call.arguments) {
                    let part = ToolCall {
                        index: Some(index),
                        id: None,
                        kind: None,
                        function: Function {
                            name: None,
                            arguments: piece,
                        },
                    };
                    frames.content.push(writer.delta(Delta {
                        tool_calls: Some([part]),
                        ..Delta::default()
                    }));
                }
            }
        }
    }
    frames
        .closing
        .push(writer.choice(Delta::default(), Some(finish_reason(answer))));
    if ask.include_usage {
        frames.closing.push(writer.chunk(&[], Some(usage(answer))));
    }
    frames.closing.push(Bytes::from_static(b"data: [DONE]\n\n"));
    frames
}

/// Divides a tool's arguments as models do: in small pieces that break words.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    const PIECE: usize = 6;
    let mut pieces = Vec::with_capacity(text.len() / PIECE + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(
            rest.floor_char_boundary(PIECE)
                .max(rest.chars().next().map_or(0, char::len_utf8)),
        );
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

struct Writer<'a> {
    id: String,
    ask: &'a Ask,
    buffer: BytesMut,
}

impl Writer<'_> {
    fn delta(&mut self, delta: Delta<'_>) -> Bytes {
        self.choice(delta, None)
    }

    fn choice(&mut self, delta: Delta<'_>, finish_reason: Option<&'static str>) -> Bytes {
        self.chunk(
            &[ChunkChoice {
                index: 0,
                delta,
                logprobs: None,
                finish_reason,
            }],
            None,
        )
    }

    fn chunk(&mut self, choices: &[ChunkChoice<'_>], usage: Option<Usage>) -> Bytes {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: CREATED,
            model: &self.ask.model,
            system_fingerprint: FINGERPRINT,
            choices,
            usage: self.ask.include_usage.then_some(usage),
        };
        self.buffer.put_slice(b"data: ");
        json::write(&mut self.buffer, &chunk);
        self.buffer.put_slice(b"\n\n");
        self.buffer.split().freeze()
    }
}
