//! Rules: the lines of dialect files, as data.
//!
//! ```text
//! # a comment
//! dialect openai
//! code context_length_exceeded = context_length
//! code rate_limit_exceeded ~ rate_limit_other
//! own code 1302 = rate_limit_concurrency
//! text @4xx thread already has an active run = conflict yes
//! page @403 you have been blocked = bad_gateway_html no_same_target
//! limit maximum context length * #
//! asked resulted in # tokens
//! ```

use crate::kind::{ErrorKind, Scope};
use crate::lexicon::{Lexicon, WordKey};
use crate::pattern::Pattern;
use crate::provider::Provider;
use crate::verdict::Resend;
use std::fmt;

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u32);

impl Kinds {
    pub(crate) const ALL: Self = Self(u32::MAX);
    pub(crate) const NONE: Self = Self(0);

    pub(crate) const fn of(kinds: &[ErrorKind]) -> Self {
        let mut bits = 0;
        let mut rest = kinds;
        while let [kind, more @ ..] = rest {
            bits |= 1 << *kind as u32;
            rest = more;
        }
        Self(bits)
    }

    /// A bit for each kind.
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    /// The set with this kind.
    pub(crate) const fn with(self, kind: ErrorKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// Have the sets a kind in common?
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set without these kinds.
    pub(crate) const fn without(self, kinds: &[ErrorKind]) -> Self {
        Self(self.0 & !Self::of(kinds).0)
    }

    pub(crate) const fn contains(self, kind: ErrorKind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }
}

/// How much a code decides. Later is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Nothing but "the request is at fault".
    Vague,
    /// The meaning of an HTTP status.
    Status,
    /// A code that the text may overrule altogether.
    Weak,
    /// A status that is rarely misused, such as 429.
    FirmStatus,
    /// A code whose family is certain: the text may only tell which member.
    Family,
    /// A code that decides alone.
    Final,
}

/// What a rule concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) kind: ErrorKind,
    pub(crate) resend: Option<Resend>,
    pub(crate) scope: Option<Scope>,
}

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) outcome: Outcome,
    pub(crate) rank: Rank,
    /// The line of the rule, for evidence; 0 for none.
    pub(crate) rule: u16,
}

impl Signal {
    /// In one number, which is not 0.
    pub(crate) fn pack(self) -> u64 {
        let Outcome {
            kind,
            resend,
            scope,
        } = self.outcome;
        let resend = resend.map_or(0, |resend| resend as u64 + 1);
        let scope = scope.map_or(0, |scope| scope as u64 + 1);
        1 | (kind as u64) << 8
            | resend << 16
            | scope << 24
            | (self.rank as u64) << 32
            | u64::from(self.rule) << 40
    }

    /// What [`Self::pack`] made one number of; `None` for any other.
    pub(crate) fn unpack(bits: u64) -> Option<Self> {
        const RANKS: [Rank; 6] = [
            Rank::Vague,
            Rank::Status,
            Rank::Weak,
            Rank::FirmStatus,
            Rank::Family,
            Rank::Final,
        ];
        let [1, kind, resend, scope, rank, low, high, _] = bits.to_le_bytes() else {
            return None;
        };
        let place = |number: u8| usize::from(number).wrapping_sub(1);
        Some(Self {
            outcome: Outcome {
                kind: *ErrorKind::ALL.get(usize::from(kind))?,
                resend: Resend::ALL.get(place(resend)).copied(),
                scope: Scope::ALL.get(place(scope)).copied(),
            },
            rank: *RANKS.get(usize::from(rank))?,
            rule: u16::from_le_bytes([low, high]),
        })
    }
}

/// The kinds that a code of this kind's family may turn out to be.
pub(crate) const fn family(kind: ErrorKind) -> Kinds {
    use ErrorKind as K;
    match kind {
        // what is spent is not there again later, whatever the words advise
        K::QuotaExhausted => family(K::RateLimitOther).without(&[K::Overloaded]),
        K::RateLimitRequests | K::RateLimitTokens | K::RateLimitConcurrency | K::RateLimitOther => {
            Kinds::of(&[
                K::RateLimitRequests,
                K::RateLimitTokens,
                K::RateLimitConcurrency,
                K::RateLimitOther,
                K::QuotaExhausted,
                K::OrgLimit,
                K::Billing,
                K::Overloaded,
                K::AuthPermission,
            ])
        }
        K::OrgLimit | K::Billing => Kinds::of(&[
            K::OrgLimit,
            K::Billing,
            K::QuotaExhausted,
            K::RateLimitRequests,
            K::RateLimitTokens,
        ]),
        K::Overloaded => Kinds::of(&[
            K::Overloaded,
            K::RateLimitConcurrency,
            K::Billing,
            K::QuotaExhausted,
        ]),
        K::AuthInvalidKey | K::AuthPermission => Kinds::of(&[
            K::AuthInvalidKey,
            K::AuthPermission,
            K::OrgLimit,
            K::Billing,
            K::QuotaExhausted,
            K::ModelNotFound,
            K::ModelDeprecated,
            K::ContentFilter,
            K::UnsupportedFeature,
            K::RateLimitRequests,
            K::RateLimitOther,
        ]),
        K::ModelNotFound => Kinds::of(&[
            K::ModelNotFound,
            K::ModelDeprecated,
            K::UnsupportedFeature,
            K::AuthPermission,
        ]),
        K::ContextLength | K::PayloadTooLarge => Kinds::of(&[
            K::ContextLength,
            K::PayloadTooLarge,
            K::OutputLimit,
            K::RateLimitTokens,
        ]),
        K::Timeout => Kinds::of(&[K::Timeout, K::Truncated, K::Overloaded, K::Network]),
        K::ToolCallInvalid | K::StructuredOutputInvalid => Kinds::of(&[
            K::ToolCallInvalid,
            K::StructuredOutputInvalid,
            K::SchemaInvalid,
        ]),
        _ => Kinds::ALL,
    }
}

