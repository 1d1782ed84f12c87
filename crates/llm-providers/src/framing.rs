//! How a streamed body is cut into events: one way a wire.

mod event_stream;
mod lines;

use crate::sse;
use bytes::{Bytes, BytesMut};
use std::borrow::Cow;

/// How a wire marks off its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON object a line.
    Lines,
    /// AWS's binary event stream.
    EventStream,
}

impl Framing {
    /// The media type to ask for.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Lines => "application/x-ndjson",
            Self::EventStream => "application/vnd.amazon.eventstream",
        }
    }

    /// Whether a body whose first character opens a JSON value or a page cannot be such a stream.
    pub(crate) const fn is_told_from_documents(self) -> bool {
        !matches!(self, Self::Lines)
    }
}

/// An event grew beyond its limit, or its bytes are damaged: what follows cannot be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFrame;

/// One event's fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Its name; empty where the wire gives none. `error` where the framing itself says that it is one.
    pub(crate) name: &'a [u8],
    /// Its data; `None` for comments and blank lines.
    pub(crate) data: Option<Cow<'a, [u8]>>,
}

/// Cuts chunks into events. A chunk may end anywhere.
#[derive(Debug)]
pub(crate) enum Frames {
    Sse(sse::Frames),
    Lines(lines::Frames),
    EventStream(event_stream::Frames),
}

impl Frames {
    /// Events may be up to `longest` bytes long.
    pub(crate) fn new(framing: Framing, longest: usize) -> Self {
        match framing {
            Framing::Sse => Self::Sse(sse::Frames::new(longest)),
            Framing::Lines => Self::Lines(lines::Frames::new(longest)),
            Framing::EventStream => Self::EventStream(event_stream::Frames::new(longest)),
        }
    }

    /// Takes the next chunk. Call only once [`next`](Self::next) has returned `None`.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(frames) => frames.push(chunk),
            Self::Lines(frames) => frames.push(chunk),
            Self::EventStream(frames) => frames.push(chunk),
        }
    }

    /// The next whole event's bytes, `None` until more come.
    pub(crate) fn next(&mut self) -> Option<Result<Bytes, BadFrame>> {
        match self {
            Self::Sse(frames) => frames.next().map(|frame| frame.map_err(|_| BadFrame)),
            Self::Lines(frames) => frames.next(),
            Self::EventStream(frames) => frames.next(),
        }
    }

    /// What is left when the stream has ended, if it can be an event all the same: one whose end the
    /// connection's end cut off.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        let rest = match self {
            Self::Sse(frames) => frames.rest(),
            Self::Lines(frames) => frames.rest(),
            // A message that was cut is none: its length and checksum say so.
            Self::EventStream(_) => return None,
        };
        if rest.trim_ascii().is_empty() {
            return None;
        }
        let mut whole = BytesMut::from(rest);
        if matches!(self, Self::Sse(_)) {
            whole.extend_from_slice(b"\n\n");
        }
        Some(whole.freeze())
    }

    /// Reads one event's fields.
    pub(crate) fn parse<'a>(&self, frame: &'a [u8]) -> Event<'a> {
        match self {
            Self::Sse(_) => sse::parse(frame),
            Self::Lines(_) => lines::parse(frame),
            Self::EventStream(_) => event_stream::parse(frame),
        }
    }
}

#[cfg(test)]
mod tests;
