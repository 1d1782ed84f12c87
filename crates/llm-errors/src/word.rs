//! The commonest parts of a message: words of letters, and numbers alone. Eight bytes are looked at
//! at once.

use crate::lexicon::{CASE, mix};
use crate::window::{HIGH, LOW, window};

/// The high bits of the bytes that are no letters: the first of them is exact.
pub(crate) const fn strangers(window: u64) -> u64 {
    let place = (window | CASE) ^ (LOW * 0x60);
    (place.wrapping_add(LOW * 0x65) | place.wrapping_sub(LOW) | place) & HIGH
}

/// A run of letters, as far as one look tells: of the bytes from `@` to the end of ASCII. No known
/// word holds any of them but letters and the underscore.
pub(crate) struct Word {
    pub(crate) key: u64,
    /// Where it ends.
    pub(crate) end: usize,
    /// The byte behind it.
    pub(crate) next: u8,
}

/// The high bits of the bytes that cannot be letters.
#[inline(always)]
const fn others(window: u64) -> u64 {
    (!(window << 1) | window) & HIGH
}

impl Word {
    /// The run that begins at `start`, where `window` is. `None` where there is none.
    #[inline(always)]
    pub(crate) fn read(bytes: &[u8], start: usize, mut window: u64) -> Option<Self> {
        let mut ends = others(window);
        if ends & 0x80 != 0 {
            return None;
        }
        let mut key = 0;
        let mut end = start;
        while ends == 0 {
            key = mix(key, window | CASE);
            end += 8;
            window = self::window(bytes, end).unwrap_or(CASE);
            ends = others(window);
        }
        let bits = ends.trailing_zeros() & 0x38;
        let [next, ..] = (window >> bits).to_le_bytes();
        Some(Self {
            key: mix(key, (window | CASE) & (ends ^ (ends - 1)) >> 8),
            end: end + bits as usize / 8,
            next,
        })
    }

    /// Is it a word by itself, rather than part of something longer? Then where to read on.
    #[inline(always)]
    pub(crate) fn alone(&self, bytes: &[u8]) -> Option<usize> {
        if self.next == b' ' {
            return Some(self.end + 1);
        }
        let behind = behind(self.next);
        if behind <= PASSED {
            return Some(self.end + usize::from(behind));
        }
        let spaced = matches!(bytes.get(self.end + 1), None | Some(b' ' | b'"' | b'\n'));
        (behind == BEFORE_SPACE && spaced).then_some(self.end)
    }

    /// Is the run, which began at `start`, where `window` is, of letters, and of small ones behind
    /// the first?
    #[inline(always)]
    pub(crate) fn is_lower(&self, bytes: &[u8], start: usize, window: u64) -> bool {
        /// The high bits of the bytes that are no small letters; no byte is above ASCII.
        const fn others(window: u64) -> u64 {
            (!(window + LOW * 0x1f) | (window + LOW * 0x05)) & HIGH
        }
        let first = window | 0x20;
        let len = self.end - start;
        if len < 8 {
            return others(first & ((1 << (8 * len)) - 1)) << (64 - 8 * len) == 0;
        }
        others(first) == 0
            && bytes
                .get(start + 8..self.end)
                .is_some_and(|rest| rest.iter().all(u8::is_ascii_lowercase))
    }
}

/// Digits alone at `start`, where `window` is, with nothing joined to them: the value in
/// thousandths, and the end.
#[inline]
pub(crate) fn plain_numeral(bytes: &[u8], start: usize, window: u64) -> Option<(u64, usize)> {
    let (value, end) = match short_numeral(window) {
        Some((value, len)) => (value, start + len),
        None => long_numeral(bytes, start),
    };
    // more digits than fit are read with care
    let short = end - start <= 15;
    let alone = match bytes.get(end) {
        None | Some(b' ' | b')' | b'"' | b'\\') => true,
        Some(b'.' | b',' | b';') => !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        _ => false,
    };
    (short && alone).then(|| (value * 1000, end))
}

/// Any number of digits at `start`: their value, as far as it fits, and the end.
#[cold]
fn long_numeral(bytes: &[u8], start: usize) -> (u64, usize) {
    let mut value = 0;
    let mut end = start;
    while let Some(byte @ b'0'..=b'9') = bytes.get(end) {
        value = u64::wrapping_add(u64::wrapping_mul(value, 10), u64::from(byte - b'0'));
        end += 1;
    }
    (value, end)
}

/// Up to seven digits at the start of `window`: their value, and how many they are.
#[inline(always)]
pub(crate) const fn short_numeral(window: u64) -> Option<(u64, usize)> {
    let digits = window ^ (LOW * 0x30);
    // the first byte above nine is exact
    let others = (digits.wrapping_add(LOW * 0x76) | digits) & HIGH;
    let len = others.trailing_zeros() as usize / 8;
    if len == 0 || len > 7 {
        return None;
    }
    // digits, then pairs of them, then fours: neighbours are added
    let ones = digits << (64 - 8 * len);
    let pairs = ones.wrapping_mul(2561) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(6_553_601) >> 16 & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(42_949_672_960_001) >> 32, len))
}

/// A byte that ends a word, and must be looked at.
const KEPT: u8 = 0;
/// A byte that ends a word, and is of no other use.
const PASSED: u8 = 1;
/// A byte that ends a word where a space follows.
const BEFORE_SPACE: u8 = 2;
/// Any other byte: the word goes on.
const JOINED: u8 = 3;

#[expect(
    clippy::indexing_slicing,
    reason = "a table of 256 entries, indexed by a byte"
)]
const fn behind(byte: u8) -> u8 {
    BEHIND[byte as usize]
}

/// What each byte means behind a word of letters.
#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where a wrong index is an error"
)]
static BEHIND: [u8; 256] = {
    const fn set(mut table: [u8; 256], bytes: &[u8], meaning: u8) -> [u8; 256] {
        let mut number = 0;
        while number < bytes.len() {
            table[bytes[number] as usize] = meaning;
            number += 1;
        }
        table
    }
    let table = set([JOINED; 256], b" ,)(\n", PASSED);
    let table = set(table, b"\";!?", KEPT);
    set(table, b".:", BEFORE_SPACE)
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_mean_the_same_however_many_are_read_at_once() {
        for text in [
            "0",
            "7 ",
            "12,",
            "128000 tokens",
            "1234567)",
            "12345678",
            "9876543210.",
        ] {
            let bytes = text.as_bytes();
            let (value, end) = long_numeral(bytes, 0);
            let short = window(bytes, 0).and_then(short_numeral);
            let expected = (end <= 7).then_some((value, end));
            assert_eq!(short, expected, "{text}");
        }
        assert_eq!(window(b"x1", 0).and_then(short_numeral), None);
    }

    #[test]
    fn a_word_ends_where_its_letters_do() {
        let read = |text: &str| {
            let bytes = text.as_bytes();
            let window = window(bytes, 0)?;
            let word = Word::read(bytes, 0, window)?;
            Some((word.end, word.is_lower(bytes, 0, window), word.alone(bytes)))
        };
        assert_eq!(read("rate limit"), Some((4, true, Some(5))));
        assert_eq!(read("Organization, or"), Some((12, true, Some(13))));
        assert_eq!(read("minute. Wait"), Some((6, true, Some(6))));
        assert_eq!(read("gpt-4o"), Some((3, true, None)));
        assert_eq!(read("e.g. this"), Some((1, true, None)));
        assert_eq!(read("RateLimitError "), Some((14, false, Some(15))));
        assert_eq!(read("max_tokens"), Some((10, false, Some(11))));
        assert_eq!(read("12"), None);
    }
}
