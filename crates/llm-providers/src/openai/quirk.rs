//! How providers that speak this wire differ in what they accept.

use crate::codec::fnv;

/// The field that limits the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxTokensField {
    /// `max_tokens`: the older name, which nearly everybody accepts.
    MaxTokens,
    /// `max_completion_tokens`: the only name OpenAI's reasoning models accept.
    MaxCompletionTokens,
}

/// How a wish for reasoning is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningField {
    /// Not at all.
    None,
    /// `reasoning_effort`, for models that are known to reason.
    Effort,
    /// `thinking` as a switch, which is on where nothing is said, and `reasoning_effort` beside it.
    Switch,
    /// `reasoning`, an object that holds an effort or a budget.
    Object,
}

/// Differences that matter when a request is written anew. A request that is passed through is not
/// touched by them, but for [`thoughts_return`](Self::thoughts_return) and [`closed`](Self::closed).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Quirks {
    /// The name of the output limit.
    pub max_tokens: MaxTokensField,
    /// The name of the seed; `None` where there is no such field.
    pub seed: Option<&'static str>,
    /// Whether `stream_options.include_usage` may be sent. Providers that do not know it either
    /// refuse it or send usage without being asked.
    pub stream_usage: bool,
    /// How a wish for reasoning is written.
    pub reasoning: ReasoningField,
    /// Whether the names of tool calls must be nine letters or digits. Others are replaced by a name
    /// made of them, the same for the call and for its result.
    pub short_call_ids: bool,
    /// Whether a turn may name its speaker.
    pub names: bool,
    /// Whether the end user may be named.
    pub user: bool,
    /// Whether words, once used, may be made less likely: `presence_penalty`, `frequency_penalty`.
    pub penalties: bool,
    /// Whether stop sequences may be sent.
    pub stop: bool,
    /// Whether one tool may be demanded by its name. Where it may not, only that tool is offered, and one is demanded.
    pub named_tool: bool,
    /// Whether the model's own turns must come back with their reasoning, in `reasoning_content`, as long as it reasons.
    /// A turn without any gets a space in its place, in requests that are passed through as well.
    pub thoughts_return: bool,
    /// Whether what is not known is refused rather than passed over. Requests that are passed through are fitted then.
    pub closed: bool,
    /// The highest temperature; a higher one becomes this.
    pub max_temperature: f64,
}

