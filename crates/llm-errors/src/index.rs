//! Which text rules may hold: found by the rarest word, or pair of words, of each.

use crate::kind::ErrorKind;
use crate::provider::Provider;
use crate::rule::{Kinds, TextRule};
use crate::text::{Fold, Text};

/// A text rule under the words by which it is found.
#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: u16,
    kind: ErrorKind,
    phrase: u8,
    /// The words before the anchor in its phrase; [`Entry::UNCERTAIN`] behind a gap.
    offset: u8,
    fold: Fold,
}

impl Entry {
    const UNCERTAIN: u8 = u8::MAX;
}

/// Numbers of words; the lexicon gives no more.
const WORDS: usize = 2048;
/// Places of the table of anchors; a power of two.
const SLOTS: usize = 8192;
/// In [`Index::leads`]: the word leads to rules by itself.
const ALONE: u64 = 1 << 63;

/// What the rules are asked about.
struct Question<'a> {
    rules: &'a [TextRule],
    provider: Provider,
    status: u16,
    text: &'a Text,
    kinds: Kinds,
    fold: Fold,
}

/// All text rules by their anchors.
#[derive(Clone)]
pub(crate) struct Index {
    /// For each word those that may follow it in a pair that leads to rules, folded to 64 bits;
    /// the last of them also tells that the word leads to rules alone.
    leads: Box<[u64; WORDS]>,
    /// For each word, or pair of words, that leads to rules a range of `entries`.
    slots: Vec<(u32, u16, u16)>,
    entries: Vec<Entry>,
}

impl Index {
    /// The rules in the order of their precedence; `words` is the size of the lexicon.
    pub(crate) fn new(rules: &[TextRule], words: usize) -> Self {
        let mut uses = vec![0; words];
        for rule in rules {
            rule.pattern.count(&mut uses);
        }
        let mut listed: Vec<(u32, Entry)> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let anchor = rule.pattern.anchor(&uses);
            let small = |number: usize| u8::try_from(number).unwrap_or(Entry::UNCERTAIN);
            let entry = Entry {
                rule: u16::try_from(number).unwrap_or(u16::MAX),
                kind: rule.outcome.kind,
                phrase: small(anchor.phrase),
                offset: anchor.offset.map_or(Entry::UNCERTAIN, small),
                fold: rule.pattern.fold(),
            };
            for first in &anchor.first {
                if anchor.second.is_empty() {
                    listed.push((key(*first, 0), entry));
                }
                for second in &anchor.second {
                    listed.push((key(*first, *second), entry));
                }
            }
        }
        listed.sort_by_key(|(key, entry)| (*key, entry.rule));
        listed.dedup_by_key(|(key, entry)| (*key, entry.rule));
        let mut index = Self {
            leads: Box::new([0; WORDS]),
            slots: vec![(0, 0, 0); SLOTS],
            entries: Vec::new(),
        };
        for group in listed.chunk_by(|(one, _), (other, _)| one == other) {
            index.add(group);
        }
        index
    }

    /// Lists the rules of one anchor.
    fn add(&mut self, group: &[(u32, Entry)]) {
        let Some((key, _)) = group.first() else {
            return;
        };
        let (first, second) = ((key >> 16) as usize, *key & 0xffff);
        if let Some(leads) = self.leads.get_mut(first) {
            *leads |= if second == 0 {
                ALONE
            } else {
                1 << (second & 63)
            };
        }
        let place = |len| u16::try_from(len).unwrap_or(u16::MAX);
        let start = place(self.entries.len());
        self.entries.extend(group.iter().map(|(_, entry)| *entry));
        let end = place(self.entries.len());
        let mut at = slot(*key);
        while let Some(free) = self.slots.get_mut(at) {
            if free.0 == 0 {
                *free = (*key, start, end);
                return;
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// The first of `rules` that `text` fulfils, among those for this provider, status and kinds.
    pub(crate) fn first<'r>(
        &self,
        rules: &'r [TextRule],
        provider: Provider,
        status: u16,
        text: &Text,
        kinds: Kinds,
    ) -> Option<&'r TextRule> {
        let words = text.words();
        let ask = Question {
            rules,
            provider,
            status,
            text,
            kinds,
            fold: text.fold(),
        };
        let mut best = u16::MAX;
        for (at, &word) in words.iter().enumerate() {
            let leads = self.leads.get(usize::from(word) % WORDS).copied();
            let leads = leads.unwrap_or_default();
            if leads == 0 {
                continue;
            }
            let next = words.get(at + 1).copied().unwrap_or_default();
            if leads & (1 << (next & 63)) != 0 {
                self.best(key(word, next), at, &ask, &mut best);
            }
            if leads & ALONE != 0 {
                self.best(key(word, 0), at, &ask, &mut best);
            }
        }
        rules.get(usize::from(best))
    }

    /// Lowers `best` to the first rule under `key` that holds.
    fn best(&self, key: u32, at: usize, ask: &Question<'_>, best: &mut u16) {
        for entry in self.entries(key) {
            if entry.rule >= *best {
                break;
            }
            if entry.fold.all_in(ask.fold)
                && ask.kinds.contains(entry.kind)
                && let Some(rule) = ask.rules.get(usize::from(entry.rule))
                && rule.provider.is_none_or(|of| of == ask.provider)
                && rule.statuses.allow(ask.status)
                && holds(rule, entry, ask.text, at)
            {
                *best = entry.rule;
                break;
            }
        }
    }

    fn entries(&self, key: u32) -> &[Entry] {
        let mut at = slot(key);
        while let Some((known, start, end)) = self.slots.get(at) {
            if *known == key {
                let range = usize::from(*start)..usize::from(*end);
                return self.entries.get(range).unwrap_or_default();
            }
            if *known == 0 {
                break;
            }
            at = (at + 1) % SLOTS;
        }
        &[]
    }

    /// How many entries there are, and anchors.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (usize, usize) {
        let anchors = self.slots.iter().filter(|(key, ..)| *key != 0);
        (self.entries.len(), anchors.count())
    }
}

/// Does `rule` hold, with the anchor of `entry` at word `at`?
#[inline]
fn holds(rule: &TextRule, entry: &Entry, text: &Text, at: usize) -> bool {
    let pattern = &rule.pattern;
    if entry.offset == Entry::UNCERTAIN {
        return pattern.may_occur(text) && pattern.occurs_in(text);
    }
    at.checked_sub(usize::from(entry.offset))
        .is_some_and(|start| pattern.occurs_at(text, usize::from(entry.phrase), start))
}

const fn key(first: u16, second: u16) -> u32 {
    (first as u32) << 16 | second as u32
}

const fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> 19) as usize
}
