//! What a request must not lose, or must not keep, on its way to a target.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/script.rs"]
mod script;

use http::{HeaderMap, HeaderName, HeaderValue};
use llm_errors::{ErrorKind, Provider};
use llm_providers::openai::Quirks;
use llm_providers::{
    Call, Dialect, Encoded, Endpoint, Exchange, anthropic, chat, exchange, openai,
};
use script::{Script, bytes, drain, endpoint, open, run};
use serde_json::{Value, json};
use std::time::SystemTime;

const OPENAI: Dialect = Dialect::OpenAiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

/// The body and what was dropped.
fn read(encoded: &Encoded) -> (Value, Vec<&'static str>) {
    let mut dropped = encoded.dropped.clone();
    dropped.sort_unstable();
    (serde_json::from_slice(&encoded.body).unwrap(), dropped)
}

fn to_anthropic(body: &Value) -> (Value, Vec<&'static str>) {
    let request = openai::decode_request(body.to_string().as_bytes()).unwrap();
    read(&anthropic::encode_request(&request, "claude-sonnet-5", 99))
}

fn to_openai(body: &Value, quirks: Quirks) -> (Value, Vec<&'static str>) {
    let request = anthropic::decode_request(body.to_string().as_bytes()).unwrap();
    read(&openai::encode_request(&request, "m", quirks))
}

/// The headers that reach a target which has these configured.
async fn headers(
    configured: &[(&str, &str)],
    callers: &[(&'static str, &'static str)],
) -> HeaderMap {
    let mut builder = Endpoint::builder(Provider::Anthropic, "claude-sonnet-5")
        .base_url("http://127.0.0.1:9/v1")
        .credential("test-key".into());
    for (name, value) in configured {
        builder = builder.header(*name, *value);
    }
    let mut call = script::call(ANTHROPIC, false);
    for (name, value) in callers {
        assert!(call.forward_header(
            HeaderName::from_static(name),
            HeaderValue::from_static(value)
        ));
    }
    let script = Script::new([]);
    let endpoint = builder.build().unwrap();
    let now = SystemTime::UNIX_EPOCH;
    let answer = exchange(&script, &endpoint, &call, &script::WINDOWS, now).await;
    assert!(answer.is_err(), "the script says nothing");
    let seen = script.seen.lock().unwrap().take().unwrap();
    seen.headers
}

#[tokio::test(start_paused = true)]
async fn lists_of_betas_are_joined() {
    let callers = [
        ("anthropic-beta", "b-2, a-1"),
        ("anthropic-beta", "c-3"),
        ("openai-beta", "x=v1"),
        ("x-trace", "caller"),
        ("x-own", "caller"),
        ("x-own", "again"),
        ("anthropic-version", "2024-01-01"),
    ];
    let configured = [("anthropic-beta", "a-1,d-4"), ("x-trace", "configured")];
    let sent = headers(&configured, &callers).await;
    let all = |name: &str| -> Vec<_> { sent.get_all(name).iter().cloned().collect() };
    assert_eq!(all("anthropic-beta"), ["a-1,d-4,b-2,c-3"]);
    assert_eq!(all("openai-beta"), ["x=v1"]);
    assert_eq!(all("x-trace"), ["configured"]);
    assert_eq!(all("x-own"), ["caller", "again"]);
    assert_eq!(all("anthropic-version"), ["2024-01-01"]);

    let sent = headers(&[], &callers).await;
    assert_eq!(sent["anthropic-beta"], "b-2,a-1,c-3");
}

#[test]
fn turns_without_a_visible_character_are_left_out() {
    let (sent, _) = to_anthropic(&json!({"model": "r", "messages": [
        {"role": "system", "content": " \n"},
        {"role": "user", "content": [{"type": "text", "text": "\t"}, {"type": "text", "text": "a"}]},
        {"role": "assistant", "content": " "},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "\n"},
    ]}));
    assert_eq!(sent.get("system"), None);
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}])
    );
}

#[test]
fn instructions_alone_become_what_the_user_says() {
    let (sent, dropped) = to_anthropic(&json!({"model": "r", "messages": [
        {"role": "system", "content": "Say hello."},
        {"role": "user", "content": " "},
    ]}));
    assert_eq!(sent.get("system"), None);
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": "Say hello."}])
    );
    assert_eq!(dropped, ["messages.system_position"]);
}

