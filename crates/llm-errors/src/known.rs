//! What a body told besides its words.

use crate::evidence::Field;
use crate::rule::Signal;
use crate::verdict::Hint;

/// The facts that the decision looks at.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) signal: Option<(Signal, Field)>,
    /// A status that the body states, 400 to 599, or 0.
    pub(crate) status: u16,
    pub(crate) hint: Option<Hint>,
    pub(crate) quota: Quota,
    /// The context window in tokens, or 0.
    pub(crate) limit: u32,
    /// The size asked for in tokens, or 0.
    pub(crate) asked: u32,
}

impl Known {
    /// What an empty body tells.
    pub(crate) const NOTHING: Self = Self {
        signal: None,
        status: 0,
        hint: None,
        quota: Quota::NONE,
        limit: 0,
        asked: 0,
    };
}

/// What Google's quota fields name.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    pub(crate) per_day: bool,
    pub(crate) per_minute: bool,
    pub(crate) tokens: bool,
    pub(crate) requests: bool,
    pub(crate) zero: bool,
}

impl Quota {
    /// No quota is named.
    const NONE: Self = Self {
        per_day: false,
        per_minute: false,
        tokens: false,
        requests: false,
        zero: false,
    };

    /// What the name of a quota says, such as `GenerateRequestsPerMinutePerProjectPerModel`.
    pub(crate) fn named(raw: &[u8]) -> Self {
        let mut quota = Self::NONE;
        for (at, pair) in raw.array_windows().enumerate() {
            let is = |at: usize, name: &[u8]| {
                raw.get(at..at + name.len())
                    .is_some_and(|part| part.eq_ignore_ascii_case(name))
            };
            // most places fail on their first two letters
            match &(u16::from_le_bytes(*pair) | 0x2020).to_le_bytes() {
                b"pe" if is(at, b"per") => {
                    let span = at + 3 + usize::from(raw.get(at + 3) == Some(&b'_'));
                    quota.per_day |= is(span, b"day") || is(span, b"month");
                    quota.per_minute |= is(span, b"minute") || is(span, b"second");
                }
                // an underscore with the same bit
                b"\x7fd" => quota.per_day |= is(at, b"_daily"),
                b"to" => quota.tokens |= is(at, b"token"),
                b"re" => quota.requests |= is(at, b"request"),
                _ => {}
            }
        }
        quota
    }

    /// In one number.
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.per_day)
            | u64::from(self.per_minute) << 1
            | u64::from(self.tokens) << 2
            | u64::from(self.requests) << 3
            | u64::from(self.zero) << 4
    }

    /// What [`Self::bits`] made one number of.
    pub(crate) const fn of(bits: u64) -> Self {
        Self {
            per_day: bits & 1 != 0,
            per_minute: bits & 2 != 0,
            tokens: bits & 4 != 0,
            requests: bits & 8 != 0,
            zero: bits & 16 != 0,
        }
    }

    /// Adds what another name says.
    pub(crate) const fn add(&mut self, other: Self) {
        self.per_day |= other.per_day;
        self.per_minute |= other.per_minute;
        self.tokens |= other.tokens;
        self.requests |= other.requests;
        self.zero |= other.zero;
    }
}
