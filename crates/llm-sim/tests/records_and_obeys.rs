//! The record, the control interface, and the life of a simulator.

#[path = "support/client.rs"]
mod client;

use std::time::Duration;

use client::{End, anthropic, chat, openai, post, request, start};
use llm_sim::{Ended, Script, Sim, StartError, Wire};

#[tokio::test]
async fn a_call_is_recorded_without_its_secrets() {
    let sim = start("[[rule]]\nname = \"outage\"\nmodel = \"gpt-5-mini\"\nstatus = 503").await;
    post(
        sim.addr(),
        "/v1/chat/completions?key=hush",
        &[("authorization", "Bearer sk-hush"), ("x-trace", "t1")],
        &chat(""),
    )
    .await;
    anthropic(&sim, r#","stream":true"#).await;
    let calls = sim.received();
    let [first, second] = calls.as_slice() else {
        panic!("{calls:?}")
    };
    assert_eq!(
        (first.number, first.path.as_str(), first.model.as_deref()),
        (1, "/v1/chat/completions", Some("gpt-5-mini"))
    );
    assert_eq!(
        (first.answered_by.as_str(), first.status, first.ended),
        ("outage", Some(503), Ended::Done)
    );
    assert_eq!(first.header("x-trace"), Some("t1"));
    assert!(
        first
            .header("authorization")
            .unwrap()
            .starts_with("[secret ")
    );
    assert_eq!(
        first.json().unwrap()["messages"][0]["content"],
        "hello there"
    );
    assert!(!format!("{calls:?}{sim:?}").contains("hush"));
    assert_eq!(
        (second.wire, second.stream, second.answered_by.as_str()),
        (Some(Wire::AnthropicMessages), true, "default")
    );
    assert!(second.arrived >= first.arrived && !second.hung_up());
}

#[tokio::test]
async fn the_record_forgets_the_oldest_and_still_counts() {
    let sim = Sim::builder()
        .remember(2)
        .keep_body(5)
        .start()
        .await
        .unwrap();
    for _ in 0..5 {
        openai(&sim, "").await;
    }
    assert_eq!(sim.count(), 5);
    let numbers: Vec<u64> = sim.received().iter().map(|call| call.number).collect();
    assert_eq!(numbers, [4, 5]);
    let last = sim.received().pop().unwrap();
    assert_eq!((last.body.len(), last.body_bytes), (5, chat("").len()));
    assert_eq!(last.ended, Ended::Done);
    let none = Sim::builder().remember(0).start().await.unwrap();
    openai(&none, "").await;
    assert_eq!((none.count(), none.received().len()), (1, 0));
}

#[tokio::test]
async fn the_script_changes_while_it_runs() {
    let sim = start("").await;
    assert_eq!(openai(&sim, "").await.status, Some(200));
    sim.set_script(Script::from_toml("[[rule]]\ncalls = 1\nstatus = 500").unwrap());
    assert_eq!(openai(&sim, "").await.status, Some(500));
    assert_eq!(openai(&sim, "").await.status, Some(200));
    assert_eq!(sim.count(), 3, "the record stays");
    sim.reset();
    assert_eq!(
        openai(&sim, "").await.status,
        Some(500),
        "counting begins anew"
    );
}

#[tokio::test]
async fn a_schedule_runs_from_the_start() {
    let sim = start("[[rule]]\nuntil = \"200ms\"\nstatus = 503").await;
    assert_eq!(openai(&sim, "").await.status, Some(503));
    tokio::time::sleep(Duration::from_millis(220)).await;
    assert_eq!(openai(&sim, "").await.status, Some(200));
    sim.reset();
    assert_eq!(openai(&sim, "").await.status, Some(503));
}

#[tokio::test]
async fn rules_tell_calls_apart() {
    let sim = start(
        "[[rule]]\nheader = { \"X-Drill\" = \"on\" }\nstatus = 501\n[[rule]]\npath = \"/second\"\nstatus = 502\n\
         [[rule]]\nwire = \"anthropic\"\nstatus = 503\n[[rule]]\nstream = true\nstatus = 504",
    )
    .await;
    let path = "/v1/chat/completions";
    assert_eq!(
        post(sim.addr(), path, &[("x-drill", "on")], &chat(""))
            .await
            .status,
        Some(501)
    );
    assert_eq!(
        post(sim.addr(), path, &[("x-drill", "off")], &chat(""))
            .await
            .status,
        Some(200)
    );
    assert_eq!(
        post(sim.addr(), "/second/chat/completions", &[], &chat(""))
            .await
            .status,
        Some(502)
    );
    assert_eq!(anthropic(&sim, "").await.status, Some(503));
    assert_eq!(openai(&sim, r#","stream":true"#).await.status, Some(504));
    assert_eq!(sim.received()[0].answered_by, "rule 1");
}

#[tokio::test]
async fn other_languages_steer_it_over_http() {
    let sim = start("").await;
    let call = async |method: &str, path: &str, body: &str| {
        request(sim.addr(), method, path, &[], body, Duration::from_secs(5)).await
    };
    assert_eq!(
        call("POST", "/_sim/script", "[[rule]]\nstatus = 500")
            .await
            .status,
        Some(200)
    );
    assert_eq!(openai(&sim, "").await.status, Some(500));
    assert_eq!(call("GET", "/_sim/count", "").await.json()["count"], 1);
    let received = call("GET", "/_sim/received", "").await.json();
    assert_eq!(received["received"][0]["answered_by"], "rule 1");
    assert_eq!(received["received"][0]["status"], 500);
    let wrong = call("POST", "/_sim/script", "[[rule]]\nstaus = 500").await;
    assert_eq!(wrong.status, Some(400));
    assert!(wrong.json()["error"].as_str().unwrap().contains("staus"));
    assert_eq!(
        openai(&sim, "").await.status,
        Some(500),
        "a wrong script changes nothing"
    );
    assert_eq!(call("POST", "/_sim/reset", "").await.status, Some(200));
    assert_eq!(call("GET", "/_sim/count", "").await.json()["count"], 0);
    assert_eq!(call("GET", "/_sim/reset", "").await.status, Some(405));
    assert_eq!(call("GET", "/_sim/nothing", "").await.status, Some(404));
}

#[tokio::test]
async fn shutdown_lets_calls_finish_and_frees_the_port() {
    let sim = start("[[rule]]\nslow = { latency = \"150ms\" }").await;
    let address = sim.addr();
    let running =
        tokio::spawn(async move { post(address, "/v1/chat/completions", &[], &chat("")).await });
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls.len() == 1)
            .await
    );
    sim.shutdown().await;
    let seen = running.await.unwrap();
    assert_eq!((seen.status, seen.end), (Some(200), End::Complete));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let again = Sim::builder().bind(address.to_string()).start().await;
    assert!(again.is_ok(), "the same port can be taken again at once");
}

#[tokio::test]
async fn dropping_the_handle_ends_everything() {
    let sim = start("[[rule]]\nhang = \"forever\"").await;
    let address = sim.addr();
    let hanging =
        tokio::spawn(async move { post(address, "/v1/chat/completions", &[], &chat("")).await });
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls.len() == 1)
            .await
    );
    drop(sim);
    let seen = hanging.await.unwrap();
    assert!(matches!(seen.end, End::Early | End::Reset), "{seen:?}");
}

#[tokio::test]
async fn only_the_loopback_unless_told_otherwise() {
    assert!(matches!(
        Sim::builder().bind("0.0.0.0:0").start().await,
        Err(StartError::Remote { .. })
    ));
    assert!(matches!(
        Sim::builder().bind("nonsense").start().await,
        Err(StartError::Address { .. })
    ));
    let first = Sim::builder().bind("localhost:0").start().await.unwrap();
    let taken = Sim::builder().bind(first.addr().to_string()).start().await;
    assert!(matches!(taken, Err(StartError::Bind { .. })));
}

#[tokio::test]
async fn a_caller_that_leaves_mid_stream_is_noticed() {
    let sim = start("words = 1000\ntokens_per_second = 100.0").await;
    let seen = tokio::time::timeout(
        Duration::from_millis(100),
        openai(&sim, r#","stream":true"#),
    )
    .await;
    assert!(seen.is_err());
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls[0].hung_up())
            .await
    );
    assert_eq!(sim.received()[0].status, Some(200));
}
