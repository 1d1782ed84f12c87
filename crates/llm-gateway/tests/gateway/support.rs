//! The real binary, started on a free port, and a plain client to talk to it.
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_llm-gateway");

/// A running gateway; killed when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) child: Child,
    pub(crate) url: String,
    /// What it said before it listened.
    pub(crate) greeting: Vec<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a caller saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.body))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A file of this test process's own, in the system's folder for such.
pub(crate) fn file(text: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!(
        "llm-gateway-test-{}-{number}.toml",
        std::process::id()
    ));
    std::fs::File::create(&path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    path
}

impl Gateway {
    /// Starts `serve` with a configuration.
    pub(crate) fn serve(configuration: &str) -> Self {
        let path = file(configuration);
        let gateway = Self::start(
            Command::new(BINARY)
                .args(["serve", "--listen", "127.0.0.1:0", "--config"])
                .arg(&path),
        );
        std::fs::remove_file(path).unwrap();
        gateway
    }

    /// Starts a command that will say where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::inherit())
    }

    /// Starts a command that will say where it listens; its log comes line by line.
    pub(crate) fn start_logged(command: &mut Command) -> (Self, UnboundedReceiver<String>) {
        let mut gateway = Self::start_with(command, Stdio::piped());
        let lines = BufReader::new(gateway.child.stderr.take().unwrap()).lines();
        let (log, logged) = unbounded_channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Where the test no longer listens, the pipe is still to be emptied.
                let _ = log.send(line);
            }
        });
        (gateway, logged)
    }

    /// Starts a command that will say where it listens; nobody reads its log.
    pub(crate) fn start_unread(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::piped())
    }

    fn start_with(command: &mut Command, log: Stdio) -> Self {
        let mut child = command
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the gateway starts");
        let mut greeting = Vec::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines
                .next()
                .expect("the gateway says where it listens")
                .unwrap();
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.to_owned();
            }
            greeting.push(line);
        };
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || for _ in lines.map_while(Result::ok) {});
        Self {
            child,
            url,
            greeting,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Sends any request and gives back the response as it begins.
    pub(crate) async fn open(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        self.client
            .request(request.body(Full::new(body.into())).unwrap())
            .await
            .expect("a response")
    }

    /// Sends any request and reads the whole response.
    pub(crate) async fn send(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Seen {
        let (parts, body) = self.open(request, body).await.into_parts();
        let body = body.collect().await.expect("the whole body").to_bytes();
        Seen {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(format!("{}{path}", self.url)), "")
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Seen {
        self.send(self.request(path), body).await
    }

    /// A request that asks for its trail.
    pub(crate) fn request(&self, path: &str) -> http::request::Builder {
        Request::post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("x-llm-trace", "1")
    }

    /// An OpenAI call.
    pub(crate) async fn chat(&self, prompt: &str) -> Seen {
        self.post("/v1/chat/completions", openai(prompt, false))
            .await
    }
}

/// The body of an OpenAI call.
pub(crate) fn openai(prompt: &str, stream: bool) -> String {
    json!({ "model": "chat", "stream": stream, "messages": [{ "role": "user", "content": prompt }] }).to_string()
}

/// The body of an Anthropic call.
pub(crate) fn anthropic(prompt: &str, stream: bool) -> String {
    json!({ "model": "chat", "max_tokens": 100, "stream": stream, "messages": [{ "role": "user", "content": prompt }] })
        .to_string()
}

/// The body of a call of OpenAI's responses.
pub(crate) fn responses(prompt: &str, stream: bool) -> String {
    json!({ "model": "chat", "stream": stream, "input": prompt }).to_string()
}

/// A configuration of two targets in two tiers, with `route` added to the route.
pub(crate) fn two(primary: &str, backup: &str, route: &str) -> String {
    format!(
        r#"
[targets.primary]
provider = "openai"
model = "large"
base_url = "{primary}"

[targets.backup]
provider = "anthropic"
model = "other"
base_url = "{backup}"

[routes.chat]
tiers = [["primary"], ["backup"]]
patience = "100ms"
deadline = "10s"
windows = {{ connect = "1s", first_token = "1s", whole = "1s" }}
{route}
"#
    )
}
