//! Dates and hours of the day inside a message.

use crate::duration::instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest text of a date that is looked at.
const MAX_BYTES: usize = 40;
const DAY_SECS: u64 = 86_400;

/// A point in time that a message names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// A date, with or without an hour.
    Date(SystemTime),
    /// An hour of the day in UTC, in seconds after midnight: its next occurrence is meant.
    Clock(u32),
}

impl Moment {
    /// Reads a date (`2026-11-24`, `2026-11-24T00:00:00Z`, `2026-11-24 00:00:00 UTC`) or an hour
    /// (`00:00 UTC`, `3:45 PM GMT`) at the start of `text`: the moment and the bytes it takes. An
    /// hour without its zone is nobody's hour and is not read.
    pub(crate) fn read(text: &[u8]) -> Option<(Self, usize)> {
        let text = text.get(..text.len().min(MAX_BYTES)).unwrap_or_default();
        if text.get(4) == Some(&b'-') {
            let hour = matches!(text.get(10), Some(b'T' | b't' | b' '))
                && text.get(11).is_some_and(u8::is_ascii_digit);
            let len = if hour {
                let rest = text.get(11..)?;
                11 + rest
                    .iter()
                    .position(|byte| {
                        !byte.is_ascii_digit() && !matches!(byte, b':' | b'.' | b'+' | b'-' | b'Z')
                    })
                    .unwrap_or(rest.len())
            } else {
                text.len().min(10)
            };
            // the full stop behind it ends the sentence
            let end = text.get(..len)?.trim_ascii_end();
            let len = end.strip_suffix(b".").unwrap_or(end).len();
            let at = instant(text.get(..len)?)?;
            return Some((Self::Date(at), len));
        }
        let (hour, len) = number(text)?;
        let (minute, more) = number(text.get(len..)?.strip_prefix(b":")?)?;
        let mut len = len + 1 + more;
        let mut second = 0;
        if let Some(rest) = text.get(len..)?.strip_prefix(b":") {
            let (value, more) = number(rest)?;
            second = value;
            len += 1 + more;
        }
        let mut hour = hour;
        let half = word(text, len);
        if let Some((name, end)) = half
            && (name.eq_ignore_ascii_case(b"am") || name.eq_ignore_ascii_case(b"pm"))
        {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12
                + if name.eq_ignore_ascii_case(b"pm") {
                    12
                } else {
                    0
                };
            len = end;
        }
        let (zone, end) = word(text, len)?;
        let utc = [&b"utc"[..], b"gmt", b"z"]
            .iter()
            .any(|known| zone.eq_ignore_ascii_case(known));
        (utc && hour < 24 && minute < 60 && second < 60)
            .then_some((Self::Clock(hour * 3600 + minute * 60 + second), end))
    }

    /// The time from `now` to it: nothing where a date has passed.
    pub(crate) fn after(self, now: SystemTime) -> Option<Duration> {
        match self {
            Self::Date(at) => at.duration_since(now).ok(),
            Self::Clock(second) => {
                let now = now.duration_since(UNIX_EPOCH).ok()?.as_secs() % DAY_SECS;
                let wait = (u64::from(second) + DAY_SECS - now) % DAY_SECS;
                Some(Duration::from_secs(wait))
            }
        }
    }
}

/// A number of one or two digits and its length.
fn number(text: &[u8]) -> Option<(u32, usize)> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = text.get(..len).filter(|_| (1..=2).contains(&len))?;
    let value = digits
        .iter()
        .fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
    Some((value, len))
}

/// The word of letters at `at`, behind at most one space or bracket each, and where it ends.
fn word(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let mut start = at;
    while matches!(text.get(start), Some(b' ' | b'(')) && start < at + 2 {
        start += 1;
    }
    let rest = text.get(start..)?;
    let len = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    (len > 0).then_some((rest.get(..len)?, start + len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23T22:30:00Z
    const NOW: u64 = 1_795_473_000;

    fn wait(text: &str) -> Option<(u64, usize)> {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        let (moment, len) = Moment::read(text.as_bytes())?;
        Some((moment.after(now)?.as_secs(), len))
    }

    #[test]
    fn dates_and_hours_are_read_with_their_zone() {
        assert_eq!(wait("2026-11-24T00:00:00Z."), Some((5400, 20)));
        assert_eq!(wait("2026-11-24 00:00:00 UTC"), Some((5400, 19)));
        assert_eq!(wait("2026-11-24T01:00:00+01:00 or"), Some((5400, 25)));
        assert_eq!(wait("2026-11-24, or"), Some((5400, 10)));
        assert_eq!(wait("00:00 UTC"), Some((5400, 9)));
        assert_eq!(wait("11:30 PM (GMT)"), Some((3600, 13)));
        assert_eq!(wait("12:00:30am UTC"), Some((5430, 14)));
    }

    #[test]
    fn what_is_past_impossible_or_without_zone_is_not_read() {
        for text in [
            "2026-11-22T00:00:00Z",
            "2026-13-40",
            "2024-0",
            "10:30",
            "10:30 PST",
            "25:00 UTC",
            "13:00 pm UTC",
            "123:45 UTC",
            "9",
            "",
        ] {
            assert_eq!(wait(text), None, "{text}");
        }
    }
}
