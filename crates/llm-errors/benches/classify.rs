//! How long does it take to understand a failure?
//!
//! The baseline is what a classifier would otherwise begin with: parsing the same body into a
//! `serde_json::Value`. Targets: ratio at most 1.0; status and headers alone at most 100 ns; a
//! snapshot of all headers of a success at most 300 ns.

use criterion::{Criterion, criterion_group, criterion_main};
use llm_errors::{Provider, RateLimits, Reply, classify_answer, classify_reply};
use std::hint::black_box;
use std::time::{Duration, SystemTime};

/// A rate limit of OpenAI: only the words tell which limit it is, and how long to wait.
const OPENAI_LIMIT: &[u8] = br#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-abc123 on tokens per min (TPM): Limit 30000, Used 28190, Requested 4012. Please try again in 4.404s. Visit https://platform.openai.com/account/rate-limits to learn more.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;

/// A request error of Anthropic, decided by words alone, with the sizes that they state.
const ANTHROPIC_CONTEXT: &[u8] = br#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again. Consult our documentation to learn more about limits"},"request_id":"req_011CQabcdefghijklmnop1234567"}"#;

/// Overload at Anthropic: the type decides.
const ANTHROPIC_OVERLOADED: &[u8] = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_011CQabcdefghijklmnop1234567"}"#;

/// A spent minute at Gemini, with details: quota names and a retry delay.
const GEMINI_EXHAUSTED: &[u8] = br#"{
  "error": {
    "code": 429,
    "message": "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 10\nPlease retry in 21.7s.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
          {
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "quotaDimensions": { "location": "global", "model": "gemini-2.5-flash" },
            "quotaValue": "10"
          }
        ]
      },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "21s" }
    ]
  }
}"#;

/// A bad key: the code decides.
const BAD_KEY: &[u8] = br#"{"error":{"message":"Incorrect API key provided: sk-abcde*****************************wxyz. You can find your API key at https://platform.openai.com/account/api-keys, where you can also create a new one.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#;

/// Overload at a provider that no dialect knows: prose alone tells.
const UNKNOWN_PROSE: &[u8] = br#"{"error":{"message":"The service cannot take your request right now because every worker is occupied and the queue is full. This is not a fault of yours: nothing was charged to your account. Please send the same request again after 12 seconds.","type":"request_not_taken","param":null,"code":null}}"#;

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

fn classify(c: &mut Criterion) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let mut group = c.benchmark_group("classify");
    for (name, provider, status, body) in [
        ("openai_limit", Provider::OpenAi, 429, OPENAI_LIMIT),
        ("openai_bad_key", Provider::OpenAi, 401, BAD_KEY),
        (
            "anthropic_context",
            Provider::Anthropic,
            400,
            ANTHROPIC_CONTEXT,
        ),
        (
            "anthropic_overloaded",
            Provider::Anthropic,
            529,
            ANTHROPIC_OVERLOADED,
        ),
        ("gemini_exhausted", Provider::Gemini, 429, GEMINI_EXHAUSTED),
        ("unknown_prose", Provider::Other, 400, UNKNOWN_PROSE),
    ] {
        group.bench_function(format!("{name}/verdict"), |b| {
            b.iter(|| {
                let reply = Reply::new(status, &(), black_box(body), now);
                classify_reply(provider, &reply)
            });
        });
        group.bench_function(format!("{name}/serde_json_value"), |b| {
            b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(body)));
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
