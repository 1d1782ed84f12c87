//! What a request needs of the model that answers it.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of abilities that a request uses. 32 bits, compared in one instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Features(u32);

/// Name and bit of every feature.
const NAMES: [(&str, Features); 15] = [
    ("tools", Features::TOOLS),
    ("parallel_tools", Features::PARALLEL_TOOLS),
    ("json_mode", Features::JSON_MODE),
    ("json_schema", Features::JSON_SCHEMA),
    ("vision", Features::VISION),
    ("audio", Features::AUDIO),
    ("streaming", Features::STREAMING),
    ("prefill", Features::PREFILL),
    ("reasoning", Features::REASONING),
    ("documents", Features::DOCUMENTS),
    ("logprobs", Features::LOGPROBS),
    ("choices", Features::CHOICES),
    ("server_tools", Features::SERVER_TOOLS),
    ("state", Features::STATE),
    ("embeddings", Features::EMBEDDINGS),
];

impl Features {
    /// No feature.
    pub const NONE: Self = Self(0);
    /// Tools the caller runs.
    pub const TOOLS: Self = Self(1);
    /// Several tool calls in one answer, asked for in so many words.
    pub const PARALLEL_TOOLS: Self = Self(1 << 1);
    /// Any JSON object as the answer.
    pub const JSON_MODE: Self = Self(1 << 2);
    /// JSON that fits a schema as the answer.
    pub const JSON_SCHEMA: Self = Self(1 << 3);
    /// Pictures in the prompt.
    pub const VISION: Self = Self(1 << 4);
    /// Sound in the prompt or the answer.
    pub const AUDIO: Self = Self(1 << 5);
    /// A streamed answer.
    pub const STREAMING: Self = Self(1 << 6);
    /// The beginning of the answer is given.
    pub const PREFILL: Self = Self(1 << 7);
    /// Reasoning, asked for in so many words.
    pub const REASONING: Self = Self(1 << 8);
    /// Documents in the prompt.
    pub const DOCUMENTS: Self = Self(1 << 9);
    /// Log probabilities of the answer's tokens.
    pub const LOGPROBS: Self = Self(1 << 10);
    /// More than one answer.
    pub const CHOICES: Self = Self(1 << 11);
    /// Tools the provider runs (web search, code execution).
    pub const SERVER_TOOLS: Self = Self(1 << 12);
    /// A conversation, prompt or answer that the provider keeps.
    pub const STATE: Self = Self(1 << 13);
    /// Vectors for texts, in place of a conversation.
    pub const EMBEDDINGS: Self = Self(1 << 14);

    /// The bits, for tables that know nothing of their meaning.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// True where all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True where nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of what is in the set, as used in configuration.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .filter(move |(_, feature)| self.contains(*feature))
            .map(|(name, _)| name)
    }

    /// The feature of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let found = NAMES.into_iter().find(|(known, _)| *known == name)?;
        Some(found.1)
    }

    /// Adds `other` where `condition` holds.
    pub(crate) fn add_if(&mut self, condition: bool, other: Self) {
        if condition {
            *self |= other;
        }
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Features {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips() {
        for (name, feature) in NAMES {
            assert_eq!(Features::from_name(name), Some(feature));
            assert_eq!(feature.names().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(Features::from_name("telepathy"), None);
    }
}
