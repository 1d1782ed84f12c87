//! What a reply says, gathered in one pass: codes, words, waits, sizes, and how an answer ended.

mod message;

use crate::dictionary::Dictionary;
use crate::duration;
use crate::evidence::Field;
use crate::key::Key;
use crate::kind::ErrorKind;
use crate::known::{Known, Quota};
use crate::path::Path;
use crate::provider::Provider;
use crate::row::Question;
use crate::rule::{Rank, Signal};
use crate::scan::{Value, milli, scan};
use crate::shape::{is_document, is_error_part};
use crate::text::Text;
use crate::verdict::{Basis, Hint, HintSource};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Messages whose words are read only when they are asked for; more are read at once.
const MAX_UNREAD: usize = 4;
/// Sentences under unknown names that are kept.
const MAX_SPARE: usize = 4;
/// Bytes of an answer's text that are kept to look for a refusal.
const MAX_OPENING_BYTES: usize = 192;

/// How an answer ended and what it held.
#[derive(Clone, Copy, Default)]
pub(crate) struct Answer {
    /// The strongest bad ending that a finish reason stated.
    pub(crate) ending: Option<ErrorKind>,
    /// Some finish reason was stated.
    pub(crate) finished: bool,
    /// A field that only answers have was seen.
    pub(crate) present: bool,
    /// A list of choices was seen, and one choice in it.
    pub(crate) listed: bool,
    pub(crate) chosen: bool,
    /// Text or data for the caller.
    pub(crate) content: bool,
    /// A tool call.
    pub(crate) tool_call: bool,
    /// A field or block that says "refusal".
    pub(crate) refusal: bool,
    /// A field said that this stream object is one piece of many.
    pub(crate) chunk: bool,
    /// Content bytes seen.
    pub(crate) content_bytes: usize,
}

/// Everything gathered from one reply.
pub(crate) struct Facts<'d> {
    dictionary: &'d Dictionary,
    provider: Provider,
    now: SystemTime,
    /// The document.
    body: &'d [u8],
    /// Places and lengths of messages in it whose words nobody has asked for yet.
    unread: [(usize, usize); MAX_UNREAD],
    unread_count: usize,
    /// The first of them has escapes, and is to be read before any other words are.
    escaped: bool,
    /// Places and lengths of sentences under names that nobody knows: read where nothing else
    /// says a word.
    spare: [(usize, usize); MAX_SPARE],
    spare_count: usize,
    /// Somebody's role was told, so that texts are what was said by whom.
    spoken: bool,
    pub(crate) text: Text,
    /// What a code among the words that were read last says.
    named: Option<Signal>,
    pub(crate) known: Known,
    /// Something calls itself an error.
    pub(crate) error: bool,
    /// A code in numbers that is none of success.
    pub(crate) coded: bool,
    pub(crate) answer: Answer,
    /// The beginning of the answer's text, as words.
    pub(crate) opening: Option<Text>,
    /// The document was JSON, not plain text.
    pub(crate) json: bool,
    answers: bool,
    level: u8,
}

impl<'d> Facts<'d> {
    /// Nothing gathered yet; `answers` tells whether the document may be an answer.
    #[inline]
    pub(crate) const fn new(
        dictionary: &'d Dictionary,
        provider: Provider,
        now: SystemTime,
        answers: bool,
    ) -> Self {
        Self {
            dictionary,
            provider,
            now,
            body: &[],
            unread: [(0, 0); MAX_UNREAD],
            unread_count: 0,
            escaped: false,
            spare: [(0, 0); MAX_SPARE],
            spare_count: 0,
            spoken: false,
            text: Text::new(),
            named: None,
            known: Known::NOTHING,
            error: false,
            coded: false,
            answer: Answer {
                ending: None,
                finished: false,
                present: false,
                listed: false,
                chosen: false,
                content: false,
                tool_call: false,
                refusal: false,
                chunk: false,
                content_bytes: 0,
            },
            opening: None,
            json: false,
            answers,
            level: 0,
        }
    }

