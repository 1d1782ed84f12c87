//! A raw HTTP client that shows exactly what came over the socket, and how it ended.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use std::net::SocketAddr;
use std::time::Duration;

use llm_sim::{Script, Sim, SimHandle};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How the connection ended, as the client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The HTTP message was complete.
    Complete,
    /// FIN before the message was complete.
    Early,
    /// RST.
    Reset,
    /// Nothing more came in the time given.
    Silent,
}

/// What came over the socket.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: Option<u16>,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The sizes of the HTTP chunks, if the body came in chunks.
    pub(crate) chunks: Vec<usize>,
    pub(crate) end: End,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&self.body)))
    }

    /// The `data:` payloads of a stream.
    pub(crate) fn data(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.body)
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .map(str::to_owned)
            .collect()
    }

    /// The events of a stream that are JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.data()
            .iter()
            .filter_map(|data| serde_json::from_str(data).ok())
            .collect()
    }

    /// The text a client of either wire would put together.
    pub(crate) fn streamed_text(&self) -> String {
        let events = self.events();
        let texts = events.iter().filter_map(|event| {
            event
                .pointer("/choices/0/delta/content")
                .or_else(|| event.pointer("/delta/text"))
                .and_then(Value::as_str)
        });
        texts.collect()
    }
}

pub(crate) async fn start(script: &str) -> SimHandle {
    let script = Script::from_toml(script).expect("the script makes sense");
    Sim::builder()
        .script(script)
        .seed(7)
        .start()
        .await
        .expect("the loopback has a free port")
}

pub(crate) fn chat(extra: &str) -> String {
    format!(
        r#"{{"model":"gpt-5-mini","messages":[{{"role":"user","content":"hello there"}}]{extra}}}"#
    )
}

pub(crate) fn message(extra: &str) -> String {
    format!(
        r#"{{"model":"claude-sonnet-4-5","max_tokens":256,"messages":[{{"role":"user","content":"hello there"}}]{extra}}}"#
    )
}

pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Seen {
    request(address, "POST", path, headers, body, Duration::from_secs(5)).await
}

pub(crate) async fn openai(sim: &SimHandle, extra: &str) -> Seen {
    post(
        sim.addr(),
        "/v1/chat/completions",
        &[("authorization", "Bearer sk-test")],
        &chat(extra),
    )
    .await
}

pub(crate) async fn anthropic(sim: &SimHandle, extra: &str) -> Seen {
    post(
        sim.addr(),
        "/v1/messages",
        &[("x-api-key", "sk-ant"), ("anthropic-version", "2023-06-01")],
        &message(extra),
    )
    .await
}

pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
    patience: Duration,
) -> Seen {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let mut head = format!(
        "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await
        .expect("send");
    let mut raw = Vec::new();
    let mut buffer = [0; 4_096];
    let end = loop {
        match timeout(patience, stream.read(&mut buffer)).await {
            Err(_) => break End::Silent,
            Ok(Ok(0)) => break End::Early,
            Ok(Ok(read)) => raw.extend_from_slice(&buffer[..read]),
            Ok(Err(error)) => {
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
                break End::Reset;
            }
        }
    };
    parse(&raw, end)
}

fn parse(raw: &[u8], end: End) -> Seen {
    let Some(split) = raw.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Seen {
            status: None,
            head: String::from_utf8_lossy(raw).into_owned(),
            body: Vec::new(),
            chunks: Vec::new(),
            end,
        };
    };
    let head = String::from_utf8_lossy(&raw[..split]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let mut seen = Seen {
        status,
        head,
        body: Vec::new(),
        chunks: Vec::new(),
        end,
    };
    let rest = &raw[split + 4..];
    let complete = if seen.header("transfer-encoding") == Some("chunked") {
        unchunk(rest, &mut seen.body, &mut seen.chunks)
    } else {
        seen.body = rest.to_vec();
        let length: usize = seen
            .header("content-length")
            .expect("a length")
            .parse()
            .expect("a number");
        assert!(rest.len() <= length, "more than was promised");
        rest.len() == length
    };
    if complete {
        seen.end = End::Complete;
    }
    seen
}

/// Takes the chunks apart; true if the last one came.
fn unchunk(mut rest: &[u8], body: &mut Vec<u8>, chunks: &mut Vec<usize>) -> bool {
    loop {
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return false;
        };
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).expect("hex"), 16)
            .expect("hex");
        rest = &rest[line + 2..];
        chunks.extend((size > 0).then_some(size));
        if size == 0 {
            return rest == b"\r\n";
        }
        let part = &rest[..size.min(rest.len())];
        body.extend_from_slice(part);
        if rest.len() < size + 2 {
            return false;
        }
        rest = &rest[size + 2..];
    }
}
