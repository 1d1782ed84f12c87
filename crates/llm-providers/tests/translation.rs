//! Streams and requests that cross from one dialect to the other.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/script.rs"]
mod script;
#[path = "support/wire.rs"]
mod wire;

use llm_errors::{ErrorKind, Provider};
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{Call, Dialect, form, model};
use script::{Script, bytes, drain, open, run};
use serde_json::{Value, json};

const OPENAI: Dialect = Dialect::OpenAiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

/// What a caller of `caller`'s dialect makes of a stream of `upstream`'s.
async fn cross(events: &[String], upstream: Dialect, caller: Dialect) -> (String, Reply) {
    let script = Script::new(events.iter().map(bytes));
    let mut stream = open(&script, upstream, caller).await.unwrap();
    let (text, failure) = drain(&mut stream).await;
    assert!(failure.is_none(), "{failure:?}");
    let reply = form::decode_stream(caller, text.as_bytes()).expect("the stream is whole");
    (text, reply)
}

/// The names of an Anthropic stream's events.
fn names(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect()
}

/// Sends `body` to a target of `upstream`'s dialect: what it received, and what was dropped.
async fn sent(body: &Value, from: Dialect, to: Dialect) -> (Value, Vec<&'static str>) {
    let call = Call::parse(from, body.to_string().into()).unwrap();
    let answer = form::encode_whole(to, &{
        let mut reply = Reply::default();
        reply.parts = vec![Part::text("ok")];
        reply.finish = Some(FinishReason::Stop);
        reply
    });
    let script = Script::new([bytes(answer)]);
    let llm_providers::Exchange::Whole(whole) = run(&script, to, &call).await.unwrap() else {
        unreachable!("no stream was asked for");
    };
    (script.sent(), whole.facts.dropped)
}

#[tokio::test(start_paused = true)]
async fn text_crosses_as_a_stream_both_ways() {
    let words = ["Grüße", " 你好"];
    let (text, reply) = cross(&wire::openai(&words), OPENAI, ANTHROPIC).await;
    assert_eq!(reply.text(), "Grüße 你好");
    assert_eq!(reply.model, "gpt-4o-2024");
    assert_eq!(reply.finish, Some(FinishReason::Stop));
    assert_eq!(
        (
            reply.usage.input_tokens,
            reply.usage.cache_read_tokens,
            reply.usage.output_tokens
        ),
        (9, 4, 3)
    );
    assert_eq!(
        names(&text),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );

    let (text, reply) = cross(&wire::anthropic(&words), ANTHROPIC, OPENAI).await;
    assert_eq!(reply.text(), "Grüße 你好");
    assert_eq!(reply.model, "claude-sonnet-5");
    assert_eq!(reply.finish, Some(FinishReason::Stop));
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert!(
        !text.contains("\"usage\""),
        "the caller did not ask for usage"
    );
    assert!(text.contains("\"created\":1800000000"));
}

#[tokio::test(start_paused = true)]
async fn parallel_tool_calls_cross_as_a_stream() {
    let chunk = |calls: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":{calls}}},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let events = [
        chunk(
            r#"[{"index":0,"id":"call_a","type":"function","function":{"name":"sum","arguments":""}}]"#,
            "null",
        ),
        chunk(
            r#"[{"index":0,"function":{"arguments":"{\"a\":"}}]"#,
            "null",
        ),
        chunk(r#"[{"index":0,"function":{"arguments":"1}"}}]"#, "null"),
        chunk(
            r#"[{"index":1,"id":"call_b","type":"function","function":{"name":"now","arguments":"{}"}}]"#,
            "null",
        ),
        chunk("null", "\"tool_calls\""),
        "data: [DONE]\n\n".to_owned(),
    ];
    let (text, reply) = cross(&events, OPENAI, ANTHROPIC).await;
    assert_eq!(reply.finish, Some(FinishReason::ToolCalls));
    let calls: Vec<_> = reply
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolCall(call) => (
                call.id.as_str(),
                call.name.as_str(),
                call.arguments.as_str(),
            ),
            other => unreachable!("{other:?}"),
        })
        .collect();
    assert_eq!(
        calls,
        [("call_a", "sum", "{\"a\":1}"), ("call_b", "now", "{}")]
    );

    // And back again.
    let events: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    let (_, back) = cross(&events, ANTHROPIC, OPENAI).await;
    assert_eq!(back.parts, reply.parts);
    assert_eq!(back.finish, Some(FinishReason::ToolCalls));
}

