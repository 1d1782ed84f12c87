//! Turns the events of one dialect's stream into those of another's.

use crate::chat::{FinishReason, Reply, StreamEvent, Usage, is_broken_arguments};
use crate::codec::Untranslatable;
use crate::endpoint::Endpoint;
use crate::sse::MAX_EVENT_BYTES;
use crate::stream::joint::Joint;
use crate::stream::seam::{MAX_SHOWN_BYTES, Resume, Seam};
use crate::stream::{Facts, Glance, Plain, Template, unescape_inner};
use crate::wire::{Dialect, Reader, Wire, Writer};
use bytes::{Bytes, BytesMut};

/// Why a stream cannot be translated any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stuck {
    /// An event has a shape that the other wire cannot say.
    Shape,
    /// The rest of a broken answer says something else than what the caller already has.
    Diverged,
    /// The answer says that it is finished, and a tool call's arguments are no JSON object.
    ToolCall,
}

impl From<Untranslatable> for Stuck {
    fn from(_: Untranslatable) -> Self {
        Self::Shape
    }
}

/// What an answer is called where its wire does not say so.
#[derive(Debug)]
pub(crate) struct Name {
    pub(crate) id: Box<str>,
    pub(crate) model: Box<str>,
}

impl Name {
    /// Fills what is empty.
    pub(crate) fn fill(&self, id: &mut String, model: &mut String) {
        if id.is_empty() {
            id.push_str(&self.id);
        }
        if model.is_empty() {
            model.push_str(&self.model);
        }
    }
}

/// Reads one wire and writes the other.
#[derive(Debug)]
pub(crate) struct Translator {
    reader: Box<dyn Reader>,
    writer: Box<dyn Writer>,
    /// Tells events that hold nothing but a text, so that they need not be read.
    template: Template,
    /// What the latest event said and has not been written yet.
    events: Vec<StreamEvent>,
    /// The buffer of a text that has been written.
    spare: String,
    /// The latest event cannot be said in the caller's dialect.
    unsayable: bool,
    name: Name,
    out: BytesMut,
    /// Tool calls so far.
    calls: u32,
    /// The arguments of each tool call so far; all together at most [`MAX_EVENT_BYTES`], and what goes
    /// beyond is not judged.
    arguments: Vec<String>,
    argument_bytes: usize,
    /// Where a broken stream is continued.
    joint: Option<Joint>,
    /// The text written so far, where it is kept.
    sent: Option<String>,
    /// Something was written that cannot be continued, or not all of what was to be.
    spoilt: bool,
}

impl Translator {
    /// From `upstream`'s wire to `caller`'s. `include_usage` is the caller's wish on OpenAI's wire,
    /// `created` the time in seconds since 1970.
    pub(crate) fn new(
        upstream: Wire,
        caller: Dialect,
        include_usage: bool,
        created: u64,
        name: Name,
    ) -> Self {
        let reader = upstream.target().reader();
        Self {
            template: Template::with_aside(reader.aside()),
            reader,
            writer: caller.caller().writer(include_usage, created),
            events: Vec::new(),
            spare: String::new(),
            unsayable: false,
            name,
            out: BytesMut::new(),
            calls: 0,
            arguments: Vec::new(),
            argument_bytes: 0,
            joint: None,
            sent: None,
            spoilt: false,
        }
    }

    /// The same, keeping the text.
    pub(crate) fn keeping(mut self, keep: bool) -> Self {
        self.sent = keep.then(String::new);
        self
    }

    /// The same, going on where another stream broke.
    pub(crate) fn resuming(mut self, resume: Option<Resume>, endpoint: &Endpoint) -> Self {
        if let Some(resume) = resume {
            let (writer, joint) = resume.into_parts(endpoint);
            self.writer = writer;
            if let Some(sent) = &mut self.sent {
                sent.push_str(joint.text());
            }
            self.joint = Some(joint);
        }
        self
    }

    /// What the caller has; `None` where it cannot be continued.
    pub(crate) fn seam(&self, usage: Usage) -> Option<Seam> {
        let usage = self.joined_usage().unwrap_or(usage);
        Some(Seam::new(self.writer.fork(), self.sent()?.into(), usage))
    }

    /// The text written so far; `None` where it was not kept or is not all there is.
    pub(crate) fn sent(&self) -> Option<&str> {
        self.sent.as_deref().filter(|_| !self.spoilt)
    }

    /// The tokens of the answer from its beginning, where this is its continuation.
    pub(crate) fn joined_usage(&self) -> Option<Usage> {
        Some(self.joint.as_ref()?.usage())
    }

    /// The bytes of text that the target was given to go on from.
    pub(crate) fn given_bytes(&self) -> usize {
        self.joint.as_ref().map_or(0, Joint::given_bytes)
    }

    /// False while all that came is what the caller has already.
    pub(crate) fn is_news(&self) -> bool {
        self.joint.as_ref().is_none_or(Joint::has_passed)
    }

