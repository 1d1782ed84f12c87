//! What becomes of a stream.

use super::{ANTHROPIC, OPENAI, RESPONSES};
use crate::script::{Script, bytes, drain, open, run};
use crate::wire;
use llm_errors::ErrorKind;
use llm_providers::chat::{FinishReason, Part, StreamEvent};
use llm_providers::{Call, Dialect, Exchange, MAX_HELD_BYTES, form, responses};
use proptest::prelude::*;
use serde_json::{Value, json};

const WORDS: [&str; 3] = ["Grüße", " 你好", " \"there\"\n"];

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

/// The data of every event.
fn data(stream: &str) -> Vec<Value> {
    stream
        .split("\n\n")
        .filter(|event| !event.is_empty())
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
            data
        })
        .collect()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

async fn cross(
    events: &[String],
    upstream: Dialect,
    caller: Dialect,
) -> (String, Option<ErrorKind>) {
    let script = Script::new(events.iter().map(bytes));
    match open(&script, upstream, caller).await {
        Ok(mut stream) => {
            let (text, failure) = drain(&mut stream).await;
            (text, failure.map(|failure| failure.verdict.kind))
        }
        Err(failure) => (String::new(), Some(failure.verdict.kind)),
    }
}

/// A stream with reasoning, words and two calls.
fn agents_stream() -> Vec<String> {
    let call = |id: &str, name: &str, arguments: &str, status: &str| json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": format!("call_{id}"), "name": name, "arguments": arguments, "status": status});
    let item = |kind: &str, index: u32, item: Value| json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item});
    let arguments = |id: &str, index: u32, delta: &str| json!({"type": "response.function_call_arguments.delta", "item_id": format!("fc_{id}"), "output_index": index, "delta": delta});
    let thought = |part: u32, delta: &str| json!({"type": "response.reasoning_summary_text.delta", "item_id": "rs_1", "output_index": 0, "summary_index": part, "delta": delta});
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let message = |content: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "content": content});
    [
        json!({"type": "response.created", "response": {"id": "resp_9", "model": "gpt-5", "status": "in_progress", "output": []}}),
        item("added", 0, reasoning.clone()),
        thought(0, "Hm."),
        thought(1, "Well."),
        item("done", 0, reasoning),
        item("added", 1, message(json!([]))),
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "content_index": 0, "delta": "I look."}),
        item("done", 1, message(json!([{"type": "output_text", "text": "I look.", "annotations": []}]))),
        item("added", 2, call("a", "f", "", "in_progress")),
        arguments("a", 2, "{\"x\""),
        arguments("a", 2, ":1}"),
        json!({"type": "response.function_call_arguments.done", "item_id": "fc_a", "output_index": 2, "arguments": "{\"x\":1}"}),
        item("done", 2, call("a", "f", "{\"x\":1}", "completed")),
        item("added", 3, call("b", "g", "", "in_progress")),
        // No deltas for this one.
        item("done", 3, call("b", "g", "{}", "completed")),
        json!({"type": "response.completed", "response": {"id": "resp_9", "model": "gpt-5", "status": "completed", "output": [],
            "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}}}),
    ]
    .iter()
    .map(event)
    .collect()
}

#[tokio::test(start_paused = true)]
async fn an_agents_stream_reaches_callers_of_every_dialect() {
    for caller in Dialect::ALL {
        let (text, failure) = cross(&agents_stream(), RESPONSES, *caller).await;
        assert_eq!(failure, None);
        let reply = form::decode_stream(*caller, text.as_bytes()).unwrap();
        assert_eq!(reply.text(), "I look.");
        assert_eq!(reply.finish, Some(FinishReason::ToolCalls));
        // A caller of the chat wire has to ask for it.
        assert_eq!(
            reply.usage.output_tokens,
            if *caller == OPENAI { 0 } else { 7 }
        );
        let calls: Vec<_> = reply
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some((
                    call.id.as_str(),
                    call.name.as_str(),
                    call.arguments.as_str(),
                )),
                _ => None,
            })
            .collect();
        assert_eq!(calls, [("call_a", "f", "{\"x\":1}"), ("call_b", "g", "{}")]);
        let thoughts = reply.parts.iter().find_map(|part| match part {
            Part::Thinking(thinking) => Some(thinking.text.as_str()),
            _ => None,
        });
        // Anthropic's callers could not send back what has no signature.
        assert_eq!(thoughts, (*caller != ANTHROPIC).then_some("Hm.\n\nWell."));
    }
}

