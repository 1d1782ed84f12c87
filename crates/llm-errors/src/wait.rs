//! The wait that the words of a message state: a duration, a date or an hour of the day.
//!
//! Only what is sure is read: "a few seconds" and "soon" are not.

use crate::duration::MAX_WAIT;
use crate::lexicon::{NUMBER, STOP};
use crate::mark::Marks;
use crate::moment::Moment;
use crate::row::{Question, Row};
use crate::text::Text;
use crate::verdict::{Basis, Hint, HintSource};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wait that a row of words states: as a duration, else as a date or an hour of the day.
pub(crate) fn worded(marks: &Marks, row: &mut Row<'_>, now: SystemTime) -> Option<Hint> {
    if row.is_empty() {
        return None;
    }
    if let Some(millis) = stated(marks, row).millis(marks, row) {
        let wait = Duration::from_millis(millis).min(MAX_WAIT);
        return Some(Hint::new(wait, HintSource::Text));
    }
    dated(marks, row.fresh()?, now)
}

/// Does a row of words state a duration, so that no date counts?
pub(crate) fn states(marks: &Marks, row: &mut Row<'_>) -> bool {
    stated(marks, row).0 != 0
}

/// The duration that a row of words states.
fn stated(marks: &Marks, row: &mut Row<'_>) -> Stated {
    Stated(row.ask(Question::Wait, |text| {
        let stated = in_numerals(marks, text);
        stated
            .or_else(|| in_words(marks, text).map(Stated::words))
            .map_or(0, |stated| stated.0)
    }))
}

/// How a row of words states a duration, in one number: the words of up to five numerals, and the
/// unit of each; or milliseconds, with the highest bit; 0 for none.
#[derive(Clone, Copy, Default)]
struct Stated(u64);

impl Stated {
    /// Numerals that are added up.
    const MAX: u32 = 5;
    const PART_BITS: u32 = 12;
    const WORDS: u64 = 1 << 63;

    const fn words(millis: u64) -> Self {
        Self(millis | Self::WORDS)
    }

    /// With the numeral at word `place`, in this unit of [`Marks`].
    fn with(self, part: u32, place: usize, unit: usize) -> Self {
        if part >= Self::MAX {
            return self;
        }
        let bits = (place as u64 & 0xff) << 4 | unit as u64 & 7 | 8;
        Self(self.0 | bits << (part * Self::PART_BITS))
    }

    /// The sum.
    fn millis(self, marks: &Marks, row: &Row<'_>) -> Option<u64> {
        if self.0 & Self::WORDS != 0 {
            return Some(self.0 & !Self::WORDS);
        }
        let mut parts = self.0;
        let mut sum: Option<u64> = None;
        while parts & 8 != 0 {
            let [unit, place, ..] = (parts << 4).to_le_bytes();
            let milli = row.value(u16::from(place))?;
            let unit = marks.unit(usize::from(unit >> 4 & 7));
            let millis = milli.saturating_mul(unit) / 1000;
            sum = Some(sum.unwrap_or_default().saturating_add(millis));
            parts >>= Self::PART_BITS;
        }
        sum
    }
}

/// The words of the sentence around those from `at` to `end`: up to eight before and four after.
fn sentence(words: &[u16], at: usize, end: usize) -> (&[u16], &[u16]) {
    let before = words.get(at.saturating_sub(8)..at).unwrap_or_default();
    let before = before.rsplit(|word| *word == STOP).next();
    let after = words.get(end..(end + 4).min(words.len()));
    let after = after.unwrap_or_default().split(|word| *word == STOP).next();
    (before.unwrap_or_default(), after.unwrap_or_default())
}

/// A duration in numerals: "try again in 7m12s", "wait 5 minutes".
fn in_numerals(marks: &Marks, text: &Text) -> Option<Stated> {
    let words = text.words();
    let mut passed = 0;
    for numeral in text.numerals() {
        let at = usize::from(numeral.at);
        if at < passed {
            continue;
        }
        let Some((stated, end)) = duration_at(marks, text, at) else {
            if let Some(unit) = header_unit(marks, words, at) {
                return Some(Stated::default().with(0, at, unit));
            }
            continue;
        };
        passed = end;
        let (before, after) = sentence(words, at, end);
        let near = before
            .get(before.len().saturating_sub(3)..)
            .unwrap_or_default();
        let led = near
            .iter()
            .any(|word| marks.lead.contains(word) || marks.cause.contains(word));
        let caused = before.iter().any(|word| marks.cause.contains(word));
        let follows = after.iter().any(|word| marks.cause.contains(word));
        let other = near
            .iter()
            .any(|word| [marks.last, marks.per, marks.maximum].contains(word));
        if !other
            && ((led && caused)
                || follows
                    && (led
                        || near.is_empty()
                        || after.first().is_some_and(|word| marks.lead.contains(word))))
        {
            return Some(stated);
        }
    }
    None
}

