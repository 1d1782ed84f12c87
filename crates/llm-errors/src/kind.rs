//! What happened: the names every other part of the system shares.

use std::fmt;

/// Declares an enum with one stable string a variant, `ALL`, `as_str`, `Display` and `FromStr`.
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum $name {
            $( $(#[$vmeta])* #[cfg_attr(feature = "serde", serde(rename = $text))] $variant, )+
        }

        impl $name {
            /// Every variant, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name: used in metrics, traces, configuration and `Display`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownName> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::kind::UnknownName(())),
                }
            }
        }
    };
}
pub(crate) use named;

/// The text names no variant of the type it was parsed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownName(pub(crate) ());

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown name")
    }
}

impl std::error::Error for UnknownName {}

named! {
    /// What happened to a call.
    ///
    /// A kind is about the event, not about the status that carried it: a 429 can be any of the
    /// rate limits, a spent quota, an organisation's cap, an empty balance or an overloaded
    /// provider. What to *do* is in [`Advice`](crate::Advice).
    #[non_exhaustive]
    pub enum ErrorKind {
        /// Too many requests in a short window.
        RateLimitRequests = "rate_limit_requests",
        /// Too many tokens in a short window, or one request larger than that window's allowance.
        RateLimitTokens = "rate_limit_tokens",
        /// Too many requests in flight at once.
        RateLimitConcurrency = "rate_limit_concurrency",
        /// A short rate limit whose dimension is not told.
        RateLimitOther = "rate_limit_other",
        /// A day's, month's or plan's allowance is spent. Waiting seconds does not help.
        QuotaExhausted = "quota_exhausted",
        /// A cap that somebody set on an organisation, workspace, project or key.
        OrgLimit = "org_limit",
        /// The provider has no capacity: overloaded, busy, model loading.
        Overloaded = "overloaded",
        /// The provider failed inside.
        ServerError = "server_error",
        /// An edge or proxy answered with a page of its own instead of the provider.
        BadGatewayHtml = "bad_gateway_html",
        /// Nothing came in time.
        Timeout = "timeout",
        /// The connection could not be made or broke: DNS, connect, TLS, reset.
        Network = "network",
        /// The key is missing, malformed, unknown or revoked.
        AuthInvalidKey = "auth_invalid_key",
        /// The key is known and may not do this.
        AuthPermission = "auth_permission",
        /// Empty balance, unpaid bill, no payment method.
        Billing = "billing",
        /// No such model or deployment for this caller.
        ModelNotFound = "model_not_found",
        /// The model was retired.
        ModelDeprecated = "model_deprecated",
        /// Prompt, or prompt and requested answer, exceed the model's window.
        ContextLength = "context_length",
        /// The requested output length exceeds the model's output cap.
        OutputLimit = "output_limit",
        /// The body or an attachment is larger than the provider accepts, in bytes.
        PayloadTooLarge = "payload_too_large",
        /// A safety filter blocked prompt or answer.
        ContentFilter = "content_filter",
        /// The model itself declined to answer.
        Refusal = "refusal",
        /// The request is malformed or breaks a rule of the API.
        InvalidRequest = "invalid_request",
        /// The model or provider lacks a feature the request uses.
        UnsupportedFeature = "unsupported_feature",
        /// The JSON schema or tool definition sent by the caller is not acceptable.
        SchemaInvalid = "schema_invalid",
        /// The model produced a malformed tool call.
        ToolCallInvalid = "tool_call_invalid",
        /// The model's structured output does not parse or does not fit its schema.
        StructuredOutputInvalid = "structured_output_invalid",
        /// The answer was cut off, by a length stop or by a lost connection.
        Truncated = "truncated",
        /// A success without content.
        EmptyOutput = "empty_output",
        /// The request collides with another one or with the state of a resource.
        Conflict = "conflict",
        /// None of the above.
        Other = "other",
    }
}

