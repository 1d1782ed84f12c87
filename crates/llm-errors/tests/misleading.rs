//! Bodies that mislead: what is echoed, what contradicts itself, what is broken.

use llm_errors::{
    ErrorKind, HintSource, Phase, Provider, Reply, Resend, Verdict, classify_answer,
    classify_reply, classify_stream_error,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn reply(status: u16, body: &str) -> Verdict {
    classify_reply(
        Provider::OpenAi,
        &Reply::new(status, &(), body.as_bytes(), UNIX_EPOCH),
    )
}

fn with_headers(status: u16, headers: &[(&str, &str)], body: &str, now: SystemTime) -> Verdict {
    classify_reply(
        Provider::OpenAi,
        &Reply::new(status, &headers, body.as_bytes(), now),
    )
}

#[test]
fn a_prompt_that_quotes_an_error_does_not_change_the_class() {
    for echo in [
        "rate limit exceeded, please try again in 20s",
        "You exceeded your current quota, please check your plan and billing details",
        "Incorrect API key provided",
        "the model is overloaded",
    ] {
        let verdict = reply(
            400,
            &format!(
                r#"{{"error":{{"message":"Invalid value for input: '{echo}'. Expected an array.","type":"invalid_request_error"}}}}"#
            ),
        );
        assert_eq!(verdict.kind, ErrorKind::InvalidRequest, "{echo}");
        assert_eq!(verdict.hint, None, "{echo}");
        let verdict = reply(
            403,
            &format!(
                r#"{{"error":{{"message":"Your input was flagged by moderation.","metadata":{{"flagged_input":"{echo}"}}}}}}"#
            ),
        );
        assert_eq!(verdict.kind, ErrorKind::ContentFilter, "{echo}");
        let verdict = reply(
            400,
            &format!(
                r#"{{"error":{{"message":"Failed to call a function.","code":"tool_use_failed","failed_generation":"{echo}"}}}}"#
            ),
        );
        assert_eq!(verdict.kind, ErrorKind::ToolCallInvalid, "{echo}");
    }
}

#[test]
fn a_tool_named_like_a_failure_does_not_change_the_class() {
    for name in [
        "rate_limit",
        "insufficient_quota",
        "invalid_api_key",
        "check_overloaded",
    ] {
        let verdict = reply(
            400,
            &format!(
                r#"{{"error":{{"message":"Invalid schema for function '{name}': array schema missing items.","type":"invalid_request_error","param":"tools[0].function.parameters"}}}}"#
            ),
        );
        assert_eq!(verdict.kind, ErrorKind::SchemaInvalid, "{name}");
        let verdict = reply(
            400,
            &format!(
                r#"{{"error":{{"message":"Missing parameter 'arguments' for tool `{name}`.","type":"invalid_request_error"}}}}"#
            ),
        );
        assert_eq!(verdict.kind, ErrorKind::InvalidRequest, "{name}");
    }
}

#[test]
fn a_relays_status_yields_to_what_it_wraps() {
    let spent = reply(
        500,
        r#"{"error":{"message":"upstream said: {\"error\":{\"code\":\"insufficient_quota\",\"message\":\"spent\"}}"}}"#,
    );
    assert_eq!(spent.kind, ErrorKind::QuotaExhausted);
    assert_eq!(spent.resend(), Resend::NoSameTarget);
    let limited = reply(
        400,
        r#"{"error":{"message":"Too Many Requests","code":429}}"#,
    );
    assert_eq!(limited.kind, ErrorKind::RateLimitOther);
    // the number in a sentence is no status
    let invalid = reply(
        400,
        r#"{"error":{"message":"Expected at least 429 characters.","type":"invalid_request_error"}}"#,
    );
    assert_eq!(invalid.kind, ErrorKind::InvalidRequest);
}

#[test]
fn pages_and_empty_bodies_are_no_answers() {
    let page = b"<!DOCTYPE html><html><body>Just a moment</body></html>";
    let verdict = classify_answer(Provider::OpenAi, &Reply::new(200, &(), page, UNIX_EPOCH));
    assert_eq!(
        verdict.map(|verdict| verdict.kind),
        Some(ErrorKind::BadGatewayHtml)
    );
    let verdict = classify_answer(Provider::OpenAi, &Reply::new(200, &(), b" \n", UNIX_EPOCH));
    assert_eq!(
        verdict.map(|verdict| verdict.kind),
        Some(ErrorKind::EmptyOutput)
    );
    for (status, kind) in [
        (401, ErrorKind::AuthInvalidKey),
        (402, ErrorKind::Billing),
        (403, ErrorKind::AuthPermission),
        (404, ErrorKind::ModelNotFound),
        (408, ErrorKind::Timeout),
        (413, ErrorKind::PayloadTooLarge),
        (429, ErrorKind::RateLimitOther),
        (500, ErrorKind::ServerError),
        (503, ErrorKind::Overloaded),
        (529, ErrorKind::Overloaded),
        (599, ErrorKind::ServerError),
        (302, ErrorKind::Other),
    ] {
        assert_eq!(reply(status, "").kind, kind, "{status}");
    }
}

#[test]
fn good_answers_are_left_alone() {
    for body in [
        r#"{"choices":[{"message":{"role":"assistant","content":"I hit a rate limit: insufficient_quota."},"finish_reason":"stop"}],"error":null}"#,
        r#"{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
        r#"{"type":"message","content":[{"type":"tool_use","id":"t","name":"f","input":{"error":"x"}}],"stop_reason":"tool_use"}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]},"finishReason":"STOP"}]}"#,
        r#"{"object":"list","data":[{"id":"gpt-4o","object":"model"}]}"#,
        r#"{"data":[{"embedding":[0.1,0.2],"index":0}],"usage":{"total_tokens":3}}"#,
        r#"{"model":"x","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop"}"#,
        r#"{"status":"completed","error":null,"incomplete_details":null,"output":[{"type":"message","content":[{"type":"output_text","text":"Sure."}]}]}"#,
    ] {
        let verdict = classify_answer(
            Provider::OpenAi,
            &Reply::new(200, &(), body.as_bytes(), UNIX_EPOCH),
        );
        assert_eq!(verdict, None, "{body}");
    }
}

#[test]
fn broken_bytes_are_read_as_far_as_they_go() {
    let cut = reply(
        429,
        r#"{"error":{"message":"Rate limit reached on tokens per min (TPM): Limit 30000, Used 28190. Please try again in 7m12s. Vis"#,
    );
    assert_eq!(cut.kind, ErrorKind::RateLimitTokens);
    assert_eq!(cut.retry_after(), Some(Duration::from_secs(432)));
    let invalid = classify_reply(
        Provider::Other,
        &Reply::new(
            400,
            &(),
            b"{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"\xff\xfe\xc3\"}}",
            UNIX_EPOCH,
        ),
    );
    assert_eq!(invalid.kind, ErrorKind::ContextLength);
    assert_eq!(reply(500, "\u{0}\u{0}\u{0}").kind, ErrorKind::ServerError);
}

#[test]
fn only_a_bounded_prefix_of_32_mib_is_read() {
    let now = UNIX_EPOCH;
    for noise in [b'{', b' ', b'x', b'\\', 0xff] {
        let mut body = br#"{"error":{"message":"Please slow down. "#.to_vec();
        body.resize(64 << 10, noise);
        let read = |body: &[u8]| {
            let reply = Reply::new(429, &(), body, now);
            classify_reply(Provider::OpenAi, &reply)
        };
        let prefix = read(&body);
        assert_eq!(prefix.kind, ErrorKind::RateLimitOther, "{noise}");
        // what would decide otherwise stands behind the prefix
        body.resize(32 << 20, noise);
        body.extend_from_slice(br#"","code":"insufficient_quota"}}"#);
        assert_eq!(read(&body), prefix, "{noise}");
        let answer = Reply::new(200, &(), &body, now);
        let _ = classify_answer(Provider::OpenAi, &answer);
    }
}

#[test]
fn doubled_and_absurd_headers_are_tamed() {
    let now = UNIX_EPOCH + Duration::from_secs(1_711_483_200);
    let body = r#"{"error":{"message":"Slow down."}}"#;
    let wait = |headers: &[(&str, &str)]| with_headers(429, headers, body, now).retry_after();
    assert_eq!(
        wait(&[("Retry-After", "3"), ("retry-after", "90")]),
        Some(Duration::from_secs(3))
    );
    assert_eq!(
        wait(&[("retry-after", "30"), ("retry-after-ms", "1500")]),
        Some(Duration::from_millis(1500))
    );
    assert_eq!(wait(&[("retry-after", "0")]), Some(Duration::ZERO));
    assert_eq!(
        wait(&[("retry-after", "0.25")]),
        Some(Duration::from_millis(250))
    );
    assert_eq!(wait(&[("retry-after", "-5")]), None);
    assert_eq!(wait(&[("retry-after", "soon")]), None);
    // a date in the past is now, one in the future counts from the reply
    assert_eq!(
        wait(&[("retry-after", "Tue, 26 Mar 2024 19:00:00 GMT")]),
        Some(Duration::ZERO)
    );
    assert_eq!(
        wait(&[("retry-after", "Tue, 26 Mar 2024 20:00:09 GMT")]),
        Some(Duration::from_secs(9))
    );
    // absurd waits are cut, and no short window asks for a year
    let absurd = with_headers(429, &[("retry-after", "999999999999")], body, now);
    assert_eq!(absurd.kind, ErrorKind::QuotaExhausted);
    assert!(absurd.retry_after() <= Some(Duration::from_secs(50 * 86_400)));
}

#[test]
fn of_several_exhausted_windows_the_latest_reset_counts() {
    let verdict = with_headers(
        429,
        &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "1m30s"),
        ],
        "",
        UNIX_EPOCH,
    );
    assert_eq!(verdict.retry_after(), Some(Duration::from_secs(90)));
    let hint = verdict.hint.map(|hint| hint.source());
    assert_eq!(hint, Some(HintSource::ResetHeader));
    // a window that is not exhausted binds nobody
    let verdict = with_headers(
        429,
        &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "2s"),
            ("x-ratelimit-remaining-tokens", "900"),
            ("x-ratelimit-reset-tokens", "1m30s"),
        ],
        "",
        UNIX_EPOCH,
    );
    assert_eq!(verdict.kind, ErrorKind::RateLimitRequests);
    assert_eq!(verdict.retry_after(), Some(Duration::from_secs(2)));
}

