//! Anthropic's errors and limit headers.
//!
//! Read 2026-11-23: <https://platform.claude.com/docs/en/api/errors>, headers
//! `anthropic-ratelimit-requests-{limit,remaining,reset}` with RFC 3339 resets
//! (<https://platform.claude.com/docs/en/api/rate-limits>). Where the documentation gives a kind but no text, the text is
//! the simulator's own.

use bytes::Bytes;
use serde_json::json;

use super::{Headers, Hit, Problem, Voice};
use crate::json;
use crate::limit::{Allowance, ceil_seconds, rfc3339};
use crate::preset::Preset;
use crate::wire::Family;

pub(super) struct Anthropic;

impl Voice for Anthropic {
    fn preset(&self, preset: Preset, model: &str) -> Problem {
        match preset {
            Preset::RateLimit => Problem::new(
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50 requests per minute.".to_owned(),
            ),
            Preset::RateLimitTokens => Problem::new(
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 30,000 input tokens per minute.".to_owned(),
            ),
            Preset::RateLimitConcurrency => Problem::new(
                429,
                "rate_limit_error",
                "Number of concurrent connections has exceeded your rate limit. Please try again later.".to_owned(),
            ),
            Preset::SlowDown => Problem::new(
                429,
                "rate_limit_error",
                "This request would exceed your organization's acceleration limit. Scale up your usage more gradually.".to_owned(),
            ),
            Preset::SpendLimit => Problem::new(
                429,
                "rate_limit_error",
                "Your organization has reached its monthly spend limit. Access resumes with the next month.".to_owned(),
            )
            .code("enforced_spend_limit_reached"),
            Preset::Timeout => Problem::new(504, "timeout_error", "Request timed out".to_owned()),
            Preset::InsufficientQuota => Problem::new(
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
                    .to_owned(),
            ),
            Preset::Overloaded => Problem::new(529, "overloaded_error", "Overloaded".to_owned()),
            Preset::ServerError => Problem::new(500, "api_error", "Internal server error".to_owned()),
            Preset::Unavailable => Problem::new(503, "api_error", "Service temporarily unavailable".to_owned()),
            Preset::ContextLength => self.context_length(200_000, 204_800),
            Preset::InvalidKey => Problem::new(401, "authentication_error", "invalid x-api-key".to_owned()),
            Preset::InvalidRequest => Problem::new(
                400,
                "invalid_request_error",
                "temperature: Input should be less than or equal to 1".to_owned(),
            ),
            Preset::ContentFilter => {
                Problem::new(400, "invalid_request_error", "Output blocked by content filtering policy".to_owned())
            }
            Preset::ModelNotFound => self.unknown_model(model),
            Preset::Html => Problem::of_status(Family::Anthropic, 502),
        }
    }

    fn context_length(&self, limit: u64, asked: u64) -> Problem {
        Problem::invalid(format!(
            "prompt is too long: {asked} tokens > {limit} maximum"
        ))
    }

    fn unknown_model(&self, model: &str) -> Problem {
        Problem::new(404, "not_found_error", format!("model: {model}"))
    }

    fn missing_key(&self) -> Problem {
        Problem::new(
            401,
            "authentication_error",
            "x-api-key header is required".to_owned(),
        )
    }

    fn missing_field(&self, field: &'static str) -> Problem {
        Problem::invalid(format!("{field}: Field required"))
    }

    fn limited(&self, model: &str, hit: Hit) -> Problem {
        let message = match hit {
            Hit::Concurrency(most) => format!(
                "Number of concurrent requests for {model} has exceeded your rate limit of {most}."
            ),
            Hit::Rpm(limit, _) => format!(
                "This request would exceed your organization's rate limit of {limit} requests per minute."
            ),
        };
        Problem::new(429, "rate_limit_error", message)
    }

    fn kind(&self, status: u16) -> &'static str {
        match status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        }
    }

    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`; a code of its own goes into
    /// `error.details.error_code`.
    fn body(&self, problem: &Problem, request_id: &str) -> Bytes {
        let mut error = json!({"type": problem.kind, "message": problem.message});
        if let (Some(code), Some(fields)) = (problem.code, error.as_object_mut()) {
            fields.insert("details".to_owned(), json!({"error_code": code}));
        }
        json::bytes(&json!({"type": "error", "error": error, "request_id": request_id}))
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("request-id")
    }

    fn limit_headers(&self, allowance: Allowance, unix: u64) -> Headers {
        let reset = rfc3339(unix.saturating_add(ceil_seconds(allowance.reset)));
        vec![
            (
                "anthropic-ratelimit-requests-limit",
                allowance.limit.to_string(),
            ),
            (
                "anthropic-ratelimit-requests-remaining",
                allowance.remaining.to_string(),
            ),
            ("anthropic-ratelimit-requests-reset", reset),
        ]
    }
}