    /// Reads one event, by name and data; what it says is kept for [`write`](Self::write).
    pub(crate) fn read(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance {
        self.events.clear();
        if let Some(plain) = self.template.text(name, data)
            && self.take_plain(plain, facts)
        {
            return Glance::Content;
        }
        let read = self.reader.read(name, data, facts, &mut self.events);
        self.unsayable = read.is_err();
        match self.events.as_mut_slice() {
            [StreamEvent::Text(text)] if read == Ok(Glance::Content) => {
                self.template.learn_text(name, data, text, false);
            }
            [StreamEvent::Text(text), StreamEvent::Usage(_)] if read == Ok(Glance::Content) => {
                self.template.learn_text(name, data, text, true);
            }
            events => {
                self.template.clear();
                if let Some(StreamEvent::Start { id, model }) = events.first_mut() {
                    self.name.fill(id, model);
                }
            }
        }
        read.unwrap_or(Glance::Quiet)
    }

    /// Takes what an event says that was told by its bytes; false where it has to be read after all.
    fn take_plain(&mut self, plain: Plain<'_>, facts: &mut Facts) -> bool {
        let mut text = std::mem::take(&mut self.spare);
        text.clear();
        let mut is_read = unescape_inner(plain.text, &mut text);
        if let Some(aside) = plain.aside {
            is_read = is_read && self.reader.read_aside(aside, facts, &mut self.events);
        }
        is_read = is_read && self.reader.take_text(&text);
        let text = StreamEvent::Text(text);
        if self.events.is_empty() {
            self.events.push(text);
        } else {
            self.events.insert(0, text);
        }
        if is_read {
            self.unsayable = false;
        } else {
            self.events.clear();
        }
        is_read
    }

    /// True once the answer's finish reason has come.
    pub(crate) fn is_complete(&self) -> bool {
        self.reader.is_complete()
    }

    /// Writes what the latest event said; the result is empty where the caller's wire has nothing to
    /// say for it.
    pub(crate) fn write(&mut self) -> Result<Bytes, Stuck> {
        if std::mem::take(&mut self.unsayable) {
            return Err(Stuck::Shape);
        }
        self.encode()
    }

    /// Ends the caller's stream in the normal way.
    pub(crate) fn end(&mut self) -> Result<Bytes, Stuck> {
        self.events.push(StreamEvent::End);
        self.encode()
    }

    /// A whole answer as a stream in the caller's dialect, end marker included.
    pub(crate) fn unroll(&mut self, reply: &Reply) -> Result<Bytes, Stuck> {
        self.events.extend(reply.events());
        self.encode()
    }

    /// What of the answer had no place in the caller's dialect.
    pub(crate) fn lost(&self) -> &[&'static str] {
        self.writer.lost()
    }

    fn encode(&mut self) -> Result<Bytes, Stuck> {
        let mut events = std::mem::take(&mut self.events);
        let written = self.write_all(&mut events);
        if written.is_err() {
            self.spoilt = true;
        }
        written?;
        if let Some(StreamEvent::Text(text)) = events.first_mut() {
            self.spare = std::mem::take(text);
        }
        events.clear();
        self.events = events;
        Ok(self.out.split().freeze())
    }

    fn write_all(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Stuck> {
        if let Some(joint) = &mut self.joint {
            joint.admit(events)?;
        }
        for event in events {
            self.judge(event)?;
            self.writer.write(event, &mut self.out)?;
            self.note(event);
        }
        Ok(())
    }

    /// Keeps the text.
    fn note(&mut self, event: &StreamEvent) {
        let Some(sent) = &mut self.sent else {
            return;
        };
        match event {
            StreamEvent::Text(text) => sent.push_str(text),
            StreamEvent::Refusal(_)
            | StreamEvent::RedactedThinking(_)
            // Told again with the rest, it would be there twice.
            | StreamEvent::Citation(_)
            | StreamEvent::ToolCall { .. }
            | StreamEvent::ToolArguments { .. } => self.spoilt = true,
            StreamEvent::Start { .. }
            | StreamEvent::Thinking(_)
            | StreamEvent::ThinkingSignature(_)
            | StreamEvent::Finish { .. }
            | StreamEvent::Usage(_)
            | StreamEvent::End => {}
        }
        if self.spoilt || sent.len() > MAX_SHOWN_BYTES {
            self.spoilt = true;
            sent.clear();
        }
    }

    /// Follows the tool calls, and refuses an answer that finishes with a broken one. An answer that
    /// the output limit cut says so itself.
    fn judge(&mut self, event: &StreamEvent) -> Result<(), Stuck> {
        match event {
            StreamEvent::ToolCall { .. } => {
                self.calls = self.calls.saturating_add(1);
                self.arguments.push(String::new());
            }
            // Of a call that has not begun.
            StreamEvent::ToolArguments { index, .. } if *index >= self.calls => {
                return Err(Stuck::Shape);
            }
            StreamEvent::ToolArguments { index, json } => {
                self.argument_bytes = self.argument_bytes.saturating_add(json.len());
                let call = usize::try_from(*index)
                    .ok()
                    .and_then(|index| self.arguments.get_mut(index));
                if self.argument_bytes > MAX_EVENT_BYTES {
                    self.arguments.clear();
                } else if let Some(arguments) = call {
                    arguments.push_str(json);
                }
            }
            StreamEvent::Finish { reason, .. }
                if *reason != FinishReason::Length
                    && self.arguments.iter().any(|text| is_broken_arguments(text)) =>
            {
                return Err(Stuck::ToolCall);
            }
            _ => {}
        }
        Ok(())
    }
}
