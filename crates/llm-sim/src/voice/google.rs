//! Google's errors: AI Studio (the Gemini API) and Vertex.
//!
//! `{"error": {"code", "message", "status", "details"}}`, the statuses of `google.rpc.Code`
//! (<https://google.aip.dev/193>, <https://ai.google.dev/gemini-api/docs/troubleshooting>,
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429>); `details` with `QuotaFailure`, `RetryInfo` and
//! `ErrorInfo` as users of the Gemini API print them (<https://github.com/google-gemini/gemini-cli/issues/14831> and
//! others), read 2026-11-26. A wait is stated in `RetryInfo`, not in a header; Vertex states none and has no details.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Hit, Problem, Voice};
use crate::json;
use crate::limit::ceil_millis;
use crate::preset::Preset;

/// What one free project may do, by Google's names for it.
const PER_MINUTE: &str = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
const PER_DAY: &str = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
const TOKENS: &str = "GenerateContentInputTokensPerModelPerMinute-FreeTier";

const QUOTA: &str = "You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.";
const VERTEX_429: &str = "Resource exhausted. Please try again later. Please refer to https://cloud.google.com/vertex-ai/generative-ai/docs/error-code-429 for more details.";

pub(super) struct Google {
    pub(super) is_vertex: bool,
}

impl Google {
    fn exhausted(&self, quota: Option<&'static str>) -> Problem {
        let status = self.kind(429);
        match quota {
            _ if self.is_vertex => Problem::new(429, status, VERTEX_429.to_owned()),
            Some(quota) => Problem::new(429, status, QUOTA.to_owned()).code(quota),
            None => Problem::new(
                429,
                status,
                "Resource has been exhausted (e.g. check quota).".to_owned(),
            ),
        }
    }

    fn details(&self, problem: &Problem) -> Vec<Value> {
        let mut details = Vec::new();
        if self.is_vertex {
            return details;
        }
        match (problem.status, problem.code) {
            (429, Some(quota)) => {
                let metric = if quota == TOKENS {
                    "generativelanguage.googleapis.com/generate_content_free_tier_input_token_count"
                } else {
                    "generativelanguage.googleapis.com/generate_content_free_tier_requests"
                };
                let violation = json!({"quotaMetric": metric, "quotaId": quota, "quotaDimensions": {"location": "global"}});
                details.push(json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}));
                let link = json!({"description": "Learn more about Gemini API quotas", "url": "https://ai.google.dev/gemini-api/docs/rate-limits"});
                details.push(json!({"@type": "type.googleapis.com/google.rpc.Help", "links": [link]}));
            }
            (_, Some(reason)) => details.push(json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"}})),
            (_, None) => {}
        }
        if let Some(wait) = problem.retry_after {
            details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": seconds(wait)}));
        }
        details
    }
}

impl Voice for Google {
    fn preset(&self, preset: Preset, model: &str) -> Problem {
        let plain = |status: u16, message: &str| {
            Problem::new(status, self.kind(status), message.to_owned())
        };
        match preset {
            Preset::RateLimit => self.exhausted(Some(PER_MINUTE)),
            Preset::RateLimitTokens => self.exhausted(Some(TOKENS)),
            Preset::RateLimitConcurrency | Preset::SlowDown => self.exhausted(None),
            Preset::InsufficientQuota => self.exhausted(Some(PER_DAY)),
            Preset::SpendLimit => plain(429, "Your project has exceeded its monthly spending cap."),
            Preset::Overloaded => plain(503, "The model is overloaded. Please try again later."),
            Preset::ServerError => plain(500, "An internal error has occurred. Please retry."),
            Preset::Unavailable => plain(503, "The service is currently unavailable."),
            Preset::ContextLength => self.context_length(1_048_576, 1_200_000),
            Preset::InvalidKey if self.is_vertex => plain(
                401,
                "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
            ),
            Preset::InvalidKey => plain(400, "API key not valid. Please pass a valid API key.")
                .code("API_KEY_INVALID"),
            Preset::InvalidRequest => plain(
                400,
                "* GenerateContentRequest.generation_config.temperature: must be in the range [0.0, 2.0].",
            ),
            Preset::ContentFilter => plain(
                400,
                "The prompt was blocked: it violates the usage guidelines.",
            ),
            Preset::ModelNotFound => self.unknown_model(model),
            Preset::Timeout => plain(504, "Deadline expired before operation could complete."),
            Preset::Html => Problem::new(502, self.kind(502), "Bad Gateway".to_owned()),
        }
    }

