//! Phrases as rules state them, and where they occur in a text.
//!
//! A phrase is a row of words. `a/b` accepts either word, `*` up to six words of the same
//! sentence, `_` any one word, `#` a number. Several phrases joined by `&` must all occur, in any
//! order; one after `!` must not. All forms of a word in the lexicon's groups are one word, case
//! does not matter, and what stands in quotes is not seen.

use crate::lexicon::{Lexicon, NUMBER, STOP};
use crate::text::Text;

/// The next word is an alternative to this one.
const OR: u16 = 1 << 15;
const ANY: u16 = (1 << 15) - 1;
const GAP: u16 = (1 << 15) - 2;
/// Words that a gap may pass over.
const GAP_WORDS: usize = 6;

/// One row of words.
#[derive(Clone, Debug)]
struct Phrase {
    words: Box<[u16]>,
    absent: bool,
}

/// Phrases that must, or must not, occur together.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    phrases: Box<[Phrase]>,
}

impl Pattern {
    /// Reads a pattern, adding its words to the lexicon. `None` where it requires no word.
    pub(crate) fn parse(source: &str, lexicon: &mut Lexicon) -> Option<Self> {
        let mut phrases = Vec::new();
        let mut words = Vec::new();
        let mut absent = false;
        for piece in source.split_whitespace() {
            match piece {
                "&" | "!" => {
                    if !words.is_empty() {
                        phrases.push(Phrase {
                            words: std::mem::take(&mut words).into(),
                            absent,
                        });
                    }
                    absent = piece == "!";
                }
                "*" => words.push(GAP),
                "_" => words.push(ANY),
                "#" => words.push(NUMBER),
                _ => {
                    let choices = || piece.split('/').filter(|word| !word.is_empty());
                    let count = choices().count();
                    for (index, word) in choices().enumerate() {
                        let number = if word == "#" {
                            NUMBER
                        } else {
                            lexicon.add(&word.to_ascii_lowercase())
                        };
                        words.push(if index + 1 < count { number | OR } else { number });
                    }
                }
            }
        }
        if !words.is_empty() {
            phrases.push(Phrase {
                words: words.into(),
                absent,
            });
        }
        let first = phrases.first()?;
        let begins_with_word = first.words.first().is_some_and(|word| *word < GAP || *word & OR != 0);
        (!first.absent && begins_with_word).then(|| Self {
            phrases: phrases.into(),
        })
    }

    /// The words one of which must occur: those with which the first phrase begins.
    pub(crate) fn anchors(&self) -> Vec<u16> {
        let mut anchors = Vec::new();
        for word in self.phrases.first().into_iter().flat_map(|phrase| &phrase.words) {
            anchors.push(word & !OR);
            if word & OR == 0 {
                break;
            }
        }
        anchors
    }

    /// Does it occur in these words?
    pub(crate) fn occurs_in(&self, words: &[u16]) -> bool {
        self.phrases
            .iter()
            .all(|phrase| phrase.absent == phrase.find(words).is_none())
    }

    /// The values in thousandths of the numbers that `#` stands for, phrase by phrase, where the
    /// whole pattern occurs.
    pub(crate) fn capture(&self, text: &Text) -> Option<([u64; MAX_CAPTURES], usize)> {
        let mut values = [0; MAX_CAPTURES];
        let mut len = 0;
        for phrase in &self.phrases {
            let found = phrase.find(text.words());
            if phrase.absent == found.is_some() {
                return None;
            }
            let found = found.unwrap_or_default();
            for place in found.places.iter().take(found.len) {
                if let (Some(slot), Some(value)) = (values.get_mut(len), text.value(*place)) {
                    *slot = value;
                    len += 1;
                }
            }
        }
        Some((values, len))
    }
}

/// Numbers that one pattern can capture.
pub(crate) const MAX_CAPTURES: usize = 4;

/// The places of captured numbers.
#[derive(Clone, Copy, Default)]
struct Captures {
    places: [usize; MAX_CAPTURES],
    len: usize,
}

impl Phrase {
    fn find(&self, words: &[u16]) -> Option<Captures> {
        let first = *self.words.first()?;
        for at in 0..words.len() {
            if first & OR == 0 && words.get(at) != Some(&first) {
                continue;
            }
            let mut captures = Captures::default();
            if matches(&self.words, words, at, &mut captures) {
                return Some(captures);
            }
        }
        None
    }
}

/// Does the phrase begin at `at`? Fills in the places of its numbers.
fn matches(phrase: &[u16], words: &[u16], mut at: usize, captures: &mut Captures) -> bool {
    let mut step = 0;
    while let Some(&wanted) = phrase.get(step) {
        let Some(&word) = words.get(at) else {
            return false;
        };
        match wanted {
            ANY => {
                if word == STOP {
                    return false;
                }
                step += 1;
            }
            GAP => {
                let rest = phrase.get(step + 1..).unwrap_or_default();
                let before = captures.len;
                for skip in 0..=GAP_WORDS {
                    captures.len = before;
                    if matches(rest, words, at + skip, captures) {
                        return true;
                    }
                    if words.get(at + skip).is_none_or(|word| *word == STOP) {
                        return false;
                    }
                }
                return false;
            }
            _ => {
                let mut hit = false;
                while let Some(&choice) = phrase.get(step) {
                    step += 1;
                    hit |= choice & !OR == word;
                    if choice & OR == 0 {
                        break;
                    }
                }
                if !hit {
                    return false;
                }
                if word == NUMBER
                    && let Some(place) = captures.places.get_mut(captures.len)
                {
                    *place = at;
                    captures.len += 1;
                }
            }
        }
        at += 1;
    }
    true
}
