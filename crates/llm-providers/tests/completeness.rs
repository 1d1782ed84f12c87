//! No answer is shortened, and no request thinned, without the caller being told.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/script.rs"]
mod script;
#[path = "support/wire.rs"]
mod wire;

use llm_errors::{ErrorKind, Phase};
use llm_providers::chat::{FinishReason, Part, Reply, ToolCall};
use llm_providers::{Call, Dialect, Exchange, Failure, MAX_EVENT_BYTES, Whole, form};
use script::{Script, bytes, call, drain, open, run};
use serde_json::{Value, json};

const OPENAI: Dialect = Dialect::OpenAiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

fn streams() -> [(Dialect, Vec<String>); 2] {
    [
        (OPENAI, wire::openai(&["a", "b", "c"])),
        (ANTHROPIC, wire::anthropic(&["a", "b", "c"])),
    ]
}

/// An answer of OpenAI's wire that calls a tool with these arguments.
fn calling(arguments: &Value, finish: &str) -> String {
    json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": finish, "message": {
        "role": "assistant", "content": "I look.", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}},
        ],
    }}]})
    .to_string()
}

async fn whole(body: &str, upstream: Dialect, caller: Dialect) -> Result<Whole, Failure> {
    match run(&Script::new([bytes(body)]), upstream, &call(caller, false)).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(stream) => unreachable!("no stream was asked for: {stream:?}"),
    }
}

