//! Gemini's wire: what is sent, and what an answer of it becomes in the callers' dialects.

use crate::script::{Script, Step, bytes};
use crate::stage::{self, call, cut_answer, run};
use llm_errors::{ErrorKind, Phase, Provider};
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{Call, Dialect, Endpoint, Exchange, Failure, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

const MODEL: &str = "gemini-2.5-flash";

fn endpoint(model: &str) -> Endpoint {
    Endpoint::builder(Provider::Gemini, model)
        .base_url("http://127.0.0.1:9/v1beta")
        .wire(Wire::Gemini)
        .credential("test-key".into())
        .build()
        .unwrap()
}

/// What is sent for this OpenAI request, and what of it is dropped.
async fn sent(model: &str, request: Value) -> (Value, Vec<&'static str>) {
    stage::sent(&endpoint(model), &whole(), &request).await
}

/// The answer that a caller of `dialect` reads out of a stream in these pieces.
async fn answer(dialect: Dialect, steps: Vec<Step>) -> Result<(Reply, Vec<&'static str>), Failure> {
    stage::answer(&endpoint(MODEL), dialect, steps).await
}

fn whole() -> Value {
    json!({
        "candidates": [{
            "content": {"role": "model", "parts": [
                {"text": "Let me think.", "thought": true},
                {"text": "It is "},
                {"text": "warm."},
                {"functionCall": {"name": "weather", "args": {"city": "Köln"}}, "thoughtSignature": "c2ln"},
            ]},
            "finishReason": "STOP",
            "index": 0,
        }],
        "usageMetadata": {
            "promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7,
            "cachedContentTokenCount": 4, "totalTokenCount": 22,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "mAitaLmkHPPlz7IPvtfUqQ4",
    })
}

/// The same as a stream, one part an event.
fn events() -> Vec<String> {
    let event = |parts: Value, rest: Value| {
        let mut answer = json!({
            "candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}],
            "modelVersion": "gemini-2.5-flash",
            "responseId": "mAitaLmkHPPlz7IPvtfUqQ4",
            "usageMetadata": {"promptTokenCount": 10},
        });
        if let Some(finish) = rest.get("finishReason") {
            answer["candidates"][0]["finishReason"] = finish.clone();
            answer["usageMetadata"] = whole()["usageMetadata"].clone();
        }
        format!("data: {answer}\r\n\r\n")
    };
    let parts = whole()["candidates"][0]["content"]["parts"].clone();
    let parts = parts.as_array().unwrap();
    let mut events: Vec<_> = parts
        .iter()
        .map(|part| event(json!([part]), json!({})))
        .collect();
    events.push(event(
        json!([{"text": ""}]),
        json!({"finishReason": "STOP"}),
    ));
    events
}

fn expect_answer(reply: &Reply, with_thinking: bool) {
    let mut parts = reply.parts.clone();
    if with_thinking {
        let Part::Thinking(thinking) = parts.remove(0) else {
            panic!("reasoning comes first");
        };
        assert_eq!(thinking.text, "Let me think.");
    }
    assert_eq!(parts[0], Part::text("It is warm."));
    let Part::ToolCall(tool) = &parts[1] else {
        panic!("a tool call comes last");
    };
    assert_eq!(tool.id, "call_mAitaLmkHPPlz7IPvtfUqQ4_0");
    assert_eq!(
        (tool.name.as_str(), tool.arguments.as_str()),
        ("weather", r#"{"city":"Köln"}"#)
    );
    assert_eq!(reply.finish, Some(FinishReason::ToolCalls));
    assert_eq!(reply.model, "gemini-2.5-flash");
    let usage = reply.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (10, 12));
    assert_eq!((usage.cache_read_tokens, usage.reasoning_tokens), (4, 7));
}

#[test]
fn the_model_is_in_the_address_and_so_is_the_stream() {
    let path = |model: &str| format!("{:?}", endpoint(model));
    assert!(path("gemini-2.5-flash").contains("/v1beta/models/gemini-2.5-flash:generateContent"));
    assert!(path("tunedModels/my tune").contains("/v1beta/tunedModels/my%20tune:generateContent"));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_request_goes_to_the_streams_address() {
    let script = Script::new(events().iter().map(bytes));
    let call = call(Dialect::OpenAiChat, true);
    drop(run(&script, &endpoint(MODEL), &call).await.unwrap());
    let seen = script.seen.lock().unwrap();
    let uri = &seen.as_ref().unwrap().uri;
    assert_eq!(
        uri.path(),
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    );
    assert_eq!(uri.query(), Some("alt=sse"));
}

#[tokio::test(start_paused = true)]
async fn a_conversation_with_tools_is_written_as_gemini_wants_it() {
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
                {"id": "c2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "{\"degrees\":20}"},
            {"role": "tool", "tool_call_id": "c2", "content": "noon"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "weather", "description": "d",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}},
            {"type": "function", "function": {"name": "time", "parameters": {"type": "object", "properties": {}}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "seed": 7,
        "presence_penalty": 0.5, "user": "u", "reasoning_effort": "low", "logit_bias": {},
    });
    let (body, dropped) = sent("gemini-2.5-flash", request.clone()).await;
    let expected = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "And here?"},
                {"inlineData": {"mimeType": "image/png", "data": "aWNvbg=="}},
            ]},
            {"role": "model", "parts": [
                {"functionCall": {"id": "c1", "name": "weather", "args": {"city": "Köln"}}},
                {"functionCall": {"id": "c2", "name": "time", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "weather", "response": {"degrees": 20}}},
                {"functionResponse": {"id": "c2", "name": "time", "response": {"output": "noon"}}},
            ]},
        ],
        "tools": [{"functionDeclarations": [
            {"name": "weather", "description": "d",
                "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}}},
            {"name": "time"},
        ]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
        "generationConfig": {
            "maxOutputTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "seed": 7,
            "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": true},
        },
    });
    assert_eq!(body, expected);
    assert_eq!(
        dropped,
        [
            "logit_bias",
            "presence_penalty",
            "user",
            "reply.thought_signature"
        ]
    );

    let (body, dropped) = sent("gemini-3-pro-preview", request).await;
    let calls = &body["contents"][1]["parts"];
    assert_eq!(
        calls[0]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    assert_eq!(
        calls[1].get("thoughtSignature"),
        None,
        "only the first of a turn"
    );
    assert_eq!(
        body["generationConfig"]["thinkingConfig"]["thinkingLevel"],
        "low"
    );
    assert!(dropped.contains(&"messages.tool_calls.thought_signature"));
}

