use super::*;
use crate::sse::MAX_EVENT_BYTES;
use proptest::prelude::*;

/// A message of these text headers.
fn message(headers: &[(&str, &str)], payload: &str) -> Vec<u8> {
    let mut block = vec![];
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + block.len() + payload.len()).unwrap();
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out.extend_from_slice(&block);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&crc32fast::hash(&out).to_be_bytes());
    out
}

fn binary() -> Vec<u8> {
    let event = |name, payload| {
        let headers = [
            (":event-type", name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        message(&headers, payload)
    };
    let exception = [
        (":exception-type", "throttlingException"),
        (":message-type", "exception"),
    ];
    let error = [
        (":message-type", "error"),
        (":error-code", "InternalError"),
        (":error-message", "über"),
    ];
    [
        event("messageStart", r#"{"role":"assistant"}"#),
        event("contentBlockDelta", r#"{"delta":{"text":"grüße 你好"}}"#),
        message(&exception, r#"{"message":"slow down"}"#),
        message(&error, ""),
    ]
    .concat()
}

const LINES: &str = "{\"a\":1}\n\r\n{\"b\":\"grüße 你好\"}\r\n\n{\"c\":2}";

/// Name and data of every event, whatever the chunks are.
fn read(framing: Framing, stream: &[u8], cuts: &[usize]) -> Vec<Option<(Vec<u8>, Vec<u8>)>> {
    let mut frames = Frames::new(framing, MAX_EVENT_BYTES);
    let mut events = Vec::new();
    let mut from = 0;
    for to in cuts.iter().copied().chain([stream.len()]) {
        if to <= from {
            continue;
        }
        frames.push(Bytes::copy_from_slice(&stream[from..to]));
        from = to;
        while let Some(frame) = frames.next() {
            let Ok(frame) = frame else {
                events.push(None);
                return events;
            };
            let event = frames.parse(&frame);
            events.extend(
                event
                    .data
                    .map(|data| Some((event.name.to_vec(), data.to_vec()))),
            );
        }
    }
    if let Some(rest) = frames.rest() {
        let event = frames.parse(&rest);
        events.extend(
            event
                .data
                .map(|data| Some((event.name.to_vec(), data.to_vec()))),
        );
    }
    events
}

fn named(name: &str, data: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    Some((name.as_bytes().to_vec(), data.as_bytes().to_vec()))
}

#[test]
fn a_line_is_an_event_and_a_blank_one_is_none() {
    let events = read(Framing::Lines, LINES.as_bytes(), &[]);
    let expected = [r#"{"a":1}"#, r#"{"b":"grüße 你好"}"#, r#"{"c":2}"#];
    assert_eq!(events, expected.map(|data| named("", data)));
}

#[test]
fn a_message_has_a_name_and_an_exception_its_type() {
    let events = read(Framing::EventStream, &binary(), &[]);
    let expected = [
        named("messageStart", r#"{"role":"assistant"}"#),
        named("contentBlockDelta", r#"{"delta":{"text":"grüße 你好"}}"#),
        named(
            "error",
            r#"{"__type":"ThrottlingException","message":"slow down"}"#,
        ),
        named("error", r#"{"__type":"InternalError","message":"über"}"#),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_damaged_message_ends_the_stream() {
    let stream = binary();
    let first = message(&[], "").len();
    for at in 0..stream.len() {
        let mut damaged = stream.clone();
        damaged[at] ^= 0x10;
        let events = read(Framing::EventStream, &damaged, &[]);
        // A length that grew is not refuted before the message's end.
        let refused = events.last() == Some(&None);
        assert!(refused || events.len() < 4, "byte {at}");
    }
    assert!(read(Framing::EventStream, &stream[..first - 1], &[]).is_empty());
}

#[test]
fn an_endless_event_is_refused() {
    let mut lines = Frames::new(Framing::Lines, 8);
    lines.push(Bytes::from_static(b"123456789"));
    assert_eq!(lines.next(), Some(Err(BadFrame)));
    let mut messages = Frames::new(Framing::EventStream, 16);
    messages.push(message(&[], "x").into());
    assert_eq!(messages.next(), Some(Err(BadFrame)));
    assert_eq!(
        messages.next(),
        Some(Err(BadFrame)),
        "and so is all that follows"
    );
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(mut cuts in prop::collection::vec(0usize..600, 0..40)) {
        cuts.sort_unstable();
        for (framing, stream) in [
            (Framing::Lines, LINES.as_bytes().to_vec()),
            (Framing::EventStream, binary()),
        ] {
            cuts.iter_mut().for_each(|cut| *cut = (*cut).min(stream.len()));
            prop_assert_eq!(read(framing, &stream, &cuts), read(framing, &stream, &[]));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0usize..400) {
        for framing in [Framing::Sse, Framing::Lines, Framing::EventStream] {
            read(framing, &bytes, &[at.min(bytes.len())]);
        }
        // A message whose checksums are right and whose headers are not.
        let _ = event_stream::parse(&bytes);
    }
}
