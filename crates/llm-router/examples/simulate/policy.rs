//! The policies that are compared.

/// How requests are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Unprotected,
    BlindRetries,
    FixedCooldown,
    Router,
}

impl Policy {
    pub(crate) const ALL: [Self; 4] = [
        Self::Unprotected,
        Self::BlindRetries,
        Self::FixedCooldown,
        Self::Router,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unprotected => "no protection",
            Self::BlindRetries => "three blind retries",
            Self::FixedCooldown => "fixed cooldown",
            Self::Router => "llm-router",
        }
    }
}