#[tokio::test(start_paused = true)]
async fn a_schema_is_carried_and_beside_tools_only_where_the_model_takes_both() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let mut request = json!({
        "model": "route",
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    });
    let (body, dropped) = sent("gemini-2.5-flash", request.clone()).await;
    let config = &body["generationConfig"];
    assert_eq!(config["responseMimeType"], "application/json");
    assert_eq!(config["responseJsonSchema"], schema);
    assert_eq!(dropped, ["reply.thought_signature"]);

    request["tools"] =
        json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    let (body, dropped) = sent("gemini-2.5-flash", request.clone()).await;
    assert_eq!(body.get("generationConfig"), None);
    assert!(body["systemInstruction"]["parts"][0]["text"].is_string());
    assert!(dropped.contains(&"response_format"));
    let (body, _) = sent("gemini-3.1-pro", request).await;
    assert_eq!(body["generationConfig"]["responseJsonSchema"], schema);
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_callers_of_either_dialect() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        // Reasoning that Anthropic did not sign does not reach its callers.
        let thinking = dialect == Dialect::OpenAiChat;
        let script = Script::new([bytes(whole().to_string())]);
        let exchange = run(&script, &endpoint(MODEL), &call(dialect, false)).await;
        let Exchange::Whole(whole) = exchange.unwrap() else {
            panic!("a whole answer was asked for");
        };
        expect_answer(&whole.chat().unwrap(), thinking);
        assert!(whole.facts.dropped.contains(&"reply.thought_signature"));

        let steps = events().iter().map(bytes).collect();
        let (reply, dropped) = answer(dialect, steps).await.unwrap();
        expect_answer(&reply, thinking);
        assert!(dropped.contains(&"reply.thought_signature"));
        assert_eq!(dropped.contains(&"reply.reasoning"), !thinking);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_a_failure_of_its_kind() {
    let blocked =
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {}});
    let ended = |reason: &str| json!({"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": reason}]});
    let error = json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}});
    for (body, kind) in [
        (blocked, ErrorKind::ContentFilter),
        (ended("SAFETY"), ErrorKind::ContentFilter),
        (ended("MALFORMED_FUNCTION_CALL"), ErrorKind::ToolCallInvalid),
        (ended("MAX_TOKENS"), ErrorKind::Truncated),
        (error, ErrorKind::Overloaded),
    ] {
        let whole = Script::new([bytes(body.to_string())]);
        let failure = run(&whole, &endpoint(MODEL), &call(Dialect::OpenAiChat, false)).await;
        assert_eq!(failure.unwrap_err().verdict.kind, kind, "whole: {body}");
        let steps = vec![bytes(format!("data: {body}\n\n"))];
        let failure = answer(Dialect::OpenAiChat, steps).await.unwrap_err();
        assert_eq!(failure.verdict.kind, kind, "streamed: {body}");
        assert_eq!(failure.verdict.phase, Phase::FirstByte);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_cut_anywhere_is_never_a_whole_answer() {
    let events = events();
    for kept in 0..events.len() {
        let steps = events[..kept].iter().map(bytes).collect();
        let failure = answer(Dialect::OpenAiChat, steps).await.unwrap_err();
        assert!(
            failure.verdict.kind != ErrorKind::Other,
            "after {kept} events"
        );
    }
    // A filter that stops an answer halfway says so, and the answer is delivered.
    let mut filtered = events.clone();
    filtered.pop();
    filtered.push("data: {\"candidates\":[{\"finishReason\":\"SAFETY\"}]}\n\n".to_owned());
    let steps = filtered.iter().map(bytes).collect();
    let (reply, _) = answer(Dialect::OpenAiChat, steps).await.unwrap();
    assert_eq!(reply.finish, Some(FinishReason::ContentFilter));
}

#[tokio::test(start_paused = true)]
async fn a_picture_in_an_answer_is_not_left_out_of_it() {
    let picture = r#"data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aWNvbg=="}}]}}]}"#;
    let mut steps: Vec<_> = events()[..2].iter().map(bytes).collect();
    steps.push(bytes(format!("{picture}\n\n")));
    steps.extend(events()[2..].iter().map(bytes));
    assert!(answer(Dialect::OpenAiChat, steps).await.is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_gives_the_same_answer(cuts in prop::collection::vec(0usize..4_000, 0..12)) {
        let stream = events().concat();
        let (reply, _) = cut_answer(&endpoint(MODEL), stream.as_bytes(), cuts).unwrap();
        expect_answer(&reply, true);
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_stop_says_that_an_answer_is_whole() {
    for (reason, finish) in [
        ("STOP", Some(FinishReason::Stop)),
        ("MAX_TOKENS", Some(FinishReason::Length)),
        ("CONTINUATION", Some(FinishReason::Length)),
        ("SOMETHING_NEW", Some(FinishReason::Length)),
        ("ESCALATION", Some(FinishReason::ContentFilter)),
        ("OTHER", None),
        ("LANGUAGE", None),
        ("PUP_LIMITED_DISABLED", None),
    ] {
        let body = json!({"responseId": "r", "candidates": [{"index": 0, "finishReason": reason,
            "content": {"role": "model", "parts": [{"text": "It is"}]}}]});
        let script = Script::new([bytes(body.to_string())]);
        let to = endpoint(MODEL);
        let whole = stage::whole(&script, &to, &call(Dialect::OpenAiChat, false)).await;
        assert_eq!(
            whole
                .ok()
                .map(|whole| whole.chat().unwrap().finish.unwrap()),
            finish,
            "{reason}"
        );
        let steps = vec![bytes(format!("data: {body}\n\n"))];
        let streamed = answer(Dialect::OpenAiChat, steps).await;
        assert_eq!(
            streamed.ok().map(|(reply, _)| reply.finish.unwrap()),
            finish,
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_an_unknown_sort_is_not_left_out() {
    for part in [
        json!({"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "args": {}}}),
        json!({"toolResponse": {"id": "t", "response": {"a": 1}}}),
        json!({"audioTranscription": {"text": "t"}}),
    ] {
        let body = json!({"candidates": [{"index": 0, "finishReason": "STOP",
            "content": {"role": "model", "parts": [{"text": "It is"}, part]}}]});
        let steps = vec![bytes(format!("data: {body}\n\n"))];
        assert!(answer(Dialect::OpenAiChat, steps).await.is_err(), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn schemas_have_nothing_beside_a_reference() {
    let schema = json!({"type": "object", "properties": {
        "a": {"$ref": "#/$defs/A", "description": "An a."},
        "b": {"$ref": "#/$defs/A", "minLength": 3},
    }, "$defs": {"A": {"type": "string"}}});
    let bare = json!({"type": "object", "properties": {
        "a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/A"},
    }, "$defs": {"A": {"type": "string"}}});
    let request = json!({"model": "route", "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]});
    let (body, dropped) = sent("gemini-3.1-pro-preview", request).await;
    assert_eq!(body["generationConfig"]["responseJsonSchema"], bare);
    let declared = &body["tools"][0]["functionDeclarations"][0];
    assert_eq!(declared["parametersJsonSchema"], bare);
    for name in ["response_format.schema", "tools.parameters"] {
        assert!(dropped.contains(&name), "{dropped:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_schema_without_named_properties_is_still_a_schema() {
    let declared = async |parameters: Value| {
        let request = json!({"model": "route", "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]});
        let (body, _) = sent(MODEL, request).await;
        body["tools"][0]["functionDeclarations"][0]
            .get("parametersJsonSchema")
            .cloned()
    };
    for schema in [
        json!({"type": "object", "additionalProperties": {"type": "string"}}),
        json!({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
    ] {
        assert_eq!(declared(schema.clone()).await, Some(schema));
    }
    for nothing in [
        json!({"type": "object", "properties": {}}),
        json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
        json!({}),
    ] {
        assert_eq!(declared(nothing).await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sound_in_the_prompt_is_carried_and_a_wish_for_sound_is_not() {
    let request = json!({"model": "route", "messages": [{"role": "user", "content": [
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
    ]}]});
    let (body, dropped) = sent(MODEL, request.clone()).await;
    assert_eq!(
        body["contents"][0]["parts"],
        json!([{"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}])
    );
    assert!(!dropped.contains(&"messages.audio"), "{dropped:?}");
    let mut spoken = request;
    spoken["modalities"] = json!(["text", "audio"]);
    spoken["audio"] = json!({"voice": "alloy", "format": "wav"});
    let script = Script::new([]);
    let call = Call::parse(Dialect::OpenAiChat, spoken.to_string().into()).unwrap();
    let failure = stage::whole(&script, &endpoint(MODEL), &call)
        .await
        .unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
}
