//! Which models think before they speak, and when.
//!
//! | models | by default | stated by |
//! |---|---|---|
//! | OpenAI's `o` series, GPT-5, its pro and codex models | always | `openai/model.rs` |
//! | GPT-5.1 to 5.4 | when asked | the same |
//! | GPT-5.5 and later, chat models since 5.1 | unless told not to | the same |
//! | Claude up to 4.8 | when asked | `claude.rs` |
//! | Claude 5 | unless told not to | the same |
//! | Claude Opus and Sonnet 5.5, Fable, Mythos | always | the same |
//! | Gemini pro since 2.5 | always: it can be told to think less, not to stop | `gemini/model.rs` |
//! | Gemini flash since 2.5 | unless told not to; 2.5 Flash-Lite when asked | the same |
//! | names that say so (`reasoner`, `thinking`, `-r1`, `qwq`, `magistral`, `gpt-oss`, `deep-research`) | always | the name |
//! | names with `non-reasoning`, `non-thinking` | never | the name |
//! | all others whose page states that they reason, such as DeepSeek V4 (<https://api-docs.deepseek.com/guides/thinking_mode>), Kimi, GLM, Grok and Qwen | unless told not to | `models/` |
//! | the rest | when asked | |
//!
//! Where a page says that a model reasons and not when, it is taken to do so unless told not to: the mistake costs nothing while all is
//! well, and the other one cuts a healthy call off. All read 2026-11-26.

use super::lookup;
use crate::call::Features;
use crate::{claude, gemini, openai};
use llm_errors::Provider;

/// When a model thinks before it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Thinking {
    /// Never.
    Never,
    /// Where it is asked to.
    WhenAsked,
    /// Unless it is told not to.
    ByDefault,
    /// Whatever it is told.
    Always,
}

/// What a name says by itself, of models that have no family here.
const ALWAYS: [&str; 8] = [
    "reasoner",
    "reasoning",
    "thinking",
    "-r1",
    "qwq",
    "magistral",
    "gpt-oss",
    "deep-research",
];
const NEVER: [&str; 2] = ["non-reasoning", "non-thinking"];

/// When the model called `name` thinks before it speaks, as far as is known.
#[must_use]
pub fn thinking(provider: Provider, name: &str) -> Thinking {
    let says = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if says(&NEVER) {
        return Thinking::Never;
    }
    let family = claude::thinking(name)
        .or_else(|| openai::thinking(name))
        .or_else(|| gemini::thinking(name));
    if let Some(known) = family {
        return known;
    }
    let reasons = || lookup(provider, name).is_some_and(|it| it.can.contains(Features::REASONING));
    if says(&ALWAYS) || name.ends_with("r1") {
        Thinking::Always
    } else if reasons() {
        Thinking::ByDefault
    } else {
        Thinking::WhenAsked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_who_thinks() {
        use Provider::{Anthropic, Bedrock, DeepSeek, Gemini, Moonshot, OpenAi, Other, Xai};
        for (provider, name, expected) in [
            (OpenAi, "gpt-4o", Thinking::WhenAsked),
            (OpenAi, "o3", Thinking::Always),
            (OpenAi, "gpt-5-mini", Thinking::Always),
            (OpenAi, "gpt-5-pro", Thinking::Always),
            (OpenAi, "gpt-5-chat-latest", Thinking::WhenAsked),
            (OpenAi, "gpt-5.2", Thinking::WhenAsked),
            (OpenAi, "gpt-5.2-pro", Thinking::Always),
            (OpenAi, "gpt-5.6", Thinking::ByDefault),
            (OpenAi, "chat-latest", Thinking::ByDefault),
            (Bedrock, "us.openai.gpt-5.4", Thinking::WhenAsked),
            (Bedrock, "global.openai.gpt-6-sol", Thinking::ByDefault),
            (Bedrock, "openai.gpt-oss-120b-1:0", Thinking::Always),
            (Anthropic, "claude-haiku-4-5", Thinking::WhenAsked),
            (Anthropic, "claude-opus-5", Thinking::ByDefault),
            (Bedrock, "us.anthropic.claude-sonnet-5-5", Thinking::Always),
            (Anthropic, "claude-fable-5", Thinking::Always),
            (Gemini, "gemini-2.0-flash", Thinking::WhenAsked),
            (Gemini, "gemini-2.5-flash-lite", Thinking::WhenAsked),
            (Gemini, "gemini-2.5-flash", Thinking::ByDefault),
            (Gemini, "gemini-2.5-pro", Thinking::Always),
            (Gemini, "gemini-3.8-flash", Thinking::ByDefault),
            (Gemini, "gemini-3.1-pro-preview", Thinking::Always),
            (DeepSeek, "deepseek-reasoner", Thinking::Always),
            (DeepSeek, "deepseek-v4-pro", Thinking::ByDefault),
            (Moonshot, "kimi-k2-thinking", Thinking::Always),
            (Xai, "grok-4-fast-non-reasoning", Thinking::Never),
            (Other, "deepseek-r1", Thinking::Always),
            (Other, "llama-3.3-70b", Thinking::WhenAsked),
        ] {
            assert_eq!(thinking(provider, name), expected, "{name}");
        }
    }
}
