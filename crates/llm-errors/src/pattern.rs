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
    /// How many of them are the alternatives for the first word.
    first: usize,
    absent: bool,
}

/// Phrases that must, or must not, occur together.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    phrases: Box<[Phrase]>,
    /// Words without which it cannot occur, alternatives marked as in phrases.
    needs: Box<[u16]>,
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
                        phrases.push(Phrase::new(std::mem::take(&mut words), absent));
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
                        words.push(if index + 1 < count {
                            number | OR
                        } else {
                            number
                        });
                    }
                }
            }
        }
        if !words.is_empty() {
            phrases.push(Phrase::new(words, absent));
        }
        let first = phrases.first()?;
        let begins_with_word = first
            .words
            .first()
            .is_some_and(|word| *word < GAP || *word & OR != 0);
        if first.absent || !begins_with_word {
            return None;
        }
        let mut pattern = Self {
            phrases: phrases.into(),
            needs: Box::default(),
        };
        pattern.needs = pattern
            .phrases
            .iter()
            .filter(|phrase| !phrase.absent)
            .flat_map(|phrase| phrase.words.iter().copied())
            .filter(|word| *word != ANY && *word != GAP)
            .collect();
        Some(pattern)
    }

    /// The groups of alternatives one of which must occur, for each group.
    fn required(&self) -> Vec<Vec<u16>> {
        let mut groups = Vec::new();
        let mut group = Vec::new();
        for phrase in self.phrases.iter().filter(|phrase| !phrase.absent) {
            for word in &phrase.words {
                if *word == ANY || *word == GAP {
                    continue;
                }
                group.push(word & !OR);
                if word & OR == 0 {
                    groups.push(std::mem::take(&mut group));
                }
            }
        }
        groups
    }

    /// The words one of which must occur: the rarest group, where `uses` tells how often patterns
    /// ask for each word.
    pub(crate) fn anchors(&self, uses: &[u32]) -> Vec<u16> {
        let cost = |group: &Vec<u16>| -> u32 {
            group
                .iter()
                .map(|word| uses.get(usize::from(*word)).copied().unwrap_or(0))
                .sum()
        };
        self.required()
            .into_iter()
            .min_by_key(cost)
            .unwrap_or_default()
    }

    /// Counts the words that this pattern asks for.
    pub(crate) fn count(&self, uses: &mut [u32]) {
        for word in self.required().into_iter().flatten() {
            if let Some(count) = uses.get_mut(usize::from(word)) {
                *count += 1;
            }
        }
    }

    /// Are all the words present that it cannot do without?
    pub(crate) fn may_occur(&self, present: &Present) -> bool {
        let mut hit = false;
        for word in &self.needs {
            hit = hit || present.has(word & !OR);
            if word & OR == 0 {
                if !hit {
                    return false;
                }
                hit = false;
            }
        }
        true
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

/// Which words a text contains.
#[derive(Clone, Debug)]
pub(crate) struct Present {
    bits: [u64; 32],
    any: bool,
}

impl Present {
    pub(crate) fn of(words: &[u16]) -> Self {
        let mut present = Self::NONE;
        for word in words {
            present.add(*word);
        }
        present
    }

    /// No words.
    pub(crate) const NONE: Self = Self {
        bits: [0; 32],
        any: false,
    };

    pub(crate) const fn is_empty(&self) -> bool {
        !self.any
    }

    /// Calls `visit` with every word that is in both, in rising order.
    pub(crate) fn common(&self, other: &Self, mut visit: impl FnMut(usize)) {
        for (block, (mine, theirs)) in self.bits.iter().zip(&other.bits).enumerate() {
            let mut bits = mine & theirs;
            while bits != 0 {
                visit(block * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }

    pub(crate) fn add(&mut self, word: u16) {
        self.any = true;
        if let Some(bits) = self.bits.get_mut(usize::from(word / 64)) {
            *bits |= 1 << (word % 64);
        }
    }

    fn has(&self, word: u16) -> bool {
        // words beyond the table are not told apart here
        self.bits
            .get(usize::from(word / 64))
            .is_none_or(|bits| bits & (1 << (word % 64)) != 0)
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
    fn new(words: Vec<u16>, absent: bool) -> Self {
        let alternatives = words.iter().take_while(|word| **word & OR != 0).count();
        Self {
            words: words.into(),
            first: alternatives + 1,
            absent,
        }
    }

    fn find(&self, words: &[u16]) -> Option<Captures> {
        let first = self.words.get(..self.first)?;
        for (at, word) in words.iter().enumerate() {
            let begins = match first {
                [only] => only == word,
                choices => choices.iter().any(|choice| choice & !OR == *word),
            };
            if !begins {
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
