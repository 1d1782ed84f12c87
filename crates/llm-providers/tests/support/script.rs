//! A transport that answers by script, under Tokio's paused clock.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use llm_errors::{Phase, Provider, TransportFault};
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, Failure, HttpRequest, HttpResponse, ReplyStream, Transport,
    TransportError, Windows, exchange,
};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// One step of a scripted reply.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Bytes(Bytes),
    Wait(Duration),
    Fault(TransportFault),
}

pub(crate) fn bytes(text: impl AsRef<[u8]>) -> Step {
    Step::Bytes(Bytes::copy_from_slice(text.as_ref()))
}

pub(crate) fn wait(seconds: u64) -> Step {
    Step::Wait(Duration::from_secs(seconds))
}

/// Answers every request alike and remembers the last one.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) steps: Vec<Step>,
    pub(crate) seen: Mutex<Option<HttpRequest>>,
}

impl Script {
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::status(200, steps)
    }

    pub(crate) fn status(status: u16, steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            steps: steps.into_iter().collect(),
            seen: Mutex::new(None),
        }
    }

    /// The body that was sent, as JSON.
    pub(crate) fn sent(&self) -> serde_json::Value {
        let seen = self.seen.lock().unwrap();
        serde_json::from_slice(&seen.as_ref().expect("a request was sent").body).unwrap()
    }
}

impl Transport for Script {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        *self.seen.lock().unwrap() = Some(request);
        let steps = self.steps.clone();
        let body = futures_util::stream::iter(steps)
            .filter_map(|step| async {
                match step {
                    Step::Bytes(bytes) => Some(Ok(bytes)),
                    Step::Fault(fault) => Some(Err(TransportError::new(fault, Phase::FirstByte))),
                    Step::Wait(wait) => {
                        tokio::time::sleep(wait).await;
                        None
                    }
                }
            })
            .boxed();
        let response = HttpResponse::new(self.status, self.headers.clone(), body);
        Box::pin(async { Ok(response) })
    }
}

pub(crate) const WINDOWS: Windows = Windows {
    connect: Duration::from_secs(1),
    first_token: Duration::from_secs(10),
    idle: Duration::from_secs(5),
    total: Duration::from_secs(60),
    thinking: Duration::ZERO,
};

/// A short request in `dialect`.
pub(crate) fn call(dialect: Dialect, stream: bool) -> Call {
    let said = match dialect {
        Dialect::OpenAiResponses => "input",
        _ => "messages",
    };
    let body = format!(
        r#"{{"model":"route","max_tokens":64,"stream":{stream},"{said}":[{{"role":"user","content":"hi"}}]}}"#
    );
    Call::parse(dialect, body.into()).unwrap()
}

pub(crate) fn endpoint(dialect: Dialect) -> Endpoint {
    let (provider, model) = match dialect {
        Dialect::AnthropicMessages => (Provider::Anthropic, "claude-sonnet-5"),
        _ => (Provider::OpenAi, "gpt-4o"),
    };
    Endpoint::builder(provider, model)
        .wire(dialect)
        .base_url("http://127.0.0.1:9/v1")
        .credential("test-key".into())
        .build()
        .unwrap()
}

/// Sends `call` to a target of `upstream`'s dialect that answers by `script`.
pub(crate) async fn run(
    script: &Script,
    upstream: Dialect,
    call: &Call,
) -> Result<Exchange, Failure> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    exchange(script, &endpoint(upstream), call, &WINDOWS, now).await
}

/// The same, where a stream is expected.
pub(crate) async fn open(
    script: &Script,
    upstream: Dialect,
    caller: Dialect,
) -> Result<Box<ReplyStream>, Failure> {
    match run(script, upstream, &call(caller, true)).await? {
        Exchange::Stream(stream) => Ok(stream),
        Exchange::Whole(whole) => unreachable!("a stream was asked for, not {whole:?}"),
    }
}

/// Everything the caller gets, and how it ended.
pub(crate) async fn drain(stream: &mut ReplyStream) -> (String, Option<Failure>) {
    let mut all = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(failure) => {
                assert!(stream.next().await.is_none(), "an error is the last item");
                return (String::from_utf8(all).unwrap(), Some(failure));
            }
        }
    }
    assert!(stream.next().await.is_none(), "the end is the end");
    (String::from_utf8(all).unwrap(), None)
}
