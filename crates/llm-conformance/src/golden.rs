//! Golden files: both sides of every conversation of one pair, as text that a reviewer can read.
//!
//! ```text
//! == plain: One question, one answer.
//! > POST /v1/messages
//! > max_tokens 256
//! > messages [{"content":"What is two and two?","role":"user"}]
//! > model "model-under-test"
//! > streamed: stream true
//! ! dropped: metadata
//! < choices [{…}]
//! < model "model-under-test"
//! | data: {…}
//! ```
//!
//! `>` is what the provider received (a line a field; of the streamed request only what differs), `!` what could not be
//! carried and why there was no answer, `<` the whole answer, `|` the stream's lines as the caller reads them.

use crate::adapter::Answer;
use crate::suite::{Played, Report, Side};
use serde_json::Value;
use std::fmt::Write as _;

impl Report {
    /// The golden text of the run: what the golden file should hold.
    #[must_use]
    pub fn golden_text(&self) -> String {
        let mut text = String::new();
        for played in &self.played {
            conversation(&mut text, played);
        }
        text
    }

    /// Compares the run with a golden file's text. The list holds one sentence for each conversation that differs, with
    /// the first line that does.
    #[must_use]
    pub fn differences(&self, golden: &str) -> Vec<String> {
        differences(golden, &self.golden_text())
    }
}

fn conversation(out: &mut String, played: &Played) {
    let _ = writeln!(
        out,
        "== {}: {}",
        played.conversation.name, played.conversation.about
    );
    request(out, &played.whole, None);
    request(out, &played.stream, Some(&played.whole));
    trouble(out, "", &played.whole.answer);
    if (&played.stream.answer.dropped, &played.stream.answer.failed)
        != (&played.whole.answer.dropped, &played.whole.answer.failed)
    {
        trouble(out, "streamed: ", &played.stream.answer);
    }
    whole(out, &played.whole.answer.body);
    let stream = String::from_utf8_lossy(&played.stream.answer.body);
    for line in stream.lines().filter(|line| !line.is_empty()) {
        let _ = writeln!(out, "| {}", timeless(line));
    }
    out.push('\n');
}

/// What the provider received; of a streamed request what differs from the whole one's.
fn request(out: &mut String, side: &Side, whole: Option<&Side>) {
    let prefix = if whole.is_some() { "streamed: " } else { "" };
    for (number, received) in side.received.iter().enumerate() {
        let other = whole.and_then(|side| side.received.get(number));
        if other.is_none_or(|other| other.path != received.path) {
            let _ = writeln!(out, "> {prefix}POST {}", received.path);
        }
        let Value::Object(fields) = &received.body else {
            let _ = writeln!(out, "> {prefix}{}", received.body);
            continue;
        };
        for (name, value) in fields {
            if other.is_none_or(|other| other.body.get(name) != Some(value)) {
                let _ = writeln!(out, "> {prefix}{name} {value}");
            }
        }
        let gone = other
            .and_then(|other| other.body.as_object())
            .into_iter()
            .flatten();
        for (name, _) in gone.filter(|(name, _)| !fields.contains_key(*name)) {
            let _ = writeln!(out, "> {prefix}without {name}");
        }
    }
}

fn trouble(out: &mut String, prefix: &str, answer: &Answer) {
    if !answer.dropped.is_empty() {
        let _ = writeln!(out, "! {prefix}dropped: {}", answer.dropped.join(", "));
    }
    if let Some(why) = &answer.failed {
        let _ = writeln!(out, "! {prefix}failed: {why}");
    }
}

fn whole(out: &mut String, body: &[u8]) {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => {
            for (name, value) in fields {
                let _ = writeln!(out, "< {name} {}", timeless(&value.to_string()));
            }
        }
        _ => {
            for line in String::from_utf8_lossy(body).lines() {
                let _ = writeln!(out, "< {}", timeless(line));
            }
        }
    }
}

/// The digits with which every time of a run begins; the last three are seconds since its start.
const TIME: &str = "1796000";

/// Replaces the time of the run, of which a slow machine makes more.
fn timeless(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(TIME) {
        out.push_str(before);
        match after.get(..3) {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                out.push_str("NOW");
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                out.push_str(TIME);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// One sentence for each conversation that differs.
fn differences(kept: &str, found: &str) -> Vec<String> {
    let sections = |text: &str| -> Vec<(String, Vec<String>)> {
        let sections = text.split("== ").filter(|section| !section.is_empty());
        sections
            .map(|section| {
                let mut lines = section.trim_end().lines().map(str::to_owned);
                (lines.next().unwrap_or_default(), lines.collect())
            })
            .collect()
    };
    let (kept, found) = (sections(kept), sections(found));
    let mut wrong = Vec::new();
    for (title, lines) in &found {
        let Some((_, old)) = kept.iter().find(|(other, _)| other == title) else {
            wrong.push(format!("{title}: not in the golden file"));
            continue;
        };
        let longest = lines.len().max(old.len());
        let first = (0..longest).find(|at| lines.get(*at) != old.get(*at));
        if let Some(at) = first {
            let shown =
                |lines: &[String]| lines.get(at).map_or("(nothing)", String::as_str).to_owned();
            wrong.push(format!(
                "{title}\n  golden: {}\n  found:  {}",
                shown(old),
                shown(lines)
            ));
        }
    }
    for (title, _) in &kept {
        if !found.iter().any(|(other, _)| other == title) {
            wrong.push(format!("{title}: only in the golden file"));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_run_is_not_part_of_it() {
        assert_eq!(
            timeless(r#"{"created":1796000007,"n":17960}"#),
            r#"{"created":NOW,"n":17960}"#
        );
        assert_eq!(timeless("1796000 x"), "1796000 x");
    }

    #[test]
    fn the_first_difference_of_each_conversation_is_named() {
        let kept = "== a: A.\n> x 1\n> y 2\n\n== b: B.\n> x 1\n\n";
        assert_eq!(differences(kept, kept), Vec::<String>::new());
        let found = "== a: A.\n> x 1\n> y 3\n\n== c: C.\n\n";
        let wrong = differences(kept, found);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].contains("golden: > y 2") && wrong[0].contains("found:  > y 3"));
        assert!(wrong[1].starts_with("c: C.: not in the golden file"));
        assert!(wrong[2].starts_with("b: B.: only in the golden file"));
    }
}
