//! Server-sent events by themselves: however the stream is cut, no byte is lost, and the events are those that a reader
//! sees who has the whole text and goes by the standard's words.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_providers::fuzzing::{Cut, sse};

fuzz_target!(|data: &[u8]| {
    let [size, stream @ ..] = data else {
        return;
    };
    let whole = sse(stream, stream.len().max(1));
    let Cut { events, bytes, .. } = sse(stream, usize::from(*size).max(1));
    // Blanks at the end are no event.
    let left = stream.strip_prefix(&bytes[..]).expect("the stream's own bytes");
    assert!(left.trim_ascii().is_empty());
    assert_eq!(events, whole.events);
    // A mark of the byte order further in is a part of a field's name for the standard; here it is skipped.
    if !stream.windows(3).skip(1).any(|three| three == b"\xef\xbb\xbf") {
        assert_eq!(events, by_the_standard(stream));
    }
});

/// After <https://html.spec.whatwg.org/multipage/server-sent-events.html>, read 2026-11-26, but that an event that the
/// stream's end cuts off is read: whether it is whole is for the decoders to say.
fn by_the_standard(stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines = vec![Vec::new()];
    let mut rest = stream.iter().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b'\r' => {
                rest.next_if(|next| **next == b'\n');
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            other => lines.last_mut().unwrap().push(*other),
        }
    }
    lines.push(Vec::new());
    let mut events = Vec::new();
    let (mut name, mut data): (Vec<u8>, Option<Vec<u8>>) = (Vec::new(), None);
    for line in lines {
        if line.is_empty() {
            let name = std::mem::take(&mut name);
            events.extend(data.take().map(|data| (name, data)));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (&line[..], &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => name = value.to_vec(),
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            _ => {}
        }
    }
    events
}
