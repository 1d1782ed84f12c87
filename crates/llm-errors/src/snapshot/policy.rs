//! The `RateLimit` and `RateLimit-Policy` fields of draft-ietf-httpapi-ratelimit-headers.

use super::{Dimension, RateLimits, Window, number, reset};
use std::time::{Duration, SystemTime};

/// Items of one field that are read.
const MAX_ITEMS: usize = 8;
/// A window at least this long is a day's.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a field: `"burst";q=100;w=60;qu="requests"`, `"burst";r=50;t=30`, and the older
/// `limit=100, remaining=50, reset=30` and `100;w=60`.
pub(super) fn read(value: &[u8], now: SystemTime, limits: &mut RateLimits) {
    for item in pieces(value, b',').take(MAX_ITEMS) {
        let mut parts = pieces(item, b';');
        let Some(head) = parts.next() else { continue };
        let bare = head.iter().all(u8::is_ascii_digit);
        let (name, old) = if bare || head.contains(&b'=') {
            (&b""[..], Some(head))
        } else {
            (unquoted(head), None)
        };
        let Some(window) = limits.named(name) else {
            return;
        };
        if let Some(dimension) = dimension(name) {
            window.dimension = dimension;
        }
        match old {
            Some(quota) if bare => window.limit = window.limit.or_else(|| number(quota)),
            Some(pair) => parameter(window, pair, now),
            None => {}
        }
        for pair in parts {
            parameter(window, pair, now);
        }
        window.dimension = match window.dimension {
            Dimension::Requests if window.span >= Some(DAY) => Dimension::RequestsPerDay,
            Dimension::Tokens if window.span >= Some(DAY) => Dimension::TokensPerDay,
            dimension => dimension,
        };
    }
}

fn parameter(window: &mut Window, pair: &[u8], now: SystemTime) {
    let mut parts = pair.splitn(2, |byte| *byte == b'=');
    let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
        return;
    };
    match key.trim_ascii() {
        b"q" | b"limit" => window.limit = window.limit.or_else(|| number(value)),
        b"r" | b"remaining" => window.remaining = window.remaining.or_else(|| number(value)),
        b"t" | b"reset" if window.reset.is_none() => {
            window.reset = reset(value, now).map(|(reset, _)| reset);
        }
        b"w" if window.span.is_none() => window.span = number(value).map(Duration::from_secs),
        b"qu" => {
            if let Some(dimension) = dimension(unquoted(value)) {
                window.dimension = dimension;
            }
        }
        // `pk` tells callers apart; it is of no use to one of them
        _ => {}
    }
}

/// What a unit or a policy's name says is counted.
fn dimension(name: &[u8]) -> Option<Dimension> {
    let has = |needle: &[u8]| {
        name.windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
    };
    if has(b"token") && has(b"input") {
        Some(Dimension::InputTokens)
    } else if has(b"token") && has(b"output") {
        Some(Dimension::OutputTokens)
    } else if has(b"token") {
        Some(Dimension::Tokens)
    } else if has(b"concurrent") {
        None
    } else if has(b"request") {
        Some(Dimension::Requests)
    } else {
        None
    }
}

/// The pieces between separators that stand outside quotes, trimmed.
fn pieces(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    value
        .split(move |byte| {
            quoted ^= *byte == b'"';
            *byte == separator && !quoted
        })
        .map(<[u8]>::trim_ascii)
}

fn unquoted(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    value
        .strip_prefix(b"\"")
        .and_then(|value| value.strip_suffix(b"\""))
        .unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn windows(headers: &[(&str, &str)]) -> Vec<Window> {
        let limits = RateLimits::read(&headers, UNIX_EPOCH);
        limits.windows().copied().collect()
    }

    fn window(dimension: Dimension) -> Window {
        Window::empty(dimension)
    }

    #[test]
    fn policies_and_what_is_left_of_them_meet_by_name_in_either_order() {
        let policy = (
            "RateLimit-Policy",
            r#""burst";q=100;w=60;qu="requests", "day";q=90000;w=86400;qu="tokens";pk=:c2VjcmV0OywiOg==:"#,
        );
        let left = ("RateLimit", r#""day";r=0;t=7200, "burst";r=50;t=30"#);
        let burst = Window {
            limit: Some(100),
            remaining: Some(50),
            reset: Some(Duration::from_secs(30)),
            span: Some(Duration::from_secs(60)),
            ..window(Dimension::Requests)
        };
        let day = Window {
            limit: Some(90_000),
            remaining: Some(0),
            reset: Some(Duration::from_secs(7200)),
            span: Some(DAY),
            ..window(Dimension::TokensPerDay)
        };
        assert_eq!(windows(&[policy, left]), [burst, day]);
        assert_eq!(windows(&[left, policy]), [day, burst]);
    }

    #[test]
    fn separators_in_quotes_and_older_forms_are_read() {
        let odd = windows(&[("ratelimit-policy", r#""a,b;q=7";q=5;w=1"#)]);
        assert_eq!(odd.len(), 1);
        assert_eq!(
            (odd[0].limit, odd[0].span),
            (Some(5), Some(Duration::from_secs(1)))
        );
        let old = windows(&[
            ("ratelimit", "limit=100, remaining=9, reset=4"),
            ("ratelimit-policy", "100;w=60"),
        ]);
        let expected = Window {
            limit: Some(100),
            remaining: Some(9),
            reset: Some(Duration::from_secs(4)),
            span: Some(Duration::from_secs(60)),
            ..window(Dimension::Unnamed)
        };
        assert_eq!(old, [expected]);
    }

    #[test]
    fn noise_and_too_many_policies_are_bounded() {
        let many =
            r#""p1";q=1,"p2";q=1,"p3";q=1,"p4";q=1,"p5";q=1,"p6";q=1,"p7";q=1,"p8";q=1,"p9";q=1"#;
        assert_eq!(
            windows(&[
                ("ratelimit-policy", many),
                ("ratelimit", many),
                ("ratelimit-policy", "\"\";;=,=\"")
            ])
            .len(),
            RateLimits::MAX
        );
    }
}
