//! What the name of a Claude model tells, wherever it is served.

use crate::model::Thinking;

/// The version in a model's name: `claude-3-5-haiku-20241022` is of 3.5, `claude-opus-4@20250514` of 4.0,
/// `us.anthropic.claude-sonnet-4-6-v1` of 4.6. `None` where it is no Claude or says no number.
pub(crate) fn version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.split_once("claude")?;
    let mut numbers = name
        .split(['-', '.', '@', ':', '/'])
        .filter_map(|part| part.parse::<u32>().ok())
        // A date is no part of it.
        .take_while(|number| *number < 100);
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

/// True where the model takes no `temperature`, `top_p` or `top_k` but the defaults: from 4.7 on a request
/// with others is refused (<https://platform.claude.com/docs/en/api/migration-2026-10-21>, read 2026-11-26).
pub(crate) fn samples_as_it_likes(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (4, 7))
}

/// How a model is told not to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// By saying nothing: it thinks only where it is asked to.
    Unsaid,
    /// By `thinking: disabled`, because it thinks where nothing is said.
    Disabled,
    /// Not quite: `between_tools` is the least.
    BetweenTools,
    /// Not at all; a low effort is the least.
    Never,
}

/// From Claude 5 on thinking is on where nothing is said. Opus 5.5 and every Fable and Mythos refuse to have it
/// switched off, Sonnet 5.5 knows `between_tools` in its place
/// (<https://platform.claude.com/docs/en/models/opus-5-5/migration-guide>,
/// <https://platform.claude.com/docs/zh-CN/models/sonnet-5-5/overview>, and `getModelCapabilities` in
/// `@ai-sdk/anthropic` of `ai` 6.0.325; read 2026-11-26).
pub(crate) fn rest(model: &str) -> Rest {
    let stubborn = is_fable(model);
    match version(model) {
        Some(version) if version >= (5, 0) && stubborn => Rest::Never,
        Some(version) if version >= (5, 5) && model.contains("sonnet") => Rest::BetweenTools,
        Some(version) if version >= (5, 5) && model.contains("opus") => Rest::Never,
        Some(version) if version >= (5, 0) => Rest::Disabled,
        _ => Rest::Unsaid,
    }
}

/// When it thinks. `None` where it is no Claude or says no number.
pub(crate) fn thinking(model: &str) -> Option<Thinking> {
    version(model)?;
    Some(match rest(model) {
        Rest::Unsaid => Thinking::WhenAsked,
        Rest::Disabled => Thinking::ByDefault,
        Rest::BetweenTools | Rest::Never => Thinking::Always,
    })
}

/// True where a tool may be demanded: Opus and Sonnet 5.5 and Fable and Mythos 5.1 answer `tool_choice` of type `any` or
/// `tool` by 400 (the migration guide above; in the API's words <https://github.com/can1357/oh-my-pi/issues/12939>, on
/// Bedrock <https://github.com/vercel/ai/issues/21364>; read 2026-11-26).
pub(crate) fn takes_demands(model: &str) -> bool {
    let first = match model {
        _ if is_fable(model) => (5, 1),
        _ if model.contains("haiku") => return true,
        _ => (5, 5),
    };
    version(model).is_none_or(|version| version < first)
}

/// True where a thought that is sent back must follow exactly what it followed when it was thought, or the request is
/// refused: Fable and Mythos 5.1 and all of 5.5
/// (<https://platform.claude.com/docs/en/build-with-claude/preserved-thinking>, read 2026-11-26).
pub(crate) fn binds_thoughts(model: &str) -> bool {
    let first = if is_fable(model) { (5, 1) } else { (5, 5) };
    version(model).is_some_and(|version| version >= first)
}

/// True where instructions may stand between the turns, as a message of the system's: from Opus 4.8 on
/// (<https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages>, read 2026-11-26), on
/// Anthropic's own platform.
pub(crate) fn is_instructed_midway(model: &str) -> bool {
    version(model).is_some_and(|version| version >= (4, 8))
}

fn is_fable(model: &str) -> bool {
    model.contains("fable") || model.contains("mythos")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_versions() {
        for (model, expected) in [
            ("claude-2.1", Some((2, 1))),
            ("claude-3-5-haiku-20241022", Some((3, 5))),
            ("claude-opus-4@20250514", Some((4, 0))),
            ("anthropic.claude-opus-4-1-20250805-v1:0", Some((4, 1))),
            ("us.anthropic.claude-opus-4-6-v1", Some((4, 6))),
            ("anthropic/claude-haiku-4.5", Some((4, 5))),
            ("claude-sonnet-5-20261001", Some((5, 0))),
            ("claude-opus-5-5", Some((5, 5))),
            ("claude-mythos-preview", None),
            ("model-4-7", None),
        ] {
            assert_eq!(version(model), expected, "{model}");
        }
        assert!(samples_as_it_likes("claude-opus-4-7"));
        assert!(!samples_as_it_likes("claude-sonnet-4-6"));
        assert!(!samples_as_it_likes("claude-mythos-preview"));
    }

    #[test]
    fn names_tell_what_is_refused() {
        for (model, rests, demands, midway) in [
            ("claude-sonnet-4-5-20250929", Rest::Unsaid, true, false),
            ("claude-opus-4-8", Rest::Unsaid, true, true),
            ("claude-opus-5", Rest::Disabled, true, true),
            ("claude-sonnet-5", Rest::Disabled, true, true),
            ("claude-opus-5-5", Rest::Never, false, true),
            ("us.anthropic.claude-opus-5-5", Rest::Never, false, true),
            ("claude-sonnet-5-5", Rest::BetweenTools, false, true),
            ("claude-haiku-5-5", Rest::Disabled, true, true),
            ("claude-fable-5", Rest::Never, true, true),
            ("claude-fable-5-1", Rest::Never, false, true),
            ("claude-mythos-preview", Rest::Unsaid, true, false),
            ("kimi-k3", Rest::Unsaid, true, false),
        ] {
            assert_eq!(rest(model), rests, "{model}");
            assert_eq!(takes_demands(model), demands, "{model}");
            let binds = !demands || model == "claude-haiku-5-5";
            assert_eq!(binds_thoughts(model), binds, "{model}");
            assert_eq!(is_instructed_midway(model), midway, "{model}");
        }
    }
}
