//! Typical errors of providers, each in the shape of the wire that was asked.
//!
//! Shapes and texts follow the providers' public documentation, read 2026-11-23:
//! OpenAI error codes (<https://developers.openai.com/api/docs/guides/error-codes>) and spend limits
//! (<https://developers.openai.com/api/docs/guides/spend-limits>); Anthropic errors
//! (<https://platform.claude.com/docs/en/api/errors>). Where the documentation gives a kind and a code but no text, the
//! text is the simulator's own.

use bytes::Bytes;
use serde::Deserialize;

use crate::wire::Family;
use crate::wire::{anthropic, openai};

/// A provider's typical error. On a wire whose provider has no such error, its nearest relative is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Preset {
    /// 429: too many requests a minute.
    RateLimit,
    /// 429: too many tokens a minute.
    RateLimitTokens,
    /// 429: too many requests at one time.
    RateLimitConcurrency,
    /// 429: the traffic grew too fast, whatever the limits say.
    SlowDown,
    /// Out of money or plan: OpenAI 429 `insufficient_quota`, Anthropic 400 about the credit balance.
    InsufficientQuota,
    /// 429: the month's spend limit is reached. Looks like a rate limit but for one code, and waiting is in vain:
    /// OpenAI `organization_spend_limit_exceeded`, Anthropic `details.error_code` `enforced_spend_limit_reached`.
    SpendLimit,
    /// 529: the provider is out of capacity.
    #[serde(rename = "overloaded_529")]
    Overloaded,
    /// 500: the provider broke.
    ServerError,
    /// 503: the provider is out of order for a moment.
    #[serde(rename = "unavailable_503")]
    Unavailable,
    /// 400: the prompt is longer than the model's context window.
    ContextLength,
    /// 401: the key is not valid.
    InvalidKey,
    /// 400: a parameter is wrong.
    InvalidRequest,
    /// 400: the prompt met a content filter.
    ContentFilter,
    /// 404: there is no such model.
    ModelNotFound,
    /// 504: the provider gave up waiting for itself.
    #[serde(rename = "timeout_504")]
    Timeout,
    /// 502 with a page of HTML, as a proxy at the edge sends it.
    #[serde(rename = "html_502")]
    Html,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 16] = [
        Self::RateLimit,
        Self::RateLimitTokens,
        Self::RateLimitConcurrency,
        Self::SlowDown,
        Self::InsufficientQuota,
        Self::SpendLimit,
        Self::Overloaded,
        Self::ServerError,
        Self::Unavailable,
        Self::ContextLength,
        Self::InvalidKey,
        Self::InvalidRequest,
        Self::ContentFilter,
        Self::ModelNotFound,
        Self::Timeout,
        Self::Html,
    ];

    /// The name used in scripts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::RateLimitTokens => "rate_limit_tokens",
            Self::RateLimitConcurrency => "rate_limit_concurrency",
            Self::SlowDown => "slow_down",
            Self::InsufficientQuota => "insufficient_quota",
            Self::SpendLimit => "spend_limit",
            Self::Overloaded => "overloaded_529",
            Self::ServerError => "server_error",
            Self::Unavailable => "unavailable_503",
            Self::ContextLength => "context_length",
            Self::InvalidKey => "invalid_key",
            Self::InvalidRequest => "invalid_request",
            Self::ContentFilter => "content_filter",
            Self::ModelNotFound => "model_not_found",
            Self::Timeout => "timeout_504",
            Self::Html => "html_502",
        }
    }

    /// Writes the error as `family` would.
    pub(crate) fn problem(self, family: Family, model: &str) -> Problem {
        match family {
            Family::OpenAi => self.openai(model),
            Family::Anthropic => self.anthropic(model),
        }
    }

    fn openai(self, model: &str) -> Problem {
        match self {
            Self::RateLimit => Problem::new(
                429,
                "requests",
                format!(
                    "Rate limit reached for {model} in organization org-sim on requests per min (RPM): Limit 500, Used 500, Requested 1."
                ),
            )
            .code("rate_limit_exceeded"),
            Self::RateLimitTokens => Problem::new(
                429,
                "tokens",
                format!(
                    "Rate limit reached for {model} in organization org-sim on tokens per min (TPM): Limit 30000, Used 29500, Requested 1200."
                ),
            )
            .code("rate_limit_exceeded"),
            Self::RateLimitConcurrency => Problem::new(
                429,
                "requests",
                format!("Too many concurrent requests for {model}. Wait for some of them to finish."),
            )
            .code("rate_limit_exceeded"),
            Self::SlowDown => Problem::new(
                429,
                "rate_limit_error",
                "Your request rate increased too quickly. Reduce it, then increase it gradually.".to_owned(),
            )
            .code("slow_down"),
            Self::SpendLimit => Problem::new(
                429,
                "insufficient_quota",
                "Your organization has reached its monthly spend limit.".to_owned(),
            )
            .code("organization_spend_limit_exceeded"),
            Self::Timeout => Problem::new(504, "server_error", "The request timed out while it was processed.".to_owned()),
            Self::InsufficientQuota => Problem::new(
                429,
                "insufficient_quota",
                "You exceeded your current quota, please check your plan and billing details.".to_owned(),
            )
            .code("insufficient_quota"),
            Self::Overloaded => {
                Problem::new(529, "overloaded_error", "The engine is currently overloaded, please try again later".to_owned())
            }
            Self::ServerError => Problem::new(
                500,
                "server_error",
                "The server had an error while processing your request. Sorry about that!".to_owned(),
            ),
            Self::Unavailable => Problem::new(
                503,
                "service_unavailable_error",
                "The model does not have enough capacity for your request at the moment, please try again later".to_owned(),
            )
            .code("server_is_overloaded"),
            Self::ContextLength => Problem::context_length(Family::OpenAi, 128_000, 131_072),
            Self::InvalidKey => Problem::new(
                401,
                "invalid_request_error",
                "Incorrect API key provided. You can find your API key in your account settings.".to_owned(),
            )
            .code("invalid_api_key"),
            Self::InvalidRequest => Problem::new(
                400,
                "invalid_request_error",
                "Invalid value for 'temperature': expected a number between 0 and 2.".to_owned(),
            )
            .param("temperature")
            .code("invalid_value"),
            Self::ContentFilter => Problem::new(
                400,
                "invalid_request_error",
                "The response was filtered due to the prompt triggering the content management policy.".to_owned(),
            )
            .param("prompt")
            .code("content_filter"),
            Self::ModelNotFound => Problem::unknown_model(Family::OpenAi, model),
            Self::Html => Problem::html(),
        }
    }

    fn anthropic(self, model: &str) -> Problem {
        match self {
            Self::RateLimit => Problem::new(
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 50 requests per minute.".to_owned(),
            ),
            Self::RateLimitTokens => Problem::new(
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 30,000 input tokens per minute.".to_owned(),
            ),
            Self::RateLimitConcurrency => Problem::new(
                429,
                "rate_limit_error",
                "Number of concurrent connections has exceeded your rate limit. Please try again later.".to_owned(),
            ),
            Self::SlowDown => Problem::new(
                429,
                "rate_limit_error",
                "This request would exceed your organization's acceleration limit. Scale up your usage more gradually.".to_owned(),
            ),
            Self::SpendLimit => Problem::new(
                429,
                "rate_limit_error",
                "Your organization has reached its monthly spend limit. Access resumes with the next month.".to_owned(),
            )
            .code("enforced_spend_limit_reached"),
            Self::Timeout => Problem::new(504, "timeout_error", "Request timed out".to_owned()),
            Self::InsufficientQuota => Problem::new(
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."
                    .to_owned(),
            ),
            Self::Overloaded => Problem::new(529, "overloaded_error", "Overloaded".to_owned()),
            Self::ServerError => Problem::new(500, "api_error", "Internal server error".to_owned()),
            Self::Unavailable => Problem::new(503, "api_error", "Service temporarily unavailable".to_owned()),
            Self::ContextLength => Problem::context_length(Family::Anthropic, 200_000, 204_800),
            Self::InvalidKey => Problem::new(401, "authentication_error", "invalid x-api-key".to_owned()),
            Self::InvalidRequest => Problem::new(
                400,
                "invalid_request_error",
                "temperature: Input should be less than or equal to 1".to_owned(),
            ),
            Self::ContentFilter => {
                Problem::new(400, "invalid_request_error", "Output blocked by content filtering policy".to_owned())
            }
            Self::ModelNotFound => Problem::unknown_model(Family::Anthropic, model),
            Self::Html => Problem::html(),
        }
    }
}

