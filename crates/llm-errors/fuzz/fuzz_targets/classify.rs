//! Any bytes as provider, status, headers and body: no panic, bounded work, money never retried.
//!
//! ```text
//! cd crates/llm-errors && RUSTC_BOOTSTRAP=1 cargo fuzz run classify -- -max_total_time=600
//! ```
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_errors::{
    Classifier, ErrorKind, Phase, Provider, RateLimits, Reply, Retry, classify_answer,
    classify_reply, classify_stream_error,
};
use std::time::{Duration, UNIX_EPOCH};

const NAMES: [&str; 8] = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-requests-reset",
    "ratelimit",
    "x-amzn-errortype",
    "policy-id",
];

fuzz_target!(|data: &[u8]| {
    let [provider, high, low, name, split, rest @ ..] = data else {
        return;
    };
    let provider = Provider::ALL[usize::from(*provider) % Provider::ALL.len()];
    let status = u16::from_be_bytes([*high, *low]) % 1000;
    let (value, body) = rest.split_at(usize::from(*split).min(rest.len()));
    let headers = [(NAMES[usize::from(*name) % NAMES.len()], value)];
    let now = UNIX_EPOCH + Duration::from_secs(1_795_000_000);
    let reply = Reply::new(status, &headers, body, now);
    let verdict = classify_reply(provider, &reply);
    if matches!(
        verdict.kind,
        ErrorKind::QuotaExhausted
            | ErrorKind::Billing
            | ErrorKind::OrgLimit
            | ErrorKind::AuthInvalidKey
            | ErrorKind::AuthPermission
    ) {
        assert_eq!(verdict.advice.retry, Retry::Never);
    }
    assert!(verdict.retry_after().unwrap_or_default() <= Duration::from_secs(50 * 86_400));
    let _ = classify_answer(provider, &reply);
    let _ = classify_stream_error(provider, body, Phase::MidStream);
    let _ = Classifier::built_in().transport_message(provider, body, Phase::Sent);
    let _ = RateLimits::read(&headers, now);
});
