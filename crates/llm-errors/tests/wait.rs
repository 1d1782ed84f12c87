//! Waits that a message states in words, and those that it only seems to state.

use llm_errors::{Basis, Provider, Reply, classify_reply};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 2026-11-23T22:30:00Z
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_473_000)
}

fn wait(message: &str) -> Option<(Duration, Basis)> {
    let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
    let reply = Reply::new(429, &(), body.as_bytes(), now());
    let hint = classify_reply(Provider::Other, &reply).hint?;
    Some((hint.wait(), hint.basis()))
}

#[test]
fn a_wait_is_read_in_every_form_that_leaves_no_doubt() {
    for (message, seconds) in [
        ("Rate limit reached. Please try again in 4.404s.", 4.404),
        ("Too many requests, retry after 1m30s.", 90.0),
        ("Too many requests. Wait 2 minutes and 5 seconds.", 125.0),
        ("Rate limit is exceeded. Try again in 00:00:26.", 26.0),
        (
            "Out of call volume quota. Quota will be replenished in 5.03:23:11.",
            444_191.0,
        ),
        ("Rate limit reached, try again in a minute.", 60.0),
        ("Too many requests. Wait one minute and retry.", 60.0),
        ("Too many requests: please retry in about an hour.", 3600.0),
        (
            "Too many requests. Please wait for thirty seconds before you retry.",
            30.0,
        ),
        ("Rate limited. After two minutes you may retry.", 120.0),
        ("Rate limit reached. Try again in half an hour.", 1800.0),
        ("Rate limited. Retry-After: 30", 30.0),
        ("Rate limited (retry-after-ms=2500).", 2.5),
    ] {
        assert_eq!(
            wait(message),
            Some((Duration::from_secs_f64(seconds), Basis::Interval)),
            "{message}"
        );
    }
}

#[test]
fn a_date_or_an_hour_with_its_zone_is_a_wait_too() {
    for message in [
        "Rate limit reached. It resets at 2026-11-24T00:00:00Z.",
        "Rate limit reached, try again at 00:00 UTC.",
        "Rate limit reached. The limit resets at midnight UTC.",
        "Rate limit reached: wait until midnight (GMT).",
    ] {
        assert_eq!(
            wait(message),
            Some((Duration::from_secs(5400), Basis::Date)),
            "{message}"
        );
    }
}

#[test]
fn what_is_not_sure_is_not_read() {
    for message in [
        "Rate limit reached. Try again in a few seconds.",
        "Rate limit reached. Try again in a couple of minutes.",
        "Rate limit reached: the queue was full for maxWaitMs (15000ms).",
        "Rate limit reached. Try again in a minute and a half.",
        "Rate limit reached. Try again in one minute and 30 tokens later.",
        "Rate limit reached: resets at 01:02:03.",
        "Rate limit reached: resets at midnight.",
        "Rate limit reached. You may send ten requests in a minute, no more.",
        "Rate limit reached. Try again later.",
        "Rate limit reached. Retry after 3 attempts.",
        "Rate limit reached: 10 requests a minute. Retry later.",
    ] {
        assert_eq!(wait(message), None, "{message}");
    }
}
