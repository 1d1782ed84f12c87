//! Every fault, as a raw client sees it.

#[path = "support/client.rs"]
mod client;

use std::time::{Duration, Instant};

use client::{End, anthropic, chat, message, openai, request, start};
use llm_sim::{Ended, Preset, SimHandle};

const STREAM: &str = r#","stream":true"#;

async fn rule(rule: &str) -> SimHandle {
    start(&format!("text = \"one two three four\"\n[[rule]]\n{rule}")).await
}

#[expect(clippy::disallowed_methods, reason = "the test measures real time")]
fn clock() -> Instant {
    Instant::now()
}

/// Calls with little patience: for faults after which nothing comes.
async fn impatient(sim: &SimHandle, extra: &str) -> client::Seen {
    request(
        sim.addr(),
        "POST",
        "/v1/chat/completions",
        &[],
        &chat(extra),
        Duration::from_millis(150),
    )
    .await
}

#[tokio::test]
async fn presets_have_the_shape_of_the_wire() {
    for preset in Preset::ALL {
        let sim = rule(&format!(
            "preset = \"{}\"\nretry_after = \"7s\"",
            preset.as_str()
        ))
        .await;
        let (openai, anthropic) = (openai(&sim, "").await, anthropic(&sim, STREAM).await);
        assert!(
            openai.status.unwrap() >= 400 && anthropic.status.unwrap() >= 400,
            "{preset:?}"
        );
        assert_eq!(openai.header("retry-after"), Some("7"));
        if preset == Preset::Html {
            assert_eq!(
                openai.header("content-type"),
                Some("text/html; charset=UTF-8")
            );
            assert!(openai.text().starts_with("<html>"));
        } else {
            assert!(openai.json()["error"]["message"].is_string());
            assert_eq!(anthropic.json()["type"], "error");
            assert_eq!(
                anthropic.json()["request_id"].as_str(),
                anthropic.header("request-id")
            );
        }
    }
}

#[tokio::test]
async fn quota_and_rate_limit_are_told_apart() {
    let sim = rule("calls = 1\npreset = \"insufficient_quota\"\n[[rule]]\npreset = \"rate_limit\"\nretry_after = \"1.5s\"").await;
    let quota = openai(&sim, "").await;
    assert_eq!(
        (quota.status, quota.json()["error"]["code"].as_str()),
        (Some(429), Some("insufficient_quota"))
    );
    assert_eq!(quota.header("retry-after"), None);
    let rate = openai(&sim, "").await;
    assert_eq!(
        (rate.status, rate.json()["error"]["code"].as_str()),
        (Some(429), Some("rate_limit_exceeded"))
    );
    assert_eq!(
        (rate.header("retry-after"), rate.header("retry-after-ms")),
        (Some("2"), Some("1500"))
    );
}

#[tokio::test]
async fn a_spend_limit_is_told_from_a_rate_limit_by_its_code_alone() {
    let sim = rule("preset = \"spend_limit\"").await;
    let (openai, anthropic) = (openai(&sim, "").await, anthropic(&sim, "").await);
    assert_eq!((openai.status, anthropic.status), (Some(429), Some(429)));
    assert_eq!(
        (
            openai.header("retry-after"),
            anthropic.header("retry-after")
        ),
        (None, None)
    );
    assert_eq!(
        openai.json()["error"]["code"],
        "organization_spend_limit_exceeded"
    );
    assert_eq!(anthropic.json()["error"]["type"], "rate_limit_error");
    assert_eq!(
        anthropic.json()["error"]["details"]["error_code"],
        "enforced_spend_limit_reached"
    );
}

#[tokio::test]
async fn a_reply_of_ones_own_is_sent_as_it_stands() {
    let sim =
        rule("status = 418\nheaders = { \"x-teapot\" = \"yes\" }\nbody = '{\"short\": true}'")
            .await;
    let seen = openai(&sim, "").await;
    assert_eq!(
        (seen.status, seen.header("x-teapot"), seen.text().as_str()),
        (Some(418), Some("yes"), "{\"short\": true}")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let bare = anthropic(&rule("status = 529").await, "").await;
    assert_eq!(
        (bare.status, bare.json()["error"]["type"].as_str()),
        (Some(529), Some("overloaded_error"))
    );
}

#[tokio::test]
async fn hang_sends_nothing_and_sees_the_caller_leave() {
    let sim = rule("hang = \"forever\"").await;
    let seen = impatient(&sim, "").await;
    assert_eq!(
        (seen.status, seen.head.as_str(), seen.end),
        (None, "", End::Silent)
    );
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls
            .iter()
            .all(|call| call.hung_up()))
            .await
    );
    let short = rule("hang = \"60ms\"").await;
    let begun = clock();
    assert_eq!(
        openai(&short, "").await.json()["choices"][0]["message"]["content"],
        "one two three four"
    );
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn silence_sends_headers_only() {
    let sim = rule("silence = \"forever\"").await;
    for extra in ["", STREAM] {
        let seen = impatient(&sim, extra).await;
        assert_eq!(
            (seen.status, seen.body.len(), seen.end),
            (Some(200), 0, End::Silent),
            "{extra}"
        );
    }
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls
            .iter()
            .filter(|call| call.hung_up())
            .count()
            == 2)
            .await
    );
}

