//! Which words occur in a text.

use crate::lexicon::{Lexicon, UNKNOWN};

/// A set of words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Presence([u64; Self::LEN]);

impl Presence {
    const LEN: usize = Lexicon::WORDS / 64;

    /// No words but the unknown one, which counts as present in every text.
    pub(crate) const fn new() -> Self {
        let mut bits = [0; Self::LEN];
        bits[0] = 1 << UNKNOWN;
        Self(bits)
    }

    /// No words at all.
    pub(crate) const fn none() -> Self {
        Self([0; Self::LEN])
    }

    /// Adds a word.
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is cut to the table's size"
    )]
    pub(crate) const fn add(&mut self, word: u16) {
        self.0[word as usize / 64 % Self::LEN] |= 1 << (word % 64);
    }

    /// Is the word in it?
    #[inline(always)]
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is cut to the table's size"
    )]
    pub(crate) const fn has(&self, word: u16) -> bool {
        self.0[word as usize / 64 % Self::LEN] >> (word % 64) & 1 != 0
    }

    /// The words, folded.
    #[inline]
    pub(crate) fn fold(&self) -> Fold {
        Fold(self.0.iter().fold(0, |all, bits| all | bits))
    }

    /// Are all of these words in it?
    #[inline]
    pub(crate) fn has_all(&self, words: &[u16]) -> bool {
        words.iter().all(|word| self.has(*word))
    }

    /// Is one of these words in it?
    #[inline]
    pub(crate) fn has_any(&self, words: &[u16]) -> bool {
        words.iter().any(|word| self.has(*word))
    }
}

/// A set of words in one number: words share their bits with others, so it may hold more than was
/// added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fold(u64);

impl Fold {
    /// No words.
    pub(crate) const NONE: Self = Self(0);
    /// All words.
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// These words.
    pub(crate) fn of(words: &[u16]) -> Self {
        let mut fold = Self::NONE;
        for word in words {
            fold.add(*word);
        }
        fold
    }

    /// Adds a word.
    #[inline(always)]
    pub(crate) const fn add(&mut self, word: u16) {
        self.0 |= 1 << (word & 63);
    }

    /// Is the word in it?
    #[inline(always)]
    pub(crate) const fn has(self, word: u16) -> bool {
        self.0 >> (word & 63) & 1 != 0
    }

    /// Are all of these words in it?
    #[inline(always)]
    pub(crate) const fn holds(self, words: Self) -> bool {
        words.0 & !self.0 == 0
    }

    /// The words in both.
    pub(crate) const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
