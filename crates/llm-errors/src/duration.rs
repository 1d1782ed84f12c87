//! Durations and dates, in every form that providers write them.

use crate::window::window;
use crate::word::short_numeral;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// No wait is believed beyond this; what is longer is cut to it.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(49 * 24 * 60 * 60);

/// Reads `12`, `0.5`, `28s`, `6ms`, `1m30.5s`, `1h2m`, `7d`, `PT1M30S`, `00:01:30`: a bare number
/// is in seconds.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Option<Duration> {
    // most are whole seconds or milliseconds
    if let Some((count, len)) = window(text, 0).and_then(short_numeral) {
        match text.get(len..) {
            Some(b"" | b"s") => return Some(Duration::from_secs(count).min(MAX_WAIT)),
            Some(b"ms") => return Some(Duration::from_millis(count)),
            _ => {}
        }
    }
    parse_any(text)
}

#[inline(never)]
fn parse_any(text: &[u8]) -> Option<Duration> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    let text = text.strip_prefix(b"PT").unwrap_or(text);
    let mut total_micros: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .iter()
            .position(|byte| !byte.is_ascii_digit() && *byte != b'.')
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let milli = crate::scan::milli(number)?;
        let letters = tail
            .iter()
            .position(|byte| !byte.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let micros = unit_micros(unit)?;
        total_micros = total_micros.saturating_add(milli.saturating_mul(micros) / 1000);
        rest = tail.trim_ascii_start();
        if unit.is_empty() && !rest.is_empty() {
            let (span, len) = clock(text)?;
            return (len == text.len()).then_some(span);
        }
    }
    Some(Duration::from_micros(total_micros).min(MAX_WAIT))
}

/// A span as a clock shows it at the start of `text`: `00:12:34`, with days `6.11:22:33`, with a
/// fraction `00:00:01.5`; and the bytes it takes. Azure's API Management states the wait for a quota
/// so: <https://learn.microsoft.com/azure/api-management/api-management-error-handling-policies>,
/// read 2026-11-26.
pub(crate) fn clock(text: &[u8]) -> Option<(Duration, usize)> {
    let len = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = len(0);
    let mut days = 0;
    let mut hours = digits(text, 0, at).filter(|_| (1..=3).contains(&at))?;
    if text.get(at) == Some(&b'.') {
        days = hours;
        hours = digits(text, at + 1, 2).filter(|hours| *hours < 24)?;
        at += 3;
    }
    let minutes = digits(text, at + 1, 2).filter(|minutes| *minutes < 60)?;
    let seconds = digits(text, at + 4, 2).filter(|seconds| *seconds < 60)?;
    if text.get(at) != Some(&b':') || text.get(at + 3) != Some(&b':') {
        return None;
    }
    at += 6;
    if text.get(at) == Some(&b'.') && len(at + 1) > 0 {
        at += 1 + len(at + 1);
    }
    let joined = text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let span = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    (!joined && len(at) == 0).then(|| (Duration::from_secs(span), at))
}

/// Microseconds in a unit; a missing unit is seconds.
fn unit_micros(unit: &[u8]) -> Option<u64> {
    Some(match unit {
        b"" | b"s" | b"sec" | b"secs" | b"second" | b"seconds" | b"S" => 1_000_000,
        b"ms" | b"milliseconds" => 1_000,
        b"us" => 1,
        b"ns" => 0,
        b"m" | b"min" | b"mins" | b"minute" | b"minutes" | b"M" => 60_000_000,
        b"h" | b"hr" | b"hrs" | b"hour" | b"hours" | b"H" => 3_600_000_000,
        b"d" | b"day" | b"days" => 86_400_000_000,
        _ => return None,
    })
}

/// Reads an instant: seconds or milliseconds since 1970, an RFC 3339 date, or an HTTP date.
pub(crate) fn instant(text: &[u8]) -> Option<SystemTime> {
    let text = text.trim_ascii();
    if text
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'.')
    {
        let milli = crate::scan::milli(text)?;
        // beyond the year 5138 in seconds: it was milliseconds
        let millis = if milli >= 100_000_000_000_000 {
            milli / 1000
        } else {
            milli
        };
        return UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    }
    rfc3339(text).or_else(|| http_date(text))
}