#[test]
fn mistral_is_given_names_of_nine_letters_for_tool_calls() {
    let body = json!({"model": "r", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_01A", "name": "f", "input": {}},
            {"type": "tool_use", "id": "toolu_01B", "name": "f", "input": {}},
            {"type": "tool_use", "id": "Abcdefgh9", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01B", "content": "b"},
            {"type": "tool_result", "tool_use_id": "toolu_01A", "content": "a"},
            {"type": "tool_result", "tool_use_id": "Abcdefgh9", "content": "c"},
        ]},
    ]});
    let ids = |quirks| {
        let (sent, _) = to_openai(&body, quirks);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = sent["messages"].as_array().unwrap();
        let calls = messages[1]["tool_calls"].as_array().unwrap();
        let called: Vec<_> = calls.iter().map(|call| text(&call["id"])).collect();
        let answered = messages[2..].iter();
        let answered: Vec<_> = answered.map(|turn| text(&turn["tool_call_id"])).collect();
        (called, answered)
    };
    let (called, answered) = ids(Quirks::MISTRAL);
    for id in &called {
        assert!(
            id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
    }
    assert_ne!(called[0], called[1]);
    assert_eq!(called[2], "Abcdefgh9");
    assert_eq!(answered, [&*called[1], &*called[0], &*called[2]]);
    assert_eq!(ids(Quirks::MISTRAL), (called, answered), "always the same");
    let (called, _) = ids(Quirks::OPENAI);
    assert_eq!(called, ["toolu_01A", "toolu_01B", "Abcdefgh9"]);
}

#[test]
fn strict_is_asked_for_only_where_the_schema_allows_it() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let nested = |inner: &Value| json!({"type": "object", "properties": {"list": {"type": "array", "items": inner}}, "required": ["list"], "additionalProperties": false});
    let mut open = closed.clone();
    open["additionalProperties"] = json!(true);
    let mut optional = closed.clone();
    optional["required"] = json!([]);
    let cases = [
        (closed.clone(), true),
        (nested(&closed), true),
        (open.clone(), false),
        (optional.clone(), false),
        (nested(&optional), false),
        (nested(&json!({"oneOf": [{"type": "string"}]})), false),
        (json!({"type": "array", "items": {"type": "string"}}), false),
    ];
    for (schema, strict) in cases {
        let (sent, dropped) = to_openai(
            &json!({"model": "r", "max_tokens": 9, "messages": [{"role": "user", "content": "go"}],
                "output_config": {"format": {"type": "json_schema", "schema": schema}},
                "tools": [{"name": "f", "input_schema": schema, "strict": true}]}),
            Quirks::OPENAI,
        );
        let expected = if strict { json!(true) } else { Value::Null };
        assert_eq!(
            sent["response_format"]["json_schema"]["strict"], expected,
            "{schema}"
        );
        assert_eq!(sent["tools"][0]["function"]["strict"], expected, "{schema}");
        assert_eq!(dropped.contains(&"strict"), !strict, "{schema}");
    }
    // A caller of this wire is taken at its word.
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": open, "strict": true}});
    let own = json!({"model": "r", "messages": [{"role": "user", "content": "go"}], "response_format": format});
    let request = openai::decode_request(own.to_string().as_bytes()).unwrap();
    let (sent, _) = read(&openai::encode_request(&request, "m", Quirks::OPENAI));
    assert_eq!(sent["response_format"], format);
}

#[test]
fn a_choice_of_a_tool_that_was_lost_is_lost_with_it() {
    let body = |choice: Value| {
        json!({"model": "r", "messages": [{"role": "user", "content": "go"}], "tool_choice": choice, "tools": [
            {"type": "custom", "custom": {"name": "shell"}},
            {"type": "function", "function": {"name": "f"}},
        ]})
    };
    for lost in [
        json!({"type": "custom", "custom": {"name": "shell"}}),
        json!({"type": "function", "function": {"name": "shell"}}),
    ] {
        let (sent, dropped) = to_anthropic(&body(lost));
        assert_eq!(sent.get("tool_choice"), None);
        assert_eq!(dropped, ["tool_choice", "tools"]);
    }
    let (sent, dropped) = to_anthropic(&body(
        json!({"type": "function", "function": {"name": "f"}}),
    ));
    assert_eq!(sent["tool_choice"], json!({"type": "tool", "name": "f"}));
    assert_eq!(dropped, ["tools"]);
}

