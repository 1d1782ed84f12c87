//! Phrases as rules state them, and where they occur in a text.
//!
//! A phrase is a row of words. `a/b` accepts either word, `*` up to six words of the same
//! sentence, `_` any one word, `#` a number. Several phrases joined by `&` must all occur, in any
//! order; one after `!` must not. All forms of a word in the lexicon's groups are one word, case
//! does not matter, and what stands in quotes is not seen.

use crate::lexicon::{Lexicon, NUMBER, STOP};
use crate::text::{Fold, Text};

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
    /// Those alternatives, folded.
    opening: Fold,
    absent: bool,
}

/// Phrases that must, or must not, occur together.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    phrases: Box<[Phrase]>,
    /// The words without which it cannot occur, folded.
    all: Fold,
    /// Of each group of alternatives one must occur; folded.
    any: Box<[Fold]>,
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
            all: Fold::default(),
            any: Box::default(),
        };
        let mut any = Vec::new();
        for group in pattern.required() {
            if let [only] = group[..] {
                pattern.all.add(only);
            } else {
                any.push(group.into_iter().collect());
            }
        }
        pattern.any = any.into();
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

    /// Where to look for it: the rarest place that it cannot do without. `uses` tells how often
    /// patterns ask for each word.
    pub(crate) fn anchor(&self, uses: &[u32]) -> Anchor {
        let cost = |group: &[u16]| -> u32 {
            let uses = |word: &u16| uses.get(usize::from(*word)).copied().unwrap_or(0);
            group.iter().map(uses).sum()
        };
        let mut best: Option<(u32, Anchor)> = None;
        for (number, phrase) in self.phrases.iter().enumerate() {
            if phrase.absent {
                continue;
            }
            let steps = phrase.steps();
            for (at, step) in steps.iter().enumerate() {
                let Some(group) = step else { continue };
                let second = match steps.get(at + 1) {
                    Some(Some(next)) if group.len() * next.len() <= MAX_PAIRS => next.clone(),
                    _ => Vec::new(),
                };
                // two words that stand together are rare, whichever they are
                let cost = if second.is_empty() {
                    1_000_000 + cost(group)
                } else {
                    cost(group) * cost(&second)
                };
                let fixed = !phrase.gap_before(at);
                let anchor = Anchor {
                    phrase: number,
                    offset: fixed.then_some(at),
                    first: group.clone(),
                    second,
                };
                if best.as_ref().is_none_or(|(known, _)| cost < *known) {
                    best = Some((cost, anchor));
                }
            }
        }
        best.map(|(_, anchor)| anchor).unwrap_or_default()
    }

    /// Counts the words that this pattern asks for.
    pub(crate) fn count(&self, uses: &mut [u32]) {
        for word in self.required().into_iter().flatten() {
            if let Some(count) = uses.get_mut(usize::from(word)) {
                *count += 1;
            }
        }
    }

    /// Are all the words in the text that it cannot do without? A first look, which may err
    /// towards yes.
    #[inline]
    pub(crate) fn may_occur(&self, text: &Text) -> bool {
        let words = text.fold();
        self.all.all_in(words) && self.any.iter().all(|group| group.any_in(words))
    }

    /// The words without which it cannot occur, folded.
    pub(crate) const fn fold(&self) -> Fold {
        self.all
    }

    /// Does it occur in this text?
    pub(crate) fn occurs_in(&self, text: &Text) -> bool {
        self.phrases
            .iter()
            .all(|phrase| phrase.absent == phrase.find(text).is_none())
    }

    /// Does it occur in this text, with its `phrase` beginning at word `start`?
    pub(crate) fn occurs_at(&self, text: &Text, phrase: usize, start: usize) -> bool {
        let begins = self
            .phrases
            .get(phrase)
            .is_some_and(|phrase| phrase.begins(text.words(), start));
        begins
            && (self.phrases.len() == 1
                || self.phrases.iter().enumerate().all(|(number, other)| {
                    number == phrase || other.absent == other.find(text).is_none()
                }))
    }

    /// The values in thousandths of the numbers that `#` stands for, phrase by phrase, where the
    /// whole pattern occurs.
    pub(crate) fn capture(&self, text: &Text) -> Option<([u64; MAX_CAPTURES], usize)> {
        let mut values = [0; MAX_CAPTURES];
        let mut len = 0;
        for phrase in &self.phrases {
            let found = phrase.find(text);
            if phrase.absent == found.is_some() {
                return None;
            }
            let found = found.unwrap_or_default();
            for place in found.places.iter().take(usize::from(found.len)) {
                if let (Some(slot), Some(value)) = (values.get_mut(len), text.value(*place)) {
                    *slot = value;
                    len += 1;
                }
            }
        }
        Some((values, len))
    }
}