    /// Reads a body, or a frame of a stream: JSON, lines of `data:`, or plain text.
    pub(crate) fn read(&mut self, bytes: &'d [u8]) {
        let body = bytes.trim_ascii_start();
        if self.body.is_empty() {
            self.body = bytes;
        }
        match body.first() {
            Some(b'{' | b'[') if is_document(body) => {
                self.json = true;
                let read = scan(body, |path, value| self.take(path, value));
                // newline-delimited documents, or a document after a document
                let mut rest = body.get(read..).unwrap_or_default().trim_ascii_start();
                let mut documents = 0;
                while documents < 16 && rest.first() == Some(&b'{') {
                    let read = scan(rest, |path, value| self.take(path, value));
                    rest = rest.get(read..).unwrap_or_default().trim_ascii_start();
                    documents += 1;
                }
            }
            Some(b'"') => {
                let read = scan(body, |path, value| {
                    if let Value::Str(raw) = value {
                        self.message(path, raw);
                    }
                });
                // words that begin with a name in quotes
                self.words(body.get(read..).unwrap_or_default());
            }
            _ if body.starts_with(b"data:")
                || body.starts_with(b"event:")
                || body.starts_with(b":")
                || body.starts_with(b"id:") =>
            {
                for line in body.split(|byte| *byte == b'\n').take(64) {
                    if let Some(name) = line.strip_prefix(b"event:") {
                        self.error |= name.trim_ascii() == b"error";
                    }
                    if let Some(data) = line.strip_prefix(b"data:") {
                        self.read(data);
                    }
                }
            }
            _ => self.plain(body),
        }
    }

    /// The document has words, and is no answer.
    pub(crate) fn speaks(&self) -> bool {
        !self.answer.present && !self.answer.content && !self.text.is_empty()
    }

    /// Keeps the stronger signal; of two equals the one nearer to the source. Of two certain ones
    /// the code speaks before the type, unless it is the vaguer about a limit.
    fn note(&mut self, signal: Signal, field: Field) {
        let stronger = match &self.known.signal {
            None => true,
            Some((known, place)) => {
                let both_certain = signal.rank >= Rank::Family && known.rank >= Rank::Family;
                let vague = ErrorKind::RateLimitOther;
                if both_certain && self.level == 0 && field != *place {
                    match (signal.outcome.kind == vague, known.outcome.kind == vague) {
                        (true, false) => false,
                        (false, true) => true,
                        _ => field < *place,
                    }
                } else {
                    signal.rank > known.rank
                        || (signal.rank == known.rank
                            && (field < *place || (self.level > 0 && field != Field::Text)))
                }
            }
        };
        if stronger {
            self.known.signal = Some((signal, field));
        }
    }

    fn code(&mut self, raw: &[u8], field: Field) {
        if raw.is_empty() || raw.len() > 200 {
            return;
        }
        if let Some(signal) = self.dictionary.code(self.provider, raw) {
            self.note(signal, field);
            return;
        }
        if raw.iter().all(u8::is_ascii_digit) {
            return;
        }
        if let Some(signal) = self.dictionary.unknown_code(self.provider, raw) {
            self.note(signal, field);
        }
    }

    fn hint(&mut self, wait: Duration, source: HintSource, basis: Basis) {
        // an interval needs no clock: it wins over a date
        let better = self
            .known
            .hint
            .is_none_or(|known| known.basis() == Basis::Date && basis == Basis::Interval);
        if better {
            self.known.hint = Some(Hint::new(wait, source).with_basis(basis));
        }
    }

    fn seconds(&mut self, milli: Option<u64>, scale: u64) {
        if let Some(milli) = milli {
            let wait = Duration::from_millis(milli.saturating_mul(scale) / 1000);
            self.hint(wait, HintSource::Body, Basis::Interval);
        }
    }

    /// Takes one value of the document.
    #[inline]
    fn take(&mut self, path: &Path, value: Value<'_>) {
        if self.answers {
            self.take_answer(path, value);
        }
        if path.enveloped() {
            self.take_error(path, value);
        }
        if let Value::Str(raw) = value
            && path.may_be_spare()
        {
            self.keep_spare(path.key(), raw);
        }
    }

