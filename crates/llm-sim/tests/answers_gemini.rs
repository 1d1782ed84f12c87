//! Gemini and Vertex, as the references document them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/client.rs"]
mod client;

use client::{Seen, post, start};
use llm_sim::SimHandle;
use serde_json::{Value, json};

async fn ask(sim: &SimHandle, verb: &str, more: &Value) -> Seen {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hello there"}]}]});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    let path = format!("/v1beta/models/gemini-3-flash:{verb}");
    post(sim.addr(), &path, &[], &body.to_string()).await
}

const WHOLE: &str = "generateContent";
const STREAM: &str = "streamGenerateContent?alt=sse";

#[tokio::test]
async fn a_reply_counts_its_tokens_and_names_its_model() {
    let sim = start("text = \"Paris it is.\"\n[[rule]]\nthinking = \"Which city?\"").await;
    let reply = ask(&sim, WHOLE, &json!({})).await.json();
    assert_eq!(
        reply["candidates"][0]["content"]["parts"],
        json!([{"text": "Which city?", "thought": true}, {"text": "Paris it is."}])
    );
    assert_eq!(
        reply["usageMetadata"],
        json!({"promptTokenCount": 2, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "totalTokenCount": 7})
    );
    assert_eq!(reply["modelVersion"], "gemini-3-flash");
    let events = ask(&sim, STREAM, &json!({})).await.events();
    let last = events.last().unwrap();
    assert_eq!(last["usageMetadata"], reply["usageMetadata"]);
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
}

#[tokio::test]
async fn functions_are_called_in_one_piece() {
    let sim = start("").await;
    let tools = json!([{"functionDeclarations": [{"name": "get_weather", "parameters": {"type": "OBJECT",
        "properties": {"city": {"type": "STRING"}}, "required": ["city"]}}]}]);
    let more = json!({"tools": tools, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}});
    let whole = ask(&sim, WHOLE, &more).await.json();
    let stream = ask(&sim, STREAM, &more).await.events();
    for reply in [&whole, &stream[0]] {
        let call = &reply["candidates"][0]["content"]["parts"][0]["functionCall"];
        assert_eq!(
            (&call["name"], &call["args"]),
            (&json!("get_weather"), &json!({"city": "sample"}))
        );
    }
}

#[tokio::test]
async fn limits_filters_and_blocked_prompts_are_told_apart() {
    let sim = start("[[rule]]\ncalls = \"2..3\"\nfinish = \"content_filter\"\n[[rule]]\ncalls = \"2..3\"\nrefusal = \"No.\"").await;
    let cut = json!({"generationConfig": {"maxOutputTokens": 2}});
    let reply = ask(&sim, WHOLE, &cut).await.json();
    assert_eq!(reply["candidates"][0]["finishReason"], "MAX_TOKENS");
    let filtered = ask(&sim, WHOLE, &json!({})).await.json();
    assert_eq!(filtered["candidates"][0]["finishReason"], "SAFETY");
    assert_eq!(
        filtered["candidates"][0]["safetyRatings"][0]["blocked"],
        true
    );
    ask(&sim, WHOLE, &json!({})).await;
    let blocked = ask(&sim, WHOLE, &json!({})).await.json();
    assert_eq!(blocked["promptFeedback"]["blockReason"], "SAFETY");
    assert_eq!(blocked.get("candidates"), None);
}

