//! Durations and call ranges as people write them.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};

/// A duration written as `"250ms"`, `"5s"`, `"1.5s"`, `"2m"`, or as `"forever"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait(pub Option<Duration>);

/// A duration that must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub Duration);

/// A range of calls: `"3"`, `"1..5"` (both included), `"6.."`, `"..5"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calls(pub RangeInclusive<u64>);

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let seconds = match unit.trim() {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn parse_calls(text: &str) -> Option<RangeInclusive<u64>> {
    let number = |part: &str, default: u64| match part.trim() {
        "" => Some(default),
        digits => digits.parse().ok(),
    };
    let Some((first, last)) = text.split_once("..") else {
        let only: u64 = text.trim().parse().ok()?;
        return Some(only..=only);
    };
    let last = last.strip_prefix('=').unwrap_or(last);
    Some(number(first, 1)?..=number(last, u64::MAX)?)
}

struct Words<T> {
    expecting: &'static str,
    parse: fn(&str) -> Option<T>,
    number: fn(u64) -> Option<T>,
}

impl<T> Visitor<'_> for Words<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        let made = u64::try_from(number).ok().and_then(self.number);
        made.ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
    }
}

impl<'de> de::Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words {
            expecting: "a duration with its unit, as \"250ms\", \"5s\" or \"2m\"",
            parse: |text| parse_duration(text).map(Self),
            number: |_| None,
        })
    }
}

impl<'de> de::Deserialize<'de> for Wait {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words {
            expecting: "\"forever\" or a duration with its unit, as \"250ms\", \"5s\" or \"2m\"",
            parse: |text| {
                if text == "forever" {
                    Some(Self(None))
                } else {
                    parse_duration(text).map(|wait| Self(Some(wait)))
                }
            },
            number: |_| None,
        })
    }
}

impl<'de> de::Deserialize<'de> for Calls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words {
            expecting: "a range of calls counted from 1, both ends included, as \"1..5\", \"6..\" or 3",
            parse: |text| parse_calls(text).map(Self),
            number: |number| Some(Self(number..=number)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("2 m"), Some(Duration::from_secs(120)));
        for bad in ["", "5", "s", "-1s", "1.2.3s", "5 days"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(parse_calls("1..5"), Some(1..=5));
        assert_eq!(parse_calls("1..=5"), Some(1..=5));
        assert_eq!(parse_calls("6.."), Some(6..=u64::MAX));
        assert_eq!(parse_calls("..2"), Some(1..=2));
        assert_eq!(parse_calls("3"), Some(3..=3));
        assert_eq!(parse_calls("a..b"), None);
    }
}