#[tokio::test]
async fn a_stall_stands_still_after_its_chunks() {
    for (after, text) in [(0, ""), (2, "one two")] {
        let sim = rule(&format!(
            "stall = {{ after_chunks = {after}, for = \"forever\" }}"
        ))
        .await;
        let seen = impatient(&sim, STREAM).await;
        assert_eq!(
            (seen.streamed_text().as_str(), seen.end),
            (text, End::Silent)
        );
        assert!(!seen.events().is_empty(), "the role chunk has come");
    }
    let sim = rule("stall = { after_chunks = 2, for = \"50ms\" }").await;
    assert_eq!(
        openai(&sim, STREAM).await.streamed_text(),
        "one two three four"
    );
}

#[tokio::test]
async fn signs_of_life_come_while_nothing_else_does() {
    let sim = rule("keep_alive = \"20ms\"\nstall = { after_chunks = 1, for = \"forever\" }").await;
    let limit = Duration::from_millis(300);
    let watched = tokio::time::timeout(limit, impatient(&sim, STREAM)).await;
    assert!(
        watched.is_err(),
        "the comments kept an idle clock of 150 ms from running out"
    );
    let sim = rule("keep_alive = \"20ms\"\nsilence = \"90ms\"").await;
    let seen = openai(&sim, STREAM).await;
    assert!(
        seen.text().starts_with(": keep-alive\n\n: keep-alive\n\n"),
        "{}",
        seen.text()
    );
    assert_eq!(
        (seen.streamed_text().as_str(), seen.end),
        ("one two three four", End::Complete)
    );
    let seen = anthropic(&sim, STREAM).await;
    assert_eq!(seen.events()[0]["type"], "ping");
    assert_eq!(
        openai(&sim, "").await.json()["choices"][0]["message"]["content"],
        "one two three four"
    );
}

