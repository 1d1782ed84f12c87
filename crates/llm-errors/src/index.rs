//! Which of many patterns holds first: each is found by the rarest word, or pair of words, in it.

use crate::kind::ErrorKind;
use crate::lexicon::{Lexicon, UNKNOWN};
use crate::pattern::{Pattern, Place};
use crate::rule::Kinds;
use crate::text::Text;

/// Patterns in the order of their precedence.
#[derive(Clone)]
pub(crate) struct Index {
    patterns: Box<[Pattern]>,
    /// What each word leads to.
    leads: Box<[Lead; Lexicon::WORDS]>,
    /// What each pair of words leads to; a power of two of them.
    pairs: Box<[(u32, Range)]>,
    entries: Vec<Entry>,
}

/// A part of [`Index::entries`].
#[derive(Clone, Copy, PartialEq, Eq)]
struct Range {
    start: u16,
    end: u16,
}

/// What a word leads to.
#[derive(Clone, Copy)]
struct Lead {
    /// The words with which it makes a pair that leads to patterns, folded to 64 bits.
    followers: u64,
    /// What it leads to by itself.
    alone: Range,
}

/// A pattern under the words by which it is found.
#[derive(Clone, Copy)]
struct Entry {
    pattern: u16,
    /// What it concludes.
    kind: ErrorKind,
    /// Where the anchor stands in it.
    place: Place,
    /// Other words without which it cannot hold, the rarest of them.
    needs: [u16; NEEDS],
}

/// Words that an entry asks for before its pattern is looked at.
const NEEDS: usize = 3;

impl Range {
    const NONE: Self = Self { start: 0, end: 0 };
}

impl Lead {
    const NONE: Self = Self {
        followers: 0,
        alone: Range::NONE,
    };
}

impl Index {
    /// Lists patterns, each with what it concludes; `words` is the size of the lexicon.
    pub(crate) fn new(patterns: Vec<(Pattern, ErrorKind)>, words: usize) -> Self {
        let mut uses = vec![0; words];
        for (pattern, _) in &patterns {
            pattern.count(&mut uses);
        }
        let mut listed: Vec<(Anchored, Entry)> = Vec::new();
        for (number, (pattern, kind)) in patterns.iter().enumerate() {
            let anchor = pattern.anchor(&uses);
            let known = |word: &u16| anchor.first == [*word] || anchor.second == [*word];
            let mut needs = [UNKNOWN; NEEDS];
            let others = pattern.needs(&uses).into_iter().filter(|word| !known(word));
            for (place, word) in needs.iter_mut().zip(others) {
                *place = word;
            }
            let entry = Entry {
                pattern: u16::try_from(number).unwrap_or(u16::MAX),
                kind: *kind,
                place: anchor.place,
                needs,
            };
            for first in &anchor.first {
                if anchor.second.is_empty() {
                    listed.push(((*first, None), entry));
                }
                for second in &anchor.second {
                    listed.push(((*first, Some(*second)), entry));
                }
            }
        }
        listed.sort_by_key(|(key, entry)| (*key, entry.pattern));
        listed.dedup_by_key(|(key, entry)| (*key, entry.pattern));
        let anchors = listed.chunk_by(|(one, _), (other, _)| one == other);
        let room = (2 * anchors.clone().count()).next_power_of_two().max(2);
        let mut index = Self {
            patterns: patterns.into_iter().map(|(pattern, _)| pattern).collect(),
            leads: Box::new([Lead::NONE; Lexicon::WORDS]),
            pairs: vec![(0, Range::NONE); room].into(),
            entries: Vec::new(),
        };
        for group in anchors {
            index.add(group);
        }
        index
    }

    /// Lists the patterns of one anchor.
    fn add(&mut self, group: &[(Anchored, Entry)]) {
        let Some(((first, second), _)) = group.first() else {
            return;
        };
        let place = |len| u16::try_from(len).unwrap_or(u16::MAX);
        let start = place(self.entries.len());
        self.entries.extend(group.iter().map(|(_, entry)| *entry));
        let range = Range {
            start,
            end: place(self.entries.len()),
        };
        let Some(lead) = self.leads.get_mut(usize::from(*first)) else {
            return;
        };
        let Some(second) = second else {
            lead.alone = range;
            return;
        };
        lead.followers |= follower(*second);
        let key = key(*first, *second);
        let mut at = self.slot(key);
        while let Some(free) = self.pairs.get_mut(at) {
            if free.0 == 0 {
                *free = (key, range);
                return;
            }
            at = (at + 1) & (self.pairs.len() - 1);
        }
    }

    /// The pattern with this number.
    pub(crate) fn get(&self, number: usize) -> Option<&Pattern> {
        self.patterns.get(number)
    }

