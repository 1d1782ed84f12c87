//! The decoder of Bedrock's Converse: see [`support::answer`].
//!
//! The binary stream's checksums would stop nearly all inputs at the door, so each line of a streamed input is an event,
//! its first byte the number of its name, the rest its payload, and they are framed here.
#![no_main]

mod support;

use libfuzzer_sys::fuzz_target;
use llm_providers::Wire;

const EVENTS: [&str; 8] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "throttlingException",
    "somethingNew",
];

fuzz_target!(|data: &[u8]| support::answer(Wire::BedrockConverse, data, |body, streamed| {
    if streamed { framed(body) } else { body.to_vec() }
}));

fn framed(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some((name, payload)) = line.split_first() else {
            continue;
        };
        let name = EVENTS[usize::from(*name) % EVENTS.len()];
        let (header, kind) = if name.ends_with("Exception") {
            (":exception-type", "exception")
        } else {
            (":event-type", "event")
        };
        let headers = [
            support::text_header(header, name),
            support::text_header(":message-type", kind),
        ];
        out.extend_from_slice(&support::message(&headers.concat(), payload));
    }
    out
}
