//! Cohere's wire: what is sent, and what an answer of it becomes in the callers' dialects.

use crate::script::{Script, bytes};
use crate::stage::{answer, call, cut_answer, sent, take_thinking, whole};
use llm_errors::{ErrorKind, Provider};
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{Dialect, Endpoint};
use proptest::prelude::*;
use serde_json::{Value, json};

fn endpoint(model: &str) -> Endpoint {
    let endpoint = Endpoint::builder(Provider::Cohere, model).credential("test-key".into());
    endpoint.build().unwrap()
}

const MODEL: &str = "command-a-03-2025";

fn usage() -> Value {
    json!({
        "billed_units": {"input_tokens": 8, "output_tokens": 12},
        "tokens": {"input_tokens": 10.0, "output_tokens": 12}, "cached_tokens": 4,
    })
}

fn whole_body() -> Value {
    json!({
        "id": "c14c80c3", "finish_reason": "TOOL_CALL",
        "message": {
            "role": "assistant",
            "tool_plan": "I will look it up.",
            "content": [{"type": "text", "text": "It is warm."}],
            "tool_calls": [{"id": "weather_1", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\":\"Köln\"}"}}],
        },
        "usage": usage(),
    })
}

fn events() -> Vec<String> {
    let event = |name: &str, rest: Value| {
        let mut data = json!({"type": name});
        data.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        format!("event: {name}\ndata: {data}\n\n")
    };
    let message = |message: Value| json!({"index": 0, "delta": {"message": message}});
    let call = |function: Value| message(json!({"tool_calls": {"function": function}}));
    vec![
        event(
            "message-start",
            json!({"id": "c14c80c3", "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}}),
        ),
        event("tool-plan-delta", message(json!({"tool_plan": "I will "}))),
        event(
            "tool-plan-delta",
            message(json!({"tool_plan": "look it up."})),
        ),
        event(
            "content-start",
            message(json!({"content": {"type": "text", "text": ""}})),
        ),
        event(
            "content-delta",
            message(json!({"content": {"text": "It is "}})),
        ),
        event(
            "content-delta",
            message(json!({"content": {"text": "warm."}})),
        ),
        event("content-end", json!({"index": 0})),
        event(
            "tool-call-start",
            message(
                json!({"tool_calls": {"id": "weather_1", "type": "function", "function": {"name": "weather", "arguments": ""}}}),
            ),
        ),
        event("tool-call-delta", call(json!({"arguments": "{\"city\":"}))),
        event("tool-call-delta", call(json!({"arguments": "\"Köln\"}"}))),
        event("tool-call-end", json!({"index": 0})),
        event(
            "message-end",
            json!({"delta": {"finish_reason": "TOOL_CALL", "usage": usage()}}),
        ),
    ]
}

fn expect_answer(mut reply: Reply, with_thinking: bool) {
    let thinking = take_thinking(&mut reply);
    assert_eq!(
        thinking.as_deref(),
        with_thinking.then_some("I will look it up.")
    );
    assert_eq!(reply.parts[0], Part::text("It is warm."));
    let Part::ToolCall(tool) = &reply.parts[1] else {
        panic!("a tool call comes last");
    };
    assert_eq!(
        (
            tool.id.as_str(),
            tool.name.as_str(),
            tool.arguments.as_str()
        ),
        ("weather_1", "weather", r#"{"city":"Köln"}"#)
    );
    assert_eq!(reply.finish, Some(FinishReason::ToolCalls));
    assert_eq!(
        (reply.id.as_str(), reply.model.as_str()),
        ("c14c80c3", MODEL)
    );
    let usage = reply.usage;
    assert_eq!(
        (
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens
        ),
        (10, 12, 4)
    );
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_written_as_cohere_wants_it() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let request = json!({
        "model": "route",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "And here?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "20 degrees"},
        ],
        "tools": [tool("weather"), tool("time")],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        "max_tokens": 100, "temperature": 1.5, "top_p": 1, "stop": ["END"], "seed": 7,
        "presence_penalty": -0.5, "frequency_penalty": 0.5, "reasoning_effort": "high",
    });
    let (body, dropped) = sent(&endpoint(MODEL), &whole_body(), &request).await;
    let expected = json!({
        "model": MODEL, "stream": false,
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {"role": "user", "content": [
                {"type": "text", "text": "And here?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ]},
            {"role": "assistant", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "20 degrees"},
        ],
        "tools": [tool("weather")],
        "tool_choice": "REQUIRED",
        "response_format": {"type": "json_object", "json_schema": schema},
        "max_tokens": 100, "temperature": 1.0, "p": 0.99, "stop_sequences": ["END"], "seed": 7,
        "frequency_penalty": 0.5,
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, ["presence_penalty", "reasoning", "temperature"]);

    let model = endpoint("command-a-reasoning-08-2025");
    let (body, dropped) = sent(&model, &whole_body(), &request).await;
    assert_eq!(body["thinking"], json!({"type": "enabled"}));
    assert!(!dropped.contains(&"reasoning"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_callers_of_either_dialect() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let thinking = dialect == Dialect::OpenAiChat;
        let script = Script::new([bytes(whole_body().to_string())]);
        let whole = whole(&script, &endpoint(MODEL), &call(dialect, false))
            .await
            .unwrap();
        expect_answer(whole.chat().unwrap(), thinking);
        let steps = events().iter().map(bytes).collect();
        let (reply, _) = answer(&endpoint(MODEL), dialect, steps).await.unwrap();
        expect_answer(reply, thinking);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_and_one_that_ends_in_an_error_are_failures() {
    let events = events();
    for kept in 0..events.len() {
        let steps = events[..kept].iter().map(bytes).collect();
        answer(&endpoint(MODEL), Dialect::OpenAiChat, steps)
            .await
            .unwrap_err();
        let mut steps: Vec<_> = events[..kept].iter().map(bytes).collect();
        steps.push(bytes("event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"internal\"}}\n\n"));
        answer(&endpoint(MODEL), Dialect::OpenAiChat, steps)
            .await
            .unwrap_err();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_answer(cuts in prop::collection::vec(0usize..3_000, 0..12)) {
        let (reply, _) = cut_answer(&endpoint(MODEL), events().concat().as_bytes(), cuts).unwrap();
        expect_answer(reply, true);
    }
}

/// The event that tells why the answer ended is the last of this wire: what fails it must not be followed by an end.
#[tokio::test(start_paused = true)]
async fn an_answer_that_finishes_with_a_broken_call_has_no_end() {
    let mut doubled = events();
    doubled.insert(9, doubled[8].clone());
    for caller in Dialect::ALL {
        let steps = doubled.iter().map(bytes).collect();
        let failure = answer(&endpoint(MODEL), *caller, steps).await.unwrap_err();
        let kind = failure.verdict.kind;
        assert_eq!(kind, ErrorKind::ToolCallInvalid, "{caller}");
    }
}
