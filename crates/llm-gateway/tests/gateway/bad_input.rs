//! Each bad request gets one clear error in its own dialect, and nothing else is disturbed.

use crate::support::{Gateway, Seen, anthropic, openai, two};
use http::Request;
use llm_sim::{Sim, SimHandle};
use serde_json::json;

async fn set() -> (SimHandle, Gateway) {
    let sim = Sim::builder().start().await.unwrap();
    let text = two(&sim.openai_base_url(), &sim.base_url(), "");
    let gateway = Gateway::serve(&format!("[server]\nmax_body = \"64KiB\"\n{text}"));
    (sim, gateway)
}

#[track_caller]
fn is_openai_error(seen: &Seen, status: u16, contains: &str) {
    assert_eq!(seen.status, status, "{}", seen.text());
    let error = &seen.json()["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(contains), "{message}");
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert!(seen.header("x-request-id").is_some());
}

#[track_caller]
fn is_anthropic_error(seen: &Seen, status: u16, kind: &str, contains: &str) {
    assert_eq!(seen.status, status, "{}", seen.text());
    let body = seen.json();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!(kind)),
        "{body}"
    );
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains(contains),
        "{body}"
    );
    assert_eq!(body["request_id"].as_str(), seen.header("x-request-id"));
}

#[tokio::test]
async fn a_body_that_is_not_json_is_400() {
    let (sim, gateway) = set().await;
    for body in ["", "not json", "{\"model\":", "[1]", "\u{0}"] {
        let seen = gateway.post("/v1/chat/completions", body).await;
        is_openai_error(&seen, 400, "");
        let seen = gateway.post("/v1/messages", body).await;
        is_anthropic_error(&seen, 400, "invalid_request_error", "");
    }
    assert_eq!(sim.count(), 0);
    assert_eq!(gateway.chat("still fine?").await.status, 200);
}

#[tokio::test]
async fn a_missing_model_is_named() {
    let (_sim, gateway) = set().await;
    let seen = gateway
        .post("/v1/chat/completions", r#"{"messages":[]}"#)
        .await;
    is_openai_error(&seen, 400, "model");
    assert_eq!(seen.json()["error"]["param"], "model");
}

#[tokio::test]
async fn an_unknown_model_names_the_nearest() {
    let (sim, gateway) = set().await;
    let body = openai("hi", false).replace("\"chat\"", "\"chta\"");
    let seen = gateway.post("/v1/chat/completions", body).await;
    is_openai_error(&seen, 404, "did you mean `chat`?");
    let body = anthropic("hi", false).replace("\"chat\"", "\"entirely-else\"");
    let seen = gateway.post("/v1/messages", body).await;
    is_anthropic_error(&seen, 404, "not_found_error", "served: chat");
    assert_eq!(sim.count(), 0);
    let metrics = gateway.get("/metrics").await;
    assert!(
        !metrics.text().contains("chta"),
        "a caller's words never become a label"
    );
    assert!(
        metrics
            .text()
            .contains("llm_gateway_rejected_total{reason=\"unknown_model\"} 2"),
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (sim, gateway) = set().await;
    let large = openai(&"x".repeat(80 << 10), false);
    let seen = gateway.post("/v1/chat/completions", large.clone()).await;
    is_openai_error(&seen, 413, "limit of 65536 bytes");
    let seen = gateway.post("/v1/messages", large).await;
    is_anthropic_error(&seen, 413, "request_too_large", "limit of 65536 bytes");
    assert_eq!(sim.count(), 0);
    assert_eq!(gateway.chat("still fine?").await.status, 200);
    let just_fits = openai(&"x".repeat(60 << 10), false);
    assert_eq!(
        gateway.post("/v1/chat/completions", just_fits).await.status,
        200
    );
}

#[tokio::test]
async fn wrong_methods_and_unknown_paths_are_told() {
    let (_sim, gateway) = set().await;
    let seen = gateway.get("/v1/chat/completions").await;
    is_openai_error(&seen, 405, "POST");
    assert_eq!(seen.header("allow"), Some("POST"));
    let seen = gateway.post("/v1/models", "").await;
    is_openai_error(&seen, 405, "GET");
    let seen = gateway.get("/v1/images").await;
    is_openai_error(&seen, 404, "/v1/images");
    let request = Request::get(format!("{}/v1/complete", gateway.url))
        .header("anthropic-version", "2023-06-01");
    is_anthropic_error(
        &gateway.send(request, "").await,
        404,
        "not_found_error",
        "/v1/complete",
    );
}

#[tokio::test]
async fn models_are_listed_in_both_shapes() {
    let (_sim, gateway) = set().await;
    let list = gateway.get("/v1/models").await.json();
    assert_eq!(
        (&list["object"], &list["data"][0]["id"]),
        (&json!("list"), &json!("chat"))
    );
    let request = Request::get(format!("{}/v1/models", gateway.url))
        .header("anthropic-version", "2023-06-01");
    let list = gateway.send(request, "").await.json();
    assert_eq!(
        (&list["data"][0]["type"], &list["first_id"]),
        (&json!("model"), &json!("chat"))
    );
    assert_eq!(gateway.get("/v1/models/chat").await.json()["id"], "chat");
    is_openai_error(
        &gateway.get("/v1/models/nope").await,
        404,
        "not served here",
    );
}

#[tokio::test]
async fn a_compressed_body_is_told_apart_from_a_broken_one() {
    let (_sim, gateway) = set().await;
    let request = gateway.request("/v1/chat/completions");
    let request = request.header("content-encoding", "gzip");
    is_openai_error(
        &gateway.send(request, "\u{1f}\u{8b}").await,
        400,
        "content-encoding cannot be read: send the body as it is, not compressed",
    );
    let request = gateway.request("/v1/chat/completions");
    let request = request.header("content-encoding", "identity");
    let seen = gateway.send(request, openai("hi", false)).await;
    assert_eq!(seen.status, 200);
}
