//! What the name of a Claude model tells, wherever it is served.

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
}
