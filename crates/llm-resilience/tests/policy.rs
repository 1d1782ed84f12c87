//! What a route and a call can say beyond tiers, from the builder to the socket.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use llm_resilience::breaker::BreakerConfig;
use llm_resilience::errors::{ErrorKind, Provider};
use llm_resilience::providers::{Call, Dialect, Endpoint, chat};
use llm_resilience::router::{
    Allowance, Budget, CanaryState, Detectors, Edge, FilterError, Policy, Price, Refusal, SetAside,
    Spend, Why,
};
use llm_resilience::{
    Answer, Body, CallOptions, Client, Error, Observer, Report, RouteSpec, TargetSpec, What,
};
use llm_sim::{Preset, Rule, Script, Sim, SimHandle};
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn sim() -> SimHandle {
    Sim::builder()
        .script(Script::healthy())
        .start()
        .await
        .unwrap()
}

fn failing(preset: Preset) -> Script {
    let rule = Rule::new().preset(preset);
    Script::builder().rule(rule).build().unwrap()
}

fn target(name: &str, sim: &SimHandle) -> TargetSpec {
    let endpoint = Endpoint::builder(Provider::OpenAi, "model-x")
        .base_url(sim.openai_base_url())
        .build();
    TargetSpec::new(name, endpoint.unwrap())
}

async fn ask(client: &Client, options: CallOptions) -> Result<Answer, Error> {
    let call = Call::from_chat(chat::Request::new("chat").user("Why?")).unwrap();
    client.send("chat", call, options).await
}

fn by(answer: &Answer) -> Option<&str> {
    answer.served.target_name()
}

#[tokio::test]
async fn a_call_narrows_its_targets_and_its_limits() {
    let (first, second) = (sim().await, sim().await);
    let client = Client::builder()
        .target(target("first", &first).tag("eu"))
        .target(target("second", &second).tag("us"))
        .route(RouteSpec::new("chat").tier(["first"]).tier(["second"]))
        .build()
        .unwrap();
    let options = CallOptions::default;
    for wanted in [
        options().only("second"),
        options().never("first"),
        options().tag("us"),
        options().without_tag("eu"),
    ] {
        let answer = ask(&client, wanted).await.unwrap();
        assert_eq!(by(&answer), Some("second"));
    }
    let error = ask(&client, options().tag("mars")).await.err().unwrap();
    assert_eq!(error.what(), What::BadOptions);
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(
        error.to_string(),
        FilterError::UnknownTag("mars".into()).to_string()
    );
    first.set_script(failing(Preset::ServerError));
    let asked = first.count();
    for limited in [options().no_fallback(), options().max_calls(1)] {
        let limited = limited.attempts(1).patience(Duration::ZERO);
        assert!(ask(&client, limited).await.is_err());
    }
    assert_eq!(first.count(), asked + 2, "one try each, and nobody else");
}

#[tokio::test]
async fn edges_caps_and_trials_are_reached_from_the_builder() {
    let (main, other) = (sim().await, sim().await);
    let price = Price {
        per_request: 1_000_000,
        ..Price::default()
    };
    let mut allowance = Allowance::default();
    allowance.per_hour = Some(Spend(2_000_000));
    allowance.alerts = vec![Spend(1_000_000)];
    let client = Client::builder()
        .target(target("main", &main).price(price).allowance(allowance))
        .target(target("key2", &other))
        .target(target("last", &other))
        .target(target("new", &other))
        .route(
            RouteSpec::new("chat")
                .tier(["main"])
                .tier(["last"])
                .on(Edge::Credential, ["key2"])
                .canary("new", &[1]),
        )
        .seed(4)
        .build()
        .unwrap();
    let table = client.table();
    let (new, state) = table.canary(client.route("chat").unwrap()).unwrap();
    assert_eq!(
        (table.target_name(new), state),
        ("new", CanaryState::Running(1))
    );
    let stable = || CallOptions::default().never("new");
    let first = ask(&client, stable()).await.unwrap();
    assert_eq!(by(&first), Some("main"));
    assert_eq!(first.served.trace.cost(), Spend(1_000_000));
    assert_eq!(first.served.trace.alerts.len(), 1);
    ask(&client, stable()).await.unwrap();
    let third = ask(&client, stable()).await.unwrap();
    assert_eq!(by(&third), Some("last"));
    let reasons = &third.served.trace.hops.first().unwrap().passed_over;
    assert!(
        reasons.iter().any(|seen| seen.reason == Refusal::SpendCap),
        "{reasons:?}"
    );
    // A quota spent at the provider leads to the other key.
    main.set_script(failing(Preset::InsufficientQuota));
    let mut free = Allowance::default();
    free.per_hour = Some(Spend(100_000_000));
    let next = Client::builder()
        .target(target("main", &main).price(price).allowance(free))
        .target(target("key2", &other))
        .target(target("last", &other))
        .route(
            RouteSpec::new("chat")
                .tier(["main"])
                .tier(["last"])
                .on(Edge::Credential, ["key2"]),
        );
    client.replace(next).unwrap();
    let answer = ask(&client, CallOptions::default()).await.unwrap();
    assert_eq!(by(&answer), Some("key2"));
    let hop = answer.served.trace.hops.last().unwrap();
    assert_eq!(hop.why, Why::OtherCredential);
    let spent = client
        .table()
        .spent(client.table().targets().next().unwrap(), std_now());
    assert_eq!(spent, Some(Spend(2_000_000)), "the hour outlives the table");
}

