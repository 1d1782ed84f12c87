//! With no target left the caller gets an earlier answer, an honest message, or an honest error, each marked as such.

use crate::support::{Gateway, anthropic, openai, two};
use llm_sim::{Preset, Rule, Script, Sim, SimHandle};
use std::time::Duration;

fn down(preset: Preset) -> Script {
    Script::builder()
        .rule(Rule::new().preset(preset))
        .build()
        .unwrap()
}

async fn sims() -> (SimHandle, SimHandle) {
    (
        Sim::builder().seed(1).start().await.unwrap(),
        Sim::builder().seed(2).start().await.unwrap(),
    )
}

/// A gateway whose two targets ask to be left alone for 20 s.
async fn limited() -> (Gateway, SimHandle, SimHandle) {
    let (first, second) = sims().await;
    let gateway = Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), ""));
    let limited = Rule::new()
        .preset(Preset::RateLimit)
        .retry_after(Duration::from_secs(20));
    for target in [&first, &second] {
        target.set_script(Script::builder().rule(limited.clone()).build().unwrap());
    }
    (gateway, first, second)
}

const LAST_RESORTS: &str = r#"degraded = [
  { mode = "cached" },
  { mode = "static", when = "opening hours", text = "Nine to five." },
  { mode = "message", text = "Nothing can answer.", contact = "help@example.com" },
]"#;

#[tokio::test]
async fn the_degraded_modes_come_in_their_order_and_are_marked() {
    let (first, second) = sims().await;
    let gateway = Gateway::serve(&two(
        &first.openai_base_url(),
        &second.base_url(),
        LAST_RESORTS,
    ));
    let good = gateway.chat("asked before").await;
    assert_eq!(good.status, 200, "{}", good.text());
    first.set_script(down(Preset::Unavailable));
    second.set_script(down(Preset::Overloaded));

    let cached = gateway.chat("asked before").await;
    assert_eq!(cached.status, 200, "{}", cached.text());
    assert!(
        cached
            .header("x-llm-degraded")
            .unwrap()
            .starts_with("cached; age=")
    );
    assert_eq!(
        cached.json()["choices"][0]["message"],
        good.json()["choices"][0]["message"]
    );
    assert_eq!(cached.header("x-llm-target"), None);

    let fixed = gateway.chat("What are your OPENING hours?").await;
    assert_eq!(fixed.header("x-llm-degraded"), Some("static"));
    assert_eq!(
        fixed.json()["choices"][0]["message"]["content"],
        "Nine to five."
    );

    let message = gateway
        .post("/v1/messages", anthropic("never asked", false))
        .await;
    assert_eq!(message.header("x-llm-degraded"), Some("message"));
    let text = message.json()["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.contains("Nothing can answer.") && text.contains("help@example.com"),
        "{text}"
    );

    let streamed = gateway
        .post("/v1/chat/completions", openai("never asked either", true))
        .await;
    assert_eq!(streamed.header("x-llm-degraded"), Some("message"));
    assert_eq!(
        streamed.header("content-type"),
        Some("text/event-stream; charset=utf-8")
    );
    assert!(
        streamed.text().trim_end().ends_with("data: [DONE]"),
        "{}",
        streamed.text()
    );
}

#[tokio::test]
async fn without_a_last_resort_the_error_is_honest() {
    let (gateway, first, second) = limited().await;
    let seen = gateway.chat("hi").await;
    assert_eq!(seen.status, 429, "{}", seen.text());
    let error = &seen.json()["error"];
    assert_eq!(error["code"], "rate_limit_exceeded");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("primary") && message.contains("backup"),
        "every hop is listed: {message}"
    );
    assert!(
        !seen.text().contains("org-sim"),
        "the provider's words on our account stay here: {message}"
    );
    let wait: u64 = seen
        .header("retry-after")
        .expect("a known time")
        .parse()
        .unwrap();
    assert!((15..=25).contains(&wait), "{wait}");
    assert_eq!(seen.header("x-llm-attempts"), Some("2"));

    let seen = gateway.post("/v1/messages", anthropic("hi", false)).await;
    assert_eq!(
        seen.status,
        429,
        "both are held back now, and were not asked again: {}",
        seen.text()
    );
    assert_eq!(seen.json()["error"]["type"], "rate_limit_error");
    assert_eq!(seen.header("x-llm-attempts"), Some("0"));
    assert!(seen.header("retry-after").is_some());
    assert_eq!((first.count(), second.count()), (1, 1));
}

#[tokio::test]
async fn a_refused_key_of_ours_is_not_told_as_the_callers() {
    let (first, second) = sims().await;
    first.set_script(down(Preset::InvalidKey));
    second.set_script(down(Preset::InvalidKey));
    let gateway = Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), ""));
    let seen = gateway.chat("hi").await;
    assert_eq!(seen.status, 502, "{}", seen.text());
    assert_eq!(seen.json()["error"]["code"], "auth_invalid_key");
    assert_eq!(seen.header("x-should-retry"), Some("false"));
    assert!(
        !seen.text().contains("Incorrect API key"),
        "the provider's words on our key stay here"
    );
}

#[tokio::test]
async fn a_provider_that_is_down_is_left_alone_and_asked_again_when_it_is_back() {
    let (first, second) = sims().await;
    let text = two(&first.openai_base_url(), &second.base_url(), "");
    let gateway = Gateway::serve(&format!(
        "[breaker]\ncooldown = \"1s\"\nramp_step = \"0s\"\n{text}"
    ));
    first.set_script(down(Preset::ServerError));
    for _ in 0..10 {
        assert_eq!(
            gateway.chat("hi").await.header("x-llm-target"),
            Some("backup")
        );
    }
    let asked = first.count();
    assert!(
        (5..10).contains(&asked),
        "five failures in a row set it aside, {asked} calls reached it"
    );
    let metrics = gateway.get("/metrics").await;
    let open = "llm_gateway_breaker_state{target=\"primary\",state=\"open\"} 1";
    assert!(metrics.text().contains(open), "{}", metrics.text());
    first.set_script(Script::healthy());
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(
        gateway.chat("hi").await.header("x-llm-target"),
        Some("primary"),
        "the probe is good"
    );
    assert_eq!(
        gateway.chat("hi").await.header("x-llm-target"),
        Some("primary")
    );
}

/// SDKs keep to the millisecond of what they are told.
#[tokio::test]
async fn callers_who_are_refused_together_are_not_told_to_come_back_together() {
    let (gateway, _first, _second) = limited().await;
    gateway.chat("hi").await;
    let refused = (0..20).map(|_| gateway.chat("hi"));
    let refused = futures_util::future::join_all(refused).await;
    let mut waits: Vec<u64> = refused
        .iter()
        .map(|seen| seen.header("retry-after-ms").unwrap().parse().unwrap())
        .collect();
    waits.sort_unstable();
    assert!(waits[0] > 15_000 && waits[19] <= 25_000, "{waits:?}");
    assert!(waits[19] - waits[0] > 1_000, "{waits:?}");
}
