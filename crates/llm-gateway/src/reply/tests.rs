use super::*;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

fn body(response: Response<Body>) -> Value {
    let Body::Whole(Some(bytes)) = response.into_body() else {
        panic!("a whole body")
    };
    serde_json::from_slice(&bytes).unwrap()
}

fn header<'r>(response: &'r Response<Body>, name: &str) -> Option<&'r str> {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

const BOTH: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::AnthropicMessages];

#[test]
fn an_unknown_model_names_the_nearest_in_both_shapes() {
    let problem = Problem::UnknownModel {
        model: "chta".into(),
        nearest: Some("chat".into()),
        known: vec!["chat".into()],
    };
    let outline = Outline::of_problem(&problem);
    let openai = outline.response(Dialect::OpenAiChat, "r-1");
    assert_eq!(openai.status(), 404);
    assert_eq!(header(&openai, "x-request-id"), Some("r-1"));
    assert_eq!(header(&openai, "x-should-retry"), Some("false"));
    assert_eq!(
        body(openai),
        json!({ "error": {
            "message": "the model `chta` is not served here; did you mean `chat`?",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }})
    );
    let anthropic = outline.response(Dialect::AnthropicMessages, "r-1");
    assert_eq!(anthropic.status(), 404);
    assert_eq!(header(&anthropic, "request-id"), Some("r-1"));
    assert_eq!(
        body(anthropic),
        json!({
            "type": "error",
            "error": {
                "type": "not_found_error",
                "message": "the model `chta` is not served here; did you mean `chat`?",
            },
            "request_id": "r-1",
        })
    );
}

#[test]
fn a_model_without_a_neighbour_lists_a_bounded_number() {
    let known: Vec<_> = (0..100).map(|n| format!("route-{n}")).collect();
    let problem = Problem::UnknownModel {
        model: "x".repeat(10_000),
        nearest: None,
        known,
    };
    let message = body(Outline::of_problem(&problem).response(Dialect::OpenAiChat, "r"));
    let message = message["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("route-19, ...") && !message.contains("route-20"),
        "{message}"
    );
    assert!(message.len() < 1000);
}

#[test]
fn each_problem_has_its_status() {
    let cases = [
        (
            Problem::BadBody {
                why: "the body is not JSON".into(),
                field: None,
            },
            400,
        ),
        (Problem::TooLarge(1024), 413),
        (Problem::SlowBody(Duration::from_secs(1)), 408),
        (Problem::UnknownPath("/x".into()), 404),
        (Problem::WrongMethod("POST"), 405),
        (Problem::Draining, 503),
    ];
    for (problem, status) in cases {
        for dialect in BOTH {
            let response = Outline::of_problem(&problem).response(dialect, "r");
            assert_eq!(response.status().as_u16(), status, "{problem:?}");
            assert!(
                !body(response)["error"]["message"]
                    .as_str()
                    .unwrap()
                    .is_empty()
            );
        }
        assert!(!Outline::reason(&problem).is_empty());
    }
    let response =
        Outline::of_problem(&Problem::WrongMethod("POST")).response(Dialect::OpenAiChat, "r");
    assert_eq!(header(&response, "allow"), Some("POST"));
}

#[test]
fn a_retry_time_is_rounded_up_and_never_invented() {
    let with = Outline::of_kind(
        ErrorKind::Overloaded,
        "busy",
        Some(Duration::from_millis(1200)),
    );
    let response = with.response(Dialect::OpenAiChat, "r");
    assert_eq!(header(&response, "retry-after"), Some("2"));
    let millis: u64 = header(&response, "retry-after-ms")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1200..=1500).contains(&millis), "{millis}");
    assert_eq!(header(&response, "x-should-retry"), None);
    let without =
        Outline::of_kind(ErrorKind::Overloaded, "busy", None).response(Dialect::OpenAiChat, "r");
    assert_eq!(header(&without, "retry-after"), None);
}

#[test]
fn what_cannot_help_is_not_to_be_tried_again() {
    for kind in [
        ErrorKind::QuotaExhausted,
        ErrorKind::AuthInvalidKey,
        ErrorKind::InvalidRequest,
        ErrorKind::ContextLength,
    ] {
        let response = Outline::of_kind(kind, "no", None).response(Dialect::OpenAiChat, "r");
        assert_eq!(header(&response, "x-should-retry"), Some("false"), "{kind}");
    }
}