#[tokio::test]
async fn every_number_is_reached_from_the_builder_and_refused_where_it_means_nothing() {
    let sim = sim().await;
    let twice = BreakerConfig::builder().failures(2).build().unwrap();
    let build = |policy: Policy, budget: Budget| {
        Client::builder()
            .target(
                target("main", &sim)
                    .breaker_settings(twice)
                    .detectors(Detectors::NONE)
                    .set_aside(SetAside::default()),
            )
            .target(target("other", &sim))
            .retry_budget(budget)
            .route(
                RouteSpec::new("chat")
                    .tier(["main"])
                    .tier(["other"])
                    .policy(policy),
            )
            .build()
    };
    let client = build(Policy::agent(), Budget::PROVIDER).unwrap();
    let table = client.table();
    let gates = table.targets().map(|id| table.gate(id).config());
    assert_eq!(gates.collect::<Vec<_>>(), [twice, BreakerConfig::default()]);
    let mut deaf = Policy::agent();
    deaf.attempts = 0;
    let error = build(deaf, Budget::PROVIDER).err().unwrap().to_string();
    assert!(error.contains("route `chat`: `policy.attempts`"), "{error}");
    let mut none = Budget::PROVIDER;
    none.percent = 101;
    let error = build(Policy::agent(), none).err().unwrap().to_string();
    assert!(
        error.contains("`retry_budget`: percent may be 0 to 100"),
        "{error}"
    );
}

/// Keeps what each call cost.
#[derive(Debug, Default)]
struct Bill(Mutex<Vec<Spend>>);

impl Observer for Bill {
    fn finished(&self, report: &Report<'_>) {
        self.0.lock().unwrap().push(report.trace.cost());
    }
}

#[tokio::test]
async fn somebody_may_be_told_of_one_call_alone() {
    let sim = sim().await;
    let price = Price {
        per_request: 2_000_000,
        ..Price::default()
    };
    let client = Client::builder()
        .target(target("main", &sim).price(price))
        .route(RouteSpec::new("chat").tier(["main"]))
        .build()
        .unwrap();
    let bill = Arc::new(Bill::default());
    let told = CallOptions::default().observer(Arc::clone(&bill) as _);
    ask(&client, told).await.unwrap();
    ask(&client, CallOptions::default()).await.unwrap();
    assert_eq!(*bill.0.lock().unwrap(), [Spend(2_000_000)]);
}

fn std_now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}

/// Two in a hundred thousand dollars a token of the answer.
fn by_the_token() -> Price {
    Price {
        output: 20_000_000,
        ..Price::default()
    }
}

#[tokio::test]
async fn whoever_leaves_a_stream_early_is_billed_what_had_come() {
    let sim = Sim::builder().seed(3);
    let script = Script::from_toml("words = 400\n[[rule]]\nslow = { per_chunk = \"1ms\" }");
    let sim = sim.script(script.unwrap()).start().await.unwrap();
    let mut hour = Allowance::default();
    hour.per_hour = Some(Spend(1_000_000_000));
    let client = Client::builder()
        .target(target("main", &sim).price(by_the_token()).allowance(hour))
        .route(RouteSpec::new("chat").tier(["main"]))
        .build()
        .unwrap();
    let main = client.table().targets().next().unwrap();
    let body = r#"{"model":"chat","stream":true,"messages":[{"role":"user","content":"Why?"}]}"#;
    let call = || Call::parse(Dialect::OpenAiChat, body.into()).unwrap();
    let mut before = Spend(0);
    for (read, least) in [(200, 150), (usize::MAX, 350)] {
        let answer = client.send("chat", call(), CallOptions::default()).await;
        let Body::Stream(mut stream) = answer.unwrap().body else {
            unreachable!()
        };
        let mut pieces = 0;
        while pieces < read && stream.next().await.is_some() {
            pieces += 1;
        }
        drop(stream);
        let spent = client.table().spent(main, std_now()).unwrap();
        let tokens = (spent.0 - before.0) / 20;
        assert!((least..1_500).contains(&tokens), "{tokens} of {pieces}");
        before = spent;
    }
}
