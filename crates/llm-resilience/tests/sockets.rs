//! The whole client against simulated providers on real sockets: each failure strikes the first
//! one, and the caller gets the second one's answer, or the honest error.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use llm_resilience::errors::{ErrorKind, Provider};
use llm_resilience::providers::{Call, Dialect, Endpoint, chat};
use llm_resilience::router::{OnCut, Policy, Windows};
use llm_resilience::{
    Answer, Body, CallOptions, Client, ClientBuilder, Degraded, Error, Mode, RouteSpec, TargetSpec,
    What,
};
use llm_sim::{Script, Sim, SimHandle};
use std::time::Duration;

struct World {
    first: SimHandle,
    second: SimHandle,
    client: Client,
}

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().seed(7).script(script).start().await.unwrap()
}

fn endpoint(sim: &SimHandle, dialect: Dialect) -> Endpoint {
    let (provider, url) = match dialect {
        Dialect::AnthropicMessages => (Provider::Anthropic, sim.base_url()),
        _ => (Provider::OpenAi, sim.openai_base_url()),
    };
    Endpoint::builder(provider, "model-x")
        .base_url(url)
        .credential("test-key".to_owned().into())
        .build()
        .unwrap()
}

/// Short windows, so that a hang costs a test little.
fn policy() -> Policy {
    let mut policy = Policy::interactive();
    policy.windows = Windows {
        first_token: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        whole: Duration::from_millis(600),
        ..Windows::default()
    };
    policy.patience = Duration::from_millis(50);
    policy.deadline = Duration::from_secs(10);
    policy
}

async fn world(first: &str, second: &str) -> World {
    world_with(first, second, |route| route, |client| client).await
}

