//! Bedrock's Converse: what is sent and signed, and what an answer becomes in the callers' dialects.

mod claude;

use crate::script::{Script, Step, bytes};
use crate::stage::{answer, call, cut_answer, run, sent, take_thinking, whole};
use llm_errors::{ErrorKind, Phase, Provider};
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{AwsCredential, AwsKeys, Call, Dialect, Endpoint};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn endpoint(model: &str) -> Endpoint {
    let keys = AwsKeys::new("AKIDEXAMPLE", "secret".into());
    Endpoint::builder(Provider::Bedrock, model)
        .region("eu-central-1")
        .authorized_by(Arc::new(AwsCredential::new(
            keys,
            "eu-central-1",
            "bedrock",
        )))
        .build()
        .unwrap()
}

/// CRC-32 bit by bit, as the standard has it.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

/// One message of the binary stream.
fn message(headers: &[(&str, &str)], payload: &Value) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let payload = payload.to_string();
    let total = 16 + block.len() + payload.len();
    let mut out = u32::try_from(total).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out.extend_from_slice(&block);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out
}

pub(crate) fn event(name: &str, payload: Value) -> Vec<u8> {
    let headers = [
        (":event-type", name),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    message(&headers, &payload)
}

fn exception(name: &str, text: &str) -> Vec<u8> {
    let headers = [(":exception-type", name), (":message-type", "exception")];
    message(&headers, &json!({"message": text}))
}

fn usage() -> Value {
    json!({"inputTokens": 6, "outputTokens": 12, "totalTokens": 22, "cacheReadInputTokens": 4})
}

fn whole_body() -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": [
            {"reasoningContent": {"reasoningText": {"text": "Let me think.", "signature": "c2ln"}}},
            {"text": "It is warm."},
            {"toolUse": {"toolUseId": "tooluse_1", "name": "weather", "input": {"city": "Köln"}}},
        ]}},
        "stopReason": "tool_use",
        "usage": usage(),
        "metrics": {"latencyMs": 100},
    })
}

