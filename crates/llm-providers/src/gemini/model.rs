//! What must be known of a model's generation before a request is written.

use crate::model::Thinking as Habit;

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// By a level: Gemini 3 and later
    /// (<https://ai.google.dev/gemini-api/docs/thinking>, read 2026-11-26).
    Level,
    /// By a budget in tokens: Gemini 2.5.
    Budget,
    /// Not at all, or not known how.
    Other,
}

/// A model by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model<'a>(&'a str);

impl<'a> Model<'a> {
    /// The model called `name`, with or without its collection before it.
    pub(super) fn new(name: &'a str) -> Self {
        Self(name.rsplit('/').next().unwrap_or(name))
    }

    pub(super) fn thinking(self) -> Thinking {
        match self.generation() {
            Some((3.., _)) => Thinking::Level,
            Some((2, 5..)) => Thinking::Budget,
            _ => Thinking::Other,
        }
    }

    /// Whether function calls of an earlier turn must carry a seal, and tools may be offered beside a
    /// form of the answer: both since Gemini 3.
    pub(super) fn is_third_generation(self) -> bool {
        self.thinking() == Thinking::Level
    }

    /// Whether penalties may be sent: models from 2.5 on answer that they are not enabled.
    pub(super) fn takes_penalties(self) -> bool {
        self.thinking() == Thinking::Other
    }

    /// Whether its reasoning can be switched off or turned to the least.
    pub(super) fn is_pro(self) -> bool {
        self.0.contains("pro")
    }

    /// Its number, as in `gemini-2.5-flash`.
    fn generation(self) -> Option<(u32, u32)> {
        let rest = self.0.strip_prefix("gemini-")?;
        let number = rest.split('-').next()?;
        let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

/// When a model thinks where nothing is said of it: Gemini from 2.5 on does, but for 2.5 Flash-Lite, and a pro cannot be told not to
/// (<https://ai.google.dev/gemini-api/docs/thinking>, read 2026-11-26). `None` of other models.
pub(crate) fn thinking(name: &str) -> Option<Habit> {
    let model = Model::new(name);
    match (model.thinking(), model.generation()?) {
        (Thinking::Other, _) => Some(Habit::WhenAsked),
        _ if model.is_pro() => Some(Habit::Always),
        (Thinking::Budget, _) if model.0.contains("lite") => Some(Habit::WhenAsked),
        _ => Some(Habit::ByDefault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_is_read_from_the_name() {
        let thinking = |name| Model::new(name).thinking();
        assert_eq!(thinking("models/gemini-3.1-pro-preview"), Thinking::Level);
        assert_eq!(thinking("gemini-4-argon"), Thinking::Level);
        assert_eq!(thinking("gemini-2.5-flash"), Thinking::Budget);
        assert_eq!(thinking("gemini-2.0-flash"), Thinking::Other);
        assert_eq!(thinking("gemma-3-27b-it"), Thinking::Other);
    }
}
