//! What becomes of a request on its way from and to this wire.

use super::{ANTHROPIC, OPENAI, RESPONSES};
use crate::script::{Script, bytes, run};
use llm_errors::{Certainty, ErrorKind};
use llm_providers::openai::Quirks;
use llm_providers::{Call, Encoded, Features, anthropic, openai, responses};
use serde_json::{Value, json};

fn read(encoded: &Encoded) -> (Value, Vec<&'static str>) {
    let mut dropped = encoded.dropped.clone();
    dropped.sort_unstable();
    dropped.dedup();
    (serde_json::from_slice(&encoded.body).unwrap(), dropped)
}

fn to_chat(body: &Value) -> (Value, Vec<&'static str>) {
    let request = responses::decode_request(body.to_string().as_bytes()).unwrap();
    read(&openai::encode_request(&request, "m", Quirks::OPENAI))
}

fn to_anthropic(body: &Value) -> (Value, Vec<&'static str>) {
    let request = responses::decode_request(body.to_string().as_bytes()).unwrap();
    read(&anthropic::encode_request(&request, "claude-sonnet-5", 99))
}

fn from_chat(body: &Value) -> (Value, Vec<&'static str>) {
    let request = openai::decode_request(body.to_string().as_bytes()).unwrap();
    read(&responses::encode_request(&request, "gpt-5-mini"))
}

fn from_anthropic(body: &Value) -> (Value, Vec<&'static str>) {
    let request = anthropic::decode_request(body.to_string().as_bytes()).unwrap();
    read(&responses::encode_request(&request, "gpt-5-mini"))
}

/// An agent's second turn: it has thought, spoken and called two tools at once.
fn agents_turn() -> Value {
    json!({
        "model": "m",
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [
                {"type": "input_text", "text": "What is this, and what is the weather there?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "Paris. I look.", "annotations": []},
            ]},
            {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "weather", "arguments": "{\"at\":\"Paris\"}", "status": "completed"},
            {"type": "function_call", "id": "fc_2", "call_id": "call_b", "name": "time", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_a", "output": "18 °C"},
            {"type": "function_call_output", "call_id": "call_b", "output": [{"type": "input_text", "text": "noon"}]},
        ],
        "tools": [
            {"type": "function", "name": "weather", "description": "Tells it.", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}, "strict": false},
            {"type": "function", "name": "time", "parameters": {"type": "object", "properties": {}}},
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "max_output_tokens": 500,
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "w", "strict": true, "schema": {"type": "object", "properties": {}, "required": [], "additionalProperties": false}}},
        "reasoning": {"effort": "low"},
        "stream": true,
        "stream_options": {"include_obfuscation": false},
        "metadata": {"k": "v"},
        "prompt_cache_key": "pk",
        "store": false,
        "truncation": "disabled",
        "include": [],
    })
}

#[test]
fn an_agents_turn_reaches_a_chat_target_whole() {
    let (body, dropped) = to_chat(&agents_turn());
    assert_eq!(dropped, ["input.reasoning"]);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this, and what is the weather there?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            ]},
            {"role": "assistant", "content": "Paris. I look.", "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{\"at\":\"Paris\"}"}},
                {"id": "call_b", "type": "function", "function": {"name": "time", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_a", "content": "18 °C"},
            {"role": "tool", "tool_call_id": "call_b", "content": "noon"},
        ])
    );
    assert_eq!(body["tools"][0]["function"]["name"], "weather");
    assert_eq!(body["max_completion_tokens"], 500);
    assert_eq!(body["reasoning_effort"], "low");
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["verbosity"], "low");
    assert_eq!(body["prompt_cache_key"], "pk");
    assert_eq!(body["metadata"], json!({"k": "v"}));
    assert_eq!(body["stream"], true);
}

