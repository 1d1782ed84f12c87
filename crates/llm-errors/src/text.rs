//! A message as a row of word numbers: read once, asked many times.

use crate::lexicon::{Lexicon, MAX_WORD_BYTES, NUMBER, QUOTED, STOP, UNKNOWN};

/// Words kept of all messages of one reply.
const MAX_WORDS: usize = 192;
/// Numerals whose value is kept.
const MAX_NUMBERS: usize = 40;
/// A quotation longer than this is not one.
const MAX_QUOTED_BYTES: usize = 400;

/// A numeral in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numeral {
    /// Its place in the row of words.
    pub(crate) at: u16,
    /// Its value in thousandths.
    pub(crate) milli: u64,
}

/// The words of a reply's messages, in order.
pub(crate) struct Text {
    words: [u16; MAX_WORDS],
    len: usize,
    numerals: [Numeral; MAX_NUMBERS],
    numeral_count: usize,
}

impl Text {
    /// No words.
    pub(crate) const fn new() -> Self {
        Self {
            words: [UNKNOWN; MAX_WORDS],
            len: 0,
            numerals: [Numeral { at: 0, milli: 0 }; MAX_NUMBERS],
            numeral_count: 0,
        }
    }

    /// The numbers of the words.
    pub(crate) fn words(&self) -> &[u16] {
        self.words.get(..self.len).unwrap_or_default()
    }

    /// The numerals with their places.
    pub(crate) fn numerals(&self) -> &[Numeral] {
        self.numerals
            .get(..self.numeral_count)
            .unwrap_or_default()
    }

    /// The value in thousandths of the numeral at `place`.
    pub(crate) fn value(&self, place: usize) -> Option<u64> {
        self.numerals()
            .iter()
            .find(|numeral| usize::from(numeral.at) == place)
            .map(|numeral| numeral.milli)
    }

    /// Ends the sentence.
    pub(crate) fn stop(&mut self) {
        if self.len > 0 && self.words().last() != Some(&STOP) {
            self.push(STOP);
        }
    }

    pub(crate) fn push(&mut self, word: u16) {
        if let Some(place) = self.words.get_mut(self.len) {
            *place = word;
            self.len += 1;
        }
    }

    fn push_number(&mut self, milli: u64) {
        if let (Some(numeral), Ok(at)) = (
            self.numerals.get_mut(self.numeral_count),
            u16::try_from(self.len),
        ) && self.len < MAX_WORDS
        {
            *numeral = Numeral { at, milli };
            self.numeral_count += 1;
        }
        self.push(NUMBER);
    }