#[tokio::test(start_paused = true)]
async fn the_wish_for_usage_is_read_without_decoding_the_conversation() {
    // The content has a shape that no decoder takes; in the same dialect that is for the provider.
    let completion = r#"{"choices":[{"index":0,"message":{"content":"Hello."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3}}"#;
    for wished in [false, true] {
        let body = json!({"model": "r", "stream": true, "stream_options": {"include_usage": wished},
            "messages": [{"role": "user", "content": 7}]});
        let call = Call::parse(OPENAI, body.to_string().into()).unwrap();
        assert!(call.chat().is_err());
        let script = Script::new([bytes(completion)]);
        let Exchange::Stream(mut stream) = run(&script, OPENAI, &call).await.unwrap() else {
            unreachable!("a stream was asked for")
        };
        let (text, failure) = drain(&mut stream).await;
        assert!(failure.is_none());
        assert_eq!(text.contains("\"prompt_tokens\":9"), wished);
    }
}

#[test]
fn groq_and_mistral_are_not_sent_what_they_refuse() {
    let mut named = chat::Message::text(chat::Role::User, "hi");
    named.name = Some("ann".to_owned());
    let mut request = chat::Request::new("any").message(named).temperature(1.8);
    request.user = Some("u".to_owned());
    let sent = |quirks| {
        let encoded = openai::encode_request(&request, "m", quirks);
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        (body, encoded.dropped)
    };
    let (body, dropped) = sent(Quirks::GROQ);
    assert_eq!(body["messages"][0].get("name"), None);
    assert_eq!(
        (&body["user"], &body["temperature"]),
        (&json!("u"), &json!(1.8))
    );
    assert_eq!(dropped, ["messages.name"]);
    let (body, dropped) = sent(Quirks::MISTRAL);
    assert_eq!(
        (body.get("user"), &body["temperature"]),
        (None, &json!(1.5))
    );
    assert_eq!(dropped, ["messages.name", "temperature", "user"]);
    let (body, dropped) = sent(Quirks::COMPATIBLE);
    assert_eq!(body["messages"][0]["name"], "ann");
    assert!(dropped.is_empty());
}