/// The statuses in which a text rule speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statuses {
    ranges: [(u16, u16); 6],
    len: u8,
}

impl Statuses {
    fn parse(source: &str) -> Option<Self> {
        let mut statuses = Self::default();
        for part in source.split(',') {
            let range = match part {
                "none" => (0, 0),
                "4xx" => (400, 499),
                "5xx" => (500, 599),
                "2xx" => (200, 299),
                _ => {
                    let status = part.parse().ok()?;
                    (status, status)
                }
            };
            *statuses.ranges.get_mut(usize::from(statuses.len))? = range;
            statuses.len += 1;
        }
        Some(statuses)
    }

    /// No condition, or this status (0 = unknown) is among them.
    pub(crate) fn allow(&self, status: u16) -> bool {
        self.len == 0
            || self
                .ranges
                .iter()
                .take(usize::from(self.len))
                .any(|(low, high)| (*low..=*high).contains(&status))
    }
}

/// What a phrase says, and when it counts.
#[derive(Clone, Debug)]
pub(crate) struct TextRule {
    pub(crate) statuses: Statuses,
    pub(crate) provider: Option<Provider>,
    pub(crate) outcome: Outcome,
    pub(crate) line: u16,
}

impl TextRule {
    /// Does it count for this provider and this status?
    #[inline]
    pub(crate) fn counts(&self, provider: Provider, status: u16) -> bool {
        self.provider.is_none_or(|of| of == provider) && self.statuses.allow(status)
    }
}

/// One line of a dialect file, read.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    /// A code, normalised, and what it says; to one provider only where one is named.
    Code(u64, Option<Provider>, Signal),
    /// A phrase of the message.
    Text(Pattern, TextRule),
    /// A phrase of an edge's page.
    Page(Pattern, TextRule),
    /// A phrase that states the context window.
    Limit(Pattern),
    /// A phrase that states the size asked for.
    Asked(Pattern),
    /// A phrase that states an allowance and the size of the request.
    Allowance(Pattern),
    /// A phrase that speaks of a long window: a day, a month, a plan.
    Span(Pattern),
    /// A phrase with which models decline.
    Refusal(Pattern),
    /// A finish reason, normalised, that is a failure.
    Finish(u64, ErrorKind),
}

/// A line of a rules file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for RuleError {}

/// Reads one line. `Ok(None)` for blank lines, comments and `dialect` lines (which set `dialect`).
pub(crate) fn parse(
    line: &str,
    number: u16,
    dialect: &mut Option<Provider>,
    lexicon: &mut Lexicon,
) -> Result<Option<Rule>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (own, line) = line
        .strip_prefix("own ")
        .map_or((false, line), |rest| (true, rest));
    let (word, rest) = line.split_once(' ').ok_or("a keyword alone")?;
    let rest = rest.trim();
    match word {
        "dialect" => {
            *dialect = match rest {
                "*" => None,
                name => Some(name.parse().map_err(|_| "no such provider")?),
            };
            Ok(None)
        }
        "limit" | "asked" | "allowance" | "span" | "refusal" => {
            let pattern = Pattern::parse(rest, lexicon).ok_or("the pattern requires no word")?;
            Ok(Some(match word {
                "limit" => Rule::Limit(pattern),
                "asked" => Rule::Asked(pattern),
                "allowance" => Rule::Allowance(pattern),
                "span" => Rule::Span(pattern),
                _ => Rule::Refusal(pattern),
            }))
        }
        "finish" => {
            let (reason, _, outcome) = conclusion(rest)?;
            let key = code_key(reason.as_bytes()).ok_or("the code is empty or too long")?;
            Ok(Some(Rule::Finish(key, outcome.kind)))
        }
        "code" => {
            let (code, rank, outcome) = conclusion(rest)?;
            let numeric = code.bytes().all(|byte| byte.is_ascii_digit());
            let provider = if own || numeric { *dialect } else { None };
            let key = code_key(code.as_bytes()).ok_or("the code is empty or too long")?;
            let signal = Signal {
                outcome,
                rank,
                rule: number,
            };
            Ok(Some(Rule::Code(key, provider, signal)))
        }
        "text" | "page" => {
            let (left, _, outcome) = conclusion(rest)?;
            let (statuses, phrase) = match left.strip_prefix('@') {
                Some(left) => {
                    let (list, phrase) = left.split_once(' ').ok_or("a condition alone")?;
                    (Statuses::parse(list).ok_or("no such status")?, phrase)
                }
                None => (Statuses::default(), left),
            };
            let pattern = Pattern::parse(phrase, lexicon).ok_or("the pattern requires no word")?;
            let rule = TextRule {
                statuses,
                provider: *dialect,
                outcome,
                line: number,
            };
            Ok(Some(if word == "page" {
                Rule::Page(pattern, rule)
            } else {
                Rule::Text(pattern, rule)
            }))
        }
        _ => Err("an unknown keyword"),
    }
}

