//! Whether a stream passes as it comes or is told in another dialect.

use super::{Facts, Glance, Translator};
use crate::wire::Watch;

/// How the events of a stream reach the caller.
#[derive(Debug)]
pub(crate) enum Course {
    /// As they came: target and caller speak the same dialect.
    Pass(Box<dyn Watch>),
    /// In another dialect.
    Translate(Box<Translator>),
}

impl Course {
    pub(super) fn look(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance {
        match self {
            Self::Pass(watch) => watch.glance(name, data, facts),
            Self::Translate(translator) => translator.read(name, data, facts),
        }
    }

    /// True once the answer's finish reason has come.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Pass(watch) => watch.is_complete(),
            Self::Translate(translator) => translator.is_complete(),
        }
    }

    /// True where this is the rest of another stream.
    pub(super) fn is_resumed(&self) -> bool {
        matches!(self, Self::Translate(translator) if translator.joined_usage().is_some())
    }

    pub(super) const fn translates(&self) -> bool {
        matches!(self, Self::Translate(_))
    }

    /// False while all that came is what the caller has already.
    pub(super) fn is_news(&self) -> bool {
        match self {
            Self::Pass(_) => true,
            Self::Translate(translator) => translator.is_news(),
        }
    }
}