#[test]
fn the_newest_claudes_are_not_sent_how_to_sample() {
    let mut request = chat::Request::new("any")
        .message(chat::Message::text(chat::Role::User, "hi"))
        .temperature(1.5);
    request.top_k = Some(5);
    for model in [
        "claude-haiku-4-5",
        "claude-opus-4-6",
        "claude-mythos-preview",
    ] {
        let (body, dropped) = read(&anthropic::encode_request(&request, model, 99));
        assert_eq!(
            (&body["temperature"], &body["top_k"]),
            (&json!(1.0), &json!(5))
        );
        assert_eq!(dropped, ["temperature"], "ends at 1.0");
    }
    for model in ["claude-opus-4-7", "claude-sonnet-5", "claude-haiku-5-5"] {
        let (body, dropped) = read(&anthropic::encode_request(&request, model, 99));
        assert_eq!((body.get("temperature"), body.get("top_k")), (None, None));
        assert_eq!(dropped, ["temperature", "top_k"]);
    }
    // What is usual anyway is no loss.
    let usual = chat::Request::new("any").temperature(1.0);
    let (body, dropped) = read(&anthropic::encode_request(&usual, "claude-opus-5", 99));
    assert_eq!(body.get("temperature"), None);
    assert!(dropped.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_strict_call_that_cannot_be_carried_whole_is_not_sent() {
    let body = r#"{"model":"r","seed":1,"logit_bias":{"1":2},"messages":[{"role":"user","content":"hi"}]}"#;
    let call = Call::parse(OPENAI, body.into()).unwrap().strict();
    let script = Script::new([]);
    let failure = run(&script, ANTHROPIC, &call).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
    let message = failure.message();
    assert_eq!(message, Some("the target cannot carry logit_bias, seed"));
    assert!(script.seen.lock().unwrap().is_none(), "it was sent");

    // A target of the same wire can be told all of it.
    assert!(
        run(&script, OPENAI, &call).await.is_err(),
        "it says nothing"
    );
    assert!(script.seen.lock().unwrap().is_some());
}

#[test]
fn what_a_target_cannot_be_told_is_known_before_it_is_asked() {
    let call = |fields: &str| {
        let body =
            format!(r#"{{"model":"r",{fields}"messages":[{{"role":"user","content":"hi"}}]}}"#);
        Call::parse(OPENAI, body.into()).unwrap()
    };
    let (openai, anthropic) = (endpoint(OPENAI), endpoint(ANTHROPIC));
    let seed = call(r#""seed":1,"#);
    assert_eq!(anthropic.cannot_carry(&seed), ["seed"]);
    assert!(openai.cannot_carry(&seed).is_empty());
    let native = call(r#""n":2,"logprobs":true,"#);
    assert_eq!(anthropic.cannot_carry(&native), ["choices", "logprobs"]);
    assert!(openai.cannot_carry(&native).is_empty());
    assert!(anthropic.cannot_carry(&call("")).is_empty());
}

#[test]
fn each_provider_is_sent_what_its_pages_say() {
    let mut request = chat::Request::new("any").user("hi");
    request.seed = Some(7);
    request.stop = vec!["END".to_owned()];
    request.presence_penalty = Some(0.5);
    request.extra_dialect = Some(ANTHROPIC);
    let mut reasoning = chat::Reasoning::default();
    reasoning.effort = Some(chat::Effort::High);
    request.reasoning = Some(reasoning);
    let sent = |request: &chat::Request, quirks, model| {
        let encoded = openai::encode_request(request, model, quirks);
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        (body, encoded.dropped)
    };
    let (body, dropped) = sent(&request, Quirks::DEEPSEEK, "deepseek-flash");
    assert_eq!(body["thinking"], json!({"type": "enabled"}));
    assert_eq!(
        (&body["reasoning_effort"], dropped.len()),
        (&json!("high"), 0)
    );
    let (body, dropped) = sent(&request, Quirks::OPENROUTER, "anthropic/claude-sonnet-5");
    assert_eq!(body["reasoning"], json!({"effort": "high"}));
    assert!(dropped.is_empty(), "{dropped:?}");
    let (body, dropped) = sent(&request, Quirks::XAI, "grok-4.3");
    assert_eq!(
        (body.get("stop"), body.get("presence_penalty")),
        (None, None)
    );
    assert_eq!(dropped, ["stop", "presence_penalty", "reasoning"]);
    let (body, dropped) = sent(&request, Quirks::XAI, "grok-3");
    assert_eq!(body["stop"], json!(["END"]));
    assert_eq!(dropped, ["reasoning"]);
    let (_, dropped) = sent(&request, Quirks::PERPLEXITY, "sonar-pro");
    assert_eq!(dropped, ["seed", "presence_penalty", "reasoning"]);

    reasoning.off = true;
    request.reasoning = Some(reasoning);
    let (body, _) = sent(&request, Quirks::DEEPSEEK, "deepseek-flash");
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert_eq!(body.get("reasoning_effort"), None);
    let (body, _) = sent(&request, Quirks::OPENROUTER, "z-ai/glm-5");
    assert_eq!(body["reasoning"], json!({"effort": "none"}));

    let schema = || json!({"type": "object", "properties": {}});
    let mut request = chat::Request::new("any").user("hi");
    request = request.tool(chat::Tool::new("look", schema()));
    request = request.tool(chat::Tool::new("listen", schema()));
    request.tool_choice = Some(chat::ToolChoice::Tool("listen".to_owned()));
    let (body, dropped) = sent(&request, Quirks::LLAMA_CPP, "qwen3");
    assert_eq!(
        (&body["tool_choice"], dropped.len()),
        (&json!("required"), 0)
    );
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["tools"][0]["function"]["name"], "listen");
}

#[tokio::test(start_paused = true)]
async fn a_generation_that_broke_off_is_no_answer() {
    for reason in ["error", "insufficient_system_resource"] {
        let chunk = |delta: &str, finish: &str| {
            format!(
                "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
            )
        };
        let text = chunk("{\"content\":\"It is\"}", "null");
        let end = chunk("{}", &format!("\"{reason}\"")) + "data: [DONE]\n\n";
        for caller in [OPENAI, ANTHROPIC] {
            let script = Script::new([bytes(&text), bytes(&end)]);
            let mut stream = open(&script, OPENAI, caller).await.unwrap();
            let (seen, failure) = drain(&mut stream).await;
            assert!(failure.is_some(), "{reason}: {seen}");
            assert!(
                !seen.contains("[DONE]") && !seen.contains("message_stop"),
                "{seen}"
            );
        }
    }
}
