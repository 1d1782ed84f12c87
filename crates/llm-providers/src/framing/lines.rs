//! One JSON object a line (<https://github.com/ndjson/ndjson-spec>).

use super::{BadFrame, Event};
use bytes::{Bytes, BytesMut};
use std::borrow::Cow;

/// Cuts chunks into lines. A line inside one chunk is a slice of it.
#[derive(Debug)]
pub(crate) struct Frames {
    longest: usize,
    /// The beginning of a line whose end has not arrived.
    tail: BytesMut,
    /// What is left of the latest chunk.
    chunk: Bytes,
}

impl Frames {
    /// Lines may be up to `longest` bytes long.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest,
            tail: BytesMut::new(),
            chunk: Bytes::new(),
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        self.chunk = chunk;
    }

    pub(super) fn next(&mut self) -> Option<Result<Bytes, BadFrame>> {
        if self.chunk.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.chunk);
        let size = self.tail.len() + end.unwrap_or(self.chunk.len());
        if size > self.longest {
            self.chunk.clear();
            return Some(Err(BadFrame));
        }
        let Some(end) = end else {
            self.tail
                .extend_from_slice(&std::mem::take(&mut self.chunk));
            return None;
        };
        let part = self.chunk.split_to(end + 1);
        if self.tail.is_empty() {
            return Some(Ok(part));
        }
        self.tail.extend_from_slice(&part);
        Some(Ok(self.tail.split().freeze()))
    }

    /// A last line without its end.
    pub(super) fn rest(&mut self) -> Bytes {
        self.tail.split().freeze()
    }
}

/// Reads one line; an empty one is no event.
pub(super) fn parse(frame: &[u8]) -> Event<'_> {
    let line = frame.trim_ascii();
    Event {
        name: &[],
        data: (!line.is_empty()).then_some(Cow::Borrowed(line)),
    }
}