/// Splits `left = kind modifiers` at its last separator.
fn conclusion(line: &str) -> Result<(&str, Rank, Outcome), &'static str> {
    let (at, rank) = [
        (" = ", Rank::Final),
        (" ~ ", Rank::Family),
        (" ? ", Rank::Weak),
        (" - ", Rank::Vague),
    ]
    .into_iter()
    .filter_map(|(mark, rank)| line.rfind(mark).map(|at| (at, rank)))
    .max_by_key(|(at, _)| *at)
    .ok_or("no conclusion: expected `=`, `~` or `?`")?;
    let left = line.get(..at).unwrap_or_default().trim();
    let mut right = line.get(at + 3..).unwrap_or_default().split_whitespace();
    let kind = right
        .next()
        .and_then(|name| name.parse().ok())
        .ok_or("no such kind")?;
    let mut outcome = Outcome {
        kind,
        resend: None,
        scope: None,
    };
    for modifier in right {
        if let Ok(resend) = modifier.parse() {
            outcome.resend = Some(resend);
        } else if let Ok(scope) = modifier.parse() {
            outcome.scope = Some(scope);
        } else {
            return Err("an unknown modifier");
        }
    }
    Ok((left, rank, outcome))
}

/// Longest code that is looked up whole.
const MAX_CODE_BYTES: usize = 64;

/// The key of a code: letters and digits in lower case, without the endings "Exception" and
/// "Error", so that `rate_limit_error`, `RateLimitError` and `RATE_LIMIT` are one. `None` for
/// what is empty or too long.
pub(crate) fn code_key(code: &[u8]) -> Option<u64> {
    let mut name = code;
    for ending in [&b"exception"[..], b"error"] {
        if let Some((rest, tail)) = name
            .len()
            .checked_sub(ending.len())
            .and_then(|at| name.split_at_checked(at))
            // most names end otherwise
            && tail.last().map(|byte| byte | 0x20) == ending.last().copied()
            && tail.eq_ignore_ascii_case(ending)
            && rest.iter().any(|byte| counts(*byte))
        {
            name = rest;
        }
    }
    let mut key = WordKey::new();
    for byte in name {
        if counts(*byte) {
            key.push(*byte);
        }
    }
    let len = key.len() as usize;
    (1..=MAX_CODE_BYTES).contains(&len).then(|| key.finish())
}

/// Letters, digits and what is not ASCII count in a code.
#[expect(
    clippy::indexing_slicing,
    reason = "a table of 256 entries, indexed by a byte"
)]
const fn counts(byte: u8) -> bool {
    COUNTS[byte as usize]
}

/// Which bytes count in a code.
#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where a wrong index is an error"
)]
static COUNTS: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let character = byte as u8;
        table[byte] = character >= 0x80 || character.is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_survives_in_one_number() {
        let scopes = Scope::ALL.iter().copied().map(Some).chain([None]);
        for scope in scopes {
            for resend in Resend::ALL.iter().copied().map(Some).chain([None]) {
                for kind in ErrorKind::ALL {
                    for rank in [Rank::Vague, Rank::Weak, Rank::Family, Rank::Final] {
                        let outcome = Outcome {
                            kind: *kind,
                            resend,
                            scope,
                        };
                        let rule = 1200;
                        let signal = Signal {
                            outcome,
                            rank,
                            rule,
                        };
                        assert_eq!(Signal::unpack(signal.pack()), Some(signal));
                    }
                }
            }
        }
        assert_eq!(Signal::unpack(0), None);
    }
}
