//! Providers whose HTTP is odd: whatever they send, the caller gets an answer, and nobody gets a key.

use crate::support::{Gateway, openai, two};
use llm_sim::{Script, Sim};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = Sim::builder().start().await.unwrap();
        let rule = format!(
            "[[rule]]\nstatus = {status}\nbody = \"\"\nheaders = {{ location = \"{}/chat/completions\" }}",
            elsewhere.openai_base_url()
        );
        let script = Script::from_toml(&rule).unwrap();
        let first = Sim::builder().script(script).start().await.unwrap();
        let second = Sim::builder().start().await.unwrap();
        let text = two(&first.openai_base_url(), &second.base_url(), "");
        let gateway = Gateway::serve(&text);
        let seen = gateway.chat("hi").await;
        let by = (seen.status, seen.header("x-llm-target"));
        assert_eq!(by, (200, Some("backup")), "{status}: {}", seen.text());
        assert_eq!(
            elsewhere.count(),
            0,
            "{status}: neither key nor prompt goes there"
        );
    }
}

const ANSWER: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"It is in Paris."},"finish_reason":"stop"}]}"#;

/// Reads one request; false at the end of the connection.
async fn request(socket: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.ends_with(b"}") {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return false,
            Ok(length) => read.extend_from_slice(&buffer[..length]),
        }
    }
    true
}

/// A provider that says these bytes for the nth request of a connection, and closes it where there are none.
async fn provider(says: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                for said in says {
                    if !request(&mut socket).await {
                        return;
                    }
                    let said = said
                        .replace("LENGTH", &ANSWER.len().to_string())
                        .replace("SIZE", &format!("{:x}", ANSWER.len()))
                        .replace("ANSWER", ANSWER);
                    let _ = socket.write_all(said.as_bytes()).await;
                }
                request(&mut socket).await;
            });
        }
    });
    url
}

const GOOD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: LENGTH\r\n\r\nANSWER";

/// The provider closes connections under requests, as one does whose idle time is up; the call is made again on a new one.
#[tokio::test]
async fn a_connection_that_closes_under_a_request_costs_no_caller_an_answer() {
    let url = provider(&[GOOD]).await;
    let backup = Sim::builder().start().await.unwrap();
    let lone = two(&url, &backup.base_url(), "").replace(", [\"backup\"]", "");
    let gateway = Gateway::serve(&lone);
    for nth in 0..6 {
        let seen = gateway.chat("hi").await;
        assert_eq!(seen.status, 200, "{nth}: {}", seen.text());
        assert_eq!(seen.header("x-llm-target"), Some("primary"));
    }
}

#[tokio::test]
async fn early_hints_and_trailers_are_passed_over() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\nSIZE\r\nANSWER\r\n0\r\nx-end: 1\r\n\r\n";
    let said: &'static str = Box::leak(format!("{hints}{chunked}").into_boxed_str());
    let url = provider(Box::leak(Box::new([said, said]))).await;
    let backup = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&two(&url, &backup.base_url(), ""));
    for _ in 0..2 {
        let seen = gateway.chat("hi").await;
        let by = (seen.header("x-llm-target"), seen.header("x-llm-attempts"));
        assert_eq!(by, (Some("primary"), Some("1")), "{}", seen.text());
        assert_eq!(seen.text(), ANSWER);
    }
}

#[tokio::test]
async fn a_body_whose_length_is_not_told_truly_is_no_answer() {
    const SAID: [&str; 5] = [
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\nANSWER",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\nANSWER",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: LENGTH\r\ncontent-length: 5\r\n\r\nANSWER",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nANSWER\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nANSWER\r\n0\r\n\r\n",
    ];
    for said in &SAID {
        let url = provider(std::slice::from_ref(said)).await;
        let backup = Sim::builder().start().await.unwrap();
        let gateway = Gateway::serve(&two(&url, &backup.base_url(), ""));
        let seen = gateway.chat("hi").await;
        let by = (seen.status, seen.header("x-llm-target"));
        assert_eq!(by, (200, Some("backup")), "{said}: {}", seen.text());
    }
}

/// A provider whose edge closes a connection just when a call comes by it: the first call of each connection is answered, the
/// second is read and met with a reset.
async fn closing() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let resets = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&resets);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                request(&mut socket).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
                let answer = format!("{head}{}\r\n\r\n{ANSWER}", ANSWER.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
                if request(&mut socket).await {
                    counted.fetch_add(1, Ordering::SeqCst);
                    socket.set_zero_linger().unwrap();
                }
            });
        }
    });
    (url, resets)
}

#[tokio::test]
async fn a_connection_that_was_closed_under_a_call_is_no_mark_against_its_provider() {
    let (url, resets) = closing().await;
    let second = Sim::builder().start().await.unwrap();
    let text = two(&url, &second.base_url(), "");
    let gateway = Gateway::serve(&text.replace("patience = \"100ms\"", "patience = \"0s\""));
    for nth in 0..20 {
        let seen = gateway.chat("hi").await;
        let by = (seen.status, seen.header("x-llm-target"));
        assert_eq!(by, (200, Some("primary")), "{nth}: {}", seen.text());
    }
    assert!(resets.load(Ordering::SeqCst) >= 5, "{resets:?}");
    assert_eq!(second.count(), 0);
    let metrics = gateway.get("/metrics").await;
    for line in [
        "llm_gateway_target_error_rate{target=\"primary\"} 0.0",
        "llm_gateway_breaker_state{target=\"primary\",state=\"closed\"} 1",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
}

#[tokio::test]
async fn what_must_not_run_twice_is_not_sent_again_by_another_connection() {
    let (url, resets) = closing().await;
    let second = Sim::builder().start().await.unwrap();
    let gateway = Gateway::serve(&two(&url, &second.base_url(), ""));
    assert_eq!(gateway.chat("hi").await.status, 200);
    let request = gateway.request("/v1/chat/completions");
    let request = request.header("x-llm-side-effects", "1");
    let seen = gateway.send(request, openai("hi", false)).await;
    assert_eq!(seen.status, 502, "{}", seen.text());
    assert_eq!(seen.header("x-should-retry"), Some("false"));
    assert_eq!(resets.load(Ordering::SeqCst), 1);
    assert_eq!(second.count(), 0);
}

#[tokio::test]
async fn a_provider_is_told_what_calls_unless_the_target_says_otherwise() {
    let sim = Sim::builder().start().await.unwrap();
    let text = two(&sim.openai_base_url(), &sim.base_url(), "");
    let own = "model = \"large\"\nheaders = { user-agent = \"ours/1\" }";
    for (text, told) in [
        (text.clone(), "llm-resilience/"),
        (text.replace("model = \"large\"", own), "ours/1"),
    ] {
        assert_eq!(Gateway::serve(&text).chat("hi").await.status, 200);
        let sent = sim.received().pop().unwrap();
        let mut agents = sent.headers.iter().filter(|(name, _)| name == "user-agent");
        assert!(agents.next().unwrap().1.starts_with(told), "{sent:?}");
        assert!(agents.next().is_none());
    }
}
