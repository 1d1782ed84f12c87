//! What a stream of each wire costs to pass on, and to say in every other dialect, beside reading each event's JSON into a
//! `serde_json::Value`.
//!
//! The streams vary as real ones do: words of different length, padding that hides it, counters and times.

use crate::canned::{Canned, drain};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use llm_errors::Provider;
use llm_providers::{Call, Dialect, Endpoint, Wire};
use std::hint::black_box;
use tokio::runtime::Builder;

const CHUNKS: usize = 500;

/// What the answer consists of, over and over.
const WORDS: [&str; 16] = [
    "The",
    " quick",
    " brown",
    " fox",
    ",",
    " of",
    " all",
    " \"lazy",
    "\"",
    " dogs",
    ".",
    "\n\n",
    " Grüße",
    " 2026",
    " —",
    " extraordinarily",
];

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// One event: name and JSON.
type Event = (&'static str, String);

/// A stream's events, as the provider's documentation shows them.
fn events(wire: Wire) -> Vec<Event> {
    let (begin, end) = ends(wire);
    let own = |events: &[(&'static str, &str)]| -> Vec<Event> {
        events
            .iter()
            .map(|(name, json)| (*name, (*json).to_owned()))
            .collect()
    };
    let mut all = own(begin);
    for (nth, word) in WORDS.iter().cycle().take(CHUNKS).enumerate() {
        let padding = &PADDING[..(nth * 7 + word.len() * 5) % 48];
        all.push(content(
            wire,
            nth,
            &serde_json::to_string(word).unwrap(),
            padding,
        ));
    }
    all.extend(own(end));
    all
}

/// The events that carry the answer.
fn content(wire: Wire, nth: usize, word: &str, padding: &str) -> Event {
    match wire {
        Wire::OpenAiChat => (
            "",
            format!(
                r#"{{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{{"index":0,"delta":{{"content":{word}}},"logprobs":null,"finish_reason":null}}],"usage":null,"obfuscation":"{padding}"}}"#
            ),
        ),
        Wire::OpenAiResponses => (
            "response.output_text.delta",
            format!(
                r#"{{"type":"response.output_text.delta","sequence_number":{},"item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c501b8b0ad29e7f5f3","output_index":0,"content_index":0,"delta":{word},"logprobs":[],"obfuscation":"{padding}"}}"#,
                nth + 4,
            ),
        ),
        Wire::AnthropicMessages => (
            "content_block_delta",
            format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":{word}}}}}"#
            ),
        ),
        Wire::BedrockConverse => (
            "contentBlockDelta",
            format!(r#"{{"contentBlockIndex":0,"delta":{{"text":{word}}},"p":"{padding}"}}"#),
        ),
        Wire::CohereChat => (
            "content-delta",
            format!(
                r#"{{"type":"content-delta","index":0,"delta":{{"message":{{"content":{{"text":{word}}}}}}}}}"#
            ),
        ),
        Wire::Gemini => (
            "",
            format!(
                r#"{{"candidates": [{{"content": {{"parts": [{{"text": {word}}}],"role": "model"}},"index": 0}}],"usageMetadata": {{"promptTokenCount": 8,"candidatesTokenCount": {},"totalTokenCount": {},"promptTokensDetails": [{{"modality": "TEXT","tokenCount": 8}}]}},"modelVersion": "gemini-2.5-flash","responseId": "mAitaLmkHPPlz7IPvtfUqQ4"}}"#,
                nth + 1,
                nth + 9,
            ),
        ),
        _ => (
            "",
            format!(
                r#"{{"model":"qwen3:8b","created_at":"2026-11-26T08:00:{:02}.{:06}Z","message":{{"role":"assistant","content":{word}}},"done":false}}"#,
                nth / 40 % 60,
                nth * 24_817 % 1_000_000,
            ),
        ),
    }
}

/// What precedes the first word, and what follows the last.
#[expect(clippy::type_complexity, reason = "two lists of names and texts")]
fn ends(
    wire: Wire,
) -> (
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
) {
    match wire {
        Wire::OpenAiChat => (
            &[(
                "",
                r#"{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"abc"}"#,
            )],
            &[
                (
                    "",
                    r#"{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1741570283,"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null,"obfuscation":"abc"}"#,
                ),
                ("", "[DONE]"),
            ],
        ),
        Wire::OpenAiResponses => (
            &[
                (
                    "response.created",
                    r#"{"type":"response.created","sequence_number":0,"response":{"id":"resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654","object":"response","created_at":1741290958,"status":"in_progress","model":"gpt-5-mini-2025-08-07","output":[],"usage":null}}"#,
                ),
                (
                    "response.output_item.added",
                    r#"{"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_67c9fdcf37fc8190ba82116e33fb28c501b8b0ad29e7f5f3","type":"message","status":"in_progress","role":"assistant","content":[]}}"#,
                ),
                (
                    "response.content_part.added",
                    r#"{"type":"response.content_part.added","sequence_number":3,"item_id":"msg_67c9fdcf37fc8190ba82116e33fb28c501b8b0ad29e7f5f3","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}"#,
                ),
            ],
            &[(
                "response.completed",
                r#"{"type":"response.completed","sequence_number":504,"response":{"id":"resp_67c9fdcecf488190bdd9a0409de3a1ec07b8b0ad4e5eb654","object":"response","created_at":1741290958,"status":"completed","model":"gpt-5-mini-2025-08-07","output":[],"usage":{"input_tokens":8,"output_tokens":500,"total_tokens":508}}}"#,
            )],
        ),
        Wire::AnthropicMessages => (
            &[
                (
                    "message_start",
                    r#"{"type":"message_start","message":{"id":"msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY","type":"message","role":"assistant","content":[],"model":"claude-opus-4-1-20250805","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#,
                ),
                (
                    "content_block_start",
                    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                ),
            ],
            &[
                (
                    "content_block_stop",
                    r#"{"type":"content_block_stop","index":0}"#,
                ),
                (
                    "message_delta",
                    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":500}}"#,
                ),
                ("message_stop", r#"{"type":"message_stop"}"#),
            ],
        ),
        Wire::Gemini => (
            &[],
            &[(
                "",
                r#"{"candidates": [{"content": {"parts": [{"text": "."}],"role": "model"},"finishReason": "STOP","index": 0}]}"#,
            )],
        ),
        Wire::BedrockConverse => (
            &[("messageStart", r#"{"p":"abcdefgh","role":"assistant"}"#)],
            &[
                (
                    "messageStop",
                    r#"{"p":"abcdefghijk","stopReason":"end_turn"}"#,
                ),
                (
                    "metadata",
                    r#"{"metrics":{"latencyMs":551},"p":"abc","usage":{"inputTokens":8,"outputTokens":500,"totalTokens":508}}"#,
                ),
            ],
        ),
        Wire::CohereChat => (
            &[(
                "message-start",
                r#"{"id":"c14c80c3","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}"#,
            )],
            &[(
                "message-end",
                r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":8,"output_tokens":500}}}}"#,
            )],
        ),
        _ => (
            &[],
            &[(
                "",
                r#"{"model":"qwen3:8b","created_at":"2026-11-26T08:00:00.123456Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":8,"eval_count":500}"#,
            )],
        ),
    }
}

/// One event as it comes over the connection.
fn framed(wire: Wire, name: &str, json: &str) -> Bytes {
    match wire {
        Wire::BedrockConverse => message(name, json.as_bytes()),
        Wire::OllamaChat => format!("{json}\n").into(),
        Wire::Gemini => format!("data: {json}\r\n\r\n").into(),
        _ if name.is_empty() => format!("data: {json}\n\n").into(),
        _ => format!("event: {name}\ndata: {json}\n\n").into(),
    }
}

/// A message of AWS's event stream.
fn message(name: &str, payload: &[u8]) -> Bytes {
    let mut headers = Vec::new();
    let all = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    for (key, value) in all {
        headers.push(u8::try_from(key.len()).unwrap());
        headers.extend_from_slice(key.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + headers.len() + payload.len()).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out.into()
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

pub(crate) fn streams(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    for wire in [
        Wire::OpenAiChat,
        Wire::OpenAiResponses,
        Wire::AnthropicMessages,
        Wire::Gemini,
        Wire::BedrockConverse,
        Wire::CohereChat,
        Wire::OllamaChat,
    ] {
        let events = events(wire);
        let mut group = criterion.benchmark_group(format!("500 events of {wire}"));
        group.throughput(Throughput::Elements(events.len() as u64));
        group.bench_function("baseline: serde_json::Value an event", |b| {
            b.iter(|| {
                for (_, json) in &events {
                    black_box(serde_json::from_str::<serde_json::Value>(json).ok());
                }
            });
        });
        let endpoint = Endpoint::builder(Provider::Other, "m")
            .base_url("http://127.0.0.1:9")
            .wire(wire)
            .build()
            .unwrap();
        let chunks = events.iter().map(|(name, json)| framed(wire, name, json));
        let transport = Canned(chunks.collect());
        for caller in [
            Dialect::OpenAiChat,
            Dialect::OpenAiResponses,
            Dialect::AnthropicMessages,
        ] {
            let body = match caller {
                Dialect::OpenAiResponses => r#"{"model":"m","stream":true,"input":"hi"}"#,
                _ => {
                    r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#
                }
            };
            let call = Call::parse(caller, body.into()).unwrap();
            let name = if Wire::from(caller) == wire {
                "passed as it comes".to_owned()
            } else {
                format!("said as {caller}")
            };
            group.bench_function(name, |b| {
                b.iter(|| runtime.block_on(drain(&transport, &endpoint, &call)));
            });
        }
        group.finish();
    }
}
