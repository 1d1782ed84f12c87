//! The wires: which there are, who speaks them, and where each is written down.
//!
//! A wire that only targets speak is a folder with a [`Target`] and a row in [`Wire::target`]. One that
//! callers speak as well has a [`Caller`] beside it, and rows in [`Dialect`].

mod caller;
mod target;
mod watched;
mod watching;

pub(crate) use self::caller::{Caller, Watch, Writer};
pub(crate) use self::target::{Reader, Target, Terms, is_named};
pub(crate) use self::watched::{Decode, Watched};
pub(crate) use self::watching::{Progress, Watching};

use crate::{anthropic, bedrock, cohere, gemini, ollama, openai, responses};
use std::fmt;
use std::str::FromStr;

/// A wire that callers speak. Targets speak it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenAI's `POST /chat/completions`, and everything compatible with it.
    OpenAiChat,
    /// OpenAI's `POST /responses`, and everything compatible with it.
    OpenAiResponses,
    /// Anthropic's `POST /v1/messages`, and everything compatible with it.
    AnthropicMessages,
}

/// A wire that targets speak. Those that callers speak as well have a [`Dialect`]; an answer in
/// any other is always translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Wire {
    /// As [`Dialect::OpenAiChat`].
    OpenAiChat,
    /// As [`Dialect::OpenAiResponses`].
    OpenAiResponses,
    /// As [`Dialect::AnthropicMessages`].
    AnthropicMessages,
    /// Google's `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse.
    BedrockConverse,
    /// Cohere's chat, version 2.
    CohereChat,
    /// Ollama's own chat.
    OllamaChat,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Self] = &[
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
    ];

    /// The stable name: used in configuration, metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.wire().as_str()
    }

    /// The same wire, as targets speak it.
    #[must_use]
    pub const fn wire(self) -> Wire {
        match self {
            Self::OpenAiChat => Wire::OpenAiChat,
            Self::OpenAiResponses => Wire::OpenAiResponses,
            Self::AnthropicMessages => Wire::AnthropicMessages,
        }
    }

    /// What is needed to serve callers who speak it.
    pub(crate) fn caller(self) -> &'static dyn Caller {
        match self {
            Self::OpenAiChat => &openai::OpenAiChat,
            Self::OpenAiResponses => &responses::OpenAiResponses,
            Self::AnthropicMessages => &anthropic::AnthropicMessages,
        }
    }
}

impl Wire {
    /// Every wire.
    pub const ALL: &'static [Self] = &[
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OllamaChat,
    ];

    /// The stable name: used in configuration, metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai_chat",
            Self::OpenAiResponses => "openai_responses",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
            Self::BedrockConverse => "bedrock_converse",
            Self::CohereChat => "cohere_chat",
            Self::OllamaChat => "ollama_chat",
        }
    }

    /// The same wire as callers speak it; `None` where they do not.
    #[must_use]
    pub fn dialect(self) -> Option<Dialect> {
        let mut spoken = Dialect::ALL.iter().copied();
        spoken.find(|dialect| dialect.wire() == self)
    }

    /// What is needed to call targets that speak it.
    pub(crate) fn target(self) -> &'static dyn Target {
        match self {
            Self::OpenAiChat => &openai::OpenAiChat,
            Self::OpenAiResponses => &responses::OpenAiResponses,
            Self::AnthropicMessages => &anthropic::AnthropicMessages,
            Self::Gemini => &gemini::Gemini,
            Self::BedrockConverse => &bedrock::BedrockConverse,
            Self::CohereChat => &cohere::CohereChat,
            Self::OllamaChat => &ollama::OllamaChat,
        }
    }
}

impl From<Dialect> for Wire {
    fn from(dialect: Dialect) -> Self {
        dialect.wire()
    }
}

impl PartialEq<Dialect> for Wire {
    fn eq(&self, dialect: &Dialect) -> bool {
        *self == dialect.wire()
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        let found = Self::ALL.iter().find(|dialect| dialect.as_str() == text);
        found.copied().ok_or(UnknownDialect(()))
    }
}

impl FromStr for Wire {
    type Err = UnknownDialect;

    fn from_str(text: &str) -> Result<Self, UnknownDialect> {
        let found = Self::ALL.iter().find(|wire| wire.as_str() == text);
        found.copied().ok_or(UnknownDialect(()))
    }
}

/// The text names no dialect, or no wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown dialect")]
pub struct UnknownDialect(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_round_trips() {
        for wire in Wire::ALL {
            assert_eq!(wire.to_string().parse(), Ok(*wire));
        }
        for dialect in Dialect::ALL {
            assert_eq!(dialect.to_string().parse(), Ok(*dialect));
            assert_eq!(dialect.wire().dialect(), Some(*dialect));
            assert!(Wire::ALL.contains(&dialect.wire()));
        }
        assert!("telepathy".parse::<Wire>().is_err());
    }
}