/// Pairs of words under which one pattern is listed, at most.
const MAX_PAIRS: usize = 64;

/// A place in a pattern by which it is found: one word of `first`, and, unless that is empty, one
/// of `second` right behind it.
#[derive(Debug, Default)]
pub(crate) struct Anchor {
    /// The number of the phrase in which it stands.
    pub(crate) phrase: usize,
    /// The words before it in its phrase, unless a gap makes that uncertain.
    pub(crate) offset: Option<usize>,
    pub(crate) first: Vec<u16>,
    pub(crate) second: Vec<u16>,
}

/// Numbers that one pattern can capture.
pub(crate) const MAX_CAPTURES: usize = 4;

/// The places of captured numbers.
#[derive(Clone, Copy, Default)]
struct Captures {
    places: [u16; MAX_CAPTURES],
    len: u8,
}

impl Phrase {
    fn new(words: Vec<u16>, absent: bool) -> Self {
        let alternatives = words.iter().take_while(|word| **word & OR != 0).count();
        let first = alternatives + 1;
        let openings = words.iter().take(first);
        Self {
            opening: openings.map(|word| word & !OR).collect(),
            words: words.into(),
            first,
            absent,
        }
    }

    /// Its words one by one: the alternatives of each, or nothing for a gap or any word.
    fn steps(&self) -> Vec<Option<Vec<u16>>> {
        let mut steps = Vec::new();
        let mut group = Vec::new();
        for word in &self.words {
            if *word == ANY || *word == GAP {
                steps.push(None);
                continue;
            }
            group.push(word & !OR);
            if word & OR == 0 {
                steps.push(Some(std::mem::take(&mut group)));
            }
        }
        steps
    }

    /// Does a gap stand before step `at`?
    fn gap_before(&self, at: usize) -> bool {
        let mut step = 0;
        for word in &self.words {
            if step == at {
                break;
            }
            if *word == GAP {
                return true;
            }
            step += usize::from(*word == ANY || word & OR == 0);
        }
        false
    }

    /// Does it begin at `start`?
    fn begins(&self, words: &[u16], start: usize) -> bool {
        matches(&self.words, words, start, &mut Captures::default())
    }

    fn find(&self, text: &Text) -> Option<Captures> {
        let first = self.words.get(..self.first)?;
        if !self.opening.any_in(text.fold()) {
            return None;
        }
        let words = text.words();
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

/// May the phrase begin with this word?
#[inline]
fn may_begin(phrase: &[u16], word: Option<u16>) -> bool {
    for choice in phrase {
        match *choice {
            ANY | GAP => return true,
            choice if Some(choice & !OR) == word => return true,
            choice if choice & OR == 0 => return false,
            _ => {}
        }
    }
    true
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
                    let word = words.get(at + skip).copied();
                    if may_begin(rest, word) && matches(rest, words, at + skip, captures) {
                        return true;
                    }
                    if word.is_none_or(|word| word == STOP) {
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
                    && let Some(place) = captures.places.get_mut(usize::from(captures.len))
                {
                    *place = u16::try_from(at).unwrap_or(u16::MAX);
                    captures.len += 1;
                }
            }
        }
        at += 1;
    }
    true
}
