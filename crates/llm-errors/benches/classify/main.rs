//! How long does it take to understand a failure?
//!
//! The baseline is what a classifier would otherwise begin with: parsing the same body into a
//! `serde_json::Value`. Targets: ratio at most 1.0; status and headers alone at most 100 ns; a
//! snapshot of all headers of a success at most 300 ns.
//!
//! `verdict` is what a failure costs that was met before, be it with other numbers: a provider in
//! trouble says the same thing over and over. `first time` is what it costs in words never met.

mod bodies;

use bodies::CASES;
use criterion::{Criterion, criterion_group, criterion_main};
use llm_errors::{Provider, RateLimits, Reply, classify_answer, classify_reply};
use std::borrow::Cow;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

/// A success of usual size.
const ANSWER: &[u8] = br#"{"id":"chatcmpl-1","object":"chat.completion","created":1766084445,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"The capital of France is Paris, on the Seine."},"finish_reason":"stop"}],"usage":{"prompt_tokens":14,"completion_tokens":12,"total_tokens":26}}"#;

/// The headers of a success, as OpenAI sends them.
const HEADERS: [(&str, &str); 18] = [
    ("date", "Mon, 23 Nov 2026 20:00:00 GMT"),
    ("content-type", "application/json"),
    ("access-control-expose-headers", "X-Request-ID"),
    ("openai-organization", "org-abc"),
    ("openai-processing-ms", "412"),
    ("openai-version", "2020-10-01"),
    ("x-envoy-upstream-service-time", "420"),
    ("x-ratelimit-limit-requests", "5000"),
    ("x-ratelimit-limit-tokens", "800000"),
    ("x-ratelimit-remaining-requests", "4999"),
    ("x-ratelimit-remaining-tokens", "799992"),
    ("x-ratelimit-reset-requests", "12ms"),
    ("x-ratelimit-reset-tokens", "0s"),
    ("x-request-id", "req_abc"),
    ("strict-transport-security", "max-age=31536000"),
    ("cf-cache-status", "DYNAMIC"),
    ("server", "cloudflare"),
    ("cf-ray", "8a1b2c3d4e5f-FRA"),
];

/// The headers of a refusal: nothing else is needed to act on it.
const REFUSED: [(&str, &str); 4] = [
    ("content-type", "application/json"),
    ("retry-after", "7"),
    ("x-ratelimit-remaining-tokens", "0"),
    ("server", "cloudflare"),
];

/// The body as a document that a parser takes: a page becomes a string.
fn document(body: &[u8]) -> Cow<'_, [u8]> {
    if serde_json::from_slice::<serde_json::Value>(body).is_ok() {
        return Cow::Borrowed(body);
    }
    let text = String::from_utf8_lossy(body);
    Cow::Owned(serde_json::to_vec(&text).unwrap_or_default())
}

/// Cases whose words decide, in bodies where the last space stands among them.
const WORDED: [&str; 7] = [
    "text_openai_limit",
    "text_groq_limit",
    "sizes_anthropic_sum",
    "sizes_anthropic_prompt",
    "sizes_openai",
    "prose_overload",
    "prose_quota",
];

/// The body in more wordings than are remembered.
fn wordings(body: &str) -> Vec<String> {
    const WORDS: [&str; 16] = [
        "the", "a", "your", "for", "with", "to", "in", "of", "is", "not", "and", "this", "please",
        "again", "model", "request",
    ];
    let (before, after) = body.rsplit_once(' ').unwrap_or((body, ""));
    let mut wordings = Vec::new();
    for first in WORDS {
        for second in WORDS {
            let wording = |third: &str| format!("{before} {first} {second} {third} {after}");
            wordings.extend(WORDS.map(wording));
        }
    }
    wordings
}

fn classify(c: &mut Criterion) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let mut group = c.benchmark_group("classify");
    for case in CASES {
        let body = case.body.as_bytes();
        group.bench_function(format!("{}/verdict", case.name), |b| {
            b.iter(|| {
                let reply = Reply::new(case.status, &(), black_box(body), now);
                classify_reply(case.provider, &reply)
            });
        });
        if WORDED.contains(&case.name) {
            let wordings = wordings(case.body);
            let mut next = wordings.iter().cycle();
            group.bench_function(format!("{}/first time", case.name), |b| {
                b.iter(|| {
                    let body = next.next().map_or(body, |body| body.as_bytes());
                    let reply = Reply::new(case.status, &(), black_box(body), now);
                    classify_reply(case.provider, &reply)
                });
            });
        }
        let document = document(body);
        group.bench_function(format!("{}/serde_json_value", case.name), |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(&document)));
        });
    }
    group.bench_function("status_and_headers", |b| {
        b.iter(|| {
            let reply = Reply::new(429, black_box(&REFUSED), b"", now);
            classify_reply(Provider::OpenAi, &reply)
        });
    });
    group.bench_function("answer_ok", |b| {
        b.iter(|| {
            let reply = Reply::new(200, &(), black_box(ANSWER), now);
            classify_answer(Provider::OpenAi, &reply)
        });
    });
    group.bench_function("answer_ok/serde_json_value", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(ANSWER)));
    });
    group.bench_function("snapshot_18_headers", |b| {
        b.iter(|| RateLimits::read(black_box(&HEADERS), now));
    });
    group.finish();
}

criterion_group!(benches, classify);
criterion_main!(benches);
