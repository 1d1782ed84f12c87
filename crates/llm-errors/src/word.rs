//! The commonest parts of a message: words of letters, and numbers alone. Eight bytes are looked at
//! at once.

use crate::lexicon::{CASE, mix};

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The eight bytes at `at`; behind the end of all stand spaces. `None` where nothing is left.
#[inline(always)]
pub(crate) fn window(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    match rest.first_chunk() {
        Some(eight) => Some(u64::from_le_bytes(*eight)),
        None => last_window(rest),
    }
}

#[cold]
fn last_window(rest: &[u8]) -> Option<u64> {
    let mut eight = [b' '; 8];
    eight.get_mut(..rest.len())?.copy_from_slice(rest);
    (!rest.is_empty()).then_some(u64::from_le_bytes(eight))
}

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
    pub(crate) fn read(bytes: &[u8], start: usize, window: u64) -> Option<Self> {
        let ends = others(window);
        if ends & 0x80 != 0 {
            return None;
        }
        if ends == 0 {
            return Some(Self::read_long(bytes, start, window));
        }
        Some(Self::last(0, start, window, ends))
    }

    /// A run of eight bytes and more.
    #[inline(never)]
    fn read_long(bytes: &[u8], start: usize, mut window: u64) -> Self {
        let mut key = 0;
        let mut end = start;
        let mut ends = 0;
        while ends == 0 {
            key = mix(key, window | CASE);
            end += 8;
            window = self::window(bytes, end).unwrap_or(CASE);
            ends = others(window);
        }
        Self::last(key, end, window, ends)
    }

    /// The run whose last bytes are at the beginning of `window`.
    #[inline(always)]
    const fn last(key: u64, at: usize, window: u64, ends: u64) -> Self {
        let bits = ends.trailing_zeros() & 0x38;
        let [next, ..] = (window >> bits).to_le_bytes();
        Self {
            key: mix(key, (window | CASE) & ((1 << bits) - 1)),
            end: at + bits as usize / 8,
            next,
        }
    }

    /// Is it a word by itself, rather than part of something longer?
    #[inline]
    pub(crate) fn is_alone(&self, bytes: &[u8]) -> bool {
        match ends(self.next) {
            Ends::Yes => true,
            Ends::BeforeSpace => {
                matches!(bytes.get(self.end + 1), None | Some(b' ' | b'"' | b'\n'))
            }
            Ends::No => false,
        }
    }
}

/// Are the bytes from `start`, where `window` is, to `end` letters, and small ones behind the
/// first?
#[inline]
pub(crate) fn is_lower(bytes: &[u8], start: usize, end: usize, window: u64) -> bool {
    /// The high bits of the bytes that are no small letters: the first of them is exact.
    const fn others(window: u64) -> u64 {
        strangers(window) | ((!window & CASE) << 2)
    }
    let mut others_at = others(window | 0x20);
    let mut at = start;
    loop {
        let place = at + others_at.trailing_zeros() as usize / 8;
        if place < at + 8 || end <= at + 8 {
            return place >= end;
        }
        at += 8;
        others_at = others(self::window(bytes, at).unwrap_or(CASE));
    }
}

/// Digits alone at `start` with nothing joined to them: the value in thousandths, and the end.
#[inline]
pub(crate) fn plain_numeral(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    let mut end = start;
    while let Some(byte @ b'0'..=b'9') = bytes.get(end) {
        value = u64::wrapping_add(u64::wrapping_mul(value, 10), u64::from(byte - b'0'));
        end += 1;
    }
    // more digits than fit are read with care
    let short = end - start <= 15;
    let alone = match bytes.get(end) {
        None | Some(b' ' | b')' | b'"' | b'\\') => true,
        Some(b'.' | b',' | b';') => !bytes.get(end + 1).is_some_and(u8::is_ascii_alphanumeric),
        _ => false,
    };
    (short && alone).then(|| (value * 1000, end))
}

/// Whether a byte ends a word of letters.
#[derive(Clone, Copy)]
enum Ends {
    No,
    Yes,
    BeforeSpace,
}

#[expect(
    clippy::indexing_slicing,
    reason = "a table of 256 entries, indexed by a byte"
)]
const fn ends(byte: u8) -> Ends {
    ENDS[byte as usize]
}

/// Which bytes end a word of letters.
#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where a wrong index is an error"
)]
static ENDS: [Ends; 256] = {
    let mut table = [Ends::No; 256];
    let yes = b" ,\")(;!?\n";
    let mut number = 0;
    while number < yes.len() {
        table[yes[number] as usize] = Ends::Yes;
        number += 1;
    }
    table[b'.' as usize] = Ends::BeforeSpace;
    table[b':' as usize] = Ends::BeforeSpace;
    table
};
