//! Texts in, vectors out: through failures, but never into another space.

use crate::support::{BINARY, Gateway, file, openai};
use llm_sim::{Preset, Rule, Script, Sim};
use serde_json::json;
use std::process::Command;

fn configuration(first: &str, second: &str, spaces: [&str; 2]) -> String {
    format!(
        r#"
[targets.first]
provider = "openai"
model = "embed-large"
base_url = "{first}"
embeddings = "{}"

[targets.second]
provider = "mistral"
model = "the-same-elsewhere"
base_url = "{second}"
embeddings = "{}"

[targets.chatty]
provider = "openai"
model = "large"
base_url = "{first}"

[routes.embed]
tiers = [["first"], ["second"]]
degraded = [{{ mode = "cached" }}, {{ mode = "message", text = "No vector, this." }}]
patience = "100ms"

[routes.chat]
tiers = [["chatty"]]
"#,
        spaces[0], spaces[1]
    )
}

#[tokio::test]
async fn vectors_come_from_the_fallback_and_then_from_the_cache() {
    let first = Sim::builder().seed(1).start().await.unwrap();
    let second = Sim::builder().seed(2).start().await.unwrap();
    let urls = (first.openai_base_url(), second.openai_base_url());
    let gateway = Gateway::serve(&configuration(&urls.0, &urls.1, ["e", "e"]));
    let body = json!({"model": "embed", "input": ["one", "two"], "dimensions": 16}).to_string();

    let seen = gateway.post("/v1/embeddings", body.clone()).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!(seen.header("x-llm-target"), Some("first"));
    let good = seen.json();
    assert_eq!(good["model"], "embed-large");
    assert_eq!(good["data"].as_array().unwrap().len(), 2);
    assert_eq!(good["data"][1]["embedding"].as_array().unwrap().len(), 16);

    let coded = json!({"model": "embed", "input": "one", "encoding_format": "base64"}).to_string();
    let coded = gateway.post("/v1/embeddings", coded).await.json();
    assert!(coded["data"][0]["embedding"].is_string());
    let metrics = gateway.get("/metrics").await;
    let line = "duration_seconds_count{gen_ai_operation_name=\"embeddings\",gen_ai_provider_name=\"openai\",gen_ai_request_model=\"embed-large\",target=\"first\"";
    assert!(metrics.text().contains(line), "{}", metrics.text());

    let down = || {
        let rule = Rule::new().preset(Preset::Unavailable);
        Script::builder().rule(rule).build().unwrap()
    };
    first.set_script(down());
    let other = json!({"model": "embed", "input": "three"}).to_string();
    let seen = gateway.post("/v1/embeddings", other).await;
    assert_eq!(
        seen.header("x-llm-target"),
        Some("second"),
        "{}",
        seen.text()
    );

    second.set_script(down());
    let kept = gateway.post("/v1/embeddings", body).await;
    assert!(kept.header("x-llm-degraded").unwrap().starts_with("cached"));
    assert_eq!(kept.json()["data"], good["data"]);
    let unknown = json!({"model": "embed", "input": "four"}).to_string();
    let seen = gateway.post("/v1/embeddings", unknown).await;
    assert_eq!(seen.status, 503, "a message is no vector: {}", seen.text());
}

/// Two providers with wires of their own say that they have one space, which the simulator's vectors are in.
#[tokio::test]
async fn vectors_come_from_wires_of_other_providers() {
    let first = Sim::builder().seed(1).start().await.unwrap();
    let second = Sim::builder().seed(1).start().await.unwrap();
    let gateway = Gateway::serve(&format!(
        r#"
[targets.first]
provider = "cohere"
model = "embed-v4.0"
base_url = "{}/v2"
embeddings = "e"

[targets.second]
provider = "ollama"
dialect = "ollama_chat"
model = "the-same-elsewhere"
base_url = "{}"
embeddings = "e"

[routes.embed]
tiers = [["first"], ["second"]]
"#,
        first.base_url(),
        second.base_url()
    ));
    let ask = async |input: serde_json::Value| {
        let body = json!({"model": "embed", "input": input, "dimensions": 16}).to_string();
        gateway.post("/v1/embeddings", body).await
    };
    let seen = ask(json!(["one", "two"])).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!(seen.header("x-llm-target"), Some("first"));
    let good = seen.json();
    assert_eq!(good["model"], "embed-v4.0");
    assert_eq!(good["usage"]["prompt_tokens"], 2);

    // More texts than Cohere takes at once.
    let seen = ask(json!(vec!["x"; 97])).await;
    assert_eq!(seen.header("x-llm-target"), Some("second"));
    assert_eq!(seen.json()["data"].as_array().unwrap().len(), 97);
    assert_eq!(first.count(), 1, "nothing was sent");

    let rule = Rule::new().preset(Preset::Unavailable);
    first.set_script(Script::builder().rule(rule).build().unwrap());
    let seen = ask(json!(["one", "two"])).await;
    assert_eq!(seen.header("x-llm-target"), Some("second"));
    assert_eq!(seen.json()["data"], good["data"], "the same vectors");

    // Tokens mean nothing to either.
    let seen = ask(json!([[1, 2], [3]])).await;
    assert_eq!(seen.status, 400, "{}", seen.text());
    assert_eq!(seen.json()["error"]["code"], "unsupported_feature");
}

/// What `check` says of a configuration that it must refuse.
fn refused(config: &str) -> String {
    let path = file(config);
    let output = Command::new(BINARY)
        .arg("check")
        .arg(&path)
        .output()
        .unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn a_target_whose_vectors_cannot_be_asked_for_is_refused() {
    let config = configuration("http://127.0.0.1:9", "http://127.0.0.1:9", ["e", "e"]);
    let config = config.replacen("\"openai\"", "\"anthropic\"", 1);
    let said = refused(&config);
    assert!(said.contains("targets.first.embeddings"), "{said}");
    assert!(said.contains("no embeddings of `embed-large`"), "{said}");
}

#[tokio::test]
async fn conversations_and_embeddings_do_not_meet() {
    let sim = Sim::builder().start().await.unwrap();
    let url = sim.openai_base_url();
    let gateway = Gateway::serve(&configuration(&url, &url, ["e", "e"]));
    let chat = openai("hi", false).replace("\"chat\"", "\"embed\"");
    let embed = json!({"model": "chat", "input": "hi"}).to_string();
    for (path, body) in [("/v1/chat/completions", chat), ("/v1/embeddings", embed)] {
        let seen = gateway.post(path, body).await;
        assert_eq!(seen.status, 400, "{path}: {}", seen.text());
        assert_eq!(
            seen.json()["error"]["code"],
            "unsupported_feature",
            "{path}"
        );
    }
    assert_eq!(sim.count(), 0, "nothing was sent");
    let bad = gateway
        .post("/v1/embeddings", r#"{"model":"embed","input":[]}"#)
        .await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.json()["error"]["param"], "input");
}

#[test]
fn a_route_that_mixes_spaces_is_refused() {
    let url = "http://127.0.0.1:9/v1";
    let tiers = configuration(url, url, ["small", "large"]);
    let one_tier = tiers.replace(r#"[["first"], ["second"]]"#, r#"[["first"]]"#);
    let canary = one_tier.replace("patience =", "canary = { target = \"second\" }\npatience =");
    for (key, config) in [("tiers", tiers), ("canary", canary)] {
        let said = refused(&config);
        let place = format!("routes.embed.{key}");
        assert!(said.contains(&place) && said.contains("`small`"), "{said}");
    }
}