#[test]
fn an_agents_turn_reaches_an_anthropic_target_whole() {
    let (body, dropped) = to_anthropic(&agents_turn());
    assert_eq!(
        dropped,
        [
            "input.reasoning",
            "messages.image.detail",
            "metadata",
            "prompt_cache_key",
            "verbosity"
        ]
    );
    assert_eq!(body["system"], "Be brief.");
    assert_eq!(body["messages"][1]["content"][1]["id"], "call_a");
    assert_eq!(
        body["messages"][1]["content"][1]["input"],
        json!({"at": "Paris"})
    );
    let results = body["messages"][2]["content"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    assert_eq!(body["output_config"]["format"]["type"], "json_schema");
}

#[test]
fn turns_are_gathered_as_other_wires_want_them() {
    let items = json!([
        {"role": "assistant", "content": "One."},
        {"role": "assistant", "content": "Two."},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"role": "developer", "content": "Mind the gap."},
        {"role": "user", "content": "Go on."},
    ]);
    let (body, _) = to_chat(&json!({"model": "m", "input": items}));
    let roles: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].clone(), message.get("tool_calls").is_some()))
        .collect();
    let expected = [
        ("assistant", false),
        ("assistant", true),
        ("system", false),
        ("user", false),
    ];
    assert_eq!(roles, expected.map(|(role, calls)| (json!(role), calls)));
}

#[test]
fn what_only_openai_can_serve_is_named_when_it_is_left_out() {
    let body = json!({
        "model": "m",
        "input": [
            {"role": "user", "content": "hi"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": [{"type": "url_citation"}]}]},
            {"role": "user", "content": [{"type": "input_telepathy"}]},
        ],
        "tools": [{"type": "custom", "name": "c"}],
        "tool_choice": {"type": "custom", "name": "c"},
        "reasoning": {"effort": "high", "summary": "auto"},
        "truncation": "auto",
        "max_tool_calls": 3,
        "include": ["reasoning.encrypted_content"],
        "something_new": 1,
    });
    let (_, dropped) = to_anthropic(&body);
    assert_eq!(
        dropped,
        [
            "include",
            "input",
            "input.annotations",
            "max_tool_calls",
            "messages.content.foreign",
            "reasoning.summary",
            "tool_choice",
            "tools",
            "truncation",
            "unrecognised",
        ]
    );
}

#[test]
fn a_choice_among_allowed_tools_offers_no_others() {
    let tool =
        |name: &str| json!({"type": "function", "name": name, "parameters": {"type": "object"}});
    let body = json!({"model": "m", "input": "hi", "tools": [tool("a"), tool("b")], "tool_choice": {
        "type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "b"}],
    }});
    let (body, dropped) = to_chat(&body);
    assert!(dropped.is_empty());
    assert_eq!(body["tool_choice"], "required");
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["tools"][0]["function"]["name"], "b");
}

#[test]
fn a_chat_request_reaches_a_responses_target_whole() {
    let (body, dropped) = from_chat(&json!({
        "model": "any",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "Read."},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
            ]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_a", "content": "seen"},
            {"role": "assistant", "content": null, "refusal": "No."},
            {"role": "user", "content": "Well?"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_object"},
        "max_completion_tokens": 64,
        "verbosity": "low",
        "service_tier": "flex",
        "user": "u",
        "stream": true,
    }));
    assert!(dropped.is_empty(), "{dropped:?}");
    assert_eq!(
        body,
        json!({
            "model": "gpt-5-mini",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [
                    {"type": "input_text", "text": "Read."},
                    {"type": "input_image", "image_url": "https://x.example/a.png", "detail": "auto"},
                    {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
                ]},
                {"role": "assistant", "content": "I look."},
                {"type": "function_call", "call_id": "call_a", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "call_a", "output": "seen"},
                {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
                {"role": "user", "content": "Well?"},
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false}],
            "tool_choice": {"type": "function", "name": "f"},
            "parallel_tool_calls": false,
            "text": {"format": {"type": "json_object"}, "verbosity": "low"},
            "max_output_tokens": 64,
            "service_tier": "flex",
            "store": false,
            "user": "u",
            "stream": true,
        })
    );
}

