//! What holds for Claude on Converse.

use super::{CLAUDE, endpoint, whole_body};
use crate::script::{Script, bytes};
use crate::stage::{sent, whole};
use llm_providers::{Call, Dialect};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn the_newest_claudes_are_not_sent_how_to_sample() {
    let request = json!({"model": "route", "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 9, "temperature": 0.2});
    for (model, expected) in [
        (CLAUDE, json!({"maxTokens": 9, "temperature": 0.2})),
        ("us.anthropic.claude-opus-4-7", json!({"maxTokens": 9})),
    ] {
        let (body, dropped) = sent(&endpoint(model), &whole_body(), &request).await;
        assert_eq!(body["inferenceConfig"], expected);
        assert_eq!(dropped.is_empty(), model == CLAUDE, "{dropped:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn claude_thinks_and_its_sealed_thoughts_come_back() {
    let request = json!({
        "model": "route", "max_tokens": 100, "thinking": {"type": "enabled", "budget_tokens": 2_048},
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "text", "text": "Yes?"},
            ]},
            {"role": "user", "content": "go on"},
        ],
    });
    let script = Script::new([bytes(whole_body().to_string())]);
    let call = Call::parse(Dialect::AnthropicMessages, request.to_string().into()).unwrap();
    whole(&script, &endpoint(CLAUDE), &call).await.unwrap();
    let body = script.sent();
    assert_eq!(
        body["additionalModelRequestFields"]["thinking"],
        json!({"type": "enabled", "budget_tokens": 2_048})
    );
    assert_eq!(body["inferenceConfig"]["maxTokens"], 3_072);
    assert_eq!(
        body["system"],
        json!([{"text": "Be brief."}, {"cachePoint": {"type": "default"}}])
    );
    assert_eq!(
        body["messages"][1]["content"][0],
        json!({"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}})
    );
    let script = Script::new([bytes(whole_body().to_string())]);
    let whole = whole(
        &script,
        &endpoint("meta.llama4-maverick-17b-instruct-v1:0"),
        &call,
    )
    .await
    .unwrap();
    assert!(whole.facts.dropped.contains(&"cache_control"));
    assert!(whole.facts.dropped.contains(&"reasoning"));
}

#[tokio::test(start_paused = true)]
async fn claudes_rules_hold_here_as_well() {
    let age = json!({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]});
    let request = json!({"model": "route", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {}}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "reasoning_effort": "none",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": age}}});
    let (body, dropped) = sent(
        &endpoint("global.anthropic.claude-opus-5-5"),
        &whole_body(),
        &request,
    )
    .await;
    assert_eq!(body["toolConfig"]["toolChoice"], json!({"auto": {}}));
    assert_eq!(
        body["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"]["json"]["type"],
        "object"
    );
    assert!(body["system"][0]["text"].as_str().unwrap().contains("`f`"));
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"output_config": {"effort": "low"}})
    );
    let rules = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    let rules: Value = serde_json::from_str(rules.as_str().unwrap()).unwrap();
    assert_eq!(
        (
            &rules["additionalProperties"],
            rules["properties"]["age"].get("minimum")
        ),
        (&json!(false), None)
    );
    assert_eq!(
        dropped,
        ["reasoning", "response_format.schema", "tool_choice"]
    );
    // Other models are held to the schema as it is.
    let (body, _) = sent(
        &endpoint("qwen.qwen3-235b-a22b-2507-v1:0"),
        &whole_body(),
        &request,
    )
    .await;
    assert_eq!(
        body["toolConfig"]["toolChoice"],
        json!({"tool": {"name": "f"}})
    );
    let rules = &body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]["schema"];
    assert_eq!(rules.as_str(), Some(age.to_string().as_str()));
}
