//! The wires as a table: how each is asked, and how a reader that shares nothing with the simulator reads its answers.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use llm_sim::Wire;
use serde_json::{Value, json};

/// What a reader made of a stream.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) text: String,
    /// Whether the proper end came.
    pub(crate) is_finished: bool,
    pub(crate) error: Option<Value>,
    /// Events that could not be read.
    pub(crate) bad_events: usize,
    pub(crate) events: Vec<Value>,
}

/// How one wire is spoken.
pub(crate) struct Dialect {
    pub(crate) wire: Wire,
    /// The path of a whole call and of a streamed one.
    pub(crate) paths: [&'static str; 2],
    /// The body that says "hello there", without anything about streaming.
    pub(crate) body: fn() -> Value,
    /// Whether the body says `stream`.
    pub(crate) says_stream: bool,
    /// The text of a whole answer.
    pub(crate) whole: fn(&Value) -> Option<String>,
    /// Takes a body apart into events; `None` is one that cannot be read.
    pub(crate) events: fn(&[u8]) -> Vec<Option<Value>>,
    /// Takes in one event.
    pub(crate) take: fn(&mut Read, &Value),
}

impl Dialect {
    pub(crate) fn request(&self, is_streamed: bool) -> (&'static str, String) {
        let mut body = (self.body)();
        if self.says_stream {
            body["stream"] = json!(is_streamed);
        }
        (self.paths[usize::from(is_streamed)], body.to_string())
    }

    pub(crate) fn read(&self, body: &[u8]) -> Read {
        let mut read = Read::default();
        for event in (self.events)(body) {
            match event {
                Some(event) => {
                    (self.take)(&mut read, &event);
                    read.events.push(event);
                }
                None => read.bad_events += 1,
            }
        }
        read
    }
}

fn text(value: &Value, place: &str) -> Option<String> {
    value.pointer(place)?.as_str().map(str::to_owned)
}

fn push(read: &mut Read, event: &Value, place: &str) {
    read.text.push_str(&text(event, place).unwrap_or_default());
}

/// The JSON of server-sent events; `[DONE]` becomes the event `"[DONE]"`.
fn sse(body: &[u8]) -> Vec<Option<Value>> {
    let body = String::from_utf8_lossy(body).replace("\r\n", "\n");
    // What is not closed by an empty line is no event.
    let Some(end) = body.rfind("\n\n") else {
        return Vec::new();
    };
    body[..end]
        .split("\n\n")
        .filter_map(|event| {
            event
                .lines()
                .find_map(|line| line.strip_prefix("data: "))
                .map(|data| match data {
                    "[DONE]" => Some(json!("[DONE]")),
                    data => serde_json::from_str(data).ok(),
                })
        })
        .collect()
}

/// The elements of one JSON array, as far as they came; `"]"` is its end.
fn array(body: &[u8]) -> Vec<Option<Value>> {
    let body = String::from_utf8_lossy(body).replace("\r\n", "\n");
    let inner = body.trim_start_matches('[');
    let (inner, is_closed) = match inner.strip_suffix(']') {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    // A line feed inside of JSON is only ever white space.
    let mut elements: Vec<Option<Value>> = inner
        .split("\n,\n")
        .filter(|element| !element.trim().is_empty())
        .map(|element| serde_json::from_str(element).ok())
        .collect();
    if is_closed {
        elements.push(Some(json!("]")));
    } else if elements.last().is_some_and(Option::is_none) {
        elements.pop();
    }
    elements
}

/// Binary frames, as far as they came, both checksums checked: `{"kind": …, "data": …}`.
fn frames(mut body: &[u8]) -> Vec<Option<Value>> {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let mut events = Vec::new();
    while body.len() >= 16 {
        let (total, head) = (number(&body[..4]) as usize, number(&body[4..8]) as usize);
        assert_eq!(
            crc(&body[..8]),
            number(&body[8..12]),
            "the prelude's checksum"
        );
        if body.len() < total {
            break;
        }
        let (frame, rest) = body.split_at(total);
        body = rest;
        if crc(&frame[..total - 4]) != number(&frame[total - 4..]) {
            events.push(None);
            continue;
        }
        let (mut headers, mut kind) = (&frame[12..12 + head], String::new());
        while !headers.is_empty() {
            let (name, rest) = headers[1..].split_at(usize::from(headers[0]));
            assert_eq!(rest[0], 7, "a text");
            let length = usize::from(u16::from_be_bytes([rest[1], rest[2]]));
            let (value, rest) = rest[3..].split_at(length);
            headers = rest;
            if name == b":event-type" || name == b":exception-type" {
                kind = String::from_utf8_lossy(value).into_owned();
            }
        }
        let data: Option<Value> = serde_json::from_slice(&frame[12 + head..total - 4]).ok();
        events.push(data.map(|data| json!({"kind": kind, "data": data})));
    }
    events
}

/// CRC-32, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    })
}

/// Lines of JSON; one without its end is none.
fn lines(body: &[u8]) -> Vec<Option<Value>> {
    let body = String::from_utf8_lossy(body);
    body.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn chat(read: &mut Read, event: &Value) {
    if event == "[DONE]" {
        read.is_finished = true;
    } else if event.get("error").is_some() {
        read.error = Some(event.clone());
    } else {
        push(read, event, "/choices/0/delta/content");
    }
}

fn responses(read: &mut Read, event: &Value) {
    match event["type"].as_str() {
        Some("response.output_text.delta") => push(read, event, "/delta"),
        Some("response.completed") => read.is_finished = true,
        Some("response.failed" | "error") => read.error = Some(event.clone()),
        _ => {}
    }
}

fn messages(read: &mut Read, event: &Value) {
    match event["type"].as_str() {
        Some("content_block_delta") => push(read, event, "/delta/text"),
        Some("message_stop") => read.is_finished = true,
        Some("error") => read.error = Some(event.clone()),
        _ => {}
    }
}

fn gemini(read: &mut Read, event: &Value) {
    let is_last = |event: &Value| event.pointer("/candidates/0/finishReason").is_some();
    if event == "]" {
        read.is_finished = read.events.last().is_some_and(is_last);
    } else if event.get("error").is_some() {
        read.error = Some(event.clone());
    } else {
        push(read, event, "/candidates/0/content/parts/0/text");
        read.is_finished = is_last(event);
    }
}

fn gemini_array(read: &mut Read, event: &Value) {
    gemini(read, event);
    read.is_finished &= event == "]";
}

fn converse(read: &mut Read, event: &Value) {
    match event["kind"].as_str() {
        Some("contentBlockDelta") => push(read, event, "/data/delta/text"),
        Some("metadata") => read.is_finished = true,
        Some(kind) if kind.ends_with("Exception") => read.error = Some(event.clone()),
        _ => {}
    }
}

fn cohere(read: &mut Read, event: &Value) {
    match event["type"].as_str() {
        Some("content-delta") => push(read, event, "/delta/message/content/text"),
        Some("message-end") if event["delta"]["finish_reason"] == "ERROR" => {
            read.error = Some(event.clone());
        }
        Some("message-end") => read.is_finished = true,
        _ => {}
    }
}

fn ollama(read: &mut Read, event: &Value) {
    if event.get("error").is_some() {
        read.error = Some(event.clone());
    } else {
        push(read, event, "/message/content");
        read.is_finished = event["done"] == true;
    }
}

fn gemini_body() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]})
}

