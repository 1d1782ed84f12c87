//! Reads words, numerals, addresses and quotations out of a message.

use crate::lexicon::{CASE, WordKey, mix};
use crate::moment::Moment;
use crate::scan::find_either;

const LOW: u64 = 0x0101_0101_0101_0101;

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

/// The word of letters alone at `at`: its key, and where it ends. `None` where there is none, or
/// it may be part of something longer.
#[inline(always)]
pub(crate) fn plain_word(bytes: &[u8], start: usize) -> Option<(u64, usize)> {
    let mut at = start;
    let mut key = 0;
    loop {
        // eight bytes at a time; of those that are no letters, the first is found exactly
        let raw = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
        let lower = raw | CASE;
        let place = lower ^ (LOW * 0x60);
        let other =
            (place.wrapping_add(LOW * 0x65) | place.wrapping_sub(LOW) | place) & (LOW * 0x80);
        if other == 0 {
            key = mix(key, lower);
            at += 8;
            continue;
        }
        key = mix(key, lower & ((other ^ (other - 1)) >> 8));
        at += other.trailing_zeros() as usize / 8;
        break;
    }
    let ends = match ends(*bytes.get(at)?) {
        Ends::Yes => at != start,
        Ends::BeforeSpace => {
            at != start && matches!(bytes.get(at + 1), None | Some(b' ' | b'"' | b'\n'))
        }
        Ends::No => false,
    };
    ends.then_some((key, at))
}

/// Has the word at `start` a capital letter behind its first?
#[inline]
pub(crate) fn is_camel(bytes: &[u8], start: usize, end: usize) -> bool {
    let word = bytes.get(start + 1..end).unwrap_or_default();
    let mut rest = word;
    while let Some((eight, more)) = rest.split_first_chunk::<8>() {
        if !u64::from_le_bytes(*eight) & CASE != 0 {
            return true;
        }
        rest = more;
    }
    if let Some(eight) = bytes
        .get(end - rest.len()..)
        .and_then(<[u8]>::first_chunk::<8>)
    {
        let letters = (1_u64 << (8 * rest.len())) - 1;
        return !u64::from_le_bytes(*eight) & CASE & letters != 0;
    }
    rest.iter().any(u8::is_ascii_uppercase)
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
    let yes = b" ,\")(;!?\n\\";
    let mut number = 0;
    while number < yes.len() {
        table[yes[number] as usize] = Ends::Yes;
        number += 1;
    }
    table[b'.' as usize] = Ends::BeforeSpace;
    table[b':' as usize] = Ends::BeforeSpace;
    table
};

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

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn ahead(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.at + offset).copied()
    }

    /// Passes over a URL, if one begins here; tells whether it leads to a provider's list of
    /// retired models.
    pub(crate) fn skip_url(&mut self) -> Option<bool> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !(rest.starts_with(b"http://") || rest.starts_with(b"https://")) {
            return None;
        }
        let mut len = 0;
        let mut retired = false;
        for byte in rest {
            match byte {
                b' ' | b'"' | b'\'' | b'\n' | b'\\' | b'>' | b')' | b',' | 0x80.. => break,
                b'/' | b'#' => {
                    retired |= rest
                        .get(len + 1..)
                        .is_some_and(|part| part.starts_with(RETIRED));
                }
                _ => {}
            }
            len += 1;
        }
        // the full stop that ends the sentence is not part of the address
        let stop = rest.get(len - 1) == Some(&b'.');
        self.at += len - usize::from(stop);
        Some(retired)
    }

    /// Where the name that begins here ends, if digits belong to it: `gpt-4o`, `org-abc123`.
    /// `None` for what [`Self::word`] must look at.
    pub(crate) fn name_with_digits(&self) -> Option<usize> {
        let mut at = self.at;
        let mut digits = false;
        let mut joined = false;
        loop {
            let byte = self.bytes.get(at).copied().unwrap_or(b' ');
            match class(byte) {
                Class::Letter => joined = false,
                Class::Digit => {
                    joined = false;
                    digits = true;
                }
                _ if !joined && matches!(byte, b'-' | b'.' | b'/') => joined = true,
                // an address, a quote or a number behind a colon
                Class::Quote | Class::High | Class::Escape => return None,
                _ if matches!(byte, b':' | b'@') => return None,
                _ => break,
            }
            at += 1;
        }
        digits.then_some(at - usize::from(joined))
    }

    /// Reads a word. Apostrophes inside are dropped.
    pub(crate) fn word(&mut self) -> Shape {
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
                match class(byte) {
                    Class::Letter => joined = false,
                    Class::Digit => {
                        shape.compound = true;
                        break;
                    }
                    _ if !joined && matches!(byte, b'-' | b'.' | b'/' | b':') => joined = true,
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
        if let Some((value, end)) = self.plain_numeral() {
            self.at = end;
            return Err(Some(value));
        }
        let mark = self.ahead(4) == Some(b'-')
            || self.ahead(1) == Some(b':')
            || self.ahead(2) == Some(b':');
        if mark
            && let Some((moment, len)) = Moment::read(self.bytes.get(self.at..).unwrap_or_default())
        {
            self.at += len;
            return Ok(moment);
        }
        Err(self.numeral())
    }

    /// Digits alone with nothing joined to them: the value in thousandths, and the end.
    fn plain_numeral(&self) -> Option<(u64, usize)> {
        let mut value = 0;
        let mut at = self.at;
        while let Some(byte @ b'0'..=b'9') = self.bytes.get(at) {
            value = u64::wrapping_add(u64::wrapping_mul(value, 10), u64::from(byte - b'0'));
            at += 1;
        }
        // more digits than fit are read with care
        let short = at - self.at <= 15;
        let alone = match self.bytes.get(at) {
            None | Some(b' ' | b')' | b'"' | b'\\') => true,
            Some(b'.' | b',' | b';') => !self
                .bytes
                .get(at + 1)
                .is_some_and(u8::is_ascii_alphanumeric),
            _ => false,
        };
        (short && alone).then(|| (value * 1000, at))
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
        if unit.is_empty() {
            return None;
        }
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
