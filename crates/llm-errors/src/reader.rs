//! What is no plain word or number in a message: names, figures with units, dates, quotations.

use crate::address::address;
use crate::duration::clock;
use crate::lexicon::{CASE, WordKey, mix};
use crate::moment::Moment;
use crate::window::{find_either, window};
use crate::word::{plain_numeral, strangers};
use std::time::Duration;

/// A quotation longer than this is not one.
const MAX_QUOTED_BYTES: usize = 400;

/// More than this between backticks, with no word before them, is the message itself.
const MAX_TICKED_BYTES: usize = 24;

/// What began with a digit.
pub(crate) enum Figure {
    /// A number, in thousandths.
    Number(u64),
    /// A date, or an hour of the day.
    Moment(Moment),
    /// A span as a clock shows it, or an hour without its zone.
    Span(Duration),
    /// A name, a version, an id.
    Name,
}

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
    /// Up to here, where a name ends, no digit was found.
    digitless: usize,
    /// A date or a clock was looked for, which other digits may not be.
    pub(crate) dated: bool,
}

impl<'a> Reader<'a> {
    /// The beginning of a message.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            digitless: 0,
            dated: false,
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn ahead(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.at + offset).copied()
    }

    /// Passes over a URL, if one begins here; tells whether it leads to a provider's list of
    /// retired models.
    pub(crate) fn skip_url(&mut self) -> Option<bool> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !(rest.starts_with(b"http://") || rest.starts_with(b"https://")) {
            return None;
        }
        let (len, retired) = address(rest);
        // the full stop that ends the sentence is not part of the address
        let stop = rest.get(len - 1) == Some(&b'.');
        self.at += len - usize::from(stop);
        Some(retired)
    }

    /// Where the name that begins here ends, if digits belong to it: `gpt-4o`, `org-abc123`.
    /// `None` for what [`Self::word`] must look at.
    pub(crate) fn name_with_digits(&mut self) -> Option<usize> {
        if self.at < self.digitless {
            return None;
        }
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
        if !digits {
            self.digitless = at;
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
                Class::High if let Some(letter) = latin(self.bytes, self.at) => {
                    previous_lower = true;
                    key.push(letter);
                    self.at += 1;
                }
                _ => break,
            }
            self.at += 1;
        }
        shape.key = key.finish();
        // `gpt-4.1`, `llama3-70b`, `claude-3-5-sonnet`: digits joined to letters make a name
        if !shape.compound
            && self.at >= self.digitless
            && matches!(self.peek(), Some(b'-' | b'.' | b'/' | b':'))
        {
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

    /// Reads what begins with a digit.
    pub(crate) fn figure(&mut self) -> Figure {
        if let Some((value, end)) = window(self.bytes, self.at)
            .and_then(|window| plain_numeral(self.bytes, self.at, window))
        {
            self.at = end;
            return Figure::Number(value);
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let start = rest.get(..rest.len().min(6)).unwrap_or_default();
        if self.ahead(4) == Some(b'-') || start.contains(&b':') {
            self.dated = true;
            if let Some((moment, len)) = Moment::read(rest) {
                self.at += len;
                return Figure::Moment(moment);
            }
            if let Some((span, len)) = clock(rest) {
                self.at += len;
                return Figure::Span(span);
            }
        }
        self.numeral().map_or(Figure::Name, Figure::Number)
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

    /// The unit joined to the number before it (`1m30s`, `399ms`, `5MB`, `10h50m`): its key and
    /// its length.
    pub(crate) fn unit(&self) -> Option<(u64, usize)> {
        let window = window(self.bytes, self.at)?;
        let others = strangers(window);
        let len = others.trailing_zeros() as usize / 8;
        let letters = (window | CASE) & ((others.max(1) ^ (others.max(1) - 1)) >> 8);
        UNITS.contains(&letters).then(|| (mix(0, letters), len))
    }

    /// The length of the quotation that begins here, or `None` where this mark opens none.
    /// `known` is the number of known words before it.
    pub(crate) fn quotation(&self, known: usize) -> Option<usize> {
        let mark = self.peek()?;
        let before = self.at.checked_sub(1).and_then(|at| self.bytes.get(at));
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
                break;
            }
            at += 1;
        }
        // what a client printed as the message itself is not an echo
        let whole = known == 0 && at > MAX_TICKED_BYTES;
        // `429 Too Many Requests` is what a server said, too
        let status = matches!(rest, [b'4' | b'5', b'0'..=b'9', b'0'..=b'9', b' ', ..]);
        let printed = status || (known < 2 || before == Some(&b'=')) && (mark != b'`' || whole);
        (!printed || !rest.get(..at)?.contains(&b' ')).then_some(at)
    }
}

/// The plain letter under the accent of the two bytes at `at`: `é` is `e` to every rule, as many
/// people write it so.
pub(crate) fn latin(bytes: &[u8], at: usize) -> Option<u8> {
    let (Some(0xc3), Some(second)) = (bytes.get(at), bytes.get(at + 1)) else {
        return None;
    };
    match second | 0x20 {
        0xa0..=0xa6 => Some(b'a'),
        0xa7 => Some(b'c'),
        0xa8..=0xab => Some(b'e'),
        0xac..=0xaf => Some(b'i'),
        0xb1 => Some(b'n'),
        0xb2..=0xb6 | 0xb8 => Some(b'o'),
        0xb9..=0xbc => Some(b'u'),
        0xbd => Some(b'y'),
        0xbf => Some(b's'),
        _ => None,
    }
}

/// Units that may be joined to a number, each in the bytes of a window.
#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where a wrong index is an error"
)]
const UNITS: [u64; 30] = {
    let names: [&[u8]; 30] = [
        b"s", b"sec", b"secs", b"second", b"seconds", b"ms", b"m", b"min", b"mins", b"minute",
        b"minutes", b"h", b"hr", b"hrs", b"hour", b"hours", b"d", b"day", b"days", b"kb", b"mb",
        b"gb", b"us", b"ns", b"req", b"reqs", b"rpm", b"rps", b"tpm", b"qps",
    ];
    let mut units = [0; 30];
    let mut number = 0;
    while number < names.len() {
        let name = names[number];
        let mut at = 0;
        while at < name.len() {
            units[number] |= (name[at] as u64) << (8 * at);
            at += 1;
        }
        number += 1;
    }
    units
};

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
