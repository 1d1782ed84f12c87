//! What a request costs on this side of the socket: reading it, putting the model's name into it, and the whole way to an
//! answer; each beside a baseline.

use crate::canned::{Canned, drain};
use bytes::Bytes;
use criterion::{Criterion, Throughput};
use llm_errors::Provider;
use llm_providers::{Call, Dialect, Endpoint};
use serde::de::IgnoredAny;
use std::hint::black_box;
use tokio::runtime::Builder;

fn body(size: usize) -> Bytes {
    let text = "lorem ipsum dolor ".repeat(size / 18 + 1);
    format!(
        r#"{{"model":"route","stream":false,"messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
    .into()
}

pub(crate) fn requests(criterion: &mut Criterion) {
    for (name, size) in [("1 KiB", 1 << 10), ("1 MiB", 1 << 20)] {
        let mut group = criterion.benchmark_group(format!("request {name}"));
        let body = body(size);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("baseline: copy and scan for JSON", |b| {
            b.iter(|| {
                black_box(serde_json::from_slice::<IgnoredAny>(&body).unwrap());
                black_box(body.to_vec())
            });
        });
        group.bench_function("serde_json::Value", |b| {
            b.iter(|| black_box(serde_json::from_slice::<serde_json::Value>(&body).unwrap()));
        });
        group.bench_function("scan", |b| {
            b.iter(|| black_box(Call::parse(Dialect::OpenAiChat, body.clone()).unwrap()));
        });
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let endpoint = Endpoint::builder(Provider::OpenAi, "gpt-5-mini")
            .build()
            .unwrap();
        let answer = r#"{"model":"m","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}"#;
        let transport = Canned(vec![Bytes::from_static(answer.as_bytes())]);
        group.bench_function("scan, splice and exchange", |b| {
            b.iter(|| {
                let call = Call::parse(Dialect::OpenAiChat, body.clone()).unwrap();
                runtime.block_on(drain(&transport, &endpoint, &call))
            });
        });
        group.finish();
    }
}
