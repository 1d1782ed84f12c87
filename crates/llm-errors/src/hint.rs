//! How long to stay away: from headers, from the body, from the words.

use crate::dictionary::Dictionary;
use crate::duration::MAX_WAIT;
use crate::kind::ErrorKind;
use crate::lexicon::{NUMBER, STOP};
use crate::limit::is_limit;
use crate::snapshot::{Dimension, RateLimits};
use crate::text::Text;
use crate::verdict::{Basis, Hint, HintSource};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

/// The wait that a message states in words: as a duration, else as a date or an hour of the day.
pub(crate) fn worded(dictionary: &Dictionary, text: &Text, now: SystemTime) -> Option<Hint> {
    let interval = if text.numerals().is_empty() {
        None
    } else {
        in_text(dictionary, text)
    };
    interval
        .map(|wait| Hint::new(wait, HintSource::Text))
        .or_else(|| dated(dictionary, text, now))
}

/// The wait until the date that a message names as the end of the limit. `None` where `now` is
/// not known (1970), or the date has no such meaning.
fn dated(dictionary: &Dictionary, text: &Text, now: SystemTime) -> Option<Hint> {
    if now == UNIX_EPOCH {
        return None;
    }
    let marks = &dictionary.marks;
    let words = text.words();
    text.moments().find_map(|(at, moment)| {
        let before = words.get(at.saturating_sub(8)..at)?;
        let sentence = before
            .rsplit(|word| *word == STOP)
            .next()
            .unwrap_or_default();
        let meant = sentence
            .iter()
            .any(|word| marks.cause.contains(word) || *word == marks.until);
        let past = sentence.last() == Some(&marks.last);
        let wait = moment.after(now)?;
        (meant && !past)
            .then(|| Hint::new(wait.min(MAX_WAIT), HintSource::Text).with_basis(Basis::Date))
    })
}

/// The wait that a message states as a duration.
fn in_text(dictionary: &Dictionary, text: &Text) -> Option<Duration> {
    let words = text.words();
    let marks = &dictionary.marks;
    let mut passed = 0;
    for numeral in text.numerals() {
        let at = usize::from(numeral.at);
        if at < passed {
            continue;
        }
        let Some((millis, end)) = duration_at(dictionary, text, at) else {
            continue;
        };
        passed = end;
        let before = words.get(at.saturating_sub(8)..at).unwrap_or_default();
        let sentence = before
            .iter()
            .rposition(|word| *word == STOP)
            .map_or(before, |stop| before.get(stop + 1..).unwrap_or_default());
        let after = words
            .get(end..(end + 4).min(words.len()))
            .unwrap_or_default();
        let after = after
            .iter()
            .position(|word| *word == STOP)
            .map_or(after, |stop| after.get(..stop).unwrap_or_default());
        let near = sentence
            .get(sentence.len().saturating_sub(3)..)
            .unwrap_or_default();
        let led = near
            .iter()
            .any(|word| marks.lead.contains(word) || marks.cause.contains(word));
        let caused = sentence.iter().any(|word| marks.cause.contains(word));
        let follows = after.iter().any(|word| marks.cause.contains(word));
        let other = near
            .iter()
            .any(|word| *word == marks.last || *word == marks.per);
        if !other
            && ((led && caused)
                || follows
                    && (led
                        || near.is_empty()
                        || after.first().is_some_and(|word| marks.lead.contains(word))))
        {
            return Some(Duration::from_millis(millis).min(MAX_WAIT));
        }
    }
    None
}

/// The duration that begins at word `at`: milliseconds and the word after it.
fn duration_at(dictionary: &Dictionary, text: &Text, at: usize) -> Option<(u64, usize)> {
    let marks = &dictionary.marks;
    let words = text.words();
    let mut millis: u64 = 0;
    let mut place = at;
    let mut end = at;
    while words.get(place) == Some(&NUMBER) {
        let Some(unit) = words.get(place + 1) else {
            break;
        };
        let per_unit = match *unit {
            unit if unit == marks.millisecond => 1,
            unit if unit == marks.second => 1_000,
            unit if unit == marks.minute => 60_000,
            unit if unit == marks.hour => 3_600_000,
            unit if unit == marks.day => 86_400_000,
            _ => break,
        };
        let milli = text.value(u16::try_from(place).ok()?)?;
        millis = millis.saturating_add(milli.saturating_mul(per_unit) / 1000);
        end = place + 2;
        // "2 minutes and 5 seconds"
        place = end + usize::from(words.get(end) == Some(&marks.and));
    }
    (end > at).then_some((millis, end))
}

/// Kinds for which a wait means something.
pub(crate) const fn takes_hint(kind: ErrorKind) -> bool {
    is_limit(kind)
        || matches!(
            kind,
            ErrorKind::OrgLimit
                | ErrorKind::Billing
                | ErrorKind::Overloaded
                | ErrorKind::ServerError
                | ErrorKind::BadGatewayHtml
                | ErrorKind::Timeout
                | ErrorKind::Network
                | ErrorKind::Conflict
                | ErrorKind::Truncated
        )
}

/// Of two statements of one wait the one with more digits; of two that disagree the first.
pub(crate) fn more_precise(first: Option<Hint>, second: Option<Hint>) -> Option<Hint> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let apart = first.wait().abs_diff(second.wait());
            let finer = second.wait().subsec_millis() != 0 && first.wait().subsec_millis() == 0;
            Some(if apart <= Duration::from_millis(1000) && finer {
                second
            } else {
                first
            })
        }
        (first, second) => first.or(second),
    }
}
