//! What an operator relies on: health, metrics, a listener apart, an orderly end.

use crate::support::{Gateway, anthropic, openai, responses, two};
use http::Request;
use http_body_util::BodyExt as _;
use llm_sim::{Pace, Script, Sim, SimHandle};
use std::process::Command;
use std::time::Duration;

async fn set(top: &str) -> (SimHandle, Gateway) {
    let sim = Sim::builder().start().await.unwrap();
    let text = two(&sim.openai_base_url(), &sim.base_url(), "");
    let gateway = Gateway::serve(&format!("{top}\n{text}"));
    (sim, gateway)
}

#[tokio::test]
async fn health_and_metrics_are_served() {
    let (_sim, gateway) = set("").await;
    assert_eq!(gateway.get("/healthz").await.json()["status"], "ok");
    let ready = gateway.get("/readyz").await;
    assert_eq!(
        (ready.status, &ready.json()["targets"]["primary"]["breaker"]),
        (200, &"closed".into())
    );
    gateway.chat("hi").await;
    gateway
        .post("/v1/chat/completions", openai("hi", true))
        .await;
    let metrics = gateway.get("/metrics").await;
    assert!(
        metrics
            .header("content-type")
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    for line in [
        "llm_gateway_requests_total{route=\"chat\",outcome=\"answered\",stream=\"false\"} 1",
        "llm_gateway_requests_total{route=\"chat\",outcome=\"answered\",stream=\"true\"} 1",
        "llm_gateway_upstream_attempts_total{target=\"primary\",result=\"answered\"} 2",
        "llm_gateway_request_duration_seconds_count{route=\"chat\",outcome=\"answered\"} 2",
        "gen_ai_client_inference_time_to_first_chunk_seconds_count{gen_ai_provider_name=\"openai\",gen_ai_request_model=\"large\",target=\"primary\"} 1",
        "llm_gateway_in_flight{target=\"primary\"} 0",
        "# EOF",
    ] {
        assert!(
            metrics.text().contains(line),
            "{line} is not in\n{}",
            metrics.text()
        );
    }
}

#[tokio::test]
async fn events_that_are_none_are_counted() {
    let script = Script::from_toml("[[rule]]\ngarbled = \"stray\"").unwrap();
    let sim = Sim::builder().script(script).start().await.unwrap();
    let gateway = Gateway::serve(&two(&sim.openai_base_url(), &sim.base_url(), ""));
    let answer = gateway
        .post("/v1/chat/completions", openai("hi", true))
        .await;
    assert!(answer.text().ends_with("data: [DONE]\n\n"), "{answer:?}");
    let metrics = gateway.get("/metrics").await;
    let line = "llm_gateway_broken_events_total{target=\"primary\"} 5";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

/// Whatever callers make up: names of models, paths, ids, sessions.
#[tokio::test]
async fn nothing_that_callers_make_up_becomes_a_label() {
    let (_sim, gateway) = set("").await;
    let before = gateway.get("/metrics").await.text().lines().count();
    for nth in 0..50 {
        let made_up = format!("made-up-{nth}");
        let request = gateway
            .request("/v1/chat/completions")
            .header("x-request-id", &made_up)
            .header("x-llm-stick-to", &made_up)
            .header("user-agent", &made_up)
            .header("authorization", format!("Bearer {made_up}"));
        gateway.send(request, openai("hi", false)).await;
        let model = openai("hi", false).replace("\"chat\"", &format!("\"{made_up}\""));
        let seen = gateway.post("/v1/chat/completions", model).await;
        assert_eq!(seen.status, 404);
        gateway.get(&format!("/v1/{made_up}")).await;
        let request = gateway.request("/v1/chat/completions");
        let request = request.header("x-llm-only", &made_up);
        assert_eq!(gateway.send(request, openai("hi", false)).await.status, 400);
    }
    let metrics = gateway.get("/metrics").await;
    assert!(!metrics.text().contains("made-up"), "{}", metrics.text());
    let grown = metrics.text().lines().count() - before;
    assert!(grown < 200, "{grown} lines more");
}

#[tokio::test]
async fn a_listener_apart_takes_the_metrics_with_it() {
    let (_sim, gateway) = set("admin_listen = \"127.0.0.1:0\"").await;
    let said = gateway
        .greeting
        .iter()
        .find_map(|line| line.strip_prefix("metrics and health on "));
    let admin = said.expect("it says where");
    assert_eq!(gateway.get("/metrics").await.status, 404);
    assert_eq!(gateway.get("/healthz").await.status, 200);
    // How the providers are is no caller's business.
    assert_eq!(
        gateway.get("/readyz").await.text(),
        "{\"status\":\"ready\"}"
    );
    let ready = gateway.send(Request::get(format!("{admin}/readyz")), "");
    assert_eq!(
        ready.await.json()["targets"]["primary"]["breaker"],
        "closed"
    );
    let seen = gateway
        .send(Request::get(format!("{admin}/metrics")), "")
        .await;
    assert_eq!(seen.status, 200);
    let seen = gateway
        .send(
            Request::post(format!("{admin}/v1/chat/completions")),
            openai("hi", false),
        )
        .await;
    assert_eq!(seen.status, 404, "callers are not served there");
}

#[tokio::test]
async fn a_callers_request_id_comes_back() {
    let (_sim, gateway) = set("").await;
    let request = gateway
        .request("/v1/chat/completions")
        .header("x-request-id", "mine-42");
    assert_eq!(
        gateway
            .send(request, openai("hi", false))
            .await
            .header("x-request-id"),
        Some("mine-42")
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_running_call_ends_well_when_the_gateway_is_told_to_stop() {
    let (sim, mut gateway) = set("").await;
    sim.set_script(
        Script::builder()
            .pace(Pace::NONE.latency(Duration::from_millis(300)))
            .build()
            .unwrap(),
    );
    let pid = gateway.child.id().to_string();
    let told = async {
        assert!(
            sim.wait_until(Duration::from_secs(5), |calls| !calls.is_empty())
                .await
        );
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    let (seen, ()) = tokio::join!(gateway.chat("hi"), told);
    assert_eq!(seen.status, 200, "{}", seen.text());
    let status = tokio::task::spawn_blocking(move || gateway.child.wait().unwrap())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
}

/// Tells the gateway to stop.
#[cfg(unix)]
fn terminate(gateway: &Gateway) {
    let pid = gateway.child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.unwrap().success());
}

/// So that neither a load balancer nor a scrape meets a closed door while calls still run.
#[cfg(unix)]
#[tokio::test]
async fn operators_are_served_until_the_last_call_has_ended() {
    let (sim, mut gateway) = set("admin_listen = \"127.0.0.1:0\"").await;
    let said = gateway
        .greeting
        .iter()
        .find_map(|line| line.strip_prefix("metrics and health on "));
    let admin = said.unwrap().to_owned();
    let slow = "words = 40\n[[rule]]\nslow = { per_chunk = \"50ms\" }";
    sim.set_script(Script::from_toml(slow).unwrap());
    let request = gateway.request("/v1/chat/completions");
    let running = gateway.open(request, openai("hi", true)).await;
    terminate(&gateway);
    let ready = loop {
        let ready = gateway.send(Request::get(format!("{admin}/readyz")), "");
        let ready = ready.await;
        if ready.status != 200 {
            break ready;
        }
    };
    assert_eq!(
        (ready.status, &ready.json()["status"]),
        (503, &"draining".into())
    );
    let metrics = gateway.send(Request::get(format!("{admin}/metrics")), "");
    let metrics = metrics.await;
    let line = "llm_gateway_in_flight{target=\"primary\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
    let body = running.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"data: [DONE]\n\n"), "{body:?}");
    let ended = tokio::task::spawn_blocking(move || gateway.child.wait().unwrap());
    assert!(ended.await.unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn calls_are_taken_until_load_balancers_have_noticed() {
    let (_sim, mut gateway) = set("[server]\nnotice = \"1s\"").await;
    let before = gateway.chat("hi").await;
    assert_eq!(before.header("connection"), None);
    terminate(&gateway);
    while gateway.get("/readyz").await.status == 200 {}
    let seen = gateway.chat("hi").await;
    assert_eq!(
        (seen.status, seen.header("connection")),
        (200, Some("close")),
        "{}",
        seen.text()
    );
    let ended = tokio::task::spawn_blocking(move || gateway.child.wait().unwrap());
    assert!(ended.await.unwrap().success());
}

#[cfg(unix)]
#[tokio::test]
async fn a_stream_that_outlasts_the_time_to_drain_ends_in_an_error_event() {
    for (path, body) in [
        ("/v1/chat/completions", openai("hi", true)),
        ("/v1/messages", anthropic("hi", true)),
        ("/v1/responses", responses("hi", true)),
    ] {
        let (sim, mut gateway) = set("[server]\ndrain = \"200ms\"").await;
        let slow = "words = 500\n[[rule]]\nslow = { per_chunk = \"50ms\" }";
        sim.set_script(Script::from_toml(slow).unwrap());
        let answer = gateway.open(gateway.request(path), body).await;
        let mut answer = answer.into_body();
        let mut seen = answer
            .frame()
            .await
            .unwrap()
            .unwrap()
            .into_data()
            .unwrap()
            .to_vec();
        let pid = gateway.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.unwrap().success());
        let rest = answer.collect().await.expect("an orderly end").to_bytes();
        seen.extend_from_slice(&rest);
        let seen = String::from_utf8(seen).unwrap();
        let last = seen.trim_end().rsplit("\n\n").next().unwrap();
        assert!(
            last.contains("the gateway is shutting down"),
            "{path}: {last}"
        );
        let ends = ["[DONE]", "message_stop", "response.completed"];
        assert!(!ends.iter().any(|end| seen.contains(end)), "{path}: {last}");
        let ended = tokio::task::spawn_blocking(move || gateway.child.wait().unwrap());
        assert!(ended.await.unwrap().success());
    }
}
