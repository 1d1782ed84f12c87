//! What a stream of each wire that only targets speak costs to read and to say in a caller's dialect,
//! beside reading each event's JSON into a `serde_json::Value`.

#![expect(
    clippy::unwrap_used,
    reason = "a bench: whatever it does not expect ends it"
)]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use llm_errors::Provider;
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, HttpRequest, HttpResponse, Transport, TransportError,
    Windows, Wire, exchange,
};
use std::hint::black_box;
use std::time::SystemTime;
use tokio::runtime::Builder;

const CHUNKS: usize = 500;

/// Answers with these chunks at once.
#[derive(Debug)]
struct Canned(Vec<Bytes>);

impl Transport for Canned {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let chunks: Vec<_> = self.0.iter().cloned().map(Ok).collect();
        let body = futures_util::stream::iter(chunks).boxed();
        Box::pin(async { Ok(HttpResponse::new(200, HeaderMap::new(), body)) })
    }
}

/// A stream's events: name and JSON of each, as the provider's documentation shows them.
fn events(wire: Wire) -> Vec<(&'static str, String)> {
    let (begin, word, end): (&[_], _, &[_]) = match wire {
        Wire::Gemini => (
            &[],
            (
                "",
                r#"{"candidates":[{"content":{"parts":[{"text":" word"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":8,"candidatesTokenCount":5,"totalTokenCount":13,"promptTokensDetails":[{"modality":"TEXT","tokenCount":8}]},"modelVersion":"gemini-2.5-flash","responseId":"mAitaLmkHPPlz7IPvtfUqQ4"}"#,
            ),
            &[(
                "",
                r#"{"candidates":[{"content":{"parts":[{"text":"."}],"role":"model"},"finishReason":"STOP","index":0}]}"#,
            )],
        ),
        Wire::BedrockConverse => (
            &[("messageStart", r#"{"p":"abcdefgh","role":"assistant"}"#)],
            (
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"text":" word"},"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL"}"#,
            ),
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
            (
                "content-delta",
                r#"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" word"}}}}"#,
            ),
            &[(
                "message-end",
                r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":8,"output_tokens":500}}}}"#,
            )],
        ),
        _ => (
            &[],
            (
                "",
                r#"{"model":"qwen3:8b","created_at":"2026-11-26T08:00:00.123456Z","message":{"role":"assistant","content":" word"},"done":false}"#,
            ),
            &[(
                "",
                r#"{"model":"qwen3:8b","created_at":"2026-11-26T08:00:00.123456Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":8,"eval_count":500}"#,
            )],
        ),
    };
    let all = begin.iter().copied();
    let all = all.chain(std::iter::repeat_n(word, CHUNKS));
    all.chain(end.iter().copied())
        .map(|(name, json)| (name, json.to_owned()))
        .collect()
}

/// One event as it comes over the connection.
fn framed(wire: Wire, name: &str, json: &str) -> Bytes {
    match wire {
        Wire::BedrockConverse => message(name, json.as_bytes()),
        Wire::OllamaChat => format!("{json}\n").into(),
        _ if name.is_empty() => format!("data: {json}\r\n\r\n").into(),
        _ => format!("event: {name}\ndata: {json}\n\n").into(),
    }
}

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

async fn drain(transport: &Canned, endpoint: &Endpoint, call: &Call) -> usize {
    let windows = Windows::default();
    let exchange = exchange(transport, endpoint, call, &windows, SystemTime::UNIX_EPOCH);
    let mut bytes = 0;
    if let Exchange::Stream(mut stream) = exchange.await.unwrap() {
        while let Some(item) = stream.next().await {
            bytes += item.unwrap().len();
        }
    }
    bytes
}

fn streams(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    for wire in [
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
                    black_box(serde_json::from_str::<serde_json::Value>(json).unwrap());
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
        for caller in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
            let body = r#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
            let call = Call::parse(caller, body.into()).unwrap();
            group.bench_function(format!("said as {caller}"), |b| {
                b.iter(|| runtime.block_on(drain(&transport, &endpoint, &call)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, streams);
criterion_main!(benches);
