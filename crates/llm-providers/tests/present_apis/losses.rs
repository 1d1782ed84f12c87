//! What another wire has no place for is named or refused.

use crate::script::{Script, run};
use crate::{ANTHROPIC, OPENAI, RESPONSES, read};
use llm_errors::ErrorKind;
use llm_providers::openai::Quirks;
use llm_providers::{Call, Dialect, Features, anthropic, openai, responses};
use serde_json::{Value, json};

/// What is named of a request that is written for OpenAI's chat wire, or for Anthropic's if it came from that one.
fn named(dialect: Dialect, body: &Value) -> Vec<&'static str> {
    let body = body.to_string();
    let request = match dialect {
        OPENAI => openai::decode_request(body.as_bytes()),
        RESPONSES => responses::decode_request(body.as_bytes()),
        _ => anthropic::decode_request(body.as_bytes()),
    };
    let request = request.unwrap();
    let encoded = match dialect {
        OPENAI | RESPONSES => anthropic::encode_request(&request, "claude-sonnet-5", 9),
        _ => openai::encode_request(&request, "gpt-4o", Quirks::OPENAI),
    };
    read(&encoded).1
}

#[test]
fn whatever_is_not_carried_is_named() {
    let chat = |message: Value| json!({"model": "r", "messages": [message, {"role": "user", "content": "hi"}]});
    let mark = json!({"mode": "explicit", "ttl": "30m"});
    let with = |key: &str, value: Value| {
        let mut body = chat(json!({"role": "user", "content": "a"}));
        body[key] = value;
        body
    };
    for (body, name) in [
        (
            chat(
                json!({"role": "user", "content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": mark}]}),
            ),
            "prompt_cache_breakpoint",
        ),
        (
            chat(
                json!({"role": "assistant", "content": "a", "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}),
            ),
            "reasoning_details",
        ),
        (
            chat(json!({"role": "assistant", "content": "a", "prefix": true})),
            "prefix",
        ),
        (
            chat(json!({"role": "assistant", "audio": {"id": "audio_1"}})),
            "messages.audio",
        ),
        (
            chat(
                json!({"role": "tool", "tool_call_id": "c", "content": "a", "extra_content": {"x": 1}}),
            ),
            "extra_content",
        ),
        (
            chat(
                json!({"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]}),
            ),
            "messages.tool_calls.custom",
        ),
        (
            chat(
                json!({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "s"}}}]}),
            ),
            "extra_content",
        ),
        (
            with("prompt_cache_options", json!({"mode": "explicit"})),
            "prompt_cache_options",
        ),
        (with("reasoning_effort", json!("extreme")), "reasoning"),
        (with("seed", json!(1.5)), "seed"),
        (with("metadata", json!({"a": 1})), "metadata"),
        (
            with(
                "tools",
                json!([{"type": "function", "function": {"name": "f", "defer_loading": true}}]),
            ),
            "defer_loading",
        ),
    ] {
        assert!(named(OPENAI, &body).contains(&name), "{name}: {body}");
    }
    let messages = |content: Value| json!({"model": "r", "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
    let with = |key: &str, value: Value| {
        let mut body = messages(json!("a"));
        body[key] = value;
        body
    };
    let paper = |more: Value| {
        let mut block = json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}});
        for (key, value) in more.as_object().unwrap() {
            block[key] = value.clone();
        }
        messages(json!([block]))
    };
    for (body, name) in [
        (
            paper(json!({"cache_control": {"type": "ephemeral"}})),
            "cache_control",
        ),
        (paper(json!({"citations": {"enabled": true}})), "citations"),
        (paper(json!({"context": "c"})), "context"),
        (paper(json!({"title": "t"})), "title"),
        (
            messages(
                json!([{"type": "tool_use", "id": "t", "name": "f", "input": {}, "toolset_name": "browser"}]),
            ),
            "toolset_name",
        ),
        (
            with(
                "tools",
                json!([{"name": "f", "input_schema": {"type": "object"}, "input_examples": [{"a": 1}]}]),
            ),
            "input_examples",
        ),
        (
            with(
                "thinking",
                json!({"type": "adaptive", "display": "summarized"}),
            ),
            "display",
        ),
        (with("thinking", json!({"type": "some_day"})), "reasoning"),
        (
            with("output_config", json!({"effort": "extreme"})),
            "reasoning",
        ),
        (
            with(
                "output_config",
                json!({"task_budget": {"type": "tokens", "total": 9}}),
            ),
            "task_budget",
        ),
        (with("speed", json!("fast")), "speed"),
        (
            with("diagnostics", json!({"previous_message_id": "m"})),
            "diagnostics",
        ),
    ] {
        assert!(named(ANTHROPIC, &body).contains(&name), "{name}: {body}");
    }
    let input =
        |item: Value| json!({"model": "r", "input": [item, {"role": "user", "content": "hi"}]});
    let with = |key: &str, value: Value| {
        let mut body = input(json!({"role": "user", "content": "a"}));
        body[key] = value;
        body
    };
    for (body, name) in [
        (
            input(
                json!({"type": "message", "role": "assistant", "phase": "commentary", "content": "a"}),
            ),
            "phase",
        ),
        (
            input(
                json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "namespace": "n"}),
            ),
            "namespace",
        ),
        (
            input(
                json!({"type": "function_call_output", "call_id": "c", "output": "o", "caller": {"type": "program", "caller_id": "p"}}),
            ),
            "caller",
        ),
        (
            input(
                json!({"role": "user", "content": [{"type": "input_file", "file_url": "https://e.com/a.pdf", "detail": "high"}]}),
            ),
            "detail",
        ),
        (
            with(
                "tools",
                json!([{"type": "function", "name": "f", "parameters": {"type": "object"}, "output_schema": {"type": "object"}}]),
            ),
            "output_schema",
        ),
        (
            with("access_programs", json!({"cyber": "daybreak_blue"})),
            "access_programs",
        ),
        (
            with("background_options", json!({"completion_window": "2h"})),
            "background_options",
        ),
    ] {
        assert!(named(RESPONSES, &body).contains(&name), "{name}: {body}");
    }
}

