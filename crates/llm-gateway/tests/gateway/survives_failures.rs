//! A failing first provider: the caller gets the right answer from the second, and the first is not asked in vain.

use crate::support::{Gateway, anthropic, openai, two};
use llm_sim::{At, CutEnd, Fault, Preset, Rule, Script, Sim, SimHandle};
use std::time::Duration;

async fn sims() -> (SimHandle, SimHandle) {
    let first = Sim::builder()
        .script(Script::healthy())
        .seed(1)
        .start()
        .await
        .unwrap();
    let second = Sim::builder()
        .script(Script::builder().text("from the backup").build().unwrap())
        .start()
        .await
        .unwrap();
    (first, second)
}

fn always(rule: Rule) -> Script {
    Script::builder().rule(rule).build().unwrap()
}

fn gateway(first: &SimHandle, second: &SimHandle) -> Gateway {
    Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), ""))
}

#[tokio::test]
async fn a_healthy_primary_answers_in_one_call() {
    let (first, second) = sims().await;
    let gateway = gateway(&first, &second);
    let seen = gateway.chat("hi").await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert_eq!(seen.header("x-llm-target"), Some("primary"));
    assert_eq!(seen.header("x-llm-attempts"), Some("1"));
    assert_eq!(seen.header("x-llm-degraded"), None);
    assert_eq!(seen.header("x-request-id").map(str::len), Some(36));
    assert_eq!(
        seen.json()["model"],
        "large",
        "the answering model's own name reaches the caller"
    );
    assert_eq!((first.count(), second.count()), (1, 0));
}

#[tokio::test]
async fn each_failure_is_answered_by_the_backup() {
    let faults = [
        (
            "429",
            Rule::new()
                .preset(Preset::RateLimit)
                .retry_after(Duration::from_secs(30)),
        ),
        ("quota", Rule::new().preset(Preset::InsufficientQuota)),
        ("503", Rule::new().preset(Preset::Unavailable)),
        ("529", Rule::new().preset(Preset::Overloaded)),
        ("401", Rule::new().preset(Preset::InvalidKey)),
        ("html", Rule::new().preset(Preset::Html)),
        ("reset", Rule::new().fault(Fault::Reset(At::Start))),
        ("close", Rule::new().fault(Fault::Close)),
        ("hang", Rule::new().fault(Fault::Hang(None))),
        ("silence", Rule::new().fault(Fault::Silence(None))),
        (
            "cut",
            Rule::new().fault(Fault::Cut {
                at: At::Chunks(0),
                end: CutEnd::Abort,
            }),
        ),
    ];
    for (name, rule) in faults {
        let (first, second) = sims().await;
        first.set_script(always(rule));
        let gateway = gateway(&first, &second);
        for stream in [false, true] {
            let seen = gateway
                .post("/v1/chat/completions", openai("hi", stream))
                .await;
            assert_eq!(seen.status, 200, "{name}: {}", seen.text());
            assert_eq!(seen.header("x-llm-target"), Some("backup"), "{name}");
            let trail = seen.header("x-llm-trail").unwrap_or_default();
            assert!(trail.contains("backup"), "{name}: {trail}");
            let told = if stream {
                words_of_stream(seen.text())
            } else {
                seen.json()["choices"][0]["message"]["content"].to_string()
            };
            assert!(told.contains("from the backup"), "{name}: {told}");
        }
    }
}

/// The content of an OpenAI stream, put together.
fn words_of_stream(text: &str) -> String {
    assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok())
        .filter_map(|event| {
            event["choices"][0]["delta"]["content"]
                .as_str()
                .map(str::to_owned)
        })
        .collect()
}

#[tokio::test]
async fn a_refused_connection_is_answered_by_the_backup() {
    let (first, second) = sims().await;
    let url = first.openai_base_url();
    first.shutdown().await;
    let gateway = Gateway::serve(&two(&url, &second.base_url(), ""));
    let seen = gateway.chat("hi").await;
    assert_eq!(
        (seen.status, seen.header("x-llm-target")),
        (200, Some("backup")),
        "{}",
        seen.text()
    );
}

#[tokio::test]
async fn a_spent_quota_costs_exactly_one_call() {
    let (first, second) = sims().await;
    first.set_script(always(Rule::new().preset(Preset::InsufficientQuota)));
    let gateway = gateway(&first, &second);
    for _ in 0..5 {
        assert_eq!(
            gateway.chat("hi").await.header("x-llm-target"),
            Some("backup")
        );
    }
    assert_eq!((first.count(), second.count()), (1, 5));
}

#[tokio::test]
async fn the_callers_own_fault_is_one_call_and_the_providers_words() {
    let (first, second) = sims().await;
    first.set_script(always(Rule::new().preset(Preset::InvalidRequest)));
    let gateway = gateway(&first, &second);
    let seen = gateway.chat("hi").await;
    assert_eq!(seen.status, 400);
    assert_eq!(
        seen.json()["error"]["param"],
        "temperature",
        "the provider's own body is passed back"
    );
    assert_eq!((first.count(), second.count()), (1, 0));
}

