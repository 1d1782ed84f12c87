//! Streams that fail in every place, or come in an odd form. Whatever happens, an SDK must be given a provider's whole answer,
//! or an exception: never a part of an answer as if it were the whole.

use super::Expect::{Answer, Long};
use super::{FIRST, Modes, Must, Players, Scenario};
use std::ops::RangeInclusive;

/// The words of the first provider's answer are 19: before the first, between each two, behind the last, and further.
const PLACES: RangeInclusive<usize> = 0..=20;

/// Before the first word the second provider can still take over.
const UNBROKEN: &[usize] = &[0];

/// A long answer, whose words are one chunk each.
pub(in super::super) const LONG_WORDS: usize = 10_000;

/// The second provider with the first one's text, a few bytes at a time.
const SAYS_THE_SAME: &str = "[[rule]]\nsplit = 7\ntext = \"This is the answer of the first provider, naïve and café, with 日本語 and an emoji 🌊 in it.\"\n";

pub(super) fn all() -> Vec<Scenario> {
    let streamed = |name, rules| {
        Scenario::new(name, rules)
            .modes(Modes::Streamed)
            .everyone()
            .across()
    };
    let broken = |name, rules| streamed(name, "").sweep(rules, PLACES, Must::BeHonest, UNBROKEN);
    // The second provider says what the first would have said, in other pieces: the SDK sees no seam.
    let continued = |name, rules| {
        streamed(name, rules)
            .second(SAYS_THE_SAME)
            .ask(Answer(FIRST), 1..=2, 1..=1)
    };
    let told_to_the_end = |name, rules| {
        Scenario::new(name, "")
            .players(Players::Official)
            .modes(Modes::Streamed)
            .across()
            .second(SAYS_THE_SAME)
            .sweep(rules, PLACES, Must::GetAll, UNBROKEN)
    };
    vec![
        told_to_the_end(
            "cut after every number of words and told to the end by the second",
            "[[rule]]\ncut = { after_chunks = K }\n",
        ),
        told_to_the_end(
            "ended in order without its end after every number of words, and the second tells the rest",
            "[[rule]]\ncut = { after_chunks = K, clean = true }\n",
        ),
        told_to_the_end(
            "an error event after every number of words, and the second tells the rest",
            "[[rule]]\nerror_event = { after_chunks = K, preset = \"server_error\" }\n",
        ),
        Scenario::new("a call of a tool cut after every number of chunks", "")
            .players(Players::Official)
            .modes(Modes::Streamed)
            .across()
            .sweep("[[rule]]\ncut = { after_chunks = K }\n", 0..=7, Must::CallTool, UNBROKEN),
        continued("cut after the fifth word and told to the end by the second", "[[rule]]\ncut = { after_chunks = 5 }\n"),
        continued(
            "an error event after the fifth word, and the second tells the rest",
            "[[rule]]\nerror_event = { after_chunks = 5, preset = \"server_error\" }\n",
        ),
        broken("a stream cut after every number of words", "[[rule]]\ncut = { after_chunks = K }\n"),
        broken(
            "a stream that ends in order, but without its end, after every number of words",
            "[[rule]]\ncut = { after_chunks = K, clean = true }\n",
        ),
        broken(
            "an error event after every number of words",
            "[[rule]]\nerror_event = { after_chunks = K, preset = \"server_error\" }\n",
        ),
        // Into every part of an event, characters of several bytes included.
        streamed("a stream cut after 149 bytes, 249, and so on", "").sweep("[[rule]]\ncut = { after_bytes = K49 }\n", 1..=24, Must::BeHonest, &[]),
        streamed("a stalled stream", "")
            .route("windows = { idle = \"300ms\" }")
            .sweep("[[rule]]\nstall = { after_chunks = K }\n", 1..=3, Must::BeHonest, &[]),
        streamed(
            "comments, keep-alives and CRLF",
            "[[rule]]\ncrlf = true\nkeep_alive = \"10ms\"\nslow = { first_token = \"50ms\", per_chunk = \"25ms\" }\n",
        )
        .ask(Answer(FIRST), 1..=1, 0..=0),
        streamed("events that are none, as proxies write them", "[[rule]]\ngarbled = \"stray\"\n").ask(Answer(FIRST), 1..=1, 0..=0),
        // Not across: the other dialect asks for at most 4096 tokens where the caller sets no limit.
        Scenario::new("ten thousand chunks", "")
            .modes(Modes::Streamed)
            .everyone()
            .ask(Long, 1..=1, 0..=0)
            .but(|ask| ask.within_ms = 120_000),
    ]
}
