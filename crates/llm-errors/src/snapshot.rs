//! Rate-limit snapshots: what is left of each window, from the headers of any reply.

use crate::duration::{self, MAX_WAIT};
use crate::header::Headers;
use crate::kind::named;
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
}

impl Window {
    const fn empty(dimension: Dimension) -> Self {
        Self {
            dimension,
            limit: None,
            remaining: None,
            reset: None,
            dated: false,
        }
    }
}

/// The windows that the headers of one reply speak of, at most eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    windows: [Window; Self::MAX],
    len: usize,
}

impl RateLimits {
    /// Windows kept of one reply; more are ignored.
    pub const MAX: usize = 8;

    /// Reads every known family: `x-ratelimit-*` (also spelt `x-rate-limit-*`),
    /// `anthropic-ratelimit-*`, and the IETF's `ratelimit`, `ratelimit-*`. Resets stated as dates
    /// are counted from `now`.
    #[must_use]
    pub fn read(headers: &dyn Headers, now: SystemTime) -> Self {
        let mut limits = Self {
            windows: [Window::empty(Dimension::Unnamed); Self::MAX],
            len: 0,
        };
        headers.for_each(&mut |name, value| limits.take(name, value, now));
        limits
    }

    /// The windows in the order in which the headers named them.
    pub fn windows(&self) -> impl Iterator<Item = &Window> {
        self.windows.iter().take(self.len)
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
            .position(|window| window.dimension == dimension);
        let at = match known {
            Some(at) => at,
            None if self.len < Self::MAX => {
                self.len += 1;
                self.len - 1
            }
            None => return None,
        };
        let window = self.windows.get_mut(at)?;
        window.dimension = dimension;
        Some(window)
    }

    fn take(&mut self, name: &str, value: &[u8], now: SystemTime) {
        let name = name.as_bytes();
        let Some(rest) = family(name) else { return };
        if rest.is_empty() {
            self.ietf(value, now);
            return;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        let Some((part, dimension)) = split(rest) else {
            return;
        };
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

    /// `RateLimit: "default";r=50;t=30`, or the older `limit=100, remaining=50, reset=30`.
    fn ietf(&mut self, value: &[u8], now: SystemTime) {
        for item in value.split(|byte| matches!(byte, b';' | b',')).take(16) {
            let item = item.trim_ascii();
            let mut parts = item.splitn(2, |byte| *byte == b'=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
                continue;
            };
            let Some(window) = self.entry(Dimension::Unnamed) else {
                return;
            };
            match key {
                b"r" | b"remaining" => window.remaining = number(value),
                b"t" | b"reset" => window.reset = reset(value, now).map(|(reset, _)| reset),
                b"limit" | b"q" => window.limit = number(value),
                _ => {}
            }
        }
    }
}

enum Part {
    Limit,
    Remaining,
    Reset,
}

/// What follows the family's prefix in the name of a rate-limit header.
fn family(name: &[u8]) -> Option<&[u8]> {
    // most headers fail on their first byte
    let first = *name.first()?;
    if !matches!(first, b'x' | b'X' | b'a' | b'A' | b'r' | b'R') {
        return None;
    }
    for prefix in [
        &b"x-ratelimit"[..],
        b"anthropic-ratelimit",
        b"x-rate-limit",
        b"ratelimit",
    ] {
        if name.len() >= prefix.len()
            && let Some((head, rest)) = name.split_at_checked(prefix.len())
            && head.eq_ignore_ascii_case(prefix)
        {
            return Some(rest);
        }
    }
    None
}

/// `limit-requests`, `requests-limit`, `remaining-tokens-minute`, `limit`: the part and what is
/// counted.
fn split(rest: &[u8]) -> Option<(Part, Dimension)> {
    let (mut part, mut tokens, mut requests, mut input, mut output) = (None, false, false, false, false);
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
fn number(value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii();
    let end = value
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(value.len());
    let digits = value.get(..end)?;
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    Some(digits.iter().fold(0, |value, byte| value * 10 + u64::from(byte - b'0')))
}

/// A reset: a duration, seconds, seconds or milliseconds since 1970, or a date.
fn reset(value: &[u8], now: SystemTime) -> Option<(Duration, bool)> {
    /// A bare number above this is a date, below it an interval: ten years in seconds.
    const DATE_FROM_SECS: u64 = 315_360_000;
    let value = value.trim_ascii();
    let bare = value.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    if !bare || number(value).is_none_or(|seconds| seconds < DATE_FROM_SECS) {
        if let Some(interval) = duration::parse(value) {
            return Some((interval, false));
        }
    }
    let at = duration::instant(value)?;
    Some((at.duration_since(now).unwrap_or_default().min(MAX_WAIT), true))
}
