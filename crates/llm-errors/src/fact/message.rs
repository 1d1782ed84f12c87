//! The messages of a reply: plain text, JSON in strings, and sentences under names that nobody
//! knows.

use super::Facts;
use crate::evidence::Field;
use crate::key::Key;
use crate::kind::ErrorKind;
use crate::known::Known;
use crate::memo::Sentence;
use crate::path::Path;
use crate::quoted::{MAX_STRING_BYTES, escaped_place, with_unescaped};
use crate::row::{Message, Numerals, Row};
use crate::rule::{Rank, Signal};
use crate::scan::scan;
use crate::shape::{is_document, printed_object};
use crate::wait;

/// JSON in a JSON string is followed this deep.
const MAX_NESTING: u8 = 3;
/// A text longer than this says more than the name of a code.
const MAX_CODED_BYTES: usize = 100;

impl<'d> Facts<'d> {
    /// Reads plain text, and the object that a client may have printed inside it.
    pub(super) fn plain(&mut self, text: &[u8]) {
        let object = (self.level < MAX_NESTING)
            .then(|| printed_object(text))
            .flatten();
        let Some(at) = object else {
            self.words(text);
            return;
        };
        let (before, rest) = text.split_at(at);
        self.words(before);
        self.text.stop();
        self.level += 1;
        let read = scan(rest, |path, value| self.take(path, value));
        self.level -= 1;
        self.text.stop();
        self.words(rest.get(read..).unwrap_or_default());
    }

    /// Reads a message: the content of the JSON string at `path`.
    pub(super) fn message(&mut self, path: &Path, raw: &[u8]) {
        let raw = raw
            .get(..raw.len().min(MAX_STRING_BYTES))
            .unwrap_or_default();
        if !path.braced() && !path.numbered() && self.leave_unread(raw, path.escaped()) {
            return;
        }
        if path.escaped() {
            with_unescaped(raw, |text| self.nested(text));
        } else if path.braced() {
            self.nested(raw);
        } else {
            self.words(raw);
        }
        self.text.stop();
    }

    /// Keeps the place of a message in the body. False where it stands elsewhere, the places are
    /// used up, or it has escapes and is not the first.
    fn leave_unread(&mut self, raw: &[u8], escaped: bool) -> bool {
        let place = raw.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        let inside = place
            .checked_add(raw.len())
            .is_some_and(|end| end <= self.body.len());
        let first = self.unread_count == 0 && self.text.is_empty();
        if self.answers || !inside || (escaped && !first) {
            return false;
        }
        let Some(free) = self.unread.get_mut(self.unread_count) else {
            return false;
        };
        *free = (place, raw.len());
        self.unread_count += 1;
        self.escaped |= escaped;
        true
    }

    /// Keeps the place of a string in the body whose name tells nothing, if it is a sentence.
    pub(super) fn keep_spare(&mut self, key: Key, raw: &[u8]) {
        self.spoken |= key == Key::Role;
        let echo = key == Key::Text && self.spoken;
        if self.spare_count == self.spare.len() || echo || !is_sentence(raw) {
            return;
        }
        let place = raw.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        let inside = place
            .checked_add(raw.len())
            .is_some_and(|end| end <= self.body.len());
        if inside && let Some(free) = self.spare.get_mut(self.spare_count) {
            *free = (place, raw.len().min(MAX_STRING_BYTES));
            self.spare_count += 1;
        }
    }

    /// Reads the sentences whose names tell nothing, where no other words were found.
    fn read_spare(&mut self) {
        let spare = self.spare;
        for (place, len) in spare.iter().take(self.spare_count) {
            let body = self.body;
            let raw = body.get(*place..place + len).unwrap_or_default();
            if raw.contains(&b'\\') {
                with_unescaped(raw, |text| self.nested(text));
            } else {
                self.nested(raw);
            }
            self.text.stop();
        }
        self.spare_count = 0;
    }

