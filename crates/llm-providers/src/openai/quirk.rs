//! How providers that speak this wire differ in what they accept.

/// The field that limits the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_tokens`: the older name, which nearly everybody accepts.
    MaxTokens,
    /// `max_completion_tokens`: the only name OpenAI's reasoning models accept.
    MaxCompletionTokens,
}

/// Differences that matter when a request is written anew. A request that is passed through is
/// never touched by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quirks {
    /// The name of the output limit.
    pub max_tokens: MaxTokensField,
    /// The name of the seed.
    pub seed: &'static str,
    /// Whether `stream_options.include_usage` may be sent. Providers that do not know it either
    /// refuse it or send usage without being asked.
    pub stream_usage: bool,
    /// Whether `reasoning_effort` may be sent.
    pub reasoning_effort: bool,
}

impl Quirks {
    /// OpenAI itself, and those that follow it closely.
    pub const OPENAI: Self = Self {
        max_tokens: MaxTokensField::MaxCompletionTokens,
        seed: "seed",
        stream_usage: true,
        reasoning_effort: true,
    };
    /// Most compatible providers and local servers.
    pub const COMPATIBLE: Self = Self {
        max_tokens: MaxTokensField::MaxTokens,
        ..Self::OPENAI
    };
    /// Groq (<https://console.groq.com/docs/openai>, read 2026-11-23).
    pub const GROQ: Self = Self::OPENAI;
    /// Cohere's compatibility layer, which refuses `stream_options`
    /// (<https://docs.cohere.com/docs/compatibility-api>, read 2026-11-23).
    pub const COHERE: Self = Self {
        stream_usage: false,
        ..Self::COMPATIBLE
    };
    /// Mistral, which refuses fields it does not know
    /// (<https://docs.mistral.ai/api>, read 2026-11-23).
    pub const MISTRAL: Self = Self {
        seed: "random_seed",
        stream_usage: false,
        reasoning_effort: false,
        ..Self::COMPATIBLE
    };
}
