//! A model that thinks before it speaks, behind a route of nothing but names.

use crate::support::{Gateway, openai};
use llm_sim::{Script, Sim};

/// More than the ten seconds that a stream has elsewhere until its first token.
const SILENT: &str = "[[rule]]\nslow = { latency = \"12s\" }";

#[tokio::test]
async fn a_thinking_model_is_waited_for_where_nothing_is_configured() {
    let slow = Script::from_toml(SILENT).unwrap();
    let first = Sim::builder().script(slow).start().await.unwrap();
    let second = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&format!(
        "[targets.first]\nprovider = \"openai\"\nmodel = \"gpt-5-mini\"\nbase_url = \"{}\"\n\
         [targets.second]\nprovider = \"openai\"\nmodel = \"gpt-4o\"\nbase_url = \"{}\"\n\
         [routes.chat]\ntiers = [[\"first\"], [\"second\"]]\n",
        first.openai_base_url(),
        second.openai_base_url(),
    ));
    let seen = gateway
        .post("/v1/chat/completions", openai("hi", true))
        .await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!(seen.header("x-llm-target"), Some("first"));
    assert_eq!(seen.header("x-llm-attempts"), Some("1"));
    assert!(seen.text().contains("[DONE]"), "{}", seen.text());
    assert_eq!((first.count(), second.count()), (1, 0));
    let metrics = gateway.get("/metrics").await.text().to_owned();
    let calls = "llm_gateway_upstream_attempts_total{";
    let calls: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with(calls))
        .collect();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(
        calls[0].contains("\"first\"") && calls[0].contains("\"answered\""),
        "{calls:?}"
    );
}
