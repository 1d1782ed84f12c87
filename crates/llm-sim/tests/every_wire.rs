//! The same answers and the same faults on every wire.

#[path = "support/client.rs"]
mod client;
#[path = "support/dialect.rs"]
mod dialect;

use std::time::Duration;

use client::{End, Seen, request, start};
use dialect::{ALL, Dialect};
use llm_sim::{Preset, SimHandle};

/// Words of one, two, three and four bytes a character.
const TEXT: &str = "One déjà 你好 🙂 two three.";
const WORDS: usize = 6;

async fn rule(rule: &str) -> SimHandle {
    start(&format!("text = \"{TEXT}\"\n[[rule]]\n{rule}")).await
}

async fn ask(sim: &SimHandle, dialect: &Dialect, is_streamed: bool) -> Seen {
    ask_within(sim, dialect, is_streamed, Duration::from_secs(10)).await
}

async fn ask_within(
    sim: &SimHandle,
    dialect: &Dialect,
    is_streamed: bool,
    patience: Duration,
) -> Seen {
    let (path, body) = dialect.request(is_streamed);
    request(sim.addr(), "POST", path, &[], &body, patience).await
}

#[tokio::test]
async fn the_text_is_given_whole_and_streamed() {
    let sim = start(&format!("text = \"{TEXT}\"")).await;
    for dialect in ALL {
        let whole = ask(&sim, dialect, false).await;
        assert_eq!(whole.status, Some(200), "{}", dialect.wire);
        assert_eq!(
            (dialect.whole)(&whole.json()).as_deref(),
            Some(TEXT),
            "{}",
            dialect.wire
        );
        let seen = ask(&sim, dialect, true).await;
        let read = dialect.read(&seen.body);
        assert_eq!(
            (
                seen.end,
                read.text.as_str(),
                read.is_finished,
                read.bad_events
            ),
            (End::Complete, TEXT, true, 0),
            "{}",
            dialect.wire
        );
        let received = sim.received();
        let last = received.last().unwrap();
        assert_eq!(
            (last.wire, last.model.as_deref(), last.stream),
            (Some(dialect.wire), Some("m"), true)
        );
    }
}

#[tokio::test]
async fn equal_seeds_give_equal_bytes() {
    for dialect in ALL {
        for is_streamed in [false, true] {
            let first = ask(&start("").await, dialect, is_streamed).await;
            let second = ask(&start("").await, dialect, is_streamed).await;
            assert_eq!(first.body, second.body, "{}", dialect.wire);
            assert!(first.body.len() > 100, "{}", dialect.wire);
        }
    }
}

