//! Answers that are JSON, and not the JSON that the caller asked for.

use crate::support::{Gateway, two};
use llm_sim::{Script, Sim, SimHandle};
use serde_json::{Value, json};

/// Held back until it has come to its end, so that it can go elsewhere.
const HELD: &str = "hold_back = { tokens = 500 }";

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().seed(7).script(script).start().await.unwrap()
}

/// A first provider that misses the schema, and a second one, of another dialect, that does not.
async fn world(route: &str) -> (SimHandle, SimHandle, Gateway) {
    let first = sim(r#"rule = [{ text = '{"town": "Oslo", "people": "many"}' }]"#).await;
    let second = sim(r#"rule = [{ text = '{"city": "Oslo", "people": 700000}' }]"#).await;
    let gateway = Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), route));
    (first, second, gateway)
}

fn city() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
        "required": ["city"],
        "additionalProperties": false,
    })
}

/// The path and the body of a call that asks for `schema`, in each dialect that callers speak.
fn asks(schema: &Value, stream: bool) -> [(&'static str, String); 3] {
    let said = json!([{"role": "user", "content": "Where?"}]);
    let chat = json!({"model": "chat", "stream": stream, "messages": said,
        "response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}});
    let responses = json!({"model": "chat", "stream": stream, "input": "Where?",
        "text": {"format": {"type": "json_schema", "name": "city", "schema": schema}}});
    let messages = json!({"model": "chat", "stream": stream, "messages": said, "max_tokens": 99,
        "output_config": {"format": {"type": "json_schema", "schema": schema}}});
    [
        ("/v1/chat/completions", chat.to_string()),
        ("/v1/responses", responses.to_string()),
        ("/v1/messages", messages.to_string()),
    ]
}

#[tokio::test]
async fn an_answer_that_misses_the_callers_schema_goes_elsewhere_once() {
    for stream in [false, true] {
        let (first, second, gateway) = world(HELD).await;
        for (nth, (path, body)) in (1..).zip(asks(&city(), stream)) {
            let seen = gateway.post(path, body).await;
            assert_eq!(seen.status, 200, "{path}: {}", seen.text());
            assert_eq!(
                seen.header("x-llm-target"),
                Some("backup"),
                "{path} {stream}"
            );
            assert!(!seen.text().contains("town"), "{path}: {}", seen.text());
            assert!(seen.text().contains("700000"), "{path}: {}", seen.text());
            assert_eq!(
                (first.count(), second.count()),
                (nth, nth),
                "{path} {stream}"
            );
        }
    }
}

#[tokio::test]
async fn five_in_a_row_open_the_targets_breaker() {
    for (stream, route) in [(false, ""), (true, HELD)] {
        let (first, second, gateway) = world(route).await;
        for _ in 1..=8 {
            let [(path, body), ..] = asks(&city(), stream);
            let seen = gateway.post(path, body).await;
            assert_eq!(
                seen.header("x-llm-target"),
                Some("backup"),
                "{}",
                seen.text()
            );
        }
        assert_eq!(
            (first.count(), second.count()),
            (5, 8),
            "streamed: {stream}"
        );
    }
}

#[tokio::test]
async fn a_tool_called_with_other_arguments_than_its_own_goes_elsewhere_once() {
    let reply = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "large",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "weather", "arguments": "{\"town\": 1}"}}]}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}});
    let first = sim(&format!("[[rule]]\nstatus = 200\nbody = '{reply}'\n")).await;
    let second = sim("").await;
    let gateway = Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), ""));
    let body = json!({"model": "chat", "messages": [{"role": "user", "content": "How is it?"}], "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": city()}}]});
    let seen = gateway.post("/v1/chat/completions", body.to_string()).await;
    assert_eq!(
        seen.header("x-llm-target"),
        Some("backup"),
        "{}",
        seen.text()
    );
    let calls = &seen.json()["choices"][0]["message"]["tool_calls"];
    let arguments: Value =
        serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments["city"].is_string(), "{arguments}");
    assert_eq!((first.count(), second.count()), (1, 1));
}

#[tokio::test]
async fn a_route_may_take_what_comes_and_a_schema_that_costs_too_much_is_not_tried() {
    let (first, _second, gateway) = world("quality = [\"empty\"]").await;
    let [(path, body), ..] = asks(&city(), false);
    let seen = gateway.post(path, body).await;
    assert_eq!(seen.header("x-llm-target"), Some("primary"));
    assert_eq!(first.count(), 1);

    // A billion steps, were it tried.
    let mut defs = json!({"d0": {"type": "integer"}});
    for nth in 1..=30 {
        let before = json!({"$ref": format!("#/$defs/d{}", nth - 1)});
        defs[format!("d{nth}")] = json!({"anyOf": [before, before]});
    }
    let bomb = json!({"$ref": "#/$defs/d30", "$defs": defs});
    let (first, _second, gateway) = world("").await;
    for (nth, (path, body)) in (1..).zip(asks(&bomb, false)) {
        let seen = gateway.post(path, body).await;
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert_eq!(seen.header("x-llm-target"), Some("primary"), "{path}");
        assert_eq!(first.count(), nth);
    }
}
