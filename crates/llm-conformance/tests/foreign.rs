//! An adapter that is none of ours takes part, and its faults are found.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use llm_conformance::{
    Adapter, Answer, Ask, EndpointAdapter, MODEL, Received, SimStage, Stage, SuiteError, run,
};
use llm_errors::Provider;
use llm_providers::{Dialect, Endpoint};
use std::sync::Mutex;

/// A provider that is no simulator: it remembers, the adapter answers.
#[derive(Default)]
struct Memory(Mutex<Vec<Received>>);

impl Stage for &Memory {
    fn address(&self) -> String {
        "memory:".to_owned()
    }

    fn prepare(&self, _: &str) -> Result<(), SuiteError> {
        self.0.lock().unwrap().clear();
        Ok(())
    }

    fn received(&self) -> Vec<Received> {
        self.0.lock().unwrap().clone()
    }
}

/// It sends the request on as it came, the caller's model name included, and always says the same.
struct Parrot<'a>(&'a Memory);

impl Adapter for Parrot<'_> {
    fn name(&self) -> &str {
        "parrot"
    }

    fn model(&self) -> &str {
        "parrot-1"
    }

    fn dialect(&self) -> Option<Dialect> {
        Some(Dialect::OpenAiChat)
    }

    fn call(&self, ask: Ask) -> BoxFuture<'_, Answer> {
        async move {
            self.0.0.lock().unwrap().push(Received {
                path: "/".to_owned(),
                body: serde_json::from_slice(&ask.body).unwrap(),
            });
            let body = r#"{"id":"1","model":"parrot-1","choices":[{"index":0,"message":{"role":"assistant","content":"Four."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
            Answer {
                body: Bytes::from_static(body.as_bytes()),
                ..Answer::default()
            }
        }
        .boxed()
    }
}

#[tokio::test]
async fn the_faults_of_a_foreign_adapter_are_found() {
    let memory = Memory::default();
    let report = run(&Parrot(&memory), &&memory, Dialect::OpenAiChat)
        .await
        .unwrap();
    let of = |conversation: &str| -> Vec<&str> {
        let findings = report.findings.iter();
        findings
            .filter(|finding| finding.conversation == conversation)
            .map(|finding| finding.what.as_str())
            .collect()
    };
    let plain = of("plain").join("\n");
    assert!(
        plain.contains("whole: the provider was not asked for parrot-1"),
        "{plain}"
    );
    assert!(
        plain.contains("a request of the provider's own dialect was changed"),
        "{plain}"
    );
    assert!(
        plain.contains("streamed: the answer is no finished answer"),
        "{plain}"
    );
    assert!(!plain.contains("the text is"), "{plain}");
    assert!(
        of("tool_required")
            .join("\n")
            .contains("the tools called are []")
    );
    assert!(
        of("finish_length")
            .join("\n")
            .contains("it ended with Some(Stop), not Length")
    );
}

/// It leaves the system prompt out.
struct Deaf(EndpointAdapter);

impl Adapter for Deaf {
    fn name(&self) -> &str {
        "deaf"
    }

    fn model(&self) -> &str {
        MODEL
    }

    fn call(&self, mut ask: Ask) -> BoxFuture<'_, Answer> {
        let mut body: serde_json::Value = serde_json::from_slice(&ask.body).unwrap();
        body.as_object_mut().unwrap().remove("system");
        ask.body = body.to_string().into();
        self.0.call(ask)
    }
}

#[tokio::test]
async fn a_text_that_does_not_arrive_is_found() {
    let adapter = EndpointAdapter::try_new("openai", |address| {
        Endpoint::builder(Provider::OpenAi, MODEL)
            .base_url(format!("{address}/v1"))
            .build()
    });
    let stage = SimStage::start().await.unwrap();
    let report = run(&Deaf(adapter.unwrap()), &stage, Dialect::AnthropicMessages)
        .await
        .unwrap();
    let mut concerned: Vec<_> = report
        .findings
        .iter()
        .map(|finding| finding.conversation.as_str())
        .collect();
    concerned.dedup();
    assert_eq!(
        concerned,
        [
            "everything",
            "system_prompt",
            "two_system_prompts",
            "unicode"
        ]
    );
}
