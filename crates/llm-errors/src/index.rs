//! Which of many patterns holds first: each is found by the rarest word, or pair of words, in it.

use crate::kind::ErrorKind;
use crate::lexicon::{Lexicon, UNKNOWN};
use crate::pattern::{Anchor, Pattern, Place};
use crate::presence::Fold;
use crate::rule::Kinds;
use crate::text::Text;

/// Patterns in the order of their precedence.
#[derive(Clone)]
pub(crate) struct Index {
    patterns: Box<[Pattern]>,
    /// What each word leads to.
    leads: Box<[Lead; Lexicon::WORDS]>,
    /// What each pair of words leads to; a power of two of them.
    pairs: Box<[(u32, Listed)]>,
    entries: Vec<Entry>,
}

/// A part of [`Index::entries`].
#[derive(Clone, Copy)]
struct Listed {
    start: u16,
    end: u16,
    /// The first of their patterns.
    first: u16,
    /// What they conclude.
    kinds: Kinds,
    /// Words that all of them need, folded.
    needs: Fold,
}

/// What a word leads to.
#[derive(Clone, Copy)]
struct Lead {
    /// The words with which it makes a pair that leads to patterns, folded.
    followers: Fold,
    /// What it leads to by itself.
    alone: Listed,
}

/// A pattern under the words by which it is found.
#[derive(Clone, Copy)]
struct Entry {
    pattern: u16,
    /// What it concludes.
    kind: ErrorKind,
    /// Where the anchor stands in it.
    place: Place,
    /// The anchor is all there is to it.
    whole: bool,
    /// Other words without which it cannot hold, the rarest of them.
    needs: [u16; NEEDS],
    /// All those words, folded.
    fold: Fold,
    /// One of these it needs as well.
    choice: [u16; CHOICES],
}

/// Words that an entry asks for before its pattern is looked at.
const NEEDS: usize = 3;
/// Alternatives that an entry asks for.
const CHOICES: usize = 4;

impl Listed {
    /// Nothing, which hardly any text is asked for.
    const NONE: Self = Self {
        start: 0,
        end: 0,
        first: u16::MAX,
        kinds: Kinds::NONE,
        needs: Fold::ALL,
    };
}

