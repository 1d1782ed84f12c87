//! Streams of every wire that are cut, have a part twice, in the wrong place or from elsewhere: what ends in the normal way is
//! the whole answer, and whatever else there is ends in a verdict.

use crate::anything::{Said, expect, said, stream};
use crate::script::{Script, bytes, drain};
use crate::stage::{call, endpoint, run};
use llm_providers::chat::Reply;
use llm_providers::{Dialect, Exchange, Wire, form};
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap()
}

/// What a caller reads of a stream that ends in the normal way; `None` where it ends in an error.
fn read(runtime: &Runtime, wire: Wire, caller: Dialect, stream: Vec<u8>) -> Option<Option<Reply>> {
    let script = Script::new([bytes(stream)]);
    runtime.block_on(async {
        let answer = run(&script, &endpoint(wire), &call(caller, true)).await;
        let Exchange::Stream(mut stream) = answer.ok()? else {
            panic!("a stream was asked for");
        };
        let (text, failure) = drain(&mut stream).await;
        let read = form::decode_stream(caller, text.as_bytes());
        match failure {
            Some(_) => {
                assert!(read.is_none(), "an error is no normal end: {text}");
                None
            }
            None => Some(read),
        }
    })
}

/// The events of a stream, each with its bytes.
fn events(wire: Wire, stream: &[u8]) -> Vec<Vec<u8>> {
    let mut events = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let length = match wire {
            Wire::BedrockConverse => {
                let total = rest.first_chunk().map(|four| u32::from_be_bytes(*four));
                usize::try_from(total.unwrap()).unwrap()
            }
            Wire::OllamaChat => end_of(rest, b"\n"),
            Wire::Gemini => end_of(rest, b"\r\n\r\n"),
            _ => end_of(rest, b"\n\n"),
        };
        let (event, after) = rest.split_at(length);
        events.push(event.to_vec());
        rest = after;
    }
    events
}

fn end_of(bytes: &[u8], mark: &[u8]) -> usize {
    let mut windows = bytes.windows(mark.len());
    windows.position(|window| window == mark).unwrap() + mark.len()
}

/// A wire with the same framing, where there is one.
fn neighbour(wire: Wire, nth: Index) -> Option<Wire> {
    let sse = [
        Wire::OpenAiChat,
        Wire::OpenAiResponses,
        Wire::AnthropicMessages,
        Wire::CohereChat,
    ];
    let others: Vec<Wire> = sse.into_iter().filter(|other| *other != wire).collect();
    let framed = !matches!(
        wire,
        Wire::BedrockConverse | Wire::OllamaChat | Wire::Gemini
    );
    framed.then(|| *nth.get(&others))
}

/// A stream is known to be whole by its finish reason alone.
fn whole_or_none(found: Option<Option<Reply>>, said: &Said, case: &str) {
    if let Some(reply) = found {
        let reply = reply.unwrap_or_else(|| panic!("{case} cannot be read"));
        expect(&reply, said, case);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_part_of_an_answer_is_never_the_whole(said in said(), at in any::<Index>()) {
        let runtime = runtime();
        for wire in Wire::ALL {
            let mut stream = stream(*wire, &said);
            stream.truncate(at.index(stream.len()));
            for caller in Dialect::ALL {
                let found = read(&runtime, *wire, *caller, stream.clone());
                whole_or_none(found, &said, &format!("{wire} for {caller}, {} bytes", stream.len()));
            }
        }
    }

    #[test]
    fn an_event_of_another_wire_changes_no_answer(
        said in said(),
        other in said(),
        (which, from, at) in any::<(Index, Index, Index)>(),
    ) {
        let runtime = runtime();
        for wire in Wire::ALL {
            let Some(neighbour) = neighbour(*wire, which) else { continue };
            let mut all = events(*wire, &stream(*wire, &said));
            let foreign = from.get(&events(neighbour, &stream(neighbour, &other))).clone();
            all.insert(at.index(all.len()), foreign);
            for caller in Dialect::ALL {
                let case = format!("an event of {neighbour} in {wire} for {caller}");
                let found = read(&runtime, *wire, *caller, all.concat());
                // What passes as it came is not read by us.
                if *wire != *caller {
                    whole_or_none(found, &said, &case);
                }
            }
        }
    }

    #[test]
    fn events_that_are_missing_doubled_or_out_of_place_end_in_a_verdict(
        said in said(),
        changes in prop::collection::vec((0u8..3, any::<Index>(), any::<Index>()), 1..4),
    ) {
        let runtime = runtime();
        for wire in Wire::ALL {
            let mut all = events(*wire, &stream(*wire, &said));
            for (change, one, other) in &changes {
                let (one, other) = (one.index(all.len()), other.index(all.len()));
                match change {
                    0 => all.swap(one, other),
                    1 => all.insert(other, all[one].clone()),
                    _ if all.len() > 1 => drop(all.remove(one)),
                    _ => {}
                }
            }
            for caller in Dialect::ALL {
                let found = read(&runtime, *wire, *caller, all.concat());
                // What is translated can be read, and says why it ended.
                if let Some(reply) = found.filter(|_| *wire != *caller) {
                    let reply = reply.unwrap_or_else(|| panic!("{wire} for {caller} cannot be read"));
                    prop_assert!(reply.finish.is_some(), "{wire} for {caller}");
                }
            }
        }
    }
}
