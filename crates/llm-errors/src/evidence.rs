//! Why a verdict is what it is: which field decided, by which rule. Never holds what was read.

use crate::kind::named;
use crate::verdict::Verdict;
use std::fmt;

named! {
    /// The part of a failure that decided its kind.
    #[non_exhaustive]
    pub enum Field {
        /// A `code` of the body.
        Code = "code",
        /// A machine-readable `reason` in the details.
        Reason = "reason",
        /// A `type`, `__type` or error-type header.
        Type = "type",
        /// A `status` name of the body, such as `RESOURCE_EXHAUSTED`.
        Status = "status",
        /// The words of a message.
        Text = "text",
        /// A quota's name in the details.
        Quota = "quota",
        /// A response header.
        Header = "header",
        /// A finish reason, or what an answer holds or lacks.
        Answer = "answer",
        /// The page of an edge or proxy.
        Page = "page",
        /// The HTTP status alone.
        HttpStatus = "http_status",
        /// The stated wait, which is too long for a short window.
        Wait = "wait",
        /// A dialect that the user added.
        Custom = "custom",
        /// Nothing decided: the conservative arm.
        Nothing = "nothing",
    }
}

/// What decided a verdict: safe to log, and to paste into a bug report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Evidence {
    /// The field that decided.
    pub field: Field,
    /// The rules file and the line that decided, where a rule did.
    pub rule: Option<RuleId>,
}

/// One line of one rules file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct RuleId {
    /// The file: a dialect's name, `general`, or `user` for rules added at run time.
    pub file: &'static str,
    /// The line, counted from one.
    pub line: u16,
}

/// A verdict with the reason for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// The verdict.
    pub verdict: Verdict,
    /// What decided it.
    pub evidence: Evidence,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rule {
            Some(rule) => write!(f, "{} by rule {}:{}", self.field, rule.file, rule.line),
            None => write!(f, "{}", self.field),
        }
    }
}
