//! Words for faults and mends.

use crate::nearest::nearest;
use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;
use toml::de::DeValue;

/// The mend for an unknown name: the nearest known one, and the known ones if they are few.
pub(super) fn unknown_mend<'a>(
    given: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> String {
    let mut mend = String::new();
    if let Some(near) = nearest(given, known.clone()) {
        let _ = write!(mend, "did you mean `{near}`? ");
    }
    let all: Vec<_> = known.collect();
    if all.is_empty() {
        mend.push_str("none is defined");
    } else {
        let _ = write!(mend, "known: {}", all.join(", "));
    }
    mend
}

/// What a value is, for people.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A duration as it may be written.
pub(super) fn show(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}

/// The mend for a line that is not TOML.
pub(super) fn syntax_mend(text: &str, span: &Range<usize>) -> String {
    let line_start = text
        .get(..span.start)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |at| at + 1);
    let line = text
        .get(line_start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let value = line
        .split_once('=')
        .map(|(_, value)| value.trim())
        .unwrap_or_default();
    if value.starts_with(|c: char| c.is_ascii_alphabetic())
        || value.starts_with(|c: char| c.is_ascii_digit())
    {
        "put texts and durations in quotes: KEY = \"value\"".to_owned()
    } else if line.trim_start().starts_with('[') {
        "a table's name stands in brackets on a line of its own: [routes.chat]".to_owned()
    } else {
        "write KEY = VALUE; texts in quotes, lists in [ ], tables in { }".to_owned()
    }
}
