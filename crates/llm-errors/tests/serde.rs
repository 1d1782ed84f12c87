//! What is written with feature `serde` is read back the same, with names that do not change.
#![cfg(feature = "serde")]

use llm_errors::{Hint, HintSource, Provider, RateLimits, Reply, Verdict, Window, classify_reply};
use std::time::{Duration, SystemTime};

#[test]
fn a_verdict_and_a_window_survive_the_round_trip() {
    let headers = [
        ("retry-after", "7"),
        ("x-ratelimit-limit-tokens", "900"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "6s"),
    ];
    for (status, body) in [
        (429, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}"),
        (
            400,
            "{\"error\":{\"message\":\"maximum context length is 8192 tokens\"}}",
        ),
        (401, ""),
        (503, "<html>"),
    ] {
        let reply = Reply::new(status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH);
        let verdict = classify_reply(Provider::OpenAi, &reply);
        let text = serde_json::to_string(&verdict).unwrap();
        assert!(text.contains(verdict.kind.as_str()), "{text}");
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
    }
    let limits = RateLimits::read(&headers, SystemTime::UNIX_EPOCH);
    let window = *limits.windows().next().unwrap();
    let text = serde_json::to_string(&window).unwrap();
    assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), window);
    let hint = Hint::new(Duration::from_millis(1500), HintSource::Body);
    let text = serde_json::to_string(&hint).unwrap();
    assert_eq!(serde_json::from_str::<Hint>(&text).unwrap(), hint);
}
