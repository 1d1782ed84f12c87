//! A row of words that questions are asked about: read, or remembered without being read.

use crate::lexicon::Lexicon;
use crate::memo::{Memo, Sentence};
use crate::provider::Provider;
use crate::quoted::with_unescaped;
use crate::reader::{Figure, Reader};
use crate::rule::Kinds;
use crate::text::Text;

/// What can be asked about a row of words. Every answer is one number.
#[derive(Clone, Copy)]
pub(crate) enum Question {
    /// The first rule that holds for this provider and status, of those for these kinds.
    Rule(Provider, u16, Kinds),
    /// Where the context window is stated.
    Limit,
    /// Where the size asked for is stated, by a pattern from this one on.
    Asked(usize),
    /// Where an allowance and the size of one request are stated.
    Allowance,
    /// Whether a long window is spoken of.
    Span,
    /// Where a wait is stated.
    Wait,
    /// Where the status of a reply is stated.
    Status,
    /// What a name says of a quota.
    Quota,
    /// The first rule that the parts of a code fulfil.
    Code,
    /// The first rule for pages that holds with this status.
    Page(u16),
}

impl Question {
    #[inline(always)]
    pub(crate) const fn bits(self) -> u64 {
        match self {
            Self::Rule(provider, status, kinds) => {
                1 | (provider as u64) << 8 | (status as u64) << 16 | (kinds.bits() as u64) << 32
            }
            Self::Limit => 2,
            Self::Asked(from) => 3 | (from as u64) << 8,
            Self::Allowance => 4,
            Self::Span => 5,
            Self::Wait => 6,
            Self::Status => 10,
            Self::Quota => 7,
            Self::Code => 9,
            Self::Page(status) => 8 | (status as u64) << 16,
        }
    }
}

/// A row of words under its key in the memo.
pub(crate) struct Row<'a> {
    memo: &'a Memo,
    key: u64,
    words: Words<'a>,
}

/// A message as it stands in a body.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) bytes: &'a [u8],
    /// It has escapes, all of which stand for one byte.
    pub(crate) escaped: bool,
}

enum Words<'a> {
    Read(&'a Text),
    Remembered {
        numerals: Numerals,
        message: Message<'a>,
        lexicon: &'a Lexicon,
        /// Empty, until something is asked for the first time.
        text: &'a mut Text,
    },
}

impl<'a> Row<'a> {
    /// The words of `text`, under their key.
    #[inline]
    pub(crate) const fn read(memo: &'a Memo, key: u64, text: &'a Text) -> Self {
        Self {
            memo,
            key,
            words: Words::Read(text),
        }
    }

    /// The words of a message that was read before.
    #[inline]
    pub(crate) const fn remembered(
        memo: &'a Memo,
        sentence: &Sentence,
        message: Message<'a>,
        lexicon: &'a Lexicon,
        text: &'a mut Text,
    ) -> Self {
        Self {
            memo,
            key: sentence.row,
            words: Words::Remembered {
                numerals: sentence.numerals,
                message,
                lexicon,
                text,
            },
        }
    }

    /// Its key.
    pub(crate) const fn key(&self) -> u64 {
        self.key
    }

