//! Who thinks before it speaks.
//!
//! A model that reasons is silent while it does, for seconds or minutes, and by design. To whoever counts silence as failure it is a hang: it
//! would be cut off, blamed and asked for again elsewhere, and paid twice. So such calls have [windows](crate::Windows::thinking) and a
//! [deadline](crate::Policy::thinking_deadline) of their own, and what is learnt of them is learnt apart.

use std::fmt;
use std::str::FromStr;

/// When a target's model thinks before it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Thinking {
    /// Never, whatever is asked.
    Never,
    /// Where the request asks for it. The default of a target that nothing is known about.
    #[default]
    WhenAsked,
    /// Unless the request says otherwise.
    ByDefault,
    /// Whatever the request says.
    Always,
}

impl Thinking {
    /// Every habit.
    pub const ALL: [Self; 4] = [Self::Never, Self::WhenAsked, Self::ByDefault, Self::Always];

    /// Its name in configuration. Stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::WhenAsked => "when_asked",
            Self::ByDefault => "by_default",
            Self::Always => "always",
        }
    }

    /// Whether it thinks about a request that asks for it, asks for none, or says nothing of it.
    #[must_use]
    pub const fn about(self, asked: Option<bool>) -> bool {
        match self {
            Self::Never => false,
            Self::WhenAsked => matches!(asked, Some(true)),
            Self::ByDefault => !matches!(asked, Some(false)),
            Self::Always => true,
        }
    }
}

impl fmt::Display for Thinking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no habit of thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither `never` nor `when_asked` nor `by_default` nor `always`")]
pub struct UnknownThinking(());

impl FromStr for Thinking {
    type Err = UnknownThinking;

    fn from_str(name: &str) -> Result<Self, UnknownThinking> {
        let found = Self::ALL.into_iter().find(|habit| habit.as_str() == name);
        found.ok_or(UnknownThinking(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for habit in Thinking::ALL {
            assert_eq!(habit.as_str().parse(), Ok(habit));
        }
        assert!("often".parse::<Thinking>().is_err());
    }

    #[test]
    fn request_and_model_decide_together() {
        for (habit, expected) in [
            (Thinking::Never, [false, false, false]),
            (Thinking::WhenAsked, [false, false, true]),
            (Thinking::ByDefault, [false, true, true]),
            (Thinking::Always, [true, true, true]),
        ] {
            let thinks = [Some(false), None, Some(true)].map(|asked| habit.about(asked));
            assert_eq!(thinks, expected, "{habit}");
        }
    }
}
