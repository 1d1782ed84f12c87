//! Streams that live and do not end, on real sockets: the window of the stream as a whole, and loops.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use futures_util::future::join_all;
use llm_resilience::errors::{ErrorKind, Provider};
use llm_resilience::providers::{Call, Dialect, Endpoint};
use llm_resilience::quality::Finding;
use llm_resilience::router::{OnCut, Policy, Windows};
use llm_resilience::{
    AnswerStream, Body, CallOptions, Client, Error, Quality, RouteSpec, TargetSpec, What,
};
use llm_sim::{Received, Script, Sim, SimHandle};
use std::time::Duration;
use tokio::time::Instant;

/// The windows are wide enough for a busy machine.
const TOTAL: Duration = Duration::from_secs(2);

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().seed(7).script(script).start().await.unwrap()
}

fn client(first: &SimHandle, second: &SimHandle, on_cut: OnCut, quality: Quality) -> Client {
    let target = |name: &str, sim: &SimHandle| {
        let endpoint = Endpoint::builder(Provider::OpenAi, "model-x");
        let endpoint = endpoint.base_url(sim.openai_base_url());
        TargetSpec::new(name, endpoint.build().unwrap())
    };
    let mut policy = Policy::interactive();
    policy.on_cut = on_cut;
    policy.windows = Windows {
        // Nobody else is to be asked in the meantime.
        first_token: TOTAL * 4,
        idle: Duration::from_millis(1_500),
        whole: TOTAL,
        stream: TOTAL,
        ..Windows::default()
    };
    let route = RouteSpec::new("chat").tier(["first"]).tier(["second"]);
    Client::builder()
        .target(target("first", first))
        .target(target("second", second))
        .route(route.policy(policy).quality(quality))
        .build()
        .unwrap()
}

fn call(dialect: Dialect, stream: bool) -> Call {
    let turns = match dialect {
        Dialect::OpenAiResponses => "input",
        _ => "messages",
    };
    let body = format!(
        r#"{{"model":"chat","stream":{stream},"max_tokens":9000,"{turns}":[{{"role":"user","content":"Why?"}}]}}"#
    );
    Call::parse(dialect, body.into()).unwrap()
}

async fn open(client: &Client, dialect: Dialect) -> AnswerStream {
    let call = call(dialect, true);
    let answer = client.send("chat", call, CallOptions::default()).await;
    match answer.unwrap().body {
        Body::Stream(stream) => *stream,
        Body::Whole(_) => panic!("no stream"),
    }
}

async fn drain(stream: &mut AnswerStream) -> (String, Option<Error>) {
    let mut bytes = Vec::new();
    while let Some(next) = stream.next().await {
        match next {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(error) => return (String::from_utf8(bytes).unwrap(), Some(error)),
        }
    }
    (String::from_utf8(bytes).unwrap(), None)
}

async fn is_left_alone(sim: &SimHandle) -> bool {
    let gone = sim.wait_until(Duration::from_secs(2), |calls| {
        calls.iter().all(Received::hung_up)
    });
    gone.await
}

const END_MARKS: [&str; 3] = ["[DONE]", "message_stop", "response.completed"];

/// Each token comes in time, so that no other clock ends the stream.
#[tokio::test]
async fn a_stream_that_never_ends_is_over_at_its_total_window() {
    let dripping = "words = 4000\n[[rule]]\nslow = { per_chunk = \"20ms\" }";
    let one = |on_cut: OnCut, dialect: Dialect| async move {
        let (first, second) = (sim(dripping).await, sim("").await);
        let client = client(&first, &second, on_cut, Quality::none());
        let started = Instant::now();
        let (text, broke) = drain(&mut open(&client, dialect).await).await;
        let took = started.elapsed();
        let case = format!("{on_cut} for {dialect}");
        let error = broke.unwrap_or_else(|| panic!("{case}: a shortened answer as the whole"));
        assert_eq!(error.what(), What::Broken, "{case}");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{case}");
        assert!(took >= TOTAL, "{case}: cut after {took:?}");
        assert!(!text.is_empty(), "{case}");
        assert!(!END_MARKS.iter().any(|mark| text.contains(mark)), "{case}");
        assert!(is_left_alone(&first).await, "{case}: the call goes on");
        assert_eq!(second.count(), 0, "{case}: no time was left for another");
    };
    let cases = OnCut::ALL.iter().flat_map(|on_cut| {
        let dialects = Dialect::ALL.iter();
        dialects.map(|dialect| one(*on_cut, *dialect))
    });
    join_all(cases).await;
}

#[tokio::test]
async fn a_whole_answer_that_takes_too_long_is_had_elsewhere() {
    let first = sim("[[rule]]\nslow = { latency = \"30s\" }").await;
    let second = sim("").await;
    let client = client(&first, &second, OnCut::Continue, Quality::none());
    let call = call(Dialect::OpenAiChat, false);
    let answer = client.send("chat", call, CallOptions::default()).await;
    assert_eq!(answer.unwrap().served.target_name(), Some("second"));
    assert!(is_left_alone(&first).await);
}

fn looping() -> String {
    let text = format!(
        "It begins well. {}",
        "Let me check that again. ".repeat(400)
    );
    format!("text = \"{text}\"")
}

#[tokio::test]
async fn a_stream_that_loops_is_ended_where_the_route_looks_for_it() {
    let quality = || Quality::of([Finding::Repetitive]);
    for on_cut in OnCut::ALL {
        for dialect in Dialect::ALL {
            let (first, second) = (sim(&looping()).await, sim("").await);
            let looked_at = client(&first, &second, *on_cut, quality());
            let (text, broke) = drain(&mut open(&looked_at, *dialect).await).await;
            let case = format!("{on_cut} for {dialect}");
            let error = broke.unwrap_or_else(|| panic!("{case}: it ran to its end"));
            assert_eq!(error.what(), What::Broken, "{case}");
            let trace = error.trace().unwrap();
            assert_eq!(trace.hops[0].finding, Some("repetitive"), "{case}");
            assert!(
                text.contains("It begins") || text.contains("begins"),
                "{case}"
            );
            let turns = text.matches("again").count();
            assert!(turns < 60, "{case}: {turns} turns reached the caller");
            assert!(!END_MARKS.iter().any(|mark| text.contains(mark)), "{case}");
            assert_eq!(second.count(), 0, "{case}: nobody has the rest of a loop");
        }
    }
    // Where the route does not look for it, all of it is the answer.
    let (first, second) = (sim(&looping()).await, sim("").await);
    let client = client(&first, &second, OnCut::Continue, Quality::default());
    let (text, broke) = drain(&mut open(&client, Dialect::OpenAiChat).await).await;
    assert!(broke.is_none() && text.contains("[DONE]"));
    assert_eq!(text.matches("again").count(), 400);
}
