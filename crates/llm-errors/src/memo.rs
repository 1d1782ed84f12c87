//! What was found out about a message, so that a sentence is read and searched once.
//!
//! A provider in trouble says the same thing thousands of times, with other numbers in it. Two
//! tables remember it: of a message, with each digit as good as any other, which row of words it
//! is and where its numbers stand; of a row of words, the answers to what was asked about it.
//! Both hold what functions of the message alone returned: they change no answer, only how fast it
//! comes. They are of fixed size, what is new takes the place of what is old, and they have no
//! lock: what two threads write at once answers to neither's key.

use crate::provider::Provider;
use crate::row::{Numerals, Question, Row};
use crate::rule::Signal;
use crate::text::Text;
use crate::window::masked;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is remembered of messages and of rows of words.
pub(crate) struct Memo {
    sentences: Table<4>,
    answers: Table<1>,
    keys: Keys,
}

/// A message that was read before.
#[derive(Clone, Copy)]
pub(crate) struct Sentence {
    /// The key of its row of words.
    pub(crate) row: u64,
    pub(crate) numerals: Numerals,
    /// What a code among the words says.
    pub(crate) signal: Option<Signal>,
}

/// Shorter messages are read as fast as they are looked up.
const MIN_MESSAGE_BYTES: usize = 8;

impl Memo {
    /// Nothing is remembered yet.
    pub(crate) fn new() -> Self {
        Self {
            sentences: Table::new(),
            answers: Table::new(),
            keys: Keys::new(),
        }
    }

    /// The key of a message to this provider's classifier: all digits are the same. `None` for one
    /// that is not worth remembering, or too long for it.
    #[inline]
    pub(crate) fn message(&self, provider: Provider, message: &[u8]) -> Option<u64> {
        self.key(provider, message, masked)
    }

    /// The same, to which every digit matters.
    #[inline]
    pub(crate) fn exact_message(&self, provider: Provider, message: &[u8]) -> Option<u64> {
        let key = self.key(provider, message, |eight| eight)?;
        Some(self.keys.add(key, 0) | 1)
    }

    #[inline(always)]
    fn key(&self, provider: Provider, message: &[u8], seen: impl Fn(u64) -> u64) -> Option<u64> {
        if !(MIN_MESSAGE_BYTES..=Numerals::MAX_BYTES).contains(&message.len()) {
            return None;
        }
        let about = (message.len() as u64) << 8 | provider as u64;
        let mut key = self.keys.begin(about);
        for eight in message.as_chunks().0 {
            key = self.keys.add(key, seen(u64::from_le_bytes(*eight)));
        }
        // the end once more, whatever part of it was added
        let last = u64::from_le_bytes(*message.last_chunk()?);
        Some(self.keys.add(key, seen(last)) | 1)
    }

    /// The message with this key, if it is remembered.
    #[inline]
    pub(crate) fn sentence(&self, key: u64) -> Option<Sentence> {
        let [row, few, more, signal] = self.sentences.get(key)?;
        Some(Sentence {
            row,
            numerals: Numerals::of([few, more]),
            signal: Signal::unpack(signal),
        })
    }

    /// Remembers the message with this key.
    pub(crate) fn keep(&self, key: u64, sentence: &Sentence) {
        let [few, more] = sentence.numerals.bits();
        let signal = sentence.signal.map_or(0, Signal::pack);
        self.sentences.put(key, [sentence.row, few, more, signal]);
    }

    /// The answer to a question about the row or the message with this key, which `find` finds
    /// where it is not remembered.
    #[inline]
    pub(crate) fn ask(&self, about: u64, question: Question, find: impl FnOnce() -> u64) -> u64 {
        self.ask_for(about, question, || (find(), true))
    }

    /// The same, where `find` also tells whether the answer is to be remembered.
    #[inline]
    pub(crate) fn ask_for(
        &self,
        about: u64,
        question: Question,
        find: impl FnOnce() -> (u64, bool),
    ) -> u64 {
        let key = self.keys.add(about, question.bits()) | 1;
        if let Some([known]) = self.answers.get(key) {
            return known;
        }
        let (found, lasting) = find();
        if lasting {
            self.answers.put(key, [found]);
        }
        found
    }

    /// The words of `text`, to be asked about.
    #[inline]
    pub(crate) fn row<'a>(&'a self, text: &'a Text) -> Row<'a> {
        let (fours, rest) = text.words().as_chunks::<4>();
        let mut key = self.keys.begin(0);
        for [a, b, c, d] in fours {
            let four =
                u64::from(*a) | u64::from(*b) << 16 | u64::from(*c) << 32 | u64::from(*d) << 48;
            key = self.keys.add(key, four);
        }
        // how many are left tells an unknown word from none
        let mut last = rest.len() as u64;
        for word in rest {
            last = last << 16 | u64::from(*word);
        }
        Row::read(self, self.keys.add(key, last), text)
    }
}

/// How keys are made: by two numbers that nobody outside the process knows, so that nobody can make two
/// messages that share one.
struct Keys {
    start: u64,
    factor: u64,
}

impl Keys {
    fn new() -> Self {
        let random = RandomState::new();
        Self {
            start: random.hash_one(0),
            factor: random.hash_one(1) | 1,
        }
    }