#[test]
fn durations_in_english_and_chinese_are_read_and_others_are_not() {
    let wait = |message: &str| {
        reply(429, &format!(r#"{{"error":{{"message":"{message}"}}}}"#)).retry_after()
    };
    assert_eq!(
        wait("Rate limit. Try again in 7m12s."),
        Some(Duration::from_secs(432))
    );
    assert_eq!(
        wait("Rate limit. Please wait 2 minutes and 5 seconds before retrying."),
        Some(Duration::from_secs(125))
    );
    assert_eq!(
        wait("请求过于频繁，请在 5 秒后重试"),
        Some(Duration::from_secs(5))
    );
    assert_eq!(
        wait("触发限流，请等待1分钟30秒后再试"),
        Some(Duration::from_secs(90))
    );
    assert_eq!(wait("Limit is 30 requests per 60 seconds."), None);
    assert_eq!(wait("You sent 50 requests in the last 5 minutes."), None);
}

#[test]
fn an_error_frame_in_a_stream_is_read_like_any_other() {
    let frame = b"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
    let verdict = classify_stream_error(Provider::Anthropic, frame, Phase::MidStream);
    assert_eq!(verdict.kind, ErrorKind::Overloaded);
    let verdict = classify_stream_error(Provider::OpenAi, b"", Phase::MidStream);
    assert_eq!(verdict.kind, ErrorKind::Truncated);
}

#[test]
fn dates_and_hours_in_the_message_are_counted_from_now() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_473_000); // 2026-11-23T22:30:00Z
    let wait = |message: &str| {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        let reply = Reply::new(429, &(), body.as_bytes(), now);
        classify_reply(Provider::Other, &reply).retry_after()
    };
    for (message, seconds) in [
        (
            "Rate limit reached. Your limit resets at 2026-11-23T22:31:00Z.",
            Some(60),
        ),
        (
            "Too many requests, try again after 2026-11-23 22:30:30 UTC",
            Some(30),
        ),
        (
            "Usage limit reached; access is blocked until 2026-11-24",
            Some(5400),
        ),
        (
            "Quota exceeded. It resets at 00:00 UTC every day",
            Some(5400),
        ),
        (
            "Rate limit reached. Retry in 20s, or see the change of 2026-12-01",
            Some(20),
        ),
        ("Rate limit reached for model of 2026-12-01", None),
        ("Rate limit reached. Your limit resets at 10:45", None),
        (
            "Rate limit reached, retry. Limits were raised at 2026-12-01T00:00:00Z",
            None,
        ),
    ] {
        assert_eq!(wait(message), seconds.map(Duration::from_secs), "{message}");
    }
}

