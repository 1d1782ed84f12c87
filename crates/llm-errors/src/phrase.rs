//! One phrase: chunks of words that stand together, with gaps between them.

use crate::lexicon::{NUMBER, STOP};
use crate::presence::{Fold, Presence};
use crate::text::Text;

/// The next word is an alternative to this one.
pub(crate) const OR: u16 = 1 << 15;
/// Any one word of the sentence.
pub(crate) const ANY: u16 = OR - 1;
/// Words that a gap may pass over.
const GAP_WORDS: usize = 6;

/// Words that stand together.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    /// The alternatives for each word one after another: all but the last are marked [`OR`].
    words: Box<[u16]>,
    /// The alternatives for the first, folded.
    opening: Fold,
    /// How many words of a text it takes.
    len: usize,
}

/// A row of chunks.
#[derive(Clone, Debug)]
pub(crate) struct Phrase {
    chunks: Box<[Chunk]>,
    /// The words without which it cannot occur.
    needs: Box<[u16]>,
    /// Of each of these groups of alternatives it needs one.
    choices: Box<[Box<[u16]>]>,
    absent: bool,
}

/// The places of captured numbers.
#[derive(Clone, Copy, Default)]
pub(crate) struct Captures {
    places: [u16; Self::MAX],
    len: u8,
}

impl Captures {
    /// Numbers that are kept; more are passed over.
    pub(crate) const MAX: usize = 4;

    /// Adds a place; what is too much is passed over.
    pub(crate) fn add(&mut self, at: usize) {
        if let Some(place) = self.places.get_mut(usize::from(self.len)) {
            *place = u16::try_from(at).unwrap_or(u16::MAX);
            self.len += 1;
        }
    }

    /// The places in one number.
    pub(crate) fn pack(&self) -> u64 {
        let places = self.places().iter().rev();
        let bits = places.fold(0, |bits, place| bits << 8 | u64::from(*place & 0xff));
        bits << 8 | u64::from(self.len)
    }

    /// What [`Self::pack`] made one number of: no text has more words than fit.
    pub(crate) fn unpack(bits: u64) -> Self {
        let [len, places @ .., _, _, _] = bits.to_le_bytes();
        Self {
            places: places.map(u16::from),
            len,
        }
    }

    pub(crate) fn places(&self) -> &[u16] {
        let places = self.places.get(..usize::from(self.len));
        places.unwrap_or_default()
    }
}