    /// Has it no words?
    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        match &self.words {
            Words::Read(text) => text.is_empty(),
            // nothing without words is remembered
            Words::Remembered { .. } => false,
        }
    }

    /// The words.
    fn text(&mut self) -> &Text {
        match &mut self.words {
            Words::Read(text) => text,
            Words::Remembered {
                message,
                lexicon,
                text,
                ..
            } => {
                if text.is_empty() {
                    if message.escaped {
                        with_unescaped(message.bytes, |bytes| text.read(lexicon, bytes, |_| {}));
                    } else {
                        text.read(lexicon, message.bytes, |_| {});
                    }
                    text.stop();
                }
                text
            }
        }
    }

    /// The words, unless they are remembered: those name no date and no hour.
    #[inline]
    pub(crate) const fn fresh(&self) -> Option<&Text> {
        match &self.words {
            Words::Read(text) => Some(text),
            Words::Remembered { .. } => None,
        }
    }

    /// The answer to a question, which `find` finds where it is not remembered: from the row and
    /// the question alone.
    #[inline]
    pub(crate) fn ask(&mut self, question: Question, find: impl FnOnce(&Text) -> u64) -> u64 {
        let memo = self.memo;
        memo.ask(self.key, question, || find(self.text()))
    }

    /// The value in thousandths of the numeral at word `place`.
    #[inline]
    pub(crate) fn value(&self, place: u16) -> Option<u64> {
        match &self.words {
            Words::Read(text) => text.value(place),
            Words::Remembered {
                numerals, message, ..
            } => value_at(message.bytes, numerals.find(place)?),
        }
    }

    /// Does it state a limit of nought? `limit` is the word for it.
    #[inline]
    pub(crate) fn has_zero_limit(&self, limit: u16) -> bool {
        match &self.words {
            Words::Read(text) => text
                .numerals()
                .any(|numeral| numeral.milli == 0 && text.is_behind(&numeral, limit)),
            Words::Remembered {
                numerals, message, ..
            } => numerals.limits().any(|from| {
                message.bytes.get(usize::from(from)) == Some(&b'0')
                    && value_at(message.bytes, from) == Some(0)
            }),
        }
    }
}

/// The value in thousandths of the numeral at byte `from`.
fn value_at(message: &[u8], from: u16) -> Option<u64> {
    let mut reader = Reader::new(message);
    reader.at = usize::from(from);
    match reader.figure() {
        Figure::Number(milli) => Some(milli),
        Figure::Span(span) => u64::try_from(span.as_millis()).ok(),
        Figure::Moment(_) | Figure::Name => None,
    }
}

/// Where the numerals of a message stand, in two numbers of three each: the word, the byte, and
/// whether it follows the word for a limit.
#[derive(Clone, Copy)]
pub(crate) struct Numerals([u64; 2]);

impl Numerals {
    /// Numerals that have room.
    const MAX: usize = 6;
    /// Messages in which every byte can be told.
    pub(crate) const MAX_BYTES: usize = 1 << 12;
    const BITS: u32 = 21;
    /// No numeral: no word has this place, and it follows none.
    const NONE: u64 = 0xf_ffff;

    /// Those of `text`, which is one message; `None` where they are too many. `place` tells where
    /// a byte that was read stands in the message.
    pub(crate) fn new(text: &Text, limit: u16, place: impl Fn(usize) -> usize) -> Option<Self> {
        if text.numerals().count() > Self::MAX {
            return None;
        }
        let mut numbers = [0; 2];
        let mut numerals = text.numerals();
        for number in &mut numbers {
            for part in 0..3 {
                let bits = numerals.next().map_or(Self::NONE, |numeral| {
                    u64::from(numeral.at & 0xff)
                        | (place(numeral.from.into()) as u64 & 0xfff) << 8
                        | u64::from(text.is_behind(&numeral, limit)) << 20
                });
                *number |= bits << (part * Self::BITS);
            }
        }
        Some(Self(numbers))
    }

    pub(crate) const fn of(bits: [u64; 2]) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> [u64; 2] {
        self.0
    }

    /// The byte at which the numeral at word `at` begins.
    #[inline]
    fn find(self, at: u16) -> Option<u16> {
        let found = self.parts().find(|bits| bits & 0xff == u64::from(at))?;
        Some((found >> 8 & 0xfff) as u16)
    }

    /// The bytes at which those begin that follow the word for a limit.
    #[inline]
    fn limits(self) -> impl Iterator<Item = u16> {
        let behind = self.parts().filter(|bits| bits >> 20 != 0);
        behind.map(|bits| (bits >> 8 & 0xfff) as u16)
    }

    #[inline]
    fn parts(self) -> impl Iterator<Item = u64> {
        let [few, more] = self.0;
        let part =
            |bits: u64| move |place: u32| bits >> (place * Self::BITS) & ((1 << Self::BITS) - 1);
        (0..3).map(part(few)).chain((0..3).map(part(more)))
    }
}
