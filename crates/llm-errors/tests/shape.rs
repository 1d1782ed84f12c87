//! The same words in every shape that errors come in: envelopes, lists, JSON in strings, the prints
//! of clients, XML, YAML and lines of a stream. What they say does not depend on it.

use llm_errors::{ErrorKind, Phase, Provider, Reply, classify_reply, classify_stream_error};
use serde_json::{Value, json};
use std::time::SystemTime;

/// What is said, in how many shapes it must be understood.
const SAID: [(&str, ErrorKind); 6] = [
    ("Rate limit exceeded, be slower", ErrorKind::RateLimitOther),
    (
        "The quota of this day is used up",
        ErrorKind::QuotaExhausted,
    ),
    (
        "That is no valid key: invalid API key",
        ErrorKind::AuthInvalidKey,
    ),
    ("Our model is overloaded just now", ErrorKind::Overloaded),
    (
        "Such a prompt is too long for the context window",
        ErrorKind::ContextLength,
    ),
    ("Insufficient balance on the account", ErrorKind::Billing),
];

fn documents(said: &str) -> Vec<Value> {
    let error = json!({"message": said});
    let nested = json!({"error": error}).to_string();
    vec![
        json!([{"error": error}]),
        json!({"detail": said}),
        json!({"detail": {"error": error}}),
        json!({"detail": [{"msg": said}]}),
        json!({"errors": [said]}),
        json!({"errors": [error]}),
        json!({"errors": {"base": [said]}}),
        json!({"errors": {"general": said}}),
        json!({"errors": [{"message": "Error", "extensions": {"exception": error}}]}),
        json!({"message": nested}),
        json!({"error": {"message": json!({"error": {"message": nested}}).to_string()}}),
        json!({"error": json!({"error": nested}).to_string()}),
        json!({"error": {"error": {"error": error}}}),
        json!({"type": "about:blank", "title": "Error", "detail": said}),
        json!({"fault": {"faultstring": said, "detail": {"errorcode": "a.b.C"}}}),
        json!({"status": {"code": 8, "message": said}}),
        json!({"meta": {"code": 1, "message": said}}),
        json!({"base_resp": {"status_code": 1999, "status_msg": said}}),
        json!({"Response": {"Error": {"Code": "X", "Message": said}}}),
        json!({"success": false, "errorMessage": said}),
        json!({"ok": false, "reason": said}),
        json!({"ret": -1, "ret_msg": said}),
        json!({"resultCode": "E1", "resultMsg": said}),
        json!({"err": said}),
        json!({"err": error}),
        json!({"failure": error}),
        json!({"payload": {"error": error}}),
        json!({"error": {"text": said}}),
        json!({"error": {"explanation": said}}),
        json!({"error": {"messages": [said]}}),
        json!({"messages": [{"text": said}]}),
        json!({"messages": [{"severity": "high", "description": said}]}),
        json!({"userMessage": said}),
        json!({"what_went_wrong": said}),
        json!({"status": "error", "info": said}),
        json!({"error": "failed", "error_description": said}),
        json!({"error": {"message": "Provider error", "original_error": said}}),
        json!({"error": {"message": "Upstream request failed", "upstream": {"error": error}}}),
        json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": said}}),
        json!(said),
        json!(nested),
    ]
}

fn texts(said: &str) -> Vec<String> {
    let object = json!({"error": {"message": said}});
    vec![
        said.to_owned(),
        format!("rpc error: code = Unknown desc = {said}"),
        format!(
            "<_InactiveRpcError of RPC:\n\tstatus = StatusCode.UNKNOWN\n\tdetails = \"{said}\"\n>"
        ),
        format!("<?xml version=\"1.0\"?>\n<Error><Code>X</Code><Message>{said}</Message></Error>"),
        format!("Error code: 400 - {{'error': {{'message': '{said}', 'type': None}}}}"),
        format!("ApiError('{said}')"),
        format!("{{ error: {{ message: '{said}' }} }}"),
        format!("error:\n  code: 17\n  message: {said}\n"),
        format!("error:\n  message: \"{said}\"\n"),
        format!("level=error msg=\"{said}\""),
        format!("failed with message \"{said}\""),
        format!("gateway.APIError: APIError: ModelException - \"{said}\""),
        format!("gateway.APIError: APIError: ModelException - 500 \"{said}\""),
        format!("[1305][{said}]"),
        format!("data: {object}\n\n"),
        format!("event: error\ndata: {object}\n\ndata: [DONE]\n\n"),
        format!("data: {said}\n\n"),
        format!("\u{feff}{object}"),
        format!("`{said}`"),
        format!("500 `{said}`"),
    ]
}