impl ErrorKind {
    /// What it means, in one sentence for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::RateLimitRequests => "Too many requests in a short window.",
            Self::RateLimitTokens => {
                "Too many tokens in a short window, or one request above its allowance."
            }
            Self::RateLimitConcurrency => "Too many requests in flight at once.",
            Self::RateLimitOther => "A short rate limit whose dimension is not told.",
            Self::QuotaExhausted => "A day's, month's or plan's allowance is spent.",
            Self::OrgLimit => "A cap that somebody set on an organisation, project or key.",
            Self::Overloaded => "The provider has no capacity now.",
            Self::ServerError => "The provider failed inside.",
            Self::BadGatewayHtml => "An edge answered with a page of its own.",
            Self::Timeout => "Nothing came in time.",
            Self::Network => "The connection could not be made, or broke.",
            Self::AuthInvalidKey => "The key is missing, malformed, unknown, expired or revoked.",
            Self::AuthPermission => "The key is known and may not do this.",
            Self::Billing => "Empty balance, unpaid bill or no payment method.",
            Self::ModelNotFound => "No such model or deployment for this caller.",
            Self::ModelDeprecated => "The model was retired.",
            Self::ContextLength => "Prompt and requested answer exceed the model's window.",
            Self::OutputLimit => "The requested output exceeds the model's output cap.",
            Self::PayloadTooLarge => "The body or an attachment has too many bytes.",
            Self::ContentFilter => "A safety filter blocked the prompt or the answer.",
            Self::Refusal => "The model itself declined to answer.",
            Self::InvalidRequest => "The request is malformed or breaks a rule of the API.",
            Self::UnsupportedFeature => "The model or provider lacks a feature the request uses.",
            Self::SchemaInvalid => "The schema or tool definition sent is not acceptable.",
            Self::ToolCallInvalid => "The model produced a malformed tool call.",
            Self::StructuredOutputInvalid => "The model's structured output does not fit.",
            Self::Truncated => "The answer was cut off, by its length or by the connection.",
            Self::EmptyOutput => "A success without content.",
            Self::Conflict => "The request collides with another or with a resource's state.",
            Self::Other => "None of the above.",
        }
    }
}

named! {
    /// How much of the world a failure speaks for: what to set aside, and what not.
    #[non_exhaustive]
    pub enum Scope {
        /// This request only; any other may succeed on the same target.
        Request = "request",
        /// The key that was used.
        Credential = "credential",
        /// Every key of the same organisation or account.
        Organisation = "organisation",
        /// This model with this credential at this address.
        Deployment = "deployment",
        /// The model, wherever this provider serves it.
        Model = "model",
        /// The provider's region.
        Region = "region",
        /// The whole provider.
        Provider = "provider",
    }
}

named! {
    /// How far the call had come when it failed.
    pub enum Phase {
        /// Resolving, connecting or in the TLS handshake: nothing of the request left.
        Connect = "connect",
        /// The request was being sent or had been sent; no reply yet.
        Sent = "sent",
        /// The reply had begun (status, headers or a whole body), no content was passed on.
        FirstByte = "first_byte",
        /// Inside the stream of content.
        MidStream = "mid_stream",
    }
}

named! {
    /// What is known of the call's execution: may it be sent again without doing its work twice?
    pub enum Certainty {
        /// It never reached the provider.
        NeverSent = "never_sent",
        /// The provider refused it before doing the work.
        Rejected = "rejected",
        /// It may have run, and may be billed.
        MayHaveExecuted = "may_have_executed",
        /// Output has been produced and delivered.
        Committed = "committed",
    }
}

named! {
    /// What a failure says about the health of the target that gave it.
    pub enum HealthEffect {
        /// The target is failing.
        Hard = "hard",
        /// The target is limiting or short of capacity; it works.
        Soft = "soft",
        /// The caller's own fault; says nothing about the target.
        Neutral = "neutral",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips() {
        for kind in ErrorKind::ALL {
            assert_eq!(kind.as_str().parse::<ErrorKind>(), Ok(*kind));
        }
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse::<Scope>(), Ok(*scope));
        }
        assert_eq!("Rate_limit".parse::<ErrorKind>(), Err(UnknownName(())));
    }
}
