//! Names for the typical errors of providers; how each provider says them is in `voice/`.

use serde::Deserialize;

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
