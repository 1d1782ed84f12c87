//! Answers that begin as ever and then flow slowly, on real sockets.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use futures_util::future::join_all;
use llm_resilience::errors::Provider;
use llm_resilience::providers::{Call, Dialect, Endpoint};
use llm_resilience::router::Policy;
use llm_resilience::{Body, CallOptions, Client, RouteSpec, TargetSpec};
use llm_sim::{Script, Sim, SimHandle};
use std::time::Duration;
use tokio::time::Instant;

/// Streams at a time, and how often until it is known how fast they usually flow.
const CALLERS: u64 = 10;
const WARM: u64 = 22;

fn script(per_chunk: Duration) -> Script {
    let millis = per_chunk.as_millis();
    Script::from_toml(&format!(
        "words = 40\n[[rule]]\nslow = {{ per_chunk = \"{millis}ms\" }}"
    ))
    .unwrap()
}

async fn sim(per_chunk: Duration) -> SimHandle {
    let sim = Sim::builder().seed(7).script(script(per_chunk));
    sim.start().await.unwrap()
}

fn client(sims: [&SimHandle; 2]) -> Client {
    let target = |name: &str, sim: &SimHandle| {
        let endpoint = Endpoint::builder(Provider::OpenAi, "model-x");
        let endpoint = endpoint.base_url(sim.openai_base_url());
        TargetSpec::new(name, endpoint.build().unwrap())
    };
    let route = RouteSpec::new("chat").tier(["first"]).tier(["second"]);
    Client::builder()
        .target(target("first", sims[0]))
        .target(target("second", sims[1]))
        .route(route.policy(Policy::interactive()))
        .build()
        .unwrap()
}

/// One stream, read to its end with this pause after each piece. Who answered.
async fn stream(client: &Client, pause: Duration) -> String {
    let body = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"Why?"}]}"#;
    let call = Call::parse(Dialect::OpenAiChat, body.into()).unwrap();
    let answer = client.send("chat", call, CallOptions::default()).await;
    let answer = answer.unwrap();
    let Body::Stream(mut stream) = answer.body else {
        panic!("no stream");
    };
    while let Some(next) = stream.next().await {
        next.unwrap();
        tokio::time::sleep(pause).await;
    }
    answer.served.target_name().unwrap().to_owned()
}

async fn streams(client: &Client, pause: Duration) -> Vec<String> {
    join_all((0..CALLERS).map(|_| stream(client, pause))).await
}

#[tokio::test]
async fn a_target_whose_tokens_come_slowly_is_left_for_one_that_is_faster() {
    let quick = Duration::from_millis(4);
    let (first, second) = (sim(quick).await, sim(quick).await);
    let client = client([&first, &second]);
    for _ in 0..WARM {
        let answered = streams(&client, Duration::ZERO).await;
        assert!(answered.iter().all(|name| name == "first"));
    }
    first.set_script(script(quick * 15));
    let began = Instant::now();
    while streams(&client, Duration::ZERO)
        .await
        .contains(&"first".to_owned())
    {
        // Five seconds of it, a round of streams under way, and a busy machine.
        assert!(began.elapsed() < Duration::from_secs(30), "it is not left");
    }
    assert!(began.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn a_caller_who_reads_slowly_is_not_taken_for_a_slow_target() {
    let quick = Duration::from_millis(4);
    let (first, second) = (sim(quick).await, sim(quick).await);
    let client = client([&first, &second]);
    for _ in 0..WARM {
        streams(&client, Duration::ZERO).await;
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        let answered = streams(&client, quick * 8).await;
        assert!(answered.iter().all(|name| name == "first"));
    }
    assert_eq!(second.count(), 0);
}
