//! What the caller has of a stream that broke, and how the answer goes on from there.

use super::glance::{unescape, unescape_inner};
use super::joint::{Joint, MIN_ECHO_BYTES, estimate_tokens};
use super::{Course, ReplyStream};
use crate::call::Call;
use crate::chat::Usage;
use crate::endpoint::Endpoint;
use crate::prefill;
use crate::wire::{Watch, Writer};
use serde_json::value::RawValue;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest text of an answer that is kept so that it can be continued, in bytes: 1 MiB. A longer one
/// ends in an error if its stream breaks.
pub const MAX_SHOWN_BYTES: usize = 1 << 20;

/// How the stream of an answer is read. The default neither keeps nor holds anything back.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Reading {
    /// Whether the text is kept, at most [`MAX_SHOWN_BYTES`] of it: needed to look at it and to
    /// continue it.
    pub keep_text: bool,
    /// How much is held back before the caller gets the first word.
    pub hold: Hold,
    /// The stream that this one continues, if it does.
    pub resume: Option<Resume>,
}

/// How much of a stream is held back, at most, before the caller gets the first word of it: what fails
/// meanwhile fails unseen. The first limit that is met ends it; a limit of zero is none, and two of them
/// hold nothing back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hold {
    /// Tokens, counted as events with content, or as four bytes of kept text if that is more.
    pub tokens: u32,
    /// Time, counted from the first content.
    pub time: Duration,
}

/// How a broken stream goes on.
#[derive(Debug)]
#[non_exhaustive]
pub enum Resume {
    /// The target is given the text that the caller has.
    Prefill(Seam),
    /// The call is sent as it was, and the text that the caller has is swallowed.
    Replay(Seam),
}

/// What the caller has of a stream: its text, and what its dialect needs to go on.
pub struct Seam {
    writer: Box<dyn Writer>,
    text: Arc<str>,
    usage: Usage,
}

/// What has passed of a stream, for the caller's dialect to go on from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// The answer's name.
    pub(crate) id: Box<str>,
    /// The model's name.
    pub(crate) model: Box<str>,
    /// The text.
    pub(crate) text: String,
    /// Something has passed that cannot be continued: a tool call, a second choice, a block that is open
    /// and no text, or too much text.
    pub(crate) spoilt: bool,
    /// Blocks begun, on wires that have such.
    pub(crate) blocks: u32,
    /// The last block is a text and open.
    pub(crate) open: bool,
    /// The last block is reasoning and open: nothing can follow before its seal.
    pub(crate) thinks: bool,
}

impl Shown {
    /// Adds the text of a JSON string.
    pub(crate) fn add(&mut self, raw: &RawValue) {
        self.spoilt |= !unescape(raw, &mut self.text);
    }

    /// Adds the text of what stands within a JSON string's quotes, and [checks](Self::check).
    pub(crate) fn add_inner(&mut self, inner: &str) {
        self.spoilt |= !unescape_inner(inner, &mut self.text);
        self.check();
    }

    /// Makes sure that the text stays within its bound.
    pub(crate) fn check(&mut self) {
        if self.text.len() > MAX_SHOWN_BYTES {
            self.spoilt = true;
        }
        if self.spoilt {
            self.text = String::new();
        }
    }
}

impl Hold {
    /// True where nothing is held back.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.tokens == 0 && self.time.is_zero()
    }
}

impl Resume {
    pub(super) fn into_parts(self, endpoint: &Endpoint) -> (Box<dyn Writer>, Joint) {
        match self {
            Self::Prefill(seam) => {
                let given = seam.given().len();
                let echo = endpoint.prefill().echo(endpoint.wire());
                let joint = Joint::prefilled(seam.text, given, echo, seam.usage);
                (seam.writer, joint)
            }
            Self::Replay(seam) => (seam.writer, Joint::replay(seam.text)),
        }
    }

    /// The text to give the target, and its tokens.
    pub(crate) fn prefill(&self) -> Option<(&str, u64)> {
        match self {
            Self::Prefill(seam) => Some((seam.given(), estimate_tokens(&seam.text))),
            Self::Replay(_) => None,
        }
    }
}

impl Seam {
    pub(super) fn new(writer: Box<dyn Writer>, text: Arc<str>, usage: Usage) -> Self {
        Self {
            writer,
            text,
            usage,
        }
    }

    /// The characters of text that the caller has.
    #[must_use]
    pub fn chars(&self) -> u32 {
        u32::try_from(self.text.chars().count()).unwrap_or(u32::MAX)
    }

    /// The tokens of that text, estimated.
    #[must_use]
    pub fn estimated_tokens(&self) -> u64 {
        estimate_tokens(&self.text)
    }

    /// Whether a target may be given the text: there is enough of it, and `call` asks for nothing that
    /// does not go together with the beginning of an answer (reasoning, JSON, a beginning of the
    /// caller's own).
    #[must_use]
    pub fn is_prefillable(&self, call: &Call) -> bool {
        self.given().len() >= MIN_ECHO_BYTES && prefill::suits(call)
    }

    /// A seam of its own for one more attempt.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self::new(self.writer.fork(), Arc::clone(&self.text), self.usage)
    }

    /// The text as it is given to a target: white space at the end is refused by some, and swallowed
    /// when it comes again.
    fn given(&self) -> &str {
        self.text.trim_end()
    }
}

/// Shows sizes, never the text.
impl fmt::Debug for Seam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seam")
            .field("text_bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl ReplyStream {
    /// What the caller has of the answer, once all that was ready has been taken with
    /// [`next`](Self::next); `None` where it cannot be continued: its text was not kept, or it holds
    /// more than text.
    #[must_use]
    pub fn seam(&self) -> Option<Seam> {
        match &self.course {
            Course::Pass(watch) => {
                let shown = shown(watch.as_ref())?;
                let writer = watch.resume(self.include_usage, self.created)?;
                let text = shown.text.as_str().into();
                Some(Seam::new(writer, text, self.facts.usage))
            }
            Course::Translate(translator) => translator.seam(self.facts.usage),
        }
    }

    /// The text of the answer so far, what came before a seam included; `None` where it was not kept, or
    /// the answer holds more than text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.course {
            Course::Pass(watch) => Some(&shown(watch.as_ref())?.text),
            Course::Translate(translator) => translator.sent(),
        }
    }

    /// The tokens of the answer as the caller sees it. They differ from those of this call
    /// ([`Facts::usage`](super::Facts::usage)) where it continues another one.
    #[must_use]
    pub fn usage(&self) -> Usage {
        match &self.course {
            Course::Translate(translator) => translator.joined_usage().unwrap_or(self.facts.usage),
            Course::Pass(_) => self.facts.usage,
        }
    }
}

fn shown(watch: &dyn Watch) -> Option<&Shown> {
    watch.shown().filter(|shown| !shown.spoilt && !shown.thinks)
}
