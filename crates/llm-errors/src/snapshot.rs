//! Rate-limit snapshots: what is left of each window, from the headers of any reply.

mod policy;

use crate::duration::{self, MAX_WAIT};
use crate::header::Headers;
use crate::kind::named;
use crate::lexicon::hash;
use crate::window::window;
use crate::word::short_numeral;
use std::time::{Duration, SystemTime};

named! {
    /// What a window counts.
    #[non_exhaustive]
    pub enum Dimension {
        /// Requests, in the provider's short window.
        Requests = "requests",
        /// Tokens in and out together.
        Tokens = "tokens",
        /// Prompt tokens.
        InputTokens = "input_tokens",
        /// Generated tokens.
        OutputTokens = "output_tokens",
        /// Requests a day.
        RequestsPerDay = "requests_per_day",
        /// Tokens a day.
        TokensPerDay = "tokens_per_day",
        /// A plan's window of hours or days.
        Plan = "plan",
        /// Images or other items.
        Items = "items",
        /// A window whose dimension is not told.
        Unnamed = "unnamed",
    }
}

impl Dimension {
    /// Is it a window of the `wanted` dimension, whatever its span?
    pub(crate) const fn is(self, wanted: Self) -> bool {
        matches!(
            (wanted, self),
            (
                Self::Tokens,
                Self::Tokens | Self::InputTokens | Self::OutputTokens | Self::TokensPerDay
            ) | (Self::Requests, Self::Requests | Self::RequestsPerDay)
        )
    }
}

/// One window: the parts that the headers stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Window {
    /// What it counts.
    pub dimension: Dimension,
    /// The allowance.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// The time until it is full again; zero where the stated date has passed.
    pub reset: Option<Duration>,
    /// The reset was stated as a date rather than as an interval.
    pub dated: bool,
    /// The whole length of the window, where a policy stated it.
    pub span: Option<Duration>,
}

impl Window {
    const fn empty(dimension: Dimension) -> Self {
        Self {
            dimension,
            limit: None,
            remaining: None,
            reset: None,
            dated: false,
            span: None,
        }
    }
}

/// The windows that the headers of one reply speak of, at most eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    windows: [Option<Window>; Self::MAX],
    /// A hash of the policy's name that a window goes by; 0 for none.
    names: [u64; Self::MAX],
    len: usize,
}

impl RateLimits {
    /// Windows kept of one reply; more are ignored.
    pub const MAX: usize = 8;

    /// No windows.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            windows: [None; Self::MAX],
            names: [0; Self::MAX],
            len: 0,
        }
    }

    /// Reads every known family: `x-ratelimit-*` (also spelt `x-rate-limit-*`),
    /// `anthropic-ratelimit-*`, and the IETF's `ratelimit`, `ratelimit-policy` and `ratelimit-*`
    /// (draft-ietf-httpapi-ratelimit-headers; quota, window and unit; the partition key is passed
    /// over). Resets stated as dates are counted from `now`.
    #[must_use]
    pub fn read(headers: &dyn Headers, now: SystemTime) -> Self {
        let mut limits = Self::new();
        headers.for_each(&mut |name, value| limits.take(name, value, now));
        limits
    }

    /// The windows in the order in which the headers named them.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().take(self.len).flatten()
    }

    /// The window of this dimension.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> Option<&Window> {
        self.windows().find(|window| window.dimension == dimension)
    }

    /// True where no header spoke of a limit.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn entry(&mut self, dimension: Dimension) -> Option<&mut Window> {
        let known = self
            .windows()
            .zip(&self.names)
            .position(|(window, name)| window.dimension == dimension && *name == 0);
        if let Some(at) = known {
            return self.windows.get_mut(at)?.as_mut();
        }
        let free = self.windows.get_mut(self.len)?;
        self.len += 1;
        Some(free.insert(Window::empty(dimension)))
    }

    /// Reads one header, if it is of a known family.
    #[inline]
    pub(crate) fn take(&mut self, name: &str, value: &[u8], now: SystemTime) {
        let name = name.as_bytes();
        // most headers begin otherwise
        if let Some(b'x' | b'X' | b'a' | b'A' | b'r' | b'R') = name.first() {
            self.read_header(name, value, now);
        }
    }

    fn read_header(&mut self, name: &[u8], value: &[u8], now: SystemTime) {
        // the shortest of them has 24 letters
        if name.len() >= 24
            && let Some((part, dimension)) = common(name)
        {
            self.set(part, dimension, value, now);
            return;
        }
        let Some(rest) = family(name) else { return };
        if rest.is_empty() || rest.eq_ignore_ascii_case(b"-policy") {
            policy::read(value, now, self);
            return;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        if let Some((part, dimension)) = split(rest) {
            self.set(part, dimension, value, now);
        }
    }

    /// Keeps one part of a window, unless it is known already.
    fn set(&mut self, part: Part, dimension: Dimension, value: &[u8], now: SystemTime) {
        let Some(window) = self.entry(dimension) else {
            return;
        };
        match part {
            Part::Limit => window.limit = window.limit.or_else(|| number(value)),
            Part::Remaining => window.remaining = window.remaining.or_else(|| number(value)),
            Part::Reset => {
                if window.reset.is_none()
                    && let Some((reset, dated)) = reset(value, now)
                {
                    window.reset = Some(reset);
                    window.dated = dated;
                }
            }
        }
    }

    /// The window of the policy with this name: one for each name, and one for no name.
    fn named(&mut self, name: &[u8]) -> Option<&mut Window> {
        let key = if name.is_empty() {
            0
        } else {
            hash(name).max(1)
        };
        let known = self
            .names
            .iter()
            .take(self.len)
            .position(|known| *known == key && key != 0);
        let Some(at) = known else {
            if key == 0 {
                return self.entry(Dimension::Unnamed);
            }
            let free = self.windows.get_mut(self.len)?;
            *self.names.get_mut(self.len)? = key;
            self.len += 1;
            return Some(free.insert(Window::empty(Dimension::Unnamed)));
        };
        self.windows.get_mut(at)?.as_mut()
    }
}

