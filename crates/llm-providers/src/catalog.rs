//! What is known of each provider before anything is configured: address, key header, wire.
//!
//! One row a provider. Addresses were read in public documentation: those of Hugging Face, OpenRouter,
//! Together, Cerebras and Ollama on 2026-11-23; those of Gemini, Vertex, Bedrock, Cohere, Groq,
//! Fireworks, Mistral, DeepSeek and xAI on 2026-11-26, as were these:
//!
//! - GitHub Models: <https://docs.github.com/en/github-models/quickstart>
//! - Moonshot: <https://platform.kimi.ai/docs/api/overview>, as quoted by
//!   <https://www.developersdigest.tech/reference/api-compatibility/moonshot>
//! - `DashScope`: <https://www.alibabacloud.com/help/en/model-studio/base-url>, the address that all workspaces of Singapore share;
//!   one a workspace is recommended there, and given as `base_url`
//! - Zhipu: <https://docs.z.ai/api-reference/introduction>; the coding plan has another
//! - `SiliconFlow`: <https://www.siliconflow.com/blog/openai-sdk-siliconflow-compatibility-checks>; in China `.cn`
//! - NVIDIA NIM: <https://build.nvidia.com>, as quoted by <https://docs.pipecat.ai/server/services/llm/nvidia>
//! - Perplexity: <https://docs.spring.io/spring-ai/reference/2.1-SNAPSHOT/integrations/models/openai-compatible/perplexity.html>
//!
//! Those of OpenAI, Azure and Anthropic are the defaults of their own SDKs, with which `cargo xtask witness` and `e2e` are run;
//! `SambaNova`'s stands in many public programs, but on no page that was read. Every part of a row can be overridden in [`EndpointBuilder`](crate::EndpointBuilder).

use crate::openai::Quirks;
use crate::wire::Wire;
use llm_errors::Provider;

/// How a key travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// The key alone in a header of this name.
    Header(&'static str),
}

/// How an address is made of the base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// The wire's path is appended to the base URL.
    Plain,
    /// Azure: `/openai/deployments/<model>/chat/completions?api-version=…`, unless the base URL
    /// already ends in `/v1`, Azure's newer form, which is plain.
    AzureDeployments,
    /// Amazon Bedrock: a host a region.
    BedrockRegion,
    /// Vertex: a host a region, and project, region, publisher and model in the path.
    VertexProject,
}

/// What is known of a provider.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The provider.
    pub provider: Provider,
    /// Its public address, up to and including the version; `None` where every customer or
    /// machine has its own.
    pub base_url: Option<&'static str>,
    /// Its address for OpenAI's wire, where it speaks another at `base_url`.
    pub compatible_url: Option<&'static str>,
    /// The wire it speaks.
    pub wire: Wire,
    /// How its key travels.
    pub auth: Auth,
    /// Whether it refuses calls without a key.
    pub needs_key: bool,
    /// The environment variable its own tools read the key from; empty where there is none.
    pub key_variable: &'static str,
    /// How its addresses are made.
    pub layout: Layout,
    /// How its wire differs from OpenAI's, where it speaks that.
    pub quirks: Quirks,
}

/// The last of Azure's dated versions that is generally available. Addresses that end in `/v1`, since
/// August 2025, need none (<https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle>, read
/// 2026-11-26).
pub const AZURE_API_VERSION: &str = "2024-10-21";

/// The version of every call to Anthropic but those of callers of its own wire, who name theirs. The one
/// after it, `2026-10-21`, takes no `temperature`, `top_p` and `top_k` of any model; its answers are the same
/// (<https://platform.claude.com/docs/en/api/versioning> and
/// <https://platform.claude.com/docs/en/api/migration-2026-10-21>, read 2026-11-26).
pub const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A provider with a public address that speaks OpenAI's wire.
const fn hosted(
    provider: Provider,
    base_url: &'static str,
    key_variable: &'static str,
    quirks: Quirks,
) -> Entry {
    Entry {
        provider,
        base_url: Some(base_url),
        compatible_url: None,
        wire: Wire::OpenAiChat,
        auth: Auth::Bearer,
        needs_key: true,
        key_variable,
        layout: Layout::Plain,
        quirks,
    }
}

/// A server on the caller's own machine or network.
const fn local(provider: Provider, base_url: Option<&'static str>) -> Entry {
    Entry {
        provider,
        base_url,
        compatible_url: None,
        wire: Wire::OpenAiChat,
        auth: Auth::Bearer,
        needs_key: false,
        key_variable: "",
        layout: Layout::Plain,
        quirks: Quirks::COMPATIBLE,
    }
}