fn gemini_whole(reply: &Value) -> Option<String> {
    text(reply, "/candidates/0/content/parts/0/text")
}

/// Every wire that answers with text.
pub(crate) const ALL: &[Dialect] = &[
    Dialect {
        wire: Wire::OpenAiChat,
        paths: ["/v1/chat/completions"; 2],
        body: || json!({"model": "m", "messages": [{"role": "user", "content": "hello there"}]}),
        says_stream: true,
        whole: |reply| text(reply, "/choices/0/message/content"),
        events: sse,
        take: chat,
    },
    Dialect {
        wire: Wire::OpenAiResponses,
        paths: ["/v1/responses"; 2],
        body: || json!({"model": "m", "input": "hello there"}),
        says_stream: true,
        whole: |reply| text(reply, "/output/0/content/0/text"),
        events: sse,
        take: responses,
    },
    Dialect {
        wire: Wire::AnthropicMessages,
        paths: ["/v1/messages"; 2],
        body: || json!({"model": "m", "max_tokens": 20000, "messages": [{"role": "user", "content": "hello there"}]}),
        says_stream: true,
        whole: |reply| text(reply, "/content/0/text"),
        events: sse,
        take: messages,
    },
    Dialect {
        wire: Wire::GeminiGenerate,
        paths: [
            "/v1beta/models/m:generateContent",
            "/v1beta/models/m:streamGenerateContent?alt=sse",
        ],
        body: gemini_body,
        says_stream: false,
        whole: gemini_whole,
        events: sse,
        take: gemini,
    },
    Dialect {
        wire: Wire::GeminiGenerate,
        paths: [
            "/v1beta/models/m:generateContent",
            "/v1beta/models/m:streamGenerateContent",
        ],
        body: gemini_body,
        says_stream: false,
        whole: gemini_whole,
        events: array,
        take: gemini_array,
    },
    Dialect {
        wire: Wire::VertexGemini,
        paths: [
            "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
            "/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent?alt=sse",
        ],
        body: gemini_body,
        says_stream: false,
        whole: gemini_whole,
        events: sse,
        take: gemini,
    },
    Dialect {
        wire: Wire::VertexAnthropic,
        paths: [
            "/v1/projects/p/locations/l/publishers/anthropic/models/m:rawPredict",
            "/v1/projects/p/locations/l/publishers/anthropic/models/m:streamRawPredict",
        ],
        body: || {
            json!({"anthropic_version": "vertex-2023-10-16", "max_tokens": 20000,
                "messages": [{"role": "user", "content": "hello there"}]})
        },
        says_stream: false,
        whole: |reply| text(reply, "/content/0/text"),
        events: sse,
        take: messages,
    },
    Dialect {
        wire: Wire::BedrockConverse,
        paths: ["/model/m/converse", "/model/m/converse-stream"],
        body: || json!({"messages": [{"role": "user", "content": [{"text": "hello there"}]}]}),
        says_stream: false,
        whole: |reply| text(reply, "/output/message/content/0/text"),
        events: frames,
        take: converse,
    },
    Dialect {
        wire: Wire::CohereChat,
        paths: ["/v2/chat"; 2],
        body: || json!({"model": "m", "messages": [{"role": "user", "content": "hello there"}]}),
        says_stream: true,
        whole: |reply| text(reply, "/message/content/0/text"),
        events: sse,
        take: cohere,
    },
    Dialect {
        wire: Wire::OllamaChat,
        paths: ["/api/chat"; 2],
        body: || json!({"model": "m", "messages": [{"role": "user", "content": "hello there"}]}),
        says_stream: true,
        whole: |reply| text(reply, "/message/content"),
        events: lines,
        take: ollama,
    },
];
