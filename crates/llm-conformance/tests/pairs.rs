//! Every adapter of ours with every dialect that callers speak.
//!
//! `UPDATE_GOLDEN=1 cargo test -p llm-conformance` writes the golden files anew.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use llm_conformance::{Adapter, EndpointAdapter, MODEL, Report, SimStage, run};
use llm_errors::Provider;
use llm_providers::{Dialect, Endpoint};
use std::path::Path;

/// An adapter of ours, its name, provider and where under the simulator's address its wire is.
async fn check(name: &str, provider: Provider, path: &'static str) {
    let adapter = EndpointAdapter::try_new(name, move |address| {
        Endpoint::builder(provider, MODEL)
            .base_url(format!("{address}{path}"))
            .credential("test-key".into())
            .build()
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
        let all = report
            .findings
            .iter()
            .map(ToString::to_string)
            .chain(differences);
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
