//! How long to stay away: from headers, from the body, from the words.

use crate::dictionary::Dictionary;
use crate::duration::{self, MAX_WAIT};
use crate::header::Headers;
use crate::kind::ErrorKind;
use crate::lexicon::{NUMBER, STOP};
use crate::snapshot::{Dimension, RateLimits};
use crate::text::Text;
use crate::verdict::{Basis, Hint, HintSource};
use std::time::{Duration, SystemTime};

/// The wait that a header states outright.
pub(crate) fn stated(headers: &dyn Headers, now: SystemTime) -> Option<Hint> {
    for name in ["retry-after-ms", "x-ms-retry-after-ms", "x-retry-after-ms"] {
        if let Some(milli) = headers.get(name).and_then(|value| crate::scan::milli(value.trim_ascii())) {
            let wait = Duration::from_millis(milli / 1000).min(MAX_WAIT);
            return Some(Hint::new(wait, HintSource::RetryAfterHeader));
        }
    }
    for name in ["retry-after", "x-retry-after"] {
        let Some(value) = headers.get(name) else {
            continue;
        };
        if let Some(wait) = duration::parse(value) {
            return Some(Hint::new(wait, HintSource::RetryAfterHeader));
        }
        if let Some(at) = duration::instant(value) {
            let wait = at.duration_since(now).unwrap_or_default().min(MAX_WAIT);
            return Some(Hint::new(wait, HintSource::RetryAfterHeader).with_basis(Basis::Date));
        }
    }
    None
}

/// The reset of the binding window: the exhausted one, of several the latest; else the one of
/// the dimension that the text named.
pub(crate) fn window(limits: &RateLimits, kind: ErrorKind) -> Option<Hint> {
    let named = match kind {
        ErrorKind::RateLimitTokens => Some(Dimension::Tokens),
        ErrorKind::RateLimitRequests => Some(Dimension::Requests),
        _ => None,
    };
    let exhausted = limits
        .windows()
        .filter(|window| window.remaining == Some(0))
        .filter_map(|window| window.reset.map(|reset| (reset, window.dated)))
        .max();
    let found = exhausted.or_else(|| {
        limits
            .windows()
            .filter(|window| {
                window.remaining.is_none() && named.is_some_and(|named| window.dimension.is(named))
            })
            .filter_map(|window| window.reset.map(|reset| (reset, window.dated)))
            .max()
    });
    found.map(|(reset, dated)| {
        let basis = if dated { Basis::Date } else { Basis::Window };
        Hint::new(reset, HintSource::ResetHeader).with_basis(basis)
    })
}

/// The wait that a message states in words.
pub(crate) fn in_text(dictionary: &Dictionary, text: &Text) -> Option<Duration> {
    let words = text.words();
    let marks = &dictionary.marks;
    let mut at = 0;
    while at < words.len() {
        let Some((millis, end)) = duration_at(dictionary, text, at) else {
            at += 1;
            continue;
        };
        let before = words.get(at.saturating_sub(8)..at).unwrap_or_default();
        let sentence = before
            .iter()
            .rposition(|word| *word == STOP)
            .map_or(before, |stop| before.get(stop + 1..).unwrap_or_default());
        let after = words.get(end..(end + 4).min(words.len())).unwrap_or_default();
        let after = after
            .iter()
            .position(|word| *word == STOP)
            .map_or(after, |stop| after.get(..stop).unwrap_or_default());
        let near = sentence.get(sentence.len().saturating_sub(3)..).unwrap_or_default();
        let led = near.iter().any(|word| marks.lead.contains(word) || marks.cause.contains(word));
        let caused = sentence.iter().any(|word| marks.cause.contains(word));
        let follows = after.iter().any(|word| marks.cause.contains(word));
        let other = near.iter().any(|word| *word == marks.last || *word == marks.per);
        if !other && ((led && caused) || follows && (led || near.is_empty() || after.first().is_some_and(|word| marks.lead.contains(word)))) {
            return Some(Duration::from_millis(millis).min(MAX_WAIT));
        }
        at = end;
    }
    None
}

/// The duration that begins at word `at`: milliseconds and the word after it.
fn duration_at(dictionary: &Dictionary, text: &Text, at: usize) -> Option<(u64, usize)> {
    let marks = &dictionary.marks;
    let words = text.words();
    let mut millis: u64 = 0;
    let mut place = at;
    while words.get(place) == Some(&NUMBER) {
        let Some(unit) = words.get(place + 1) else { break };
        let per_unit = match *unit {
            unit if unit == marks.millisecond => 1,
            unit if unit == marks.second => 1_000,
            unit if unit == marks.minute => 60_000,
            unit if unit == marks.hour => 3_600_000,
            unit if unit == marks.day => 86_400_000,
            _ => break,
        };
        let milli = text.value(place)?;
        millis = millis.saturating_add(milli.saturating_mul(per_unit) / 1000);
        place += 2;
    }
    (place > at).then_some((millis, place))
}
