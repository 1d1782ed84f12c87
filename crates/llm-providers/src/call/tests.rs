use super::*;

fn openai(body: &str) -> Result<Call, BadRequest> {
    Call::parse(Dialect::OpenAiChat, Bytes::copy_from_slice(body.as_bytes()))
}

fn anthropic(body: &str) -> Call {
    Call::parse(
        Dialect::AnthropicMessages,
        Bytes::copy_from_slice(body.as_bytes()),
    )
    .unwrap()
}

#[test]
fn only_the_models_name_is_replaced() {
    let body = "{ \"messages\":[{\"role\":\"user\",\"content\":\"model \\u00e9\"}],\n \"model\" : \"a\\u0062\", \"x\":1e2 }";
    let call = openai(body).unwrap();
    assert_eq!(call.model(), "ab");
    let sent = call.body_for(b"\"gpt-5\"");
    assert_eq!(sent, body.replace("\"a\\u0062\"", "\"gpt-5\""));
}

#[test]
fn the_model_inside_a_nested_object_is_left_alone() {
    let body = r#"{"metadata":{"model":"inner"},"model":"outer","messages":[{"role":"user","content":"\"model\":\"x\""}]}"#;
    let sent = openai(body).unwrap().body_for(b"\"new\"");
    assert_eq!(sent, body.replace("\"outer\"", "\"new\""));
}

#[test]
fn features_are_read_from_the_body() {
    let call = openai(
        r#"{"model":"m","stream":true,"max_tokens":5,"max_completion_tokens":7,"parallel_tool_calls":true,"n":2,"logprobs":true,
        "reasoning_effort":"high","response_format":{"type":"json_schema","json_schema":{}},
        "tools":[{"type":"function","function":{"name":"f"}}],
        "messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":{"url":"https://x"}},
        {"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]}"#,
    )
    .unwrap();
    let names: Vec<_> = call.features().names().collect();
    assert_eq!(
        names,
        [
            "tools",
            "parallel_tools",
            "json_schema",
            "vision",
            "audio",
            "streaming",
            "reasoning",
            "logprobs",
            "choices"
        ]
    );
    assert_eq!(call.max_tokens(), Some(7));
    assert!(call.is_stream());
}

#[test]
fn anthropics_features_are_read_too() {
    let call = anthropic(
        r#"{"model":"m","max_tokens":9,"thinking":{"type":"adaptive"},"output_config":{"format":{"type":"json_schema","schema":{}}},
        "tools":[{"type":"web_search_20250305","name":"web_search"}],
        "messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{}}]}]},
        {"role":"assistant","content":"It is"}]}"#,
    );
    let names: Vec<_> = call.features().names().collect();
    assert_eq!(
        names,
        [
            "tools",
            "json_schema",
            "vision",
            "prefill",
            "reasoning",
            "server_tools"
        ]
    );
    assert_eq!(call.max_tokens(), Some(9));
}

#[test]
fn a_bad_body_is_named_and_not_quoted() {
    let message = |body: &str| openai(body).unwrap_err().to_string();
    assert_eq!(
        message("{\"model\":\"secret\""),
        "the body ends in the middle of its JSON (line 1, column 17)"
    );
    assert_eq!(message("nope"), "the body is not JSON (line 1, column 2)");
    assert_eq!(message("[1]"), "the body is not a JSON object");
    assert_eq!(message(r#"{"messages":[]}"#), "`model` is missing");
    assert_eq!(
        message(r#"{"model":7,"messages":[]}"#),
        "`model` must be a string"
    );
    assert_eq!(message(r#"{"model":"m"}"#), "`messages` is missing");
    assert_eq!(
        message(r#"{"model":"m","messages":[]}"#),
        "`messages` must not be empty"
    );
    assert_eq!(
        message(r#"{"model":"m","messages":[{}],"stream":"secret"}"#),
        "`stream` must be true or false"
    );
    let twice = message(r#"{"model":"a","model":"secret","messages":[{}]}"#);
    assert!(twice.starts_with("a field is given twice"), "{twice}");
    for body in [
        r#"{"model":"m","messages":"secret"}"#,
        r#"{"model":"m","messages":["secret"]}"#,
    ] {
        assert!(!message(body).contains("secret"), "{}", message(body));
    }
}

#[test]
fn the_estimate_follows_the_text_and_not_the_pictures_bytes() {
    let text = "word ".repeat(400);
    let call = openai(&format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#
    ))
    .unwrap();
    assert_eq!(call.estimated_input_tokens(), 504);
    let data = "A".repeat(100_000);
    let call = openai(&format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]}}]}}"#
    ))
    .unwrap();
    assert_eq!(call.estimated_input_tokens(), 1_004);
}