#[test]
fn what_this_wire_has_no_place_for_is_named() {
    let (body, dropped) = from_chat(&json!({
        "model": "any",
        "messages": [{"role": "user", "content": "hi", "name": "bob"}],
        "max_tokens": 4,
        "stop": ["x"],
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.0,
        "top_k": 3,
        "logit_bias": {"1": 2},
    }));
    assert_eq!(
        dropped,
        [
            "logit_bias",
            "max_tokens",
            "messages.name",
            "presence_penalty",
            "seed",
            "stop",
            "top_k"
        ]
    );
    assert_eq!(body["max_output_tokens"], 16, "the least that is accepted");
    assert_eq!(body["store"], false, "nobody asked for it to be kept");
}

#[test]
fn settings_of_anthropics_callers_do_not_make_openai_refuse() {
    let (body, dropped) = from_anthropic(&json!({
        "model": "any", "max_tokens": 300, "system": "S", "temperature": 0.5,
        "thinking": {"type": "enabled", "budget_tokens": 9000},
        "tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}, "strict": true}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "no"}]},
        ],
    }));
    assert_eq!(
        dropped,
        [
            "messages.thinking",
            "strict",
            "temperature",
            "tool_result.is_error"
        ]
    );
    assert_eq!(body["reasoning"], json!({"effort": "high"}));
    assert_eq!(body["tools"][0]["strict"], false);
    assert_eq!(body["input"][1]["arguments"], "{\"a\":1}");
    assert_eq!(
        body["input"][2],
        json!({"type": "function_call_output", "call_id": "toolu_1", "output": "no"})
    );
}

#[test]
fn another_providers_sealed_reasoning_comes_back_to_it() {
    let turn = json!({"model": "m", "input": [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_llmr_1_0", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "signed:c2ln"},
        {"type": "reasoning", "id": "rs_llmr_1_1", "summary": [], "encrypted_content": "redacted:eHh4"},
        {"type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "toolu_1", "output": "ok"},
    ]});
    let (body, dropped) = to_anthropic(&turn);
    assert!(dropped.is_empty(), "{dropped:?}");
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eHh4"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn reasoning_that_openai_did_not_make_is_not_sent_to_it() {
    let body = r#"{ "model" : "route", "x": 1.0e3, "input": [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_llmr_1_0", "summary": [], "encrypted_content": "signed:x"} ,
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAA"},
        {"role": "user", "content": "go on"} ] }"#;
    let answer = r#"{"id":"resp_1","status":"completed","model":"m","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"x"}]}]}"#;
    let script = Script::new([bytes(answer)]);
    let call = Call::parse(RESPONSES, body.into()).unwrap();
    let llm_providers::Exchange::Whole(whole) = run(&script, RESPONSES, &call).await.unwrap()
    else {
        unreachable!("no stream was asked for");
    };
    assert_eq!(whole.facts.dropped, ["messages.thinking"]);
    let ids: Vec<_> = script.sent()["input"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item.get("id").cloned())
        .collect();
    assert_eq!(ids, ["rs_2"]);
    let seen = script.seen.lock().unwrap();
    let sent = std::str::from_utf8(&seen.as_ref().unwrap().body).unwrap();
    assert!(
        sent.contains("\"x\": 1.0e3"),
        "no other byte is touched: {sent}"
    );
}

