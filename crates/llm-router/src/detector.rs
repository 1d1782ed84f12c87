//! What finds out by itself that a target should be left, and which of it is heeded.

use std::fmt;

/// One of the means by which trouble is found that no failure states. Each can be wrong, and be switched off for a target; plain failures
/// count all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detector {
    /// Calls go in and nothing comes out, by the ages of those in flight. Without it, a call ends by its window.
    Hang,
    /// Its answers take much longer to begin than they did, and another target is faster. Without it a slow target is neither compared
    /// with others nor left.
    Latency,
    /// Its streams flow much slower than they did, and another's are faster.
    Flow,
    /// Its answers are bad, several in a row or many more than before. Without it a bad answer still goes elsewhere.
    Quality,
    /// Several targets that share something (model, region, failure domain) are out: all of it is set aside. Without it, a target's
    /// opening counts for nobody else.
    Scope,
}

impl Detector {
    /// Every detector.
    pub const ALL: [Self; 5] = [
        Self::Hang,
        Self::Latency,
        Self::Flow,
        Self::Quality,
        Self::Scope,
    ];

    /// Its name in configuration. Stable.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Latency => "latency",
            Self::Flow => "flow",
            Self::Quality => "quality",
            Self::Scope => "scope",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The detectors that are heeded; all of them by default.
///
/// ```
/// use llm_router::{Detector, Detectors};
///
/// let some = Detectors::ALL.without(Detector::Quality);
/// assert!(some.contains(Detector::Hang) && !some.contains(Detector::Quality));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Detectors(u8);

impl Detectors {
    /// Every one.
    pub const ALL: Self = Self(0b1_1111);
    /// None: a target is set aside for stated reasons and plain failures alone.
    pub const NONE: Self = Self(0);

    /// These and this one.
    #[must_use]
    pub const fn with(self, detector: Detector) -> Self {
        Self(self.0 | detector.bit())
    }

    /// These without this one.
    #[must_use]
    pub const fn without(self, detector: Detector) -> Self {
        Self(self.0 & !detector.bit())
    }

    /// Whether this one is heeded.
    #[must_use]
    pub const fn contains(self, detector: Detector) -> bool {
        self.0 & detector.bit() != 0
    }
}

impl Default for Detectors {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<Detector> for Detectors {
    fn from_iter<I: IntoIterator<Item = Detector>>(detectors: I) -> Self {
        detectors.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Detectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heeded = Detector::ALL.iter().filter(|one| self.contains(**one));
        f.debug_set().entries(heeded).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_all() {
        assert_eq!(Detectors::ALL, Detector::ALL.into_iter().collect());
        for one in Detector::ALL {
            assert!(!Detectors::ALL.without(one).contains(one), "{one}");
        }
    }
}