fn events() -> Vec<Vec<u8>> {
    let delta = |index: u32, delta: Value| {
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": delta, "p": "abcd"}),
        )
    };
    let stop = |index: u32| {
        event(
            "contentBlockStop",
            json!({"contentBlockIndex": index, "p": "abc"}),
        )
    };
    vec![
        event("messageStart", json!({"p": "abcdef", "role": "assistant"})),
        delta(0, json!({"reasoningContent": {"text": "Let me "}})),
        delta(0, json!({"reasoningContent": {"text": "think."}})),
        delta(0, json!({"reasoningContent": {"signature": "c2ln"}})),
        stop(0),
        delta(1, json!({"text": "It is "})),
        delta(1, json!({"text": "warm."})),
        stop(1),
        event(
            "contentBlockStart",
            json!({"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "weather"}}}),
        ),
        delta(2, json!({"toolUse": {"input": "{\"city\":"}})),
        delta(2, json!({"toolUse": {"input": "\"Köln\"}"}})),
        stop(2),
        event("messageStop", json!({"stopReason": "tool_use"})),
        event(
            "metadata",
            json!({"usage": usage(), "metrics": {"latencyMs": 100}}),
        ),
    ]
}

fn expect_answer(mut reply: Reply) {
    // The seal is Anthropic's own, so the reasoning reaches callers of either dialect.
    assert_eq!(take_thinking(&mut reply).as_deref(), Some("Let me think."));
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
        ("tooluse_1", "weather", r#"{"city":"Köln"}"#)
    );
    assert_eq!(reply.finish, Some(FinishReason::ToolCalls));
    assert_eq!(
        reply.model, CLAUDE,
        "the wire does not say, so the target does"
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
async fn a_request_is_signed_as_it_goes_out() {
    let script = Script::new([bytes(whole_body().to_string())]);
    let endpoint = endpoint(CLAUDE);
    drop(
        run(&script, &endpoint, &call(Dialect::OpenAiChat, false))
            .await
            .unwrap(),
    );
    let seen = script.seen.lock().unwrap();
    let request = seen.as_ref().unwrap();
    assert_eq!(
        request.uri.to_string(),
        "https://bedrock-runtime.eu-central-1.amazonaws.com/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"
    );
    let signature = request.headers["authorization"].to_str().unwrap();
    let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-central-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=";
    assert!(signature.starts_with(scope), "{signature}");
    assert_eq!(request.headers["x-amz-date"], "20270115T080000Z");
    assert!(!format!("{request:?} {endpoint:?}").contains("AKID"));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_request_asks_for_the_binary_stream() {
    let script = Script::new(events().iter().map(bytes));
    drop(
        run(&script, &endpoint(CLAUDE), &call(Dialect::OpenAiChat, true))
            .await
            .unwrap(),
    );
    let seen = script.seen.lock().unwrap();
    let request = seen.as_ref().unwrap();
    assert!(request.uri.path().ends_with("/converse-stream"));
    assert_eq!(
        request.headers["accept"],
        "application/vnd.amazon.eventstream"
    );
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_written_as_converse_wants_it() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let tool = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let request = json!({
        "model": "route",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "And here?"},
                {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,aWNvbg=="}},
                {"type": "file", "file": {"filename": "my_file.pdf", "file_data": "data:application/pdf;base64,aWNvbg=="}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Köln\"}"}},
                {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "20 degrees"},
            {"role": "tool", "tool_call_id": "c2", "content": ""},
            {"role": "user", "content": "Thanks"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": tool, "strict": true}}],
        "tool_choice": "required",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        "max_tokens": 100, "temperature": 1.5, "top_p": 0.9, "stop": ["END"], "seed": 7,
    });
    let (body, dropped) = sent(&endpoint(CLAUDE), &whole_body(), &request).await;
    // Claude is held to objects that hold nothing else.
    let closed = |schema: &Value| {
        let mut schema = schema.clone();
        schema["additionalProperties"] = json!(false);
        schema
    };
    let expected = json!({
        "system": [{"text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [
                {"text": "And here?"},
                {"image": {"format": "jpeg", "source": {"bytes": "aWNvbg=="}}},
                {"document": {"format": "pdf", "name": "my file pdf 1", "source": {"bytes": "aWNvbg=="}}},
            ]},
            {"role": "assistant", "content": [
                {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"city": "Köln"}}},
                {"toolUse": {"toolUseId": "c2", "name": "weather", "input": {}}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "c1", "content": [{"text": "20 degrees"}], "status": "success"}},
                {"toolResult": {"toolUseId": "c2", "content": [{"text": ""}], "status": "success"}},
                {"text": "Thanks"},
            ]},
        ],
        "toolConfig": {
            "tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": closed(&tool)}, "strict": true}}],
            "toolChoice": {"any": {}},
        },
        "outputConfig": {"textFormat": {"type": "json_schema",
            "structure": {"jsonSchema": {"name": "n", "schema": closed(&schema).to_string()}}}},
        "inferenceConfig": {"maxTokens": 100, "temperature": 1.0, "stopSequences": ["END"]},
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, ["seed", "temperature", "top_p"]);
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_cannot_be_carried_is_no_request() {
    let request = json!({"model": "route", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]}]});
    let script = Script::new([bytes("")]);
    let call = Call::parse(Dialect::OpenAiChat, request.to_string().into()).unwrap();
    let failure = whole(&script, &endpoint(CLAUDE), &call).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
    assert!(script.seen.lock().unwrap().is_none(), "nothing was sent");
}

#[tokio::test(start_paused = true)]
async fn the_beginning_of_an_answer_is_sent_without_the_space_at_its_end() {
    let request = json!({"model": "route", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "It is \n"},
    ]});
    let (body, _) = sent(&endpoint(CLAUDE), &whole_body(), &request).await;
    assert_eq!(body["messages"][1]["content"], json!([{"text": "It is"}]));
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_callers_of_either_dialect() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let script = Script::new([bytes(whole_body().to_string())]);
        let whole = whole(&script, &endpoint(CLAUDE), &call(dialect, false))
            .await
            .unwrap();
        expect_answer(whole.chat().unwrap());
        let steps = events().iter().map(bytes).collect();
        let (reply, _) = answer(&endpoint(CLAUDE), dialect, steps).await.unwrap();
        expect_answer(reply);
    }
}

