//! A caller who hangs up ends the call at the provider at once, whatever either of them speaks.

use crate::support::{Gateway, anthropic, openai, responses};
use http_body_util::BodyExt as _;
use llm_sim::{Received, Script, Sim, SimHandle};
use std::io::Write as _;
use std::time::Duration;

/// Target by target: its name, which is its route's as well, its provider, dialect, path and whatever else it needs.
const TARGETS: [(&str, &str, &str, &str, &str); 8] = [
    ("chat", "openai", "openai_chat", "/v1", ""),
    ("responses", "openai", "openai_responses", "/v1", ""),
    ("anthropic", "anthropic", "anthropic_messages", "", ""),
    ("gemini", "gemini", "gemini", "/v1beta", ""),
    (
        "vertex",
        "vertex",
        "gemini",
        "/v1",
        "region = \"us-east1\"\nproject = \"p\"\napi_key = { file = \"KEY\" }",
    ),
    (
        "bedrock",
        "bedrock",
        "bedrock_converse",
        "",
        "region = \"us-east-1\"\napi_key = { file = \"KEY\" }",
    ),
    ("cohere", "cohere", "cohere_chat", "/v2", ""),
    ("ollama", "ollama", "ollama_chat", "", ""),
];

fn gateway(sim: &SimHandle) -> Gateway {
    let key = crate::support::file("a-key");
    let mut text = String::new();
    for (name, provider, dialect, path, more) in TARGETS {
        let url = sim.base_url();
        let more = more.replace("KEY", key.to_str().unwrap());
        text.push_str(&format!(
            "[targets.{name}]\nprovider = \"{provider}\"\ndialect = \"{dialect}\"\nmodel = \"m-{name}\"\nbase_url = \"{url}{path}\"\n{more}\n\
             [routes.{name}]\ntiers = [[\"{name}\"]]\n"
        ));
    }
    let gateway = Gateway::serve(&text);
    std::fs::remove_file(key).unwrap();
    gateway
}

type Ask = fn(&str, bool) -> String;

/// The callers' dialects.
const CALLERS: [(&str, Ask); 3] = [
    ("/v1/chat/completions", openai),
    ("/v1/responses", responses),
    ("/v1/messages", anthropic),
];

/// Waits for the provider to notice, for far less time than the answer would take.
async fn is_left(sim: &SimHandle, which: &str) {
    let left = sim
        .wait_until(Duration::from_secs(3), |calls| {
            !calls.is_empty() && calls.iter().all(Received::hung_up)
        })
        .await;
    assert!(left, "{which}: {:?}", sim.received());
    sim.reset();
}

#[tokio::test]
async fn in_the_middle_of_a_stream() {
    let slow = "words = 200\n[[rule]]\nslow = { per_chunk = \"200ms\" }";
    let slow = Script::from_toml(slow).unwrap();
    let sim = Sim::builder().script(slow).start().await.unwrap();
    let gateway = gateway(&sim);
    for (path, ask) in CALLERS {
        for (target, ..) in TARGETS {
            let body = ask("hi", true).replace("\"chat\"", &format!("\"{target}\""));
            let mut answer = gateway.open(gateway.request(path), body).await.into_body();
            assert!(answer.frame().await.unwrap().is_ok(), "{path} {target}");
            drop(answer);
            is_left(&sim, &format!("{path} {target}")).await;
        }
    }
}

#[tokio::test]
async fn before_anything_came() {
    let hangs = Script::from_toml("[[rule]]\nhang = \"forever\"").unwrap();
    let sim = Sim::builder().script(hangs).start().await.unwrap();
    let gateway = gateway(&sim);
    for (path, ask) in CALLERS {
        for (target, ..) in TARGETS {
            for stream in [false, true] {
                let body = ask("hi", stream).replace("\"chat\"", &format!("\"{target}\""));
                let asked = gateway.send(gateway.request(path), body);
                let arrived = sim.wait_until(Duration::from_secs(5), |calls| !calls.is_empty());
                tokio::select! {
                    seen = asked => panic!("{path} {target}: {}", seen.text()),
                    arrived = arrived => assert!(arrived, "{path} {target}"),
                }
                is_left(&sim, &format!("{path} {target}")).await;
            }
        }
    }
}

/// The server does not read on while it holds the beginning of another request.
#[tokio::test]
async fn with_the_beginning_of_another_request() {
    let slow = "words = 200\n[[rule]]\nstream = true\nstall = { after_chunks = 2 }\n[[rule]]\nhang = \"forever\"";
    let sim = Sim::builder().script(Script::from_toml(slow).unwrap());
    let sim = sim.start().await.unwrap();
    let gateway = gateway(&sim);
    let address = gateway.url.strip_prefix("http://").unwrap();
    for stream in [false, true] {
        let body = openai("hi", stream);
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n";
        let request = format!("{head}content-length: {}\r\n\r\n{body}POST", body.len());
        let mut caller = std::net::TcpStream::connect(address).unwrap();
        caller.write_all(request.as_bytes()).unwrap();
        let arrived = sim.wait_until(Duration::from_secs(5), |calls| !calls.is_empty());
        assert!(arrived.await, "stream: {stream}");
        drop(caller);
        is_left(&sim, &format!("stream: {stream}")).await;
    }
}