/// Every provider an adapter exists for.
pub const CATALOG: &[Entry] = &[
    hosted(
        Provider::OpenAi,
        "https://api.openai.com/v1",
        "OPENAI_API_KEY",
        Quirks::OPENAI,
    ),
    Entry {
        auth: Auth::Header("x-api-key"),
        wire: Wire::AnthropicMessages,
        ..hosted(
            Provider::Anthropic,
            "https://api.anthropic.com/v1",
            "ANTHROPIC_API_KEY",
            Quirks::COMPATIBLE,
        )
    },
    Entry {
        base_url: None,
        auth: Auth::Header("api-key"),
        layout: Layout::AzureDeployments,
        ..hosted(
            Provider::AzureOpenAi,
            "",
            "AZURE_OPENAI_API_KEY",
            Quirks::OPENAI,
        )
    },
    Entry {
        compatible_url: Some("https://generativelanguage.googleapis.com/v1beta/openai"),
        auth: Auth::Header("x-goog-api-key"),
        wire: Wire::Gemini,
        ..hosted(
            Provider::Gemini,
            "https://generativelanguage.googleapis.com/v1beta",
            "GEMINI_API_KEY",
            Quirks::COMPATIBLE,
        )
    },
    Entry {
        base_url: None,
        wire: Wire::Gemini,
        layout: Layout::VertexProject,
        ..hosted(Provider::Vertex, "", "", Quirks::COMPATIBLE)
    },
    Entry {
        base_url: None,
        wire: Wire::BedrockConverse,
        layout: Layout::BedrockRegion,
        ..hosted(
            Provider::Bedrock,
            "",
            "AWS_BEARER_TOKEN_BEDROCK",
            Quirks::COMPATIBLE,
        )
    },
    hosted(
        Provider::Mistral,
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        Quirks::MISTRAL,
    ),
    Entry {
        compatible_url: Some("https://api.cohere.ai/compatibility/v1"),
        wire: Wire::CohereChat,
        ..hosted(
            Provider::Cohere,
            "https://api.cohere.com/v2",
            "CO_API_KEY",
            Quirks::COHERE,
        )
    },
    hosted(
        Provider::Groq,
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        Quirks::GROQ,
    ),
    hosted(
        Provider::Together,
        "https://api.together.xyz/v1",
        "TOGETHER_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::Fireworks,
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::DeepSeek,
        "https://api.deepseek.com/v1",
        "DEEPSEEK_API_KEY",
        Quirks::DEEPSEEK,
    ),
    hosted(
        Provider::Xai,
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        Quirks::XAI,
    ),
    hosted(
        Provider::OpenRouter,
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        Quirks::OPENROUTER,
    ),
    hosted(
        Provider::Perplexity,
        "https://api.perplexity.ai",
        "PERPLEXITY_API_KEY",
        Quirks::PERPLEXITY,
    ),
    hosted(
        Provider::HuggingFace,
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::GithubModels,
        "https://models.github.ai/inference",
        "GITHUB_TOKEN",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::Moonshot,
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        Quirks::MOONSHOT,
    ),
    hosted(
        Provider::DashScope,
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "DASHSCOPE_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::Zhipu,
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::SiliconFlow,
        "https://api.siliconflow.com/v1",
        "SILICONFLOW_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::NvidiaNim,
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::Cerebras,
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        Quirks::COMPATIBLE,
    ),
    hosted(
        Provider::SambaNova,
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
        Quirks::COMPATIBLE,
    ),
    local(Provider::Ollama, Some("http://127.0.0.1:11434/v1")),
    local(Provider::Vllm, Some("http://127.0.0.1:8000/v1")),
    Entry {
        quirks: Quirks::LLAMA_CPP,
        ..local(Provider::LlamaCpp, Some("http://127.0.0.1:8080/v1"))
    },
    local(Provider::Other, None),
];

/// What is known of `provider`. A provider without a row is taken for one that speaks OpenAI's
/// wire at an address of its own.
#[must_use]
pub fn entry(provider: Provider) -> Entry {
    let known = CATALOG.iter().find(|entry| entry.provider == provider);
    known.copied().unwrap_or_else(|| local(provider, None))
}

/// The wire that `provider` speaks for `model`: on Vertex, Claude models are spoken to in their own
/// words.
#[must_use]
pub fn wire(provider: Provider, model: &str) -> Wire {
    if provider == Provider::Vertex && model.starts_with("claude") {
        Wire::AnthropicMessages
    } else {
        entry(provider).wire
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_one_providers_and_has_a_usable_address() {
        for (at, row) in CATALOG.iter().enumerate() {
            assert!(
                !CATALOG[..at]
                    .iter()
                    .any(|other| other.provider == row.provider)
            );
            for url in row.base_url.into_iter().chain(row.compatible_url) {
                let uri: http::Uri = url.parse().unwrap();
                assert!(uri.scheme().is_some() && !url.ends_with('/'), "{url}");
                assert_eq!(row.needs_key, url.starts_with("https://"), "{url}");
            }
        }
    }
}
