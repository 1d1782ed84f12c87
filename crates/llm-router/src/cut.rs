//! What follows when a stream breaks after its beginning has reached the caller, and in which form a
//! call is sent.
//!
//! A broken stream is rescued on a ladder. Each rung is left only when no target is left on it:
//!
//! 1. **Prefill**: a target that goes on from the beginning of an answer is given what the caller has.
//! 2. **Replay**: the call is sent again as it was, and what equals the text already given is swallowed.
//!    An answer that says something else ends the ladder: another one would hardly agree.
//! 3. The error event.
//!
//! [`OnCut::Continue`] begins on the first rung, [`OnCut::Restart`] on the second,
//! [`OnCut::Error`] on the third. Calls with side effects always begin there: they would happen twice.

use std::fmt;
use std::str::FromStr;

/// What follows when a stream breaks after its beginning has reached the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnCut {
    /// It is continued where a target takes the beginning, else begun anew unseen.
    #[default]
    Continue,
    /// It is begun anew, unseen up to where it broke; the text of two models is never joined but where
    /// both agree word for word.
    Restart,
    /// The caller gets the error event.
    Error,
}

/// In which form a call is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Form {
    /// As the caller asked.
    #[default]
    AsAsked,
    /// With its oldest turns left out.
    Shortened {
        /// The window that prompt and answer are to fit into, in tokens.
        window_tokens: u32,
        /// The prompt's true size, where a provider told it; else 0.
        counted_tokens: u32,
    },
    /// As the caller's hook rewrites it after a refusal.
    Rewritten,
    /// With the text that the caller already has as the beginning of the answer.
    Prefill {
        /// The characters the caller has: where the seam is.
        at_chars: u32,
    },
    /// As the caller asked, with the text that the caller already has swallowed from the answer.
    Replay {
        /// The characters the caller has: where the seam is.
        at_chars: u32,
    },
}

impl OnCut {
    /// Every policy.
    pub const ALL: &'static [Self] = &[Self::Continue, Self::Restart, Self::Error];

    /// The stable name, for configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Restart => "restart",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for OnCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no policy for broken streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither `continue` nor `restart` nor `error`")]
pub struct UnknownOnCut(());

impl FromStr for OnCut {
    type Err = UnknownOnCut;

    fn from_str(name: &str) -> Result<Self, UnknownOnCut> {
        let found = Self::ALL.iter().find(|policy| policy.as_str() == name);
        found.copied().ok_or(UnknownOnCut(()))
    }
}

impl Form {
    /// The stable name, for traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsAsked => "as_asked",
            Self::Shortened { .. } => "shortened",
            Self::Rewritten => "rewritten",
            Self::Prefill { .. } => "prefill",
            Self::Replay { .. } => "replay",
        }
    }

    /// Where the seam is, in characters of the answer, if the call continues a broken stream.
    #[must_use]
    pub const fn seam(self) -> Option<u32> {
        match self {
            Self::AsAsked | Self::Shortened { .. } | Self::Rewritten => None,
            Self::Prefill { at_chars } | Self::Replay { at_chars } => Some(at_chars),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for policy in OnCut::ALL {
            assert_eq!(policy.to_string().parse(), Ok(*policy));
        }
        assert!("again".parse::<OnCut>().is_err());
    }
}
