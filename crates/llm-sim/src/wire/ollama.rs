//! Ollama's own chat: replies and streams of JSON lines.
//!
//! Shapes from <https://github.com/ollama/ollama/blob/main/docs/api.md> and the official Python SDK, ollama 0.6.3
//! (`_types.py`, `_client.py`), read 2026-11-26: every line is a message with a piece of the text; the last has
//! `"done": true`, the reason and the counts. A call of a tool comes in one piece. An error in the middle is a line
//! `{"error": "…"}`.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use super::Frames;
use crate::answer::{Answer, Content};
use crate::ask::Ask;
use crate::json;
use crate::prose;
use crate::script::Finish;

/// Every answer is dated the same, so that equal runs give equal bytes.
pub(crate) const CREATED_AT: &str = "2025-12-01T00:00:00Z";

/// Ollama has no filter: whatever is not the limit is a stop.
const fn done_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        Finish::Length => "length",
        Finish::Stop | Finish::ContentFilter => "stop",
    }
}

fn reply(ask: &Ask, message: &Value) -> Value {
    json!({"model": ask.model, "created_at": CREATED_AT, "message": message, "done": false})
}

/// The same as the last of its kind.
fn done(answer: &Answer, mut reply: Value) -> Value {
    let output = answer
        .completion_tokens
        .saturating_add(answer.thinking_tokens);
    let counts = json!({
        "done": true, "done_reason": done_reason(answer), "total_duration": 200_000_000, "load_duration": 1_000_000,
        "prompt_eval_count": answer.prompt_tokens, "prompt_eval_duration": 50_000_000,
        "eval_count": output, "eval_duration": 149_000_000,
    });
    if let (Some(fields), Value::Object(counts)) = (reply.as_object_mut(), counts) {
        fields.extend(counts);
    }
    reply
}

fn calls(answer: &Answer) -> Vec<Value> {
    let Content::Tools(calls) = &answer.content else {
        return Vec::new();
    };
    let call = |(index, call): (usize, &crate::answer::ToolCall)| {
        let arguments: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        json!({"function": {"index": index, "name": call.name, "arguments": arguments}})
    };
    calls.iter().enumerate().map(call).collect()
}

/// A whole reply.
pub(crate) fn whole(ask: &Ask, answer: &Answer) -> Bytes {
    let text = match &answer.content {
        Content::Text(text) | Content::Refusal(text) => text.as_str(),
        Content::Tools(_) => "",
    };
    let mut message = json!({"role": "assistant", "content": text});
    if let Some(fields) = message.as_object_mut() {
        if let Some(thinking) = &answer.thinking {
            fields.insert("thinking".to_owned(), json!(thinking));
        }
        if matches!(answer.content, Content::Tools(_)) {
            fields.insert("tool_calls".to_owned(), json!(calls(answer)));
        }
    }
    json::bytes(&done(answer, reply(ask, &message)))
}

/// A streamed reply.
pub(crate) fn stream(ask: &Ask, answer: &Answer) -> Frames {
    let mut frames = Frames::default();
    for chunk in answer
        .thinking
        .as_deref()
        .map(prose::chunks)
        .unwrap_or_default()
    {
        let message = json!({"role": "assistant", "content": "", "thinking": chunk});
        frames.content.push(line(&reply(ask, &message)));
    }
    match &answer.content {
        Content::Text(text) | Content::Refusal(text) => {
            for chunk in prose::chunks(text) {
                let message = json!({"role": "assistant", "content": chunk});
                frames.content.push(line(&reply(ask, &message)));
            }
        }
        Content::Tools(_) => {
            for call in calls(answer) {
                let message = json!({"role": "assistant", "content": "", "tool_calls": [call]});
                frames.content.push(line(&reply(ask, &message)));
            }
        }
    }
    let last = reply(ask, &json!({"role": "assistant", "content": ""}));
    frames.closing.push(line(&done(answer, last)));
    frames
}

fn line(value: &Value) -> Bytes {
    let mut buffer = BytesMut::with_capacity(160);
    json::write(&mut buffer, value);
    buffer.put_slice(b"\n");
    buffer.freeze()
}
