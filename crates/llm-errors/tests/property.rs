//! Any bytes give a verdict: no panic, bounded work, and the laws that callers build on.

#![expect(
    clippy::indexing_slicing,
    reason = "the index is drawn from the list's length"
)]

use llm_errors::{
    Certainty, Classifier, ErrorKind, Phase, Provider, RateLimits, Reply, Resend, Retry,
    classify_answer, classify_reply, classify_stream_error,
};
use proptest::prelude::*;
use std::time::{Duration, SystemTime};

fn provider() -> impl Strategy<Value = Provider> {
    (0..Provider::ALL.len()).prop_map(|index| Provider::ALL[index])
}

/// Bytes that look like bodies: pieces of JSON, words of messages, and noise.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"{\"error\":{".to_vec()),
        Just(b"\"message\":\"".to_vec()),
        Just(b"\\\"".to_vec()),
        Just(b"rate limit tokens per minute ".to_vec()),
        Just(b"try again in 99999999999999999999s ".to_vec()),
        Just("余额不足".as_bytes().to_vec()),
        Just(b"\"code\":\"insufficient_quota\"".to_vec()),
        Just(b"[[[[[[{{{{{{".to_vec()),
        Just(b"}}]]\",".to_vec()),
        Just(b"data: {\"choices\":[{\"finish_reason\":\"length\"}]}\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_give_a_verdict(
        provider in provider(),
        status in any::<u16>(),
        body in body(),
        name in "(retry-after|x-ratelimit-reset-tokens|anthropic-ratelimit-requests-reset|ratelimit|[a-z-]{0,20})",
        value in proptest::collection::vec(any::<u8>(), 0..40),
        seconds in 0_u64..4_000_000_000,
    ) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let headers = [(name, value)];
        let reply = Reply::new(status, &headers, &body, now);
        let verdict = classify_reply(provider, &reply);
        // money and keys are never retried
        if matches!(verdict.kind, ErrorKind::QuotaExhausted | ErrorKind::Billing | ErrorKind::OrgLimit | ErrorKind::AuthInvalidKey | ErrorKind::AuthPermission) {
            prop_assert_eq!(verdict.advice.retry, Retry::Never);
            prop_assert_ne!(verdict.resend(), Resend::Yes);
        }
        // waits are bounded, whatever was stated
        prop_assert!(verdict.retry_after().unwrap_or_default() <= Duration::from_secs(50 * 86_400));
        prop_assert_eq!(verdict.advice.retry == Retry::AfterHint, verdict.is_retryable() && verdict.hint.is_some());
        // the same bytes mean the same
        prop_assert_eq!(classify_reply(provider, &reply), verdict);
        let _ = classify_answer(provider, &reply);
        let _ = RateLimits::read(&headers, now);
        let _ = Classifier::built_in().transport_message(provider, &body, Phase::Sent);
        let streamed = classify_stream_error(provider, &body, Phase::MidStream);
        prop_assert_eq!(streamed.certainty, Certainty::Committed);
    }

    #[test]
    fn what_lies_beyond_the_prefix_changes_nothing(body in body(), noise in any::<u8>()) {
        let mut long = body;
        long.resize(64 * 1024, b' ');
        let now = SystemTime::UNIX_EPOCH;
        let short = classify_reply(Provider::OpenAi, &Reply::new(400, &(), &long, now));
        long.resize(200 * 1024, noise);
        prop_assert_eq!(classify_reply(Provider::OpenAi, &Reply::new(400, &(), &long, now)), short);
    }

    #[test]
    fn rules_of_any_text_are_read_or_refused(text in "(code|text|limit|own|dialect|finish)? ?[a-z_*&!#=~? ]{0,40}") {
        let _ = Classifier::with_rules(&[&text]);
    }
}
