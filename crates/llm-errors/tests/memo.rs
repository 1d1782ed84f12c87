//! What was understood before changes no verdict: it only comes faster.
//!
//! One classifier meets every body several times, with other digits each time. Others meet it once,
//! so that nothing they met before can have told them what it means.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails its test")]

use llm_errors::{Classifier, Explained, Provider, Reply};
use proptest::prelude::*;
use serde_json::Value;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

/// Ways to write the digits of a body.
const WAYS: [fn(usize, u8) -> u8; 4] = [
    |_, digit| digit,
    |_, _| b'0',
    |_, _| b'9',
    |at, digit| b'0' + (digit + u8::try_from(at % 10).unwrap_or(0)) % 10,
];

struct Compared {
    experienced: Classifier,
    /// One for each way of writing digits.
    innocent: [Classifier; WAYS.len()],
}

impl Compared {
    fn new() -> Self {
        let classifier = || Classifier::with_rules(&[]).unwrap();
        Self {
            experienced: classifier(),
            innocent: WAYS.map(|_| classifier()),
        }
    }

    /// Do all agree on this body, however its digits are written?
    fn check(&self, provider: Provider, status: u16, headers: &[(String, String)], body: &[u8]) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        // what is remembered of the last way is there for the first one again
        for round in 0..2 {
            for (innocent, way) in self.innocent.iter().zip(WAYS) {
                let body: Vec<u8> = body
                    .iter()
                    .enumerate()
                    .map(|(at, byte)| match byte {
                        b'0'..=b'9' => way(at, *byte),
                        other => *other,
                    })
                    .collect();
                let reply = Reply::new(status, &headers, &body, now);
                let seen: Explained = self.experienced.explain_reply(provider, &reply);
                let expected = innocent.explain_reply(provider, &reply);
                let shown = String::from_utf8_lossy(&body);
                assert_eq!(seen, expected, "round {round}: {status} {shown}");
            }
        }
    }
}

#[test]
fn a_fixture_means_the_same_whatever_was_met_before_with_other_numbers() {
    let compared = Compared::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        let provider = folder.file_name().unwrap().to_str().unwrap();
        for file in std::fs::read_dir(&folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let case: Value = serde_json::from_str(&text).unwrap();
            let headers: Vec<(String, String)> = case["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect();
            let status = case["status"].as_u64().unwrap_or(0);
            compared.check(
                provider.parse().unwrap(),
                u16::try_from(status).unwrap(),
                &headers,
                case["body"].as_str().unwrap().as_bytes(),
            );
        }
    }
}

/// Sentences of what the reading of numbers, dates, names and waits is made of.
fn sentence() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "rate limit reached for gpt-4o",
        "limit 30000",
        "used 29,000",
        "requested 2000",
        "limit: 0",
        "limit 0,",
        "tokens per min",
        "tokens per day",
        "per 24 hours",
        "try again in 4.404s.",
        "try again in 1m30.5s",
        "wait 2 minutes and 5 seconds",
        "retry-after: 30.",
        "retry-after-ms=2500",
        "wait a minute",
        "available at 2026-11-27 00:30 UTC",
        "resets at 12:00 UTC",
        "until midnight UTC",
        "in 00:12:34",
        "maximum context length is 128000 tokens",
        "you requested 130512 tokens (126416 in the messages, 4096 in the completion)",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "188240 + 21333 > 200000",
        "`max_tokens` 'model_4' \\\"x 7 y\\\"",
        "org-abc123",
        "claude-3-5-sonnet",
        "error_1302",
        "RateLimitError",
        "E4029.Code9",
        "ThrottlingException.Limit9",
        "metric 'Requests 30 per 60 seconds' is limit",
        "please wait, limit 'try again in 30 seconds'",
        "https://a.example/4/deprecations.",
        "余额不足,请等待 5 分钟",
        "12k",
        "under API version 2024-02-15-preview have exceeded token rate limit",
        "Please retry after 60 seconds.",
        "\\n* Quota exceeded for metric: a.example/requests_per_day, limit: 10\\nPlease retry in 21.7s.",
        "\\tlimit: 0\\n",
        "\\u0020caf\\u00e9 7",
        "0000-0000",
        "7d",
        ".",
        ";",
    ]);
    prop::collection::vec(piece, 1..7).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_sentence_means_the_same_whatever_was_met_before_with_other_numbers(
        sentence in sentence(),
        status in prop::sample::select(vec![400, 403, 413, 429, 500, 503]),
        shape in 0..5,
    ) {
        static COMPARED: LazyLock<Compared> = LazyLock::new(Compared::new);
        let body = match shape {
            4 => format!(r#"{{"error":"{sentence}","code":"too many of them 7"}}"#),
            0 => format!(r#"{{"error":{{"message":"{sentence}","code":"rate_limit_exceeded"}}}}"#),
            1 => format!(r#"{{"error":{{"message":"{sentence}"}}}}"#),
            2 => format!(r#"{{"detail":"{sentence}"}}"#),
            _ => format!("<html><h1>{sentence}</h1></html>"),
        };
        COMPARED.check(Provider::OpenAi, status, &[], body.as_bytes());
    }
}
