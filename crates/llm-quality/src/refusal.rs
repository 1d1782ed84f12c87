//! Does the model decline? Read from the first words only, and only where the answer *begins* that way.
//!
//! A refusal is an optional apology, then an opening (`i can't`, `ich kann`), then within a short distance what is declined (`help with`,
//! `nicht helfen`). All of it must stand at the start of the first or second sentence. So an answer that quotes a refusal, explains one,
//! or says "I can't tell from this log alone" is none. Long answers that begin like a refusal usually go on to help: they are suspects.

mod apology;
mod phrase;

use apology::APOLOGIES;
use phrase::PHRASES;

/// How much of the beginning is kept, in bytes.
pub(crate) const HEAD: usize = 768;
/// Longer than this, it said more than no. In characters that are not white space.
const SHORT_CHARS: u64 = 700;
/// Sentences whose start is looked at.
const SENTENCES: usize = 2;
/// Most the second part may be away from the first, in characters.
const GAP_CHARS: usize = 60;

/// How surely the model declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declined {
    /// It begins like a refusal, and goes on.
    AtFirst,
    /// It is a refusal, and short.
    Plainly,
}

/// Judges the first [`HEAD`] bytes of a text with so many visible characters.
pub(crate) fn judge(head: &str, chars: u64) -> Option<Declined> {
    let plain = normal(head);
    let mut rest = plain.as_str();
    // In quotation marks it is somebody else's.
    if rest.starts_with(['"', '“', '«', '„', '\'', '‘', '>', '`', '「', '『']) {
        return None;
    }
    for _ in 0..SENTENCES {
        let body = without_apology(rest);
        if declines(body) {
            return Some(if chars <= SHORT_CHARS {
                Declined::Plainly
            } else {
                Declined::AtFirst
            });
        }
        rest = next_sentence(rest)?;
    }
    None
}

/// Lower case, straight apostrophes, single spaces, no emphasis.
fn normal(head: &str) -> String {
    let mut plain = String::with_capacity(head.len());
    for ch in head.trim_start().chars() {
        match ch {
            '’' | 'ʼ' => plain.push('\''),
            '*' | '_' => {}
            _ if ch.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            _ if ch.is_ascii() => plain.push(ch.to_ascii_lowercase()),
            _ => plain.extend(ch.to_lowercase()),
        }
    }
    plain
}

fn without_apology(text: &str) -> &str {
    let mut rest = text;
    // An apology may have three parts: "Unfortunately, I'm sorry, but ...".
    for _ in 0..3 {
        let Some(after) = APOLOGIES
            .iter()
            .find_map(|apology| rest.strip_prefix(apology))
        else {
            break;
        };
        rest = after.trim_start_matches([
            ' ', ',', '.', ';', ':', '!', '-', '–', '—', '，', '。', '、', '！', '،',
        ]);
    }
    rest
}

fn declines(text: &str) -> bool {
    PHRASES.iter().any(|phrase| {
        phrase.opens.iter().any(|open| {
            text.strip_prefix(open)
                .is_some_and(|after| is_near(after, phrase.declines))
        })
    })
}

/// Does one of the words stand near the beginning, in the same sentence?
fn is_near(text: &str, words: &[&str]) -> bool {
    let end = text
        .char_indices()
        .nth(GAP_CHARS)
        .map_or(text.len(), |(index, _)| index);
    let near = text.get(..end).unwrap_or(text);
    let near = near
        .split(['.', '!', '?', '。', '！', '？', '\n'])
        .next()
        .unwrap_or(near);
    words.iter().any(|word| near.contains(word))
}

fn next_sentence(text: &str) -> Option<&str> {
    let (end, mark) = text
        .char_indices()
        .find(|&(_, ch)| matches!(ch, '.' | '!' | '?' | '。' | '！' | '？'))?;
    let rest = text.get(end + mark.len_utf8()..)?.trim_start();
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests;
