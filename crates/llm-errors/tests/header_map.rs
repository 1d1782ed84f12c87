//! `http::HeaderMap` is read like pairs are, with feature `http`.
#![cfg(feature = "http")]

use http::{HeaderMap, HeaderName, HeaderValue};
use llm_errors::{Dimension, Headers, Provider, RateLimits, Reply, classify_reply};
use std::time::{Duration, SystemTime};

#[test]
fn a_header_map_gives_the_wait_and_the_windows() {
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &'static [u8]| {
        let value = HeaderValue::from_bytes(value).unwrap_or(HeaderValue::from_static(""));
        headers.append(HeaderName::from_static(name), value);
    };
    put("retry-after", b"7");
    put("retry-after", b"900");
    put("x-ratelimit-remaining-requests", b"0");
    put("x-note", b"\xff\xfe");
    assert_eq!(Headers::get(&headers, "retry-after"), Some(&b"7"[..]));
    assert_eq!(Headers::get(&headers, "x-note"), Some(&b"\xff\xfe"[..]));
    let mut names = 0;
    Headers::for_each(&headers, &mut |_, _| names += 1);
    assert_eq!(names, 4);

    let reply = Reply::new(429, &headers, b"", SystemTime::UNIX_EPOCH);
    let verdict = classify_reply(Provider::Other, &reply);
    assert_eq!(verdict.retry_after(), Some(Duration::from_secs(7)));
    let limits = RateLimits::read(&headers, SystemTime::UNIX_EPOCH);
    let window = limits.get(Dimension::Requests);
    assert_eq!(window.and_then(|window| window.remaining), Some(0));
}