#[tokio::test(start_paused = true)]
async fn an_exception_inside_the_stream_is_understood_before_and_after_the_first_word() {
    for (name, kind) in [
        ("throttlingException", ErrorKind::RateLimitRequests),
        ("serviceUnavailableException", ErrorKind::Overloaded),
        ("modelStreamErrorException", ErrorKind::ServerError),
        ("internalServerException", ErrorKind::ServerError),
    ] {
        for kept in [0, 1, 6, 10] {
            let mut steps: Vec<Step> = events()[..kept].iter().map(bytes).collect();
            steps.push(bytes(exception(name, "Too many requests, please wait.")));
            let failure = answer(&endpoint(CLAUDE), Dialect::OpenAiChat, steps)
                .await
                .unwrap_err();
            let verdict = failure.verdict;
            if kind != ErrorKind::RateLimitRequests {
                assert_ne!(verdict.kind, ErrorKind::Other, "{name}");
            } else {
                assert_eq!(verdict.kind, kind, "{name}");
            }
            let phase = if kept < 2 {
                Phase::FirstByte
            } else {
                Phase::MidStream
            };
            assert_eq!(verdict.phase, phase, "{name} after {kept}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_damaged_or_disordered_is_never_a_whole_answer() {
    let events = events();
    // Without the stop reason; usage alone may be missing.
    for kept in 0..12 {
        let steps = events[..kept].iter().map(bytes).collect();
        answer(&endpoint(CLAUDE), Dialect::OpenAiChat, steps)
            .await
            .unwrap_err();
    }
    let steps = events[..13].iter().map(bytes).collect();
    answer(&endpoint(CLAUDE), Dialect::OpenAiChat, steps)
        .await
        .unwrap();
    let stream = events.concat();
    // What comes after the stop reason is no part of the answer.
    for at in (0..events[..13].concat().len()).step_by(7) {
        let mut damaged = stream.clone();
        damaged[at] ^= 1;
        answer(&endpoint(CLAUDE), Dialect::OpenAiChat, vec![bytes(damaged)])
            .await
            .unwrap_err();
    }
    // Foreign events are passed over; a known one of an unknown shape is not.
    let mut steps: Vec<Step> = events[..7].iter().map(bytes).collect();
    steps.push(bytes(event("somethingNew", json!({"a": 1}))));
    steps.extend(events[7..].iter().map(bytes));
    let (reply, _) = answer(&endpoint(CLAUDE), Dialect::OpenAiChat, steps)
        .await
        .unwrap();
    expect_answer(reply);
    let mut steps: Vec<Step> = events[..7].iter().map(bytes).collect();
    steps.push(bytes(event("contentBlockDelta", json!({"delta": [1]}))));
    steps.extend(events[7..].iter().map(bytes));
    answer(&endpoint(CLAUDE), Dialect::OpenAiChat, steps)
        .await
        .unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_guardrails_stop_is_a_content_filter() {
    let mut body = whole_body();
    body["stopReason"] = json!("guardrail_intervened");
    body["output"]["message"]["content"] = json!([{"text": "Sorry, I cannot answer that."}]);
    let script = Script::new([bytes(body.to_string())]);
    let call = call(Dialect::OpenAiChat, false);
    let answered = whole(&script, &endpoint(CLAUDE), &call).await.unwrap();
    assert_eq!(
        answered.chat().unwrap().finish,
        Some(FinishReason::ContentFilter)
    );
    body["output"]["message"]["content"] = json!([]);
    let script = Script::new([bytes(body.to_string())]);
    let failure = whole(&script, &endpoint(CLAUDE), &call).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::ContentFilter);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_answer(cuts in prop::collection::vec(0usize..3_000, 0..12)) {
        let (reply, _) = cut_answer(&endpoint(CLAUDE), &events().concat(), cuts).unwrap();
        expect_answer(reply);
    }
}

#[tokio::test]
async fn arguments_of_another_block_fail_the_stream() {
    let start = |index: u32, name: &str| {
        let call = json!({"toolUse": {"toolUseId": name, "name": name}});
        (
            "contentBlockStart",
            json!({"contentBlockIndex": index, "start": call}),
        )
    };
    let more = |index: u32| {
        let delta = json!({"toolUse": {"input": "{}"}});
        (
            "contentBlockDelta",
            json!({"contentBlockIndex": index, "delta": delta}),
        )
    };
    let stop = |index: u32| ("contentBlockStop", json!({"contentBlockIndex": index}));
    let orderly = vec![
        start(0, "a"),
        more(0),
        stop(0),
        start(1, "b"),
        more(1),
        stop(1),
    ];
    let swapped = vec![
        start(0, "a"),
        more(1),
        stop(0),
        start(1, "b"),
        more(0),
        stop(1),
    ];
    let stray = vec![more(0), start(0, "a"), stop(0)];
    for (events, good) in [(orderly, true), (swapped, false), (stray, false)] {
        let end = ("messageStop", json!({"stopReason": "tool_use"}));
        let all = events.into_iter().chain([end]);
        let stream: Vec<u8> = all
            .flat_map(|(name, payload)| event(name, payload))
            .collect();
        let seen = answer(&endpoint(CLAUDE), Dialect::OpenAiChat, vec![bytes(stream)]).await;
        assert_eq!(seen.is_ok(), good);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_made_or_ran_by_itself_is_not_left_out_of_a_stream() {
    let start = |what: Value| {
        event(
            "contentBlockStart",
            json!({"contentBlockIndex": 1, "start": what}),
        )
    };
    let delta = |what: Value| {
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": what}),
        )
    };
    for (foreign, good) in [
        (delta(json!({"text": " there"})), true),
        (start(json!({"image": {"format": "png"}})), false),
        (
            delta(json!({"image": {"source": {"bytes": "AA=="}}})),
            false,
        ),
        (start(json!({"toolResult": {"toolUseId": "t"}})), false),
        (delta(json!({"toolResult": [{"text": "found"}]})), false),
        (
            start(json!({"toolUse": {"toolUseId": "t", "name": "n", "type": "server_tool_use"}})),
            false,
        ),
    ] {
        let said = json!({"contentBlockIndex": 0, "delta": {"text": "Hello"}});
        let end = event("messageStop", json!({"stopReason": "end_turn"}));
        let stream = [event("contentBlockDelta", said), foreign, end].concat();
        let seen = answer(&endpoint(CLAUDE), Dialect::OpenAiChat, vec![bytes(stream)]).await;
        assert_eq!(seen.is_ok(), good);
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_the_model_begins_has_a_turn_of_the_user_before_it() {
    let request = json!({"model": "route", "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "How can I help?"},
        {"role": "user", "content": "hi"},
    ]});
    let (body, dropped) = sent(&endpoint(CLAUDE), &whole_body(), &request).await;
    let roles: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| &turn["role"])
        .collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(dropped, ["messages.first_turn"]);
}

#[tokio::test(start_paused = true)]
async fn how_long_the_cache_is_to_last_is_told_where_it_can_be() {
    let body = json!({"model": "route", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]}]});
    for (model, point, lost) in [
        (CLAUDE, json!({"type": "default", "ttl": "1h"}), false),
        ("amazon.nova-pro-v1:0", json!({"type": "default"}), true),
    ] {
        let call = Call::parse(Dialect::AnthropicMessages, body.to_string().into()).unwrap();
        let script = Script::new([bytes(whole_body().to_string())]);
        let answered = whole(&script, &endpoint(model), &call).await.unwrap();
        assert_eq!(
            script.sent()["messages"][0]["content"][1],
            json!({"cachePoint": point})
        );
        assert_eq!(answered.facts.dropped.contains(&"cache_control.ttl"), lost);
    }
}
