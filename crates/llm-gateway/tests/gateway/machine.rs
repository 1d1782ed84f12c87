//! What the machine gives, sockets, memory and a way out, is shared so that calls come first.

use crate::support::{BINARY, Gateway, file, openai, two};
use llm_sim::{Pace, Script, Sim, SimHandle};
use std::process::Command;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn sims() -> (SimHandle, SimHandle) {
    let first = Sim::builder().start().await.unwrap();
    (first, Sim::builder().start().await.unwrap())
}

/// Starts the gateway by way of a command that changes what it finds.
#[cfg(unix)]
fn serve_by(command: &mut Command, configuration: &str) -> Gateway {
    let path = file(configuration);
    let serve = [BINARY, "serve", "--listen", "127.0.0.1:0", "--config"];
    let gateway = Gateway::start(command.args(serve).arg(&path));
    std::fs::remove_file(path).unwrap();
    gateway
}

#[cfg(unix)]
#[tokio::test]
async fn callers_who_only_sit_there_leave_the_calls_their_sockets() {
    let (first, second) = sims().await;
    let text = two(&first.openai_base_url(), &second.base_url(), "");
    let limited = "ulimit -n 160; exec \"$0\" \"$@\"";
    let gateway = serve_by(Command::new("/bin/sh").args(["-c", limited]), &text);
    let address = gateway.url.strip_prefix("http://").unwrap();
    let mut caller = TcpStream::connect(address).await.unwrap();
    // Those that are not taken wait in the system's queue, or are turned away by it.
    let idle = (0..200).map(|_| {
        let connecting = TcpStream::connect(address);
        tokio::time::timeout(Duration::from_millis(200), connecting)
    });
    let idle = futures_util::future::join_all(idle).await;
    let body = openai("hi", false);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    caller
        .write_all(format!("{head}{body}").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("x-llm-target: primary"), "{answer}");
    drop(idle);
}

#[tokio::test]
async fn large_bodies_beyond_the_memory_for_them_are_refused_and_small_ones_pass() {
    let (first, second) = sims().await;
    let slow = Pace::NONE.latency(Duration::from_millis(700));
    first.set_script(Script::builder().pace(slow).build().unwrap());
    let text = two(&first.openai_base_url(), &second.base_url(), "");
    let gateway = Gateway::serve(&format!("[server]\nmax_bodies = \"256KiB\"\n{text}"));
    let large = "word ".repeat(50_000);
    let beside = async {
        let arrived = first.wait_until(Duration::from_secs(5), |calls| !calls.is_empty());
        assert!(arrived.await);
        (gateway.chat(&large).await, gateway.chat("hi").await)
    };
    let (held, (refused, small)) = tokio::join!(gateway.chat(&large), beside);
    assert_eq!(held.status, 200, "{}", held.text());
    assert_eq!(small.status, 200, "{}", small.text());
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "overloaded");
    let wait: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((2..=3).contains(&wait), "{wait}");
    assert_eq!(first.count(), 2, "nothing was sent for it");
    // What there is never room for is not to be tried again.
    let larger = gateway.chat(&"word ".repeat(80_000)).await;
    assert_eq!(larger.status, 413, "{}", larger.text());
    assert_eq!(larger.header("x-should-retry"), Some("false"));
    let again = gateway.chat(&large).await;
    assert_eq!(
        again.status,
        200,
        "the room is free again: {}",
        again.text()
    );
    let metrics = gateway.get("/metrics").await;
    let line = "llm_gateway_rejected_total{reason=\"no_room\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[cfg(unix)]
#[tokio::test]
async fn a_proxy_that_the_environment_names_is_used_where_the_file_says_so() {
    for (proxy, target) in [("environment", "primary"), ("none", "backup")] {
        let (first, second) = sims().await;
        // A name that means nothing here: only the proxy can say what it stands for, and it is the simulator.
        let text = two("http://provider.invalid/v1", &second.base_url(), "");
        let named = format!("HTTP_PROXY={}", first.base_url());
        let mut command = Command::new("/usr/bin/env");
        let command = command.args([&named, "NO_PROXY=127.0.0.1"]);
        let gateway = serve_by(command, &format!("proxy = \"{proxy}\"\n{text}"));
        let seen = gateway.chat("hi").await;
        let by = (seen.status, seen.header("x-llm-target"));
        assert_eq!(by, (200, Some(target)), "{}", seen.text());
        assert_eq!(first.count(), u64::from(target == "primary"));
    }
}