/// An error before it is put into a provider's shape.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<&'static str>,
    message: String,
    html: bool,
}

impl Problem {
    pub(crate) const fn new(status: u16, kind: &'static str, message: String) -> Self {
        Self {
            status,
            kind,
            code: None,
            param: None,
            message,
            html: false,
        }
    }

    pub(crate) const fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) const fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    fn html() -> Self {
        Self {
            html: true,
            ..Self::new(502, "", String::new())
        }
    }

    /// The caller's own mistake.
    pub(crate) const fn invalid(message: String) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    pub(crate) fn context_length(family: Family, limit: u64, asked: u64) -> Self {
        match family {
            Family::OpenAi => Self::invalid(format!(
                "This model's maximum context length is {limit} tokens. However, your messages resulted in {asked} tokens. Please reduce the length of the messages."
            ))
            .param("messages")
            .code("context_length_exceeded"),
            Family::Anthropic => Self::invalid(format!("prompt is too long: {asked} tokens > {limit} maximum")),
        }
    }

    pub(crate) fn unknown_model(family: Family, model: &str) -> Self {
        match family {
            Family::OpenAi => Self::new(
                404,
                "invalid_request_error",
                format!("The model `{model}` does not exist or you do not have access to it."),
            )
            .code("model_not_found"),
            Family::Anthropic => Self::new(404, "not_found_error", format!("model: {model}")),
        }
    }

    pub(crate) fn missing_key(family: Family) -> Self {
        match family {
            Family::OpenAi => Self::new(
                401,
                "invalid_request_error",
                "You didn't provide an API key. Send it in an Authorization header, as Bearer YOUR_KEY.".to_owned(),
            ),
            Family::Anthropic => Self::new(401, "authentication_error", "x-api-key header is required".to_owned()),
        }
    }

    /// A status of the script's choice, in the words and kind the provider uses for it.
    pub(crate) fn of_status(family: Family, status: u16) -> Self {
        let kind = match (family, status) {
            (Family::Anthropic, 401) => "authentication_error",
            (Family::Anthropic, 402) => "billing_error",
            (Family::Anthropic, 403) => "permission_error",
            (Family::Anthropic, 404) => "not_found_error",
            (Family::Anthropic, 413) => "request_too_large",
            (Family::Anthropic, 429) => "rate_limit_error",
            (Family::Anthropic, 529) => "overloaded_error",
            (Family::Anthropic, 500..) => "api_error",
            (Family::OpenAi, 429) => "requests",
            (Family::OpenAi, 500..) => "server_error",
            _ => "invalid_request_error",
        };
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        Self::new(status, kind, reason.unwrap_or("Simulated error").to_owned())
    }

    pub(crate) const fn content_type(&self) -> &'static str {
        if self.html {
            "text/html; charset=UTF-8"
        } else {
            "application/json"
        }
    }

    /// The body of an error reply.
    pub(crate) fn body(&self, family: Family, request_id: &str) -> Bytes {
        if self.html {
            return Bytes::from_static(HTML.as_bytes());
        }
        match family {
            Family::OpenAi => openai::error(self.kind, self.code, self.param, &self.message),
            Family::Anthropic => anthropic::error(self.kind, self.code, &self.message, request_id),
        }
    }

    /// The error as an event of a stream that began with 200.
    pub(crate) fn event(&self, family: Family, request_id: &str) -> Bytes {
        let body = self.body(family, request_id);
        let head: &[u8] = match family {
            Family::OpenAi => b"data: ",
            Family::Anthropic => b"event: error\ndata: ",
        };
        Bytes::from([head, &body, b"\n\n"].concat())
    }
}

