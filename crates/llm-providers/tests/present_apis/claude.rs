//! Requests of other dialects to Claude.

use crate::script::{self, Script, bytes, run};
use crate::{ANTHROPIC, OPENAI, read};
use llm_errors::{ErrorKind, Provider};
use llm_providers::{Call, Dialect, Endpoint, Exchange, anthropic, exchange, openai, responses};
use serde_json::{Value, json};
use std::time::SystemTime;

/// An OpenAI request as a Claude model is sent it.
fn to_claude(model: &str, body: Value) -> (Value, Vec<&'static str>) {
    let request = openai::decode_request(body.to_string().as_bytes()).unwrap();
    read(&anthropic::encode_request(&request, model, 4_096))
}

fn with_tools(mut body: Value, choice: Value) -> Value {
    let function = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}});
    body["model"] = json!("r");
    body["messages"] = json!([{"role": "user", "content": "hi"}]);
    body["tools"] = json!([function("a"), function("b")]);
    body["tool_choice"] = choice;
    body
}

#[test]
fn a_tool_is_not_demanded_of_a_claude_that_refuses_demands() {
    let named = json!({"type": "function", "function": {"name": "b"}});
    for (choice, tools, word) in [
        (named, json!(["b"]), "`b`"),
        (json!("required"), json!(["a", "b"]), "at least one"),
    ] {
        for model in ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"] {
            let wish = json!({"parallel_tool_calls": false, "reasoning_effort": "high"});
            let (sent, dropped) = to_claude(model, with_tools(wish, choice.clone()));
            assert_eq!(
                sent["tool_choice"],
                json!({"type": "auto", "disable_parallel_tool_use": true})
            );
            let offered: Vec<_> = sent["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| &t["name"])
                .collect();
            assert_eq!(json!(offered), tools, "{model}");
            assert!(sent["system"].as_str().unwrap().contains(word), "{sent}");
            assert_eq!(sent["thinking"], json!({"type": "adaptive"}));
            assert_eq!(dropped, ["tool_choice"]);
        }
        let (sent, dropped) = to_claude("claude-haiku-5-5", with_tools(json!({}), choice));
        assert_ne!(sent["tool_choice"]["type"], "auto");
        assert_eq!(
            (sent["tools"].as_array().unwrap().len(), dropped.len()),
            (2, 0)
        );
    }
}

#[test]
fn a_claude_that_thinks_by_itself_is_told_not_to() {
    for (model, thinking, effort, lossy) in [
        ("claude-opus-4-8", Value::Null, Value::Null, false),
        (
            "claude-opus-5",
            json!({"type": "disabled"}),
            Value::Null,
            false,
        ),
        (
            "claude-sonnet-5-5",
            json!({"type": "between_tools"}),
            Value::Null,
            true,
        ),
        ("claude-opus-5-5", Value::Null, json!("low"), true),
        ("claude-fable-5", Value::Null, json!("low"), true),
    ] {
        let body = json!({"model": "r", "messages": [{"role": "user", "content": "hi"}], "reasoning_effort": "none"});
        let (sent, dropped) = to_claude(model, body);
        assert_eq!(sent["thinking"], thinking, "{model}");
        assert_eq!(sent["output_config"]["effort"], effort, "{model}");
        assert_eq!(
            dropped,
            if lossy { vec!["reasoning"] } else { vec![] },
            "{model}"
        );
    }
}

#[test]
fn to_think_costs_no_more_than_the_caller_allows() {
    let body = |limit: u32| {
        json!({"model": "r", "messages": [{"role": "user", "content": "hi"}],
        "reasoning_effort": "high", "max_completion_tokens": limit})
    };
    let (sent, dropped) = to_claude("claude-haiku-4-5", body(5_000));
    assert_eq!(sent["thinking"]["budget_tokens"], 2_500);
    assert_eq!((&sent["max_tokens"], dropped.len()), (&json!(5_000), 0));
    let (sent, dropped) = to_claude("claude-haiku-4-5", body(1_500));
    assert_eq!(
        (sent.get("thinking"), &sent["max_tokens"]),
        (None, &json!(1_500))
    );
    assert_eq!(dropped, ["reasoning"]);
}

