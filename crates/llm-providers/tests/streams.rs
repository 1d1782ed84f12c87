//! What a caller sees of a stream, whatever happens to it on the way.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/script.rs"]
mod script;
#[path = "support/wire.rs"]
mod wire;

use llm_errors::{ErrorKind, Phase, TransportFault};
use llm_providers::chat::FinishReason;
use llm_providers::{Dialect, MAX_BROKEN_RUN, MAX_EVENT_BYTES, MAX_HELD_BYTES};
use proptest::prelude::*;
use script::{Script, Step, bytes, drain, open, wait};
use std::time::Duration;

const OPENAI: Dialect = Dialect::OpenAiChat;
const RESPONSES: Dialect = Dialect::OpenAiResponses;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;
const WORDS: [&str; 3] = ["Grüße", " 你好", " \"there\"\n"];

/// Each dialect with a stream of its own.
fn streams() -> [(Dialect, Vec<String>); 3] {
    [
        (OPENAI, wire::openai(&WORDS)),
        (RESPONSES, wire::responses(&WORDS)),
        (ANTHROPIC, wire::anthropic(&WORDS)),
    ]
}

fn is_end(event: &str) -> bool {
    event.contains("[DONE]")
        || event.contains("message_stop")
        || event.contains("response.completed")
}

fn is_finish(event: &str) -> bool {
    event.contains("\"finish_reason\":\"")
        || event.contains("\"stop_reason\":\"")
        || event.contains("response.completed")
}

