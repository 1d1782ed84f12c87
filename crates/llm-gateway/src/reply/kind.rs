//! What each kind of failure is to a caller: status, type, code and words.

use crate::engine::ErrorKind;
use http::StatusCode;

/// What a kind of failure is, for the caller of a gateway.
pub(super) fn phrase(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::RateLimitRequests => "the provider's limit on requests is reached",
        ErrorKind::RateLimitTokens => "the provider's limit on tokens is reached",
        ErrorKind::RateLimitConcurrency => "the provider's limit on requests at once is reached",
        ErrorKind::RateLimitOther => "a limit of the provider is reached",
        ErrorKind::QuotaExhausted => "the quota at the provider is spent",
        ErrorKind::OrgLimit => "a limit of the gateway's account at the provider is reached",
        ErrorKind::Overloaded => "no provider has capacity now",
        ErrorKind::ServerError => "the provider failed",
        ErrorKind::BadGatewayHtml => "a proxy before the provider failed",
        ErrorKind::Timeout => "nothing came in time",
        ErrorKind::Network => "the provider cannot be reached",
        ErrorKind::AuthInvalidKey => {
            "the provider does not accept the gateway's key; its operator has to mend that"
        }
        ErrorKind::AuthPermission => {
            "the gateway's key may not do this at the provider; its operator has to mend that"
        }
        ErrorKind::Billing => {
            "the gateway's account at the provider has no money; its operator has to mend that"
        }
        ErrorKind::ModelNotFound => {
            "the provider does not have the model that the gateway asked for"
        }
        ErrorKind::ModelDeprecated => {
            "the provider has retired the model that the gateway asked for"
        }
        ErrorKind::ContextLength => "the request is longer than any model here can read",
        ErrorKind::OutputLimit => "more output was asked for than the model can give",
        ErrorKind::PayloadTooLarge => "the request is larger than the provider accepts",
        ErrorKind::ContentFilter => "the provider's content filter blocked the request",
        ErrorKind::Refusal => "the model declined to answer",
        ErrorKind::InvalidRequest => "the provider refused the request as invalid",
        ErrorKind::UnsupportedFeature => "the request needs a feature that no target has",
        ErrorKind::SchemaInvalid => "the provider refused the schema or the tools of the request",
        ErrorKind::ToolCallInvalid | ErrorKind::StructuredOutputInvalid => {
            "the model's answer does not fit its form"
        }
        ErrorKind::Truncated => "the answer was cut off",
        ErrorKind::EmptyOutput => "the answer was empty",
        ErrorKind::Conflict => "the request collides with another",
        _ => "the provider failed in an unknown way",
    }
}

/// Whether a provider's words on such a failure are about the gateway's own account: its keys, limits, money and models.
/// They may quote a part of the key or name the organization, so that they never reach a caller.
pub(super) fn about_account(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::AuthInvalidKey
            | ErrorKind::AuthPermission
            | ErrorKind::Billing
            | ErrorKind::OrgLimit
            | ErrorKind::QuotaExhausted
            | ErrorKind::RateLimitRequests
            | ErrorKind::RateLimitTokens
            | ErrorKind::RateLimitConcurrency
            | ErrorKind::RateLimitOther
            | ErrorKind::ModelNotFound
            | ErrorKind::ModelDeprecated
    )
}

/// Status, OpenAI type and code, Anthropic type, and whether another try later may help.
pub(super) fn row(
    kind: ErrorKind,
) -> (
    StatusCode,
    &'static str,
    Option<&'static str>,
    &'static str,
    bool,
) {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    const UPSTREAM: StatusCode = StatusCode::BAD_GATEWAY;
    let invalid = |code| {
        (
            BAD,
            "invalid_request_error",
            Some(code),
            "invalid_request_error",
            false,
        )
    };
    match kind {
        ErrorKind::RateLimitRequests
        | ErrorKind::RateLimitConcurrency
        | ErrorKind::RateLimitOther => (
            StatusCode::TOO_MANY_REQUESTS,
            "requests",
            Some("rate_limit_exceeded"),
            "rate_limit_error",
            true,
        ),
        ErrorKind::RateLimitTokens => (
            StatusCode::TOO_MANY_REQUESTS,
            "tokens",
            Some("rate_limit_exceeded"),
            "rate_limit_error",
            true,
        ),
        ErrorKind::QuotaExhausted | ErrorKind::OrgLimit => (
            StatusCode::TOO_MANY_REQUESTS,
            "insufficient_quota",
            Some("insufficient_quota"),
            "rate_limit_error",
            false,
        ),
        ErrorKind::Billing => (
            StatusCode::PAYMENT_REQUIRED,
            "insufficient_quota",
            Some("billing"),
            "billing_error",
            false,
        ),
        ErrorKind::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "server_error",
            Some("overloaded"),
            "overloaded_error",
            true,
        ),
        ErrorKind::Timeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "server_error",
            Some("timeout"),
            "timeout_error",
            true,
        ),
        ErrorKind::ContextLength => invalid("context_length_exceeded"),
        ErrorKind::OutputLimit => invalid("output_limit"),
        ErrorKind::ContentFilter => invalid("content_filter"),
        ErrorKind::Refusal => invalid("refusal"),
        ErrorKind::InvalidRequest => invalid("invalid_request"),
        ErrorKind::UnsupportedFeature => invalid("unsupported_feature"),
        ErrorKind::SchemaInvalid => invalid("schema_invalid"),
        ErrorKind::PayloadTooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "invalid_request_error",
            Some("request_too_large"),
            "request_too_large",
            false,
        ),
        ErrorKind::Conflict => (
            StatusCode::CONFLICT,
            "invalid_request_error",
            Some("conflict"),
            "invalid_request_error",
            true,
        ),
        // Ours to mend: the key, the permission or the model of the configuration, not the caller's.
        ErrorKind::AuthInvalidKey
        | ErrorKind::AuthPermission
        | ErrorKind::ModelNotFound
        | ErrorKind::ModelDeprecated => (
            UPSTREAM,
            "server_error",
            Some(kind.as_str()),
            "api_error",
            false,
        ),
        // Broken upstreams and broken answers, and whatever is not known yet.
        _ => (
            UPSTREAM,
            "server_error",
            Some(kind.as_str()),
            "api_error",
            true,
        ),
    }
}