#[tokio::test]
async fn an_anthropic_caller_is_served_by_either() {
    let (first, second) = sims().await;
    let gateway = gateway(&first, &second);
    let path = "/v1/messages";
    let seen = gateway.post(path, anthropic("hi", false)).await;
    assert_eq!(
        (seen.status, seen.header("x-llm-target")),
        (200, Some("primary")),
        "{}",
        seen.text()
    );
    assert_eq!(
        seen.json()["type"],
        "message",
        "translated from the primary's dialect"
    );
    first.set_script(always(Rule::new().preset(Preset::Unavailable)));
    let seen = gateway.post(path, anthropic("hi", false)).await;
    assert_eq!(seen.header("x-llm-target"), Some("backup"));
    assert_eq!(seen.json()["content"][0]["text"], "from the backup");
    let seen = gateway.post("/messages", anthropic("hi", true)).await;
    assert!(
        seen.text().contains("event: message_stop"),
        "{}",
        seen.text()
    );
}

#[tokio::test]
async fn where_the_route_says_so_a_cut_stream_ends_in_an_honest_error() {
    let (first, second) = sims().await;
    first.set_script(always(Rule::new().fault(Fault::Cut {
        at: At::Chunks(3),
        end: CutEnd::Abort,
    })));
    let gateway = Gateway::serve(&two(
        &first.openai_base_url(),
        &second.base_url(),
        "on_cut = \"error\"",
    ));
    let seen = gateway
        .post("/v1/chat/completions", openai("hi", true))
        .await;
    assert_eq!(seen.status, 200);
    let text = seen.text();
    assert!(!text.contains("[DONE]"), "{text}");
    let last = text.trim_end().rsplit("\n\n").next().unwrap();
    let event: serde_json::Value =
        serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event["error"]["type"], "server_error", "{text}");
    assert_eq!(
        (first.count(), second.count()),
        (1, 0),
        "nothing is tried again against the route's word"
    );
}

#[tokio::test]
async fn a_cut_stream_is_continued_by_the_other_provider_in_the_callers_dialect() {
    let words = "Four score and seven years ago our fathers brought forth a new nation.";
    let (first, second) = sims().await;
    let cut = Fault::Cut {
        at: At::Chunks(7),
        end: CutEnd::Abort,
    };
    first.set_script(always(Rule::new().text(words).fault(cut)));
    second.set_script(Script::builder().text(words).build().unwrap());
    let gateway = gateway(&first, &second);
    for (path, body, end) in [
        ("/v1/chat/completions", openai("hi", true), "data: [DONE]"),
        ("/v1/messages", anthropic("hi", true), "event: message_stop"),
    ] {
        let seen = gateway.post(path, body).await;
        let text = seen.text();
        assert!(text.contains(end), "{text}");
        let said: String = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: {"))
            .map(|rest| serde_json::from_str::<serde_json::Value>(&format!("{{{rest}")).unwrap())
            .filter_map(|event| {
                let openai = event.pointer("/choices/0/delta/content");
                let part = openai.or(event.pointer("/delta/text"))?;
                part.as_str().map(str::to_owned)
            })
            .collect();
        assert_eq!(said, words, "{path}: {text}");
    }
    assert_eq!((first.count(), second.count()), (2, 2));
}

#[tokio::test]
async fn a_caller_who_hangs_up_cancels_the_upstream_call() {
    let (first, second) = sims().await;
    first.set_script(always(Rule::new().fault(Fault::Stall {
        after_chunks: 2,
        lasting: None,
    })));
    let gateway = gateway(&first, &second);
    let response = gateway
        .open(gateway.request("/v1/chat/completions"), openai("hi", true))
        .await;
    drop(response);
    let left = first
        .wait_until(Duration::from_secs(5), |calls| {
            calls.iter().any(|call| call.hung_up())
        })
        .await;
    assert!(left, "{:?}", first.received());
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn what_the_answering_dialect_cannot_say_is_named() {
    let (first, second) = sims().await;
    first.set_script(always(Rule::new().preset(Preset::Unavailable)));
    let gateway = gateway(&first, &second);
    for stream in [false, true] {
        let body = openai("hi", stream).replacen('{', "{\"seed\":7,", 1);
        let seen = gateway.post("/v1/chat/completions", body).await;
        assert_eq!(
            (seen.status, seen.header("x-llm-target")),
            (200, Some("backup")),
            "{}",
            seen.text()
        );
        assert_eq!(seen.header("x-llm-dropped"), Some("seed"));
    }
    first.set_script(Script::healthy());
    assert_eq!(gateway.chat("hi").await.header("x-llm-dropped"), None);
}