#[test]
fn a_scan_tells_what_a_request_needs() {
    let features = |rest: Value| {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        Call::parse(RESPONSES, body.to_string().into())
            .unwrap()
            .features()
    };
    let function = json!({"type": "function", "name": "f", "parameters": {}});
    for (rest, expected) in [
        (json!({}), Features::NONE),
        (
            json!({"store": true, "background": false, "previous_response_id": null}),
            Features::NONE,
        ),
        (json!({"stream": true}), Features::STREAMING),
        (json!({"tools": [function]}), Features::TOOLS),
        (
            json!({"tools": [function], "parallel_tool_calls": true}),
            Features::TOOLS | Features::PARALLEL_TOOLS,
        ),
        (
            json!({"tools": [{"type": "web_search"}]}),
            Features::TOOLS | Features::SERVER_TOOLS,
        ),
        (
            json!({"tools": [{"type": "custom", "name": "c"}]}),
            Features::TOOLS | Features::SERVER_TOOLS,
        ),
        (
            json!({"text": {"format": {"type": "json_object"}}}),
            Features::JSON_MODE,
        ),
        (
            json!({"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}),
            Features::JSON_SCHEMA,
        ),
        (json!({"reasoning": {"effort": "low"}}), Features::REASONING),
        (json!({"reasoning": {"effort": "none"}}), Features::NONE),
        (json!({"top_logprobs": 2}), Features::LOGPROBS),
        (
            json!({"include": ["message.output_text.logprobs"]}),
            Features::LOGPROBS,
        ),
        (
            json!({"include": ["reasoning.encrypted_content"]}),
            Features::NONE,
        ),
        (json!({"previous_response_id": "resp_1"}), Features::STATE),
        (json!({"conversation": "conv_1"}), Features::STATE),
        (json!({"background": true}), Features::STATE),
        (json!({"prompt": {"id": "pmpt_1"}}), Features::STATE),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            Features::STATE,
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
            Features::VISION,
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
            Features::DOCUMENTS,
        ),
        (
            json!({"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}),
            Features::PREFILL,
        ),
        (
            json!({"input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}]}),
            Features::NONE,
        ),
    ] {
        assert_eq!(features(rest.clone()), expected, "{rest}");
    }
}

#[test]
fn a_scan_estimates_what_it_reads() {
    let text = "x".repeat(4_000);
    for body in [
        json!({"model": "m", "input": text}),
        json!({"model": "m", "input": "", "instructions": text}),
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": text}]}]}),
        json!({"model": "m", "input": [{"type": "function_call_output", "call_id": "a", "output": text}]}),
        json!({"model": "m", "input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": text}]}),
    ] {
        // An empty prompt is refused by no one here: the instructions may be all there is.
        let Ok(call) = Call::parse(RESPONSES, body.to_string().into()) else {
            assert_eq!(body["input"], "");
            continue;
        };
        let tokens = call.estimated_input_tokens();
        assert!((1_000..1_020).contains(&tokens), "{tokens}");
    }
}

#[test]
fn a_request_that_cannot_be_served_anywhere_is_refused_at_once() {
    let refusal = |body: Value| {
        let bad = Call::parse(RESPONSES, body.to_string().into()).unwrap_err();
        (bad.field().unwrap(), bad.to_string())
    };
    assert_eq!(refusal(json!({"input": "x"})).0, "model");
    assert_eq!(refusal(json!({"model": "m"})).0, "input");
    assert_eq!(refusal(json!({"model": "m", "input": []})).0, "input");
    let (field, why) =
        refusal(json!({"model": "m", "input": "x", "previous_response_id": "resp_llmr_0123"}));
    assert_eq!(field, "previous_response_id");
    assert!(why.contains("input"), "it says what to do instead: {why}");
    let stored = json!({"model": "m", "prompt": {"id": "pmpt_1"}});
    assert!(Call::parse(RESPONSES, stored.to_string().into()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn state_and_tools_of_openai_are_refused_elsewhere_before_anything_is_sent() {
    for rest in [
        json!({"previous_response_id": "resp_1"}),
        json!({"conversation": {"id": "conv_1"}}),
        json!({"background": true}),
        json!({"tools": [{"type": "web_search"}]}),
        json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
    ] {
        let mut body = json!({"model": "m", "input": "hi"});
        body.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        let call = Call::parse(RESPONSES, body.to_string().into()).unwrap();
        for upstream in [OPENAI, ANTHROPIC] {
            let script = Script::new([]);
            let failure = run(&script, upstream, &call).await.unwrap_err();
            assert_eq!(
                failure.verdict.kind,
                ErrorKind::UnsupportedFeature,
                "{rest}"
            );
            assert_eq!(failure.verdict.certainty, Certainty::NeverSent);
            assert!(script.seen.lock().unwrap().is_none());
        }
    }
}