    /// Reads `bytes` (JSON string content or plain text) and appends its words. `identifier` is
    /// told every unquoted word that looks like an error code (`RESOURCE_EXHAUSTED`,
    /// `RateLimitError`).
    pub(crate) fn read(
        &mut self,
        lexicon: &Lexicon,
        bytes: &[u8],
        mut identifier: impl FnMut(&[u8]),
    ) {
        let mut reader = Reader { bytes, at: 0 };
        let mut word = [0_u8; MAX_WORD_BYTES];
        while self.len < MAX_WORDS {
            let Some(byte) = reader.peek() else { break };
            match CLASS[usize::from(byte)] {
                Class::Letter => {
                    if let Some(address) = reader.skip_url() {
                        // the one thing an address tells: it leads to the list of retired models
                        let retired = address
                            .windows(RETIRED.len())
                            .any(|window| window == RETIRED);
                        self.push(if retired { lexicon.number(RETIRED) } else { UNKNOWN });
                        continue;
                    }
                    let start = reader.at;
                    let shape = reader.word(&mut word);
                    if shape.compound {
                        // a model name, a path, an id: one unknown word
                        reader.rest_of_name();
                        self.push(UNKNOWN);
                        continue;
                    }
                    let number = word
                        .get(..shape.len)
                        .map_or(UNKNOWN, |word| lexicon.number(word));
                    if number == UNKNOWN && (shape.underscores > 0 || shape.humps > 1) {
                        // `InternalError.Algo.InvalidParameter` is one name
                        reader.dotted_name();
                        let name = reader.bytes.get(start..reader.at).unwrap_or_default();
                        identifier(name);
                        let after_slash = start > 0 && reader.bytes.get(start - 1) == Some(&b'/');
                        // a metric behind a service's name, an exception's class
                        if after_slash || shape.underscores == 0 {
                            self.read_parts(lexicon, name);
                            continue;
                        }
                    }
                    self.push(number);
                }
                Class::Digit => match reader.numeral() {
                    Some(milli) => {
                        self.push_number(milli);
                        // `1m0.36s`: the unit ends where the next numeral begins
                        if let Some(unit) = reader.unit() {
                            self.push(lexicon.number(unit.as_bytes()));
                            reader.at += unit.len();
                        }
                    }
                    None => self.push(UNKNOWN),
                },
                Class::Quote => {
                    let known = self.words().iter().filter(|word| **word > QUOTED).count();
                    if let Some(len) = reader.quotation(known) {
                        let inner = reader
                            .bytes
                            .get(reader.at + 1..reader.at + 1 + len)
                            .unwrap_or_default();
                        let number = if inner.len() <= MAX_WORD_BYTES {
                            for (to, from) in word.iter_mut().zip(inner) {
                                *to = from.to_ascii_lowercase();
                            }
                            word.get(..inner.len())
                                .map_or(UNKNOWN, |word| lexicon.number(word))
                        } else {
                            UNKNOWN
                        };
                        // a parameter's name such as `max_tokens` keeps its meaning in quotes
                        let keeps = number != UNKNOWN && inner.contains(&b'_');
                        self.push(if keeps { number } else { QUOTED });
                        if !keeps && !inner.contains(&b' ') {
                            self.read_path(lexicon, inner);
                        }
                        reader.at += len + 2;
                    } else {
                        reader.at += 1;
                    }
                }
                Class::Stop => {
                    reader.at += 1;
                    if reader
                        .peek()
                        .is_none_or(|next| matches!(next, b' ' | b'\n' | b'\\' | b'"'))
                    {
                        self.stop();
                    }
                }
                Class::Escape => reader.at += 2,
                Class::High => {
                    let rest = reader.bytes.get(reader.at..).unwrap_or_default();
                    if rest.starts_with("。".as_bytes()) {
                        self.stop();
                        reader.at += 3;
                    } else if let Some((number, len)) = lexicon.term(rest) {
                        self.push(number);
                        reader.at += len;
                    } else {
                        reader.at += 1;
                    }
                }
                Class::Greater => {
                    self.push(lexicon.number(b"gt"));
                    reader.at += 1;
                }
                Class::Other => reader.at += 1,
            }
        }
    }

    /// Reads a quoted path such as `tools[0].function_declarations`: of its parts only known
    /// parameters count.
    fn read_path(&mut self, lexicon: &Lexicon, path: &[u8]) {
        for part in path.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') {
            if part.contains(&b'_') && part.len() <= MAX_WORD_BYTES {
                let mut word = [0_u8; MAX_WORD_BYTES];
                for (to, from) in word.iter_mut().zip(part) {
                    *to = from.to_ascii_lowercase();
                }
                let number = word
                    .get(..part.len())
                    .map_or(UNKNOWN, |word| lexicon.number(word));
                if number != UNKNOWN {
                    self.push(number);
                }
            }
        }
    }

    /// Reads the parts of a name (`tokens_per_minute`, `PerDayPerProject`) as words.
    pub(crate) fn read_parts(&mut self, lexicon: &Lexicon, name: &[u8]) {
        let mut word = [0_u8; MAX_WORD_BYTES];
        let mut len = 0;
        let mut previous = b'_';
        let mut bytes = name.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || (previous.is_ascii_uppercase()
                        && bytes.peek().is_some_and(u8::is_ascii_lowercase)));
            if (hump || !byte.is_ascii_alphabetic()) && len > 0 {
                self.push(word.get(..len).map_or(UNKNOWN, |word| lexicon.number(word)));
                len = 0;
            }
            if byte.is_ascii_alphabetic()
                && let Some(place) = word.get_mut(len)
            {
                *place = byte.to_ascii_lowercase();
                len += 1;
            }
            previous = byte;
        }
        if len > 0 {
            self.push(word.get(..len).map_or(UNKNOWN, |word| lexicon.number(word)));
        }
    }
}

