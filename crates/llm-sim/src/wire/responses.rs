//! OpenAI's responses: replies and stream events.
//!
//! Shapes and order of events from the official Python SDK, openai 3.57.0 (`types/responses/response.py` and
//! `response_*_event.py`, and its own reader in `lib/streaming/responses`), and from
//! <https://developers.openai.com/api/reference/resources/responses/streaming-events>, read 2026-11-26: every event has
//! a `sequence_number`; the stream ends with `response.completed`, `response.incomplete` or `response.failed`, and there
//! is no `[DONE]`.
//!
//! An error in the middle comes in two forms. A failure that `ResponseError` has a code for (`server_error`,
//! `rate_limit_exceeded`) ends the response itself: `response.failed`. Any other is an `error` event.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

use super::Frames;
use super::openai::{CREATED, call_id, pieces};
use crate::answer::{Answer, Content, ToolCall};
use crate::ask::Ask;
use crate::json;
use crate::prose;
use crate::script::Finish;
use crate::voice::Problem;

fn id(answer: &Answer) -> String {
    format!("resp_{:016x}", answer.id)
}

fn message_id(answer: &Answer) -> String {
    format!("msg_{:016x}", answer.id)
}

fn reasoning_id(answer: &Answer) -> String {
    format!("rs_{:016x}", answer.id)
}

fn function_id(call: &ToolCall) -> String {
    format!("fc_{:016x}", call.id)
}

/// How the response ended: its status, and why if it is incomplete.
fn status(answer: &Answer) -> (&'static str, Value) {
    match (&answer.content, answer.finish) {
        (Content::Refusal(_), _) | (_, Finish::Stop) => ("completed", Value::Null),
        (_, Finish::Length) => ("incomplete", json!({"reason": "max_output_tokens"})),
        (_, Finish::ContentFilter) => ("incomplete", json!({"reason": "content_filter"})),
    }
}

fn usage(answer: &Answer) -> Value {
    let output = answer
        .completion_tokens
        .saturating_add(answer.thinking_tokens);
    json!({
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": answer.thinking_tokens},
        "total_tokens": answer.prompt_tokens.saturating_add(output),
    })
}

/// The response object. In progress it has no output and no usage yet.
fn response(ask: &Ask, answer: &Answer, status: &str, output: &[Value]) -> Value {
    json!({
        "id": id(answer), "object": "response", "created_at": CREATED, "status": status, "background": false,
        "error": null, "incomplete_details": null, "instructions": null, "max_output_tokens": ask.max_tokens,
        "metadata": {}, "model": ask.model, "output": output, "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null, "summary": null}, "store": false, "temperature": 1.0,
        "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "truncation": "disabled", "usage": null, "user": null,
    })
}

fn finished(ask: &Ask, answer: &Answer) -> Value {
    let (status, details) = status(answer);
    let mut response = response(ask, answer, status, &output(answer, status));
    set(&mut response, "usage", usage(answer));
    set(&mut response, "incomplete_details", details);
    response
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
}

/// The items of a finished answer.
fn output(answer: &Answer, status: &str) -> Vec<Value> {
    let mut items = Vec::new();
    if let Some(thinking) = &answer.thinking {
        items.push(reasoning_item(answer, Some(thinking)));
    }
    match &answer.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => {
            items.push(message_item(answer, status, Some(part(answer, text))));
        }
        Content::Tools(calls) => items.extend(
            calls
                .iter()
                .map(|call| function_item(call, status, &call.arguments)),
        ),
    }
    items
}

fn message_item(answer: &Answer, status: &str, part: Option<Value>) -> Value {
    json!({"id": message_id(answer), "type": "message", "status": status, "role": "assistant",
        "content": part.map_or_else(Vec::new, |part| vec![part])})
}

fn part(answer: &Answer, text: &str) -> Value {
    if matches!(answer.content, Content::Refusal(_)) {
        json!({"type": "refusal", "refusal": text})
    } else {
        json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
    }
}

fn function_item(call: &ToolCall, status: &str, arguments: &str) -> Value {
    json!({"id": function_id(call), "type": "function_call", "status": status, "call_id": call_id(call.id),
        "name": call.name, "arguments": arguments})
}

