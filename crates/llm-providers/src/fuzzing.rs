//! The framings by themselves, for the fuzz targets, and compiled for them only.

use crate::framing::{Frames, Framing};
use bytes::Bytes;

/// What a framing made of a stream.
#[derive(Debug, Default)]
pub struct Cut {
    /// Name and data of each event that has data.
    pub events: Vec<(Vec<u8>, Vec<u8>)>,
    /// The bytes of all frames, one after the other.
    pub bytes: Vec<u8>,
    /// Whether the stream was refused, and so not read further.
    pub refused: bool,
}

/// Server-sent events, in chunks of `size` bytes.
#[must_use]
pub fn sse(stream: &[u8], size: usize) -> Cut {
    cut(Framing::Sse, usize::MAX, stream, size)
}

/// AWS's binary event stream of messages up to `longest` bytes, in chunks of `size` bytes.
#[must_use]
pub fn event_stream(stream: &[u8], longest: usize, size: usize) -> Cut {
    cut(Framing::EventStream, longest, stream, size)
}

fn cut(framing: Framing, longest: usize, stream: &[u8], size: usize) -> Cut {
    let mut frames = Frames::new(framing, longest);
    let mut out = Cut::default();
    for chunk in stream.chunks(size) {
        frames.push(Bytes::copy_from_slice(chunk));
        while let Some(frame) = frames.next() {
            let Ok(frame) = frame else {
                out.refused = true;
                return out;
            };
            read(&frames, &frame, frame.len(), &mut out);
        }
    }
    if let Some(rest) = frames.rest() {
        // The blank line that it lacked is none of the stream's bytes.
        read(&frames, &rest, rest.len().saturating_sub(2), &mut out);
    }
    out
}

fn read(frames: &Frames, frame: &[u8], own: usize, out: &mut Cut) {
    let event = frames.parse(frame);
    if let Some(data) = event.data {
        out.events.push((event.name.to_vec(), data.into_owned()));
    }
    out.bytes.extend(frame.iter().take(own));
}