#[test]
fn what_asks_for_nothing_is_no_loss() {
    let kept = json!({"model": "r", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a", "refusal": null, "annotations": [], "audio": null, "function_call": null, "tool_calls": [
            {"id": "c", "type": "function", "index": 0, "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c", "content": "ok"},
    ], "modalities": ["text"], "n": 1});
    assert_eq!(named(OPENAI, &kept), Vec::<&str>::new());
    let kept = json!({"model": "r", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]},
    ]});
    assert_eq!(named(ANTHROPIC, &kept), Vec::<&str>::new());
    let kept = json!({"model": "r", "input": [
        {"role": "user", "content": "hi"},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "a", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "ok", "status": "completed"},
    ]});
    assert_eq!(named(RESPONSES, &kept), Vec::<&str>::new());
}

#[test]
fn what_was_found_for_the_model_is_read_out_to_it() {
    let body = json!({"model": "r", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "search_result", "title": "Paris", "source": "https://e.com/p", "citations": {"enabled": true},
            "content": [{"type": "text", "text": "The capital."}]},
        {"type": "text", "text": "What is Paris?"},
    ]}]});
    let request = anthropic::decode_request(body.to_string().as_bytes()).unwrap();
    let (sent, dropped) = read(&openai::encode_request(&request, "gpt-4o", Quirks::OPENAI));
    let said = sent["messages"][0]["content"].to_string();
    for told in ["Paris", "https://e.com/p", "The capital.", "What is Paris?"] {
        assert!(said.contains(told), "{said}");
    }
    assert_eq!(dropped, ["citations"]);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_only_openai_can_read_goes_nowhere_else() {
    let body = json!({"model": "r", "input": [
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"},
        {"role": "user", "content": "go on"},
    ]});
    let call = Call::parse(RESPONSES, body.to_string().into()).unwrap();
    assert!(call.features().contains(Features::STATE));
    let failure = run(&Script::new([]), ANTHROPIC, &call).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_a_text_stays_with_its_wire() {
    let body = json!({"model": "r", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "custom", "custom": {"name": "sh"}}]});
    let call = Call::parse(OPENAI, body.to_string().into()).unwrap();
    let failure = run(&Script::new([]), ANTHROPIC, &call).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
}

#[test]
fn long_names_of_calls_are_shortened_alike_for_call_and_result() {
    let long = |n: u32| format!("chatcmpl-tool-{}{n:032}", "x".repeat(40));
    let body = json!({"model": "r", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": long(1), "name": "f", "input": {}},
            {"type": "tool_use", "id": long(2), "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": long(1), "content": "1"},
            {"type": "tool_result", "tool_use_id": long(2), "content": "2"}]},
    ]});
    let request = anthropic::decode_request(body.to_string().as_bytes()).unwrap();
    let (chat, _) = read(&openai::encode_request(&request, "gpt-4o", Quirks::OPENAI));
    let (items, _) = read(&responses::encode_request(&request, "gpt-5"));
    let (claude, _) = read(&anthropic::encode_request(&request, "claude-sonnet-5", 9));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (calls, results, most) in [
        (
            [
                &chat["messages"][1]["tool_calls"][0]["id"],
                &chat["messages"][1]["tool_calls"][1]["id"],
            ]
            .map(text),
            [
                &chat["messages"][2]["tool_call_id"],
                &chat["messages"][3]["tool_call_id"],
            ]
            .map(text),
            40,
        ),
        (
            [&items["input"][1]["call_id"], &items["input"][2]["call_id"]].map(text),
            [&items["input"][3]["call_id"], &items["input"][4]["call_id"]].map(text),
            64,
        ),
        (
            [
                &claude["messages"][1]["content"][0]["id"],
                &claude["messages"][1]["content"][1]["id"],
            ]
            .map(text),
            [
                &claude["messages"][2]["content"][0]["tool_use_id"],
                &claude["messages"][2]["content"][1]["tool_use_id"],
            ]
            .map(text),
            64,
        ),
    ] {
        assert_eq!(calls, results);
        assert_ne!(calls[0], calls[1]);
        assert!(calls[0].len() <= most, "{}", calls[0]);
    }
}
