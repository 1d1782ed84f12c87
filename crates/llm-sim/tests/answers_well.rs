//! The happy path of every wire, as the providers document it.

#[path = "support/client.rs"]
mod client;

use client::{End, anthropic, chat, message, openai, post, start};
use serde_json::{Value, json};

#[tokio::test]
async fn openai_whole() {
    let sim = start(r#"text = "Paris is the capital.""#).await;
    let seen = openai(&sim, "").await;
    assert_eq!((seen.status, seen.end), (Some(200), End::Complete));
    let reply = seen.json();
    assert_eq!(reply["object"], "chat.completion");
    assert_eq!(reply["model"], "gpt-5-mini");
    assert_eq!(
        reply["choices"][0]["message"]["content"],
        "Paris is the capital."
    );
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(
        reply["usage"],
        json!({"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6})
    );
    assert!(
        seen.header("x-request-id")
            .is_some_and(|id| id.starts_with("req_"))
    );
}

#[tokio::test]
async fn openai_streamed_with_usage() {
    let sim = start(r#"text = "Paris is the capital.""#).await;
    let seen = openai(
        &sim,
        r#","stream":true,"stream_options":{"include_usage":true}"#,
    )
    .await;
    assert_eq!(
        seen.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert_eq!(seen.streamed_text(), "Paris is the capital.");
    let events = seen.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events[0]["usage"], Value::Null);
    assert_eq!(
        events[events.len() - 2]["choices"][0]["finish_reason"],
        "stop"
    );
    assert_eq!(events[events.len() - 1]["choices"], json!([]));
    assert_eq!(events[events.len() - 1]["usage"]["total_tokens"], 6);
    assert_eq!(seen.data().last().unwrap(), "[DONE]");
    let without = openai(&sim, r#","stream":true"#).await;
    assert!(
        without
            .events()
            .iter()
            .all(|event| event.get("usage").is_none())
    );
}

#[tokio::test]
async fn anthropic_whole_and_streamed() {
    let sim = start(r#"text = "Paris is the capital.""#).await;
    let reply = anthropic(&sim, "").await.json();
    assert_eq!(reply["type"], "message");
    assert_eq!(
        reply["content"],
        json!([{"type": "text", "text": "Paris is the capital."}])
    );
    assert_eq!(reply["stop_reason"], "end_turn");
    assert_eq!(
        (
            &reply["usage"]["input_tokens"],
            &reply["usage"]["output_tokens"]
        ),
        (&json!(2), &json!(4))
    );

    let seen = anthropic(&sim, r#","stream":true"#).await;
    assert_eq!(seen.streamed_text(), "Paris is the capital.");
    let kinds: Vec<String> = seen
        .events()
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    let mut expected = vec!["message_start", "content_block_start", "ping"];
    expected.extend(["content_block_delta"; 4]);
    expected.extend(["content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(kinds, expected);
    // Every event's name is its type.
    let text = seen.text();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(names, expected);
    assert!(seen.header("request-id").is_some());
}

#[tokio::test]
async fn tools_are_called_and_their_results_quoted() {
    let sim = start("").await;
    let tools = r#","tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object",
        "properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city"]}}}]"#;
    let reply = openai(&sim, &format!(r#"{tools},"tool_choice":"required""#))
        .await
        .json();
    let call = &reply["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(reply["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(
        (&call["type"], &call["function"]["name"]),
        (&json!("function"), &json!("get_weather"))
    );
    assert_eq!(call["function"]["arguments"], r#"{"city":"sample"}"#);
    assert!(
        openai(&sim, tools).await.json()["choices"][0]["message"]["content"].is_string(),
        "nobody asked for the tool"
    );

    let seen = openai(
        &sim,
        &format!(r#"{tools},"tool_choice":"required","stream":true"#),
    )
    .await;
    let arguments: String = seen
        .events()
        .iter()
        .filter_map(|e| {
            e.pointer("/choices/0/delta/tool_calls/0/function/arguments")?
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(arguments, r#"{"city":"sample"}"#);

    let after = r#"{"model":"m","messages":[{"role":"user","content":"use the tool get_weather"},
        {"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"call_1","content":"21 degrees"}]}"#;
    let reply = post(sim.addr(), "/v1/chat/completions", &[], after)
        .await
        .json();
    assert!(
        reply["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .contains("21 degrees")
    );
}

#[tokio::test]
async fn anthropic_tools() {
    let sim = start("").await;
    let body = r#"{"model":"m","max_tokens":50,"stream":STREAM,"messages":[{"role":"user","content":"use the tool find"}],
        "tools":[{"name":"find","input_schema":{"type":"object","properties":{"q":{"type":"string"}},"required":["q"]}}]}"#;
    let reply = post(
        sim.addr(),
        "/anthropic/v1/messages",
        &[],
        &body.replace("STREAM", "false"),
    )
    .await
    .json();
    assert_eq!(reply["stop_reason"], "tool_use");
    assert_eq!(reply["content"][0]["input"], json!({"q": "sample"}));
    let seen = post(
        sim.addr(),
        "/v1/messages",
        &[],
        &body.replace("STREAM", "true"),
    )
    .await;
    let events = seen.events();
    let partial: String = events
        .iter()
        .filter_map(|e| e["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(partial, r#"{"q":"sample"}"#);
    let start = events
        .iter()
        .find(|e| e["type"] == "content_block_start")
        .unwrap();
    assert_eq!(
        (
            &start["content_block"]["type"],
            &start["content_block"]["input"]
        ),
        (&json!("tool_use"), &json!({}))
    );
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
}

#[tokio::test]
async fn json_modes_give_json() {
    let sim = start("").await;
    let text = |seen: client::Seen| {
        seen.json()["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let free: Value = serde_json::from_str(&text(
        openai(&sim, r#","response_format":{"type":"json_object"}"#).await,
    ))
    .unwrap();
    assert!(free.is_object());
    let schema = r#","response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"object",
        "properties":{"ok":{"type":"boolean"},"n":{"type":"integer","minimum":4}},"required":["ok","n"]}}}"#;
    let strict: Value = serde_json::from_str(&text(openai(&sim, schema).await)).unwrap();
    assert_eq!(strict, json!({"ok": true, "n": 4}));
}

#[tokio::test]
async fn models_and_embeddings() {
    let sim = start(r#"models = ["a", "b"]"#).await;
    let get = |path: &'static str, headers: &'static [(&str, &str)]| {
        client::request(
            sim.addr(),
            "GET",
            path,
            headers,
            "",
            std::time::Duration::from_secs(5),
        )
    };
    assert_eq!(get("/v1/models", &[]).await.json()["data"][1]["id"], "b");
    assert_eq!(get("/v1/models/a", &[]).await.json()["object"], "model");
    assert_eq!(get("/v1/models/c", &[]).await.status, Some(404));
    let listed = get("/v1/models", &[("anthropic-version", "2023-06-01")])
        .await
        .json();
    assert_eq!(
        (&listed["data"][0]["type"], &listed["has_more"]),
        (&json!("model"), &json!(false))
    );

    let sim = start("").await;
    let embed = async |extra: &str| {
        post(
            sim.addr(),
            "/v1/embeddings",
            &[],
            &format!(r#"{{"model":"e","input":["one two","three"]{extra}}}"#),
        )
        .await
        .json()
    };
    let first = embed("").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    assert_eq!(first["data"][0]["embedding"].as_array().unwrap().len(), 8);
    assert_eq!(first["usage"]["prompt_tokens"], 3);
    assert_eq!(first, embed("").await);
    assert_eq!(
        embed(r#","dimensions":3,"encoding_format":"base64""#).await["data"][1]["embedding"]
            .as_str()
            .unwrap()
            .len(),
        16
    );
}

#[tokio::test]
async fn a_prefill_is_continued_or_refused() {
    let body = r#"{"model":"m","max_tokens":50,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"one two"}]}"#;
    let sim = start("text = \"one two three\"").await;
    assert_eq!(
        post(sim.addr(), "/v1/messages", &[], body).await.json()["content"][0]["text"],
        " three"
    );
    let space = body.replace("one two", "one two ");
    assert_eq!(
        post(sim.addr(), "/v1/messages", &[], &space).await.status,
        Some(400)
    );
    let sim = start("refuse_prefill = true").await;
    let refused = post(sim.addr(), "/v1/messages", &[], body).await;
    assert_eq!(refused.status, Some(400));
    assert!(
        refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("prefill")
    );
    assert_eq!(anthropic(&sim, "").await.status, Some(200));
}

#[tokio::test]
async fn equal_seeds_give_equal_bodies_and_others_do_not() {
    let mut bodies = Vec::new();
    for seed in [7, 7, 8] {
        let sim = llm_sim::Sim::builder().seed(seed).start().await.unwrap();
        let mut all = Vec::new();
        for extra in ["", r#","stream":true"#] {
            all.push(openai(&sim, extra).await.body);
            all.push(anthropic(&sim, extra).await.body);
        }
        bodies.push(all);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(bodies[0], bodies[2]);
}

#[tokio::test]
async fn a_reset_begins_the_same_run_again() {
    let sim = start("[[rule]]\nrate = 0.5\npreset = \"server_error\"").await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut run = Vec::new();
        for _ in 0..12 {
            run.push(openai(&sim, "").await.body);
        }
        runs.push(run);
        assert_eq!(sim.count(), 12);
        sim.reset();
        assert_eq!((sim.count(), sim.received().len()), (0, 0));
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn the_callers_mistakes_are_refused_in_the_providers_words() {
    let sim = start("models = [\"gpt-5-mini\", \"claude-sonnet-4-5\"]\ncontext_window = 5").await;
    let chat_path = "/v1/chat/completions";
    let broken = post(sim.addr(), chat_path, &[], "{\"model\": ").await;
    assert_eq!(
        (broken.status, broken.json()["error"]["type"].as_str()),
        (Some(400), Some("invalid_request_error"))
    );
    let unknown = post(
        sim.addr(),
        chat_path,
        &[],
        &chat("").replace("gpt-5-mini", "gpt-9"),
    )
    .await;
    assert_eq!(
        (unknown.status, unknown.json()["error"]["code"].as_str()),
        (Some(404), Some("model_not_found"))
    );
    let long = post(
        sim.addr(),
        chat_path,
        &[],
        &chat("").replace("hello", "one two three four five"),
    )
    .await;
    assert_eq!(
        (long.status, long.json()["error"]["code"].as_str()),
        (Some(400), Some("context_length_exceeded"))
    );
    let no_limit = post(
        sim.addr(),
        "/v1/messages",
        &[],
        &message("").replace("\"max_tokens\":256,", ""),
    )
    .await;
    assert_eq!(no_limit.status, Some(400));
    assert_eq!(
        no_limit.json()["error"]["message"],
        "max_tokens: Field required"
    );
    assert_eq!(
        post(sim.addr(), "/v1/nowhere", &[], "{}").await.status,
        Some(404)
    );
    assert_eq!(
        client::request(
            sim.addr(),
            "GET",
            chat_path,
            &[],
            "",
            std::time::Duration::from_secs(5)
        )
        .await
        .status,
        Some(405)
    );
    assert!(
        sim.received()
            .iter()
            .all(|call| call.answered_by == "refused")
    );
}

#[tokio::test]
async fn keys_are_asked_for_only_if_the_script_says_so() {
    let sim = start(r#"keys = ["right"]"#).await;
    let body = chat("");
    let with = async |headers: &[(&str, &str)]| {
        post(sim.addr(), "/v1/chat/completions", headers, &body)
            .await
            .status
    };
    assert_eq!(with(&[]).await, Some(401));
    assert_eq!(with(&[("authorization", "Bearer wrong")]).await, Some(401));
    assert_eq!(with(&[("authorization", "Bearer right")]).await, Some(200));
    assert_eq!(with(&[("api-key", "right")]).await, Some(200));
}

#[tokio::test]
async fn connections_are_kept_for_the_next_call() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let sim = start(r#"text = "ok""#).await;
    let mut stream = tokio::net::TcpStream::connect(sim.addr()).await.unwrap();
    let body = chat("");
    for _ in 0..3 {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        while !raw.ends_with(b"}") {
            let mut byte = [0; 1_024];
            let read = stream.read(&mut byte).await.unwrap();
            assert!(read > 0);
            raw.extend_from_slice(&byte[..read]);
        }
        assert!(raw.starts_with(b"HTTP/1.1 200 OK"));
    }
    assert_eq!(sim.count(), 3);
}
