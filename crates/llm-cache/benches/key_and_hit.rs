//! What does it cost to know a request again, and to find its answer?
#![expect(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench reads the clock and stops at the first surprise"
)]

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use llm_cache::{Cache, CacheConfig, Entry, Keyring};
use serde_json::{Value, json};

fn poll<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("memory does not wait"),
    }
}

fn request(bytes: usize) -> Value {
    json!({
        "model": "m", "temperature": 0, "stream": true,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x".repeat(bytes)}],
    })
}

fn keys(c: &mut Criterion) {
    let mut group = c.benchmark_group("key");
    let keyring = Keyring::new(&[7; 32]);
    for bytes in [200, 8 << 10] {
        let request = request(bytes);
        let text = request.to_string();
        group.bench_function(format!("prompt of {bytes} bytes"), |b| {
            b.iter(|| keyring.key("tenant", black_box(&request)));
        });
        group.bench_function(format!("BLAKE3 alone, {bytes} bytes"), |b| {
            b.iter(|| blake3::keyed_hash(&[7; 32], black_box(text.as_bytes())));
        });
    }
    group.finish();
}

fn hits(c: &mut Criterion) {
    let mut group = c.benchmark_group("hit");
    let (keyring, now) = (Keyring::new(&[7; 32]), Instant::now());
    let cache = Cache::in_memory(CacheConfig::default());
    let bare = moka::future::Cache::builder()
        .max_capacity(100_000)
        .time_to_live(Duration::from_secs(3600))
        .build();
    let entry = |n: u32| Entry::of_verified(Bytes::from(n.to_string()), "openai", "m", now);
    for n in 0..10_000u32 {
        let key = keyring.key("tenant", &json!(n));
        let _ = poll(cache.insert(&key, entry(n)));
        poll(bare.insert(key, entry(n)));
    }
    let key = keyring.key("tenant", &json!(77));
    let missing = keyring.key("tenant", &json!("missing"));
    group.bench_function("llm-cache, fresh", |b| {
        b.iter(|| poll(cache.lookup(black_box(&key), now)));
    });
    group.bench_function("llm-cache, miss", |b| {
        b.iter(|| poll(cache.lookup(black_box(&missing), now)));
    });
    group.bench_function("moka alone", |b| b.iter(|| poll(bare.get(black_box(&key)))));
    group.finish();
}

criterion_group!(benches, keys, hits);
criterion_main!(benches);