async fn world_with(
    first: &str,
    second: &str,
    route: impl FnOnce(RouteSpec) -> RouteSpec,
    more: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> World {
    let (first, second) = (sim(first).await, sim(second).await);
    let spec = RouteSpec::new("chat")
        .tier(["first"])
        .tier(["second"])
        .policy(policy());
    let builder = Client::builder()
        .target(
            TargetSpec::new("first", endpoint(&first, Dialect::OpenAiChat)).context_window(1_000),
        )
        .target(
            TargetSpec::new("second", endpoint(&second, Dialect::AnthropicMessages))
                .context_window(200_000),
        )
        .route(route(spec))
        .seed(1);
    let client = more(builder).build().unwrap();
    World {
        first,
        second,
        client,
    }
}

fn request(stream: bool) -> Call {
    let mut request = chat::Request::new("chat").user("What is the capital of France?");
    request.stream = stream;
    Call::from_chat(request).unwrap()
}

impl World {
    async fn ask(&self, stream: bool) -> Result<Answer, Error> {
        self.client
            .send("chat", request(stream), CallOptions::default())
            .await
    }

    fn calls(&self) -> (u64, u64) {
        (self.first.count(), self.second.count())
    }
}

/// All text of an answer, and the error that ended its stream, if one did.
async fn read(answer: Answer) -> (String, Option<Error>) {
    let mut bytes = Vec::new();
    let mut broke = None;
    match answer.body {
        Body::Whole(body) => bytes.extend_from_slice(&body),
        Body::Stream(mut stream) => {
            while let Some(next) = stream.next().await {
                match next {
                    Ok(more) => bytes.extend_from_slice(&more),
                    Err(error) => broke = Some(error),
                }
            }
        }
    }
    (String::from_utf8(bytes).unwrap(), broke)
}

/// Whether every call that `sim` received was hung up by the client.
async fn left_alone(sim: &SimHandle) -> bool {
    let limit = Duration::from_secs(2);
    sim.wait_until(limit, |calls| {
        !calls.is_empty() && calls.iter().all(llm_sim::Received::hung_up)
    })
    .await
}

const GOOD: &str = "text = \"Paris it is\"";

#[tokio::test]
async fn every_failure_before_the_answer_is_survived() {
    let faults = [
        "preset = \"rate_limit\"\nretry_after = \"20s\"",
        "preset = \"insufficient_quota\"",
        "preset = \"unavailable_503\"",
        "preset = \"overloaded_529\"",
        "preset = \"server_error\"",
        "preset = \"html_502\"",
        "preset = \"invalid_key\"",
        "preset = \"context_length\"",
        "hang = \"forever\"",
        "reset = {}",
        "close = true",
        "empty = \"content\"",
        "empty = \"body\"",
        "garbled = \"html\"",
    ];
    for fault in faults {
        for stream in [false, true] {
            let world = world(&format!("[[rule]]\n{fault}"), GOOD).await;
            let answer = world.ask(stream).await;
            let answer = answer.unwrap_or_else(|error| panic!("{fault}, stream {stream}: {error}"));
            assert_eq!(answer.served.target_name(), Some("second"), "{fault}");
            let (text, broke) = read(answer).await;
            assert!(broke.is_none(), "{fault}");
            assert!(text.contains("Paris"), "{fault}: {text}");
            let (first, second) = world.calls();
            assert!((1..=2).contains(&first), "{fault}: {first} calls");
            assert_eq!(second, 1, "{fault}");
        }
    }
}

#[tokio::test]
async fn a_garbled_whole_answer_is_survived() {
    let world = world("[[rule]]\ngarbled = \"json\"", GOOD).await;
    let answer = world.ask(false).await.unwrap();
    assert_eq!(answer.served.target_name(), Some("second"));
}

#[tokio::test]
async fn what_a_proxy_writes_between_events_is_left_out() {
    let world = world("[[rule]]\ngarbled = \"stray\"", GOOD).await;
    let (text, broke) = read(world.ask(true).await.unwrap()).await;
    assert!(broke.is_none());
    assert!(text.contains("[DONE]") && !text.contains("undefined"));
    assert_eq!(world.calls(), (1, 0));
}

#[tokio::test]
async fn a_part_that_cannot_be_read_stands_in_the_trace() {
    let garbled = "[[rule]]\ngarbled = \"event\"";
    let (_, broke) = read(world(garbled, garbled).await.ask(true).await.unwrap()).await;
    let error = broke.unwrap();
    assert_eq!(error.what(), What::Broken);
    let trail = error.trail().unwrap().to_string();
    assert!(trail.contains("(broken events: 1)"), "{trail}");
}

#[tokio::test]
async fn a_spent_quota_is_met_once_and_then_left_alone() {
    let world = world("[[rule]]\npreset = \"insufficient_quota\"", GOOD).await;
    for _ in 0..5 {
        world.ask(false).await.unwrap();
    }
    assert_eq!(world.calls(), (1, 5));
}

#[tokio::test]
async fn the_callers_own_fault_costs_exactly_one_call() {
    let world = world("[[rule]]\npreset = \"invalid_request\"", GOOD).await;
    let error = world.ask(false).await.unwrap_err();
    assert_eq!(error.what(), What::Refused);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(error.provider_status(), Some(400));
    assert!(error.provider_message().is_some());
    assert_eq!(world.calls(), (1, 0));
}

#[tokio::test]
async fn a_refused_connection_is_survived() {
    let World {
        first,
        second: _second,
        client,
    } = world(GOOD, GOOD).await;
    first.shutdown().await;
    let answer = client
        .send("chat", request(false), CallOptions::default())
        .await
        .unwrap();
    assert_eq!(answer.served.target_name(), Some("second"));
}

#[tokio::test]
async fn silence_before_the_first_token_is_survived_and_the_call_is_cancelled() {
    let world = world("[[rule]]\nsilence = \"forever\"", GOOD).await;
    let (text, _) = read(world.ask(true).await.unwrap()).await;
    assert!(text.contains("Paris"));
    assert!(left_alone(&world.first).await);
}

#[tokio::test]
async fn where_the_route_says_so_a_broken_stream_ends_in_an_error_and_no_end_marker() {
    let script = "words = 40\n[[rule]]\ncut = { after_chunks = 4 }";
    let error = |route: RouteSpec| {
        let mut policy = policy();
        policy.on_cut = OnCut::Error;
        route.policy(policy)
    };
    let world = world_with(script, GOOD, error, |client| client).await;
    let (text, broke) = read(world.ask(true).await.unwrap()).await;
    assert_eq!(broke.unwrap().what(), What::Broken);
    assert!(!text.contains("[DONE]"));
    assert_eq!(
        world.calls(),
        (1, 0),
        "nothing is sent again against the route's word"
    );
}

#[tokio::test]
async fn everything_down_gives_the_degraded_answers_in_order() {
    let down = "[[rule]]\npreset = \"unavailable_503\"";
    let degraded = |route: RouteSpec| {
        route
            .degraded(Degraded::Cached)
            .degraded(Degraded::message("We cannot answer right now."))
    };
    for (before, during) in [(false, false), (true, true), (false, true), (true, false)] {
        let world = world_with(GOOD, GOOD, degraded, |client| client).await;
        // Nothing is kept yet: the message.
        world.first.set_script(Script::from_toml(down).unwrap());
        world.second.set_script(Script::from_toml(down).unwrap());
        let answer = world.ask(before).await.unwrap();
        assert_eq!(answer.served.degraded, Some(Mode::Message));
        let (text, _) = read(answer).await;
        assert!(
            text.contains("We cannot") || text.contains("cannot answer"),
            "{text}"
        );

        // A good answer is kept, whichever way it came, and given again whichever way it is asked.
        let world = world_with(GOOD, GOOD, degraded, |client| client).await;
        let (first, _) = read(world.ask(before).await.unwrap()).await;
        assert!(first.contains("Paris"));
        world.first.set_script(Script::from_toml(down).unwrap());
        world.second.set_script(Script::from_toml(down).unwrap());
        let answer = world.ask(during).await.unwrap();
        assert!(matches!(answer.served.degraded, Some(Mode::Cached { .. })));
        let (text, _) = read(answer).await;
        assert!(text.contains("Paris"), "{text}");
        assert_eq!(text.contains("[DONE]"), during);
    }
}

#[tokio::test]
async fn everything_down_without_a_last_resort_is_an_honest_error() {
    let down = "[[rule]]\npreset = \"unavailable_503\"";
    let world = world(down, down).await;
    let error = world.ask(false).await.unwrap_err();
    assert_eq!(error.what(), What::Exhausted);
    assert!(error.retry_after().is_some());
    assert!(error.trace().unwrap().sends() >= 2);
    let trail = error.trail().unwrap().to_string();
    assert!(
        trail.contains("first") && trail.contains("second"),
        "{trail}"
    );
}

#[tokio::test]
async fn answers_are_never_shared_between_tenants() {
    let degraded = |route: RouteSpec| route.degraded(Degraded::Cached);
    let world = world_with(GOOD, GOOD, degraded, |client| client).await;
    let ask = |tenant: &'static str| {
        let options = CallOptions::default().tenant(tenant);
        world.client.send("chat", request(false), options)
    };
    ask("alice").await.unwrap();
    let down = "[[rule]]\npreset = \"unavailable_503\"";
    world.first.set_script(Script::from_toml(down).unwrap());
    world.second.set_script(Script::from_toml(down).unwrap());
    assert!(ask("alice").await.is_ok());
    assert!(ask("bob").await.is_err());
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_upstream_call() {
    let world = world("[[rule]]\nhang = \"forever\"", GOOD).await;
    let call = world.ask(false);
    let left = tokio::time::timeout(Duration::from_millis(100), call).await;
    assert!(left.is_err());
    assert!(left_alone(&world.first).await);
    assert_eq!(world.calls(), (1, 0));
    let first = world.client.table().targets().next().unwrap();
    assert_eq!(world.client.table().in_flight(first), 0);
}

#[tokio::test]
async fn routes_are_replaced_without_losing_a_call_or_what_was_learnt() {
    let world = world(
        "[[rule]]\npreset = \"insufficient_quota\"",
        "words = 60\ntokens_per_second = 100",
    )
    .await;
    let clone = world.client.clone();
    let answer = world.ask(true).await.unwrap();
    let next = Client::builder()
        .target(TargetSpec::new(
            "first",
            endpoint(&world.first, Dialect::OpenAiChat),
        ))
        .target(TargetSpec::new(
            "third",
            endpoint(&world.second, Dialect::AnthropicMessages),
        ))
        .route(RouteSpec::new("chat").tier(["first"]).tier(["third"]));
    clone.replace(next).unwrap();
    let (text, broke) = read(answer).await;
    assert!(
        broke.is_none() && text.contains("[DONE]"),
        "a call under way ends as it began"
    );
    let answer = world.ask(false).await.unwrap();
    assert_eq!(answer.served.target_name(), Some("third"));
    assert_eq!(world.first.count(), 1, "a spent quota is remembered");
    let wrong = Client::builder().route(RouteSpec::new("chat").tier(["nobody"]));
    assert!(clone.replace(wrong).is_err());
    assert!(
        world.ask(false).await.is_ok(),
        "a faulty description changes nothing"
    );
}

#[tokio::test]
async fn an_unknown_route_is_named_as_such() {
    let world = world(GOOD, GOOD).await;
    let call = request(false);
    let error = world
        .client
        .send("nope", call, CallOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.what(), What::UnknownRoute);
    assert_eq!(world.calls(), (0, 0));
}

/// The prompt is estimated at half of what the first provider counts and says, and is let pass where half of
/// that fits. Once it is learnt, it is no longer sent where it does not.
#[tokio::test]
async fn what_providers_count_corrects_what_is_expected() {
    for stream in [false, true] {
        let world = world("", "").await;
        // 4,800 bytes of 2,400 words, each a token to the simulated provider.
        let body = format!(
            r#"{{"model":"chat","stream":{stream},"stream_options":{{"include_usage":true}},"max_tokens":8,"messages":[{{"role":"user","content":"{}"}}]}}"#,
            "a ".repeat(2_400)
        );
        let body = if stream {
            body
        } else {
            body.replace(r#""stream_options":{"include_usage":true},"#, "")
        };
        for nth in 0..30 {
            let call = Call::parse(Dialect::OpenAiChat, body.clone().into()).unwrap();
            let sent = world.client.send("chat", call, CallOptions::default());
            let (_, broke) = read(sent.await.unwrap()).await;
            assert!(broke.is_none());
            assert_eq!(world.first.count() + world.second.count(), nth + 1);
        }
        let (first, second) = world.calls();
        assert!(first > 0, "nothing is known at first");
        assert!((1..30).contains(&second), "{first} and {second}");
        // Short prompts still fit.
        read(world.ask(stream).await.unwrap()).await;
        assert_eq!(world.calls(), (first + 1, second));
    }
}
