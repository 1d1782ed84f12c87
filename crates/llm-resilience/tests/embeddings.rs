//! Embeddings from Rust, on real sockets: no care that is taken of words touches them, and no kept vector is given of
//! another space.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use llm_resilience::errors::Provider;
use llm_resilience::providers::{Endpoint, chat, embedding};
use llm_resilience::router::{Policy, Truncate};
use llm_resilience::{
    BuildError, Client, ClientBuilder, Degraded, Mode, Quality, Rewrite, RouteSpec, TargetSpec,
};
use llm_sim::{Script, Sim, SimHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Says whether it was asked.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl Rewrite for Asked {
    fn rewrite(&self, refused: &chat::Request) -> Option<chat::Request> {
        self.0.store(true, Ordering::Relaxed);
        Some(refused.clone())
    }
}

fn target(name: &str, sim: &SimHandle, space: &str) -> TargetSpec {
    let endpoint = Endpoint::builder(Provider::OpenAi, "embed-large")
        .base_url(sim.openai_base_url())
        .embeddings(space);
    TargetSpec::new(name, endpoint.build().unwrap())
}

fn route() -> RouteSpec {
    let mut policy = Policy::interactive();
    policy.patience = Duration::from_millis(50);
    policy.truncate = Truncate::OldestTurns;
    RouteSpec::new("embed").policy(policy)
}

fn one(sim: &SimHandle, space: &str) -> ClientBuilder {
    let route = route().tier(["first"]).degraded(Degraded::Cached);
    let target = target("first", sim, space);
    Client::builder().seed(1).target(target).route(route)
}

fn script(text: &str) -> Script {
    Script::from_toml(text).unwrap()
}

#[tokio::test]
async fn kept_vectors_are_of_the_present_space() {
    let sim = Sim::builder().seed(7).start().await.unwrap();
    let client = one(&sim, "small").build().unwrap();
    let request = embedding::Request::new("embed", ["one", "two"]).dimensions(8);
    let (good, answer) = client.embed(&request).await.unwrap();
    assert_eq!(answer.served.degraded, None);
    let lengths: Vec<usize> = good.vectors.iter().map(Vec::len).collect();
    assert_eq!(lengths, [8, 8]);

    sim.set_script(script("[[rule]]\npreset = \"unavailable_503\""));
    let (kept, answer) = client.embed(&request).await.unwrap();
    assert!(matches!(answer.served.degraded, Some(Mode::Cached { .. })));
    assert_eq!(kept.vectors, good.vectors);

    client.replace(one(&sim, "large")).unwrap();
    assert!(client.embed(&request).await.is_err());
}

#[tokio::test]
async fn care_for_words_leaves_vectors_alone() {
    let sim = Sim::builder().seed(7).start().await.unwrap();
    let asked = Arc::new(Asked::default());
    let hook: Arc<dyn Rewrite> = Arc::clone(&asked) as _;
    let route = route()
        .tier(["first"])
        .quality(Quality::default().min_chars(1_000_000))
        .rewrite(hook);
    let client = Client::builder()
        .target(target("first", &sim, "small"))
        .route(route)
        .build()
        .unwrap();
    let request = embedding::Request::new("embed", ["one"]);
    client.embed(&request).await.unwrap();
    assert_eq!(sim.count(), 1, "it was good enough at once");
    for preset in ["content_filter", "context_length"] {
        sim.set_script(script(&format!("[[rule]]\npreset = \"{preset}\"")));
        let before = sim.count();
        client.embed(&request).await.unwrap_err();
        assert_eq!(sim.count(), before + 1, "{preset}: nothing was changed");
    }
    assert!(!asked.0.load(Ordering::Relaxed), "there are no words");
}

#[tokio::test]
async fn neither_an_edge_nor_a_trial_leads_into_another_space() {
    use llm_resilience::router::Edge;
    let sim = Sim::builder().start().await.unwrap();
    let built = |route: RouteSpec| {
        let client = Client::builder().route(route);
        let client = client.target(target("first", &sim, "small"));
        client.target(target("other", &sim, "large")).build()
    };
    let route = || route().tier(["first"]);
    for mixed in [
        route().tier(["other"]),
        route().on(Edge::ContextLength, ["other"]),
        route().canary("other", &[]),
    ] {
        let refused = built(mixed).unwrap_err();
        assert!(matches!(refused, BuildError::MixedSpaces { .. }));
    }
    built(route()).unwrap();
}
