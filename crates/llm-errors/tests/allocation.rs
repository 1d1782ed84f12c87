//! Nothing is allocated on the usual paths, once the rules have been compiled.

use llm_errors::{
    Phase, Provider, RateLimits, Reply, classify_answer, classify_reply, classify_stream_error,
};
use std::time::SystemTime;

const LIMIT: &[u8] = br#"{"error":{"message":"Rate limit reached on tokens per min (TPM): Limit 30000, Used 28190, Requested 4012. Please try again in 4.404s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
const NESTED: &[u8] = br#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":"{\"error\":{\"message\":\"prompt is too long: 3333 tokens > 2000 maximum\"}}"}}}"#;
const ANSWER: &[u8] =
    br#"{"choices":[{"message":{"role":"assistant","content":"Paris."},"finish_reason":"stop"}]}"#;
const HEADERS: [(&str, &str); 4] = [
    ("retry-after", "7"),
    ("x-ratelimit-limit-tokens", "30000"),
    ("x-ratelimit-remaining-tokens", "0"),
    ("x-ratelimit-reset-tokens", "6m0s"),
];

#[test]
fn nothing_is_allocated_on_the_usual_paths() {
    let now = SystemTime::UNIX_EPOCH;
    let all = || {
        for body in [
            LIMIT,
            NESTED,
            b"",
            b"<html>",
            b"plain text with no braces at all",
        ] {
            for status in [400, 429, 503] {
                let reply = Reply::new(status, &HEADERS, body, now);
                std::hint::black_box(classify_reply(Provider::OpenRouter, &reply));
            }
        }
        let reply = Reply::new(200, &HEADERS, ANSWER, now);
        std::hint::black_box(classify_answer(Provider::OpenAi, &reply));
        std::hint::black_box(classify_stream_error(
            Provider::OpenAi,
            LIMIT,
            Phase::MidStream,
        ));
        std::hint::black_box(RateLimits::read(&HEADERS, now));
    };
    all();
    let counted = allocation_counter::measure(all);
    assert_eq!(counted.count_total, 0, "{counted:?}");
    // words that were not met before
    let counted = allocation_counter::measure(|| {
        for body in [
            &b"the limit of requests per minute is reached, wait 8 seconds and try again"[..],
            br#"{"error":{"message":"Maximum context length is 4096 tokens, but 5000 tokens were sent."}}"#,
            b"<html><h1>403 Forbidden</h1>You have been blocked</html>",
        ] {
            let reply = Reply::new(429, &HEADERS, body, now);
            std::hint::black_box(classify_reply(Provider::Other, &reply));
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
