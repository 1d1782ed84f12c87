//! Models that think before they speak, over real sockets: by what is known of the name and said in the request, with nothing
//! configured but how long the times are, so that the tests are short.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use futures_util::future::join_all;
use llm_resilience::errors::{ErrorKind, Provider};
use llm_resilience::providers::{Call, Dialect, Endpoint};
use llm_resilience::router::{OnCut, Policy, Thinking};
use llm_resilience::{Answer, Body, CallOptions, Client, Error, RouteSpec, TargetSpec};
use llm_sim::{Script, Sim, SimHandle};
use std::time::Duration;

const MS: fn(u64) -> Duration = Duration::from_millis;
/// Beyond the usual windows, and well within what a model has to think.
const SILENT: &str = "[[rule]]\nslow = { latency = \"2500ms\" }";

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().seed(7).script(script).start().await.unwrap()
}

/// The interactive policy with shorter times: a second, and ten more to think.
fn policy() -> Policy {
    let mut policy = Policy::interactive();
    policy.windows.first_token = MS(1_000);
    policy.windows.whole = MS(1_000);
    policy.windows.idle = MS(1_000);
    policy.windows.thinking = MS(10_000);
    policy.on_cut = OnCut::Error;
    policy
}

fn spec(name: &str, provider: Provider, model: &str, sim: &SimHandle) -> TargetSpec {
    let url = match provider {
        Provider::Anthropic => sim.base_url(),
        _ => sim.openai_base_url(),
    };
    let endpoint = Endpoint::builder(provider, model).base_url(url);
    TargetSpec::new(name, endpoint.credential("key".into()).build().unwrap())
}

fn client(first: TargetSpec, second: &SimHandle, policy: Policy) -> Client {
    let second = spec("second", Provider::OpenAi, "gpt-4o", second);
    let route = RouteSpec::new("chat").tier(["first"]).tier(["second"]);
    let client = Client::builder().target(first).target(second);
    client.route(route.policy(policy)).build().unwrap()
}

fn call(dialect: Dialect, stream: bool, more: &str) -> Call {
    let (turns, most) = match dialect {
        Dialect::OpenAiResponses => ("input", "max_output_tokens"),
        Dialect::AnthropicMessages => ("messages", "max_tokens"),
        _ => ("messages", "max_completion_tokens"),
    };
    let body = format!(
        r#"{{"model":"chat","stream":{stream},"{most}":9000{more},"{turns}":[{{"role":"user","content":"Why?"}}]}}"#
    );
    Call::parse(dialect, body.into()).unwrap()
}

async fn ask(client: &Client, call: Call) -> Result<Answer, Error> {
    client.send("chat", call, CallOptions::default()).await
}

/// Who answers where the first target is silent for longer than usual; how often each was called.
async fn answered_by(model: &str, call: Call, silent: &str) -> (String, u64, u64) {
    let (first, second) = (sim(silent).await, sim("").await);
    let provider = match model.starts_with("claude") {
        true => Provider::Anthropic,
        false => Provider::OpenAi,
    };
    let client = client(spec("first", provider, model, &first), &second, policy());
    let answer = ask(&client, call).await.unwrap();
    let name = answer.served.target_name().unwrap().to_owned();
    if name == "first" {
        let table = client.table();
        let seen = table.gate(table.targets().next().unwrap());
        let seen = seen.snapshot(std::time::Instant::from(tokio::time::Instant::now()));
        assert_eq!((seen.streak, seen.hard, seen.soft), (0, 0, 0), "{model}");
    }
    (name, first.count(), second.count())
}