#[test]
fn a_schema_is_fitted_to_what_claude_can_be_held_to() {
    let wish = |schema: Value, strict: bool| {
        json!({"model": "r", "messages": [{"role": "user", "content": "hi"}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": strict}},
            "tools": [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}]})
    };
    let age = json!({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]});
    let (sent, dropped) = to_claude("claude-sonnet-5", wish(age.clone(), true));
    let format = &sent["output_config"]["format"]["schema"];
    assert_eq!(format["additionalProperties"], false);
    assert_eq!(
        format["properties"]["age"],
        json!({"type": "integer", "description": "{\"minimum\":0}"})
    );
    // A tool's arguments are read by the caller's code: their rules stay, and are no longer kept to the letter.
    assert_eq!(sent["tools"][0]["input_schema"], age);
    assert_eq!(sent["tools"][0].get("strict"), None);
    assert_eq!(dropped, ["response_format.schema", "strict"]);

    let open = json!({"type": "object", "properties": {"any": {}}});
    let (sent, dropped) = to_claude("claude-sonnet-5", wish(open, false));
    assert_eq!(sent.get("output_config"), None);
    assert!(sent["system"].as_str().unwrap().contains("\"any\""));
    assert_eq!(dropped, ["response_format"]);

    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let (sent, dropped) = to_claude("claude-sonnet-5", wish(closed.clone(), true));
    assert_eq!(sent["tools"][0]["input_schema"], closed);
    assert_eq!(sent["tools"][0]["strict"], true);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn arguments_are_an_object_even_where_the_caller_does_not_say_so() {
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]});
    let (sent, _) = to_claude("claude-sonnet-5", body);
    assert_eq!(sent["tools"][0]["input_schema"], json!({"type": "object"}));
}

fn endpoint(provider: Provider, model: &str) -> Endpoint {
    let builder = Endpoint::builder(provider, model).base_url("http://127.0.0.1:9/v1");
    let builder = builder.wire(Dialect::AnthropicMessages);
    builder.credential("test-key".into()).build().unwrap()
}

