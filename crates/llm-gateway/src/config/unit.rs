//! Durations and sizes as people write them.

use std::time::Duration;

/// The longest duration a configuration may name: beyond a day it is a slip.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Reads `250ms`, `2s`, `1.5s`, `1m30s`, `1h`. Nothing else: a bare number has no unit.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "ms" => number / 1000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = tail.trim_start();
    }
    Some(total)
}

/// Reads `32MiB`, `512KiB`, `1GiB`, `10MB`, `2048B` or a bare number of bytes.
pub(crate) fn size(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: usize = number.parse().ok()?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KB" | "kB" => 1000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2s"), Some(Duration::from_secs(2)));
        assert_eq!(duration("0s"), Some(Duration::ZERO));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("1h 5m"), Some(Duration::from_secs(3900)));
        for bad in [
            "",
            "2",
            "s",
            "-2s",
            "2 seconds",
            "2sec",
            "1..2s",
            "1e3s",
            "2s!",
        ] {
            assert_eq!(duration(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_carry_a_unit() {
        assert_eq!(size("32MiB"), Some(32 << 20));
        assert_eq!(size("10 MB"), Some(10_000_000));
        assert_eq!(size("4096"), Some(4096));
        for bad in ["", "MiB", "-1", "32M", "99999999999999999999GiB"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
    }
}