fn reasoning_item(answer: &Answer, summary: Option<&str>) -> Value {
    let summary: Vec<Value> = summary.iter().map(|text| summary_part(text)).collect();
    json!({"id": reasoning_id(answer), "type": "reasoning", "summary": summary})
}

fn summary_part(text: &str) -> Value {
    json!({"type": "summary_text", "text": text})
}

/// A whole reply.
pub(crate) fn whole(ask: &Ask, answer: &Answer) -> Bytes {
    json::bytes(&finished(ask, answer))
}

/// A streamed reply.
pub(crate) fn stream(ask: &Ask, answer: &Answer) -> Frames {
    let mut writer = Writer::default();
    let mut frames = Frames::default();
    for kind in ["response.created", "response.in_progress"] {
        let response = response(ask, answer, "in_progress", &[]);
        frames
            .opening
            .push(writer.event(kind, json!({"response": response})));
    }
    if let Some(thinking) = &answer.thinking {
        think(&mut writer, &mut frames, answer, thinking);
    }
    match &answer.content {
        Content::Text(text) if text.is_empty() => {}
        Content::Text(text) | Content::Refusal(text) => {
            say(&mut writer, &mut frames, answer, text);
        }
        Content::Tools(calls) => {
            for (index, call) in calls.iter().enumerate() {
                let place = index + usize::from(answer.thinking.is_some());
                let is_last = index + 1 == calls.len();
                function(&mut writer, &mut frames, call, place, is_last);
            }
        }
    }
    let response = finished(ask, answer);
    let kind = if response.get("status").and_then(Value::as_str) == Some("completed") {
        "response.completed"
    } else {
        "response.incomplete"
    };
    frames
        .closing
        .push(writer.event(kind, json!({ "response": response })));
    frames
}

/// The reasoning item; its events count as content, for faults to strike between them.
fn think(writer: &mut Writer, frames: &mut Frames, answer: &Answer, thinking: &str) {
    let item_id = reasoning_id(answer);
    let at = |more: Value| {
        with(
            json!({"output_index": 0, "item_id": item_id, "summary_index": 0}),
            more,
        )
    };
    let out = &mut frames.content;
    out.push(writer.event(
        "response.output_item.added",
        json!({"output_index": 0, "item": reasoning_item(answer, None)}),
    ));
    out.push(writer.event(
        "response.reasoning_summary_part.added",
        at(json!({"part": summary_part("")})),
    ));
    for chunk in prose::chunks(thinking) {
        out.push(writer.event(
            "response.reasoning_summary_text.delta",
            at(json!({ "delta": chunk })),
        ));
    }
    out.push(writer.event(
        "response.reasoning_summary_text.done",
        at(json!({ "text": thinking })),
    ));
    out.push(writer.event(
        "response.reasoning_summary_part.done",
        at(json!({"part": summary_part(thinking)})),
    ));
    out.push(writer.event(
        "response.output_item.done",
        json!({"output_index": 0, "item": reasoning_item(answer, Some(thinking))}),
    ));
}

/// The message item: a text or a refusal.
fn say(writer: &mut Writer, frames: &mut Frames, answer: &Answer, text: &str) {
    let place = usize::from(answer.thinking.is_some());
    let item_id = message_id(answer);
    let at = |more: Value| {
        with(
            json!({"output_index": place, "item_id": item_id, "content_index": 0}),
            more,
        )
    };
    let item = message_item(answer, "in_progress", None);
    let before = [
        writer.event(
            "response.output_item.added",
            json!({"output_index": place, "item": item}),
        ),
        writer.event(
            "response.content_part.added",
            at(json!({"part": part(answer, "")})),
        ),
    ];
    if answer.thinking.is_some() {
        frames.content.extend(before);
    } else {
        frames.opening.extend(before);
    }
    let (delta, done) = if matches!(answer.content, Content::Refusal(_)) {
        ("response.refusal.delta", "response.refusal.done")
    } else {
        ("response.output_text.delta", "response.output_text.done")
    };
    for chunk in prose::chunks(text) {
        frames
            .content
            .push(writer.delta(delta, &item_id, place, chunk));
    }
    let last = if matches!(answer.content, Content::Refusal(_)) {
        json!({ "refusal": text })
    } else {
        json!({"text": text, "logprobs": []})
    };
    let (item_status, _) = status(answer);
    frames.closing.push(writer.event(done, at(last)));
    frames.closing.push(writer.event(
        "response.content_part.done",
        at(json!({"part": part(answer, text)})),
    ));
    let item = message_item(answer, item_status, Some(part(answer, text)));
    frames.closing.push(writer.event(
        "response.output_item.done",
        json!({"output_index": place, "item": item}),
    ));
}

