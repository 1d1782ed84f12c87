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