async fn json_of(body: &str) -> Value {
    serde_json::from_slice(&whole(body, OPENAI, ANTHROPIC).await.unwrap().body).unwrap()
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

/// What a caller of Anthropic's wire makes of a stream of OpenAI's.
async fn cross(events: &[String]) -> Reply {
    let script = Script::new(events.iter().map(bytes));
    let mut stream = open(&script, OPENAI, ANTHROPIC).await.unwrap();
    let (text, failure) = drain(&mut stream).await;
    assert!(failure.is_none(), "{failure:?}");
    form::decode_stream(ANTHROPIC, text.as_bytes()).expect("the stream is whole")
}

#[tokio::test(start_paused = true)]
async fn broken_tool_arguments_are_never_an_empty_object() {
    for arguments in ["{\"at\":", "[1]", "\"x\"", "nope"] {
        for finish in ["tool_calls", "stop"] {
            let body = calling(&json!(arguments), finish);
            let failure = whole(&body, OPENAI, ANTHROPIC).await.unwrap_err();
            assert_eq!(failure.verdict.kind, ErrorKind::ToolCallInvalid);
            assert_eq!(failure.verdict.phase, Phase::FirstByte);
            let failure = open(&Script::new([bytes(&body)]), OPENAI, ANTHROPIC)
                .await
                .unwrap_err();
            assert_eq!(failure.verdict.kind, ErrorKind::ToolCallInvalid);
        }
    }
    let good = json_of(&calling(&json!("{\"at\":1}"), "tool_calls")).await;
    assert_eq!(good["content"][1]["input"], json!({"at": 1}));
    let none = json_of(&calling(&json!(""), "tool_calls")).await;
    assert_eq!(none["content"][1]["input"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_tool_call_that_the_output_limit_cut_is_left_out_of_an_answer_that_says_so() {
    let body = calling(&json!("{\"at\":"), "length");
    let answer = whole(&body, OPENAI, ANTHROPIC).await.unwrap();
    assert_eq!(answer.facts.dropped, ["reply.tool_calls"]);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["stop_reason"], "max_tokens");
    assert_eq!(
        answer["content"],
        json!([{"type": "text", "text": "I look."}])
    );

    let mut prepared = Reply::default();
    prepared.finish = Some(FinishReason::ToolCalls);
    prepared.parts = vec![Part::ToolCall(ToolCall {
        id: "c".to_owned(),
        name: "look".to_owned(),
        arguments: "{\"at\":".to_owned(),
    })];
    let written: Value = serde_json::from_slice(&form::encode_whole(ANTHROPIC, &prepared)).unwrap();
    assert_eq!(
        (&written["content"], &written["stop_reason"]),
        (&json!([]), &json!("max_tokens"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_plain_stop_after_tool_calls_still_asks_for_them_to_be_run() {
    for finish in ["stop", "something_new"] {
        let answer = json_of(&calling(&json!("{}"), finish)).await;
        assert_eq!(answer["stop_reason"], "tool_use", "{finish}");
        let events = [
            chunk(
                r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
                "null",
            ),
            chunk("{}", &format!("\"{finish}\"")),
        ];
        assert_eq!(cross(&events).await.finish, Some(FinishReason::ToolCalls));
    }
    let length = json_of(&calling(&json!("{}"), "length")).await;
    assert_eq!(length["stop_reason"], "max_tokens");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_no_object_does_not_end_a_translated_stream() {
    for (upstream, caller) in [(OPENAI, ANTHROPIC), (ANTHROPIC, OPENAI)] {
        let mut events = match upstream {
            OPENAI => wire::openai(&["a", "b"]),
            _ => wire::anthropic(&["a", "b"]),
        };
        for extension in ["\"ext\"", "7", "[]", "null"] {
            events.insert(4, format!("data: {extension}\n\n"));
        }
        let script = Script::new(events.iter().map(bytes));
        let mut stream = open(&script, upstream, caller).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert!(failure.is_none(), "{failure:?}");
        let reply = form::decode_stream(caller, text.as_bytes()).unwrap();
        assert_eq!(reply.text(), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_of_an_odd_shape_is_not_left_out_of_a_translated_stream() {
    let odd = r#"data: {"choices":[{"index":"0","delta":{"content":"x"}}]}"#;
    let mut events = wire::openai(&["a", "b"]);
    events.insert(2, format!("{odd}\n\n"));
    let script = Script::new(events.iter().map(bytes));
    let mut stream = open(&script, OPENAI, ANTHROPIC).await.unwrap();
    assert!(drain(&mut stream).await.1.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_finishes_with_broken_tool_arguments_has_failed() {
    let call = |arguments: &str| {
        chunk(
            &format!(
                r#"{{"tool_calls":[{{"index":0,"id":"c","function":{{"name":"f","arguments":{}}}}}]}}"#,
                json!(arguments)
            ),
            "null",
        )
    };
    for (arguments, finish, kind) in [
        ("{\"at\":", "tool_calls", Some(ErrorKind::ToolCallInvalid)),
        ("[1]", "stop", Some(ErrorKind::ToolCallInvalid)),
        ("{\"at\":", "length", None),
        ("{\"at\":1}", "tool_calls", None),
        ("", "tool_calls", None),
    ] {
        let events = [call(arguments), chunk("{}", &format!("\"{finish}\""))];
        let script = Script::new(events.iter().map(bytes));
        let mut stream = open(&script, OPENAI, ANTHROPIC).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert_eq!(failure.map(|failure| failure.verdict.kind), kind);
        assert_eq!(text.contains("message_stop"), kind.is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_event_that_cannot_be_translated_is_no_normal_end() {
    let odd = chunk(
        r#"{"content":[{"type":"image_url","image_url":"u"}]}"#,
        "\"stop\"",
    );
    let events = [chunk(r#"{"content":"a"}"#, "null"), odd];
    let script = Script::new(events.iter().map(bytes));
    let mut stream = open(&script, OPENAI, ANTHROPIC).await.unwrap();
    let (text, failure) = drain(&mut stream).await;
    assert!(failure.is_some() && !text.contains("message_stop"));
}

#[tokio::test(start_paused = true)]
async fn content_in_parts_and_arguments_as_an_object_are_read() {
    let events = [
        chunk(
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
            "null",
        ),
        chunk(
            r#"{"content":[{"type":"text","text":"It "},{"type":"reference","reference_ids":[1]},{"type":"text","text":"is"}]}"#,
            "null",
        ),
        chunk(r#"{"content":" \u0034"}"#, "null"),
        chunk(
            r#"{"content":"","tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":{"a":1}}}]}"#,
            "null",
        ),
        chunk("{}", "\"tool_calls\""),
    ];
    let reply = cross(&events).await;
    assert_eq!(reply.text(), "It is 4");
    assert!(matches!(&reply.parts[1], Part::ToolCall(call) if call.arguments == r#"{"a":1}"#));
    // Where a text comes from is told by a number alone: without it the record is not the whole.
    assert!(form::decode_stream(OPENAI, events.concat().as_bytes()).is_none());
    let referring = r#"{"type":"reference","reference_ids":[1]},"#;
    let recorded = events.concat().replace(referring, "");
    let recorded = form::decode_stream(OPENAI, recorded.as_bytes()).unwrap();
    assert!(matches!(&recorded.parts[0], Part::Thinking(thinking) if thinking.text == "hm"));

    let body = r#"{"choices":[{"index":0,"finish_reason":"stop","message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"4"}]}}]}"#;
    let whole = form::decode_whole(OPENAI, body.as_bytes()).unwrap();
    assert_eq!(whole.text(), "4");
    assert!(matches!(&whole.parts[0], Part::Thinking(thinking) if thinking.text == "hm"));
}

#[tokio::test(start_paused = true)]
async fn a_broken_event_that_may_have_carried_content_fails_the_stream() {
    let broken = [
        "data: {\"choices\":[{\"del\n\n",
        "data: tent\":\"lost\"}}]}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"ind\n\n",
        "data: words that a server wrote without their JSON\n\n",
        "data: [{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lost\"}}]}]\n\n",
        "event: error\ndata: OK\n\n",
    ];
    for (upstream, events) in streams() {
        let first = events.iter().position(|e| e.contains("\"a\"")).unwrap();
        for caller in [OPENAI, ANTHROPIC] {
            for broken in broken {
                let mut garbled = events.clone();
                garbled.insert(first + 1, broken.to_owned());
                let script = Script::new(garbled.iter().map(bytes));
                let mut stream = open(&script, upstream, caller).await.unwrap();
                let (text, failure) = drain(&mut stream).await;
                let verdict = failure.expect("the answer has a hole").verdict;
                assert_eq!(verdict.kind, ErrorKind::Truncated);
                assert_eq!(verdict.phase, Phase::MidStream);
                assert!(!text.contains("[DONE]") && !text.contains("message_stop"));
                assert_eq!(stream.facts().broken_events, 1);

                garbled = events.clone();
                garbled.insert(first, broken.to_owned());
                let script = Script::new(garbled.iter().map(bytes));
                let failure = open(&script, upstream, caller).await.unwrap_err();
                assert_eq!(
                    failure.verdict.phase,
                    Phase::FirstByte,
                    "another may answer"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_event_that_carried_nothing_is_left_out_and_counted() {
    for (dialect, events) in streams() {
        let finish = events
            .iter()
            .position(|e| e.contains("reason\":\""))
            .unwrap();
        for (at, broken) in [
            (finish, "data:\n\n"),
            (finish, "data: : keep-alive\n\n"),
            (finish, "data: OK\n\n"),
            (finish, "data: null\n\n"),
            (finish, "data: \"pong\"\n\n"),
            (finish, "event: ping\ndata: {\"type\n\n"),
            (finish + 1, "data: {\"choices\":[],\"usa\n\n"),
        ] {
            let mut garbled = events.clone();
            garbled.insert(at, broken.to_owned());
            let script = Script::new(garbled.iter().map(bytes));
            let mut stream = open(&script, dialect, dialect).await.unwrap();
            let (text, failure) = drain(&mut stream).await;
            assert!(failure.is_none(), "{broken}");
            assert_eq!(text, events.concat());
            assert_eq!(stream.facts().broken_events, 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_picture_of_more_than_a_mebibyte_passes_in_the_same_dialect() {
    let data = "A".repeat(2 * MAX_EVENT_BYTES);
    let picture = chunk(&format!(r#"{{"images":[{{"url":"{data}"}}]}}"#), "null");
    for at in [1, 2] {
        let mut events = wire::openai(&["a", "b"]);
        events.insert(at, picture.clone());
        let whole = events.concat();
        let (head, tail) = whole.as_bytes().split_at(whole.len() / 2);
        let script = Script::new([bytes(head), bytes(tail)]);
        let mut stream = open(&script, OPENAI, OPENAI).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert!(failure.is_none(), "{failure:?}");
        assert_eq!(text.len(), whole.len());
    }
    let comment = format!(": {data}\n\n");
    let script = Script::new([bytes(chunk(r#"{"content":"a"}"#, "null")), bytes(comment)]);
    let mut stream = open(&script, OPENAI, OPENAI).await.unwrap();
    assert!(drain(&mut stream).await.1.is_some());
}

#[test]
fn a_part_of_an_answer_is_not_kept_for_the_whole() {
    let second =
        r#"data: {"choices":[{"index":1,"delta":{"content":"z"},"finish_reason":"stop"}]}"#;
    let mut events = wire::openai(&["a"]);
    assert!(form::decode_stream(OPENAI, events.concat().as_bytes()).is_some());
    events.insert(2, format!("{second}\n\n"));
    assert!(form::decode_stream(OPENAI, events.concat().as_bytes()).is_none());

    let choice =
        |at: u32| json!({"index": at, "finish_reason": "stop", "message": {"content": "a"}});
    let one = json!({"choices": [choice(0)]}).to_string();
    assert!(form::decode_whole(OPENAI, one.as_bytes()).is_some());
    let two = json!({"choices": [choice(0), choice(1)]}).to_string();
    assert!(form::decode_whole(OPENAI, two.as_bytes()).is_none());

    let foreign = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\",\"input\":{}}}\n\n";
    let cited = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"citations_delta\",\"citation\":{\"url\":\"u\"}}}\n\n";
    let events = wire::anthropic(&["a"]);
    assert!(form::decode_stream(ANTHROPIC, events.concat().as_bytes()).is_some());
    for extra in [foreign, cited] {
        let mut events = events.clone();
        events.insert(3, extra.to_owned());
        assert!(form::decode_stream(ANTHROPIC, events.concat().as_bytes()).is_none());
    }
    for extra in [
        json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []}),
        json!({"type": "text", "text": "a", "citations": [{"url": "u"}]}),
    ] {
        let body =
            json!({"content": [{"type": "text", "text": "a"}, extra], "stop_reason": "end_turn"});
        assert!(form::decode_whole(ANTHROPIC, body.to_string().as_bytes()).is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn what_translation_cannot_carry_is_refused_before_anything_is_sent() {
    let user = json!([{"role": "user", "content": "hi"}]);
    let sound = json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]}]);
    let cases = [
        (OPENAI, json!({"model": "r", "messages": user, "n": 3})),
        (
            OPENAI,
            json!({"model": "r", "messages": user, "logprobs": true}),
        ),
        (OPENAI, json!({"model": "r", "messages": sound})),
        (
            OPENAI,
            json!({"model": "r", "messages": user, "modalities": ["text", "audio"]}),
        ),
        (
            OPENAI,
            json!({"model": "r", "messages": user, "web_search_options": {}}),
        ),
        (
            ANTHROPIC,
            json!({"model": "r", "max_tokens": 9, "messages": user,
            "tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ),
    ];
    for (caller, body) in cases {
        let other = if caller == OPENAI { ANTHROPIC } else { OPENAI };
        let call = Call::parse(caller, body.to_string().into()).unwrap();
        let script = Script::new([]);
        let failure = run(&script, other, &call).await.unwrap_err();
        assert_eq!(
            failure.verdict.kind,
            ErrorKind::UnsupportedFeature,
            "{body}"
        );
        assert_eq!(failure.verdict.phase, Phase::Connect);
        assert!(
            failure.verdict.advice.elsewhere,
            "another target may answer"
        );
        assert!(script.seen.lock().unwrap().is_none(), "nothing was sent");

        let failure = run(&script, caller, &call).await.unwrap_err();
        assert_ne!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
        assert!(
            script.seen.lock().unwrap().is_some(),
            "the same dialect is asked"
        );
    }
}
