//! One call as any client makes it: over a socket, once, and judged by what came back.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long a client without protection waits: generous, and far less than the ten minutes that SDKs do by default.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer that is read.
const LARGEST: usize = 1 << 20;

/// A plain HTTP client that never repeats a call.
#[derive(Debug, Clone)]
pub(crate) struct Caller(Client<HttpConnector, Full<Bytes>>);

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A model's answer.
    Answered,
    /// Honestly less than that, and in which way.
    Degraded(String),
    /// No answer; why.
    Failed(String),
}

/// What the client saw of a call.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
    /// The target that answered, as the gateway tells it.
    pub(crate) target: Option<String>,
    /// Upstream calls, as the gateway tells it.
    pub(crate) attempts: Option<String>,
    /// Every hop, as the gateway tells it.
    pub(crate) trail: Option<String>,
}

impl Caller {
    /// A client with a pool of its own.
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .retry_canceled_requests(false)
            .build(connector);
        Self(client)
    }

    /// Asks a question at an OpenAI-compatible base URL, once.
    pub(crate) async fn ask(&self, base_url: &str, question: &str, stream: bool) -> Seen {
        let started = Instant::now();
        let mut seen = Seen {
            outcome: Outcome::Failed(String::new()),
            took: Duration::ZERO,
            target: None,
            attempts: None,
            trail: None,
        };
        seen.outcome = match tokio::time::timeout(
            PATIENCE,
            self.exchange(base_url, question, stream, &mut seen),
        )
        .await
        {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Failed("timeout".to_owned()),
        };
        seen.took = started.elapsed();
        seen
    }

    async fn exchange(
        &self,
        base_url: &str,
        question: &str,
        stream: bool,
        seen: &mut Seen,
    ) -> Outcome {
        let body = json!({
            "model": "chat",
            "messages": [{ "role": "user", "content": question }],
            "stream": stream,
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{base_url}/chat/completions"))
            .header(CONTENT_TYPE, "application/json")
            .header("x-llm-trace", "1")
            .body(Full::new(Bytes::from(body.to_string())));
        let Ok(request) = request else {
            return Outcome::Failed("no request".to_owned());
        };
        let Ok(response) = self.0.request(request).await else {
            return Outcome::Failed("connection lost".to_owned());
        };
        let (parts, body) = response.into_parts();
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        seen.target = header("x-llm-target");
        seen.attempts = header("x-llm-attempts");
        seen.trail = header("x-llm-trail");
        let body = match http_body_util::Limited::new(body, LARGEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Outcome::Failed("broke off".to_owned()),
        };
        if !parts.status.is_success() {
            return Outcome::Failed(parts.status.as_u16().to_string());
        }
        let good = if stream {
            is_whole_stream(&body)
        } else {
            has_content(&body)
        };
        match header("x-llm-degraded") {
            _ if !good => Outcome::Failed("no answer in a 200".to_owned()),
            Some(mode) => Outcome::Degraded(mode),
            None => Outcome::Answered,
        }
    }
}

/// Whether a body is a chat completion with something in it.
fn has_content(body: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return false;
    };
    value
        .pointer("/choices/0/message/content")
        .and_then(Value::as_str)
        .is_some_and(|text| !text.is_empty())
}

/// Whether a stream has content, a normal end, and no error on the way.
fn is_whole_stream(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else {
        return false;
    };
    let mut content = false;
    let mut done = false;
    for data in text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim)
    {
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let Ok(value) = serde_json::from_str::<Value>(data) else {
            return false;
        };
        if value.get("error").is_some() {
            return false;
        }
        let piece = value
            .pointer("/choices/0/delta/content")
            .and_then(Value::as_str);
        content |= piece.is_some_and(|piece| !piece.is_empty());
    }
    content && done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_content_counts_as_an_answer() {
        assert!(has_content(
            br#"{"choices":[{"message":{"content":"hi"}}]}"#
        ));
        assert!(!has_content(br#"{"choices":[{"message":{"content":""}}]}"#));
        assert!(!has_content(b"<html>"));
    }

    #[test]
    fn a_stream_needs_content_and_its_end_and_no_error() {
        let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
        let end = "data: [DONE]\n\n";
        assert!(is_whole_stream(format!("{piece}{end}").as_bytes()));
        assert!(!is_whole_stream(piece.as_bytes()));
        assert!(!is_whole_stream(end.as_bytes()));
        assert!(!is_whole_stream(
            format!("{piece}data: {{\"error\":{{}}}}\n\n{end}").as_bytes()
        ));
    }
}
