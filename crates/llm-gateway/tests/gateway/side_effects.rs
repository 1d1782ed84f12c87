//! A call that must not happen twice is sent again only where it certainly has not happened.

use crate::support::{Gateway, Seen, anthropic, openai, two};
use llm_sim::{Script, Sim, SimHandle};

/// A gateway before a provider with this trouble, and one in good health.
async fn set(trouble: &str) -> ([SimHandle; 2], Gateway) {
    let script = Script::from_toml(&format!("[[rule]]\n{trouble}")).unwrap();
    let first = Sim::builder().script(script).start().await.unwrap();
    let second = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), ""));
    ([first, second], gateway)
}

async fn ask(gateway: &Gateway, path: &str, body: String) -> Seen {
    let request = gateway.request(path).header("x-llm-side-effects", "1");
    gateway.send(request, body).await
}

#[tokio::test]
async fn what_may_have_happened_is_not_done_again() {
    for (trouble, status) in [
        ("hang = \"forever\"", 504),
        ("silence = \"forever\"", 504),
        ("close = true", 502),
        ("preset = \"server_error\"", 502),
        ("preset = \"html_502\"", 502),
        ("empty = \"content\"", 502),
        ("empty = \"body\"", 502),
    ] {
        let (sims, gateway) = set(trouble).await;
        let seen = ask(&gateway, "/v1/chat/completions", openai("hi", false)).await;
        assert_eq!(seen.status, status, "{trouble}: {}", seen.text());
        assert_eq!(seen.header("x-should-retry"), Some("false"), "{trouble}");
        let asked = [sims[0].count(), sims[1].count()];
        assert_eq!(asked, [1, 0], "{trouble}");
        // Whoever does not say so is answered.
        let seen = gateway.chat("hi").await;
        assert_eq!(seen.status, 200, "{trouble}: {}", seen.text());
    }
}

#[tokio::test]
async fn what_certainly_did_not_happen_is_done_elsewhere() {
    for trouble in ["preset = \"rate_limit\"", "preset = \"overloaded_529\""] {
        let (sims, gateway) = set(trouble).await;
        let seen = ask(&gateway, "/v1/messages", anthropic("hi", false)).await;
        assert_eq!(seen.status, 200, "{trouble}: {}", seen.text());
        assert_eq!(sims[1].count(), 1, "{trouble}");
    }
    // Nobody listens there.
    let second = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&two("http://127.0.0.1:1/v1", &second.base_url(), ""));
    let seen = ask(&gateway, "/v1/messages", anthropic("hi", true)).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
}

#[tokio::test]
async fn a_poor_answer_is_better_than_a_second_run() {
    let ([first, second], gateway) = set("text = \"no JSON at all\"").await;
    let body =
        openai("hi", false).replacen('{', "{\"response_format\":{\"type\":\"json_object\"},", 1);
    let seen = ask(&gateway, "/v1/chat/completions", body).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert!(seen.text().contains("no JSON at all"), "{}", seen.text());
    assert_eq!([first.count(), second.count()], [1, 0]);
}
