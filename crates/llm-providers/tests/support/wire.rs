//! Streams of either wire, as their providers write them.

#![allow(dead_code, reason = "every test file uses a part of it")]

/// An OpenAI stream of these words, usage and end marker included.
pub(crate) fn openai(words: &[&str]) -> Vec<String> {
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o-2024\",\
             \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let mut events = vec![chunk(
        r#"{"role":"assistant","content":"","refusal":null}"#,
        "null",
    )];
    for word in words {
        let word = serde_json::Value::from(*word);
        events.push(chunk(&format!("{{\"content\":{word}}}"), "null"));
    }
    events.push(chunk("{}", "\"stop\""));
    events.push(
        "data: {\"id\":\"chatcmpl-1\",\"model\":\"gpt-4o-2024\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\
         \"total_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}\n\n"
            .to_owned(),
    );
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// An Anthropic stream of these words.
pub(crate) fn anthropic(words: &[&str]) -> Vec<String> {
    let event =
        |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let mut events = vec![
        event(
            "message_start",
            r#","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude-sonnet-5","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":4,"cache_creation_input_tokens":0,"output_tokens":1}}"#,
        ),
        event(
            "content_block_start",
            r#","index":0,"content_block":{"type":"text","text":""}"#,
        ),
        event("ping", ""),
    ];
    for word in words {
        let word = serde_json::Value::from(*word);
        events.push(event(
            "content_block_delta",
            &format!(r#","index":0,"delta":{{"type":"text_delta","text":{word}}}"#),
        ));
    }
    events.push(event("content_block_stop", r#","index":0"#));
    events.push(event(
        "message_delta",
        r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}"#,
    ));
    events.push(event("message_stop", ""));
    events
}

/// A stream of the responses wire of these words: one message, after reasoning that only OpenAI can read.
#[expect(
    clippy::indexing_slicing,
    reason = "what is indexed is an object made here"
)]
pub(crate) fn responses(words: &[&str]) -> Vec<String> {
    use serde_json::{Value, json};
    let mut events = Vec::new();
    let mut event = |name: &str, mut data: Value| {
        data["type"] = name.into();
        data["sequence_number"] = events.len().into();
        events.push(format!("event: {name}\ndata: {data}\n\n"));
    };
    let response = |status: &str, output: Value, usage: Value| {
        json!({"response": {
            "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": "gpt-5-mini-2025",
            "output": output, "usage": usage, "error": null, "incomplete_details": null, "store": true,
            "parallel_tool_calls": true, "tool_choice": "auto", "tools": [], "metadata": {},
        }})
    };
    let reasoning =
        json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"});
    let message = |status: &str, content: Value| json!({"type": "message", "id": "msg_1", "status": status, "role": "assistant", "content": content});
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let text = words.concat();
    let place = |mut data: Value| {
        data["item_id"] = "msg_1".into();
        data["output_index"] = 1.into();
        data["content_index"] = 0.into();
        data
    };
    event(
        "response.created",
        response("in_progress", json!([]), Value::Null),
    );
    event(
        "response.in_progress",
        response("in_progress", json!([]), Value::Null),
    );
    event(
        "response.output_item.added",
        json!({"output_index": 0, "item": &reasoning}),
    );
    event(
        "response.output_item.done",
        json!({"output_index": 0, "item": &reasoning}),
    );
    event(
        "response.output_item.added",
        json!({"output_index": 1, "item": message("in_progress", json!([]))}),
    );
    event(
        "response.content_part.added",
        place(json!({"part": part("")})),
    );
    for word in words {
        event(
            "response.output_text.delta",
            place(json!({"delta": word, "logprobs": [], "obfuscation": "x1"})),
        );
    }
    event(
        "response.output_text.done",
        place(json!({"text": &text, "logprobs": []})),
    );
    event(
        "response.content_part.done",
        place(json!({"part": part(&text)})),
    );
    let done = message("completed", json!([part(&text)]));
    event(
        "response.output_item.done",
        json!({"output_index": 1, "item": &done}),
    );
    let usage = json!({
        "input_tokens": 9, "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 12,
    });
    event(
        "response.completed",
        response("completed", json!([reasoning, done]), usage),
    );
    events
}
