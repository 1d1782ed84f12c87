//! Which member of a tier answers: limits kept here, prices, and what calls stick by.

use crate::support::{Gateway, openai};
use llm_sim::{Script, Sim, SimHandle};
use serde_json::json;
use std::collections::BTreeSet;

/// A gateway with two members in one tier, `a` with `of_a` and the route with `of_route` added.
async fn set(of_a: &str, of_b: &str, of_route: &str) -> (SimHandle, Gateway) {
    let sim = Sim::builder()
        .script(Script::healthy())
        .start()
        .await
        .unwrap();
    let url = sim.openai_base_url();
    let text = format!(
        "[targets.a]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"{url}\"\n{of_a}\n\
         [targets.b]\nprovider = \"openai\"\nmodel = \"n\"\nbase_url = \"{url}\"\n{of_b}\n\
         [routes.chat]\ntiers = [[\"a\", \"b\"]]\n{of_route}\n"
    );
    (sim, Gateway::serve(&text))
}

/// The target that answers a call with these headers.
async fn target(gateway: &Gateway, headers: &[(&str, &str)]) -> String {
    let mut request = gateway.request("/v1/chat/completions");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let seen = gateway.send(request, openai("hi", false)).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    seen.header("x-llm-target").unwrap().to_owned()
}

#[tokio::test]
async fn calls_of_one_session_stay_with_one_target() {
    let route = "strategy = \"sticky\"\nstick_to = \"x-session-id\"";
    let (_sim, gateway) = set("", "", route).await;
    let mut used = BTreeSet::new();
    for session in ["s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10"] {
        let headers = [("x-session-id", session)];
        let first = target(&gateway, &headers).await;
        for key in ["Bearer x", "Bearer y"] {
            let again = target(&gateway, &[headers[0], ("authorization", key)]).await;
            assert_eq!(again, first, "{session}");
        }
        used.insert(first);
    }
    assert_eq!(used.len(), 2, "sessions are spread: {used:?}");
}

#[tokio::test]
async fn calls_of_one_key_stay_with_one_target() {
    let (_sim, gateway) = set("", "", "strategy = \"sticky\"").await;
    let mut used = BTreeSet::new();
    for key in 0..10 {
        let bearer = format!("Bearer key-{key}");
        let headers = [("authorization", bearer.as_str())];
        let first = target(&gateway, &headers).await;
        assert_eq!(target(&gateway, &headers).await, first, "{key}");
        used.insert(first);
    }
    assert_eq!(used.len(), 2, "keys are spread: {used:?}");
}

#[tokio::test]
async fn a_limit_is_kept_before_the_provider_says_so() {
    let (sim, gateway) = set("limits = { rpd = 3 }", "", "").await;
    let mut of_a = 0;
    // So many that a weighted draw gives each target its three for certain.
    for _ in 0..60 {
        of_a += usize::from(target(&gateway, &[]).await == "a");
    }
    assert_eq!(of_a, 3);
    assert_eq!(sim.count(), 60, "no call was sent in vain");
}

#[tokio::test]
async fn the_cheapest_answers() {
    let (_sim, gateway) = set(
        "price = { input = 3, output = 15 }",
        "price = { input = 0.15, output = 0.6 }",
        "strategy = \"cheapest\"",
    )
    .await;
    for _ in 0..6 {
        assert_eq!(target(&gateway, &[]).await, "b");
    }
}

#[tokio::test]
async fn a_strict_call_goes_where_all_of_it_can_be_said() {
    let sim = Sim::builder().start().await.unwrap();
    let (openai_url, root) = (sim.openai_base_url(), sim.base_url());
    let gateway = Gateway::serve(&format!(
        "[targets.a]\nprovider = \"anthropic\"\nmodel = \"claude-haiku-4-5\"\nbase_url = \"{root}\"\n\
         [targets.b]\nprovider = \"openai\"\nmodel = \"n\"\nbase_url = \"{openai_url}\"\n\
         [routes.chat]\ntiers = [[\"a\"], [\"b\"]]\n[routes.alone]\ntiers = [[\"a\"]]\n"
    ));
    let ask = async |path: &str, route: &str, strict: Option<&str>| {
        let mut request = gateway.request(path);
        if let Some(strict) = strict {
            request = request.header("x-llm-strict", strict);
        }
        let body = format!(
            r#"{{"model":"{route}","seed":7,"messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        gateway.send(request, body).await
    };
    let path = "/v1/chat/completions";
    let lenient = ask(path, "chat", None).await;
    assert_eq!(lenient.header("x-llm-target"), Some("a"));
    assert_eq!(lenient.header("x-llm-dropped"), Some("seed"));
    let strict = ask(path, "chat", Some("true")).await;
    assert_eq!(strict.header("x-llm-target"), Some("b"), "{strict:?}");
    assert_eq!(strict.header("x-llm-dropped"), None);
    let refused = ask(path, "alone", Some("1")).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("can carry seed"), "{refused:?}");
    assert!(
        refused.text().contains("unsupported_feature"),
        "{refused:?}"
    );
    assert_eq!(ask(path, "chat", Some("yes")).await.status, 400);
    assert_eq!(
        sim.count(),
        2,
        "nothing was sent where it could not be said"
    );

    let told = ask("/explain/chat", "chat", Some("true")).await.json();
    let (a, b) = (&told["candidates"][0], &told["candidates"][1]);
    assert_eq!(
        (&a["refusal"], a["share"].as_f64()),
        (&json!("lossy"), Some(0.0))
    );
    assert_eq!(
        (&b["refusal"], b["share"].as_f64()),
        (&json!(null), Some(1.0))
    );
    assert!(
        told["words"][0].as_str().unwrap().contains("lossy"),
        "{told}"
    );
    assert_eq!(a["model_data"]["context_window"], 200_000);
    assert_eq!(
        a["model_data"]["read"].as_str().unwrap().len(),
        "2026-11-26".len()
    );
    assert_eq!(b["model_data"], json!(null), "no page was read of it");
    let alone = ask("/explain/alone", "chat", Some("true")).await.json();
    assert_eq!(alone["candidates"][0]["refusal"], "lossy");
    let lenient = ask("/explain/chat", "chat", None).await.json();
    assert_eq!(lenient["candidates"][0]["refusal"], json!(null));
    assert_eq!(sim.count(), 2, "explaining sends nothing");
}
