//! Phrases as rules state them, and where they occur in a text.
//!
//! A phrase is a row of words. `a/b` accepts either word, `*` up to six words of the same
//! sentence, `_` any one word, `#` a number. Several phrases joined by `&` must all occur, in any
//! order; one after `!` must not. All forms of a word in the lexicon's groups are one word, case
//! does not matter, and what stands in quotes is not seen.

use crate::lexicon::{Lexicon, NUMBER};
use crate::phrase::{ANY, Captures, Chunk, OR, Phrase};
use crate::text::Text;

/// Pairs of words under which one pattern is listed, at most.
const MAX_PAIRS: usize = 64;

/// Phrases that must, or must not, occur together.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    phrases: Box<[Phrase]>,
}

/// A place in a pattern by which it is found: one word of `first`, and, unless that is empty, one
/// of `second` right behind it.
#[derive(Debug, Default)]
pub(crate) struct Anchor {
    pub(crate) place: Place,
    pub(crate) first: Vec<u16>,
    pub(crate) second: Vec<u16>,
}

/// Where a word stands in a pattern: in which phrase, in which of its chunks, how many words in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) phrase: u8,
    pub(crate) chunk: u8,
    pub(crate) offset: u8,
}

impl Pattern {
    /// Reads a pattern, adding its words to the lexicon. `None` where it requires no word at its
    /// beginning, or is too long.
    pub(crate) fn parse(source: &str, lexicon: &mut Lexicon) -> Option<Self> {
        let mut phrases = Vec::new();
        let mut chunks = vec![Vec::new()];
        let mut absent = false;
        for piece in source.split_whitespace() {
            match piece {
                "&" | "!" => {
                    phrases.extend(Phrase::new(std::mem::take(&mut chunks), absent));
                    chunks.push(Vec::new());
                    absent = piece == "!";
                }
                "*" => chunks.push(Vec::new()),
                "_" => chunks.last_mut()?.push(ANY),
                _ => {
                    let choices = piece.split('/').filter(|word| !word.is_empty());
                    let group = chunks.last_mut()?;
                    for word in choices {
                        let number = match word {
                            "#" => NUMBER,
                            word => lexicon.add(&word.to_ascii_lowercase()),
                        };
                        group.push(number | OR);
                    }
                    // the last of a group of alternatives closes it
                    if let Some(last) = group.last_mut()
                        && *last != ANY
                    {
                        *last &= !OR;
                    }
                }
            }
        }
        phrases.extend(Phrase::new(chunks, absent));
        let first = phrases.first()?;
        let small = phrases.len() <= usize::from(u8::MAX);
        (!first.is_absent() && first.begins_with_word() && small).then(|| Self {
            phrases: phrases.into(),
        })
    }

    fn required(&self) -> impl Iterator<Item = (usize, &Phrase)> {
        let phrases = self.phrases.iter().enumerate();
        phrases.filter(|(_, phrase)| !phrase.is_absent())
    }

    /// Counts the words that this pattern asks for.
    pub(crate) fn count(&self, uses: &mut [u32]) {
        for (_, phrase) in self.required() {
            for word in phrase.groups().flatten() {
                if let Some(count) = uses.get_mut(usize::from(word)) {
                    *count += 1;
                }
            }
        }
    }

    /// The words without which it cannot occur, the rarest first: `uses` tells how often patterns
    /// ask for each word.
    pub(crate) fn needs(&self, uses: &[u32]) -> Vec<u16> {
        let phrases = self.required();
        let mut words: Vec<u16> = phrases
            .flat_map(|(_, phrase)| phrase.needs().iter().copied())
            .collect();
        words.sort_by_key(|word| uses.get(usize::from(*word)).copied());
        words.dedup();
        words
    }

    /// How many words it takes, where they stand together and it asks for nothing else.
    pub(crate) fn words(&self) -> Option<usize> {
        let [phrase] = &*self.phrases else {
            return None;
        };
        let [chunk] = phrase.chunks() else {
            return None;
        };
        Some(chunk.len())
    }

    /// The groups of alternatives of each of which it needs one.
    pub(crate) fn choices(&self) -> impl Iterator<Item = &[u16]> {
        self.required().flat_map(|(_, phrase)| phrase.choices())
    }

