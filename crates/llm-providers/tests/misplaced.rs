//! Parts of an answer that stand where they do not belong: they fail the stream, and are never put into another place.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/script.rs"]
mod script;

use llm_errors::{ErrorKind, Provider};
use llm_providers::chat::Part;
use llm_providers::{Dialect, Endpoint, Exchange, Wire, exchange, form};
use script::{Script, WINDOWS, bytes, call, drain};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// What a caller makes of a target's stream: its answer, or how it failed.
async fn read(wire: Wire, caller: Dialect, stream: Vec<u8>) -> Result<String, ErrorKind> {
    let to = Endpoint::builder(Provider::Other, "m").base_url("http://127.0.0.1:9");
    let to = to.wire(wire).build().unwrap();
    let script = Script::new([bytes(stream)]);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let opened = exchange(&script, &to, &call(caller, true), &WINDOWS, now).await;
    let Exchange::Stream(mut stream) = opened.map_err(|failure| failure.verdict.kind)? else {
        unreachable!("a stream was asked for");
    };
    let (text, failure) = drain(&mut stream).await;
    match failure {
        Some(failure) => Err(failure.verdict.kind),
        None => Ok(text),
    }
}

fn anthropic(events: &[Value]) -> Vec<u8> {
    let start = json!({"type": "message_start", "message": {"id": "x", "model": "m", "usage": {"input_tokens": 1}}});
    let end = [
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    let all = std::iter::once(&start).chain(events).chain(&end);
    let all = all.map(|event| {
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap()
        )
    });
    all.collect::<String>().into_bytes()
}

fn begin(index: u32, name: &str) -> Value {
    let block =
        json!({"type": "tool_use", "id": format!("call_{name}"), "name": name, "input": {}});
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn more(index: u32, json: &str) -> Value {
    let delta = json!({"type": "input_json_delta", "partial_json": json});
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

#[tokio::test]
async fn a_part_of_another_block_fails_the_stream() {
    let orderly = [
        begin(0, "a"),
        more(0, "{\"x\":1}"),
        stop(0),
        begin(1, "b"),
        more(1, "{\"y\":2}"),
        stop(1),
    ];
    for caller in [Dialect::OpenAiChat, Dialect::OpenAiResponses] {
        let whole = read(Wire::AnthropicMessages, caller, anthropic(&orderly)).await;
        let reply = form::decode_stream(caller, whole.unwrap().as_bytes()).unwrap();
        let calls = reply.parts.iter().filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.arguments.as_str()),
            _ => None,
        });
        assert_eq!(calls.collect::<Vec<_>>(), ["{\"x\":1}", "{\"y\":2}"]);

        // The arguments change places.
        let mut mixed = orderly.clone();
        mixed[1] = more(1, "{\"y\":2}");
        mixed[4] = more(0, "{\"x\":1}");
        // They stand in a text, before any block, and after all.
        let text = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "hi"}});
        let in_text = vec![text, more(0, "{}"), stop(0)];
        let first = vec![more(0, "{}"), begin(0, "a"), stop(0)];
        let last = vec![begin(0, "a"), more(0, "{}"), stop(0), more(0, ",{}")];
        let foreign_stop = vec![begin(0, "a"), stop(3), more(0, "{}")];
        for events in [mixed.to_vec(), in_text, first, last, foreign_stop] {
            let seen = read(Wire::AnthropicMessages, caller, anthropic(&events)).await;
            assert!(seen.is_err(), "{caller}: {events:?}");
        }
    }
}

#[tokio::test]
async fn arguments_of_no_call_fail_the_stream() {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let chunk = json!({"id": "c", "model": "m", "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let end = chunk(json!({}), json!("tool_calls")) + "data: [DONE]\n\n";
    let nameless =
        json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"arguments": "{}"}}]});
    let headless = json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]});
    for delta in [nameless, headless] {
        let stream = (chunk(delta.clone(), Value::Null) + &end).into_bytes();
        let seen = read(Wire::OpenAiChat, Dialect::AnthropicMessages, stream).await;
        assert!(seen.is_err(), "{delta}");
    }
    let cohere = |events: &[Value]| {
        let all = events.iter().map(|event| format!("data: {event}\n\n"));
        all.collect::<String>().into_bytes()
    };
    let function = json!({"arguments": "{}"});
    let stray = cohere(&[
        json!({"type": "message-start", "id": "x"}),
        json!({"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": {"function": function}}}}),
        json!({"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}}),
    ]);
    for caller in [
        Dialect::OpenAiChat,
        Dialect::AnthropicMessages,
        Dialect::OpenAiResponses,
    ] {
        assert!(
            read(Wire::CohereChat, caller, stray.clone()).await.is_err(),
            "{caller}"
        );
    }
}

#[tokio::test]
async fn a_call_of_no_tool_fails_the_stream() {
    let events = [
        json!({"type": "message_start", "message": {"id": "m", "model": "m", "role": "assistant", "content": []}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "input": {}}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 2}}),
        json!({"type": "message_stop"}),
    ];
    let all = events.iter().map(|event| format!("data: {event}\n\n"));
    let stream = all.collect::<String>().into_bytes();
    let seen = read(Wire::AnthropicMessages, Dialect::OpenAiChat, stream).await;
    assert!(seen.is_err());
}
