//! OpenAI's errors and limit headers.
//!
//! Read 2026-11-23: error codes (<https://developers.openai.com/api/docs/guides/error-codes>), spend limits
//! (<https://developers.openai.com/api/docs/guides/spend-limits>), headers `x-ratelimit-{limit,remaining,reset}-requests`
//! with resets like `1s` or `6m0s` (<https://developers.openai.com/api/docs/guides/rate-limits>). Where the documentation
//! gives a kind and a code but no text, the text is the simulator's own.

use bytes::Bytes;
use serde::Serialize;

use super::{Headers, Hit, Problem, Voice};
use crate::json;
use crate::limit::{Allowance, go_duration};
use crate::preset::Preset;
use crate::wire::Family;

pub(super) struct OpenAi;

impl Voice for OpenAi {
    fn preset(&self, preset: Preset, model: &str) -> Problem {
        match preset {
            Preset::RateLimit => Problem::new(
                429,
                "requests",
                format!(
                    "Rate limit reached for {model} in organization org-sim on requests per min (RPM): Limit 500, Used 500, Requested 1."
                ),
            )
            .code("rate_limit_exceeded"),
            Preset::RateLimitTokens => Problem::new(
                429,
                "tokens",
                format!(
                    "Rate limit reached for {model} in organization org-sim on tokens per min (TPM): Limit 30000, Used 29500, Requested 1200."
                ),
            )
            .code("rate_limit_exceeded"),
            Preset::RateLimitConcurrency => Problem::new(
                429,
                "requests",
                format!("Too many concurrent requests for {model}. Wait for some of them to finish."),
            )
            .code("rate_limit_exceeded"),
            Preset::SlowDown => Problem::new(
                429,
                "rate_limit_error",
                "Your request rate increased too quickly. Reduce it, then increase it gradually.".to_owned(),
            )
            .code("slow_down"),
            Preset::SpendLimit => Problem::new(
                429,
                "insufficient_quota",
                "Your organization has reached its monthly spend limit.".to_owned(),
            )
            .code("organization_spend_limit_exceeded"),
            Preset::Timeout => Problem::new(504, "server_error", "The request timed out while it was processed.".to_owned()),
            Preset::InsufficientQuota => Problem::new(
                429,
                "insufficient_quota",
                "You exceeded your current quota, please check your plan and billing details.".to_owned(),
            )
            .code("insufficient_quota"),
            Preset::Overloaded => {
                Problem::new(529, "overloaded_error", "The engine is currently overloaded, please try again later".to_owned())
            }
            Preset::ServerError => Problem::new(
                500,
                "server_error",
                "The server had an error while processing your request. Sorry about that!".to_owned(),
            ),
            Preset::Unavailable => Problem::new(
                503,
                "service_unavailable_error",
                "The model does not have enough capacity for your request at the moment, please try again later".to_owned(),
            )
            .code("server_is_overloaded"),
            Preset::ContextLength => self.context_length(128_000, 131_072),
            Preset::InvalidKey => Problem::new(
                401,
                "invalid_request_error",
                "Incorrect API key provided. You can find your API key in your account settings.".to_owned(),
            )
            .code("invalid_api_key"),
            Preset::InvalidRequest => Problem::new(
                400,
                "invalid_request_error",
                "Invalid value for 'temperature': expected a number between 0 and 2.".to_owned(),
            )
            .param("temperature")
            .code("invalid_value"),
            Preset::ContentFilter => Problem::new(
                400,
                "invalid_request_error",
                "The response was filtered due to the prompt triggering the content management policy.".to_owned(),
            )
            .param("prompt")
            .code("content_filter"),
            Preset::ModelNotFound => self.unknown_model(model),
            Preset::Html => Problem::of_status(Family::OpenAi, 502),
        }
    }

    fn context_length(&self, limit: u64, asked: u64) -> Problem {
        Problem::invalid(format!(
            "This model's maximum context length is {limit} tokens. However, your messages resulted in {asked} tokens. Please reduce the length of the messages."
        ))
        .param("messages")
        .code("context_length_exceeded")
    }

    fn unknown_model(&self, model: &str) -> Problem {
        Problem::new(
            404,
            "invalid_request_error",
            format!("The model `{model}` does not exist or you do not have access to it."),
        )
        .code("model_not_found")
    }

    fn missing_key(&self) -> Problem {
        Problem::new(
            401,
            "invalid_request_error",
            "You didn't provide an API key. Send it in an Authorization header, as Bearer YOUR_KEY.".to_owned(),
        )
    }

    fn missing_field(&self, field: &'static str) -> Problem {
        let message = if field == "model" {
            "you must provide a model parameter".to_owned()
        } else {
            format!("Missing required parameter: '{field}'.")
        };
        Problem::invalid(message).param(field)
    }

    fn limited(&self, model: &str, hit: Hit) -> Problem {
        let message = match hit {
            Hit::Concurrency(most) => format!(
                "Number of concurrent requests for {model} has exceeded your rate limit of {most}."
            ),
            Hit::Rpm(limit, wait) => format!(
                "Rate limit reached for {model} in organization org-sim on requests per min (RPM): Limit {limit}, Used {limit}, Requested 1. Please try again in {}.",
                go_duration(wait)
            ),
        };
        Problem::new(429, "requests", message).code("rate_limit_exceeded")
    }

    fn kind(&self, status: u16) -> &'static str {
        match status {
            429 => "requests",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// `{"error": {"message", "type", "param", "code"}}`.
    fn body(&self, problem: &Problem, _request_id: &str) -> Bytes {
        #[derive(Serialize)]
        struct Body<'a> {
            error: Inner<'a>,
        }
        #[derive(Serialize)]
        struct Inner<'a> {
            message: &'a str,
            #[serde(rename = "type")]
            kind: &'a str,
            param: Option<&'a str>,
            code: Option<&'a str>,
        }
        json::bytes(&Body {
            error: Inner {
                message: &problem.message,
                kind: problem.kind,
                param: problem.param,
                code: problem.code,
            },
        })
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("x-request-id")
    }

    fn limit_headers(&self, allowance: Allowance, _unix: u64) -> Headers {
        vec![
            ("x-ratelimit-limit-requests", allowance.limit.to_string()),
            (
                "x-ratelimit-remaining-requests",
                allowance.remaining.to_string(),
            ),
            ("x-ratelimit-reset-requests", go_duration(allowance.reset)),
        ]
    }
}