#[tokio::test]
async fn lines_may_end_with_crlf() {
    let seen = openai(&rule("crlf = true").await, STREAM).await;
    assert_eq!(
        (seen.streamed_text().as_str(), seen.end),
        ("one two three four", End::Complete)
    );
    let text = seen.text();
    assert!(text.ends_with("data: [DONE]\r\n\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
}

#[tokio::test]
async fn reset_is_a_real_rst() {
    let before = openai(&rule("reset = {}").await, "").await;
    assert_eq!((before.status, before.end), (None, End::Reset));
    for after in 0..=4 {
        let sim = rule(&format!("reset = {{ after_chunks = {after} }}")).await;
        let seen = openai(&sim, STREAM).await;
        assert_eq!(seen.end, End::Reset);
        assert_eq!(
            seen.streamed_text(),
            "one two three four"
                .split_inclusive(char::is_alphabetic)
                .collect::<String>()
                .split(' ')
                .take(after)
                .collect::<Vec<_>>()
                .join(" ")
        );
        assert!(!seen.data().iter().any(|data| data == "[DONE]"));
        assert_eq!(sim.received()[0].ended, Ended::Broken);
    }
    let whole = openai(&rule("reset = { after_bytes = 10 }").await, "").await;
    assert_eq!(
        (whole.status, whole.body.len(), whole.end),
        (Some(200), 10, End::Reset)
    );
}

#[tokio::test]
async fn close_is_a_fin_without_a_reply() {
    let sim = rule("close = true").await;
    let seen = openai(&sim, "").await;
    assert_eq!(
        (seen.status, seen.head.as_str(), seen.end),
        (None, "", End::Early)
    );
    assert_eq!(sim.received()[0].status, None);
}

#[tokio::test]
async fn a_cut_stream_breaks_the_message_and_a_clean_one_does_not() {
    for clean in [false, true] {
        let sim = rule(&format!("cut = {{ after_chunks = 3, clean = {clean} }}")).await;
        for seen in [openai(&sim, STREAM).await, anthropic(&sim, STREAM).await] {
            assert_eq!(seen.end, if clean { End::Complete } else { End::Early });
            assert_eq!(seen.streamed_text(), "one two three");
            let text = seen.text();
            assert!(
                !text.contains("[DONE]")
                    && !text.contains("message_stop")
                    && !text.contains("\"finish_reason\":\"stop\"")
            );
        }
    }
}

#[tokio::test]
async fn a_stream_can_be_cut_at_any_byte() {
    let full = openai(&start("text = \"one two three four\"").await, STREAM).await;
    for bytes in [0, 1, 100, 301] {
        let seen = openai(
            &rule(&format!("cut = {{ after_bytes = {bytes} }}")).await,
            STREAM,
        )
        .await;
        assert_eq!(
            (seen.body.as_slice(), seen.end),
            (&full.body[..bytes], End::Early)
        );
    }
}

#[tokio::test]
async fn a_cut_whole_body_is_shorter_than_promised() {
    let seen = openai(&rule("cut = { after_bytes = 40 }").await, "").await;
    assert_eq!(
        (seen.status, seen.body.len(), seen.end),
        (Some(200), 40, End::Early)
    );
    assert!(
        seen.header("content-length")
            .unwrap()
            .parse::<usize>()
            .unwrap()
            > 40
    );
    let clean = openai(&rule("cut = { after_chunks = 1, clean = true }").await, "").await;
    assert_eq!(clean.end, End::Complete);
    assert!(serde_json::from_slice::<serde_json::Value>(&clean.body).is_err());
}

#[tokio::test]
async fn empty_answers() {
    let content = rule("empty = \"content\"").await;
    let whole = openai(&content, "").await.json();
    assert_eq!(
        (
            whole["choices"][0]["message"]["content"].as_str(),
            &whole["usage"]["completion_tokens"]
        ),
        (Some(""), &0.into())
    );
    assert_eq!(
        anthropic(&content, "").await.json()["content"],
        serde_json::json!([])
    );
    for seen in [
        openai(&content, STREAM).await,
        anthropic(&content, STREAM).await,
    ] {
        assert_eq!(
            (seen.streamed_text().as_str(), seen.end),
            ("", End::Complete)
        );
        assert!(seen.text().contains("[DONE]") || seen.text().contains("message_stop"));
    }
    let body = rule("empty = \"body\"").await;
    for extra in ["", STREAM] {
        let seen = openai(&body, extra).await;
        assert_eq!(
            (seen.status, seen.body.len(), seen.end),
            (Some(200), 0, End::Complete)
        );
    }
}

#[tokio::test]
async fn garbled_answers() {
    let json = rule("garbled = \"json\"").await;
    let whole = openai(&json, "").await;
    assert_eq!(whole.end, End::Complete);
    assert!(serde_json::from_slice::<serde_json::Value>(&whole.body).is_err());
    assert_eq!(
        openai(&json, STREAM).await.streamed_text(),
        "one three four"
    );

    let utf8 = rule("garbled = \"utf8\"").await;
    for extra in ["", STREAM] {
        for seen in [openai(&utf8, extra).await, anthropic(&utf8, extra).await] {
            assert!(std::str::from_utf8(&seen.body).is_err());
            let repaired = String::from_utf8_lossy(&seen.body);
            let broken = repaired
                .lines()
                .filter_map(|line| line.strip_prefix("data: ").or(Some(line)))
                .filter(|line| line.contains('\u{FFFD}'));
            for line in broken {
                assert!(
                    serde_json::from_str::<serde_json::Value>(line).is_ok(),
                    "the JSON around it is sound"
                );
            }
        }
    }

    let event = rule("garbled = \"event\"").await;
    for seen in [
        openai(&event, STREAM).await,
        anthropic(&event, STREAM).await,
    ] {
        assert_eq!(
            (seen.streamed_text().as_str(), seen.end),
            ("one two three four", End::Complete)
        );
        let bad = seen
            .data()
            .iter()
            .filter(|data| {
                *data != "[DONE]" && serde_json::from_str::<serde_json::Value>(data).is_err()
            })
            .count();
        assert_eq!(bad, 1);
    }

    let html = rule("garbled = \"html\"").await;
    for extra in ["", STREAM] {
        let seen = openai(&html, extra).await;
        assert_eq!(
            (seen.status, seen.header("content-type")),
            (Some(200), Some("text/html; charset=UTF-8"))
        );
        assert!(seen.text().starts_with("<html>"));
    }
}

#[tokio::test]
async fn an_error_event_comes_inside_the_stream() {
    let sim = rule("error_event = { after_chunks = 2, preset = \"overloaded_529\" }").await;
    let seen = openai(&sim, STREAM).await;
    assert_eq!(
        (seen.status, seen.streamed_text().as_str()),
        (Some(200), "one two")
    );
    assert!(seen.events().last().unwrap()["error"]["message"].is_string());
    assert!(!seen.text().contains("[DONE]"));
    let seen = anthropic(&sim, STREAM).await;
    assert_eq!(
        (
            &seen.events().last().unwrap()["type"],
            seen.streamed_text().as_str()
        ),
        (&"error".into(), "one two")
    );
    assert!(seen.text().contains("event: error\ndata: "));
    let whole = openai(&sim, "").await;
    assert_eq!(whole.status, Some(200));
    assert!(whole.json()["error"].is_object());
}

#[tokio::test]
async fn slow_answers_take_their_time() {
    let sim =
        rule("slow = { latency = \"30ms\", first_token = \"40ms\", per_chunk = \"10ms\" }").await;
    for extra in ["", STREAM] {
        let begun = clock();
        assert_eq!(openai(&sim, extra).await.end, End::Complete);
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(100) && took < Duration::from_secs(2),
            "{took:?}"
        );
    }
}

#[tokio::test]
async fn a_drip_is_whole_in_the_end() {
    for wait in ["0ms", "1ms"] {
        let sim = rule(&format!("text = \"é 世\"\ndrip = \"{wait}\"")).await;
        let whole = openai(&sim, "").await;
        assert_eq!(whole.json()["choices"][0]["message"]["content"], "é 世");
        let streamed = openai(&sim, STREAM).await;
        assert_eq!(streamed.streamed_text(), "é 世");
        assert_eq!(streamed.chunks, vec![1; streamed.body.len()]);
    }
}

#[tokio::test]
async fn refusals_and_early_ends_have_the_wires_own_reason() {
    let refusal = rule("refusal = \"I cannot help with that.\"").await;
    let reply = openai(&refusal, "").await.json();
    assert_eq!(
        reply["choices"][0]["message"]["refusal"],
        "I cannot help with that."
    );
    assert_eq!(
        anthropic(&refusal, "").await.json()["stop_reason"],
        "refusal"
    );
    let length = rule("finish = \"length\"").await;
    assert_eq!(
        openai(&length, "").await.json()["choices"][0]["finish_reason"],
        "length"
    );
    assert_eq!(
        anthropic(&length, "").await.json()["stop_reason"],
        "max_tokens"
    );
    let filter = rule("finish = \"content_filter\"").await;
    assert_eq!(
        openai(&filter, "").await.json()["choices"][0]["finish_reason"],
        "content_filter"
    );
}

#[tokio::test]
async fn limits_are_honest() {
    let sim = start("[limits]\nrpm = 120").await;
    let first = openai(&sim, "").await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("120"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("119"));
    let mut refused = None;
    for _ in 0..200 {
        let seen = openai(&sim, "").await;
        if seen.status == Some(429) {
            refused = Some(seen);
            break;
        }
    }
    let refused = refused.expect("200 calls in a moment are too many");
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let wait: u64 = refused.header("retry-after-ms").unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_millis(wait)).await;
    assert_eq!(
        openai(&sim, "").await.status,
        Some(200),
        "who waits as told is let in"
    );
    let headers = [("x-api-key", "another")];
    let other = client::post(sim.addr(), "/v1/messages", &headers, &message("")).await;
    assert_eq!(
        other.header("anthropic-ratelimit-requests-remaining"),
        Some("119")
    );
    assert!(
        other
            .header("anthropic-ratelimit-requests-reset")
            .unwrap()
            .ends_with('Z')
    );
}

#[tokio::test]
async fn concurrency_counts_calls_until_their_last_byte() {
    let sim =
        start("[limits]\nconcurrency = 1\n[[rule]]\nstream = true\nstall = { for = \"forever\" }")
            .await;
    let address = sim.addr();
    let hanging = tokio::spawn(async move {
        request(
            address,
            "POST",
            "/v1/chat/completions",
            &[],
            &chat(STREAM),
            Duration::from_secs(30),
        )
        .await
    });
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls
            .iter()
            .any(|call| call.status.is_some()))
            .await
    );
    let refused = client::post(sim.addr(), "/v1/chat/completions", &[], &chat("")).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (Some(429), Some("1"))
    );
    hanging.abort();
    assert!(
        sim.wait_until(Duration::from_secs(5), |calls| calls
            .iter()
            .any(|call| call.hung_up()))
            .await
    );
    assert_eq!(
        client::post(sim.addr(), "/v1/chat/completions", &[], &chat(""))
            .await
            .status,
        Some(200)
    );
}
