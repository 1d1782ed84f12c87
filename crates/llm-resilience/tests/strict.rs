//! All or nothing: a strict call goes only where all of it can be said, on real sockets.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use llm_resilience::errors::{ErrorKind, Provider};
use llm_resilience::providers::{Call, Dialect, Endpoint};
use llm_resilience::router::{Policy, Refusal, Truncate};
use llm_resilience::{Answer, CallOptions, Client, Error, RouteSpec, TargetSpec, What};
use llm_sim::{Preset, Rule, Script, Sim, SimHandle};

/// What the messages wire has no place for.
const SEED: &str = r#""seed":7,"#;

async fn sim(script: Script) -> SimHandle {
    Sim::builder().script(script).start().await.unwrap()
}

fn target(name: &str, provider: Provider, sim: &SimHandle) -> TargetSpec {
    let url = match provider {
        Provider::Anthropic => sim.base_url(),
        _ => sim.openai_base_url(),
    };
    let endpoint = Endpoint::builder(provider, "model-x").base_url(url);
    TargetSpec::new(name, endpoint.build().unwrap())
}

/// A target of the messages wire first, then one of OpenAI's.
fn client(first: &SimHandle, second: &SimHandle) -> Client {
    Client::builder()
        .target(target("messages", Provider::Anthropic, first))
        .target(target("completions", Provider::OpenAi, second))
        .route(
            RouteSpec::new("both")
                .tier(["messages"])
                .tier(["completions"]),
        )
        .route(RouteSpec::new("alone").tier(["messages"]))
        .build()
        .unwrap()
}

fn call(fields: &str) -> Call {
    let body = format!(
        r#"{{"model":"chat",{fields}"max_tokens":64,"messages":[{{"role":"user","content":"Why?"}}]}}"#
    );
    Call::parse(Dialect::OpenAiChat, body.into()).unwrap()
}

async fn send(client: &Client, route: &str, call: Call) -> Result<Answer, Error> {
    client.send(route, call, CallOptions::default()).await
}

#[tokio::test]
async fn a_strict_call_passes_over_who_cannot_be_told_all_of_it() {
    let (first, second) = (sim(Script::healthy()).await, sim(Script::healthy()).await);
    let client = client(&first, &second);
    for stream in ["", "\"stream\":true,"] {
        let fields = format!("{SEED}{stream}");
        let lenient = send(&client, "both", call(&fields)).await.unwrap();
        assert_eq!(lenient.served.target_name(), Some("messages"));
        assert_eq!(lenient.served.trace.hops[0].lost, ["seed"]);
        let trail = lenient.served.trail().to_string();
        assert!(trail.contains(" without seed"), "{trail}");
        let strict = send(&client, "both", call(&fields).strict()).await.unwrap();
        assert_eq!(strict.served.target_name(), Some("completions"));
        let passed = &strict.served.trace.hops[0].passed_over;
        assert_eq!(passed.len(), 1);
        assert_eq!(passed[0].reason, Refusal::Lossy);
        assert!(strict.served.trail().to_string().contains("lossy"));
    }
    assert_eq!((first.count(), second.count()), (2, 2));
    // One that says nothing special goes to the first target like any other.
    let plain = send(&client, "both", call("").strict()).await.unwrap();
    assert_eq!(plain.served.target_name(), Some("messages"));
}

#[tokio::test]
async fn where_nobody_can_be_told_all_of_it_the_error_names_what() {
    let (first, second) = (sim(Script::healthy()).await, sim(Script::healthy()).await);
    let client = client(&first, &second);
    let strict = || call(r#""seed":7,"frequency_penalty":0.5,"#).strict();
    let error = send(&client, "alone", strict()).await.unwrap_err();
    assert_eq!(error.what(), What::Lossy);
    assert_eq!(error.kind(), ErrorKind::UnsupportedFeature);
    assert_eq!(error.lost(), ["frequency_penalty", "seed"]);
    assert!(
        error
            .to_string()
            .ends_with("can carry frequency_penalty, seed")
    );
    assert_eq!(first.count(), 0, "nothing was sent");

    let (table, route, request) = client
        .demand("alone", &strict(), &CallOptions::default())
        .unwrap();
    let now = tokio::time::Instant::now().into_std();
    let told = table.explain(route, &request, now);
    assert_eq!(told.candidates[0].refusal, Some(Refusal::Lossy));
    assert!(told.to_string().contains("not used: lossy"), "{told}");
}

#[tokio::test]
async fn a_strict_call_does_not_fall_back_to_who_would_lose_a_part_of_it() {
    let rule = Rule::new().preset(Preset::ServerError);
    let down = Script::builder().rule(rule).build().unwrap();
    let (first, second) = (sim(Script::healthy()).await, sim(down).await);
    let client = client(&first, &second);
    let lenient = send(&client, "both", call(SEED)).await.unwrap();
    assert_eq!(lenient.served.target_name(), Some("messages"));
    let error = send(&client, "both", call(SEED).strict())
        .await
        .unwrap_err();
    assert_eq!(error.what(), What::Exhausted);
    assert_eq!(first.count(), 1, "the strict call was not sent there");
}

#[tokio::test]
async fn a_strict_call_is_not_shortened() {
    let short = sim(Script::from_toml("context_window = 200").unwrap()).await;
    let mut policy = Policy::interactive();
    policy.truncate = Truncate::OldestTurns;
    let client = Client::builder()
        .target(target("short", Provider::OpenAi, &short))
        .route(RouteSpec::new("chat").tier(["short"]).policy(policy))
        .build()
        .unwrap();
    let body = serde_json::json!({"model": "chat", "max_tokens": 64, "messages": [
        {"role": "user", "content": "lorem ipsum ".repeat(100)},
        {"role": "assistant", "content": "noted"},
        {"role": "user", "content": "Why?"},
    ]});
    let long = || Call::parse(Dialect::OpenAiChat, body.to_string().into()).unwrap();
    let answer = send(&client, "chat", long()).await.unwrap();
    assert_eq!(answer.served.trace.hops[1].lost, ["messages.oldest"]);
    let error = send(&client, "chat", long().strict()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContextLength);
}
