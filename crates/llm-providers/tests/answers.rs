//! What becomes of a reply that is not a stream: answers, errors, and 200s that are no answer.

#[path = "support/script.rs"]
mod script;
#[path = "support/wire.rs"]
mod wire;

use http::HeaderValue;
use llm_errors::{ErrorKind, TransportFault};
use llm_providers::chat::FinishReason;
use llm_providers::{Dialect, Exchange, Failure, MAX_ERROR_BODY_BYTES, MAX_REPLY_BYTES, Whole};
use script::{Script, Step, bytes, call, drain, open, run, wait};
use std::time::Duration;

const OPENAI: Dialect = Dialect::OpenAiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

const COMPLETION: &str = r#"{ "id":"chatcmpl-1","object":"chat.completion","created":7,"model":"gpt-4o-2024",
 "choices":[{"index":0,"message":{"role":"assistant","content":"Hello.","refusal":null},"finish_reason":"stop"}],
 "usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"prompt_tokens_details":{"cached_tokens":4}} }"#;
const MESSAGE: &str = r#"{ "id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-5",
 "content":[{"type":"text","text":"Hello."}],"stop_reason":"end_turn","stop_sequence":null,
 "usage":{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":0,"output_tokens":3} }"#;

async fn whole(script: &Script, upstream: Dialect, caller: Dialect) -> Result<Whole, Failure> {
    match run(script, upstream, &call(caller, false)).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(stream) => unreachable!("no stream was asked for: {stream:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_dialect_passes_byte_for_byte_and_is_understood() {
    for (dialect, body) in [(OPENAI, COMPLETION), (ANTHROPIC, MESSAGE)] {
        let (head, tail) = body.split_at(40);
        let mut script = Script::new([bytes(head), bytes(tail)]);
        script
            .headers
            .insert("x-request-id", HeaderValue::from_static("req_7"));
        let whole = whole(&script, dialect, dialect).await.unwrap();
        assert_eq!(whole.body, body);
        let facts = &whole.facts;
        assert_eq!(facts.finish, Some(FinishReason::Stop));
        assert_eq!(
            (
                facts.usage.input_tokens,
                facts.usage.output_tokens,
                facts.usage.cache_read_tokens
            ),
            (9, 3, 4)
        );
        assert_eq!(facts.request_id.as_deref(), Some("req_7"));
        assert!(facts.dropped.is_empty());
        assert_eq!(whole.chat().unwrap().text(), "Hello.");
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_models_name_changes_in_the_request() {
    for dialect in [OPENAI, ANTHROPIC] {
        let script = Script::new([bytes(if dialect == OPENAI {
            COMPLETION
        } else {
            MESSAGE
        })]);
        let call = call(dialect, false);
        run(&script, dialect, &call).await.unwrap();
        let seen = script.seen.lock().unwrap().take().unwrap();
        let model = script::endpoint(dialect).model().to_owned();
        let expected = String::from_utf8(call.body().to_vec()).unwrap();
        assert_eq!(
            seen.body,
            expected.replace("\"route\"", &format!("\"{model}\""))
        );
        assert_eq!(seen.headers["accept"], "application/json");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_a_caller_of_the_other_dialect() {
    let script = Script::new([bytes(MESSAGE)]);
    let answer = whole(&script, ANTHROPIC, OPENAI).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["object"], "chat.completion");
    assert_eq!(json["created"], 1_800_000_000);
    assert_eq!(json["model"], "claude-sonnet-5");
    assert_eq!(json["choices"][0]["message"]["content"], "Hello.");
    assert_eq!(json["choices"][0]["finish_reason"], "stop");
    assert_eq!(json["usage"]["prompt_tokens"], 9);
    assert_eq!(json["usage"]["prompt_tokens_details"]["cached_tokens"], 4);

    let script = Script::new([bytes(COMPLETION)]);
    let answer = whole(&script, OPENAI, ANTHROPIC).await.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(json["type"], "message");
    assert_eq!(json["content"][0]["text"], "Hello.");
    assert_eq!(json["stop_reason"], "end_turn");
    assert_eq!(json["usage"]["input_tokens"], 5);
    assert_eq!(json["usage"]["cache_read_input_tokens"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_length_stop_or_a_refusal_that_says_something_is_an_answer() {
    let bodies = [
        (
            OPENAI,
            COMPLETION.replace("\"stop\"", "\"length\""),
            FinishReason::Length,
        ),
        (
            OPENAI,
            COMPLETION.replace("\"stop\"", "\"content_filter\""),
            FinishReason::ContentFilter,
        ),
        (
            OPENAI,
            COMPLETION.replace(
                "\"content\":\"Hello.\",\"refusal\":null",
                "\"content\":null,\"refusal\":\"No.\"",
            ),
            FinishReason::Stop,
        ),
        (
            ANTHROPIC,
            MESSAGE.replace("end_turn", "max_tokens"),
            FinishReason::Length,
        ),
        (
            ANTHROPIC,
            MESSAGE.replace("end_turn", "refusal"),
            FinishReason::Refusal,
        ),
    ];
    for (dialect, body, finish) in bodies {
        let answer = whole(&Script::new([bytes(&body)]), dialect, dialect).await;
        assert_eq!(answer.unwrap().facts.finish, Some(finish), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_200_that_is_no_answer_is_a_failure() {
    let cut = &COMPLETION[..COMPLETION.len() - 60];
    let empty = COMPLETION.replace("\"Hello.\"", "\"\"");
    let silent = MESSAGE.replace(r#"[{"type":"text","text":"Hello."}]"#, "[]");
    let thought = MESSAGE.replace(
        r#"{"type":"text","text":"Hello."}"#,
        r#"{"type":"thinking","thinking":"hm","signature":"s"}"#,
    );
    let page = "<html><body>502 Bad Gateway</body></html>";
    let error = r#"{"error":{"message":"The server is overloaded","type":"overloaded_error"}}"#;
    let cases: [(&str, Dialect, &str); 9] = [
        ("cut", OPENAI, cut),
        ("empty text", OPENAI, &empty),
        ("no choices", OPENAI, r#"{"choices":[]}"#),
        ("no blocks", ANTHROPIC, &silent),
        ("reasoning alone", ANTHROPIC, &thought),
        ("nothing", OPENAI, ""),
        ("no JSON", OPENAI, "hello"),
        ("a page", ANTHROPIC, page),
        ("an error", OPENAI, error),
    ];
    for (name, dialect, body) in cases {
        for stream in [false, true] {
            let script = Script::new([bytes(body)]);
            let failure = run(&script, dialect, &call(dialect, stream))
                .await
                .unwrap_err();
            assert_ne!(failure.verdict.kind, ErrorKind::InvalidRequest, "{name}");
            if name == "an error" {
                assert_eq!(failure.verdict.kind, ErrorKind::Overloaded);
                assert_eq!(failure.message(), Some("The server is overloaded"));
            }
            if name == "a page" {
                assert_eq!(failure.verdict.kind, ErrorKind::BadGatewayHtml);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_classified_and_its_words_are_kept_for_the_caller() {
    let body = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    for stream in [false, true] {
        let mut script = Script::status(429, [bytes(body)]);
        script
            .headers
            .insert("x-request-id", HeaderValue::from_static("req_9"));
        let failure = run(&script, OPENAI, &call(OPENAI, stream))
            .await
            .unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::QuotaExhausted);
        assert_eq!(failure.status, Some(429));
        assert_eq!(failure.message(), Some("You exceeded your current quota"));
        assert_eq!(failure.body().unwrap(), body);
        assert_eq!(failure.request_id(), Some("req_9"));
    }
    let mut script = Script::status(429, [bytes(r#"{"error":{"message":"slow down"}}"#)]);
    script
        .headers
        .insert("retry-after", HeaderValue::from_static("7"));
    let failure = run(&script, OPENAI, &call(OPENAI, false))
        .await
        .unwrap_err();
    assert_eq!(failure.verdict.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test(start_paused = true)]
async fn an_errors_body_is_bounded_in_bytes_and_in_time() {
    let script = Script::status(500, [bytes(vec![b'x'; MAX_ERROR_BODY_BYTES * 3])]);
    let failure = run(&script, OPENAI, &call(OPENAI, false))
        .await
        .unwrap_err();
    assert_eq!(failure.body().unwrap().len(), MAX_ERROR_BODY_BYTES);

    let begun = tokio::time::Instant::now();
    let script = Script::status(503, [bytes("busy"), wait(50)]);
    let failure = run(&script, OPENAI, &call(OPENAI, false))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.status, failure.message()),
        (Some(503), Some("busy"))
    );
    assert!(begun.elapsed() <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_has_the_total_window_and_no_other() {
    let begun = tokio::time::Instant::now();
    let failure = whole(&Script::new([bytes("{"), wait(99)]), OPENAI, OPENAI)
        .await
        .unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::Timeout);
    assert_eq!(begun.elapsed(), script::WINDOWS.total);
    let slow = Script::new([wait(50), bytes(COMPLETION)]);
    assert!(whole(&slow, OPENAI, OPENAI).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_and_a_body_without_end_are_failures() {
    let reset = Script::new([bytes("{"), Step::Fault(TransportFault::Reset)]);
    let failure = whole(&reset, OPENAI, OPENAI).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::Network);
    let half = vec![b' '; MAX_REPLY_BYTES / 2 + 1];
    let endless = Script::new([bytes(&half), bytes(&half)]);
    assert!(whole(&endless, OPENAI, OPENAI).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_document_where_a_stream_was_due_is_unrolled() {
    for (upstream, body) in [(OPENAI, COMPLETION), (ANTHROPIC, MESSAGE)] {
        for caller in [OPENAI, ANTHROPIC] {
            let script = Script::new([bytes(body)]);
            let mut stream = open(&script, upstream, caller).await.unwrap();
            let (text, failure) = drain(&mut stream).await;
            assert!(failure.is_none());
            let end = if caller == OPENAI {
                "data: [DONE]\n\n"
            } else {
                "\"message_stop\"}\n\n"
            };
            assert!(text.contains("Hello.") && text.ends_with(end), "{text}");
            assert_eq!(stream.facts().usage.output_tokens, 3);
        }
    }
}