#[tokio::test]
async fn a_cut_after_every_possible_chunk_leaves_a_beginning_and_no_end() {
    for dialect in ALL {
        for after in 0..=WORDS {
            for (ending, end) in [("", End::Early), (", clean = true", End::Complete)] {
                let sim = rule(&format!("cut = {{ after_chunks = {after}{ending} }}")).await;
                let seen = ask(&sim, dialect, true).await;
                let read = dialect.read(&seen.body);
                let whole: Vec<&str> = TEXT.split_inclusive(' ').take(after).collect();
                assert_eq!(
                    (read.text.trim_end(), read.is_finished, seen.end),
                    (whole.concat().trim_end(), false, end),
                    "{} after {after}",
                    dialect.wire
                );
                assert!(read.error.is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_stream_without_its_end_says_everything_but_that_it_is_over() {
    let sim = rule("no_end = true").await;
    for dialect in ALL {
        let seen = ask(&sim, dialect, true).await;
        let read = dialect.read(&seen.body);
        assert_eq!(
            (seen.end, read.text.as_str(), read.is_finished, read.error),
            (End::Complete, TEXT, false, None),
            "{}",
            dialect.wire
        );
        let whole = ask(&sim, dialect, false).await.json();
        assert_eq!((dialect.whole)(&whole).as_deref(), Some(TEXT));
    }
}

#[tokio::test]
async fn a_cut_or_reset_by_bytes_strikes_at_the_byte() {
    for dialect in ALL {
        let full = ask(&start(&format!("text = \"{TEXT}\"")).await, dialect, true).await;
        for bytes in [0, 1, 50, full.body.len() - 1] {
            let sim = rule(&format!("cut = {{ after_bytes = {bytes} }}")).await;
            let seen = ask(&sim, dialect, true).await;
            assert_eq!(seen.body, full.body[..bytes], "{}", dialect.wire);
            assert!(!dialect.read(&seen.body).is_finished);
        }
        let sim = rule("reset = { after_chunks = 2 }").await;
        assert_eq!(
            ask(&sim, dialect, true).await.end,
            End::Reset,
            "{}",
            dialect.wire
        );
    }
}

#[tokio::test]
async fn silences_keep_the_connection_open() {
    // All at once: each waits longer than a busy machine pauses.
    let impatient = Duration::from_millis(400);
    let mut waits = tokio::task::JoinSet::new();
    for dialect in ALL {
        for (fault, status, words) in [
            ("hang = \"forever\"", None, 0),
            ("silence = \"forever\"", Some(200), 0),
            ("stall = { after_chunks = 0 }", Some(200), 0),
            ("stall = { after_chunks = 3 }", Some(200), 3),
        ] {
            waits.spawn(async move {
                let sim = rule(fault).await;
                let seen = ask_within(&sim, dialect, true, impatient).await;
                let read = dialect.read(&seen.body);
                assert_eq!(
                    (seen.status, seen.end, read.text.split_whitespace().count()),
                    (status, End::Silent, words),
                    "{} {fault}",
                    dialect.wire
                );
                assert!(!read.is_finished);
            });
        }
    }
    while let Some(done) = waits.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn an_error_event_ends_the_stream_in_its_own_dialect() {
    for dialect in ALL {
        for preset in ["server_error", "overloaded_529", "rate_limit"] {
            for after in [0, 2, WORDS] {
                let sim = rule(&format!(
                    "error_event = {{ after_chunks = {after}, preset = \"{preset}\" }}"
                ))
                .await;
                let seen = ask(&sim, dialect, true).await;
                let read = dialect.read(&seen.body);
                let place = format!("{} {preset} {after}", dialect.wire);
                assert_eq!(
                    (seen.status, seen.end),
                    (Some(200), End::Complete),
                    "{place}"
                );
                assert!(read.error.is_some() && !read.is_finished, "{place}");
                assert_eq!(read.bad_events, 0, "{place}");
                assert_eq!(read.text.split_whitespace().count(), after, "{place}");
                let whole = ask(&sim, dialect, false).await;
                assert_eq!(whole.status, Some(200), "{place}");
                assert_eq!((dialect.whole)(&whole.json()), None, "{place}");
            }
        }
    }
}

#[tokio::test]
async fn a_bad_event_among_good_ones_takes_no_text_with_it() {
    for dialect in ALL {
        let seen = ask(&rule("garbled = \"event\"").await, dialect, true).await;
        let read = dialect.read(&seen.body);
        assert_eq!(
            (read.text.as_str(), read.is_finished, read.bad_events),
            (TEXT, true, 1),
            "{}",
            dialect.wire
        );
        let seen = ask(&rule("garbled = \"checksum\"").await, dialect, true).await;
        let read = dialect.read(&seen.body);
        assert_eq!(
            (read.text.as_str(), read.bad_events),
            (TEXT, 1),
            "{}",
            dialect.wire
        );
        let seen = ask(&rule("garbled = \"json\"").await, dialect, true).await;
        let read = dialect.read(&seen.body);
        assert_eq!(
            (
                read.text.replace("  ", " ").split(' ').count(),
                read.bad_events
            ),
            (WORDS - 1, 1),
            "{}",
            dialect.wire
        );
    }
}

#[tokio::test]
async fn garbage_is_garbage() {
    for dialect in ALL {
        for is_streamed in [false, true] {
            let page = ask(&rule("garbled = \"html\"").await, dialect, is_streamed).await;
            assert_eq!(page.status, Some(200));
            assert!(page.text().starts_with("<html>"), "{}", dialect.wire);
            let spoilt = ask(&rule("garbled = \"utf8\"").await, dialect, is_streamed).await;
            assert!(
                std::str::from_utf8(&spoilt.body).is_err(),
                "{}",
                dialect.wire
            );
        }
        let short = ask(&rule("garbled = \"json\"").await, dialect, false).await;
        assert!(serde_json::from_slice::<serde_json::Value>(&short.body).is_err());
    }
}

#[tokio::test]
async fn an_empty_answer_is_proper_and_an_empty_body_is_nothing() {
    for dialect in ALL {
        let sim = rule("empty = \"content\"").await;
        let whole = ask(&sim, dialect, false).await.json();
        assert_eq!(
            (dialect.whole)(&whole).unwrap_or_default(),
            "",
            "{}",
            dialect.wire
        );
        let read = dialect.read(&ask(&sim, dialect, true).await.body);
        assert_eq!(
            (read.text.as_str(), read.is_finished),
            ("", true),
            "{}",
            dialect.wire
        );
        let sim = rule("empty = \"body\"").await;
        for is_streamed in [false, true] {
            let seen = ask(&sim, dialect, is_streamed).await;
            assert_eq!(
                (seen.status, seen.body.len()),
                (Some(200), 0),
                "{}",
                dialect.wire
            );
        }
    }
}

#[tokio::test]
async fn odd_but_lawful_streams_say_the_same() {
    for dialect in ALL {
        for manner in [
            "drip = \"0ms\"",
            "split = 7",
            "crlf = true",
            "slow = { first_token = \"60ms\", per_chunk = \"30ms\" }\nkeep_alive = \"10ms\"",
            "keep_alive = \"10ms\"\nstall = { after_chunks = 2, for = \"60ms\" }\ncrlf = true",
        ] {
            let seen = ask(&rule(manner).await, dialect, true).await;
            let read = dialect.read(&seen.body);
            assert_eq!(
                (read.text.as_str(), read.is_finished, read.bad_events),
                (TEXT, true, 0),
                "{} {manner}",
                dialect.wire
            );
        }
        let seen = ask(&rule("drip = \"0ms\"").await, dialect, true).await;
        assert!(
            seen.chunks.iter().all(|&size| size == 1),
            "{}",
            dialect.wire
        );
    }
}

#[tokio::test]
async fn a_stream_of_ten_thousand_chunks_is_whole() {
    let sim = start("words = 10000").await;
    for dialect in ALL {
        let read = dialect.read(&ask(&sim, dialect, true).await.body);
        assert_eq!(read.text.split(' ').count(), 10_000, "{}", dialect.wire);
        assert!(
            read.is_finished && read.events.len() > 10_000,
            "{}",
            dialect.wire
        );
    }
}

#[tokio::test]
async fn every_typical_error_is_one_on_every_wire() {
    for preset in Preset::ALL {
        let sim = rule(&format!("preset = \"{}\"", preset.as_str())).await;
        for dialect in ALL {
            let seen = ask(&sim, dialect, true).await;
            let place = format!("{} {preset:?}", dialect.wire);
            assert!(seen.status.is_some_and(|status| status >= 400), "{place}");
            if preset == Preset::Html {
                assert!(seen.text().starts_with("<html>"), "{place}");
            } else {
                assert!(seen.json().is_object() || seen.json().is_array(), "{place}");
                assert_eq!(
                    seen.header("content-type"),
                    Some("application/json"),
                    "{place}"
                );
            }
        }
    }
}

#[tokio::test]
async fn rate_limits_are_honest_on_every_wire() {
    for dialect in ALL {
        let sim = start("[limits]\nrpm = 1").await;
        assert_eq!(ask(&sim, dialect, true).await.status, Some(200));
        let refused = ask(&sim, dialect, true).await;
        assert_eq!(refused.status, Some(429), "{}", dialect.wire);
        assert_eq!(sim.received()[1].answered_by, "limits");
    }
}