#[tokio::test(start_paused = true)]
async fn a_call_without_arguments_has_an_empty_object() {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let events = [
        event(
            "message_start",
            r#","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}"#,
        ),
        event(
            "content_block_start",
            r#","index":0,"content_block":{"type":"tool_use","id":"t","name":"now","input":{}}"#,
        ),
        event(
            "content_block_delta",
            r#","index":0,"delta":{"type":"input_json_delta","partial_json":""}"#,
        ),
        event("content_block_stop", r#","index":0"#),
        event(
            "message_delta",
            r#","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}"#,
        ),
        event("message_stop", ""),
    ];
    let (_, reply) = cross(&events, ANTHROPIC, OPENAI).await;
    assert!(matches!(&reply.parts[0], Part::ToolCall(call) if call.arguments == "{}"));
}

#[tokio::test(start_paused = true)]
async fn reasoning_crosses_as_a_stream() {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let events = [
        event("message_start", r#","message":{"id":"m","model":"c"}"#),
        event(
            "content_block_start",
            r#","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}"#,
        ),
        event(
            "content_block_delta",
            r#","index":0,"delta":{"type":"thinking_delta","thinking":"let me see"}"#,
        ),
        event(
            "content_block_delta",
            r#","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}"#,
        ),
        event("content_block_stop", r#","index":0"#),
        event(
            "content_block_start",
            r#","index":1,"content_block":{"type":"text","text":""}"#,
        ),
        event(
            "content_block_delta",
            r#","index":1,"delta":{"type":"text_delta","text":"42"}"#,
        ),
        event("content_block_stop", r#","index":1"#),
        event(
            "message_delta",
            r#","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":2}"#,
        ),
        event("message_stop", ""),
    ];
    let (text, reply) = cross(&events, ANTHROPIC, OPENAI).await;
    assert!(text.contains(r#""reasoning_content":"let me see""#));
    assert_eq!(reply.text(), "42");
    assert_eq!(reply.finish, Some(FinishReason::Length));

    let events: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    let (text, reply) = cross(&events, OPENAI, ANTHROPIC).await;
    assert!(
        !text.contains("thinking"),
        "an unsigned thought could not be sent back, and would spoil the conversation"
    );
    assert_eq!(
        (reply.text().as_str(), reply.finish),
        ("42", Some(FinishReason::Length))
    );
}

#[tokio::test(start_paused = true)]
async fn reasoning_that_was_left_out_of_an_answer_is_named() {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let events = [
        chunk(r#"{"reasoning_content":"hm"}"#, "null"),
        chunk(r#"{"content":"42"}"#, "null"),
        chunk("{}", "\"stop\""),
    ];
    let mut stream = open(&Script::new(events.map(bytes)), OPENAI, ANTHROPIC)
        .await
        .unwrap();
    let (text, failure) = drain(&mut stream).await;
    assert!(failure.is_none() && text.contains("42") && !text.contains("hm"));
    assert_eq!(stream.facts().dropped, ["reply.reasoning"]);

    let whole = r#"{"choices":[{"index":0,"message":{"content":"42","reasoning_content":"hm"},"finish_reason":"stop"}]}"#;
    let call = script::call(ANTHROPIC, false);
    let llm_providers::Exchange::Whole(whole) = run(&Script::new([bytes(whole)]), OPENAI, &call)
        .await
        .unwrap()
    else {
        unreachable!("no stream was asked for");
    };
    assert_eq!(whole.facts.dropped, ["reply.reasoning"]);
    assert_eq!(whole.chat().unwrap().parts, [Part::text("42")]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_is_never_ended_in_the_other_dialect() {
    for (upstream, caller, events) in [
        (OPENAI, ANTHROPIC, wire::openai(&["a", "b"])),
        (ANTHROPIC, OPENAI, wire::anthropic(&["a", "b"])),
    ] {
        let first = events
            .iter()
            .position(|event| event.contains("\"a\""))
            .unwrap();
        let finish = events
            .iter()
            .position(|event| event.contains("reason\":\""))
            .unwrap();
        for cut in first..finish {
            let script = Script::new(events[..=cut].iter().map(bytes));
            let mut stream = open(&script, upstream, caller).await.unwrap();
            let (text, failure) = drain(&mut stream).await;
            assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Truncated);
            for mark in [
                "[DONE]",
                "message_stop",
                "\"finish_reason\":\"",
                "\"stop_reason\":\"",
            ] {
                assert!(!text.contains(mark), "{mark} after a cut at {cut}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_crosses_from_openai_to_anthropic() {
    let body = json!({
        "model": "route",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "high"}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "call.1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}},
                {"id": "call.2", "type": "function", "function": {"name": "look", "arguments": ""}},
            ]},
            {"role": "tool", "tool_call_id": "call.1", "content": "a cat"},
            {"role": "tool", "tool_call_id": "call.2", "content": ""},
            {"role": "user", "content": "And now?", "name": "ann"},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": true}}],
        "tool_choice": "required",
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": true}},
        "max_completion_tokens": 50,
        "temperature": 1.5,
        "top_p": 0.9,
        "stop": ["END", " "],
        "seed": 7,
        "presence_penalty": 0.5,
        "user": "u-1",
        "metadata": {"trace": "t"},
        "logit_bias": {"1": 2},
        "n": 1,
    });
    let (sent, dropped) = sent(&body, OPENAI, ANTHROPIC).await;
    assert_eq!(
        sent,
        json!({
            "model": "claude-sonnet-5",
            "system": "Be brief.",
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "image", "source": {"type": "url", "url": "https://x.example/a.png"}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "look", "input": {"at": 1}},
                    {"type": "tool_use", "id": "call_2", "name": "look", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "a cat"},
                    {"type": "tool_result", "tool_use_id": "call_2"},
                    {"type": "text", "text": "And now?"},
                ]},
            ],
            "tools": [{"name": "look", "description": "Looks.", "input_schema": {"type": "object", "additionalProperties": false}, "strict": true}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false}}},
            "max_tokens": 50,
            "stop_sequences": ["END"],
            "metadata": {"user_id": "u-1"},
        })
    );
    assert_eq!(
        dropped,
        [
            "logit_bias",
            "messages.image.detail",
            "messages.name",
            "metadata",
            "presence_penalty",
            "seed",
            "stop",
            "temperature",
            "top_p"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_conversation_crosses_from_anthropic_to_openai() {
    let body = json!({
        "model": "route",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "What is this?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    {"type": "text", "text": "a cat"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                ]},
                {"type": "text", "text": "And now?"},
            ]},
        ],
        "tools": [
            {"name": "look", "input_schema": {"type": "object"}},
        ],
        "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": true},
        "temperature": 0.5,
        "top_k": 5,
        "stop_sequences": ["A", "B"],
        "thinking": {"type": "adaptive"},
        "metadata": {"user_id": "u-1"},
        "service_tier": "auto",
    });
    let (sent, dropped) = sent(&body, ANTHROPIC, OPENAI).await;
    assert_eq!(
        sent,
        json!({
            "model": "gpt-4o",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is this?"},
                {"role": "assistant", "content": "I look.", "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}},
                ]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "a cat"},
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    {"type": "text", "text": "And now?"},
                ]},
            ],
            "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "look"}},
            "parallel_tool_calls": false,
            "max_completion_tokens": 50,
            "temperature": 0.5,
            "stop": ["A", "B"],
            "user": "u-1",
        })
    );
    assert_eq!(
        dropped,
        [
            "cache_control",
            "messages.thinking",
            "reasoning",
            "service_tier",
            "tool_result.is_error",
            "top_k"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn json_mode_is_asked_for_in_words_and_named_as_dropped() {
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hi"}], "response_format": {"type": "json_object"}});
    let (sent, dropped) = sent(&body, OPENAI, ANTHROPIC).await;
    assert!(sent["system"].as_str().unwrap().contains("JSON"));
    // The caller set no limit, and waits for the whole: as much as comes within ten minutes.
    let known = model::lookup(Provider::Anthropic, "claude-sonnet-5").unwrap();
    let (most, window) = (known.max_output.unwrap(), known.context_window.unwrap());
    assert_eq!(sent["max_tokens"], most.min(window / 8).min(21_333));
    assert_eq!(dropped, ["response_format"]);
}

#[tokio::test(start_paused = true)]
async fn reasoning_effort_becomes_adaptive_thinking() {
    let body = json!({
        "model": "r", "reasoning_effort": "high", "temperature": 0.2,
        "messages": [{"role": "user", "content": "hi"}],
    });
    let (sent, dropped) = sent(&body, OPENAI, ANTHROPIC).await;
    assert_eq!(sent["thinking"], json!({"type": "adaptive"}));
    assert_eq!(sent["output_config"], json!({"effort": "high"}));
    assert_eq!(sent.get("temperature"), None);
    assert_eq!(dropped, ["temperature"]);
}

#[tokio::test(start_paused = true)]
async fn instructions_in_the_middle_move_to_the_front_and_neighbours_merge() {
    let body = json!({"model": "r", "messages": [
        {"role": "system", "content": "One."},
        {"role": "user", "content": "a"},
        {"role": "system", "content": "Two."},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "It is "},
    ]});
    let (sent, dropped) = sent(&body, OPENAI, ANTHROPIC).await;
    assert_eq!(
        sent["system"],
        json!([{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}])
    );
    assert_eq!(
        sent["messages"],
        json!([
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": "It is"},
        ])
    );
    assert_eq!(dropped, ["messages.system_position"]);
}

#[tokio::test(start_paused = true)]
async fn a_field_of_the_wrong_shape_is_the_callers_fault_only_where_it_must_be_read() {
    let body = json!({"model": "r", "messages": [{"role": "user", "content": 7}]});
    let call = Call::parse(OPENAI, body.to_string().into()).unwrap();
    let completion = form::encode_whole(OPENAI, &{
        let mut reply = Reply::default();
        reply.parts = vec![Part::text("ok")];
        reply
    });
    let script = Script::new([bytes(completion)]);
    assert!(
        run(&script, OPENAI, &call).await.is_ok(),
        "the same dialect leaves it to the provider"
    );
    let failure = run(&script, ANTHROPIC, &call).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::InvalidRequest);
    assert_eq!(
        failure.message(),
        Some("`content` must be a string or a list")
    );
}