    #[inline(always)]
    const fn begin(&self, about: u64) -> u64 {
        self.add(self.start, about)
    }

    /// Both halves of the product: every bit of a key hangs on every bit that came before, by way of the factor.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "each half is meant")]
    const fn add(&self, key: u64, eight: u64) -> u64 {
        let product = (key ^ eight) as u128 * self.factor as u128;
        (product as u64) ^ (product >> 64) as u64
    }
}

/// Values of `LEN` numbers each, by keys that are not 0.
struct Table<const LEN: usize>(Box<[Slot<LEN>]>);

struct Slot<const LEN: usize> {
    value: [AtomicU64; LEN],
    /// The key, with the value folded into it.
    check: AtomicU64,
}

impl<const LEN: usize> Table<LEN> {
    /// A power of two.
    const SLOTS: usize = 1024;

    fn new() -> Self {
        let empty = || Slot {
            value: [const { AtomicU64::new(0) }; LEN],
            check: AtomicU64::new(0),
        };
        Self((0..Self::SLOTS).map(|_| empty()).collect())
    }

    fn slot(&self, key: u64) -> Option<&Slot<LEN>> {
        let [.., low, high] = key.to_le_bytes();
        let at = usize::from(u16::from_le_bytes([low, high]));
        self.0.get(at % Self::SLOTS)
    }

    #[inline]
    fn get(&self, key: u64) -> Option<[u64; LEN]> {
        let slot = self.slot(key)?;
        let value = slot
            .value
            .each_ref()
            .map(|part| part.load(Ordering::Relaxed));
        (slot.check.load(Ordering::Relaxed) == fold(key, &value)).then_some(value)
    }

    fn put(&self, key: u64, value: [u64; LEN]) {
        let Some(slot) = self.slot(key) else { return };
        for (place, part) in slot.value.iter().zip(value) {
            place.store(part, Ordering::Relaxed);
        }
        slot.check.store(fold(key, &value), Ordering::Relaxed);
    }
}

/// A key with a value folded into it.
#[inline(always)]
fn fold(key: u64, value: &[u64]) -> u64 {
    value
        .iter()
        .fold(key, |all, part| all.rotate_left(9) ^ part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexicon::Lexicon;

    fn text(words: &str) -> Text {
        let mut text = Text::new();
        text.read(&Lexicon::new(), words.as_bytes(), |_| {});
        text
    }

    #[test]
    fn a_question_is_answered_once_for_rows_that_differ_in_names_and_numbers_alone() {
        let memo = Memo::new();
        let (one, other) = (text("limit 30 of gpt-4o"), text("limit 77 of llama-3"));
        assert_eq!(memo.row(&one).ask(Question::Limit, |_| 7), 7);
        assert_eq!(memo.row(&other).ask(Question::Limit, |_| 8), 7);
        assert_eq!(memo.row(&other).ask(Question::Span, |_| 8), 8);
        assert_eq!(memo.row(&text("limit 30")).ask(Question::Limit, |_| 9), 9);
        assert_eq!(memo.row(&text("")).ask(Question::Limit, |_| 0), 0);
    }

    #[test]
    fn messages_differ_by_all_but_their_digits() {
        let memo = Memo::new();
        let key = |message: &str| memo.message(Provider::Other, message.as_bytes());
        let known = key("wait 30 seconds, then try again");
        assert!(known.is_some());
        assert_eq!(key("wait 99 seconds, then try again"), known);
        assert_ne!(key("wait 9 seconds, then try again"), known);
        assert_ne!(key("wait 30 Seconds, then try again"), known);
        assert_ne!(key("wait 30 seconds, then try agaim"), known);
        let openai = memo.message(Provider::OpenAi, b"wait 30 seconds, then try again");
        assert_ne!(openai, known);
        assert_eq!(key("short 7"), None);
    }

    /// What a key made by a known factor alone lets pass: the highest bit of eight bytes, made up for in the next eight.
    #[test]
    fn no_change_makes_up_for_another() {
        let keys = Keys::new();
        let key = |one: u64, other: u64| keys.add(keys.add(keys.begin(0), one), other);
        let known = key(7, 9);
        for bit in 0..64 {
            assert_ne!(key(7 ^ 1 << 63, 9 ^ 1 << bit), known);
        }
    }

    #[test]
    fn what_is_new_takes_the_place_of_what_is_old_and_no_answer_is_anothers() {
        let memo = Memo::new();
        let text = text("limit");
        let mut row = memo.row(&text);
        for _ in 0..3 {
            for from in 0..5000 {
                let answer = row.ask(Question::Asked(from), |_| from as u64 * 3);
                assert_eq!(answer, from as u64 * 3);
            }
        }
    }

    #[test]
    fn threads_that_write_one_slot_never_read_each_others_value() {
        let table = Table::<3>::new();
        std::thread::scope(|scope| {
            for thread in 1..5_u64 {
                let table = &table;
                scope.spawn(move || {
                    for round in 0..50_000 {
                        // all in a few slots
                        let key = (((round * thread) % 64) << 8) | 1;
                        let value = [key * 3, key * 5, key * 7];
                        if let Some(known) = table.get(key) {
                            assert_eq!(known, value);
                        }
                        table.put(key, value);
                    }
                });
            }
        });
    }
}