#[tokio::test(start_paused = true)]
async fn a_translated_stream_has_every_event_in_its_place() {
    let (text, failure) = cross(&wire::openai(&["Hi", " you"]), OPENAI, RESPONSES).await;
    assert_eq!(failure, None);
    let events = data(&text);
    assert_eq!(
        kinds(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["status"], "completed");
    assert_eq!(last["output"][0]["content"][0]["text"], "Hi you");
    assert_eq!(last["usage"]["input_tokens"], 9);
    let item = &last["output"][0]["id"];
    for event in events.iter().filter(|event| event.get("item_id").is_some()) {
        assert_eq!(&event["item_id"], item);
        assert_eq!(event["output_index"], 0);
        assert_eq!(event["content_index"], 0);
    }
    for event in [&events[0], &events[1]] {
        assert_eq!(event["response"]["status"], "in_progress");
        assert_eq!(event["response"]["output"], json!([]));
        assert_eq!(event["response"]["usage"], Value::Null);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_and_thoughts_are_items_of_their_own() {
    let (text, _) = cross(&agents_stream(), RESPONSES, OPENAI).await;
    let chunks: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    let (text, failure) = cross(&chunks, OPENAI, RESPONSES).await;
    assert_eq!(failure, None);
    let events = data(&text);
    let items: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| {
            (
                event["output_index"].as_u64().unwrap(),
                event["item"]["type"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        items,
        [
            (0, "reasoning"),
            (1, "message"),
            (2, "function_call"),
            (3, "function_call")
        ]
    );
    let done: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.function_call_arguments.done")
        .map(|event| event["arguments"].as_str().unwrap())
        .collect();
    assert_eq!(done, ["{\"x\":1}", "{}"]);
    let whole = &events.last().unwrap()["response"]["output"];
    let each: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| event["item"].clone())
        .collect();
    assert_eq!(
        whole,
        &json!(each),
        "the last event repeats what the others said"
    );
}

#[tokio::test(start_paused = true)]
async fn no_stream_is_completed_unless_it_is_whole() {
    for (upstream, events) in [
        (OPENAI, wire::openai(&WORDS)),
        (ANTHROPIC, wire::anthropic(&WORDS)),
        (RESPONSES, wire::responses(&WORDS)),
    ] {
        let complete = |event: &String| {
            [
                "\"finish_reason\":\"",
                "\"stop_reason\":\"",
                "response.completed",
            ]
            .iter()
            .any(|mark| event.contains(mark))
        };
        let finish = events.iter().position(complete).unwrap();
        for cut in 1..finish {
            let (text, failure) = cross(&events[..cut], upstream, RESPONSES).await;
            assert!(failure.is_some(), "{upstream} cut after {cut}");
            assert!(!text.contains("response.completed") && !text.contains("response.incomplete"));
        }
        let (text, failure) = cross(&events, upstream, RESPONSES).await;
        assert_eq!(failure, None, "{upstream}");
        assert!(text.contains("response.completed"));
    }
}

#[tokio::test(start_paused = true)]
async fn failures_inside_a_stream_are_understood() {
    let begun = wire::responses(&WORDS)[..7].concat();
    for (data, kind, words) in [
        (
            json!({"type": "error", "code": "server_error", "message": "The server had an error", "param": null, "sequence_number": 9}),
            ErrorKind::ServerError,
            "The server had an error",
        ),
        (
            json!({"type": "error", "sequence_number": 9, "error": {"type": "server_error", "code": null, "message": "The server had an error", "param": null}}),
            ErrorKind::ServerError,
            "The server had an error",
        ),
        (
            json!({"type": "response.failed", "sequence_number": 9, "response": {"id": "resp_1", "status": "failed", "output": [],
                "error": {"code": "server_error", "message": "An error occurred"}}}),
            ErrorKind::ServerError,
            "An error occurred",
        ),
    ] {
        for caller in Dialect::ALL {
            let script = Script::new([bytes(&begun), bytes(event(&data))]);
            let mut stream = open(&script, RESPONSES, *caller).await.unwrap();
            let (text, failure) = drain(&mut stream).await;
            let failure = failure.unwrap();
            assert_eq!(failure.verdict.kind, kind, "{data}");
            assert_eq!(failure.message(), Some(words), "{data}");
            assert!(!text.contains("error") || *caller == RESPONSES);
            assert!(!text.contains("response.completed"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_is_incomplete_in_every_dialect() {
    let mut events = wire::openai(&["Once"]);
    for event in &mut events {
        *event = event.replace("\"stop\"", "\"length\"");
    }
    let (text, failure) = cross(&events, OPENAI, RESPONSES).await;
    assert_eq!(failure, None);
    let events = data(&text);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(
        last["response"]["incomplete_details"]["reason"],
        "max_output_tokens"
    );
    let chunks: Vec<String> = text.split_inclusive("\n\n").map(str::to_owned).collect();
    let (text, failure) = cross(&chunks, RESPONSES, ANTHROPIC).await;
    assert_eq!(failure, None);
    assert!(text.contains("\"stop_reason\":\"max_tokens\""));
}

#[tokio::test(start_paused = true)]
async fn servers_that_send_only_ends_are_understood() {
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "All of it.", "annotations": []}]});
    let completed = |output: &Value| {
        event(
            &json!({"type": "response.completed", "response": {"id": "resp_1", "model": "m", "status": "completed", "output": output}}),
        )
    };
    for events in [
        vec![completed(&json!([message]))],
        vec![
            event(
                &json!({"type": "response.output_item.done", "output_index": 0, "item": message}),
            ),
            completed(&json!([message])),
        ],
        vec![
            event(
                &json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "All of it."}),
            ),
            event(
                &json!({"type": "response.output_item.done", "output_index": 0, "item": message}),
            ),
            completed(&json!([message])),
            "data: [DONE]\n\n".to_owned(),
        ],
    ] {
        for caller in Dialect::ALL {
            let (text, failure) = cross(&events, RESPONSES, *caller).await;
            assert_eq!(failure, None);
            let reply = form::decode_stream(*caller, text.as_bytes()).unwrap();
            assert_eq!(reply.text(), "All of it.");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_first_events_repeat_may_be_long() {
    let instructions = "x".repeat(MAX_HELD_BYTES);
    let request =
        json!({"model": "route", "stream": true, "instructions": &instructions, "input": "hi"})
            .to_string();
    let repeated = format!("\"instructions\":\"{instructions}\",\"object\":\"response\"");
    let events = wire::responses(&WORDS)
        .iter()
        .map(|event| event.replace("\"object\":\"response\"", &repeated))
        .collect::<String>();
    let call = Call::parse(RESPONSES, request.into()).unwrap();
    let script = Script::new([bytes(&events)]);
    let Exchange::Stream(mut stream) = run(&script, RESPONSES, &call).await.unwrap() else {
        unreachable!("a stream was asked for");
    };
    assert_eq!(drain(&mut stream).await.0, events);
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_runs_itself_is_not_left_out_unseen() {
    let mut events = wire::responses(&WORDS);
    events.insert(
        6,
        event(&json!({"type": "response.output_item.added", "output_index": 2, "item": {"type": "image_generation_call", "id": "ig_1"}})),
    );
    let (_, failure) = cross(&events, RESPONSES, OPENAI).await;
    assert!(failure.is_some());
    let (text, failure) = cross(&events, RESPONSES, RESPONSES).await;
    assert_eq!((text, failure), (events.concat(), None));
}

#[test]
fn deltas_of_calls_that_take_turns_are_refused() {
    let mut encoder = responses::StreamEncoder::new(0);
    let mut out = bytes::BytesMut::new();
    let call = |index: u32| StreamEvent::ToolCall {
        index,
        id: format!("c{index}"),
        name: "f".to_owned(),
    };
    let arguments = |index: u32| StreamEvent::ToolArguments {
        index,
        json: "{}".to_owned(),
    };
    for event in [call(0), arguments(0), call(1), arguments(1)] {
        encoder.encode(&event, &mut out).unwrap();
    }
    assert!(encoder.encode(&arguments(0), &mut out).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Duplicated, missing, foreign and reordered events: a verdict or an answer, never a panic or a hang.
    #[test]
    fn shuffled_events_end_in_a_verdict(order in prop::collection::vec(0usize..60, 0..40)) {
        let pool: Vec<String> = [wire::responses(&WORDS), agents_stream(), wire::openai(&WORDS), wire::anthropic(&WORDS)].concat();
        let events: Vec<String> = order.iter().map(|at| pool[at % pool.len()].clone()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        for caller in Dialect::ALL {
            let (text, failure) = runtime.block_on(cross(&events, RESPONSES, *caller));
            if failure.is_none() {
                prop_assert!(!text.is_empty());
            }
        }
    }
}
