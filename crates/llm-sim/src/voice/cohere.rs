//! Cohere's errors.
//!
//! Statuses from <https://docs.cohere.com/reference/errors> and the official Python SDK, cohere 7.3.1 (`errors/`); bodies
//! `{"id", "message"}` and the headers `x-debug-trace-id` and `x-trial-endpoint-call-{limit,remaining}` (sent to trial keys,
//! but not with a 429) as callers print them; read 2026-11-26. The texts are partly the simulator's own.

use bytes::Bytes;
use serde_json::json;

use super::{Headers, Hit, Problem, Voice};
use crate::json;
use crate::limit::Allowance;
use crate::preset::Preset;

pub(super) struct Cohere;

impl Voice for Cohere {
    fn preset(&self, preset: Preset, model: &str) -> Problem {
        let plain = |status: u16, message: &str| {
            Problem::new(status, self.kind(status), message.to_owned())
        };
        match preset {
            Preset::RateLimit => plain(
                429,
                "You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'.",
            ),
            Preset::RateLimitTokens => plain(
                429,
                "trial token rate limit exceeded, limit is 100000 tokens per minute",
            ),
            Preset::RateLimitConcurrency | Preset::SlowDown => {
                plain(429, "Please wait and try again later: too many requests.")
            }
            Preset::InsufficientQuota => plain(
                429,
                "You are using a Trial key, which is limited to 1000 API calls / month. You can continue to use the Trial key for free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'.",
            ),
            Preset::SpendLimit => plain(
                402,
                "Your account has reached its billing limit. Please add or update your payment method to continue.",
            ),
            Preset::Overloaded | Preset::Unavailable => {
                plain(503, "service unavailable, please try again later")
            }
            Preset::ServerError => plain(
                500,
                "internal server error, this has been reported to our developers.",
            ),
            Preset::ContextLength => self.context_length(128_000, 131_072),
            Preset::InvalidKey => plain(401, "invalid api token"),
            Preset::InvalidRequest => plain(
                400,
                "invalid request: temperature must be between 0 and 1.0 inclusive.",
            ),
            Preset::ContentFilter => plain(
                498,
                "blocked input: please adjust your prompt and try again",
            ),
            Preset::ModelNotFound => self.unknown_model(model),
            Preset::Timeout => plain(504, "gateway timeout"),
            Preset::Html => plain(502, "bad gateway"),
        }
    }

    fn context_length(&self, limit: u64, asked: u64) -> Problem {
        Problem::invalid(format!(
            "too many tokens: total number of tokens in the prompt cannot exceed {limit} - received {asked}. Try using a shorter prompt or a smaller max_tokens value."
        ))
    }

    fn unknown_model(&self, model: &str) -> Problem {
        Problem::new(
            404,
            self.kind(404),
            format!(
                "model '{model}' not found, make sure the correct model ID was used and that you have access to the model."
            ),
        )
    }

    fn missing_key(&self) -> Problem {
        Problem::new(401, self.kind(401), "no api key supplied".to_owned())
    }

    fn missing_field(&self, field: &'static str) -> Problem {
        Problem::invalid(format!("invalid request: {field} is a required field"))
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

    /// Cohere has no kinds, only statuses.
    fn kind(&self, _status: u16) -> &'static str {
        "error"
    }

    fn body(&self, problem: &Problem, request_id: &str) -> Bytes {
        json::bytes(&json!({"id": request_id, "message": problem.message}))
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("x-debug-trace-id")
    }

    fn limit_headers(&self, allowance: Allowance, _unix: u64) -> Headers {
        vec![
            ("x-trial-endpoint-call-limit", allowance.limit.to_string()),
            (
                "x-trial-endpoint-call-remaining",
                allowance.remaining.to_string(),
            ),
        ]
    }

    fn limits_a_refusal(&self) -> bool {
        false
    }
}
