//! OpenAI's responses, as the reference documents them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/client.rs"]
mod client;

use client::{Seen, post, start};
use llm_sim::SimHandle;
use serde_json::{Value, json};

async fn ask(sim: &SimHandle, more: &Value) -> Seen {
    let mut body = json!({"model": "gpt-5-mini", "input": "hello there"});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    post(sim.addr(), "/v1/responses", &[], &body.to_string()).await
}

fn kinds(seen: &Seen) -> Vec<String> {
    let events = seen.events();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
    }
    let text = seen.text();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    let kinds: Vec<String> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, names);
    kinds
}

#[tokio::test]
async fn the_events_come_in_the_documented_order() {
    let sim = start("text = \"Paris it is.\"").await;
    let seen = ask(&sim, &json!({"stream": true})).await;
    assert_eq!(
        kinds(&seen),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let events = seen.events();
    let last = &events.last().unwrap()["response"];
    assert_eq!(last["output"][0], events[9]["item"]);
    assert_eq!(
        (
            &last["usage"]["input_tokens"],
            &last["usage"]["total_tokens"]
        ),
        (&json!(2), &json!(5))
    );
    sim.reset();
    assert_eq!(*last, ask(&sim, &json!({})).await.json());
}

#[tokio::test]
async fn an_answer_cut_by_its_limit_is_incomplete() {
    let sim = start("").await;
    let whole = ask(&sim, &json!({"max_output_tokens": 3})).await.json();
    assert_eq!(
        (&whole["status"], &whole["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let seen = ask(&sim, &json!({"max_output_tokens": 3, "stream": true})).await;
    assert_eq!(kinds(&seen).last().unwrap(), "response.incomplete");
}

#[tokio::test]
async fn functions_are_called_and_their_outputs_quoted() {
    let sim = start("").await;
    let tools = json!([{"type": "function", "name": "get_weather", "parameters": {"type": "object",
        "properties": {"city": {"type": "string"}}, "required": ["city"]}}]);
    let reply = ask(&sim, &json!({"tools": tools, "tool_choice": "required"}))
        .await
        .json();
    let call = &reply["output"][0];
    assert_eq!(
        (&call["type"], &call["name"], &call["arguments"]),
        (
            &json!("function_call"),
            &json!("get_weather"),
            &json!(r#"{"city":"sample"}"#)
        )
    );
    let seen = ask(
        &sim,
        &json!({"tools": tools, "tool_choice": "required", "stream": true}),
    )
    .await;
    let arguments: String = seen
        .events()
        .iter()
        .filter(|event| event["type"] == "response.function_call_arguments.delta")
        .map(|event| event["delta"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(arguments, r#"{"city":"sample"}"#);
    assert_eq!(kinds(&seen).last().unwrap(), "response.completed");
    let input = json!([{"role": "user", "content": "weather?"}, call,
        {"type": "function_call_output", "call_id": call["call_id"], "output": "21 degrees"}]);
    let after = ask(&sim, &json!({"tools": tools, "input": input}))
        .await
        .json();
    assert!(
        after["output"][0]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("21 degrees")
    );
}

#[tokio::test]
async fn thinking_and_refusals_have_items_of_their_own() {
    let sim = start("text = \"Paris.\"\n[[rule]]\ncalls = \"1..2\"\nthinking = \"Which city?\"\n[[rule]]\nrefusal = \"No.\"").await;
    let whole = ask(&sim, &json!({})).await.json();
    assert_eq!(whole["output"][0]["summary"][0]["text"], "Which city?");
    assert_eq!(whole["output"][1]["content"][0]["text"], "Paris.");
    assert_eq!(
        whole["usage"]["output_tokens_details"]["reasoning_tokens"],
        2
    );
    let seen = ask(&sim, &json!({"stream": true})).await;
    let kinds = kinds(&seen);
    assert!(kinds.contains(&"response.reasoning_summary_text.delta".to_owned()));
    let delta = |kind: &str| {
        seen.events()
            .into_iter()
            .find(|event| event["type"] == kind)
    };
    assert_eq!(
        delta("response.output_text.delta").unwrap()["output_index"],
        1
    );
    let refused = ask(&sim, &json!({})).await.json();
    assert_eq!(
        refused["output"][0]["content"][0],
        json!({"type": "refusal", "refusal": "No."})
    );
    assert_eq!(refused["status"], "completed");
}

#[tokio::test]
async fn failures_in_the_middle_have_two_forms() {
    for (preset, kind) in [
        ("server_error", "response.failed"),
        ("overloaded_529", "error"),
    ] {
        let sim = start(&format!(
            "[[rule]]\nerror_event = {{ after_chunks = 2, preset = \"{preset}\" }}"
        ))
        .await;
        let seen = ask(&sim, &json!({"stream": true})).await;
        assert_eq!(kinds(&seen).last().unwrap(), kind);
    }
}