/// What a target of Anthropic's wire is sent for an OpenAI request.
async fn sent(to: &Endpoint, body: &Value) -> (Value, Vec<&'static str>) {
    let answer = json!({"type": "message", "id": "m", "model": "m", "role": "assistant", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "a"}], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let script = Script::new([bytes(answer.to_string())]);
    let call = Call::parse(OPENAI, body.to_string().into()).unwrap();
    let now = SystemTime::UNIX_EPOCH;
    match exchange(&script, to, &call, &script::WINDOWS, now)
        .await
        .unwrap()
    {
        Exchange::Whole(whole) => (script.sent(), whole.facts.dropped),
        Exchange::Stream(_) => unreachable!("no stream was asked for"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_instruction_between_two_turns_stays_where_anthropic_takes_it() {
    let turn = |role: &str, text: &str| json!({"role": role, "content": text});
    let body = json!({"model": "r", "messages": [
        turn("system", "A."), turn("user", "b"), turn("developer", "C."), turn("assistant", "d"),
        turn("user", "e"), turn("system", "F."),
    ]});
    let (own, dropped) = sent(&endpoint(Provider::Anthropic, "claude-opus-4-8"), &body).await;
    assert_eq!(own["system"], "A.");
    let expected = json!([
        turn("user", "b"),
        turn("system", "C."),
        turn("assistant", "d"),
        turn("user", "e"),
        turn("system", "F."),
    ]);
    assert_eq!((&own["messages"], dropped.len()), (&expected, 0));
    for (provider, model) in [
        (Provider::Anthropic, "claude-opus-4-7"),
        (Provider::Other, "claude-opus-4-8"),
    ] {
        let (older, dropped) = sent(&endpoint(provider, model), &body).await;
        assert_eq!(older["messages"].as_array().unwrap().len(), 3);
        assert_eq!(dropped, ["messages.system_position"]);
    }
    // Only after the user, and only where the model speaks next.
    let body = json!({"model": "r", "messages": [
        turn("user", "a"), turn("assistant", "b"), turn("system", "C."), turn("user", "d"),
    ]});
    let (moved, dropped) = sent(&endpoint(Provider::Anthropic, "claude-opus-4-8"), &body).await;
    assert_eq!(moved["system"], "C.");
    assert_eq!(dropped, ["messages.system_position"]);
}

#[tokio::test(start_paused = true)]
async fn papers_and_pictures_reach_claude_in_a_form_it_reads_or_not_at_all() {
    let file = |kind: &str| json!({"type": "file", "file": {"filename": "f", "file_data": format!("data:{kind};base64,YSxi")}});
    let image = |kind: &str| json!({"type": "image_url", "image_url": {"url": format!("data:{kind};base64,aWNvbg==")}});
    let body =
        |part: Value| json!({"model": "r", "messages": [{"role": "user", "content": [part]}]});
    let claude = endpoint(Provider::Anthropic, "claude-sonnet-5");
    for (part, expected) in [
        (
            file("text/csv"),
            json!({"type": "text", "media_type": "text/plain", "data": "a,b"}),
        ),
        (
            file("application/pdf"),
            json!({"type": "base64", "media_type": "application/pdf", "data": "YSxi"}),
        ),
        (
            image("image/jpg"),
            json!({"type": "base64", "media_type": "image/jpeg", "data": "aWNvbg=="}),
        ),
    ] {
        let (seen, _) = sent(&claude, &body(part)).await;
        assert_eq!(seen["messages"][0]["content"][0]["source"], expected);
    }
    for part in [
        file("application/msword"),
        image("image/tiff"),
        json!({"type": "video_url", "video_url": {"url": "u"}}),
    ] {
        let call = Call::parse(OPENAI, body(part).to_string().into()).unwrap();
        let script = Script::new([]);
        let failure = run(&script, ANTHROPIC, &call).await.unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
        assert!(script.seen.lock().unwrap().is_none(), "nothing was sent");
    }
}

#[test]
fn thoughts_do_not_outlive_what_they_followed() {
    // Left out turns change what the rest follows.
    let turn = |role: &str, content: Value| json!({"role": role, "content": content});
    let thought = json!([{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": "Yes."}]);
    let body = json!({"model": "r", "max_tokens": 9, "messages": [
        turn("user", json!("x".repeat(4_000))), turn("assistant", json!("y")),
        turn("user", json!("go")), turn("assistant", thought.clone()),
        turn("user", json!("on")),
    ]});
    let call = Call::parse(ANTHROPIC, body.to_string().into()).unwrap();
    let shorter = call.shortened(500, 0).unwrap();
    let shorter: Value = serde_json::from_slice(shorter.body()).unwrap();
    assert_eq!(
        shorter["messages"],
        json!([
            turn("user", json!("go")),
            turn("assistant", json!([{"type": "text", "text": "Yes."}])),
            turn("user", json!("on"))
        ])
    );
    // Older models, which are told how long to think, want the thoughts of the turn they are in.
    let mut body = body;
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 1_024});
    let call = Call::parse(ANTHROPIC, body.to_string().into()).unwrap();
    let shorter = call.shortened(500, 0).unwrap();
    let shorter: Value = serde_json::from_slice(shorter.body()).unwrap();
    assert_eq!(shorter["messages"][1], turn("assistant", thought));
    // A conversation of another dialect is written anew each time.
    let body = json!({"model": "r", "input": [
        {"role": "user", "content": "go"},
        {"type": "reasoning", "id": "rs_llmr_1_0", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "signed:s"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": "on"},
    ]});
    let request = responses::decode_request(body.to_string().as_bytes()).unwrap();
    for (model, kept) in [("claude-sonnet-5", true), ("claude-sonnet-5-5", false)] {
        let (sent, dropped) = read(&anthropic::encode_request(&request, model, 9));
        let thinks = sent["messages"][1].to_string().contains("\"signature\"");
        assert_eq!(
            (thinks, dropped.contains(&"messages.thinking")),
            (kept, !kept),
            "{sent}"
        );
    }
}