#[derive(Clone, Copy)]
enum Part {
    Limit,
    Remaining,
    Reset,
}

/// The commonest names by themselves.
#[inline]
const fn common(name: &[u8]) -> Option<(Part, Dimension)> {
    const LIMIT_REQUESTS: u64 = hash(b"x-ratelimit-limit-requests");
    const LIMIT_TOKENS: u64 = hash(b"x-ratelimit-limit-tokens");
    const REMAINING_REQUESTS: u64 = hash(b"x-ratelimit-remaining-requests");
    const REMAINING_TOKENS: u64 = hash(b"x-ratelimit-remaining-tokens");
    const RESET_REQUESTS: u64 = hash(b"x-ratelimit-reset-requests");
    const RESET_TOKENS: u64 = hash(b"x-ratelimit-reset-tokens");
    Some(match hash(name) {
        LIMIT_REQUESTS => (Part::Limit, Dimension::Requests),
        LIMIT_TOKENS => (Part::Limit, Dimension::Tokens),
        REMAINING_REQUESTS => (Part::Remaining, Dimension::Requests),
        REMAINING_TOKENS => (Part::Remaining, Dimension::Tokens),
        RESET_REQUESTS => (Part::Reset, Dimension::Requests),
        RESET_TOKENS => (Part::Reset, Dimension::Tokens),
        _ => return None,
    })
}

/// What follows the family's prefix in the name of a rate-limit header.
fn family(name: &[u8]) -> Option<&[u8]> {
    // most headers fail on their first bytes
    let prefix: &[u8] = match (name.first()?, name.get(2)?, name.get(6)?) {
        (b'x' | b'X', b'r' | b'R', b'-') => b"x-rate-limit",
        (b'x' | b'X', b'r' | b'R', _) => b"x-ratelimit",
        (b'a' | b'A', b't' | b'T', _) => b"anthropic-ratelimit",
        (b'r' | b'R', b't' | b'T', _) => b"ratelimit",
        _ => return None,
    };
    let (head, rest) = name.split_at_checked(prefix.len())?;
    (head == prefix || head.eq_ignore_ascii_case(prefix)).then_some(rest)
}

/// `limit-requests`, `requests-limit`, `remaining-tokens-minute`, `limit`: the part and what is
/// counted.
fn split(rest: &[u8]) -> Option<(Part, Dimension)> {
    let (mut part, mut tokens, mut requests, mut input, mut output) =
        (None, false, false, false, false);
    let (mut day, mut plan, mut items) = (false, false, false);
    for word in rest.split(|byte| *byte == b'-') {
        let is = |name: &[u8]| word.eq_ignore_ascii_case(name);
        match word.len() {
            3 if is(b"day") => day = true,
            5 if is(b"limit") => part = Some(Part::Limit),
            5 if is(b"reset") => part = Some(Part::Reset),
            5 if is(b"input") || is(b"daily") => {
                input |= is(b"input");
                day |= is(b"daily");
            }
            5 if is(b"token") => tokens = true,
            6 if is(b"tokens") => tokens = true,
            6 if is(b"output") => output = true,
            6 if is(b"images") => items = true,
            6 if is(b"prompt") => input = true,
            7 if is(b"request") => requests = true,
            7 if is(b"unified") => plan = true,
            8 if is(b"requests") => requests = true,
            9 if is(b"remaining") => part = Some(Part::Remaining),
            9 if is(b"generated") => output = true,
            _ => {}
        }
    }
    let dimension = match (plan, items, tokens, requests) {
        (true, ..) => Dimension::Plan,
        (_, true, ..) => Dimension::Items,
        (_, _, true, _) if input => Dimension::InputTokens,
        (_, _, true, _) if output => Dimension::OutputTokens,
        (_, _, true, _) if day => Dimension::TokensPerDay,
        (_, _, true, _) => Dimension::Tokens,
        (_, _, _, true) if day => Dimension::RequestsPerDay,
        (_, _, _, true) => Dimension::Requests,
        _ => Dimension::Unnamed,
    };
    part.map(|part| (part, dimension))
}

/// The integer part of a count.
#[inline]
fn number(value: &[u8]) -> Option<u64> {
    match window(value, 0).and_then(short_numeral) {
        Some((number, _)) => Some(number),
        None => long_number(value),
    }
}

#[inline(never)]
fn long_number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let end = value
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(value.len());
    let digits = value.get(..end)?;
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |value, byte| value * 10 + u64::from(byte - b'0')),
    )
}

/// A reset: a duration, seconds, seconds or milliseconds since 1970, or a date.
fn reset(value: &[u8], now: SystemTime) -> Option<(Duration, bool)> {
    /// A bare number above this is a date, below it an interval: ten years in seconds.
    const DATE_FROM_SECS: u64 = 315_360_000;
    let value = value.trim_ascii();
    let bare = value
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if (!bare || number(value).is_none_or(|seconds| seconds < DATE_FROM_SECS))
        && let Some(interval) = duration::parse(value)
    {
        return Some((interval, false));
    }
    let at = duration::instant(value)?;
    Some((
        at.duration_since(now).unwrap_or_default().min(MAX_WAIT),
        true,
    ))
}
