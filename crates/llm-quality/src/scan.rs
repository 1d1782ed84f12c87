//! One reading of the text, character by character, for all checks that need one. A finished answer is read by the same code as a
//! growing one, so that no split into chunks can change what is found.

use crate::answer::Finish;
use crate::ending::{self, Broken};
use crate::fence::Fence;
use crate::finding::{Finding, Severity};
use crate::garble::Garble;
use crate::language::Profile;
use crate::look::Rules;
use crate::refusal::{self, Declined};
use crate::repeat::{Loops, Repetition};

/// What stood beside the text, as far as the checks on the text care.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) finish: Option<Finish>,
    pub(crate) refused: bool,
    pub(crate) calls: bool,
}

#[derive(Clone)]
pub(crate) struct Scan {
    /// Characters that can be seen.
    chars: u64,
    /// The first bytes, for refusals.
    head: Option<String>,
    head_full: bool,
    /// The last bytes, for the ending.
    tail: Option<String>,
    fence: Fence,
    garble: Option<Box<Garble>>,
    profile: Option<Box<Profile>>,
    loops: Option<Loops>,
}

impl Scan {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            chars: 0,
            head: rules.asks(Finding::Refusal).then(String::new),
            head_full: false,
            tail: rules.asks(Finding::MidSentence).then(String::new),
            fence: Fence::new(),
            garble: rules
                .asks(Finding::Garbled)
                .then(|| Box::new(Garble::new())),
            profile: rules
                .language
                .filter(|_| rules.asks(Finding::WrongLanguage))
                .map(|language| Box::new(Profile::new(language))),
            loops: rules.asks(Finding::Repetitive).then(Loops::new),
        }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.keep_head(text);
        self.keep_tail(text);
        if let Some(loops) = &mut self.loops {
            loops.push(text.as_bytes());
        }
        let code = self.tail.is_some() || self.garble.is_some() || self.profile.is_some();
        for ch in text.chars() {
            self.chars += u64::from(is_visible(ch));
            if !code {
                continue;
            }
            self.fence.push(ch);
            let in_code = self.fence.in_code();
            if let Some(garble) = &mut self.garble {
                garble.push(ch, in_code);
            }
            if let Some(profile) = &mut self.profile {
                profile.push(ch, in_code);
            }
        }
    }

    fn keep_head(&mut self, text: &str) {
        let Some(head) = &mut self.head else { return };
        // Character by character, so that where it ends does not depend on the split.
        let mut chars = text.chars();
        while !self.head_full
            && let Some(ch) = chars.next()
        {
            if head.len() + ch.len_utf8() > refusal::HEAD {
                self.head_full = true;
            } else if !(head.is_empty() && ch.is_whitespace()) {
                head.push(ch);
            }
        }
    }

    fn keep_tail(&mut self, text: &str) {
        let Some(tail) = &mut self.tail else { return };
        tail.push_str(last_bytes(text, ending::TAIL));
        if tail.len() > 4 * ending::TAIL {
            let cut = tail.len() - last_bytes(tail, ending::TAIL).len();
            tail.drain(..cut);
        }
    }

    /// Says what is certain before the end.
    pub(crate) fn early(&self, add: &mut impl FnMut(Finding, Severity)) {
        if let Some(loops) = &self.loops {
            if loops.found().is_some() {
                add(Finding::Repetitive, Severity::Bad);
            } else if loops.is_near() {
                add(Finding::Repetitive, Severity::Suspect);
            }
        }
        if self.garble.as_ref().is_some_and(|garble| garble.is_bad()) {
            add(Finding::Garbled, Severity::Bad);
        }
    }

    /// Says what is known now that the text has ended.
    pub(crate) fn end(
        &mut self,
        rules: &Rules,
        beside: Beside,
        add: &mut impl FnMut(Finding, Severity),
    ) {
        self.early(add);
        let declined = self.declined(beside);
        if self.chars == 0 && !beside.calls && declined.is_none() {
            add(Finding::Empty, Severity::Bad);
        } else if self.chars < rules.min_chars && !beside.calls {
            add(Finding::TooShort, Severity::Bad);
        }
        if let Some(severity) = declined {
            add(Finding::Refusal, severity);
        }
        if beside.finish == Some(Finish::Length) {
            add(Finding::CutOff, Severity::Bad);
        }
        self.broken(beside, add);
        if let Some(garble) = &self.garble {
            if garble.is_bad_at_end() {
                add(Finding::Garbled, Severity::Bad);
            } else if garble.is_suspect() {
                add(Finding::Garbled, Severity::Suspect);
            }
        }
        if let Some(profile) = &mut self.profile
            && profile.is_wrong()
        {
            add(Finding::WrongLanguage, Severity::Bad);
        }
    }

    fn declined(&self, beside: Beside) -> Option<Severity> {
        if beside.refused || matches!(beside.finish, Some(Finish::Refusal | Finish::ContentFilter))
        {
            return Some(Severity::Bad);
        }
        if beside.calls {
            return None;
        }
        match refusal::judge(self.head.as_deref()?, self.chars)? {
            Declined::Plainly => Some(Severity::Bad),
            Declined::AtFirst => Some(Severity::Suspect),
        }
    }

    fn broken(&self, beside: Beside, add: &mut impl FnMut(Finding, Severity)) {
        let Some(tail) = &self.tail else { return };
        // Text before a tool call may end anywhere, and a cut that was reported needs no guess.
        if beside.calls || beside.finish == Some(Finish::Length) {
            return;
        }
        let severity = match (
            ending::judge(last_bytes(tail, ending::TAIL), self.fence.is_left_open()),
            beside.finish,
        ) {
            (None, _) => return,
            (Some(Broken::Surely), None) => Severity::Bad,
            (Some(Broken::Surely), Some(_)) | (Some(Broken::Perhaps), None) => Severity::Suspect,
            (Some(Broken::Perhaps), Some(_)) => Severity::Note,
        };
        add(Finding::MidSentence, severity);
    }

    pub(crate) const fn repetition(&self) -> Option<Repetition> {
        match &self.loops {
            Some(loops) => loops.found(),
            None => None,
        }
    }
}

/// Neither white space nor one of the characters that show nothing.
fn is_visible(ch: char) -> bool {
    if ch.is_ascii() {
        return ch > ' ' && ch != '\x7F';
    }
    !ch.is_whitespace()
        && !matches!(ch, '\u{80}'..='\u{9F}' | '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// At most the last `limit` bytes, from a character's start.
fn last_bytes(text: &str, limit: usize) -> &str {
    let mut from = text.len().saturating_sub(limit);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}
