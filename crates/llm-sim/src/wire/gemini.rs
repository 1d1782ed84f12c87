//! Gemini, in AI Studio and on Vertex: replies and streams, as server-sent events (`alt=sse`) or as one JSON array.
//!
//! Shapes from <https://ai.google.dev/api/generate-content> and the official Python SDK, google-genai 3.6.1
//! (`types.py`, `_api_client.py`), read 2026-11-26: every chunk is a whole `GenerateContentResponse`; the last has the
//! `finishReason`, and there is no end marker. A function call comes in one piece. A prompt that is blocked has no
//! candidates but a `promptFeedback`; an answer that is blocked ends with the reason `SAFETY`. Thoughts are parts with
//! `"thought": true`.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use super::Frames;
use crate::answer::{Answer, Content};
use crate::ask::Ask;
use crate::framing::Framing;
use crate::json;
use crate::prose;
use crate::script::Finish;

const fn finish_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Stop => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
    }
}

fn usage(answer: &Answer, thoughts: u64, candidates: u64) -> Value {
    let mut usage = json!({
        "promptTokenCount": answer.prompt_tokens,
        "candidatesTokenCount": candidates,
        "totalTokenCount": answer.prompt_tokens.saturating_add(candidates).saturating_add(thoughts),
    });
    if let (true, Some(fields)) = (thoughts > 0, usage.as_object_mut()) {
        fields.insert("thoughtsTokenCount".to_owned(), json!(thoughts));
    }
    usage
}

/// A response with one candidate.
fn response(
    ask: &Ask,
    answer: &Answer,
    parts: &[Value],
    reason: Option<&str>,
    usage: &Value,
) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let (Some(reason), Some(fields)) = (reason, candidate.as_object_mut()) {
        fields.insert("finishReason".to_owned(), json!(reason));
        if reason == "SAFETY" {
            let rating = json!({"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH", "blocked": true});
            fields.insert("safetyRatings".to_owned(), json!([rating]));
        }
    }
    json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": ask.model, "responseId": id(answer)})
}

/// The response to a prompt that is blocked.
fn blocked(ask: &Ask, answer: &Answer, text: &str) -> Value {
    let usage =
        json!({"promptTokenCount": answer.prompt_tokens, "totalTokenCount": answer.prompt_tokens});
    json!({"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": text}, "usageMetadata": usage,
        "modelVersion": ask.model, "responseId": id(answer)})
}

fn id(answer: &Answer) -> String {
    format!("{:016x}", answer.id)
}

fn thought(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

/// The parts of an answer's content, one a function call.
fn calls(answer: &Answer) -> Vec<Value> {
    let Content::Tools(calls) = &answer.content else {
        return Vec::new();
    };
    calls
        .iter()
        .map(|call| {
            let args: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
            json!({"functionCall": {"id": format!("call_{:016x}", call.id), "name": call.name, "args": args}})
        })
        .collect()
}

/// A whole reply.
pub(crate) fn whole(ask: &Ask, answer: &Answer) -> Bytes {
    let mut parts: Vec<Value> = answer.thinking.iter().map(|text| thought(text)).collect();
    match &answer.content {
        Content::Refusal(text) => return json::bytes(&blocked(ask, answer, text)),
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) => parts.push(json!({ "text": text })),
        Content::Tools(_) => parts.extend(calls(answer)),
    }
    let usage = usage(answer, answer.thinking_tokens, answer.completion_tokens);
    let reason = Some(finish_reason(answer));
    json::bytes(&response(ask, answer, &parts, reason, &usage))
}

/// A streamed reply.
pub(crate) fn stream(ask: &Ask, answer: &Answer, framing: Framing) -> Frames {
    let mut writer = Writer {
        framing,
        is_first: true,
    };
    let mut frames = Frames::default();
    if framing == Framing::GeminiArray {
        frames.opening.push(Bytes::from_static(b"["));
    }
    let mut thoughts = 0;
    for chunk in answer
        .thinking
        .as_deref()
        .map(prose::chunks)
        .unwrap_or_default()
    {
        thoughts += 1;
        let usage = usage(answer, thoughts, 0);
        let chunk = response(ask, answer, &[thought(chunk)], None, &usage);
        frames.content.push(writer.event(&chunk));
    }
    let thoughts = answer.thinking_tokens;
    let mut said = 0;
    match &answer.content {
        Content::Refusal(_) => {}
        Content::Text(text) => {
            for chunk in prose::chunks(text) {
                said += 1;
                let usage = usage(answer, thoughts, said);
                let chunk = response(ask, answer, &[json!({ "text": chunk })], None, &usage);
                frames.content.push(writer.event(&chunk));
            }
        }
        Content::Tools(_) => {
            for call in calls(answer) {
                let usage = usage(answer, thoughts, answer.completion_tokens);
                let chunk = response(ask, answer, &[call], None, &usage);
                frames.content.push(writer.event(&chunk));
            }
        }
    }
    let last = if let Content::Refusal(text) = &answer.content {
        blocked(ask, answer, text)
    } else {
        let usage = usage(answer, thoughts, answer.completion_tokens);
        let parts = [json!({"text": ""})];
        response(ask, answer, &parts, Some(finish_reason(answer)), &usage)
    };
    frames.closing.push(writer.event(&last));
    if framing == Framing::GeminiArray {
        frames.closing.push(Bytes::from_static(b"]"));
    }
    frames
}

struct Writer {
    framing: Framing,
    is_first: bool,
}

impl Writer {
    fn event(&mut self, response: &Value) -> Bytes {
        let is_array = self.framing == Framing::GeminiArray;
        let mut buffer = BytesMut::with_capacity(320);
        buffer.put_slice(match (is_array, self.is_first) {
            (true, true) => b"",
            (true, false) => ELEMENT,
            (false, _) => b"data: ",
        });
        self.is_first = false;
        json::write(&mut buffer, response);
        if !is_array {
            buffer.put_slice(b"\n\n");
        }
        buffer.freeze()
    }
}

/// What stands between two elements of the array form.
pub(crate) const ELEMENT: &[u8] = b"\n,\n";

/// An error in the middle of a stream, after so many chunks: it is the last element, and the array ends in order.
pub(crate) fn error(body: &Bytes, framing: Framing, chunks: usize) -> Bytes {
    match (framing, chunks) {
        (Framing::GeminiArray, 0) => Bytes::from([body, &b"]"[..]].concat()),
        (Framing::GeminiArray, _) => Bytes::from([ELEMENT, body, b"]"].concat()),
        _ => framing.error_event(body),
    }
}