#[test]
fn a_failure_that_is_not_the_callers_is_never_a_4xx_of_theirs() {
    for kind in [
        ErrorKind::AuthInvalidKey,
        ErrorKind::AuthPermission,
        ErrorKind::ModelNotFound,
        ErrorKind::ServerError,
        ErrorKind::Network,
        ErrorKind::Timeout,
        ErrorKind::EmptyOutput,
        ErrorKind::Truncated,
    ] {
        for dialect in BOTH {
            let status = Outline::of_kind(kind, "x", None)
                .response(dialect, "r")
                .status();
            assert!(status.is_server_error(), "{kind}: {status}");
        }
    }
}

#[test]
fn every_kind_has_a_status_and_words() {
    for kind in ErrorKind::ALL {
        let response =
            Outline::of_kind(*kind, phrase(*kind), None).response(Dialect::AnthropicMessages, "r");
        assert!(response.status().as_u16() >= 400, "{kind}");
        assert_eq!(body(response)["type"], "error");
    }
}

#[test]
fn an_overloaded_provider_is_529_to_anthropic_clients() {
    let outline = Outline::of_kind(ErrorKind::Overloaded, "busy", None);
    assert_eq!(
        outline
            .response(Dialect::AnthropicMessages, "r")
            .status()
            .as_u16(),
        529
    );
    assert_eq!(
        outline.response(Dialect::OpenAiChat, "r").status().as_u16(),
        503
    );
}

#[test]
fn a_broken_stream_ends_with_an_error_event_and_no_end_marker() {
    let outline = Outline::of_kind(ErrorKind::Truncated, "cut", None);
    let openai = outline.event(Dialect::OpenAiChat, "r", b"");
    let text = std::str::from_utf8(&openai).unwrap();
    assert!(
        text.starts_with("data: {\"error\":{\"message\":\"cut\"") && text.ends_with("}\n\n"),
        "{text}"
    );
    assert!(!text.contains("[DONE]"));
    let anthropic = outline.event(Dialect::AnthropicMessages, "r", b"");
    let text = std::str::from_utf8(&anthropic).unwrap();
    assert!(
        text.starts_with("event: error\ndata: {\"type\":\"error\""),
        "{text}"
    );
    assert!(!text.contains("message_stop"));
    let last = br#"data: {"sequence_number":7}"#;
    let responses = outline.event(Dialect::OpenAiResponses, "r", last);
    let text = std::str::from_utf8(&responses).unwrap();
    let data = text.strip_prefix("event: error\ndata: ").unwrap();
    let event: Value = serde_json::from_str(data).unwrap();
    assert_eq!(event["type"], "error");
    assert_eq!(event["sequence_number"], 8);
    assert_eq!(event["message"], "cut");
    assert_eq!(event["error"]["message"], "cut", "what SDKs look for");
}

#[test]
fn a_trail_is_bounded_and_harmless() {
    let mut headers = HeaderMap::new();
    put_trail(&mut headers, &"a; ".repeat(10_000));
    assert_eq!(headers[TRAIL].len(), LONGEST_TRAIL);
    put(&mut headers, TARGET, "line\nbreak");
    assert!(!headers.contains_key(TARGET));
}

#[tokio::test]
async fn a_body_without_content_is_at_its_end() {
    assert!(http_body::Body::is_end_stream(&Body::whole("")));
    assert_eq!(Body::whole("x").collect().await.unwrap().to_bytes(), "x");
}

#[test]
fn words_about_our_account_stay_here_and_words_about_the_request_do_not() {
    for kind in ErrorKind::ALL {
        let ours = kind.as_str().starts_with("rate_limit")
            || row(*kind).1 == "insufficient_quota"
            || kind.as_str().starts_with("auth")
            || kind.as_str().starts_with("model_");
        assert_eq!(about_account(*kind), ours, "{kind}");
    }
}

#[test]
fn a_wait_that_sdks_do_not_heed_is_said_not_to_be_tried_again() {
    let with = |wait| {
        Outline::of_kind(ErrorKind::RateLimitRequests, "busy", Some(wait))
            .response(Dialect::OpenAiChat, "r")
    };
    let heeded = with(Duration::from_secs(60));
    assert_eq!(header(&heeded, "x-should-retry"), None);
    let long = with(Duration::from_millis(60_001));
    assert_eq!(header(&long, "x-should-retry"), Some("false"));
    let seconds: u64 = header(&long, "retry-after").unwrap().parse().unwrap();
    assert!((61..=76).contains(&seconds), "{seconds}");
}