    /// The words of all messages, to be asked about: read, or remembered; and what is known then.
    #[inline]
    pub(crate) fn row(&mut self) -> (Row<'_>, Known) {
        let dictionary = self.dictionary;
        let memo = &dictionary.memo;
        let Some(message) = self.only_message() else {
            self.read_messages();
            return (memo.row(&self.text), self.known);
        };
        let masked = memo.message(self.provider, message);
        let exact = || memo.exact_message(self.provider, message);
        let known = |key| memo.sentence(key);
        if let Some(sentence) = masked.and_then(known).or_else(|| exact().and_then(known)) {
            if let Some(signal) = sentence.signal {
                self.note(signal, Field::Text);
            }
            let message = Message {
                bytes: message,
                escaped: self.escaped,
            };
            let row = Row::remembered(
                memo,
                &sentence,
                message,
                &dictionary.lexicon,
                &mut self.text,
            );
            return (row, self.known);
        }
        let escaped = self.escaped;
        self.read_messages();
        let mut row = memo.row(&self.text);
        let limit = dictionary.marks.limit;
        let varies = self.text.varies() || dictionary.lexicon.numbered;
        let key = if varies {
            memo.exact_message(self.provider, message)
        } else {
            masked
        };
        if let Some(key) = key
            && self.is_lasting(&mut row)
            && let Some(numerals) = Numerals::new(&self.text, limit, |place| {
                if escaped {
                    escaped_place(message, place)
                } else {
                    place
                }
            })
        {
            let row = row.key();
            let signal = self.named;
            memo.keep(
                key,
                &Sentence {
                    row,
                    numerals,
                    signal,
                },
            );
        }
        (row, self.known)
    }

    /// The one message, where no word of any other was read.
    fn only_message(&self) -> Option<&'d [u8]> {
        let [(place, len), ..] = self.unread;
        let body = self.body;
        let only = self.unread_count == 1 && self.text.is_empty();
        only.then(|| body.get(place..place + len)).flatten()
    }

    /// Does the message that was read say the same at any time?
    fn is_lasting(&self, row: &mut Row<'_>) -> bool {
        let marks = &self.dictionary.marks;
        let text = &self.text;
        // the wait until a date is another one tomorrow, unless the words state a wait anyway
        let dated = text.moments().next().is_some() || text.present().has(marks.midnight);
        text.is_whole() && !text.is_empty() && (!dated || wait::states(marks, row))
    }

    /// Reads the words of the messages that were passed over so far.
    pub(crate) fn read_messages(&mut self) {
        self.catch_up();
        let unread = self.unread;
        let read = unread.iter().take(self.unread_count);
        for (place, len) in read.filter(|(_, len)| *len > 0) {
            let body = self.body;
            self.words(body.get(*place..place + len).unwrap_or_default());
            self.text.stop();
        }
        self.unread_count = 0;
        if self.spare_count > 0 && self.text.is_empty() {
            self.read_spare();
        }
    }

    /// Reads the first of the messages that were passed over, if it has escapes: nothing read
    /// later comes before it.
    pub(super) fn catch_up(&mut self) {
        if !std::mem::take(&mut self.escaped) {
            return;
        }
        let [(place, len), ..] = &mut self.unread;
        let (place, len) = (*place, std::mem::take(len));
        let body = self.body;
        let raw = body.get(place..place + len).unwrap_or_default();
        with_unescaped(raw, |text| self.words(text));
        self.text.stop();
    }

    fn nested(&mut self, text: &[u8]) {
        let trimmed = text.trim_ascii_start();
        if self.level < MAX_NESTING
            && matches!(trimmed.first(), Some(b'{' | b'['))
            && is_document(trimmed)
            && printed_object(trimmed).is_some()
        {
            self.level += 1;
            scan(trimmed, |path, value| self.take(path, value));
            self.level -= 1;
        } else {
            self.plain(text);
        }
    }

    pub(super) fn words(&mut self, text: &[u8]) {
        /// Beside more words than these a name may be an echo.
        const FEW: usize = 3;
        let mut found: Option<Signal> = None;
        let mut guess: Option<Signal> = None;
        self.catch_up();
        let (dictionary, provider) = (self.dictionary, self.provider);
        let before = self.text.words().len();
        let mut numbered = false;
        self.text.read(&dictionary.lexicon, text, |name| {
            numbered |= name.iter().any(u8::is_ascii_digit);
            match dictionary.code(provider, name) {
                Some(signal) if found.is_none_or(|known| known.rank < signal.rank) => {
                    found = Some(signal);
                }
                None if guess.is_none() && text.len() < MAX_CODED_BYTES => {
                    guess = dictionary.unknown_code(provider, name);
                }
                _ => {}
            }
        });
        if self.text.words().len() <= before + FEW {
            found = found.or(guess);
        }
        if numbered {
            self.text.vary();
        }
        self.named = None;
        if let Some(mut signal) = found {
            // a name in running text is weaker than the field meant for it; one that blames the
            // server is often a client's, for whatever it was told in the words behind it
            let most = match signal.outcome.kind {
                ErrorKind::Overloaded | ErrorKind::ServerError => Rank::Weak,
                _ => Rank::Family,
            };
            signal.rank = signal.rank.min(most);
            self.named = Some(signal);
            self.note(signal, Field::Text);
        }
    }
}

/// Several words, or a script that writes them without spaces.
fn is_sentence(raw: &[u8]) -> bool {
    raw.contains(&b' ') || raw.iter().any(|byte| *byte >= 0x80)
}
