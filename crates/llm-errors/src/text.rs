//! A message as a row of word numbers: read once, asked many times.

use crate::lexicon::{Lexicon, NUMBER, QUOTED, STOP, UNKNOWN};
use crate::moment::Moment;
use crate::presence::Presence;
use crate::reader::{Class, Figure, Reader, class, latin};
use crate::window::window;
use crate::word::{Word, plain_numeral};

/// Words kept of all messages of one reply.
const MAX_WORDS: usize = 192;
/// Numerals whose value is kept.
const MAX_NUMBERS: usize = 32;
/// Dates and hours that are kept.
const MAX_MOMENTS: usize = 2;
/// A quoted name longer than this is not a parameter's.
const MAX_NAME_BYTES: usize = 32;
/// How the name of a field begins that states a wait, also where a client printed it.
const RETRY: &[u8] = b"retry_";
/// How the name of a variable ends that holds a key.
const KEY: &[u8] = b"_API_KEY";

/// A numeral in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numeral {
    /// Its place in the row of words.
    pub(crate) at: u16,
    /// Its place in the bytes that were read.
    pub(crate) from: u16,
    /// Its value in thousandths.
    pub(crate) milli: u64,
}

/// The words of a reply's messages, in order.
pub(crate) struct Text {
    /// Behind the last word stands an unknown one.
    words: [u16; MAX_WORDS + 1],
    len: usize,
    present: Presence,
    /// The places of numerals, and their values in thousandths.
    numeral_places: [(u16, u16); MAX_NUMBERS],
    numeral_values: [u64; MAX_NUMBERS],
    numeral_count: usize,
    /// Dates and hours with their places.
    moments: [Option<(u16, Moment)>; MAX_MOMENTS],
    /// How many pieces were read.
    pieces: u32,
    /// With other digits the same bytes may be other words.
    varies: bool,
}