#[test]
fn what_is_said_counts_in_every_shape() {
    for (said, kind) in SAID {
        let documents = documents(said)
            .into_iter()
            .map(|document| document.to_string());
        for body in documents.chain(texts(said)) {
            let reply = Reply::new(500, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
            let found = classify_reply(Provider::Other, &reply).kind;
            assert_eq!(found, kind, "as a reply: {body}");
            let found = classify_stream_error(Provider::Other, body.as_bytes(), Phase::MidStream);
            assert_eq!(found.kind, kind, "in a stream: {body}");
        }
    }
}

#[test]
fn an_object_that_a_page_shows_is_an_error() {
    for (said, kind) in SAID {
        let object = json!({"error": {"message": said}});
        for body in [
            format!("<!DOCTYPE html><html><title>Error</title><pre>{object}</pre></html>"),
            format!(
                "<html><body><p>{}</p></body></html>",
                object.to_string().replace('"', "&quot;")
            ),
        ] {
            let reply = Reply::new(500, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
            assert_eq!(classify_reply(Provider::Other, &reply).kind, kind, "{body}");
        }
    }
}

#[test]
fn a_page_tells_what_no_edge_says() {
    for (said, kind) in [
        ("Rate limit exceeded, be slower", ErrorKind::RateLimitOther),
        (
            "The quota of this day is used up",
            ErrorKind::QuotaExhausted,
        ),
        ("Insufficient balance on the account", ErrorKind::Billing),
        ("The model alpha-7 was not found", ErrorKind::ModelNotFound),
        ("The page was not found", ErrorKind::BadGatewayHtml),
    ] {
        let body =
            format!("<html><head><script>{{\"quota\": 1}}</script></head><h1>{said}</h1></html>");
        let reply = Reply::new(502, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        let found = classify_reply(Provider::Other, &reply).kind;
        assert_eq!(found, kind, "{body}");
    }
}

#[test]
fn a_status_counts_where_it_is_told() {
    use ErrorKind as K;
    let reply = |status: u16, body: &str| {
        let reply = Reply::new(status, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        classify_reply(Provider::Other, &reply).kind
    };
    for (body, kind) in [
        ("Request failed with status code 429", K::RateLimitOther),
        ("Request failed with status code 401", K::AuthInvalidKey),
        ("the server answered: HTTP 402", K::Billing),
        ("HTTP/1.1 503 Service Unavailable", K::Overloaded),
        ("SomeClientException: 404 - ", K::ModelNotFound),
        ("429 whatever", K::RateLimitOther),
        (
            "Client error '429 Too Many Requests' for url 'https://a.example/v1'",
            K::RateLimitOther,
        ),
        (
            r#"{"name":"ThrottlingException","$metadata":{"httpStatusCode":429}}"#,
            K::RateLimitOther,
        ),
        // as a number alone
        ("500 tokens were left", K::ServerError),
        ("We expected 429 characters", K::ServerError),
        ("it went wrong after 401 seconds", K::ServerError),
    ] {
        assert_eq!(reply(0, body), kind, "{body}");
    }
    // a relay's own status is that of whom it asked, where it tells so
    let asked = r#"{"error":{"message":"bad response status code 401"}}"#;
    assert_eq!(reply(502, asked), K::AuthInvalidKey);
    assert_eq!(reply(500, "we got 429 of those"), K::ServerError);
    assert_eq!(reply(404, asked), K::ModelNotFound);
}

#[test]
fn what_is_repeated_from_the_request_is_no_message() {
    let echo = "rate limit exceeded, insufficient balance";
    for body in [
        json!({"error": {"message": "Bad field"}, "request": {"prompt": echo}}),
        json!({"error": {"message": "Bad field"}, "note": echo}),
        json!({"input": echo}),
        json!({"request": {"input": {"text": echo}}}),
        json!({"messages": [{"role": "user", "content": echo}]}),
        json!({"messages": [{"role": "user", "text": echo}]}),
    ] {
        let body = body.to_string();
        let reply = Reply::new(400, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        let found = classify_reply(Provider::Other, &reply).kind;
        assert_eq!(found, ErrorKind::InvalidRequest, "{body}");
    }
}

#[test]
fn an_answer_of_nothing_but_a_code_and_words_is_an_error() {
    let answer = |body: Value| {
        let body = body.to_string();
        let reply = Reply::new(200, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        llm_errors::classify_answer(Provider::Other, &reply).map(|verdict| verdict.kind)
    };
    assert_eq!(
        answer(json!({"code": 10013, "message": "the input did not pass the review"})),
        Some(ErrorKind::ContentFilter)
    );
    assert_eq!(
        answer(json!({"code": 40001, "message": "that went badly"})),
        Some(ErrorKind::ServerError)
    );
    assert_eq!(answer(json!({"code": 0, "message": "all is well"})), None);
    assert_eq!(answer(json!({"code": 200, "message": "all is well"})), None);
}

#[test]
fn an_answer_without_a_single_choice_is_empty() {
    let answer = |body: Value| {
        let body = body.to_string();
        let reply = Reply::new(200, &(), body.as_bytes(), SystemTime::UNIX_EPOCH);
        llm_errors::classify_answer(Provider::Other, &reply).map(|verdict| verdict.kind)
    };
    let empty = Some(ErrorKind::EmptyOutput);
    assert_eq!(
        answer(json!({"candidates": [], "usageMetadata": {"promptTokenCount": 7}})),
        empty
    );
    assert_eq!(
        answer(json!({"object": "chat.completion", "choices": []})),
        empty
    );
    // pieces of a stream hold none at its beginning and end
    assert_eq!(
        answer(json!({"object": "chat.completion.chunk", "choices": []})),
        None
    );
    assert_eq!(
        answer(json!({"object": "", "choices": [], "prompt_filter_results": []})),
        None
    );
}
