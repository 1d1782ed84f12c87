//! Server-sent events: cuts a stream of bytes into events, and reads one event's fields.
//!
//! [`Frames`] works on bytes, so a chunk may end anywhere, inside a character or between the two
//! halves of a line end. An event that lies inside one chunk is a slice of it; only one that
//! straddles chunks is copied together. Line ends may be LF, CRLF or CR
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use crate::framing::Event;
use bytes::{Bytes, BytesMut};
use std::borrow::Cow;

/// The longest event that is accepted where a stream is translated, beside the request, which some
/// providers repeat, and the longest comment anywhere, in bytes: 1 MiB. Where a stream passes as it came, an event with data may be as long as
/// a whole answer ([`MAX_REPLY_BYTES`](crate::MAX_REPLY_BYTES)): pictures travel in one.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// An event grew beyond its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Oversized;

/// Cuts chunks into events. Each event keeps its bytes, blank line included.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The longest event with data, in bytes; others have [`MAX_EVENT_BYTES`].
    longest: usize,
    /// The beginning of an event whose end has not arrived.
    tail: BytesMut,
    /// What is left of the latest chunk.
    chunk: Bytes,
    /// Nothing has been read since the last line end.
    at_line_start: bool,
    /// The last byte read was a CR: an LF now belongs to it.
    after_cr: bool,
    /// This stream ends its lines with CRLF.
    crlf: bool,
    /// An event has ended but for the LF of its last CRLF.
    ending: bool,
}

impl Frames {
    /// Events with data may be up to `longest` bytes long.
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            longest,
            tail: BytesMut::new(),
            chunk: Bytes::new(),
            at_line_start: true,
            after_cr: false,
            crlf: false,
            ending: false,
        }
    }

    /// Takes the next chunk. Call only once [`next`](Self::next) has returned `None`.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        self.chunk = chunk;
    }

    /// The next whole event, `None` until more bytes come.
    pub(crate) fn next(&mut self) -> Option<Result<Bytes, Oversized>> {
        if self.chunk.is_empty() {
            return None;
        }
        let chunk = std::mem::take(&mut self.chunk);
        let end = self.event_end(&chunk);
        let size = self.tail.len() + end.unwrap_or(chunk.len());
        if size > MAX_EVENT_BYTES {
            let begin: &[u8] = if self.tail.is_empty() {
                &chunk
            } else {
                &self.tail
            };
            let has_data = begin.starts_with(b"data:") || begin.starts_with(b"event:");
            if !has_data || size > self.longest {
                return Some(Err(Oversized));
            }
        }
        let Some(end) = end else {
            self.tail.extend_from_slice(&chunk);
            return None;
        };
        self.chunk = chunk;
        let part = self.chunk.split_to(end);
        if self.tail.is_empty() {
            return Some(Ok(part));
        }
        self.tail.extend_from_slice(&part);
        Some(Ok(self.tail.split().freeze()))
    }

    /// What is left when the stream has ended: an event without its blank line.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.tail.split().freeze()
    }

    /// Where the first event in `bytes` ends, continuing from where the last chunk stopped.
    fn event_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        if std::mem::take(&mut self.ending) {
            self.after_cr = false;
            return Some(usize::from(bytes.first() == Some(&b'\n')));
        }
        while let Some(&byte) = bytes.get(at) {
            if byte == b'\n' && self.after_cr {
                self.after_cr = false;
                self.crlf = true;
                at += 1;
                continue;
            }
            if byte != b'\n' && byte != b'\r' {
                self.after_cr = false;
                self.at_line_start = false;
                let rest = bytes.get(at..).unwrap_or_default();
                at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                continue;
            }
            at += 1;
            self.after_cr = byte == b'\r';
            let blank = std::mem::replace(&mut self.at_line_start, true);
            if blank {
                if self.after_cr && bytes.get(at) == Some(&b'\n') {
                    self.after_cr = false;
                    at += 1;
                } else if self.after_cr && self.crlf && at == bytes.len() {
                    // The other half of the line end is in the next chunk.
                    self.ending = true;
                    return None;
                }
                return Some(at);
            }
        }
        None
    }
}