    /// Where to look for it: the rarest place that it cannot do without.
    pub(crate) fn anchor(&self, uses: &[u32]) -> Anchor {
        let cost = |group: &[u16]| -> u32 {
            let uses = |word: &u16| uses.get(usize::from(*word)).copied().unwrap_or(0);
            group.iter().map(uses).sum()
        };
        let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
        let mut best: Option<(u32, Anchor)> = None;
        for (number, phrase) in self.required() {
            for (chunk, steps) in phrase.chunks().iter().map(Chunk::steps).enumerate() {
                for (offset, step) in steps.iter().enumerate() {
                    let Some(first) = step else { continue };
                    let second = match steps.get(offset + 1) {
                        Some(Some(next)) if first.len() * next.len() <= MAX_PAIRS => next.clone(),
                        _ => Vec::new(),
                    };
                    // two words that stand together are rare, whichever they are
                    let cost = if second.is_empty() {
                        1_000_000 + cost(first)
                    } else {
                        cost(first) * cost(&second)
                    };
                    let place = Place {
                        phrase: small(number),
                        chunk: small(chunk),
                        offset: small(offset),
                    };
                    if best.as_ref().is_none_or(|(known, _)| cost < *known) {
                        let first = first.clone();
                        let anchor = Anchor {
                            place,
                            first,
                            second,
                        };
                        best = Some((cost, anchor));
                    }
                }
            }
        }
        best.map(|(_, anchor)| anchor).unwrap_or_default()
    }

    /// Are all the words in the text that it cannot do without? A first look, which may err
    /// towards yes.
    #[inline]
    pub(crate) fn may_occur(&self, text: &Text) -> bool {
        self.phrases
            .iter()
            .all(|phrase| phrase.is_absent() || phrase.may_occur(text.present()))
    }

    /// Does it occur in this text?
    pub(crate) fn occurs_in(&self, text: &Text) -> bool {
        self.phrases.iter().all(|phrase| phrase.agrees(text))
    }

    /// Does it occur in this text, with the word at `place` in it being word `at`?
    #[inline]
    pub(crate) fn occurs_at(&self, text: &Text, place: Place, at: usize) -> bool {
        let Some(start) = at.checked_sub(usize::from(place.offset)) else {
            return false;
        };
        let phrase = usize::from(place.phrase);
        let here = self.phrases.get(phrase);
        here.is_some_and(|here| here.occurs_at(text.words(), usize::from(place.chunk), start))
            && (self.phrases.len() == 1
                || self
                    .phrases
                    .iter()
                    .enumerate()
                    .all(|(number, other)| number == phrase || other.agrees(text)))
    }

    /// The places of the numbers that `#` stands for, phrase by phrase, where the whole pattern
    /// occurs. It is known not to begin before word `start`.
    pub(crate) fn capture(&self, text: &Text, start: usize) -> Option<Captures> {
        let mut captures = Captures::default();
        for (number, phrase) in self.phrases.iter().enumerate() {
            if phrase.is_absent() {
                if !phrase.agrees(text) {
                    return None;
                }
                continue;
            }
            let start = if number == 0 { start } else { 0 };
            for place in phrase.find(text, start)?.places() {
                if text.value(*place).is_some() {
                    captures.add(usize::from(*place));
                }
            }
        }
        Some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occurs(pattern: &str, message: &str) -> bool {
        let mut lexicon = Lexicon::new();
        let pattern = Pattern::parse(pattern, &mut lexicon).unwrap();
        let mut text = Text::new();
        text.read(&lexicon, message.as_bytes(), |_| {});
        let found = pattern.may_occur(&text) && pattern.occurs_in(&text);
        // the anchor finds it exactly where a search does
        let anchor = pattern.anchor(&vec![1; lexicon.len()]);
        let anchored = (0..text.words().len()).any(|at| {
            anchor.first.contains(&text.words()[at]) && pattern.occurs_at(&text, anchor.place, at)
        });
        assert_eq!(found, anchored, "{message}");
        found
    }

    #[test]
    fn words_alternatives_gaps_and_numbers() {
        assert!(occurs("rate limit", "Rate limits apply"));
        assert!(!occurs("rate limit", "limit rate"));
        assert!(occurs("tea/coffee break", "a coffee break"));
        assert!(occurs("limit _ #", "limit of 30"));
        assert!(!occurs("limit _ #", "limit 30"));
        assert!(occurs(
            "exceed * quota",
            "exceeded your current monthly quota"
        ));
        assert!(occurs("exceed * quota", "exceeds quota"));
        assert!(!occurs("exceed * quota", "exceeded. Your quota"));
        assert!(!occurs("exceed * quota", "exceeded a b c d e f g quota"));
        assert!(occurs("a * b * c d", "a a x b b x y c c d"));
        assert!(!occurs("a * b * c d", "a x b x y c x d"));
    }

    #[test]
    fn several_phrases_stand_anywhere_and_absent_ones_nowhere() {
        assert!(occurs("quota & minute", "per minute. Your quota"));
        assert!(!occurs("quota & minute", "your quota"));
        assert!(occurs("quota ! per minute", "quota of a minute"));
        assert!(!occurs("quota ! per minute", "quota per minute"));
    }

    #[test]
    fn what_begins_with_no_word_is_no_pattern() {
        let mut lexicon = Lexicon::new();
        for source in ["", "*", "_ a", "! a", "& *"] {
            assert!(Pattern::parse(source, &mut lexicon).is_none(), "{source}");
        }
        assert!(Pattern::parse("# a", &mut lexicon).is_some());
    }
}