impl Quirks {
    /// OpenAI itself, and those that follow it closely.
    pub const OPENAI: Self = Self {
        max_tokens: MaxTokensField::MaxCompletionTokens,
        seed: Some("seed"),
        stream_usage: true,
        reasoning: ReasoningField::Effort,
        short_call_ids: false,
        names: true,
        user: true,
        penalties: true,
        stop: true,
        named_tool: true,
        thoughts_return: false,
        closed: false,
        max_temperature: 2.0,
    };
    /// Most compatible providers and local servers.
    pub const COMPATIBLE: Self = Self {
        max_tokens: MaxTokensField::MaxTokens,
        ..Self::OPENAI
    };
    /// Groq, which answers a turn with a name by 400, as it does log probabilities, biases and several choices, which are
    /// written for nobody (<https://console.groq.com/docs/openai>, read 2026-11-26).
    pub const GROQ: Self = Self {
        names: false,
        ..Self::OPENAI
    };
    /// Cohere's compatibility layer, which refuses `stream_options`
    /// (<https://strandsagents.com/docs/user-guide/concepts/model-providers/cohere/>, read 2026-11-23).
    pub const COHERE: Self = Self {
        stream_usage: false,
        ..Self::COMPATIBLE
    };
    /// Mistral, which refuses fields it does not know, and temperatures above 1.5 (the schema of its
    /// request at <https://schemas.apis.io/schemas/mistral-ai/mistral-ai-chatcompletionrequest/>, read
    /// 2026-11-26).
    pub const MISTRAL: Self = Self {
        seed: Some("random_seed"),
        stream_usage: false,
        reasoning: ReasoningField::None,
        short_call_ids: true,
        names: false,
        user: false,
        closed: true,
        max_temperature: 1.5,
        ..Self::COMPATIBLE
    };
    /// DeepSeek, whose models think unless they are told not to: `thinking` is `enabled` or `disabled`, and every effort is
    /// understood. A conversation in which tools were called and whose reasoning is missing is refused
    /// (<https://api-docs.deepseek.com/guides/thinking_mode>); an empty one is too, and a space is not
    /// (<https://github.com/NousResearch/hermes-agent/pull/18263>; all read 2026-11-26).
    pub const DEEPSEEK: Self = Self {
        reasoning: ReasoningField::Switch,
        thoughts_return: true,
        ..Self::COMPATIBLE
    };
    /// Moonshot, whose Kimi models want their reasoning back as DeepSeek's do, and take a space for it
    /// (<https://github.com/theopenco/llmgateway/pull/2093>, read 2026-11-26).
    pub const MOONSHOT: Self = Self {
        thoughts_return: true,
        ..Self::COMPATIBLE
    };
    /// xAI, whose reasoning models answer penalties and stop sequences by an error, and most of them an effort too
    /// (<https://docs.x.ai/docs/guides/reasoning>, read 2026-11-26); the newest of those that do not reason refuse penalties
    /// all the same (<https://github.com/mnfst/modelparams.dev/pull/20>, read 2026-11-26).
    pub const XAI: Self = Self {
        reasoning: ReasoningField::None,
        penalties: false,
        stop: false,
        ..Self::OPENAI
    };
    /// `OpenRouter`, which has one object for the ways of all models to reason
    /// (<https://openrouter.ai/docs/use-cases/reasoning-tokens>, read 2026-11-26).
    pub const OPENROUTER: Self = Self {
        reasoning: ReasoningField::Object,
        ..Self::COMPATIBLE
    };
    /// Perplexity: what its schema does not have is not sent
    /// (<https://schemas.apis.io/schemas/perplexity/perplexity-apichatcompletionsrequest/>, read 2026-11-26).
    pub const PERPLEXITY: Self = Self {
        seed: None,
        stream_usage: false,
        names: false,
        user: false,
        penalties: false,
        ..Self::COMPATIBLE
    };
    /// llama.cpp's server, which takes the demand for one tool by its name for no demand at all
    /// (<https://github.com/ggml-org/llama.cpp/issues/26535>, read 2026-11-26).
    pub const LLAMA_CPP: Self = Self {
        named_tool: false,
        ..Self::COMPATIBLE
    };

    /// The same for one model: xAI's that do not reason stop where they are told, and Moonshot's older ones do not reason.
    #[must_use]
    pub fn for_model(mut self, model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let plain = ["grok-2", "grok-3"].iter().any(|old| name.starts_with(old));
        let plain = plain && !name.contains("mini") || name.contains("non-reasoning");
        if self == Self::XAI && plain {
            self.stop = true;
            self.penalties = !name.contains("non-reasoning");
        }
        if self == Self::MOONSHOT {
            self.thoughts_return = name.starts_with("kimi");
        }
        self
    }
}

/// The length of a short name for a tool call.
const SHORT_ID_CHARS: usize = 9;

/// `id` itself where it is nine letters or digits, else nine that are made of it: always the same,
/// so that the provider's prompt cache sees the same conversation again.
pub(super) fn short_call_id(id: &str) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if id.len() == SHORT_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return id.to_owned();
    }
    // 62^9 names are some 53 bits of it.
    let mut hash = fnv(id.bytes());
    let mut short = String::with_capacity(SHORT_ID_CHARS);
    for _ in 0..SHORT_ID_CHARS {
        let digit = usize::try_from(hash % 62).unwrap_or(0);
        hash /= 62;
        short.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
    }
    short
}