    /// Takes one value as part of an error.
    fn take_error(&mut self, path: &Path, value: Value<'_>) {
        match (path.key(), value) {
            (Key::Error, Value::Object | Value::Array) => self.error = true,
            (Key::Error, Value::Str(raw)) if !raw.is_empty() => {
                self.error = true;
                if raw.contains(&b' ') || raw.iter().any(|byte| *byte >= 0x80) {
                    self.message(path, raw);
                } else {
                    self.code(raw, Field::Code);
                    self.catch_up();
                    self.text.read_parts(&self.dictionary.lexicon, raw);
                    self.text.stop();
                }
            }
            (Key::ErrorMessage, Value::Str(raw)) if !raw.is_empty() => {
                self.error |= !raw.eq_ignore_ascii_case(b"success");
                self.message(path, raw);
            }
            (Key::Message, Value::Str(raw)) if path.parent() != Key::Links => {
                self.message(path, raw);
            }
            // deeper down it describes what the details are about
            (Key::Description, Value::Str(raw))
                if path.parent() != Key::Links && path.depth() <= 2 =>
            {
                self.message(path, raw);
            }
            (Key::Text, Value::Str(raw)) if path.parent() == Key::Error => self.message(path, raw),
            // some relays put the sentence where the parameter's name belongs
            (Key::Param, Value::Str(raw)) if raw.contains(&b' ') => self.message(path, raw),
            (
                Key::Detail | Key::Details | Key::Raw | Key::Cause | Key::Body | Key::Root,
                Value::Str(raw),
            ) => self.message(path, raw),
            (Key::Code, Value::Str(raw) | Value::Number(raw)) => {
                self.coded |= raw.len() > 3 && raw.iter().all(u8::is_ascii_digit);
                self.status_like(raw);
                if is_error_part(path) {
                    self.code(raw, Field::Code);
                }
            }
            (Key::Reason, Value::Str(raw)) => {
                if raw.contains(&b' ') {
                    self.message(path, raw);
                } else {
                    self.code(raw, Field::Reason);
                }
            }
            (Key::Type | Key::ErrorType, Value::Str(raw))
                if raw != b"error" && is_error_part(path) =>
            {
                let raw = raw.rsplit(|byte| *byte == b'#').next().unwrap_or(raw);
                self.code(raw, Field::Type);
            }
            // how clients print an error: its class
            (Key::Name, Value::Str(raw))
                if raw.ends_with(b"Error") || raw.ends_with(b"Exception") =>
            {
                self.code(raw, Field::Type);
            }
            (Key::Status, Value::Str(raw)) => {
                self.status_like(raw);
                self.code(raw, Field::Status);
            }
            (Key::Status | Key::StatusCode | Key::StatusNumber, Value::Number(raw))
            | (Key::StatusCode, Value::Str(raw)) => {
                self.error |= path.parent() == Key::BaseResponse && raw != b"0";
                self.status_like(raw);
            }
            (Key::QuotaName, Value::Str(raw)) => self.quota_name(raw),
            (Key::QuotaValue, Value::Str(raw) | Value::Number(raw)) => {
                self.known.quota.zero |= raw == b"0";
            }
            (Key::RetryDelay, Value::Str(raw)) => {
                if let Some(wait) = duration::parse(raw) {
                    self.hint(wait, HintSource::Body, Basis::Interval);
                }
            }
            (Key::WaitSeconds, Value::Number(raw) | Value::Str(raw)) => {
                self.seconds(milli(raw), 1000);
            }
            (Key::WaitMillis, Value::Number(raw) | Value::Str(raw)) => self.seconds(milli(raw), 1),
            (Key::ResetAt, Value::Number(raw) | Value::Str(raw)) => {
                // without a clock a date says nothing
                if self.now != UNIX_EPOCH
                    && let Some(at) = duration::instant(raw)
                {
                    let wait = at.duration_since(self.now).unwrap_or_default();
                    self.hint(wait, HintSource::Body, Basis::Date);
                }
            }
            (Key::ContextLimit, Value::Number(raw)) => self.known.limit = tokens(raw),
            (Key::PromptTokens, Value::Number(raw)) => self.known.asked = tokens(raw),
            _ => {}
        }
    }