#[tokio::test]
async fn schemas_in_capitals_are_satisfied() {
    let sim = start("").await;
    let schema = json!({"type": "OBJECT", "properties": {"n": {"type": "INTEGER", "minimum": 4}}, "required": ["n"]});
    let more = json!({"generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}});
    let reply = ask(&sim, WHOLE, &more).await.json();
    let text = reply["candidates"][0]["content"]["parts"][0]["text"].as_str();
    let made: Value = serde_json::from_str(text.unwrap()).unwrap();
    assert_eq!(made, json!({"n": 4}));
}

#[tokio::test]
async fn a_rate_limit_states_its_wait_in_the_body_and_an_array_is_refused_in_an_array() {
    let sim = start("[[rule]]\npreset = \"rate_limit\"\nretry_after = \"7s\"").await;
    let refused = ask(&sim, STREAM, &json!({})).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (Some(429), None)
    );
    let details = &refused.json()["error"]["details"];
    assert_eq!(details[2]["retryDelay"], "7s");
    assert!(details[0]["violations"][0]["quotaId"].is_string());
    let array = ask(&sim, "streamGenerateContent", &json!({})).await.json();
    assert_eq!(array[0]["error"]["status"], "RESOURCE_EXHAUSTED");
}

#[tokio::test]
async fn keys_are_taken_from_the_header_or_the_query() {
    let sim = start("keys = [\"right\"]").await;
    let body = r#"{"contents": [{"parts": [{"text": "x"}]}]}"#;
    let path = "/v1beta/models/g:generateContent";
    let status = async |path: &str, headers: &[(&str, &str)]| {
        post(sim.addr(), path, headers, body).await.status
    };
    assert_eq!(
        status(path, &[("x-goog-api-key", "right")]).await,
        Some(200)
    );
    assert_eq!(status(&format!("{path}?key=right"), &[]).await, Some(200));
    assert_eq!(
        status(path, &[("x-goog-api-key", "wrong")]).await,
        Some(400)
    );
    assert_eq!(status(path, &[]).await, Some(403));
}

#[tokio::test]
async fn embeddings_come_one_or_many() {
    let sim = start("").await;
    let content = json!({"parts": [{"text": "one two"}]});
    let one = json!({"content": content, "outputDimensionality": 3}).to_string();
    let one = post(sim.addr(), "/v1beta/models/e:embedContent", &[], &one)
        .await
        .json();
    assert_eq!(one["embedding"]["values"].as_array().unwrap().len(), 3);
    let batch = async |requests: Vec<Value>| {
        let body = json!({"requests": requests}).to_string();
        let path = "/v1beta/models/e:batchEmbedContents";
        post(sim.addr(), path, &[], &body).await
    };
    let request = json!({"model": "models/e", "content": content});
    let many = batch(vec![request.clone(); 2]).await.json();
    assert_eq!(many["embeddings"].as_array().unwrap().len(), 2);
    assert_eq!(many["embeddings"][0], many["embeddings"][1]);
    assert_eq!(many["usageMetadata"]["promptTokenCount"], 4);
    let nameless = json!({"content": content});
    assert_eq!(batch(vec![nameless]).await.status, Some(400));
    assert_eq!(batch(vec![request; 101]).await.status, Some(400));
}

#[tokio::test]
async fn vertex_embeds_by_prediction_or_by_content() {
    let sim = start("context_window = 3").await;
    let place = "/v1/projects/p/locations/l/publishers/google/models";
    let predict = async |text: &str, cut: bool| {
        let body = json!({"instances": [{"content": text}], "parameters": {"autoTruncate": cut}});
        let path = format!("{place}/text-embedding-005:predict");
        post(sim.addr(), &path, &[], &body.to_string()).await
    };
    let seen = predict("one two three", false).await.json();
    let told = &seen["predictions"][0]["embeddings"];
    assert_eq!(told["statistics"]["token_count"], 3);
    assert_eq!(told["values"].as_array().unwrap().len(), 8);
    let cut = predict("one two three four", true).await.json();
    assert_eq!(cut["predictions"][0]["embeddings"], *told, "cut unseen");
    assert_eq!(predict("one two three four", false).await.status, Some(400));

    let body = json!({"content": {"parts": [{"text": "one two three"}]}, "autoTruncate": false});
    let path = format!("{place}/gemini-embedding-2:embedContent");
    let seen = post(sim.addr(), &path, &[], &body.to_string()).await.json();
    assert_eq!(seen["embedding"]["values"], told["values"]);
}

#[tokio::test]
async fn vertex_wants_its_version_and_breaks_off_in_anthropics_words() {
    let path =
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-sonnet-4-5:streamRawPredict";
    let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    let sim = start(
        "[[rule]]\nstream = true\nerror_event = { after_chunks = 1, preset = \"overloaded_529\" }",
    )
    .await;
    let missing = post(sim.addr(), path, &[], &body.to_string()).await;
    assert_eq!(missing.status, Some(400));
    assert_eq!(missing.json()["error"]["status"], "INVALID_ARGUMENT");
    let mut body = body;
    body["anthropic_version"] = json!("vertex-2023-10-16");
    let events = post(sim.addr(), path, &[], &body.to_string())
        .await
        .events();
    assert_eq!(events.last().unwrap()["error"]["type"], "overloaded_error");
    assert_eq!(events[0]["message"]["model"], "claude-sonnet-4-5");
}