#[tokio::test(start_paused = true)]
async fn the_same_dialect_passes_byte_for_byte_and_is_understood() {
    for (dialect, events) in streams() {
        let script = Script::new([bytes(events.concat())]);
        let mut stream = open(&script, dialect, dialect).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert_eq!(text, events.concat());
        assert!(failure.is_none());
        let facts = stream.facts();
        assert_eq!(facts.finish, Some(FinishReason::Stop));
        assert_eq!(
            (
                facts.usage.input_tokens,
                facts.usage.output_tokens,
                facts.usage.cache_read_tokens
            ),
            (9, 3, 4)
        );
        assert!(
            facts
                .model
                .as_deref()
                .unwrap()
                .starts_with(if dialect == ANTHROPIC {
                    "claude"
                } else {
                    "gpt"
                })
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_opens_with_its_first_content_and_not_before() {
    for (dialect, events) in streams() {
        let content = events
            .iter()
            .position(|event| event.contains("Grüße"))
            .unwrap();
        let mut steps: Vec<Step> = events[..content].iter().map(bytes).collect();
        steps.push(wait(9));
        steps.extend(events[content..].iter().map(bytes));
        let begun = tokio::time::Instant::now();
        let mut stream = open(&Script::new(steps), dialect, dialect).await.unwrap();
        assert_eq!(begun.elapsed(), Duration::from_secs(9));
        assert_eq!(drain(&mut stream).await.0, events.concat());
    }
}

#[tokio::test(start_paused = true)]
async fn before_the_first_content_every_failure_is_hidden() {
    for (dialect, events) in streams() {
        let prelude = events[0].as_str();
        let error =
            r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let end = match dialect {
            // Its end repeats the answer, and here there is none.
            RESPONSES => {
                "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\",\"output\":[]}}\n\n"
            }
            _ => events.last().unwrap(),
        };
        let cases: Vec<(&str, Vec<Step>, ErrorKind)> = vec![
            ("silence", vec![wait(99)], ErrorKind::Timeout),
            (
                "silence after the prelude",
                vec![bytes(prelude), wait(99)],
                ErrorKind::Timeout,
            ),
            (
                "comments only",
                (0..30)
                    .flat_map(|_| [bytes(": keep-alive\n\n"), wait(1)])
                    .collect(),
                ErrorKind::Timeout,
            ),
            (
                "end of the connection",
                vec![bytes(prelude)],
                ErrorKind::EmptyOutput,
            ),
            ("nothing at all", vec![], ErrorKind::EmptyOutput),
            (
                "end marker only",
                vec![bytes(prelude), bytes(end)],
                ErrorKind::EmptyOutput,
            ),
            (
                "reset",
                vec![bytes(prelude), Step::Fault(TransportFault::Reset)],
                ErrorKind::Network,
            ),
            (
                "an error event",
                vec![bytes(prelude), bytes(format!("event: error\n{error}\n\n"))],
                ErrorKind::Overloaded,
            ),
        ];
        for (name, steps, kind) in cases {
            let failure = open(&Script::new(steps), dialect, dialect)
                .await
                .unwrap_err();
            assert_eq!(failure.verdict.kind, kind, "{name} on {dialect}");
            assert_ne!(failure.verdict.phase, Phase::MidStream, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_stops_without_content_says_why() {
    let finish = |reason: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"{reason}\"}}]}}\n\ndata: [DONE]\n\n"
        )
    };
    for (reason, kind) in [
        ("stop", ErrorKind::EmptyOutput),
        ("length", ErrorKind::Truncated),
        ("content_filter", ErrorKind::ContentFilter),
    ] {
        let failure = open(&Script::new([bytes(finish(reason))]), OPENAI, OPENAI)
            .await
            .unwrap_err();
        assert_eq!(failure.verdict.kind, kind, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_after_any_event_is_an_error_and_never_a_normal_end() {
    let ends = [
        vec![],
        vec![Step::Fault(TransportFault::Closed)],
        vec![wait(99)],
    ];
    for (dialect, events) in streams() {
        let first = events
            .iter()
            .position(|event| event.contains("Grüße"))
            .unwrap();
        let finish = events.iter().position(|event| is_finish(event)).unwrap();
        for cut in first..finish {
            for end in &ends {
                let mut steps: Vec<Step> = events[..=cut].iter().map(bytes).collect();
                steps.extend(end.iter().cloned());
                let mut stream = open(&Script::new(steps), dialect, dialect).await.unwrap();
                let (text, failure) = drain(&mut stream).await;
                let failure = failure.expect("a cut is an error");
                assert!(matches!(
                    failure.verdict.kind,
                    ErrorKind::Truncated | ErrorKind::Timeout
                ));
                assert_eq!(failure.verdict.phase, Phase::MidStream);
                assert_eq!(text, events[..=cut].concat());
                assert!(!is_end(&text));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_marker_without_a_finish_reason_is_not_passed_on() {
    for (dialect, events) in streams() {
        let kept: Vec<Step> = events
            .iter()
            .filter(|event| !is_finish(event))
            .map(bytes)
            .collect();
        let mut stream = open(&Script::new(kept), dialect, dialect).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Truncated);
        assert!(!is_end(&text));
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_end_marker_is_supplied_once_the_answer_is_complete() {
    let ends = [
        vec![],
        vec![Step::Fault(TransportFault::Reset)],
        vec![wait(99)],
    ];
    // On the responses wire the event that says why the answer ended is the last.
    for (dialect, events) in streams()
        .into_iter()
        .filter(|(dialect, _)| *dialect != RESPONSES)
    {
        for end in &ends {
            let unmarked = events.iter().filter(|event| !is_end(event));
            let mut steps: Vec<Step> = unmarked.map(bytes).collect();
            steps.extend(end.iter().cloned());
            let mut stream = open(&Script::new(steps), dialect, dialect).await.unwrap();
            let (text, failure) = drain(&mut stream).await;
            assert!(failure.is_none());
            assert_eq!(text, events.concat());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_event_without_its_blank_line_still_counts() {
    for (dialect, events) in streams() {
        let whole = events.concat();
        let script = Script::new([bytes(whole.trim_end())]);
        let mut stream = open(&script, dialect, dialect).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert!(failure.is_none());
        assert_eq!(text, whole);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_event_in_the_middle_is_classified_and_not_passed_on() {
    let events = wire::openai(&WORDS);
    let error = "data: {\"error\":{\"message\":\"The server had an error\",\"type\":\"server_error\",\"code\":null}}\n\n";
    let script = Script::new([
        bytes(events[..3].concat()),
        bytes(error),
        bytes(events[3..].concat()),
    ]);
    let mut stream = open(&script, OPENAI, OPENAI).await.unwrap();
    let (text, failure) = drain(&mut stream).await;
    let failure = failure.unwrap();
    assert_eq!(failure.verdict.kind, ErrorKind::ServerError);
    assert_eq!(failure.message(), Some("The server had an error"));
    assert_eq!(text, events[..3].concat());
}

#[tokio::test(start_paused = true)]
async fn comments_and_pings_are_not_life() {
    for (dialect, events) in streams() {
        let first = events
            .iter()
            .position(|event| event.contains("Grüße"))
            .unwrap();
        let filler = match dialect {
            ANTHROPIC => "event: ping\ndata: {\"type\": \"ping\"}\n\n",
            RESPONSES => {
                "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":7}\n\n"
            }
            _ => ": ping\n\n",
        };
        let mut steps: Vec<Step> = events[..=first].iter().map(bytes).collect();
        steps.extend((0..20).flat_map(|_| [wait(1), bytes(filler)]));
        steps.extend(events[first + 1..].iter().map(bytes));
        let begun = tokio::time::Instant::now();
        let mut stream = open(&Script::new(steps), dialect, dialect).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Timeout);
        assert_eq!(begun.elapsed(), script::WINDOWS.idle);
        assert!(text.contains(filler), "they reach the caller all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_drips_for_ever_meets_the_total_window() {
    let events = wire::openai(&["x"]);
    let drip = (0..50).flat_map(|_| [bytes(&events[1]), wait(4)]);
    let begun = tokio::time::Instant::now();
    let mut stream = open(&Script::new(drip), OPENAI, OPENAI).await.unwrap();
    let (_, failure) = drain(&mut stream).await;
    assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Timeout);
    assert_eq!(begun.elapsed(), script::WINDOWS.total);
}

#[tokio::test(start_paused = true)]
async fn one_keep_alive_that_is_no_json_is_left_out_and_counted_and_many_are_a_failure() {
    for (dialect, events) in streams() {
        let mut steps: Vec<Step> = events.iter().map(bytes).collect();
        let broken = "data: ping\n\n";
        let begun = events.iter().position(|event| event.contains("Grüße"));
        let at = begun.unwrap() + 1;
        steps.insert(at, bytes(broken));
        let mut stream = open(&Script::new(steps.clone()), dialect, dialect)
            .await
            .unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert!(failure.is_none());
        assert_eq!(text, events.concat());
        assert_eq!(stream.facts().broken_events, 1);

        for _ in 1..MAX_BROKEN_RUN {
            steps.insert(at, bytes(broken));
        }
        let mut stream = open(&Script::new(steps), dialect, dialect).await.unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Truncated);
        assert!(!is_end(&text));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_and_what_is_one_event_are_bounded() {
    let role = &wire::openai(&[])[0];
    let many = role.repeat(MAX_HELD_BYTES / role.len() + 2);
    let failure = open(&Script::new([bytes(many)]), OPENAI, OPENAI)
        .await
        .unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::Network);

    let endless = vec![b'x'; MAX_EVENT_BYTES + 1];
    let script = Script::new([bytes(&wire::openai(&["a"])[1]), bytes(endless)]);
    let mut stream = open(&script, OPENAI, OPENAI).await.unwrap();
    let (_, failure) = drain(&mut stream).await;
    assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_next_loses_nothing() {
    for (dialect, events) in streams() {
        let steps = events.iter().flat_map(|event| {
            let half = event.floor_char_boundary(event.len() / 2);
            [
                bytes(&event[..half]),
                Step::Wait(Duration::from_millis(70)),
                bytes(&event[half..]),
            ]
        });
        let mut stream = open(&Script::new(steps), dialect, dialect).await.unwrap();
        let mut all = Vec::new();
        let mut dropped = 0;
        loop {
            match tokio::time::timeout(Duration::from_millis(20), stream.next()).await {
                Err(_) => dropped += 1,
                Ok(Some(item)) => all.extend_from_slice(&item.unwrap()),
                Ok(None) => break,
            }
        }
        assert!(dropped > 3);
        assert_eq!(String::from_utf8(all).unwrap(), events.concat());
    }
}

#[tokio::test(start_paused = true)]
async fn every_choice_must_finish() {
    let choice = |index: u32, rest: &str| {
        format!("data: {{\"choices\":[{{\"index\":{index},{rest}}}]}}\n\n")
    };
    let content = "\"delta\":{\"content\":\"x\"},\"finish_reason\":null";
    let finish = "\"delta\":{},\"finish_reason\":\"stop\"";
    let half = [
        choice(0, content),
        choice(1, content),
        choice(0, finish),
        "data: [DONE]\n\n".to_owned(),
    ];
    let mut stream = open(&Script::new([bytes(half.concat())]), OPENAI, OPENAI)
        .await
        .unwrap();
    assert!(drain(&mut stream).await.1.is_some());
}

#[tokio::test(start_paused = true)]
async fn tool_calls_and_reasoning_are_content_and_empty_deltas_are_not() {
    let chunk = |delta: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":null}}]}}\n\n"
        )
    };
    for delta in [
        r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":""}}]}"#,
        r#"{"reasoning_content":"hm"}"#,
        r#"{"reasoning":"hm"}"#,
        r#"{"refusal":"no"}"#,
        r#"{"content":"x"}"#,
    ] {
        assert!(
            open(&Script::new([bytes(chunk(delta))]), OPENAI, OPENAI)
                .await
                .is_ok(),
            "{delta}"
        );
    }
    for delta in [
        "{}",
        r#"{"content":""}"#,
        r#"{"content":null,"tool_calls":[]}"#,
        r#"{"role":"assistant"}"#,
        "null",
    ] {
        assert!(
            open(&Script::new([bytes(chunk(delta))]), OPENAI, OPENAI)
                .await
                .is_err(),
            "{delta}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn chunks_that_repeat_the_message_beside_the_delta_are_understood() {
    let chunk = |delta: &str, said: &str, finish: &str| {
        format!(
            "data: {{\"choices\":[{{\"index\":0,\"finish_reason\":{finish},\"message\":{{\"role\":\"assistant\",\"content\":\"{said}\"}},\"delta\":{{\"content\":\"{delta}\"}}}}]}}\n\n"
        )
    };
    let events = [
        chunk("", "", "null"),
        chunk("a", "a", "null"),
        chunk("b", "ab", "null"),
        chunk("", "ab", "\"stop\""),
    ];
    for caller in Dialect::ALL.iter().copied() {
        let mut stream = open(&Script::new(events.iter().map(bytes)), OPENAI, caller)
            .await
            .unwrap();
        let (text, failure) = drain(&mut stream).await;
        assert!(failure.is_none());
        let reply = llm_providers::form::decode_stream(caller, text.as_bytes()).unwrap();
        assert_eq!(reply.text(), "ab");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_stream_keeps_every_chunk() {
    let words: Vec<String> = (0..10_000).map(|n| format!("w{n} ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let events = wire::openai(&words);
    let mut stream = open(&Script::new(events.iter().map(bytes)), OPENAI, OPENAI)
        .await
        .unwrap();
    let (text, failure) = drain(&mut stream).await;
    assert!(failure.is_none());
    assert_eq!(text, events.concat());
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Any split of the bytes, inside a character or a line end, gives the caller the same; in the
    /// same dialect and in the other.
    #[test]
    fn any_split_reaches_the_caller_the_same(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        crlf in any::<bool>(),
    ) {
        for (upstream, events) in streams() {
            let whole = events.concat();
            let whole = if crlf { whole.replace('\n', "\r\n") } else { whole };
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(whole.len())).collect();
            at.sort_unstable();
            for caller in Dialect::ALL.iter().copied() {
                let seen = |steps: Vec<Step>| block_on(async {
                    let mut stream = open(&Script::new(steps), upstream, caller).await.unwrap();
                    drain(&mut stream).await
                });
                let (expected, failure) = seen(vec![bytes(&whole)]);
                prop_assert!(failure.is_none());
                let mut steps = Vec::new();
                let mut from = 0;
                for to in at.iter().copied().chain([whole.len()]) {
                    steps.push(bytes(&whole.as_bytes()[from..to]));
                    from = to;
                }
                let (text, failure) = seen(steps);
                prop_assert!(failure.is_none());
                prop_assert_eq!(text, expected);
            }
        }
    }

    /// Whatever bytes a provider sends, the end is an end or an error, and never a panic or a hang.
    #[test]
    fn no_bytes_can_break_the_reader(junk in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..9) {
        for (upstream, events) in streams() {
            for caller in Dialect::ALL.iter().copied() {
                let mut steps: Vec<Step> = events.iter().map(bytes).collect();
                steps.insert(at.min(steps.len()), bytes(&junk));
                block_on(async {
                    if let Ok(mut stream) = open(&Script::new(steps), upstream, caller).await {
                        while stream.next().await.is_some() {}
                    }
                });
            }
        }
    }
}
