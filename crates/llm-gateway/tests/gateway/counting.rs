//! Callers that ask how long their prompt is.
use crate::support::{Gateway, anthropic, two};
use llm_sim::Sim;
use serde_json::json;

#[tokio::test]
async fn the_count_is_what_the_target_has_been_seen_to_count() {
    let sim = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&two(&sim.openai_base_url(), &sim.base_url(), ""));
    // The simulator counts a word as a token, the estimate takes more for such long words.
    let prompt = "incomprehensibilities ".repeat(400);
    let count = async || {
        let body = anthropic(&prompt, false);
        let seen = gateway
            .post("/v1/messages/count_tokens?beta=true", body)
            .await;
        assert_eq!(seen.status, 200, "{}", seen.text());
        seen.json()["input_tokens"].as_u64().unwrap()
    };
    let before = count().await;
    assert_eq!(sim.count(), 0, "nothing is sent");
    for _ in 0..40 {
        assert_eq!(
            gateway
                .post("/v1/messages", anthropic(&prompt, false))
                .await
                .status,
            200
        );
    }
    let after = count().await;
    assert!(
        after.abs_diff(400) * 4 < before.abs_diff(400),
        "{before} {after}"
    );

    let body = json!({ "model": "chat", "input": "four words or so" }).to_string();
    let seen = gateway.post("/v1/responses/input_tokens", body).await;
    assert_eq!(seen.json()["object"], "response.input_tokens");
    assert!(seen.json()["input_tokens"].as_u64().unwrap() > 0);

    let seen = gateway.post("/v1/messages/count_tokens", "{}").await;
    assert_eq!((seen.status, &seen.json()["type"]), (400, &json!("error")));
    let body = anthropic("hi", false).replace("chat", "chart");
    let seen = gateway.post("/v1/messages/count_tokens", body).await;
    assert_eq!(seen.status, 404, "{}", seen.text());
    assert_eq!(gateway.get("/v1/messages/count_tokens").await.status, 405);
}