#[test]
fn credentials_are_not_forwarded() {
    let mut call = openai(r#"{"model":"m","messages":[{}]}"#).unwrap();
    let value = HeaderValue::from_static("x");
    assert!(!call.forward_header(HeaderName::from_static("x-api-key"), value.clone()));
    assert!(call.forward_header(HeaderName::from_static("anthropic-beta"), value));
    assert_eq!(call.headers().len(), 1);
}

#[test]
fn debug_shows_no_prompt() {
    let call = openai(r#"{"model":"m","messages":[{"role":"user","content":"secret"}]}"#).unwrap();
    assert!(!format!("{call:?}").contains("secret"));
}

#[test]
fn dialects_round_trip() {
    for dialect in Dialect::ALL {
        assert_eq!(dialect.to_string().parse(), Ok(*dialect));
    }
}

#[test]
fn whether_the_model_is_to_think_is_read_from_every_dialect() {
    let asked = |dialect: Dialect, more: &str| {
        let turns = match dialect {
            Dialect::OpenAiResponses => "input",
            _ => "messages",
        };
        let body = format!(r#"{{"model":"m",{more}"{turns}":[{{"role":"user","content":"hi"}}]}}"#);
        Call::parse(dialect, body.into()).unwrap().thinking()
    };
    for (dialect, more, expected) in [
        (Dialect::OpenAiChat, "", None),
        (
            Dialect::OpenAiChat,
            r#""reasoning_effort":"low","#,
            Some(true),
        ),
        (
            Dialect::OpenAiChat,
            r#""reasoning_effort":"none","#,
            Some(false),
        ),
        (Dialect::OpenAiChat, r#""reasoning_effort":null,"#, None),
        (
            Dialect::OpenAiChat,
            r#""reasoning":{"effort":"high"},"#,
            Some(true),
        ),
        (
            Dialect::OpenAiChat,
            r#""reasoning":{"effort":"none"},"#,
            Some(false),
        ),
        (
            Dialect::OpenAiChat,
            r#""enable_thinking":true,"#,
            Some(true),
        ),
        (
            Dialect::OpenAiChat,
            r#""enable_thinking":false,"#,
            Some(false),
        ),
        (
            Dialect::OpenAiChat,
            r#""thinking":{"type":"disabled"},"#,
            Some(false),
        ),
        (Dialect::OpenAiResponses, "", None),
        (
            Dialect::OpenAiResponses,
            r#""reasoning":{"effort":"xhigh"},"#,
            Some(true),
        ),
        (
            Dialect::OpenAiResponses,
            r#""reasoning":{"effort":"none"},"#,
            Some(false),
        ),
        (
            Dialect::OpenAiResponses,
            r#""reasoning":{"summary":"auto"},"#,
            None,
        ),
        (Dialect::AnthropicMessages, "", None),
        (
            Dialect::AnthropicMessages,
            r#""thinking":{"type":"enabled","budget_tokens":1024},"#,
            Some(true),
        ),
        (
            Dialect::AnthropicMessages,
            r#""thinking":{"type":"adaptive"},"#,
            Some(true),
        ),
        (
            Dialect::AnthropicMessages,
            r#""thinking":{"type":"disabled"},"output_config":{"effort":"high"},"#,
            Some(false),
        ),
    ] {
        assert_eq!(asked(dialect, more), expected, "{dialect} {more}");
    }
    let body = r#"{"model":"m","input":"hi"}"#;
    let call = Call::embeddings(body.into()).unwrap();
    assert_eq!(call.thinking(), Some(false));
}
