//! What an attempt costs on this side of the socket: reading the request, putting the model's name
//! into it, and passing or translating a stream of 500 chunks; each beside a baseline.

#![expect(
    clippy::unwrap_used,
    reason = "a bench: whatever it does not expect ends it"
)]

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use llm_errors::Provider;
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, HttpRequest, HttpResponse, Transport, TransportError,
    Windows, exchange,
};
use std::hint::black_box;
use std::time::SystemTime;
use tokio::runtime::{Builder, Runtime};

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

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn body(size: usize, stream: bool) -> Bytes {
    let text = "lorem ipsum dolor ".repeat(size / 18 + 1);
    format!(
        r#"{{"model":"route","stream":{stream},"messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
    .into()
}

fn endpoint() -> Endpoint {
    Endpoint::builder(Provider::OpenAi, "gpt-5-mini")
        .build()
        .unwrap()
}

fn chunks() -> Vec<Bytes> {
    let chunk = |delta: &str, finish: &str| -> Bytes {
        format!(
            "data: {{\"id\":\"chatcmpl-1234567890\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"gpt-5-mini\",\
             \"system_fingerprint\":\"fp_1\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
        .into()
    };
    let mut chunks = vec![chunk(r#"{"role":"assistant","content":""}"#, "null")];
    chunks.extend((0..CHUNKS).map(|_| chunk(r#"{"content":" word"}"#, "null")));
    chunks.push(chunk("{}", "\"stop\""));
    chunks.push(Bytes::from_static(b"data: [DONE]\n\n"));
    chunks
}

async fn drain(transport: &Canned, endpoint: &Endpoint, call: &Call) -> usize {
    let windows = Windows::default();
    let exchange = exchange(transport, endpoint, call, &windows, SystemTime::UNIX_EPOCH);
    let mut bytes = 0;
    match exchange.await.unwrap() {
        Exchange::Whole(whole) => bytes += whole.body.len(),
        Exchange::Stream(mut stream) => {
            while let Some(item) = stream.next().await {
                bytes += item.unwrap().len();
            }
        }
    }
    bytes
}

fn requests(criterion: &mut Criterion) {
    for (name, size) in [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)] {
        let mut group = criterion.benchmark_group(format!("request {name}"));
        let body = body(size, false);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("baseline: copy", |b| b.iter(|| black_box(body.to_vec())));
        group.bench_function("baseline: serde_json::Value", |b| {
            b.iter(|| black_box(serde_json::from_slice::<serde_json::Value>(&body).unwrap()));
        });
        group.bench_function("scan", |b| {
            b.iter(|| black_box(Call::parse(Dialect::OpenAiChat, body.clone()).unwrap()));
        });
        let (runtime, endpoint) = (runtime(), endpoint());
        let answer = r#"{"model":"m","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}"#;
        let transport = Canned(vec![Bytes::from_static(answer.as_bytes())]);
        let call = Call::parse(Dialect::OpenAiChat, body.clone()).unwrap();
        group.bench_function("splice and exchange", |b| {
            b.iter(|| runtime.block_on(drain(&transport, &endpoint, &call)));
        });
        group.finish();
    }
}

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream of 500 chunks");
    let chunks = chunks();
    group.throughput(Throughput::Elements(chunks.len() as u64));
    group.bench_function("baseline: serde_json::Value a chunk", |b| {
        b.iter(|| {
            for chunk in &chunks {
                let json = chunk.strip_prefix(b"data: ").unwrap();
                black_box(serde_json::from_slice::<serde_json::Value>(json).ok());
            }
        });
    });
    let (runtime, endpoint) = (runtime(), endpoint());
    let transport = Canned(chunks);
    for (name, dialect) in [
        ("same dialect", Dialect::OpenAiChat),
        ("translated", Dialect::AnthropicMessages),
    ] {
        let call = Call::parse(dialect, body(100, true)).unwrap();
        group.bench_function(name, |b| {
            b.iter_batched(
                || (),
                |()| runtime.block_on(drain(&transport, &endpoint, &call)),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, requests, streams);
criterion_main!(benches);
