//! AWS's errors, as Bedrock has them.
//!
//! The exceptions and their statuses from the service's own model as botocore 1.44.8 ships it
//! (`bedrock-runtime/2023-09-30/service-2.json`); texts from
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html> and as callers print them
//! (<https://github.com/aws-samples/amazon-bedrock-client-for-mac/issues/99>: header `x-amzn-ErrorType`, body
//! `{"message": …}`, no `retry-after`); read 2026-11-26. A wait that the script states is sent all the same.

use bytes::Bytes;
use serde_json::json;

use super::{Headers, Hit, Problem, Voice};
use crate::json;
use crate::preset::Preset;

pub(super) struct Aws;

impl Voice for Aws {
    fn preset(&self, preset: Preset, model: &str) -> Problem {
        let by_status = |status: u16, message: &str| {
            Problem::new(status, self.kind(status), message.to_owned())
        };
        match preset {
            Preset::RateLimit => {
                by_status(429, "Too many requests, please wait before trying again.")
            }
            Preset::RateLimitTokens => {
                by_status(429, "Too many tokens, please wait before trying again.")
            }
            Preset::RateLimitConcurrency => by_status(
                429,
                "Too many connections, please wait before trying again.",
            ),
            Preset::SlowDown => by_status(
                429,
                "Your request rate is too high. Reduce the frequency of requests.",
            ),
            Preset::InsufficientQuota => by_status(
                429,
                "Too many tokens per day, please wait before trying again.",
            ),
            Preset::SpendLimit => Problem::new(
                400,
                "ServiceQuotaExceededException",
                "Your request exceeds the service quota for your account.".to_owned(),
            ),
            Preset::Overloaded => by_status(503, "Bedrock is unable to process your request."),
            Preset::ServerError => by_status(
                500,
                "The system encountered an unexpected error during processing. Try your request again.",
            ),
            Preset::Unavailable => by_status(
                503,
                "The service isn't currently available. Try again later.",
            ),
            Preset::ContextLength => self.context_length(200_000, 204_800),
            Preset::InvalidKey => Problem::new(
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.".to_owned(),
            ),
            Preset::InvalidRequest => by_status(
                400,
                "1 validation error detected: Value at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1",
            ),
            Preset::ContentFilter => by_status(400, "The request was blocked by a content filter."),
            Preset::ModelNotFound => self.unknown_model(model),
            Preset::Timeout => by_status(
                408,
                "The request took too long to process. Processing time exceeded the model timeout length.",
            ),
            Preset::Html => by_status(502, "Bad Gateway"),
        }
    }

    fn context_length(&self, _limit: u64, _asked: u64) -> Problem {
        let message = "Input is too long for requested model.".to_owned();
        Problem::new(400, self.kind(400), message)
    }

    fn unknown_model(&self, _model: &str) -> Problem {
        let message = "The provided model identifier is invalid.".to_owned();
        Problem::new(400, self.kind(400), message)
    }

    fn missing_key(&self) -> Problem {
        Problem::new(
            403,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token".to_owned(),
        )
    }

    fn missing_field(&self, field: &'static str) -> Problem {
        Problem::invalid(format!(
            "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
        ))
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

    fn kind(&self, status: u16) -> &'static str {
        match status {
            401 | 403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        }
    }

    fn body(&self, problem: &Problem, _request_id: &str) -> Bytes {
        json::bytes(&json!({"message": problem.message}))
    }

    fn request_id_header(&self) -> Option<&'static str> {
        Some("x-amzn-requestid")
    }

    fn error_headers(&self, problem: &Problem) -> Headers {
        let kind = if problem.kind.ends_with("Exception") {
            problem.kind
        } else {
            self.kind(problem.status)
        };
        let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
        vec![("x-amzn-errortype", kind)]
    }
}
