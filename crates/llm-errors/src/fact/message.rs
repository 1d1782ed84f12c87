//! The messages of a reply: plain text, JSON in strings, and sentences under names that nobody
//! knows.

use super::Facts;
use crate::evidence::Field;
use crate::kind::ErrorKind;
use crate::rule::{Rank, Signal};
use crate::scan::{Path, scan, unescape};
use crate::shape::{is_document, printed_object};

/// JSON in a JSON string is followed this deep.
const MAX_NESTING: u8 = 3;
/// Bytes of a string that are unescaped; the rest is not read.
const MAX_STRING_BYTES: usize = 4096;
/// Most strings fit into this.
const SHORT_STRING_BYTES: usize = 640;
/// A text longer than this says more than the name of a code.
const MAX_CODED_BYTES: usize = 100;

impl Facts<'_> {
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
        if path.escaped() {
            if raw.len() <= SHORT_STRING_BYTES {
                self.unescaped(raw, &mut [0; SHORT_STRING_BYTES]);
            } else {
                self.unescaped(raw, &mut [0; MAX_STRING_BYTES]);
            }
        } else if path.braced() {
            self.nested(raw);
        } else if self.leave_unread(raw) {
            return;
        } else {
            self.words(raw);
        }
        self.text.stop();
    }

    /// Keeps the place of a message in the body. False where it stands elsewhere, or the places
    /// are used up.
    fn leave_unread(&mut self, raw: &[u8]) -> bool {
        let place = raw.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        let inside = place
            .checked_add(raw.len())
            .is_some_and(|end| end <= self.body.len());
        if self.answers || !inside {
            return false;
        }
        let Some(free) = self.unread.get_mut(self.unread_count) else {
            return false;
        };
        *free = (place, raw.len());
        self.unread_count += 1;
        true
    }

    /// Keeps the place of a string in the body whose name tells nothing, if it is a sentence.
    pub(super) fn keep_spare(&mut self, raw: &[u8]) {
        if self.spare_count == self.spare.len() || !is_sentence(raw) {
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
                self.unescaped(raw, &mut [0; MAX_STRING_BYTES]);
            } else {
                self.nested(raw);
            }
            self.text.stop();
        }
        self.spare_count = 0;
    }

    /// Reads the words of the messages that were passed over so far.
    pub(crate) fn read_messages(&mut self) {
        let unread = self.unread;
        for (place, len) in unread.iter().take(self.unread_count) {
            let body = self.body;
            self.words(body.get(*place..place + len).unwrap_or_default());
            self.text.stop();
        }
        self.unread_count = 0;
        if self.spare_count > 0 && self.text.is_empty() {
            self.read_spare();
        }
    }

    #[inline(never)]
    fn unescaped(&mut self, raw: &[u8], buffer: &mut [u8]) {
        let len = unescape(raw, buffer);
        self.nested(buffer.get(..len).unwrap_or_default());
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
        let (dictionary, provider) = (self.dictionary, self.provider);
        let before = self.text.words().len();
        self.text.read(&dictionary.lexicon, text, |name| {
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
        if let Some(mut signal) = found {
            // a name in running text is weaker than the field meant for it; one that blames the
            // server is often a client's, for whatever it was told in the words behind it
            let most = match signal.outcome.kind {
                ErrorKind::Overloaded | ErrorKind::ServerError => Rank::Weak,
                _ => Rank::Family,
            };
            signal.rank = signal.rank.min(most);
            self.note(signal, Field::Text);
        }
    }
}

/// Several words, or a script that writes them without spaces.
fn is_sentence(raw: &[u8]) -> bool {
    raw.contains(&b' ') || raw.iter().any(|byte| *byte >= 0x80)
}
