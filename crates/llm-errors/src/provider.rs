//! Whose words a failure is written in.

use crate::kind::named;

named! {
    /// The provider, local server or edge that a caller talked to.
    ///
    /// It chooses the dialect that is tried first. A wrong or unknown name costs little: every
    /// dialect falls through to the same general reading of structure, status and text.
    #[non_exhaustive]
    pub enum Provider {
        /// OpenAI.
        OpenAi = "openai",
        /// OpenAI models on Azure, and Azure AI Foundry.
        AzureOpenAi = "azure_openai",
        /// Anthropic.
        Anthropic = "anthropic",
        /// Google's Gemini API (AI Studio).
        Gemini = "gemini",
        /// Google's Vertex AI.
        Vertex = "vertex",
        /// Amazon Bedrock.
        Bedrock = "bedrock",
        /// Mistral AI.
        Mistral = "mistral",
        /// Cohere.
        Cohere = "cohere",
        /// Groq.
        Groq = "groq",
        /// Together AI.
        Together = "together",
        /// Fireworks AI.
        Fireworks = "fireworks",
        /// DeepSeek.
        DeepSeek = "deepseek",
        /// xAI.
        Xai = "xai",
        /// OpenRouter.
        OpenRouter = "openrouter",
        /// Perplexity.
        Perplexity = "perplexity",
        /// Ollama, local or cloud.
        Ollama = "ollama",
        /// A vLLM server.
        Vllm = "vllm",
        /// A llama.cpp server.
        LlamaCpp = "llamacpp",
        /// Hugging Face: inference providers, endpoints, text-generation-inference.
        HuggingFace = "huggingface",
        /// GitHub Models.
        GithubModels = "github_models",
        /// Moonshot AI (Kimi).
        Moonshot = "moonshot",
        /// Alibaba's DashScope / Model Studio (Qwen).
        DashScope = "qwen_dashscope",
        /// Zhipu AI / Z.ai (GLM).
        Zhipu = "zhipu",
        /// SiliconFlow.
        SiliconFlow = "siliconflow",
        /// NVIDIA NIM.
        NvidiaNim = "nvidia_nim",
        /// Cerebras.
        Cerebras = "cerebras",
        /// SambaNova.
        SambaNova = "sambanova",
        /// Replicate.
        Replicate = "replicate",
        /// Only Cloudflare's edge spoke.
        Cloudflare = "cloudflare",
        /// Only a reverse proxy or load balancer spoke.
        Nginx = "nginx",
        /// Any other provider, relay or gateway.
        Other = "other",
    }
}