    fn status_like(&mut self, raw: &[u8]) {
        if let [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] = raw {
            let digits = raw.iter().map(|byte| u16::from(byte - b'0'));
            self.known.status = digits.fold(0, |value, digit| value * 10 + digit);
        }
    }

    fn quota_name(&mut self, raw: &[u8]) {
        let memo = &self.dictionary.memo;
        let bits = match memo.message(self.provider, raw) {
            Some(name) => memo.ask(name, Question::Quota, || Quota::named(raw).bits()),
            None => Quota::named(raw).bits(),
        };
        self.known.quota.add(Quota::of(bits));
    }

    /// Takes one value as part of an answer.
    fn take_answer(&mut self, path: &Path, value: Value<'_>) {
        match (path.key(), value) {
            (Key::Choices | Key::Output | Key::Content, Value::Array)
            | (Key::Output | Key::Message, Value::Object)
                if path.depth() <= 3 =>
            {
                self.answer.present |= path.key() != Key::Content || path.depth() == 1;
                self.answer.listed |= path.key() == Key::Choices;
            }
            (Key::Choices, Value::Object) => self.answer.chosen = true,
            (Key::PromptFeedback, Value::Object) => self.answer.present = true,
            (Key::Delta, Value::Object) => {
                self.answer.chunk = true;
                self.answer.present = true;
            }
            // an empty name is that of the first piece, which tells of filters alone
            (
                Key::Object,
                Value::Str(b"chat.completion.chunk" | b"text_completion.chunk" | b""),
            ) => {
                self.answer.chunk = true;
            }
            (Key::Finish, Value::Str(raw)) => self.finish(raw),
            (Key::Reason, Value::Str(raw)) if path.parent() == Key::IncompleteDetails => {
                self.finish(raw);
            }
            (Key::Refusal, Value::Str(raw)) if !raw.trim_ascii().is_empty() => {
                self.answer.refusal = true;
            }
            (Key::Type, Value::Str(b"refusal")) => {
                self.answer.refusal |= matches!(path.parent(), Key::Content | Key::Part);
            }
            (
                Key::Type,
                Value::Str(
                    b"function_call"
                    | b"tool_use"
                    | b"custom_tool_call"
                    | b"computer_call"
                    | b"mcp_call"
                    | b"image_generation_call"
                    | b"server_tool_use"
                    | b"tool_call"
                    | b"web_search_call"
                    | b"file_search_call"
                    | b"code_interpreter_call"
                    | b"local_shell_call",
                ),
            )
            | (Key::ToolCalls | Key::ToolPayload, Value::Object) => self.answer.tool_call = true,
            (Key::Name, Value::Str(_)) if path.parent() == Key::ToolCalls => {
                self.answer.tool_call = true;
            }
            (
                Key::Content | Key::Text | Key::AnswerText | Key::Response | Key::Output,
                Value::Str(raw),
            ) => {
                if matches!(path.parent(), Key::Text | Key::Echo | Key::Error) {
                    return;
                }
                self.answer.content_bytes += raw.len();
                if !raw.trim_ascii().is_empty() {
                    if !self.answer.content {
                        let mut text = Text::new();
                        let opening = raw
                            .get(..raw.len().min(MAX_OPENING_BYTES))
                            .unwrap_or_default();
                        // an answer in JSON: look behind its first keys
                        let opening = if opening.first() == Some(&b'{') {
                            opening
                                .windows(3)
                                .position(|window| window == b": \\" || window == b":\\\"")
                                .and_then(|at| opening.get(at..))
                                .unwrap_or(opening)
                        } else {
                            opening
                        };
                        text.read(&self.dictionary.lexicon, opening, |_| {});
                        self.opening = Some(text);
                    }
                    self.answer.content = true;
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, raw: &[u8]) {
        self.answer.present = true;
        self.answer.finished = true;
        if self.answer.ending.is_none() {
            self.answer.ending = self.dictionary.finish(raw);
        }
    }
}

fn tokens(raw: &[u8]) -> u32 {
    milli(raw).map_or(0, |milli| u32::try_from(milli / 1000).unwrap_or(u32::MAX))
}