#[tokio::test]
async fn a_model_that_thinks_is_waited_for_and_asked_once() {
    let one = |model: &'static str, dialect: Dialect, stream: bool, more: &'static str| async move {
        let call = call(dialect, stream, more);
        let by = answered_by(model, call, SILENT).await;
        assert_eq!(by, ("first".to_owned(), 1, 0), "{model} in {dialect}");
    };
    let mut cases = Vec::new();
    for stream in [true, false] {
        for dialect in Dialect::ALL {
            cases.push(one("gpt-5-mini", *dialect, stream, ""));
        }
        cases.push(one("claude-opus-5", Dialect::AnthropicMessages, stream, ""));
        cases.push(one("claude-opus-5", Dialect::OpenAiChat, stream, ""));
        let asked = r#","reasoning_effort":"high""#;
        cases.push(one("gpt-5.2", Dialect::OpenAiChat, stream, asked));
        let asked = r#","reasoning":{"effort":"low"}"#;
        cases.push(one("gpt-5.2", Dialect::OpenAiResponses, stream, asked));
        let asked = r#","thinking":{"type":"enabled","budget_tokens":1024}"#;
        cases.push(one(
            "claude-haiku-4-5",
            Dialect::AnthropicMessages,
            stream,
            asked,
        ));
    }
    join_all(cases).await;
}

#[tokio::test]
async fn one_that_does_not_is_left_at_the_usual_time() {
    let one = |model: &'static str, more: &'static str| async move {
        let call = call(Dialect::OpenAiChat, true, more);
        let by = answered_by(model, call, SILENT).await;
        assert_eq!(by, ("second".to_owned(), 1, 1), "{model}{more}");
    };
    let off = r#","reasoning_effort":"none""#;
    join_all([
        one("gpt-4o", ""),
        one("gpt-5.2", ""),
        one("gpt-5.6", off),
        one("claude-opus-5", off),
    ])
    .await;
}

#[tokio::test]
async fn one_that_hangs_is_left_in_the_end() {
    let (first, second) = (sim("[[rule]]\nhang = \"forever\"").await, sim("").await);
    let mut policy = policy();
    policy.windows.thinking = MS(500);
    let target = spec("first", Provider::OpenAi, "o3", &first);
    let client = client(target, &second, policy);
    for stream in [true, false] {
        let answer = ask(&client, call(Dialect::OpenAiChat, stream, "")).await;
        assert_eq!(answer.unwrap().served.target_name(), Some("second"));
    }
}

/// The text of an answer, and why it broke off.
async fn read(answer: Answer) -> (String, Option<ErrorKind>) {
    let Body::Stream(mut stream) = answer.body else {
        panic!("no stream")
    };
    let mut text = Vec::new();
    let mut broke = None;
    while let Some(next) = stream.next().await {
        match next {
            Ok(bytes) => text.extend_from_slice(&bytes),
            Err(error) => broke = Some(error.kind()),
        }
    }
    (String::from_utf8(text).unwrap(), broke)
}

#[tokio::test]
async fn a_thought_is_a_sign_of_life_and_the_next_one_may_take_long() {
    let stalls = |after: usize| {
        format!(
            "text = \"It is scattered by the air, and more of the blue than of the red of it.\"\n[[rule]]\nthinking = \"The sky. Rayleigh.\"\nstall = {{ after_chunks = {after}, for = \"2500ms\" }}"
        )
    };
    // In the middle of the thoughts, then in the middle of the answer.
    for (after, habit, breaks) in [
        (1, Thinking::Always, false),
        (1, Thinking::Never, true),
        (12, Thinking::Always, true),
    ] {
        let (first, second) = (sim(&stalls(after)).await, sim("").await);
        let target = spec("first", Provider::Anthropic, "claude-opus-5-5", &first);
        let client = client(target.thinks(habit), &second, policy());
        let answer = ask(&client, call(Dialect::AnthropicMessages, true, ""));
        let answer = answer.await.unwrap();
        assert_eq!(answer.served.target_name(), Some("first"));
        let (text, broke) = read(answer).await;
        assert_eq!(broke.is_some(), breaks, "{after} {habit}: {text}");
        assert!(text.contains("thinking_delta"), "{text}");
    }
}