/// The unit of a header that somebody wrote into the text, whose value is the number at word `at`:
/// `retry-after: 30` in seconds, `retry-after-ms=2500`. Nothing may follow that it could count.
fn header_unit(marks: &Marks, words: &[u16], at: usize) -> Option<usize> {
    let last = words.get(at + 1).is_none_or(|word| *word == STOP);
    match words.get(..at)? {
        [.., retry, after, unit] if *retry == marks.retry && *after == marks.after => {
            marks.unit_number(*unit)
        }
        [.., retry, after] if *retry == marks.retry && *after == marks.after && last => {
            Some(Marks::SECOND)
        }
        _ => None,
    }
}

/// A duration whose number is a word, in milliseconds: "try again in a minute", "wait for thirty
/// seconds".
fn in_words(marks: &Marks, text: &Text) -> Option<u64> {
    if !marks.may_count(text.present()) {
        return None;
    }
    let words = text.words();
    words.windows(2).enumerate().find_map(|(at, pair)| {
        let unit = marks.unit_millis(*pair.last()?)?;
        let count = marks.count(*pair.first()?)?;
        let (before, after) = sentence(words, at, at + 2);
        let (before, half) = match before {
            [before @ .., half] if *half == marks.half => (before, 2),
            _ => (before, 1),
        };
        let led = match before {
            [.., cause, last] if *last == marks.during => *cause == marks.wait,
            [.., last] => marks.lead.contains(last),
            [] => false,
        };
        let cause = |words: &[u16]| words.iter().any(|word| marks.cause.contains(word));
        let meant = cause(before) || (before.len() == 1 && cause(after));
        // "one minute and a half" is longer than it begins
        let whole = match after {
            [and, more, ..] if *and == marks.and => *more != NUMBER && marks.count(*more).is_none(),
            _ => true,
        };
        (led && meant && whole).then(|| count * unit / half)
    })
}

/// The wait until the date that a message names as the end of the limit. `None` where `now` is
/// not known (1970), or the date has no such meaning.
fn dated(marks: &Marks, text: &Text, now: SystemTime) -> Option<Hint> {
    if now == UNIX_EPOCH {
        return None;
    }
    let words = text.words();
    let pairs = if text.present().has(marks.midnight) {
        words
    } else {
        &[]
    };
    let midnights = pairs.windows(2).enumerate().filter_map(|(at, pair)| {
        let utc = pair.first() == Some(&marks.midnight)
            && pair.last().is_some_and(|zone| marks.utc.contains(zone));
        utc.then_some((at, Moment::Clock(0)))
    });
    text.moments().chain(midnights).find_map(|(at, moment)| {
        let (before, _) = sentence(words, at, at);
        let meant = before
            .iter()
            .any(|word| marks.cause.contains(word) || *word == marks.until);
        let past = before.last() == Some(&marks.last);
        let wait = moment.after(now)?;
        (meant && !past)
            .then(|| Hint::new(wait.min(MAX_WAIT), HintSource::Text).with_basis(Basis::Date))
    })
}

/// The duration that begins at word `at`, and the word after it.
fn duration_at(marks: &Marks, text: &Text, at: usize) -> Option<(Stated, usize)> {
    let words = text.words();
    let mut stated = Stated::default();
    let mut place = at;
    let mut end = at;
    let mut part = 0;
    while words.get(place) == Some(&NUMBER) {
        let unit = words.get(place + 1).copied().unwrap_or_default();
        let Some(unit) = marks.unit_number(unit) else {
            break;
        };
        text.value(u16::try_from(place).ok()?)?;
        stated = stated.with(part, place, unit);
        part += 1;
        end = place + 2;
        // "2 minutes and 5 seconds"
        place = end + usize::from(words.get(end) == Some(&marks.and));
    }
    (end > at).then_some((stated, end))
}