    /// The number of the first pattern that `text` fulfils, among those for `kinds` that `allowed`
    /// lets pass.
    pub(crate) fn first(
        &self,
        text: &Text,
        kinds: Kinds,
        allowed: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        if text.is_empty() {
            return None;
        }
        let mut candidates = Candidates::new();
        let mut best = None;
        let present = text.present();
        let mut collect = |range: Range, at: usize| {
            let start = usize::from(range.start);
            let entries = self.entries.get(start..usize::from(range.end));
            for (number, entry) in entries.unwrap_or_default().iter().enumerate() {
                let [first, second, third] = entry.needs;
                if kinds.contains(entry.kind)
                    && present.has(first)
                    && present.has(second)
                    && present.has(third)
                    && !candidates.push(entry.pattern, start + number, at)
                {
                    best = self.best(&mut candidates, best, text, &allowed);
                    candidates.push(entry.pattern, start + number, at);
                }
            }
        };
        for (at, pair) in text.pairs().enumerate() {
            let [word, next] = *pair;
            let lead = self.leads.get(usize::from(word) % Lexicon::WORDS)?;
            if lead.followers & follower(next) != 0 {
                collect(self.pair(key(word, next)), at);
            }
            if lead.alone.end != 0 {
                collect(lead.alone, at);
            }
        }
        self.best(&mut candidates, best, text, &allowed)
            .map(usize::from)
    }

    /// The first of the candidates that holds, or the best known, whichever comes first. Leaves
    /// no candidates. Asked in their order, few have to be looked at.
    fn best(
        &self,
        candidates: &mut Candidates,
        known: Option<u16>,
        text: &Text,
        allowed: &impl Fn(usize) -> bool,
    ) -> Option<u16> {
        while let Some((pattern, entry, at)) = candidates.take_first() {
            if known.is_some_and(|known| known <= pattern) {
                break;
            }
            let number = usize::from(pattern);
            if allowed(number)
                && let Some(entry) = self.entries.get(entry)
                && let Some(found) = self.patterns.get(number)
                && found.occurs_at(text, entry.place, at)
            {
                candidates.len = 0;
                return Some(pattern);
            }
        }
        candidates.len = 0;
        known
    }

    /// What the pair with this key leads to.
    #[inline]
    fn pair(&self, key: u32) -> Range {
        let mut at = self.slot(key);
        while let Some((known, range)) = self.pairs.get(at) {
            if *known == key {
                return *range;
            }
            if *known == 0 {
                break;
            }
            at = (at + 1) & (self.pairs.len() - 1);
        }
        Range::NONE
    }

    const fn slot(&self, key: u32) -> usize {
        (key.wrapping_mul(0x9e37_79b1) >> 12) as usize & (self.pairs.len() - 1)
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.entries.len()
    }
}

/// A handful of patterns that may hold. Each is one number, which begins with the pattern's, so
/// that the least is the first; then come its entry and the word at which its anchor stands.
struct Candidates {
    row: [u64; Self::ROOM],
    len: usize,
}

impl Candidates {
    const ROOM: usize = 24;

    const fn new() -> Self {
        Self {
            row: [0; Self::ROOM],
            len: 0,
        }
    }

    /// Adds one. False where there is no room.
    #[inline]
    fn push(&mut self, pattern: u16, entry: usize, at: usize) -> bool {
        let Some(free) = self.row.get_mut(self.len) else {
            return false;
        };
        *free = u64::from(pattern) << 48 | (entry as u64 & 0xffff_ffff) << 16 | at as u64 & 0xffff;
        self.len += 1;
        true
    }

    /// Takes the one whose pattern comes first: the pattern, the entry and the word.
    fn take_first(&mut self) -> Option<(u16, usize, usize)> {
        let row = self.row.get_mut(..self.len)?;
        let first = row.iter().copied().min()?;
        let place = row.iter().position(|candidate| *candidate == first)?;
        let last = row.last().copied()?;
        *row.get_mut(place)? = last;
        self.len -= 1;
        let part = |shift: u32, mask: u64| usize::try_from(first >> shift & mask).ok();
        let pattern = u16::try_from(first >> 48).ok()?;
        Some((pattern, part(16, 0xffff_ffff)?, part(0, 0xffff)?))
    }
}

/// A word, and the one behind it where the pair leads to patterns.
type Anchored = (u16, Option<u16>);

/// The bit of a word in [`Lead::followers`].
const fn follower(word: u16) -> u64 {
    1 << (word & 63)
}

const fn key(first: u16, second: u16) -> u32 {
    (first as u32) << 16 | second as u32
}
