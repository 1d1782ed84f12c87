//! Every adapter of ours with every dialect that callers speak.
//!
//! `UPDATE_GOLDEN=1 cargo test -p llm-conformance` writes the golden files anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use llm_conformance::{Adapter, EndpointAdapter, MODEL, Report, SimStage, run};
use llm_errors::Provider;
use llm_providers::{Dialect, Endpoint, Wire};
use std::path::Path;

/// An adapter of ours, its name, provider and where under the simulator's address its wire is.
async fn check(name: &str, provider: Provider, path: &'static str) {
    check_wire(name, provider, path, None, &[]).await;
}

/// The same in another wire than the provider's own, but for what this wire cannot say: the names of
/// those conversations.
async fn check_wire(
    name: &str,
    provider: Provider,
    path: &'static str,
    wire: Option<Wire>,
    unsayable: &[&str],
) {
    let adapter = EndpointAdapter::try_new(name, move |address| {
        let builder = Endpoint::builder(provider, MODEL)
            .base_url(format!("{address}{path}"))
            .region("us-east1")
            .project("p")
            .credential("test-key".into());
        match wire {
            Some(wire) => builder.wire(wire).build(),
            None => builder.build(),
        }
    })
    .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let mut wrong = Vec::new();
    for caller in Dialect::ALL {
        let stage = SimStage::start().await.unwrap();
        let report = run(&adapter, &stage, *caller).await.unwrap();
        assert!(
            report.played.len() >= 30,
            "{caller}: {}",
            report.played.len()
        );
        let file = folder.join(format!("{caller}.txt"));
        // What passes untouched needs one golden file, not one for every provider of the wire.
        let untouched = adapter.dialect() == Some(*caller) && name != caller.as_str();
        let differences = match untouched {
            true => Vec::new(),
            false => differences(&report, &file),
        };
        let sayable = report
            .findings
            .iter()
            .filter(|finding| !unsayable.contains(&finding.conversation.as_str()));
        let all = sayable.map(ToString::to_string).chain(differences);
        wrong.extend(all.map(|what| format!("{caller} > {name}: {what}")));
    }
    assert!(
        wrong.is_empty(),
        "{} findings\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Compares with the golden file, or writes it anew where that is wished.
fn differences(report: &Report, file: &Path) -> Vec<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, report.golden_text()).unwrap();
        return Vec::new();
    }
    match std::fs::read_to_string(file) {
        Ok(golden) => report.differences(&golden),
        Err(error) => vec![format!("{}: {error}", file.display())],
    }
}

#[tokio::test]
async fn openai_chat() {
    check("openai_chat", Provider::OpenAi, "/v1").await;
}

#[tokio::test]
async fn openai_responses() {
    let wire = Some(Wire::OpenAiResponses);
    check_wire("openai_responses", Provider::OpenAi, "/v1", wire, &[]).await;
}

#[tokio::test]
async fn openai_compatible() {
    check("openai_compatible", Provider::Together, "/v1").await;
}

#[tokio::test]
async fn mistral() {
    check("mistral", Provider::Mistral, "/v1").await;
}

#[tokio::test]
async fn anthropic_messages() {
    check("anthropic_messages", Provider::Anthropic, "/v1").await;
}

#[tokio::test]
async fn gemini() {
    check("gemini", Provider::Gemini, "/v1beta").await;
}

#[tokio::test]
async fn gemini_on_vertex() {
    check("gemini_on_vertex", Provider::Vertex, "/v1").await;
}

#[tokio::test]
async fn bedrock_converse() {
    // Tools that are not to be called cannot be offered here.
    check_wire(
        "bedrock_converse",
        Provider::Bedrock,
        "",
        None,
        &["tool_none"],
    )
    .await;
}

#[tokio::test]
async fn cohere_chat() {
    // A tool that must be called is the only one offered, and no end of an answer says that it declines.
    let unsayable = ["tool_named", "refusal"];
    check_wire("cohere_chat", Provider::Cohere, "/v2", None, &unsayable).await;
}

#[tokio::test]
async fn ollama_chat() {
    // No tool can be demanded, and an answer that was declined or filtered ends like any other.
    let unsayable = [
        "tool_none",
        "tool_named",
        "tool_required",
        "tool_strict",
        "refusal",
        "finish_filter",
    ];
    let wire = Some(Wire::OllamaChat);
    check_wire("ollama_chat", Provider::Ollama, "", wire, &unsayable).await;
}
