//! Callers who dawdle, stop half-way or send too much cost nobody but themselves.

use crate::support::{Gateway, openai, two};
use llm_sim::{Fault, Rule, Script, Sim};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use tokio::time::Instant;

/// A gateway whose targets are never asked.
fn gateway() -> Gateway {
    let limits = "[server]\nmax_body = \"4KiB\"\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"\nwrite_timeout = \"300ms\"\n";
    Gateway::serve(&format!(
        "{limits}{}",
        two("http://127.0.0.1:1/v1", "http://127.0.0.1:1", "")
    ))
}

/// Sends bytes as they are and reads until the gateway has nothing more to say.
fn say(gateway: &Gateway, bytes: &[u8]) -> (String, Duration) {
    let started = Instant::now();
    let mut stream = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(bytes).unwrap();
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).unwrap();
    (String::from_utf8(heard).unwrap(), started.elapsed())
}

const POST: &str =
    "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

#[test]
fn unfinished_headers_are_not_waited_for() {
    let gateway = gateway();
    for beginning in ["", "POST /v1/chat", POST] {
        let (heard, took) = say(&gateway, beginning.as_bytes());
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 408"),
            "{heard}"
        );
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
}

#[test]
fn an_unfinished_body_is_408() {
    let gateway = gateway();
    let (heard, took) = say(
        &gateway,
        format!("{POST}content-length: 100\r\nconnection: close\r\n\r\n{{").as_bytes(),
    );
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    assert!(heard.contains("\"code\":\"request_timeout\""), "{heard}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_chunked_body_over_the_limit_is_413() {
    let gateway = gateway();
    let chunk = format!("800\r\n{}\r\n", "x".repeat(0x800));
    let body = format!(
        "{POST}transfer-encoding: chunked\r\nconnection: close\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(3)
    );
    let (heard, _) = say(&gateway, body.as_bytes());
    assert!(heard.starts_with("HTTP/1.1 413"), "{heard}");
    assert!(heard.contains("limit of 4096 bytes"), "{heard}");
}

#[test]
fn a_caller_who_asks_first_is_refused_at_once() {
    let gateway = gateway();
    let head = format!(
        "{POST}content-length: 1000000\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n"
    );
    let (heard, took) = say(&gateway, head.as_bytes());
    assert!(heard.starts_with("HTTP/1.1 413"), "{heard}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn noise_is_refused_and_does_no_harm() {
    let gateway = gateway();
    for noise in [
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{0}\u{1}\u{2}\r\n\r\n",
    ] {
        let (heard, _) = say(&gateway, noise.as_bytes());
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 4"),
            "{noise:?}: {heard}"
        );
    }
    let (heard, _) = say(
        &gateway,
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    assert!(heard.starts_with("HTTP/1.1 200"), "{heard}");
}

#[tokio::test]
async fn hanging_up_before_the_answer_cancels_the_call_and_its_fallbacks() {
    let hangs = Script::builder()
        .rule(Rule::new().fault(Fault::Hang(None)))
        .build()
        .unwrap();
    let first = Sim::builder().script(hangs).start().await.unwrap();
    let second = Sim::builder().start().await.unwrap();
    let slow = two(&first.openai_base_url(), &second.base_url(), "").replace("\"1s\"", "\"5s\"");
    let gateway = Gateway::serve(&slow);
    let body = openai("hi", false);
    let mut stream = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).unwrap();
    stream
        .write_all(format!("{POST}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
        .unwrap();
    assert!(
        first
            .wait_until(Duration::from_secs(5), |calls| calls.len() == 1)
            .await
    );
    drop(stream);
    let left = first
        .wait_until(Duration::from_secs(3), |calls| {
            calls.iter().all(llm_sim::Received::hung_up)
        })
        .await;
    assert!(left, "{:?}", first.received());
    assert_eq!(second.count(), 0, "nobody waits for a fallback");
    let metrics = gateway.get("/metrics").await;
    assert!(
        metrics
            .text()
            .contains("outcome=\"cancelled\",stream=\"false\"} 1"),
        "{}",
        metrics.text()
    );
}

#[tokio::test]
async fn many_callers_at_once_survive_a_hanging_provider() {
    let hangs = Script::builder()
        .rule(Rule::new().fault(Fault::Hang(None)))
        .build()
        .unwrap();
    let first = Sim::builder().script(hangs).start().await.unwrap();
    let second = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), ""));
    let prompts: Vec<String> = (0..50).map(|n| format!("question {n}")).collect();
    let calls = prompts.iter().map(|prompt| gateway.chat(prompt));
    for seen in futures_util::future::join_all(calls).await {
        assert_eq!(
            (seen.status, seen.header("x-llm-target")),
            (200, Some("backup")),
            "{}",
            seen.text()
        );
    }
    let upstream = first.count() + second.count();
    assert!(upstream <= 100, "{upstream} upstream calls for 50");
}

#[test]
fn a_web_page_cannot_call() {
    let gateway = gateway();
    for line in [
        "origin: https://evil.example\r\nhost: localhost",
        "host: evil.example",
    ] {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\n{line}\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}"
        );
        let (heard, _) = say(&gateway, request.as_bytes());
        assert!(heard.starts_with("HTTP/1.1 403"), "{line}: {heard}");
        assert!(heard.contains("\"code\":\"forbidden_origin\""), "{heard}");
    }
}

/// As a browser does it: it asks first, and gives the page nothing of an answer that does not name it.
#[tokio::test]
async fn a_web_page_that_is_allowed_can_call_and_read_the_answer() {
    const PAGE: &str = "https://chat.example.com";
    let sim = Sim::builder().start().await.unwrap();
    let targets = two(&sim.openai_base_url(), &sim.base_url(), "");
    let gateway = Gateway::serve(&format!("allowed_origins = [\"{PAGE}\"]\n{targets}"));
    let url = format!("{}/v1/chat/completions", gateway.url);
    let asks = |page: &str| {
        http::Request::options(&url)
            .header("origin", page)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            )
    };
    let asked = gateway.send(asks(PAGE), "").await;
    assert_eq!(asked.status, 204);
    let told = |name: &str| asked.header(&format!("access-control-allow-{name}"));
    assert_eq!(told("origin"), Some(PAGE));
    assert_eq!(told("headers"), Some("authorization,content-type"));
    assert!(told("methods").unwrap().contains("POST"));
    for stream in [false, true] {
        let call = gateway
            .request("/v1/chat/completions")
            .header("origin", PAGE);
        let seen = gateway.send(call, openai("hi", stream)).await;
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert_eq!(seen.header("access-control-allow-origin"), Some(PAGE));
    }
    let other = gateway.send(asks("https://evil.example"), "").await;
    assert_eq!(other.status, 403);
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[test]
fn a_caller_who_does_not_read_is_cut() {
    let gateway = gateway();
    let mut stream = TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let asks = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    let error = loop {
        if let Err(error) = stream.write_all(asks.as_bytes()) {
            break error.kind();
        }
    };
    use std::io::ErrorKind::{BrokenPipe, ConnectionReset};
    assert!(
        matches!(error, BrokenPipe | ConnectionReset),
        "the gateway has closed the connection: {error}"
    );
}