/// What a word looked like.
#[derive(Default)]
struct Shape {
    len: usize,
    underscores: u32,
    humps: u32,
    compound: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn ahead(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.at + offset).copied()
    }

    /// Passes over a URL, if one begins here.
    fn skip_url(&mut self) -> Option<&[u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !(rest.starts_with(b"http://") || rest.starts_with(b"https://")) {
            return None;
        }
        let len = rest
            .iter()
            .position(|byte| matches!(byte, b' ' | b'"' | b'\'' | b'\n' | b'\\' | b'>' | b')' | b',') || *byte >= 0x80)
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

    /// Reads a word in lower case into `out`. Apostrophes inside are dropped.
    fn word(&mut self, out: &mut [u8; MAX_WORD_BYTES]) -> Shape {
        let mut shape = Shape::default();
        let mut previous_lower = false;
        while let Some(byte) = self.peek() {
            let keep = match CLASS[usize::from(byte)] {
                Class::Letter => true,
                Class::Digit => {
                    shape.compound = true;
                    true
                }
                Class::Quote if byte == b'\'' && self.ahead(1).is_some_and(|b| b.is_ascii_alphabetic()) => {
                    false
                }
                // the typographic apostrophe, U+2019
                Class::High
                    if self.bytes.get(self.at..self.at + 3) == Some(&[0xe2, 0x80, 0x99])
                        && self.ahead(3).is_some_and(|b| b.is_ascii_alphabetic()) =>
                {
                    self.at += 3;
                    continue;
                }
                _ => break,
            };
            if keep {
                if byte == b'_' {
                    shape.underscores += 1;
                } else if byte.is_ascii_uppercase() && (previous_lower || shape.len == 0) {
                    shape.humps += 1;
                }
                previous_lower = byte.is_ascii_lowercase();
                if let Some(place) = out.get_mut(shape.len) {
                    *place = byte.to_ascii_lowercase();
                    shape.len += 1;
                } else {
                    // too long to be known: keep the hash apart from any shorter word
                    if let Some(last) = out.last_mut() {
                        *last = b'*';
                    }
                }
            }
            self.at += 1;
        }
        // `gpt-4.1`, `llama3-70b`, `claude-3-5-sonnet`: digits joined to letters make a name
        if !shape.compound {
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
    fn dotted_name(&mut self) {
        while self.peek() == Some(b'.') && self.ahead(1).is_some_and(|next| next.is_ascii_uppercase()) {
            self.at += 1;
            while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                self.at += 1;
            }
        }
    }

    /// Passes over the rest of a compound name.
    fn rest_of_name(&mut self) {
        while let Some(byte) = self.peek() {
            let inside = byte.is_ascii_alphanumeric()
                || byte == b'_'
                || (matches!(byte, b'-' | b'.' | b'/' | b':' | b'@')
                    && self.ahead(1).is_some_and(|next| next.is_ascii_alphanumeric()));
            if !inside {
                break;
            }
            self.at += 1;
        }
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
                    whole = whole.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
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
        let dated = digits == 4 && matches!(next, Some(b'-' | b'/')) && self.ahead(1).is_some_and(|b| b.is_ascii_digit());
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
            Some(b'-') if start > 0 && digits > 3 && self.ahead(1).is_some_and(|b| b.is_ascii_alphanumeric()) => {
                self.rest_of_name();
                None
            }
            _ => Some(milli),
        }
    }

    /// The unit joined to the number before it (`1m30s`, `399ms`, `5MB`, `10h50m`).
    fn unit(&self) -> Option<&'static str> {
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
    fn quotation(&self, known: usize) -> Option<usize> {
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
        let mut at = 0;
        while at < rest.len().min(MAX_QUOTED_BYTES) {
            let byte = *rest.get(at)?;
            if byte == mark {
                let next = rest.get(at + 1);
                if next.is_none_or(|next| !next.is_ascii_alphanumeric()) {
                    return Some(at);
                }
            }
            at += 1;
        }
        None
    }
}

/// The part of an address that leads to a provider's list of retired models.
const RETIRED: &[u8] = b"deprecations";

/// Units that may be joined to a number.
const UNITS: [&str; 24] = [
    "s", "sec", "secs", "second", "seconds", "ms", "m", "min", "mins", "minute", "minutes", "h",
    "hr", "hrs", "hour", "hours", "d", "day", "days", "kb", "mb", "gb", "us", "ns",
];

#[derive(Clone, Copy)]
enum Class {
    Letter,
    Digit,
    Quote,
    Stop,
    Escape,
    Greater,
    High,
    Other,
}

/// The class of every byte.
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
