//! What a model is for.

use std::fmt;

/// What a call asks for, and what a target is for: the two have nothing in common but the way they fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Purpose {
    /// A conversation: text, tools, pictures.
    #[default]
    Chat,
    /// Vectors for texts.
    Embeddings,
}

impl Purpose {
    /// The stable name: used in configuration and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