impl Chunk {
    /// How many words of a text it takes.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Its words one by one: the alternatives of each, or nothing for any word.
    pub(crate) fn steps(&self) -> Vec<Option<Vec<u16>>> {
        let mut steps = Vec::new();
        let mut group = Vec::new();
        for word in &self.words {
            if *word == ANY {
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

    /// Does it stand at word `at`? Adds the places of its numbers.
    #[inline]
    fn stands_at(&self, words: &[u16], mut at: usize, captures: &mut Captures) -> bool {
        let mut rest = &*self.words;
        while let [wanted, behind @ ..] = rest {
            let Some(&word) = words.get(at) else {
                return false;
            };
            rest = if *wanted == word {
                behind
            } else if *wanted & OR != 0 {
                match behind_group(rest, word) {
                    Some(behind) => behind,
                    None => return false,
                }
            } else if *wanted == ANY && word != STOP {
                at += 1;
                rest = behind;
                continue;
            } else {
                return false;
            };
            if word == NUMBER {
                captures.add(at);
            }
            at += 1;
        }
        true
    }
}

/// The words with which `row` may begin, folded.
fn opening(row: &[u16]) -> Fold {
    if matches!(row.first(), None | Some(&ANY)) {
        return Fold::ALL;
    }
    let mut words = Fold::NONE;
    for word in row {
        words.add(word & !OR);
        if word & OR == 0 {
            break;
        }
    }
    words
}

/// What follows the group of alternatives at the start of `row`, if one of them is `word`.
fn behind_group(row: &[u16], word: u16) -> Option<&[u16]> {
    let last = row.iter().position(|choice| choice & OR == 0)?;
    let (group, behind) = row.split_at_checked(last + 1)?;
    let hit = group.iter().any(|choice| choice & !OR == word);
    hit.then_some(behind)
}

impl Phrase {
    /// A phrase of these chunks, each a row of alternatives. `None` for one without words; gaps
    /// at its ends are dropped.
    pub(crate) fn new(rows: Vec<Vec<u16>>, absent: bool) -> Option<Self> {
        let first = rows.iter().position(|row| !row.is_empty())?;
        let last = rows.iter().rposition(|row| !row.is_empty())?;
        let rows = rows.into_iter().take(last + 1).skip(first);
        let chunks: Box<[Chunk]> = rows
            .map(|row| Chunk {
                opening: opening(&row),
                len: row.iter().filter(|word| *word & OR == 0).count(),
                words: row.into(),
            })
            .collect();
        let small = |len: usize| len < usize::from(u8::MAX);
        let fits = small(chunks.len()) && chunks.iter().all(|chunk| small(chunk.len));
        let mut phrase = Self {
            chunks,
            needs: Box::default(),
            choices: Box::default(),
            absent,
        };
        let (needs, choices): (Vec<_>, Vec<_>) =
            phrase.groups().partition(|group| group.len() == 1);
        phrase.needs = needs.into_iter().flatten().collect();
        phrase.choices = choices.into_iter().map(Into::into).collect();
        fits.then_some(phrase)
    }

    /// Must it not occur?
    pub(crate) const fn is_absent(&self) -> bool {
        self.absent
    }

    /// The words without which it cannot occur.
    pub(crate) fn needs(&self) -> &[u16] {
        &self.needs
    }

    /// Of each of these groups of alternatives it needs one.
    pub(crate) fn choices(&self) -> impl Iterator<Item = &[u16]> {
        self.choices.iter().map(|group| &**group)
    }

    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// The groups of alternatives, one of each of which it needs.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Vec<u16>> {
        self.chunks.iter().flat_map(Chunk::steps).flatten()
    }

    /// Does it begin with a word, rather than with any?
    pub(crate) fn begins_with_word(&self) -> bool {
        let first = self.chunks.first().and_then(|chunk| chunk.words.first());
        first.is_some_and(|word| *word != ANY)
    }

    /// Does the text have it, or lack it, as it should be?
    pub(crate) fn agrees(&self, text: &Text) -> bool {
        self.absent == self.find(text, 0).is_none()
    }

    /// Does it occur with its chunk `number` at word `at`?
    #[inline]
    pub(crate) fn occurs_at(&self, words: &[u16], number: usize, at: usize) -> bool {
        let Some((before, [chunk, behind @ ..])) = self.chunks.split_at_checked(number) else {
            return false;
        };
        let captures = &mut Captures::default();
        chunk.stands_at(words, at, captures)
            && (before.is_empty() || follow_before(before, words, at))
            && (behind.is_empty() || follow_behind(behind, words, at + chunk.len, captures))
    }

    /// Are all the words in the text that it cannot do without?
    #[inline]
    pub(crate) fn may_occur(&self, text: &Presence) -> bool {
        text.has_all(&self.needs) && self.choices.iter().all(|group| text.has_any(group))
    }

    /// Where it first occurs from word `start` on: the places of its numbers.
    pub(crate) fn find(&self, text: &Text, start: usize) -> Option<Captures> {
        if !self.may_occur(text.present()) {
            return None;
        }
        let [first, behind @ ..] = &*self.chunks else {
            return None;
        };
        let words = text.words();
        let mut at = start;
        loop {
            let rest = words.get(at..)?;
            at += match &*first.words {
                [only, ..] if *only < ANY => rest.iter().position(|word| word == only)?,
                _ => rest.iter().position(|word| first.opening.has(*word))?,
            };
            let mut captures = Captures::default();
            let occurs = first.stands_at(words, at, &mut captures)
                && (behind.is_empty()
                    || follow_behind(behind, words, at + first.len, &mut captures));
            if occurs {
                return Some(captures);
            }
            at += 1;
        }
    }
}

/// Do `chunks` follow behind word `end`, each up to [`GAP_WORDS`] words behind the one before it?
fn follow_behind(chunks: &[Chunk], words: &[u16], end: usize, captures: &mut Captures) -> bool {
    let [chunk, behind @ ..] = chunks else {
        return true;
    };
    let before = captures.len;
    let gap = words.get(end..).unwrap_or_default();
    for (skip, &word) in gap.iter().take(GAP_WORDS + 1).enumerate() {
        let at = end + skip;
        if chunk.opening.has(word)
            && chunk.stands_at(words, at, captures)
            && follow_behind(behind, words, at + chunk.len, captures)
        {
            return true;
        }
        captures.len = before;
        if word == STOP {
            return false;
        }
    }
    false
}

/// Do `chunks` stand before word `start`, the last of them up to [`GAP_WORDS`] words before it?
fn follow_before(chunks: &[Chunk], words: &[u16], start: usize) -> bool {
    let [before @ .., chunk] = chunks else {
        return true;
    };
    for skip in 0..=GAP_WORDS {
        let Some(at) = start.checked_sub(skip + chunk.len) else {
            return false;
        };
        if chunk.stands_at(words, at, &mut Captures::default()) && follow_before(before, words, at)
        {
            return true;
        }
        // the word that the gap would have to pass over next
        let next = start.checked_sub(skip + 1).and_then(|at| words.get(at));
        if next == Some(&STOP) {
            return false;
        }
    }
    false
}