/// `2026-03-26T20:00:00Z`, with a space for the `T`, a fraction and an offset allowed.
fn rfc3339(text: &[u8]) -> Option<SystemTime> {
    let year = digits(text, 0, 4)?;
    let month = digits(text, 5, 2)?;
    let day = digits(text, 8, 2)?;
    if text.get(4) != Some(&b'-') || text.get(7) != Some(&b'-') {
        return None;
    }
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    let mut offset_minutes: i64 = 0;
    if matches!(text.get(10), Some(b'T' | b't' | b' ')) {
        hour = digits(text, 11, 2)?;
        minute = digits(text, 14, 2)?;
        second = digits(text, 17, 2).unwrap_or(0);
        let mut rest = text.get(19..).unwrap_or_default();
        if rest.first() == Some(&b'.') {
            let len = rest
                .iter()
                .skip(1)
                .position(|byte| !byte.is_ascii_digit())
                .map_or(rest.len(), |at| at + 1);
            rest = rest.get(len..).unwrap_or_default();
        }
        if let Some(sign @ (b'+' | b'-')) = rest.first() {
            let hours = i64::try_from(digits(rest, 1, 2)?).ok()?;
            let minutes = digits(rest, 4, 2).unwrap_or(0);
            offset_minutes = hours * 60 + i64::try_from(minutes).ok()?;
            if *sign == b'-' {
                offset_minutes = -offset_minutes;
            }
        }
    }
    at(year, month, day, hour, minute, second, offset_minutes)
}

/// `Tue, 26 Mar 2024 19:59:59 GMT`.
fn http_date(text: &[u8]) -> Option<SystemTime> {
    let comma = text.iter().position(|byte| *byte == b',')?;
    let rest = text.get(comma + 1..)?.trim_ascii_start();
    let day = digits(rest, 0, 2)?;
    let name = rest.get(3..6)?;
    let month = MONTHS
        .iter()
        .position(|month| month.as_bytes().eq_ignore_ascii_case(name))? as u64
        + 1;
    let year = digits(rest, 7, 4)?;
    let (hour, minute, second) = (
        digits(rest, 12, 2)?,
        digits(rest, 15, 2)?,
        digits(rest, 18, 2)?,
    );
    at(year, month, day, hour, minute, second, 0)
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

fn digits(text: &[u8], at: usize, len: usize) -> Option<u64> {
    let part = text.get(at..at + len)?;
    part.iter().try_fold(0_u64, |value, byte| {
        byte.is_ascii_digit()
            .then(|| value * 10 + u64::from(byte - b'0'))
    })
}

/// The instant of a date in the Gregorian calendar.
fn at(
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    offset_minutes: i64,
) -> Option<SystemTime> {
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // days since 1970, counting years from March so that the leap day comes last
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days.checked_sub(719_468)?;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = i64::try_from(seconds).ok()? - offset_minutes * 60;
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(text: &str) -> Option<f64> {
        parse(text.as_bytes()).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn durations_in_every_form() {
        assert_eq!(secs("12"), Some(12.0));
        assert_eq!(secs("0.25"), Some(0.25));
        assert_eq!(secs("6ms"), Some(0.006));
        assert_eq!(secs("1m30s"), Some(90.0));
        assert_eq!(secs("1m47.5854s"), Some(107.585));
        assert_eq!(secs("10h50m43.651927829s"), Some(39_043.651));
        assert_eq!(secs("0s"), Some(0.0));
        assert_eq!(secs("PT1M30S"), Some(90.0));
        assert_eq!(secs("00:01:30"), Some(90.0));
        assert_eq!(secs("1.01:00:30"), Some(90_030.0));
        assert_eq!(secs("00:00:30.25"), Some(30.0));
        for none in [
            "",
            "-3",
            "PT",
            "1:30",
            "00:61:00",
            "2026:01:01",
            "00:00:30x",
        ] {
            assert_eq!(secs(none), None, "{none}");
        }
        assert_eq!(secs("soon"), None);
        assert_eq!(secs("99999999999999"), Some(MAX_WAIT.as_secs_f64()));
    }

    #[test]
    fn instants_in_every_form() {
        let expected = UNIX_EPOCH + Duration::from_secs(1_711_483_199);
        for text in [
            "1711483199",
            "1711483199000",
            "2024-03-26T19:59:59Z",
            "2024-03-26 19:59:59",
            "2024-03-26T20:59:59.5+01:00",
            "Tue, 26 Mar 2024 19:59:59 GMT",
        ] {
            assert_eq!(instant(text.as_bytes()), Some(expected), "{text}");
        }
        for text in [
            "",
            "2024-13-01T00:00:00Z",
            "yesterday",
            "1900-01-01T00:00:00Z",
        ] {
            assert_eq!(instant(text.as_bytes()), None, "{text}");
        }
    }
}
