//! AWS's binary event stream by itself: however the stream is cut, the same messages are read or the same one is
//! refused; and messages that are framed rightly are all read, whatever is in them.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use llm_providers::fuzzing::event_stream;

/// The longest message here.
const LONGEST: usize = 1024;

fuzz_target!(|data: &[u8]| {
    let [mode, size, rest @ ..] = data else {
        return;
    };
    let (stream, messages) = if mode & 1 == 0 {
        (rest.to_vec(), None)
    } else {
        let (stream, messages) = framed(rest);
        (stream, Some(messages))
    };
    let whole = event_stream(&stream, LONGEST, stream.len().max(1));
    let cut = event_stream(&stream, LONGEST, usize::from(*size).max(1));
    assert_eq!(cut.events, whole.events);
    assert_eq!(cut.bytes, whole.bytes);
    assert_eq!(cut.refused, whole.refused);
    assert!(stream.starts_with(&cut.bytes));
    if let Some(messages) = messages {
        assert!(!cut.refused);
        assert_eq!(cut.bytes, stream);
        assert_eq!(cut.events.len(), messages);
    }
});

/// The input as messages: the length of the headers, of the payload, and both. How many there are, too.
fn framed(mut rest: &[u8]) -> (Vec<u8>, usize) {
    let (mut out, mut messages) = (Vec::new(), 0);
    while let [headers, payload, after @ ..] = rest {
        let (headers, after) = after.split_at(usize::from(*headers).min(after.len()));
        let (payload, after) = after.split_at(usize::from(*payload).min(after.len()));
        out.extend_from_slice(&support::message(headers, payload));
        messages += 1;
        rest = after;
    }
    (out, messages)
}
