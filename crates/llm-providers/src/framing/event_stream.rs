//! AWS's binary event stream.
//!
//! ```text
//! total length │ headers' length │ CRC of these eight │ headers │ payload │ CRC of all before it
//!     4 bytes  │     4 bytes     │      4 bytes       │         │         │      4 bytes
//! ```
//!
//! Numbers have their highest byte first. A header is the length of its name (one byte), the name, its
//! type (one byte) and its value; only texts (type 7) are of use here. After
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>, read 2026-11-26.

use super::{BadFrame, Event};
use bytes::{Bytes, BytesMut};
use crc32fast::hash as crc32;
use std::borrow::Cow;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;
/// The checksum at the end.
const TRAILER: usize = 4;

/// Cuts chunks into messages, each with its checksums verified. A message inside one chunk is a slice of it.
#[derive(Debug)]
pub(crate) struct Frames {
    longest: usize,
    /// What has come since the beginning of a message whose end is in a later chunk.
    buffer: BytesMut,
    /// What is left of the latest chunk; empty where that went into the buffer.
    chunk: Bytes,
    /// A message was damaged: where the next one begins is not known.
    lost: bool,
}

impl Frames {
    /// Messages may be up to `longest` bytes long.
    pub(super) fn new(longest: usize) -> Self {
        Self {
            longest,
            buffer: BytesMut::new(),
            chunk: Bytes::new(),
            lost: false,
        }
    }

    pub(super) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        if self.lost {
            return;
        }
        if self.buffer.is_empty() {
            self.chunk = chunk;
        } else {
            self.buffer.extend_from_slice(&chunk);
        }
    }

    pub(super) fn next(&mut self) -> Option<Result<Bytes, BadFrame>> {
        if self.lost {
            return Some(Err(BadFrame));
        }
        let is_buffered = !self.buffer.is_empty();
        let bytes: &[u8] = if is_buffered {
            &self.buffer
        } else {
            &self.chunk
        };
        let message = match message_length(bytes, self.longest) {
            Ok(total) if bytes.len() < total => {
                self.buffer
                    .extend_from_slice(&std::mem::take(&mut self.chunk));
                return None;
            }
            Ok(total) if is_buffered => self.buffer.split_to(total).freeze(),
            Ok(total) => self.chunk.split_to(total),
            Err(bad) => return self.lose(bad),
        };
        let whole = message
            .split_last_chunk::<TRAILER>()
            .is_some_and(|(before, sum)| crc32(before) == u32::from_be_bytes(*sum));
        if !whole {
            return self.lose(BadFrame);
        }
        Some(Ok(message))
    }

    fn lose(&mut self, bad: BadFrame) -> Option<Result<Bytes, BadFrame>> {
        self.lost = true;
        self.buffer.clear();
        self.chunk.clear();
        Some(Err(bad))
    }
}

/// How long the message is that `bytes` begin with; of fewer than twelve bytes, more than there are. The lengths' own
/// checksum is looked at where more is to be waited for: that of the whole message covers it.
fn message_length(bytes: &[u8], longest: usize) -> Result<usize, BadFrame> {
    let Some((prelude, _)) = bytes.split_first_chunk::<PRELUDE>() else {
        return Ok(PRELUDE + TRAILER);
    };
    let (lengths, sum) = prelude.split_at(8);
    let total = number(lengths).and_then(|total| usize::try_from(total).ok());
    let total = total.ok_or(BadFrame)?;
    if total < PRELUDE + TRAILER || total > longest {
        return Err(BadFrame);
    }
    if total > bytes.len() && number(sum) != Some(crc32(lengths)) {
        return Err(BadFrame);
    }
    Ok(total)
}

/// The number at the beginning of `bytes`.
fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|four| u32::from_be_bytes(*four))
}

/// Reads one message: its event's name and its payload. An exception, which the service models, and an
/// error, which it does not, become the data of an event called `error`, with its type inside.
pub(super) fn parse(frame: &[u8]) -> Event<'_> {
    let Some((headers, payload)) = split(frame) else {
        // No message: read as an event that nobody understands, which is a broken one.
        return Event {
            name: &[],
            data: Some(Cow::Borrowed(frame)),
        };
    };
    if let Some(name) = usual(headers) {
        return Event {
            name,
            data: Some(Cow::Borrowed(payload)),
        };
    }
    let mut kind: &[u8] = b"event";
    let mut name: &[u8] = &[];
    let mut message: &[u8] = &[];
    for (header, value) in Headers(headers) {
        match header {
            b":message-type" => kind = value,
            b":event-type" | b":exception-type" | b":error-code" => name = value,
            b":error-message" => message = value,
            _ => {}
        }
    }
    if kind == b"event" {
        return Event {
            name,
            data: Some(Cow::Borrowed(payload)),
        };
    }
    let text = if message.is_empty() { payload } else { message };
    Event {
        name: b"error",
        data: Some(Cow::Owned(error_object(name, text))),
    }
}

/// The event's name in the headers that nearly every message of these services has, and in this order.
fn usual(headers: &[u8]) -> Option<&[u8]> {
    const AFTER: &[u8] =
        b"\x0d:content-type\x07\x00\x10application/json\x0d:message-type\x07\x00\x05event";
    let rest = headers.strip_prefix(b"\x0b:event-type\x07")?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (name, after) = rest.split_at_checked(length)?;
    (after == AFTER).then_some(name)
}

/// `{"__type":…}`, as AWS writes errors elsewhere: around the fields of `payload`, or with it as the
/// message.
fn error_object(name: &[u8], payload: &[u8]) -> Vec<u8> {
    use serde_json::{Map, Value};
    let mut fields = match serde_json::from_slice(payload) {
        Ok(Value::Object(fields)) => fields,
        _ => {
            let text = String::from_utf8_lossy(payload);
            Map::from_iter([("message".to_owned(), Value::from(text))])
        }
    };
    let name = String::from_utf8_lossy(name);
    fields.insert("__type".to_owned(), capitalised(&name).into());
    serde_json::to_vec(&fields).unwrap_or_default()
}

/// Inside a stream an exception's name begins with a small letter, elsewhere with a capital.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Headers and payload of a message.
fn split(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let (body, _) = frame.split_last_chunk::<TRAILER>()?;
    let headers = usize::try_from(number(body.get(4..)?)?).ok()?;
    body.get(PRELUDE..)?.split_at_checked(headers)
}

/// The headers that hold texts, in order; ends at the first that is malformed.
struct Headers<'a>(&'a [u8]);

impl<'a> Headers<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_be_bytes(*self.take(2)?.first_chunk()?);
        self.take(usize::from(length))
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let length = self.byte()?;
            let name = self.take(usize::from(length))?;
            match self.byte()? {
                // True and false.
                0 | 1 => {}
                2 => drop(self.take(1)?),
                3 => drop(self.take(2)?),
                4 => drop(self.take(4)?),
                // A number of eight bytes, a time.
                5 | 8 => drop(self.take(8)?),
                6 => drop(self.sized()?),
                7 => return Some((name, self.sized()?)),
                // A UUID.
                9 => drop(self.take(16)?),
                _ => return None,
            }
        }
    }
}
