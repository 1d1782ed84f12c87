//! What can be wrong with an answer, how surely, and the set of all that was found.

use std::fmt;
use std::str::FromStr;

/// Names one thing that is wrong with an answer. The strings of [`Finding::as_str`] are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Finding {
    /// Nothing visible was said, and no tool was called.
    Empty,
    /// Less was said than the floor asks for.
    TooShort,
    /// The provider says that it stopped at the output limit.
    CutOff,
    /// The text breaks off: open code fence, hanging comma, last word that needs another.
    MidSentence,
    /// The text goes round in a circle.
    Repetitive,
    /// Replacement characters, mojibake, control characters, or words glued together from several scripts.
    Garbled,
    /// The model declines, by field, by stop reason or by its first words.
    Refusal,
    /// JSON was asked for, and this is none.
    InvalidJson,
    /// The JSON does not fit the schema.
    SchemaInvalid,
    /// A tool call without a name, to an unknown tool, or with arguments that are no JSON object.
    ToolCallInvalid,
    /// The text is in another language than the one asked for.
    WrongLanguage,
    /// The caller's own measure says that question and answer have little in common.
    OffTopic,
}

impl Finding {
    /// All of them, in the order in which they are looked for and listed.
    pub const ALL: [Self; 12] = [
        Self::Empty,
        Self::TooShort,
        Self::CutOff,
        Self::MidSentence,
        Self::Repetitive,
        Self::Garbled,
        Self::Refusal,
        Self::InvalidJson,
        Self::SchemaInvalid,
        Self::ToolCallInvalid,
        Self::WrongLanguage,
        Self::OffTopic,
    ];

    /// Returns the stable name, as used in metrics and configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooShort => "too_short",
            Self::CutOff => "cut_off",
            Self::MidSentence => "mid_sentence",
            Self::Repetitive => "repetitive",
            Self::Garbled => "garbled",
            Self::Refusal => "refusal",
            Self::InvalidJson => "invalid_json",
            Self::SchemaInvalid => "schema_invalid",
            Self::ToolCallInvalid => "tool_call_invalid",
            Self::WrongLanguage => "wrong_language",
            Self::OffTopic => "off_topic",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is not one of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown finding name")]
pub struct UnknownFinding;

impl FromStr for Finding {
    type Err = UnknownFinding;

    fn from_str(name: &str) -> Result<Self, UnknownFinding> {
        Self::ALL
            .into_iter()
            .find(|finding| finding.as_str() == name)
            .ok_or(UnknownFinding)
    }
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth counting, no reason to doubt the answer.
    Note,
    /// A person would look twice. Not enough to throw the answer away.
    Suspect,
    /// The answer should not be used: send the request elsewhere, and store nothing.
    Bad,
}

impl Severity {
    /// Returns the stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Suspect => "suspect",
            Self::Bad => "bad",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The findings of one look: at most one severity for each. Six bytes, never a word of the text.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[must_use = "findings say whether the answer may be used"]
pub struct Findings {
    note: u16,
    suspect: u16,
    bad: u16,
}

impl Findings {
    /// Is the answer not to be used?
    #[must_use]
    pub const fn is_bad(self) -> bool {
        self.bad != 0
    }

    /// Was nothing found at all?
    #[must_use]
    pub const fn is_clean(self) -> bool {
        self.note | self.suspect | self.bad == 0
    }

    /// Returns the severity of one finding, if it was made.
    #[must_use]
    pub const fn severity(self, finding: Finding) -> Option<Severity> {
        let bit = finding.bit();
        if self.bad & bit != 0 {
            Some(Severity::Bad)
        } else if self.suspect & bit != 0 {
            Some(Severity::Suspect)
        } else if self.note & bit != 0 {
            Some(Severity::Note)
        } else {
            None
        }
    }

    /// Was this found, at any severity?
    #[must_use]
    pub const fn contains(self, finding: Finding) -> bool {
        (self.note | self.suspect | self.bad) & finding.bit() != 0
    }

    /// Returns the gravest severity.
    #[must_use]
    pub const fn worst(self) -> Option<Severity> {
        if self.bad != 0 {
            Some(Severity::Bad)
        } else if self.suspect != 0 {
            Some(Severity::Suspect)
        } else if self.note != 0 {
            Some(Severity::Note)
        } else {
            None
        }
    }

    /// Returns the first of the gravest findings: the one to name where there is room for one.
    #[must_use]
    pub fn first(self) -> Option<Finding> {
        let worst = self.worst()?;
        self.iter()
            .find(|&(_, severity)| severity == worst)
            .map(|(finding, _)| finding)
    }

    /// Iterates in the order of [`Finding::ALL`].
    pub fn iter(self) -> impl Iterator<Item = (Finding, Severity)> {
        Finding::ALL
            .into_iter()
            .filter_map(move |finding| Some((finding, self.severity(finding)?)))
    }

    /// Adds a finding; of two severities the graver one stays.
    pub(crate) fn add(&mut self, finding: Finding, severity: Severity) {
        if self.severity(finding).is_some_and(|have| have >= severity) {
            return;
        }
        let bit = finding.bit();
        self.note &= !bit;
        self.suspect &= !bit;
        match severity {
            Severity::Note => self.note |= bit,
            Severity::Suspect => self.suspect |= bit,
            Severity::Bad => self.bad |= bit,
        }
    }
}

impl fmt::Debug for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                self.iter()
                    .map(|(finding, severity)| (finding.as_str(), severity)),
            )
            .finish()
    }
}

/// Writes `repetitive=bad garbled=suspect`, or `clean`.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_clean() {
            return f.write_str("clean");
        }
        for (nth, (finding, severity)) in self.iter().enumerate() {
            let space = if nth == 0 { "" } else { " " };
            write!(f, "{space}{finding}={severity}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_has_its_own_bit() {
        let mut bits = 0;
        for finding in Finding::ALL {
            assert_eq!(finding.as_str().parse(), Ok(finding));
            assert_eq!(bits & finding.bit(), 0);
            bits |= finding.bit();
        }
        assert_eq!("nonsense".parse::<Finding>(), Err(UnknownFinding));
    }

    #[test]
    fn the_graver_severity_stays() {
        let mut found = Findings::default();
        found.add(Finding::Garbled, Severity::Suspect);
        found.add(Finding::Garbled, Severity::Note);
        assert_eq!(found.severity(Finding::Garbled), Some(Severity::Suspect));
        assert!(!found.is_bad());
        found.add(Finding::Garbled, Severity::Bad);
        found.add(Finding::Empty, Severity::Note);
        assert_eq!(found.to_string(), "empty=note garbled=bad");
        assert_eq!(found.first(), Some(Finding::Garbled));
        assert_eq!(Findings::default().to_string(), "clean");
    }
}
