//! A message as a row of word numbers: read once, asked many times.

use crate::lexicon::{Lexicon, NUMBER, QUOTED, STOP, UNKNOWN, WordKey};
use crate::moment::Moment;
use crate::reader::{Class, RETIRED, Reader, class, is_camel, plain_word};

/// Words kept of all messages of one reply.
const MAX_WORDS: usize = 192;
/// Numerals whose value is kept.
const MAX_NUMBERS: usize = 32;
/// Dates and hours that are kept.
const MAX_MOMENTS: usize = 2;
/// A quoted name longer than this is not a parameter's.
const MAX_NAME_BYTES: usize = 32;

/// A set of words, folded to 128 bits: a word whose bit is not set is not in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fold([u64; 2]);

impl Fold {
    /// Adds a word.
    #[inline]
    pub(crate) fn add(&mut self, word: u16) {
        if let Some(bits) = self.0.get_mut(usize::from(word >> 6 & 1)) {
            *bits |= 1 << (word & 63);
        }
    }

    /// May all of its words be in `text`?
    #[inline]
    pub(crate) const fn all_in(self, text: Self) -> bool {
        let ([a, b], [x, y]) = (self.0, text.0);
        (a & !x) | (b & !y) == 0
    }

    /// May one of its words be in `text`?
    #[inline]
    pub(crate) const fn any_in(self, text: Self) -> bool {
        let ([a, b], [x, y]) = (self.0, text.0);
        (a & x) | (b & y) != 0
    }
}

impl FromIterator<u16> for Fold {
    fn from_iter<I: IntoIterator<Item = u16>>(words: I) -> Self {
        let mut fold = Self::default();
        for word in words {
            fold.add(word);
        }
        fold
    }
}

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
    fold: Fold,
    numerals: [Numeral; MAX_NUMBERS],
    numeral_count: usize,
    /// Dates and hours with their places.
    moments: [Option<(u16, Moment)>; MAX_MOMENTS],
}