/// One call of a function. The events after the last call's arguments belong to the proper end.
fn function(
    writer: &mut Writer,
    frames: &mut Frames,
    call: &ToolCall,
    place: usize,
    is_last: bool,
) {
    let item_id = function_id(call);
    let at = |more: Value| with(json!({"output_index": place, "item_id": item_id}), more);
    let item = function_item(call, "in_progress", "");
    frames.content.push(writer.event(
        "response.output_item.added",
        json!({"output_index": place, "item": item}),
    ));
    for piece in pieces(&call.arguments) {
        frames.content.push(writer.event(
            "response.function_call_arguments.delta",
            at(json!({ "delta": piece })),
        ));
    }
    let item = function_item(call, "completed", &call.arguments);
    let done = [
        writer.event(
            "response.function_call_arguments.done",
            at(json!({"arguments": call.arguments, "name": call.name})),
        ),
        writer.event(
            "response.output_item.done",
            json!({"output_index": place, "item": item}),
        ),
    ];
    if is_last {
        frames.closing.extend(done);
    } else {
        frames.content.extend(done);
    }
}

/// The response object of a failure that ends the response itself; `None` if `ResponseError` has no code for it.
pub(crate) fn failed(ask: &Ask, answer: &Answer, problem: &Problem) -> Option<Value> {
    let code = match (problem.status, problem.code) {
        (429, Some("rate_limit_exceeded")) => "rate_limit_exceeded",
        (500, None) => "server_error",
        _ => return None,
    };
    let mut response = response(ask, answer, "failed", &[]);
    let error = json!({"code": code, "message": problem.message});
    set(&mut response, "error", error);
    Some(response)
}

/// The event in which a stream tells of an error; `sequence` events went before it.
pub(crate) fn error(ask: &Ask, answer: &Answer, problem: &Problem, sequence: usize) -> Bytes {
    let mut writer = Writer {
        sequence,
        buffer: BytesMut::new(),
    };
    match failed(ask, answer, problem) {
        Some(response) => writer.event("response.failed", json!({ "response": response })),
        None => {
            let code = problem.code.unwrap_or(problem.kind);
            let told = json!({"code": code, "message": problem.message, "param": problem.param});
            writer.event("error", told)
        }
    }
}

/// Adds the fields of one object to another.
fn with(mut object: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
    object
}

/// Numbers the events.
#[derive(Default)]
struct Writer {
    sequence: usize,
    buffer: BytesMut,
}

impl Writer {
    fn event(&mut self, kind: &str, mut data: Value) -> Bytes {
        set(&mut data, "type", json!(kind));
        set(&mut data, "sequence_number", json!(self.sequence));
        self.write(kind, &data)
    }

    /// The one event a stream has many of.
    fn delta(&mut self, kind: &'static str, item_id: &str, place: usize, delta: &str) -> Bytes {
        #[derive(Serialize)]
        struct Delta<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            sequence_number: usize,
            item_id: &'a str,
            output_index: usize,
            content_index: usize,
            delta: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            logprobs: Option<[(); 0]>,
        }
        let data = Delta {
            kind,
            sequence_number: self.sequence,
            item_id,
            output_index: place,
            content_index: 0,
            delta,
            logprobs: (kind == "response.output_text.delta").then_some([]),
        };
        self.write(kind, &data)
    }

    fn write(&mut self, kind: &str, data: &impl Serialize) -> Bytes {
        self.sequence += 1;
        self.buffer.put_slice(b"event: ");
        self.buffer.put_slice(kind.as_bytes());
        self.buffer.put_slice(b"\ndata: ");
        json::write(&mut self.buffer, data);
        self.buffer.put_slice(b"\n\n");
        self.buffer.split().freeze()
    }
}
