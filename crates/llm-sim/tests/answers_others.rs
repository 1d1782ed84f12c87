//! Bedrock, Cohere and Ollama, as the references document them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/client.rs"]
mod client;
#[path = "support/dialect.rs"]
mod dialect;

use client::{Seen, post, start};
use dialect::{ALL, Dialect, Read};
use llm_sim::{SimHandle, Wire};
use serde_json::{Value, json};

fn of(wire: Wire) -> &'static Dialect {
    ALL.iter().find(|dialect| dialect.wire == wire).unwrap()
}

async fn ask(sim: &SimHandle, wire: Wire, is_streamed: bool, more: &Value) -> Seen {
    let (path, body) = of(wire).request(is_streamed);
    let mut body: Value = serde_json::from_str(&body).unwrap();
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    post(sim.addr(), path, &[], &body.to_string()).await
}

async fn whole(sim: &SimHandle, wire: Wire, more: &Value) -> Value {
    ask(sim, wire, false, more).await.json()
}

async fn streamed(sim: &SimHandle, wire: Wire, more: &Value) -> Read {
    of(wire).read(&ask(sim, wire, true, more).await.body)
}

const SCHEMA: &str =
    r#"{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}"#;

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

#[tokio::test]
async fn converse_calls_tools_thinks_and_counts() {
    let sim =
        start("text = \"Paris it is.\"\n[[rule]]\ncalls = \"1..2\"\nthinking = \"Which city?\"")
            .await;
    let reply = whole(&sim, Wire::BedrockConverse, &json!({})).await;
    assert_eq!(reply["stopReason"], "end_turn");
    assert_eq!(
        reply["usage"],
        json!({"inputTokens": 2, "outputTokens": 5, "totalTokens": 7})
    );
    let content = &reply["output"]["message"]["content"];
    assert_eq!(
        content[0]["reasoningContent"]["reasoningText"]["text"],
        "Which city?"
    );
    assert_eq!(content[1]["text"], "Paris it is.");
    let read = streamed(&sim, Wire::BedrockConverse, &json!({})).await;
    assert_eq!(read.events.last().unwrap()["data"]["usage"], reply["usage"]);

    let tool = json!({"toolSpec": {"name": "get_weather", "inputSchema": {"json": schema()}}});
    let config = json!({"toolConfig": {"tools": [tool], "toolChoice": {"any": {}}}});
    let reply = whole(&sim, Wire::BedrockConverse, &config).await;
    assert_eq!(reply["stopReason"], "tool_use");
    let used = &reply["output"]["message"]["content"][0]["toolUse"];
    assert_eq!(
        (&used["name"], &used["input"]),
        (&json!("get_weather"), &json!({"city": "sample"}))
    );
    let read = streamed(&sim, Wire::BedrockConverse, &config).await;
    let kinds: Vec<&str> = read
        .events
        .iter()
        .map(|event| event["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[..2], ["messageStart", "contentBlockStart"]);
    assert_eq!(
        kinds[kinds.len() - 3..],
        ["contentBlockStop", "messageStop", "metadata"]
    );
    let input: String = read
        .events
        .iter()
        .filter_map(|event| event.pointer("/data/delta/toolUse/input")?.as_str())
        .collect();
    assert_eq!(input, r#"{"city":"sample"}"#);
}

#[tokio::test]
async fn converse_names_its_exceptions_in_a_header_or_a_frame() {
    let sim = start("[[rule]]\nstream = false\npreset = \"rate_limit_tokens\"\n[[rule]]\nerror_event = { after_chunks = 1, preset = \"rate_limit\" }").await;
    let refused = ask(&sim, Wire::BedrockConverse, false, &json!({})).await;
    assert_eq!(refused.status, Some(429));
    assert!(
        refused
            .header("x-amzn-errortype")
            .unwrap()
            .starts_with("ThrottlingException")
    );
    assert_eq!(
        refused.json()["message"],
        "Too many tokens, please wait before trying again."
    );
    let read = streamed(&sim, Wire::BedrockConverse, &json!({})).await;
    assert_eq!(read.error.unwrap()["kind"], "throttlingException");
}

#[tokio::test]
async fn converse_takes_signed_calls_and_looks_at_the_signature_when_keys_are_asked_for() {
    let sim = start("keys = [\"AKIDEXAMPLE\", \"bedrock-key\"]").await;
    let body = r#"{"messages": [{"role": "user", "content": [{"text": "x"}]}]}"#;
    let signed = |scope: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/us-east-1/{scope}, SignedHeaders=host;x-amz-date, Signature={}",
            "a".repeat(64)
        )
    };
    let (good, bad) = (signed("bedrock/aws4_request"), signed("s3/aws4_request"));
    let date = ("x-amz-date", "20261126T070000Z");
    for (headers, status) in [
        (vec![("authorization", good.as_str()), date], 200),
        (vec![("authorization", good.as_str())], 403),
        (vec![("authorization", bad.as_str()), date], 403),
        (vec![("authorization", "Bearer bedrock-key")], 200),
        (vec![("authorization", "Bearer another")], 403),
        (vec![], 403),
    ] {
        let seen = post(sim.addr(), "/model/m%3A0/converse", &headers, body).await;
        assert_eq!(seen.status, Some(status), "{headers:?}");
    }
    assert_eq!(sim.received()[0].model.as_deref(), Some("m:0"));
}

#[tokio::test]
async fn cohere_calls_tools_and_ends_with_the_reason() {
    let sim = start("").await;
    let tool =
        json!({"type": "function", "function": {"name": "get_weather", "parameters": schema()}});
    let more = json!({"tools": [tool], "tool_choice": "REQUIRED"});
    let reply = whole(&sim, Wire::CohereChat, &more).await;
    assert_eq!(reply["finish_reason"], "TOOL_CALL");
    let function = &reply["message"]["tool_calls"][0]["function"];
    assert_eq!(function["arguments"], r#"{"city":"sample"}"#);
    let read = streamed(&sim, Wire::CohereChat, &more).await;
    let arguments: String = read
        .events
        .iter()
        .filter(|event| event["type"] == "tool-call-delta")
        .filter_map(|event| {
            event
                .pointer("/delta/message/tool_calls/function/arguments")?
                .as_str()
        })
        .collect();
    assert_eq!(arguments, r#"{"city":"sample"}"#);
    let last = &read.events.last().unwrap()["delta"];
    assert_eq!(
        (
            &last["finish_reason"],
            &last["usage"]["tokens"]["input_tokens"]
        ),
        (&json!("TOOL_CALL"), &json!(2))
    );
    let cut = whole(&sim, Wire::CohereChat, &json!({"max_tokens": 3})).await;
    assert_eq!(cut["finish_reason"], "MAX_TOKENS");
}

#[tokio::test]
async fn ollama_streams_by_itself_and_counts_in_its_last_line() {
    let sim = start("text = \"Paris it is.\"").await;
    let body = r#"{"model": "m", "messages": [{"role": "user", "content": "hello there"}]}"#;
    let seen = post(sim.addr(), "/api/chat", &[], body).await;
    assert_eq!(seen.header("content-type"), Some("application/x-ndjson"));
    let read = of(Wire::OllamaChat).read(&seen.body);
    let last = read.events.last().unwrap();
    assert_eq!(
        (
            &last["done_reason"],
            &last["eval_count"],
            &last["prompt_eval_count"]
        ),
        (&json!("stop"), &json!(3), &json!(2))
    );
    let tool =
        json!({"type": "function", "function": {"name": "get_weather", "parameters": schema()}});
    let call = json!({"messages": [{"role": "user", "content": "use the tool get_weather"}], "tools": [tool]});
    let reply = whole(&sim, Wire::OllamaChat, &call).await;
    assert_eq!(
        reply["message"]["tool_calls"][0]["function"]["arguments"],
        json!({"city": "sample"})
    );
    let cut = whole(
        &sim,
        Wire::OllamaChat,
        &json!({"options": {"num_predict": 2}}),
    )
    .await;
    assert_eq!(cut["done_reason"], "length");
    let made = whole(&sim, Wire::OllamaChat, &json!({"format": schema()})).await;
    let made: Value = serde_json::from_str(made["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(made, json!({"city": "sample"}));
}

#[tokio::test]
async fn embeddings_have_each_providers_shape() {
    let sim = start("").await;
    let cohere = r#"{"model": "e", "texts": ["one two", "three"], "input_type": "search_query", "embedding_types": ["float"], "output_dimension": 4}"#;
    let cohere = post(sim.addr(), "/v2/embed", &[], cohere).await.json();
    assert_eq!(
        cohere["embeddings"]["float"][1].as_array().unwrap().len(),
        4
    );
    let ollama = r#"{"model": "e", "input": "one two"}"#;
    let ollama = post(sim.addr(), "/api/embed", &[], ollama).await.json();
    assert_eq!(
        (
            ollama["embeddings"][0].as_array().unwrap().len(),
            &ollama["prompt_eval_count"]
        ),
        (8, &json!(2))
    );
}

#[tokio::test]
async fn embeddings_are_refused_where_the_provider_refuses_them() {
    let sim = start("context_window = 2").await;
    let status = async |path: &str, body: Value| {
        let seen = post(sim.addr(), path, &[], &body.to_string()).await;
        seen.status
    };
    let cohere = async |body| status("/v2/embed", body).await;
    let texts = |count| vec!["x"; count];
    let kind = "classification";
    assert_eq!(
        cohere(json!({"model": "e", "texts": ["x"]})).await,
        Some(400)
    );
    let all = json!({"model": "e", "texts": texts(96), "input_type": kind});
    assert_eq!(cohere(all).await, Some(200));
    let more = json!({"model": "e", "texts": texts(97), "input_type": kind});
    assert_eq!(cohere(more).await, Some(400));
    let long = json!({"model": "e", "texts": ["a b c"], "input_type": kind});
    assert_eq!(cohere(long.clone()).await, Some(200), "cut unseen");
    let mut whole = long;
    whole["truncate"] = json!("NONE");
    assert_eq!(cohere(whole).await, Some(400));
    let ollama = json!({"model": "e", "input": "a b c", "truncate": false});
    assert_eq!(status("/api/embed", ollama).await, Some(400));

    let titan = "/model/amazon.titan-embed-text-v2%3A0/invoke";
    assert_eq!(status(titan, json!({"inputText": "a b"})).await, Some(200));
    assert_eq!(status(titan, json!({"texts": ["a b"]})).await, Some(400));
    assert_eq!(
        status(titan, json!({"inputText": "a b c"})).await,
        Some(400)
    );
    let cohere = json!({"texts": ["a b", "c"], "input_type": kind});
    let path = "/model/us.cohere.embed-v4%3A0/invoke";
    let seen = post(sim.addr(), path, &[], &cohere.to_string())
        .await
        .json();
    assert_eq!(seen["embeddings"]["float"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn embeddings_can_be_an_error_with_status_200() {
    let sim = start("[[rule]]\nerror_event = { preset = \"server_error\" }").await;
    for (path, body, place) in [
        (
            "/v1/embeddings",
            r#"{"model": "e", "input": "x"}"#,
            "/error/message",
        ),
        (
            "/v2/embed",
            r#"{"model": "e", "texts": ["x"], "input_type": "clustering"}"#,
            "/message",
        ),
        ("/api/embed", r#"{"model": "e", "input": "x"}"#, "/error"),
        (
            "/v1beta/models/e:embedContent",
            r#"{"content": {"parts": [{"text": "x"}]}}"#,
            "/error/status",
        ),
    ] {
        let seen = post(sim.addr(), path, &[], body).await;
        assert_eq!(seen.status, Some(200), "{path}");
        assert!(
            seen.json().pointer(place).is_some_and(Value::is_string),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_signature_is_compared_where_the_secret_is_known() {
    // Signed by botocore 1.44.8, with the host that the client of these tests names.
    let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=b3a62debfea33aadbf92577c949dfbf464d0b924c6837968e2d8a41da9b38a55";
    let headers = [
        ("content-type", "application/json"),
        ("x-amz-date", "20261126T070000Z"),
        ("authorization", signed),
    ];
    let body = r#"{"messages": [{"role": "user", "content": [{"text": "x"}]}]}"#;
    let path = "/model/m%3A0/converse";
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let known = start(&format!("keys = [\"AKIDEXAMPLE:{secret}\"]")).await;
    let other = start("keys = [\"AKIDEXAMPLE:another\"]").await;
    let changed = body.replace('x', "y");
    for (sim, path, body, status) in [
        (&known, path, body, 200),
        (&known, path, changed.as_str(), 403),
        (&known, "/model/m%3A1/converse", body, 403),
        (&other, path, body, 403),
    ] {
        let seen = post(sim.addr(), path, &headers, body).await;
        assert_eq!(seen.status, Some(status), "{path} {body}");
        if status == 403 {
            let kind = seen.header("x-amzn-errortype").unwrap();
            assert!(kind.starts_with("InvalidSignatureException"), "{kind}");
        }
    }
}