impl Text {
    /// No words.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            words: [UNKNOWN; MAX_WORDS],
            len: 0,
            fold: Fold([0; 2]),
            numerals: [Numeral { at: 0, milli: 0 }; MAX_NUMBERS],
            numeral_count: 0,
            moments: [None; MAX_MOMENTS],
        }
    }

    /// The numbers of the words.
    pub(crate) fn words(&self) -> &[u16] {
        self.words.get(..self.len).unwrap_or_default()
    }

    /// Which words occur, folded: a word whose bit is not set does not.
    pub(crate) const fn fold(&self) -> Fold {
        self.fold
    }

    /// The numerals with their places.
    pub(crate) fn numerals(&self) -> &[Numeral] {
        self.numerals.get(..self.numeral_count).unwrap_or_default()
    }

    /// The value in thousandths of the numeral at `place`.
    pub(crate) fn value(&self, place: u16) -> Option<u64> {
        self.numerals()
            .iter()
            .find(|numeral| numeral.at == place)
            .map(|numeral| numeral.milli)
    }

    /// The dates and hours with their places.
    pub(crate) fn moments(&self) -> impl Iterator<Item = (usize, Moment)> {
        let known = self.moments.iter().flatten();
        known.map(|(at, moment)| (usize::from(*at), *moment))
    }

    fn push_moment(&mut self, moment: Moment) {
        if let Some(free) = self.moments.iter_mut().find(|place| place.is_none())
            && let Ok(at) = u16::try_from(self.len)
        {
            *free = Some((at, moment));
        }
        self.push(UNKNOWN);
    }

    /// Ends the sentence.
    pub(crate) fn stop(&mut self) {
        if self.len > 0 && self.words().last() != Some(&STOP) {
            self.push(STOP);
        }
    }

    #[inline]
    fn push(&mut self, word: u16) {
        if let Some(place) = self.words.get_mut(self.len) {
            *place = word;
            self.len += 1;
            self.fold.add(word);
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
        let mut reader = Reader::new(bytes);
        while self.len < MAX_WORDS {
            reader.at = self.plain(lexicon, bytes, reader.at);
            let Some(byte) = reader.peek() else { break };
            self.token(lexicon, &mut reader, byte, &mut identifier);
        }
    }

    /// Reads what most of a message is made of, from byte `at` on: words, the spaces after them
    /// and what ends a sentence. Returns where something else begins.
    fn plain(&mut self, lexicon: &Lexicon, bytes: &[u8], mut at: usize) -> usize {
        let spaced = |at: usize| at + usize::from(bytes.get(at) == Some(&b' '));
        let (mut len, mut set) = (self.len, self.fold);
        while let (Some(&byte), Some(place)) = (bytes.get(at), self.words.get_mut(len)) {
            match class(byte) {
                Class::Letter => {
                    let Some((key, end)) = plain_word(bytes, at) else {
                        break;
                    };
                    let number = lexicon.find(key);
                    if number == UNKNOWN && is_camel(bytes, at, end) {
                        break;
                    }
                    *place = number;
                    len += 1;
                    set.add(number);
                    at = spaced(end);
                }
                Class::Other => at = spaced(at + 1),
                Class::Stop => {
                    let next = bytes.get(at + 1);
                    if next.is_none_or(|next| matches!(next, b' ' | b'\n' | b'\\' | b'"')) {
                        (self.len, self.fold) = (len, set);
                        self.stop();
                        (len, set) = (self.len, self.fold);
                    }
                    at = spaced(at + 1);
                }
                _ => break,
            }
        }
        (self.len, self.fold) = (len, set);
        at
    }

    /// Reads whatever begins with `byte`: no plain word, or the name of something.
    #[inline(never)]
    fn token(
        &mut self,
        lexicon: &Lexicon,
        reader: &mut Reader<'_>,
        byte: u8,
        identifier: &mut dyn FnMut(&[u8]),
    ) {
        match class(byte) {
            Class::Letter => {
                let start = reader.at;
                if matches!(byte, b'h' | b'H')
                    && let Some(retired) = reader.skip_url()
                {
                    // the one thing an address tells: it leads to the list of retired models
                    self.push(if retired {
                        lexicon.number(RETIRED)
                    } else {
                        UNKNOWN
                    });
                    return;
                }
                if let Some(end) = reader.name_with_digits() {
                    reader.at = end;
                    self.push(UNKNOWN);
                    return;
                }
                let shape = reader.word();
                if shape.compound {
                    // a model name, a path, an id: one unknown word
                    reader.rest_of_name();
                    self.push(UNKNOWN);
                    return;
                }
                let number = lexicon.find(shape.key);
                if number == UNKNOWN && (shape.underscores > 0 || shape.humps > 1) {
                    // `InternalError.Algo.InvalidParameter` is one name
                    reader.dotted_name();
                    let name = reader.bytes.get(start..reader.at).unwrap_or_default();
                    identifier(name);
                    let after_slash = start > 0 && reader.bytes.get(start - 1) == Some(&b'/');
                    // a metric behind a service's name, an exception's class
                    if after_slash || shape.underscores == 0 {
                        self.read_parts(lexicon, name);
                        return;
                    }
                }
                self.push(number);
                if reader.peek() == Some(b' ') {
                    reader.at += 1;
                }
            }
            Class::Digit => match reader.moment_or_numeral() {
                Ok(moment) => self.push_moment(moment),
                Err(numeral) => match numeral {
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
            },
            Class::Quote => {
                let known = self
                    .words()
                    .iter()
                    .filter(|word| **word > QUOTED)
                    .take(2)
                    .count();
                if let Some(len) = reader.quotation(known) {
                    let inner = reader
                        .bytes
                        .get(reader.at + 1..reader.at + 1 + len)
                        .unwrap_or_default();
                    let number = if inner.len() <= MAX_NAME_BYTES {
                        lexicon.number(inner)
                    } else {
                        UNKNOWN
                    };
                    // a parameter's name such as `max_tokens` keeps its meaning in quotes
                    let keeps = number != UNKNOWN && inner.contains(&b'_');
                    // a quota and its limit bear the provider's own names
                    let last = self.words().last().copied();
                    let own = [&b"metric"[..], b"limit"]
                        .iter()
                        .any(|word| last == Some(lexicon.number(word)));
                    self.push(if keeps { number } else { QUOTED });
                    if own && inner.contains(&b' ') {
                        self.read(lexicon, inner, |name| identifier(name));
                    } else if own {
                        self.read_parts(lexicon, inner);
                    } else if !keeps && !inner.contains(&b' ') {
                        self.read_path(lexicon, inner);
                    }
                    reader.at += len + 2;
                } else {
                    reader.at += 1;
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
            Class::Stop | Class::Other => reader.at += 1,
        }
    }

    /// Reads a quoted path such as `tools[0].function_declarations`: of its parts only known
    /// parameters count.
    fn read_path(&mut self, lexicon: &Lexicon, path: &[u8]) {
        for part in path.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') {
            if part.contains(&b'_') && part.len() <= MAX_NAME_BYTES {
                let number = lexicon.number(part);
                if number != UNKNOWN {
                    self.push(number);
                }
            }
        }
    }

    /// Reads the parts of a name (`tokens_per_minute`, `PerDayPerProject`) as words.
    pub(crate) fn read_parts(&mut self, lexicon: &Lexicon, name: &[u8]) {
        let mut key = WordKey::new();
        let mut previous = b'_';
        let mut bytes = name.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || (previous.is_ascii_uppercase()
                        && bytes.peek().is_some_and(u8::is_ascii_lowercase)));
            if (hump || !byte.is_ascii_alphabetic()) && key.len() > 0 {
                let part = std::mem::replace(&mut key, WordKey::new());
                self.push(lexicon.find(part.finish()));
            }
            if byte.is_ascii_alphabetic() {
                key.push(byte);
            }
            previous = byte;
        }
        if key.len() > 0 {
            self.push(lexicon.find(key.finish()));
        }
    }
}