/// Reads one event. `id` and `retry` are of no use here: a request that costs money is never
/// repeated by the reader.
pub(crate) fn parse(frame: &[u8]) -> Event<'_> {
    let mut event = Event {
        name: &[],
        data: None,
    };
    // Where a chunk ended between the halves of a CRLF, the LF begins the next event.
    let frame = frame.strip_prefix(b"\n").unwrap_or(frame);
    let frame = frame.strip_prefix(b"\xef\xbb\xbf").unwrap_or(frame);
    let mut rest = frame;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = after.get(1..).unwrap_or_default();
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let value = line.get(colon + 1..).unwrap_or_default();
                let value = value.strip_prefix(b" ").unwrap_or(value);
                (line.get(..colon).unwrap_or_default(), value)
            }
            None => (line, &[][..]),
        };
        match field {
            b"event" => event.name = value,
            b"data" => match &mut event.data {
                None => event.data = Some(Cow::Borrowed(value)),
                Some(data) => {
                    let data = data.to_mut();
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            },
            _ => {}
        }
    }
    event
}

/// Writes one event.
pub(crate) fn write(out: &mut BytesMut, name: Option<&str>, json: &[u8]) {
    if let Some(name) = name {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(json);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(stream: &[u8], cuts: &[usize]) -> Vec<Bytes> {
        let mut frames = Frames::new(MAX_EVENT_BYTES);
        let mut events = Vec::new();
        let mut from = 0;
        for to in cuts.iter().copied().chain([stream.len()]) {
            if to <= from {
                continue;
            }
            frames.push(Bytes::copy_from_slice(&stream[from..to]));
            while let Some(frame) = frames.next() {
                events.push(frame.unwrap());
            }
            from = to;
        }
        let rest = frames.rest();
        if !rest.is_empty() {
            events.push(rest);
        }
        events
    }

    /// What a reader makes of the events: name and data, comments and blanks left out.
    fn read(events: &[Bytes]) -> Vec<(Vec<u8>, Vec<u8>)> {
        events
            .iter()
            .map(|frame| parse(frame))
            .filter_map(|event| Some((event.name.to_vec(), event.data?.into_owned())))
            .collect()
    }

    const STREAM: &str = "\u{feff}: hello\n\ndata: {\"a\":1}\n\nevent: ping\r\ndata: x\r\n\r\n\
                          data:one\ndata: two\n\nid: 4\ndata: grüße 你好\r\rdata: [DONE]\n\n";

    #[test]
    fn every_line_end_and_every_field_is_read() {
        let events = read(&cut(STREAM.as_bytes(), &[]));
        let expected: [(&str, &str); 5] = [
            ("", "{\"a\":1}"),
            ("ping", "x"),
            ("", "one\ntwo"),
            ("", "grüße 你好"),
            ("", "[DONE]"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, data)| (name.as_bytes().to_vec(), data.as_bytes().to_vec()))
            .collect();
        assert_eq!(events, expected);
    }

    /// Found by fuzzing.
    #[test]
    fn a_byte_order_mark_is_skipped_wherever_the_line_end_before_it_is_cut() {
        let stream = b"x\n\r\n\xef\xbb\xbfdata: y\n\n";
        let whole = read(&cut(stream, &[]));
        assert_eq!(whole, [(Vec::new(), b"y".to_vec())]);
        for at in 1..stream.len() {
            assert_eq!(read(&cut(stream, &[at])), whole, "cut at {at}");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut frames = Frames::new(MAX_EVENT_BYTES);
        frames.push(Bytes::from(vec![b'x'; MAX_EVENT_BYTES]));
        assert_eq!(frames.next(), None);
        frames.push(Bytes::from_static(b"y"));
        assert_eq!(frames.next(), Some(Err(Oversized)));
    }

    #[test]
    fn an_event_inside_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"data: 1\n\ndata: 2\n\n");
        let mut frames = Frames::new(MAX_EVENT_BYTES);
        frames.push(chunk.clone());
        let first = frames.next().unwrap().unwrap();
        assert_eq!(first.as_ptr(), chunk.as_ptr());
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(mut cuts in prop::collection::vec(0..STREAM.len(), 0..40)) {
            cuts.sort_unstable();
            let events = cut(STREAM.as_bytes(), &cuts);
            prop_assert_eq!(events.concat(), STREAM.as_bytes());
            prop_assert_eq!(read(&events), read(&cut(STREAM.as_bytes(), &[])));
        }

        #[test]
        fn no_bytes_are_lost_or_invented(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..400) {
            let events = cut(&bytes, &[at.min(bytes.len())]);
            prop_assert_eq!(events.concat(), bytes);
        }
    }
}
