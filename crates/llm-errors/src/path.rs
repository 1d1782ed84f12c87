//! Where a value stands in a document.

use crate::key::Key;
use crate::quoted::Quoted;

/// Keys kept of the way to a value; deeper levels are walked, but their keys are not told apart.
const MAX_DEPTH: usize = 12;

/// The keys from the root to a value. Array elements carry their array's key.
#[derive(Debug)]
pub(crate) struct Path {
    keys: [Key; MAX_DEPTH],
    /// Which levels are arrays, one bit each.
    arrays: u32,
    /// Which levels are no envelopes of errors, one bit each.
    strange: u32,
    depth: usize,
    key: Key,
    escaped: bool,
    numbered: bool,
    braced: bool,
}

impl Path {
    pub(crate) const fn new() -> Self {
        Self {
            keys: [Key::Root; MAX_DEPTH],
            arrays: 0,
            strange: 0,
            depth: 0,
            key: Key::Root,
            escaped: false,
            numbered: false,
            braced: false,
        }
    }

    /// The key of the value itself.
    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// The value that comes next has this key.
    #[inline]
    pub(crate) const fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// The value is this string.
    #[inline]
    pub(crate) const fn set_string(&mut self, string: &Quoted<'_>) {
        self.escaped = string.escaped;
        self.numbered = string.numbered;
        self.braced = string.braced;
    }

    /// The keys of the containers around the value, as far as they are kept, the root first.
    #[cfg(test)]
    pub(crate) fn around(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().take(self.depth)
    }

    /// The key of the innermost container.
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is below the length of the array"
    )]
    pub(crate) const fn parent(&self) -> Key {
        let inner = if self.depth < MAX_DEPTH {
            self.depth
        } else {
            MAX_DEPTH
        };
        self.keys[inner.saturating_sub(1)]
    }

    /// Are all containers around the value such as errors are wrapped in?
    pub(crate) const fn enveloped(&self) -> bool {
        self.strange == 0
    }

    /// May a sentence here be the message of an error that nobody knows the shape of? Not where it
    /// is read anyway, and not inside an echo or an answer.
    #[inline]
    pub(crate) fn may_be_spare(&self) -> bool {
        let named = match self.key {
            Key::Strange | Key::Envelope => true,
            Key::Message | Key::ErrorMessage | Key::Detail | Key::Description => !self.enveloped(),
            Key::Text | Key::Role => self.parent() == Key::Strange,
            _ => false,
        };
        named && self.is_unclaimed()
    }

    /// Is nothing around the value known to mean anything else?
    fn is_unclaimed(&self) -> bool {
        let unclaimed = |key: &Key| key.is_envelope() || *key == Key::Strange;
        self.depth <= 4 && self.keys.iter().take(self.depth).all(unclaimed)
    }

    /// Containers around the value, the root included.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// The string value has a backslash in it.
    pub(crate) const fn escaped(&self) -> bool {
        self.escaped
    }

    /// The string value has a character in it by its number.
    pub(crate) const fn numbered(&self) -> bool {
        self.numbered
    }

    /// The string value has an opening brace in it.
    pub(crate) const fn braced(&self) -> bool {
        self.braced
    }

    pub(crate) const fn in_array(&self) -> bool {
        self.depth > 0 && self.depth <= 32 && self.arrays & (1 << (self.depth - 1)) != 0
    }

    pub(crate) fn open(&mut self, array: bool) {
        if let Some(place) = self.keys.get_mut(self.depth) {
            *place = self.key;
        }
        if self.depth < 32 {
            let bit = 1 << self.depth;
            self.arrays = (self.arrays & !bit) | if array { bit } else { 0 };
            self.strange |= if self.key.is_envelope() { 0 } else { bit };
        }
        self.depth += 1;
    }

    pub(crate) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth < 32 {
            self.strange &= !(1 << self.depth);
        }
        self.key = self.keys.get(self.depth).copied().unwrap_or(Key::Strange);
    }
}