/// What a proxy at the edge sends when the provider behind it is gone.
pub(crate) const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>simulated edge</center>\r\n</body>\r\n</html>\r\n";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_preset_has_the_shape_of_its_wire() {
        for preset in Preset::ALL {
            for family in [Family::OpenAi, Family::Anthropic] {
                let problem = preset.problem(family, "m");
                assert!((400..=599).contains(&problem.status), "{preset:?}");
                let body = problem.body(family, "req_1");
                if preset == Preset::Html {
                    assert!(body.starts_with(b"<html>"));
                    continue;
                }
                let json: Value = serde_json::from_slice(&body).unwrap();
                assert!(
                    json["error"]["message"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty()),
                    "{preset:?}"
                );
                assert!(json["error"]["type"].is_string(), "{preset:?}");
                assert_eq!(
                    json["type"] == "error",
                    family == Family::Anthropic,
                    "{preset:?}"
                );
            }
        }
    }

    #[test]
    fn names_are_those_of_the_script() {
        #[derive(Deserialize)]
        struct Holder {
            preset: Preset,
        }
        for preset in Preset::ALL {
            let holder: Holder =
                toml::from_str(&format!("preset = \"{}\"", preset.as_str())).unwrap();
            assert_eq!(holder.preset, preset);
        }
    }
}
