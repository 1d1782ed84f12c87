//! Ollama's errors: `{"error": "…"}`, and on Ollama's cloud the statuses of a provider.
//!
//! <https://docs.ollama.com/api/errors> and the official Python SDK, ollama 0.6.3 (`_client.py`), read 2026-11-26. A server
//! that is busy answers 503 (`OLLAMA_MAX_QUEUE`, <https://docs.ollama.com/faq>). The texts are partly the simulator's own.

use bytes::Bytes;
use serde_json::json;

use super::{Hit, Problem, Voice};
use crate::json;
use crate::preset::Preset;

pub(super) struct Ollama;

impl Voice for Ollama {
    fn preset(&self, preset: Preset, model: &str) -> Problem {
        let plain = |status: u16, message: &str| {
            Problem::new(status, self.kind(status), message.to_owned())
        };
        match preset {
            Preset::RateLimit | Preset::RateLimitTokens | Preset::SlowDown => {
                plain(429, "too many requests, please slow down")
            }
            Preset::RateLimitConcurrency => plain(429, "too many concurrent requests"),
            Preset::InsufficientQuota => plain(
                429,
                "you've reached your weekly usage limit, please upgrade to continue",
            ),
            Preset::SpendLimit => plain(402, "this account has reached its spend limit"),
            Preset::Overloaded | Preset::Unavailable => plain(
                503,
                "server busy, please try again.  maximum pending requests exceeded",
            ),
            Preset::ServerError => plain(500, "llama runner process has terminated"),
            Preset::ContextLength => self.context_length(8_192, 9_000),
            Preset::InvalidKey => plain(401, "unauthorized"),
            Preset::InvalidRequest => plain(400, "invalid options: temperature"),
            Preset::ContentFilter => plain(400, "the prompt was refused"),
            Preset::ModelNotFound => self.unknown_model(model),
            Preset::Timeout => plain(504, "timed out waiting for the model to load"),
            Preset::Html => plain(502, "upstream error"),
        }
    }

    fn context_length(&self, limit: u64, asked: u64) -> Problem {
        Problem::invalid(format!(
            "the input length exceeds the context length ({asked} > {limit})"
        ))
    }

    fn unknown_model(&self, model: &str) -> Problem {
        Problem::new(404, self.kind(404), format!("model '{model}' not found"))
    }

    fn missing_key(&self) -> Problem {
        Problem::new(401, self.kind(401), "unauthorized".to_owned())
    }

    fn missing_field(&self, field: &'static str) -> Problem {
        Problem::invalid(format!("{field} is required"))
    }

    fn limited(&self, model: &str, hit: Hit) -> Problem {
        self.preset(
            match hit {
                Hit::Rpm(..) => Preset::RateLimit,
                Hit::Concurrency(_) => Preset::RateLimitConcurrency,
            },
            model,
        )
    }

    /// Ollama has no kinds, only statuses.
    fn kind(&self, _status: u16) -> &'static str {
        "error"
    }

    fn body(&self, problem: &Problem, _request_id: &str) -> Bytes {
        json::bytes(&json!({"error": problem.message}))
    }

    fn request_id_header(&self) -> Option<&'static str> {
        None
    }
}
