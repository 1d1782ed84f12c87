//! Reads words, numerals, addresses and quotations out of a message.

use crate::lexicon::WordKey;
use crate::moment::Moment;
use crate::scan::find_either;

/// A quotation longer than this is not one.
const MAX_QUOTED_BYTES: usize = 400;

/// What a word looked like.
#[derive(Default)]
pub(crate) struct Shape {
    pub(crate) key: u64,
    pub(crate) underscores: u32,
    /// Capital letters after small ones, and one at the start.
    pub(crate) humps: u32,
    /// Digits belong to it.
    pub(crate) compound: bool,
}

/// A place in a message.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    /// The beginning of a message.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Reads a word of letters alone, eight bytes at a time. `None`, without moving, where it may
    /// be part of a longer name.
    fn plain_word(&mut self) -> Option<Shape> {
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let mut key = WordKey::new();
        let mut at = self.at;
        let mut humps = 0;
        let mut upper_before = 0;
        loop {
            let raw = u64::from_le_bytes(*self.bytes.get(at..)?.first_chunk::<8>()?);
            let lower = raw | (LOW * 0x20);
            let seven = lower & !HIGH;
            let from_a = seven + LOW * u64::from(0x80 - b'a');
            let beyond_z = seven + LOW * u64::from(0x7f - b'z');
            let letters = from_a & !beyond_z & !raw & HIGH;
            let count = (!letters & HIGH).trailing_zeros() / 8;
            let word =
                (1_u64 << (8 * (count & 7))).wrapping_sub(1) | u64::from(count < 8).wrapping_sub(1);
            let upper = (!raw << 2) & HIGH & word;
            humps += (upper & !(upper << 8 | upper_before)).count_ones();
            upper_before = upper >> 56;
            key.push_eight(lower & word, count);
            at += count as usize;
            if count < 8 {
                break;
            }
        }
        let next = self.bytes.get(at).copied()?;
        let ends = match next {
            b' ' | b',' | b'"' | b')' | b'(' | b';' | b'!' | b'?' | b'\n' | b'\\' => true,
            b'.' | b':' => matches!(self.bytes.get(at + 1), None | Some(b' ' | b'"' | b'\n')),
            _ => false,
        };
        if !ends {
            return None;
        }
        self.at = at;
        Some(Shape {
            key: key.finish(),
            underscores: 0,
            humps,
            compound: false,
        })
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn ahead(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.at + offset).copied()
    }

    /// Passes over a URL, if one begins here.
    pub(crate) fn skip_url(&mut self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !(rest.starts_with(b"http://") || rest.starts_with(b"https://")) {
            return None;
        }
        let len = rest
            .iter()
            .position(|byte| {
                matches!(
                    byte,
                    b' ' | b'"' | b'\'' | b'\n' | b'\\' | b'>' | b')' | b','
                ) || *byte >= 0x80
            })
            .unwrap_or(rest.len());
        // the full stop that ends the sentence is not part of the address
        let trimmed = rest
            .get(..len)
            .unwrap_or_default()
            .trim_ascii_end()
            .strip_suffix(b".")
            .map_or(len, <[u8]>::len);
        let trimmed = trimmed.max(1);
        self.at += trimmed;
        rest.get(..trimmed)
    }

    /// Reads a word. Apostrophes inside are dropped.
    pub(crate) fn word(&mut self) -> Shape {
        if let Some(shape) = self.plain_word() {
            return shape;
        }
        let mut shape = Shape::default();
        let mut key = WordKey::new();
        let mut previous_lower = true;
        while let Some(byte) = self.peek() {
            match class(byte) {
                Class::Letter if byte == b'_' => {
                    shape.underscores += 1;
                    key.push(byte);
                }
                Class::Letter => {
                    let lower = byte & 0x20 != 0;
                    shape.humps += u32::from(previous_lower && !lower);
                    previous_lower = lower;
                    key.push(byte);
                }
                Class::Digit => {
                    shape.compound = true;
                    key.push(byte);
                }
                Class::Quote
                    if byte == b'\'' && self.ahead(1).is_some_and(|b| b.is_ascii_alphabetic()) => {}
                // the typographic apostrophe, U+2019
                Class::High
                    if self.bytes.get(self.at..self.at + 3) == Some(&[0xe2, 0x80, 0x99])
                        && self.ahead(3).is_some_and(|b| b.is_ascii_alphabetic()) =>
                {
                    self.at += 2;
                }
                _ => break,
            }
            self.at += 1;
        }
        shape.key = key.finish();
        // `gpt-4.1`, `llama3-70b`, `claude-3-5-sonnet`: digits joined to letters make a name
        if !shape.compound && matches!(self.peek(), Some(b'-' | b'.' | b'/' | b':')) {
            let mut at = self.at;
            let mut joined = false;
            while let Some(&byte) = self.bytes.get(at) {
                match byte {
                    b'-' | b'.' | b'/' | b':' if !joined => joined = true,
                    b'a'..=b'z' | b'A'..=b'Z' | b'_' => joined = false,
                    b'0'..=b'9' => {
                        shape.compound = true;
                        break;
                    }
                    _ => break,
                }
                at += 1;
            }
            // `limit:5` is a word and a number, not a name
            if shape.compound && self.peek() == Some(b':') {
                shape.compound = false;
            }
        }
        shape
    }

    /// Passes over `.Name` parts that follow directly.
    pub(crate) fn dotted_name(&mut self) {
        while self.peek() == Some(b'.')
            && self.ahead(1).is_some_and(|next| next.is_ascii_uppercase())
        {
            self.at += 1;
            while self
                .peek()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                self.at += 1;
            }
        }
    }

    /// Passes over the rest of a compound name.
    pub(crate) fn rest_of_name(&mut self) {
        while let Some(byte) = self.peek() {
            let inside = byte.is_ascii_alphanumeric()
                || byte == b'_'
                || (matches!(byte, b'-' | b'.' | b'/' | b':' | b'@')
                    && self
                        .ahead(1)
                        .is_some_and(|next| next.is_ascii_alphanumeric()));
            if !inside {
                break;
            }
            self.at += 1;
        }
    }

    /// Reads a date or an hour of the day, else what [`Self::numeral`] reads.
    pub(crate) fn moment_or_numeral(&mut self) -> Result<Moment, Option<u64>> {
        let mark = [1, 2, 4].iter().any(|at| match self.ahead(*at) {
            Some(b'-') => *at == 4,
            Some(b':') => *at < 4,
            _ => false,
        });
        if mark
            && let Some((moment, len)) = Moment::read(self.bytes.get(self.at..).unwrap_or_default())
        {
            self.at += len;
            return Ok(moment);
        }
        Err(self.numeral())
    }

    /// Reads a numeral with thousands separators and decimals, in thousandths. `None` for what
    /// only begins like one (a date, an id).
    fn numeral(&mut self) -> Option<u64> {
        let start = self.at;
        let mut whole: u64 = 0;
        let mut digits = 0_u32;
        loop {
            match self.peek() {
                Some(byte @ b'0'..=b'9') => {
                    whole = whole
                        .saturating_mul(10)
                        .saturating_add(u64::from(byte - b'0'));
                    digits += 1;
                    self.at += 1;
                }
                Some(b',' | b'_')
                    if (1..=3).all(|n| self.ahead(n).is_some_and(|b| b.is_ascii_digit()))
                        && !self.ahead(4).is_some_and(|b| b.is_ascii_digit()) =>
                {
                    self.at += 1;
                }
                _ => break,
            }
        }
        let mut milli = whole.saturating_mul(1000);
        if self.peek() == Some(b'.') && self.ahead(1).is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
            let mut unit = 100;
            while let Some(byte @ b'0'..=b'9') = self.peek() {
                milli = milli.saturating_add(u64::from(byte - b'0') * unit);
                unit /= 10;
                self.at += 1;
            }
            if self.peek() == Some(b'.') && self.ahead(1).is_some_and(|b| b.is_ascii_digit()) {
                // an address or a version
                self.rest_of_name();
                return None;
            }
        }
        let next = self.peek();
        let dated = digits == 4
            && matches!(next, Some(b'-' | b'/'))
            && self.ahead(1).is_some_and(|b| b.is_ascii_digit());
        let clock = next == Some(b':') && self.ahead(1).is_some_and(|b| b.is_ascii_digit());
        if dated || clock {
            self.rest_of_name();
            return None;
        }
        match next {
            Some(b'k' | b'K') if !self.ahead(1).is_some_and(|b| b.is_ascii_alphanumeric()) => {
                self.at += 1;
                Some(milli.saturating_mul(1000))
            }
            // an id such as `5zwrmdl` or `0000-0000`, unless a unit of time follows
            Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') if self.unit().is_none() => {
                self.rest_of_name();
                None
            }
            Some(b'-')
                if start > 0
                    && digits > 3
                    && self.ahead(1).is_some_and(|b| b.is_ascii_alphanumeric()) =>
            {
                self.rest_of_name();
                None
            }
            _ => Some(milli),
        }
    }

    /// The unit joined to the number before it (`1m30s`, `399ms`, `5MB`, `10h50m`).
    pub(crate) fn unit(&self) -> Option<&'static str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|byte| !byte.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit = rest.get(..len).unwrap_or_default();
        UNITS
            .iter()
            .find(|known| known.as_bytes().eq_ignore_ascii_case(unit))
            .copied()
    }

    /// The length of the quotation that begins here, or `None` where this mark opens none.
    /// `known` is the number of known words before it.
    pub(crate) fn quotation(&self, known: usize) -> Option<usize> {
        let mark = self.peek()?;
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
        // what a client printed as the message itself is not an echo
        if known < 2 || before == Some(&b'=') {
            let long = self
                .bytes
                .get(self.at + 1..)
                .unwrap_or_default()
                .iter()
                .take(48)
                .any(|byte| *byte == b' ');
            if long && mark != b'`' {
                return None;
            }
        }
        let rest = self.bytes.get(self.at + 1..)?;
        let rest = rest.get(..rest.len().min(MAX_QUOTED_BYTES + 1))?;
        let mut at = 0;
        loop {
            at += find_either(rest.get(at..)?, mark, mark);
            if at >= MAX_QUOTED_BYTES || at >= rest.len() {
                return None;
            }
            let next = rest.get(at + 1);
            if next.is_none_or(|next| !next.is_ascii_alphanumeric()) {
                return Some(at);
            }
            at += 1;
        }
    }
}

/// The part of an address that leads to a provider's list of retired models.
pub(crate) const RETIRED: &[u8] = b"deprecations";

/// Units that may be joined to a number.
const UNITS: [&str; 24] = [
    "s", "sec", "secs", "second", "seconds", "ms", "m", "min", "mins", "minute", "minutes", "h",
    "hr", "hrs", "hour", "hours", "d", "day", "days", "kb", "mb", "gb", "us", "ns",
];

#[derive(Clone, Copy)]
pub(crate) enum Class {
    Letter,
    Digit,
    Quote,
    Stop,
    Escape,
    Greater,
    High,
    Other,
}

#[expect(
    clippy::indexing_slicing,
    reason = "a table of 256 entries, indexed by a byte"
)]
pub(crate) const fn class(byte: u8) -> Class {
    CLASS[byte as usize]
}

/// The class of every byte.
#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where a wrong index is an error"
)]
static CLASS: [Class; 256] = {
    let mut table = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 255")]
        let character = byte as u8;
        table[byte] = match character {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'"' | b'\'' | b'`' => Class::Quote,
            b'.' | b';' | b'!' | b'?' => Class::Stop,
            b'\\' => Class::Escape,
            b'>' => Class::Greater,
            0x80.. => Class::High,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};