impl Text {
    /// No words.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            words: [UNKNOWN; MAX_WORDS + 1],
            len: 0,
            present: Presence::new(),
            numeral_places: [(0, 0); MAX_NUMBERS],
            numeral_values: [0; MAX_NUMBERS],
            numeral_count: 0,
            moments: [None; MAX_MOMENTS],
            pieces: 0,
            varies: false,
        }
    }

    /// The numbers of the words.
    pub(crate) fn words(&self) -> &[u16] {
        self.words.get(..self.len).unwrap_or_default()
    }

    /// Has it no words at all?
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words, each with the one behind it.
    #[inline]
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &[u16; 2]> {
        let words = self.words.get(..=self.len).unwrap_or_default();
        words.array_windows()
    }

    /// Which words occur.
    #[inline]
    pub(crate) const fn present(&self) -> &Presence {
        &self.present
    }

    /// The numerals with their places.
    pub(crate) fn numerals(&self) -> impl Iterator<Item = Numeral> {
        let known = self.numeral_places.iter().zip(&self.numeral_values);
        known
            .take(self.numeral_count)
            .map(|((at, from), milli)| Numeral {
                at: *at,
                from: *from,
                milli: *milli,
            })
    }

    /// Does a numeral stand right behind this word?
    pub(crate) fn is_behind(&self, numeral: &Numeral, word: u16) -> bool {
        let before = usize::from(numeral.at).checked_sub(1);
        before.and_then(|at| self.words().get(at)) == Some(&word)
    }

    /// Is it one piece of text?
    pub(crate) const fn is_whole(&self) -> bool {
        self.pieces == 1
    }

    /// May the same bytes with other digits be other words?
    pub(crate) const fn varies(&self) -> bool {
        self.varies
    }

    /// Says that with other digits the same bytes may be other words, or mean something else.
    pub(crate) const fn vary(&mut self) {
        self.varies = true;
    }

    /// The value in thousandths of the numeral at `place`.
    pub(crate) fn value(&self, place: u16) -> Option<u64> {
        self.numerals()
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
        if self.len < MAX_WORDS
            && let Some(place) = self.words.get_mut(self.len)
        {
            *place = word;
            self.len += 1;
            self.present.add(word);
        }
    }

    /// Adds the number that stands at byte `from`.
    fn push_number(&mut self, milli: u64, from: usize) {
        let from = u16::try_from(from).unwrap_or(u16::MAX);
        if let (Some(place), Some(value), Ok(at)) = (
            self.numeral_places.get_mut(self.numeral_count),
            self.numeral_values.get_mut(self.numeral_count),
            u16::try_from(self.len),
        ) && self.len < MAX_WORDS
        {
            *place = (at, from);
            *value = milli;
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
        self.pieces += 1;
        while self.len < MAX_WORDS {
            reader.at = self.plain(lexicon, bytes, reader.at);
            let Some(byte) = reader.peek() else { break };
            self.token(lexicon, &mut reader, byte, &mut identifier);
        }
    }

    /// Reads what most of a message is made of, from byte `at` on: words, plain numbers, the spaces
    /// after them and what ends a sentence. Returns where something else begins.
    fn plain(&mut self, lexicon: &Lexicon, bytes: &[u8], mut at: usize) -> usize {
        // kept in a register
        let mut len = self.len;
        while len < MAX_WORDS
            && let Some(place) = self.words.get_mut(len)
            && let Some(window) = window(bytes, at)
        {
            if let Some(word) = Word::read(bytes, at, window) {
                let number = lexicon.find(word.key);
                if (number != UNKNOWN || word.is_lower(bytes, at, window))
                    && let Some(next) = word.alone(bytes)
                {
                    *place = number;
                    self.present.add(number);
                    len += 1;
                    at = next;
                    continue;
                }
            }
            let spaced = usize::from(window >> 8 & 0xff == u64::from(b' '));
            match class(window.to_le_bytes()[0]) {
                Class::Other => at += 1 + spaced,
                Class::Digit => {
                    let Some((milli, end)) = plain_numeral(bytes, at, window) else {
                        break;
                    };
                    self.len = len;
                    self.push_number(milli, at);
                    len = self.len;
                    let passed = matches!(bytes.get(end), Some(b' ' | b',' | b')'));
                    at = end + usize::from(passed);
                }
                Class::Stop => {
                    let next = window.to_le_bytes()[1];
                    if matches!(next, b' ' | b'\n' | b'\\' | b'"') {
                        self.len = len;
                        self.stop();
                        len = self.len;
                    }
                    at += 1 + spaced;
                }
                Class::Escape => at += 2,
                _ => break,
            }
        }
        self.len = len;
        at.min(bytes.len())
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
                    self.push(if retired { lexicon.retired } else { UNKNOWN });
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
                // `apiKey` is two words, `Groq` is one
                let before = start.checked_sub(1).and_then(|at| reader.bytes.get(at));
                let humped = shape.humps > 1
                    || (shape.humps == 1
                        && byte.is_ascii_lowercase()
                        && !matches!(before, Some(b'[' | b'.' | b'/')));
                if number == UNKNOWN && (shape.underscores > 0 || humped) {
                    // `InternalError.Algo.InvalidParameter` is one name
                    reader.dotted_name();
                    let name = reader.bytes.get(start..reader.at).unwrap_or_default();
                    identifier(name);
                    let after_slash = start > 0 && reader.bytes.get(start - 1) == Some(&b'/');
                    // a metric behind a service's name, an exception's class, the name of a header or a key
                    let header = name.get(..RETRY.len());
                    let header = header.is_some_and(|name| name.eq_ignore_ascii_case(RETRY));
                    let key = name.ends_with(KEY);
                    if after_slash || shape.underscores == 0 || header || key {
                        self.read_parts(lexicon, name);
                        return;
                    }
                }
                self.push(number);
                if reader.peek() == Some(b' ') {
                    reader.at += 1;
                }
            }
            Class::Digit => {
                let from = reader.at;
                let figure = reader.figure();
                self.varies |= reader.dated;
                match figure {
                    Figure::Moment(moment) => self.push_moment(moment),
                    Figure::Number(milli) => {
                        self.push_number(milli, from);
                        // `1m0.36s`: the unit ends where the next numeral begins
                        if let Some((key, len)) = reader.unit() {
                            self.push(lexicon.find(key));
                            reader.at += len;
                        }
                    }
                    Figure::Span(span) if self.leads_to_span(lexicon) => {
                        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
                        self.push_number(millis, from);
                        self.push(lexicon.second);
                    }
                    Figure::Span(_) | Figure::Name => self.push(UNKNOWN),
                }
            }
            Class::Quote => self.quotation(lexicon, reader, identifier),
            Class::High if latin(reader.bytes, reader.at).is_some() => {
                self.push(lexicon.find(reader.word().key));
            }
            Class::High => self.high(lexicon, reader),
            Class::Greater => {
                // an arrow compares nothing, nor does the end of a tag
                let before = reader.bytes.get(..reader.at).unwrap_or_default();
                let arrow = matches!(before.last(), Some(b'=' | b'-'));
                let mut near = before.iter().rev().take(MAX_NAME_BYTES);
                let tag = near.find(|byte| matches!(byte, b'<' | b' '));
                if !arrow && tag != Some(&b'<') {
                    self.push(lexicon.gt);
                }
                reader.at += 1;
            }
            // `plain` has read these
            Class::Escape | Class::Stop | Class::Other => reader.at += 1,
        }
    }

    /// Reads what stands in quotes, where this mark opens any: a name. Its words do not count.
    fn quotation(
        &mut self,
        lexicon: &Lexicon,
        reader: &mut Reader<'_>,
        identifier: &mut dyn FnMut(&[u8]),
    ) {
        let known = self.words().iter().filter(|word| **word > QUOTED);
        let known = if self.leads_to_report(lexicon, reader) {
            0
        } else {
            known.take(2).count()
        };
        // whether a status stands first hangs on its digits
        self.varies |= reader.ahead(1).is_some_and(|byte| byte.is_ascii_digit());
        let Some(len) = reader.quotation(known) else {
            reader.at += 1;
            return;
        };
        let inner = reader.at + 1..reader.at + 1 + len;
        let inner = reader.bytes.get(inner).unwrap_or_default();
        reader.at += len + 2;
        // a quota and its limit bear the provider's own names
        let own = self
            .words()
            .last()
            .is_some_and(|last| lexicon.named.contains(last));
        // a parameter's name such as `max_tokens` keeps its meaning in quotes
        let joined = inner.contains(&b'_');
        let number = if joined && inner.len() <= MAX_NAME_BYTES {
            lexicon.number(inner)
        } else {
            UNKNOWN
        };
        self.push(if number == UNKNOWN { QUOTED } else { number });
        if own && inner.contains(&b' ') {
            self.read(lexicon, inner, |name| identifier(name));
        } else if own {
            self.read_parts(lexicon, inner);
        } else if joined && number == UNKNOWN && !inner.contains(&b' ') {
            self.read_path(lexicon, inner);
        }
    }

    /// Reads a run of characters beyond ASCII: of those, terms of the lexicon and the full stop
    /// count.
    fn high(&mut self, lexicon: &Lexicon, reader: &mut Reader<'_>) {
        while let Some(0x80..) = reader.peek() {
            let rest = reader.bytes.get(reader.at..).unwrap_or_default();
            if rest.first() == Some(&0xe3) && rest.starts_with("。".as_bytes()) {
                self.stop();
                reader.at += 3;
            } else if is_cyrillic(rest) {
                // a script with spaces: a term is how a word begins
                if let Some(number) = cyrillic_term(lexicon, rest) {
                    self.push(number);
                }
                while is_cyrillic(reader.bytes.get(reader.at..).unwrap_or_default()) {
                    reader.at += 2;
                }
            } else if let Some((number, len)) = lexicon.term(rest) {
                self.push(number);
                reader.at += len;
            } else {
                // no term begins in the middle of a character
                reader.at += 1;
                while reader.peek().is_some_and(|byte| byte & 0xc0 == 0x80) {
                    reader.at += 1;
                }
            }
        }
    }

    /// Does the last word tell a span from an hour of the day: "in 00:12:34"?
    fn leads_to_span(&self, lexicon: &Lexicon) -> bool {
        let last = self.words().last().copied().unwrap_or(UNKNOWN);
        lexicon.spanning.contains(&last)
    }

    /// Is what follows in quotes a report, rather than an echo: "failed with message '...'",
    /// `error: "..."`, `details = "..."`, `ApiError('...')`, `429 "..."`?
    fn leads_to_report(&self, lexicon: &Lexicon, reader: &Reader<'_>) -> bool {
        let before = reader.bytes.get(..reader.at).unwrap_or_default();
        let named = |word: u16| word != UNKNOWN && lexicon.reports.contains(&word);
        match (before.trim_ascii_end(), self.words()) {
            ([.., b'='], _) => true,
            ([.., b':'], [.., last]) => named(*last),
            ([.., called, b'('], _) => called.is_ascii_alphanumeric(),
            // `OpenAIException - "..."`, `429 "..."`
            ([.., b' ', b'-'], _) | ([.., b' ', b'4' | b'5', b'0'..=b'9', b'0'..=b'9'], _) => true,
            (_, [.., with, last]) => *with == lexicon.with && *with != UNKNOWN && named(*last),
            _ => false,
        }
    }

    /// Reads a quoted path such as `tools[0].function_declarations`: of its parts only known
    /// parameters count.
    fn read_path(&mut self, lexicon: &Lexicon, path: &[u8]) {
        let parts = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'_';
        // a name in one part has been looked up
        if !path.iter().any(parts) {
            return;
        }
        for part in path.split(parts) {
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
        let mut start = 0;
        let mut previous = b'_';
        for (at, &byte) in name.iter().enumerate() {
            let letter = byte.is_ascii_alphabetic();
            let hump = byte.is_ascii_uppercase()
                && (previous.is_ascii_lowercase()
                    || (previous.is_ascii_uppercase()
                        && name.get(at + 1).is_some_and(u8::is_ascii_lowercase)));
            if hump || !letter {
                self.read_part(lexicon, name.get(start..at).unwrap_or_default());
                start = at + usize::from(!letter);
            }
            previous = byte;
        }
        self.read_part(lexicon, name.get(start..).unwrap_or_default());
    }

    fn read_part(&mut self, lexicon: &Lexicon, part: &[u8]) {
        if !part.is_empty() {
            self.push(lexicon.number(part));
        }
    }
}

/// Do the bytes begin with a letter of the Cyrillic script?
fn is_cyrillic(bytes: &[u8]) -> bool {
    matches!(bytes, [0xd0 | 0xd1, 0x80..=0xbf, ..])
}

/// The term with which a Cyrillic word begins; a term of up to three letters is the whole word.
fn cyrillic_term(lexicon: &Lexicon, word: &[u8]) -> Option<u16> {
    /// As long as any term is.
    const MAX_BYTES: usize = 32;
    const SHORT_BYTES: usize = 6;
    let mut small = [0; MAX_BYTES];
    let word = word.get(..word.len().min(MAX_BYTES))?;
    let small = small.get_mut(..word.len())?;
    small.copy_from_slice(word);
    // a capital at the beginning of a sentence
    if let [first @ 0xd0, second @ 0x90..=0xaf, ..] = small {
        (*first, *second) = match second {
            0x90..=0x9f => (0xd0, *second + 0x20),
            _ => (0xd1, *second - 0x20),
        };
    }
    let (number, len) = lexicon.term(small)?;
    let whole = !is_cyrillic(small.get(len..)?);
    (len > SHORT_BYTES || whole).then_some(number)
}
