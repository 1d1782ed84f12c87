//! Ollama's own wire: what is sent, and what an answer of it becomes in the callers' dialects.

use crate::script::{Script, bytes};
use crate::stage::{answer, call, cut_answer, sent, take_thinking, whole};
use llm_errors::Provider;
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{Dialect, Endpoint, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

fn endpoint() -> Endpoint {
    Endpoint::builder(Provider::Ollama, "qwen3")
        .wire(Wire::OllamaChat)
        .build()
        .unwrap()
}

fn line(message: Value, done: bool) -> String {
    let mut line = json!({
        "model": "qwen3:8b", "created_at": "2026-11-26T08:00:00.123456Z",
        "message": message, "done": done,
    });
    if done {
        line["done_reason"] = json!("stop");
        line["prompt_eval_count"] = json!(10);
        line["eval_count"] = json!(12);
    }
    format!("{line}\n")
}

fn lines() -> Vec<String> {
    vec![
        line(
            json!({"role": "assistant", "content": "", "thinking": "Let me think."}),
            false,
        ),
        line(json!({"role": "assistant", "content": "It is "}), false),
        line(json!({"role": "assistant", "content": "warm."}), false),
        line(
            json!({"role": "assistant", "content": "", "tool_calls": [
                {"function": {"name": "weather", "arguments": {"city": "Köln"}}},
            ]}),
            false,
        ),
        line(json!({"role": "assistant", "content": ""}), true),
    ]
}

fn whole_body() -> Value {
    let message = json!({
        "role": "assistant", "content": "It is warm.", "thinking": "Let me think.",
        "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Köln"}}}],
    });
    serde_json::from_str(&line(message, true)).unwrap()
}

fn expect_answer(mut reply: Reply, with_thinking: bool) {
    let thinking = take_thinking(&mut reply);
    assert_eq!(
        thinking.as_deref(),
        with_thinking.then_some("Let me think.")
    );
    assert_eq!(reply.parts[0], Part::text("It is warm."));
    let Part::ToolCall(tool) = &reply.parts[1] else {
        panic!("a tool call comes last");
    };
    assert_eq!(tool.id, "call_20261126080000123456_0");
    assert_eq!(
        (tool.name.as_str(), tool.arguments.as_str()),
        ("weather", r#"{"city":"Köln"}"#)
    );
    assert_eq!(reply.finish, Some(FinishReason::ToolCalls));
    assert_eq!(reply.model, "qwen3:8b");
    assert_eq!(
        (reply.usage.input_tokens, reply.usage.output_tokens),
        (10, 12)
    );
}

#[test]
fn both_of_its_addresses_lead_to_its_own_wire() {
    assert!(format!("{:?}", endpoint()).contains("\"/api/chat\""));
    for base in ["http://h:1", "http://h:1/v1", "http://h:1/api"] {
        let endpoint = Endpoint::builder(Provider::Ollama, "m").base_url(base);
        let endpoint = endpoint.wire(Wire::OllamaChat).build().unwrap();
        assert!(format!("{endpoint:?}").contains("\"/api/chat\""), "{base}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conversation_is_written_as_ollama_wants_it() {
    let request = json!({
        "model": "route",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "And here?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aWNvbg=="}},
            ]},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Köln\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "20 degrees"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "tool_choice": "required",
        "response_format": {"type": "json_object"},
        "max_tokens": 100, "temperature": 0.5, "stop": ["END"], "seed": 7, "reasoning_effort": "high",
    });
    let (body, dropped) = sent(&endpoint(), &whole_body(), &request).await;
    let expected = json!({
        "model": "qwen3", "stream": false, "truncate": false, "shift": false, "think": true, "format": "json",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "And here?", "images": ["aWNvbg=="]},
            {"role": "assistant", "content": "",
                "tool_calls": [{"function": {"name": "weather", "arguments": {"city": "Köln"}}}]},
            {"role": "tool", "tool_name": "weather", "content": "20 degrees"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "options": {"num_predict": 100, "temperature": 0.5, "stop": ["END"], "seed": 7},
    });
    assert_eq!(body, expected);
    assert_eq!(dropped, ["tool_choice"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_callers_of_either_dialect() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let thinking = dialect == Dialect::OpenAiChat;
        let script = Script::new([bytes(whole_body().to_string())]);
        let whole = whole(&script, &endpoint(), &call(dialect, false))
            .await
            .unwrap();
        expect_answer(whole.chat().unwrap(), thinking);
        let steps = lines().iter().map(bytes).collect();
        let (reply, _) = answer(&endpoint(), dialect, steps).await.unwrap();
        expect_answer(reply, thinking);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_and_an_error_inside_one_are_failures() {
    let lines = lines();
    for kept in 0..lines.len() {
        let steps = lines[..kept].iter().map(bytes).collect();
        answer(&endpoint(), Dialect::OpenAiChat, steps)
            .await
            .unwrap_err();
        let mut steps: Vec<_> = lines[..kept].iter().map(bytes).collect();
        steps.push(bytes(
            "{\"error\":\"model runner has unexpectedly stopped\"}\n",
        ));
        answer(&endpoint(), Dialect::OpenAiChat, steps)
            .await
            .unwrap_err();
    }
    let steps = vec![
        bytes(lines[1].as_bytes()),
        bytes("{\"model\":\n"),
        bytes(&lines[4]),
    ];
    answer(&endpoint(), Dialect::OpenAiChat, steps)
        .await
        .unwrap_err();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_answer(cuts in prop::collection::vec(0usize..2_000, 0..12)) {
        let (reply, _) = cut_answer(&endpoint(), lines().concat().as_bytes(), cuts).unwrap();
        expect_answer(reply, true);
    }
}
