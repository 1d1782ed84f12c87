//! The numbers that a row of words states, found by a pattern.

use crate::index::Index;
use crate::phrase::Captures;
use crate::row::Row;
use crate::rule::Kinds;
use crate::text::Text;

/// Which pattern states numbers, and where.
pub(crate) struct Stated {
    pub(crate) pattern: u16,
    pub(crate) places: Captures,
}

impl Stated {
    /// Asks for the first of these patterns, from number `from` on, that `text` fulfils: the answer
    /// in one number, 0 for none.
    pub(crate) fn find(patterns: &Index, text: &Text, from: usize) -> u64 {
        let find = || {
            let (found, start) = patterns.first(text, Kinds::ALL, |number| number >= from)?;
            let places = patterns.get(found)?.capture(text, start)?;
            let pattern = u16::try_from(found).ok()?;
            Some(Self { pattern, places }.pack())
        };
        find().unwrap_or(0)
    }

    pub(crate) fn pack(&self) -> u64 {
        self.places.pack() << 24 | u64::from(self.pattern) << 8 | 1
    }

    pub(crate) fn of(bits: u64) -> Option<Self> {
        let [found, low, high, ..] = bits.to_le_bytes();
        (found != 0).then(|| Self {
            pattern: u16::from_le_bytes([low, high]),
            places: Captures::unpack(bits >> 24),
        })
    }

    /// The numbers in thousandths, and how many there are.
    pub(crate) fn values(&self, row: &Row<'_>) -> ([u64; Captures::MAX], usize) {
        let mut values = [0; Captures::MAX];
        let places = self.places.places();
        for (value, place) in values.iter_mut().zip(places) {
            *value = row.value(*place).unwrap_or_default();
        }
        (values, places.len())
    }
}