    fn context_length(&self, limit: u64, asked: u64) -> Problem {
        Problem::new(
            400,
            self.kind(400),
            format!(
                "The input token count ({asked}) exceeds the maximum number of tokens allowed ({limit})."
            ),
        )
    }

    fn unknown_model(&self, model: &str) -> Problem {
        let message = if self.is_vertex {
            format!(
                "Publisher Model `{model}` was not found or your project does not have access to it."
            )
        } else {
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent."
            )
        };
        Problem::new(404, self.kind(404), message)
    }

    fn missing_key(&self) -> Problem {
        if self.is_vertex {
            return Problem::new(
                401,
                self.kind(401),
                "Request is missing required authentication credential.".to_owned(),
            );
        }
        Problem::new(
            403,
            self.kind(403),
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.".to_owned(),
        )
    }

    fn missing_field(&self, field: &'static str) -> Problem {
        Problem::invalid(format!(
            "* GenerateContentRequest.{field}: {field} is not specified"
        ))
    }

    fn limited(&self, _model: &str, hit: Hit) -> Problem {
        match hit {
            Hit::Rpm(..) => self.exhausted(Some(PER_MINUTE)),
            Hit::Concurrency(_) => self.exhausted(None),
        }
    }

    /// The name of the `google.rpc.Code` that goes with a status.
    fn kind(&self, status: u16) -> &'static str {
        match status {
            400 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ABORTED",
            429 => "RESOURCE_EXHAUSTED",
            499 => "CANCELLED",
            500 => "INTERNAL",
            501 => "UNIMPLEMENTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "UNKNOWN",
        }
    }

    fn body(&self, problem: &Problem, _request_id: &str) -> Bytes {
        let mut error = json!({"code": problem.status, "message": problem.message, "status": self.kind(problem.status)});
        let details = self.details(problem);
        if let (false, Some(fields)) = (details.is_empty(), error.as_object_mut()) {
            fields.insert("details".to_owned(), json!(details));
        }
        json::bytes(&json!({ "error": error }))
    }

    fn request_id_header(&self) -> Option<&'static str> {
        None
    }

    fn has_retry_after(&self) -> bool {
        false
    }
}

/// `7s`, `1.500s`: a duration as JSON of protocol buffers writes it.
fn seconds(wait: Duration) -> String {
    let millis = ceil_millis(wait);
    if millis.is_multiple_of(1_000) {
        format!("{}s", millis / 1_000)
    } else {
        format!("{}.{:03}s", millis / 1_000, millis % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_and_the_quota_are_told_in_the_body() {
        let voice = Google { is_vertex: false };
        let problem = voice
            .preset(Preset::RateLimit, "m")
            .retry_after(Some(Duration::from_millis(1_500)));
        let body: Value = serde_json::from_slice(&voice.body(&problem, "")).unwrap();
        let details = &body["error"]["details"];
        assert_eq!(details[0]["violations"][0]["quotaId"], PER_MINUTE);
        assert_eq!(details[2]["retryDelay"], "1.500s");
        assert_eq!(body["error"]["status"], "RESOURCE_EXHAUSTED");
        let vertex = Google { is_vertex: true };
        let body: Value = serde_json::from_slice(&vertex.body(&problem, "")).unwrap();
        assert_eq!(body["error"].get("details"), None);
    }
}