#[test]
fn a_word_that_has_another_sense_here_does_not_change_the_class() {
    use ErrorKind as K;
    for (status, message, kind) in [
        (
            400,
            "illegal base64 data at input byte 4",
            K::InvalidRequest,
        ),
        (
            400,
            "Could not open the picture at index 0",
            K::InvalidRequest,
        ),
        (
            400,
            "Please pay attention to the format of messages",
            K::InvalidRequest,
        ),
        (
            404,
            "No such model; names are case-sensitive",
            K::ModelNotFound,
        ),
        (
            404,
            "Model not found, please verify its name",
            K::ModelNotFound,
        ),
        (404, "The moderation model does not exist", K::ModelNotFound),
        (
            400,
            "Invalid key in the JSON object: foo",
            K::InvalidRequest,
        ),
        (400, "Stop sequence 2 is too long", K::InvalidRequest),
        (
            400,
            "The number of requests in a batch exceeds 100",
            K::InvalidRequest,
        ),
        (500, "Error loading model weights", K::ServerError),
        (403, "该账户存在风险", K::AuthPermission),
        (503, "The proxy is unavailable", K::Overloaded),
        (
            400,
            "batch size 20 is invalid, at most 10",
            K::InvalidRequest,
        ),
        (
            400,
            "The trial period field has ended up empty",
            K::InvalidRequest,
        ),
        (429, "Too many requests reach the server", K::RateLimitOther),
        (503, "plan B has no available servers", K::Overloaded),
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        assert_eq!(reply(status, &body).kind, kind, "{message}");
    }
    // the card is in the prompt, not on the bill; the budget is one of thought, not of money
    for message in [
        "A credit card number was detected in the input",
        "The thinking budget of 50000 exceeds what the model allows",
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        let kind = reply(400, &body).kind;
        assert!(
            !matches!(kind, K::Billing | K::OrgLimit),
            "{message}: {kind:?}"
        );
    }
}

#[test]
fn an_error_named_in_front_by_a_client_does_not_hide_what_the_words_behind_it_say() {
    use ErrorKind as K;
    for (status, text, kind) in [
        (
            503,
            "proxy.ServiceUnavailableError: invalid api key",
            K::AuthInvalidKey,
        ),
        (
            503,
            "proxy.ServiceUnavailableError: the prompt exceeds the model's maximum context length of 8192 tokens",
            K::ContextLength,
        ),
        (
            500,
            "InternalServerError: your credit balance is too low",
            K::Billing,
        ),
        (
            503,
            "proxy.ServiceUnavailableError: please come back later",
            K::Overloaded,
        ),
    ] {
        let verdict = reply(status, text);
        assert_eq!(verdict.kind, kind, "{text}");
        assert_eq!(verdict.context_requested_tokens, 0, "{text}");
    }
}
