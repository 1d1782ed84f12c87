//! What an operator says of breakers, and is told by them.

use crate::support::{BINARY, Gateway, file, two};
use llm_sim::{Script, Sim, SimHandle};
use std::process::Command;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const DOWN: &str = "[[rule]]\npreset = \"server_error\"";

async fn sims(first: &str) -> (SimHandle, SimHandle) {
    let script = Script::from_toml(first).unwrap();
    let first = Sim::builder().script(script).start().await.unwrap();
    (first, Sim::builder().start().await.unwrap())
}

/// Two targets, with something said of the first one.
fn of_first(first: &SimHandle, second: &SimHandle, said: &str) -> String {
    let text = two(&first.openai_base_url(), &second.base_url(), "attempts = 1");
    text.replace("model = \"large\"", &format!("model = \"large\"\n{said}"))
}

#[tokio::test]
async fn a_target_that_is_forced_open_gets_no_call() {
    let (first, second) = sims("").await;
    let gateway = Gateway::serve(&of_first(&first, &second, "breaker = \"open\""));
    for _ in 0..3 {
        let seen = gateway.chat("hi").await;
        assert_eq!(
            seen.header("x-llm-target"),
            Some("backup"),
            "{}",
            seen.text()
        );
    }
    assert_eq!(first.count(), 0);
    let told = gateway.get("/explain/chat").await.json();
    assert_eq!(told["candidates"][0]["refusal"], "open", "{told}");
}

#[tokio::test]
async fn a_breaker_that_only_observes_keeps_no_call_away() {
    for (mode, calls) in [("observe", 12), ("enforce", 5)] {
        let (first, second) = sims(DOWN).await;
        let gateway = Gateway::serve(&format!(
            "[breaker]\nshadow_every = \"0s\"\n{}",
            of_first(&first, &second, &format!("breaker = \"{mode}\""))
        ));
        for _ in 0..12 {
            let seen = gateway.chat("hi").await;
            assert_eq!(
                seen.header("x-llm-target"),
                Some("backup"),
                "{}",
                seen.text()
            );
        }
        assert_eq!(first.count(), calls, "{mode}");
        let metrics = gateway.get("/metrics").await;
        let open = "llm_gateway_breaker_state{target=\"primary\",state=\"open\"} 1";
        assert!(metrics.text().contains(open), "{mode}: {}", metrics.text());
        let changed = "llm_gateway_health_changes_total{target=\"primary\",scope=\"deployment\",change=\"opened\",reason=\"streak\"} 1";
        assert!(
            metrics.text().contains(changed),
            "{mode}: {}",
            metrics.text()
        );
    }
}

#[tokio::test]
async fn a_target_may_be_left_sooner_than_the_others() {
    for (own, calls) in [("breaker = { failures = 2 }", 2), ("", 5)] {
        let (first, second) = sims(DOWN).await;
        let text = of_first(&first, &second, own);
        let gateway = Gateway::serve(&format!("[breaker]\nshadow_every = \"0s\"\n{text}"));
        for _ in 0..8 {
            gateway.chat("hi").await;
        }
        assert_eq!(first.count(), calls, "{own}");
    }
}

#[tokio::test]
async fn a_refused_key_is_tried_again_as_soon_as_the_file_says() {
    for (time, again) in [("100ms", true), ("5m", false)] {
        let (first, second) = sims("[[rule]]\npreset = \"invalid_key\"").await;
        let own = format!("breaker = {{ set_aside = {{ refused_key = \"{time}\" }} }}");
        let gateway = Gateway::serve(&of_first(&first, &second, &own));
        gateway.chat("hi").await;
        gateway.chat("hi").await;
        assert_eq!(first.count(), 1, "{time}");
        sleep(Duration::from_millis(200)).await;
        gateway.chat("hi").await;
        assert_eq!(first.count() > 1, again, "{time}");
    }
}

#[tokio::test]
async fn shadow_probes_are_sent_as_often_as_the_file_says() {
    for (every, looked_for) in [("50ms", true), ("0s", false)] {
        let (first, second) = sims(DOWN).await;
        let text = of_first(&first, &second, "");
        let gateway = Gateway::serve(&format!("[breaker]\nshadow_every = \"{every}\"\n{text}"));
        for _ in 0..6 {
            gateway.chat("hi").await;
        }
        let open = first.count();
        for _ in 0..10 {
            gateway.chat("hi").await;
            sleep(Duration::from_millis(60)).await;
        }
        assert_eq!(first.count() > open, looked_for, "{every}");
    }
}

#[tokio::test]
async fn an_error_rate_above_the_first_alert_is_told_once() {
    let (first, second) = sims(&format!("{DOWN}\nevery = 10")).await;
    let path = file(&of_first(&first, &second, ""));
    let (gateway, mut log) = Gateway::start_logged(
        Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&path),
    );
    std::fs::remove_file(path).unwrap();
    for _ in 0..40 {
        assert_eq!(gateway.chat("hi").await.status, 200);
    }
    let metrics = gateway.get("/metrics").await;
    let alert = "llm_gateway_target_alert{target=\"primary\"} 1";
    assert!(metrics.text().contains(alert), "{}", metrics.text());
    let quiet = "llm_gateway_target_alert{target=\"backup\"} 0";
    assert!(metrics.text().contains(quiet), "{}", metrics.text());
    drop(gateway);
    let mut told = 0;
    while let Ok(Some(line)) = timeout(Duration::from_secs(10), log.recv()).await {
        told += usize::from(line.contains("the error rate is high target=\"primary\""));
    }
    assert_eq!(told, 1);
}