impl Lead {
    const NONE: Self = Self {
        followers: Fold::NONE,
        alone: Listed::NONE,
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
            let mut others = pattern.needs(&uses);
            others.retain(|word| !known(word));
            let mut needs = [UNKNOWN; NEEDS];
            for (place, word) in needs.iter_mut().zip(&others) {
                *place = *word;
            }
            let entry = Entry {
                pattern: u16::try_from(number).unwrap_or(u16::MAX),
                kind: *kind,
                place: anchor.place,
                whole: pattern.words() == Some(1 + usize::from(!anchor.second.is_empty())),
                needs,
                fold: Fold::of(&others),
                choice: choice(pattern, &anchor, &uses),
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
            pairs: vec![(0, Listed::NONE); room].into(),
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
        let entries = group.iter().map(|(_, entry)| entry);
        let listed = Listed {
            start,
            end: place(self.entries.len()),
            first: entries
                .clone()
                .map(|entry| entry.pattern)
                .min()
                .unwrap_or(u16::MAX),
            kinds: entries
                .clone()
                .fold(Kinds::NONE, |kinds, entry| kinds.with(entry.kind)),
            needs: entries.fold(Fold::ALL, |needs, entry| needs.common(entry.fold)),
        };
        let Some(lead) = self.leads.get_mut(usize::from(*first)) else {
            return;
        };
        let Some(second) = second else {
            lead.alone = listed;
            return;
        };
        lead.followers.add(*second);
        let key = key(*first, *second);
        let mut at = self.slot(key);
        while let Some(free) = self.pairs.get_mut(at) {
            if free.0 == 0 {
                *free = (key, listed);
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
    /// lets pass; and the word before which it does not begin.
    pub(crate) fn first(
        &self,
        text: &Text,
        kinds: Kinds,
        allowed: impl Fn(usize) -> bool,
    ) -> Option<(usize, usize)> {
        if text.is_empty() {
            return None;
        }
        let present = text.present().fold();
        let mut search = Search {
            index: self,
            text,
            present,
            kinds,
            best: u16::MAX,
            start: 0,
        };
        for (at, [word, next]) in text.pairs().enumerate() {
            let lead = self.leads.get(usize::from(*word) % Lexicon::WORDS)?;
            if lead.followers.has(*next) {
                search.look_at_pair(key(*word, *next), at, &allowed);
            }
            if present.holds(lead.alone.needs) && search.is_open(&lead.alone) {
                search.look(&lead.alone, at, &allowed);
            }
        }
        let best = usize::from(search.best);
        (search.best != u16::MAX).then_some((best, search.start))
    }

    /// What the pair with this key leads to.
    #[inline]
    fn pair(&self, key: u32) -> Option<&Listed> {
        let mut at = self.slot(key);
        while let Some((known, listed)) = self.pairs.get(at) {
            if *known == key {
                return Some(listed);
            }
            if *known == 0 {
                break;
            }
            at = (at + 1) & (self.pairs.len() - 1);
        }
        None
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

/// A search under way.
struct Search<'a> {
    index: &'a Index,
    text: &'a Text,
    /// The words of the text.
    present: Fold,
    kinds: Kinds,
    /// The first pattern found to hold.
    best: u16,
    /// The word before which it does not begin.
    start: usize,
}

impl Search<'_> {
    /// May one of these patterns come before what is known, and say what is asked?
    #[inline(always)]
    const fn is_open(&self, listed: &Listed) -> bool {
        listed.first < self.best && self.kinds.meets(listed.kinds)
    }

    /// Looks at what this pair of words leads to, which stands at word `at`.
    #[inline(never)]
    fn look_at_pair(&mut self, key: u32, at: usize, allowed: &impl Fn(usize) -> bool) {
        if let Some(listed) = self.index.pair(key)
            && self.present.holds(listed.needs)
            && self.is_open(listed)
        {
            self.look(listed, at, allowed);
        }
    }

    /// Looks at the patterns of an anchor that stands at word `at`.
    #[inline(never)]
    fn look(&mut self, listed: &Listed, at: usize, allowed: &impl Fn(usize) -> bool) {
        let entries = usize::from(listed.start)..usize::from(listed.end);
        for entry in self.index.entries.get(entries).unwrap_or_default() {
            // they stand in their order
            if entry.pattern >= self.best {
                return;
            }
            let number = usize::from(entry.pattern);
            if self.present.holds(entry.fold)
                && self.kinds.contains(entry.kind)
                && self.text.present().has_all(&entry.needs)
                && self.text.present().has_any(&entry.choice)
                && allowed(number)
                && (entry.whole || self.stands(entry, at))
            {
                self.best = entry.pattern;
                self.start = match entry.place {
                    Place {
                        phrase: 0,
                        chunk: 0,
                        offset,
                    } => at - usize::from(offset),
                    _ => 0,
                };
                return;
            }
        }
    }

    fn stands(&self, entry: &Entry, at: usize) -> bool {
        let pattern = self.index.patterns.get(usize::from(entry.pattern));
        pattern.is_some_and(|pattern| pattern.occurs_at(self.text, entry.place, at))
    }
}

/// The rarest alternatives of which `pattern` needs one besides its anchor, if they are few.
fn choice(pattern: &Pattern, anchor: &Anchor, uses: &[u32]) -> [u16; CHOICES] {
    let uses = |word: &u16| uses.get(usize::from(*word)).copied().unwrap_or(0);
    let rarest = pattern
        .choices()
        .filter(|group| **group != anchor.first && **group != anchor.second)
        .filter(|group| group.len() <= CHOICES)
        .min_by_key(|group| group.iter().map(uses).sum::<u32>());
    let mut choice = [UNKNOWN; CHOICES];
    if let Some([first, others @ ..]) = rarest {
        choice = [*first; CHOICES];
        for (place, word) in choice.iter_mut().zip(others) {
            *place = *word;
        }
    }
    choice
}

/// A word, and the one behind it where the pair leads to patterns.
type Anchored = (u16, Option<u16>);

const fn key(first: u16, second: u16) -> u32 {
    (first as u32) << 16 | second as u32
}
