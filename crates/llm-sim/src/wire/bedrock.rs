//! Bedrock's Converse: replies and streams.
//!
//! Shapes from the service's own model as botocore 1.44.8 ships it (`bedrock-runtime/2023-09-30/service-2.json`) and
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>, read 2026-11-26. Only the
//! block of a tool has a `contentBlockStart`; `messageStop` has the reason, and `metadata` with the usage ends the stream.
//! An error in the middle is an exception frame of one of five kinds (`ConverseStreamOutput`).

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::openai::pieces;
use super::{Frames, eventstream};
use crate::answer::{Answer, Content};
use crate::json;
use crate::prose;
use crate::script::Finish;
use crate::voice::Problem;

const fn stop_reason(answer: &Answer) -> &'static str {
    match (&answer.content, answer.finish) {
        (Content::Tools(_), Finish::Stop) => "tool_use",
        (Content::Refusal(_), _) | (_, Finish::ContentFilter) => "content_filtered",
        (_, Finish::Stop) => "end_turn",
        (_, Finish::Length) => "max_tokens",
    }
}

fn usage(answer: &Answer) -> Value {
    let output = answer
        .completion_tokens
        .saturating_add(answer.thinking_tokens);
    json!({"inputTokens": answer.prompt_tokens, "outputTokens": output,
        "totalTokens": answer.prompt_tokens.saturating_add(output)})
}

/// Every answer takes the same time, so that equal runs give equal bytes.
fn metrics() -> Value {
    json!({"latencyMs": 100})
}

fn tool_id(id: u64) -> String {
    format!("tooluse_{id:016x}")
}

fn signature(answer: &Answer) -> String {
    format!("sig{:016x}", answer.id)
}

/// A whole reply.
pub(crate) fn whole(answer: &Answer) -> Bytes {
    let mut content: Vec<Value> = answer
        .thinking
        .iter()
        .map(|text| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature(answer)}}}))
        .collect();
    match &answer.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => content.push(json!({ "text": text })),
        Content::Tools(calls) => content.extend(calls.iter().map(|call| {
            let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            json!({"toolUse": {"toolUseId": tool_id(call.id), "name": call.name, "input": input}})
        })),
    }
    json::bytes(&json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(answer), "usage": usage(answer), "metrics": metrics(),
    }))
}

/// A streamed reply.
pub(crate) fn stream(answer: &Answer) -> Frames {
    let mut frames = Frames::default();
    frames
        .opening
        .push(event("messageStart", &json!({"role": "assistant"})));
    let mut index = 0;
    if let Some(thinking) = &answer.thinking {
        for chunk in prose::chunks(thinking) {
            let thought = json!({"reasoningContent": {"text": chunk}});
            frames.content.push(delta(index, &thought));
        }
        let signed = json!({"reasoningContent": {"signature": signature(answer)}});
        frames.content.push(delta(index, &signed));
        frames.content.push(stop(index));
        index += 1;
    }
    match &answer.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => {
            for chunk in prose::chunks(text) {
                frames.content.push(delta(index, &json!({ "text": chunk })));
            }
            frames.closing.push(stop(index));
        }
        Content::Tools(calls) => {
            let last = index + calls.len();
            for (index, call) in (index..).zip(calls) {
                let tool = json!({"toolUse": {"toolUseId": tool_id(call.id), "name": call.name}});
                let start = json!({"contentBlockIndex": index, "start": tool});
                frames.content.push(event("contentBlockStart", &start));
                for piece in pieces(&call.arguments) {
                    let input = json!({"toolUse": {"input": piece}});
                    frames.content.push(delta(index, &input));
                }
                if index + 1 == last {
                    frames.closing.push(stop(index));
                } else {
                    frames.content.push(stop(index));
                }
            }
        }
    }
    let reason = json!({"stopReason": stop_reason(answer)});
    frames.closing.push(event("messageStop", &reason));
    let metadata = json!({"usage": usage(answer), "metrics": metrics()});
    frames.closing.push(event("metadata", &metadata));
    frames
}

fn delta(index: usize, delta: &Value) -> Bytes {
    event(
        "contentBlockDelta",
        &json!({"contentBlockIndex": index, "delta": delta}),
    )
}

fn stop(index: usize) -> Bytes {
    event("contentBlockStop", &json!({"contentBlockIndex": index}))
}

fn event(kind: &str, payload: &impl Serialize) -> Bytes {
    let headers = [
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    eventstream::encode(&headers, &json::bytes(payload))
}

/// A content event that nobody will read.
pub(crate) fn lost_event() -> Bytes {
    delta(0, &json!({"text": "lost"}))
}

/// An error in the middle of a stream.
pub(crate) fn exception(problem: &Problem) -> Bytes {
    let kind = match problem.status {
        408 | 424 | 504 => "modelStreamErrorException",
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        500.. => "internalServerException",
        _ => "validationException",
    };
    let headers = [
        (":exception-type", kind),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    let payload = json::bytes(&json!({"message": problem.message}));
    eventstream::encode(&headers, &payload)
}
