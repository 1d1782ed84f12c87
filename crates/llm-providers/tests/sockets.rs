//! The whole way over real sockets, against the simulator.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use llm_errors::{Certainty, ErrorKind, Phase, Provider};
use llm_providers::chat::{FinishReason, Request};
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, Failure, ReplyStream, ReqwestTransport, Windows, exchange,
    form,
};
use llm_sim::{Fault, Reply, Rule, Script, Sim, SimHandle};
use std::time::{Duration, SystemTime};

const OPENAI: Dialect = Dialect::OpenAiChat;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;
const TEXT: &str = "one two three four five six";

/// Wide enough for a busy machine, and short enough for the tests of silence.
const WINDOWS: Windows = Windows {
    connect: Duration::from_secs(5),
    first_token: Duration::from_millis(1_500),
    idle: Duration::from_millis(700),
    total: Duration::from_secs(20),
    thinking: Duration::ZERO,
};

async fn start(rule: &str) -> SimHandle {
    let script = format!("text = \"{TEXT}\"\n{rule}");
    let script = Script::from_toml(&script).expect("the script makes sense");
    Sim::builder()
        .script(script)
        .seed(7)
        .start()
        .await
        .expect("the loopback has a free port")
}

async fn rule(rule: &str) -> SimHandle {
    start(&format!("[[rule]]\n{rule}")).await
}

fn endpoint(sim: &SimHandle, dialect: Dialect) -> Endpoint {
    let (provider, model) = match dialect {
        Dialect::AnthropicMessages => (Provider::Anthropic, "claude-sonnet-5"),
        _ => (Provider::OpenAi, "gpt-4o"),
    };
    Endpoint::builder(provider, model)
        .base_url(sim.openai_base_url())
        .credential("test-key".into())
        .build()
        .unwrap()
}

fn call(dialect: Dialect, stream: bool) -> Call {
    let body = format!(
        r#"{{"model":"route","max_tokens":64,"stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    Call::parse(dialect, body.into()).unwrap()
}

async fn send(endpoint: &Endpoint, call: &Call) -> Result<Exchange, Failure> {
    let transport = ReqwestTransport::try_new().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    exchange(&transport, endpoint, call, &WINDOWS, now).await
}

async fn drain(stream: &mut ReplyStream) -> (String, Option<Failure>) {
    let mut all = Vec::new();
    while let Some(item) = stream.next().await {
        match item {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(failure) => return (String::from_utf8_lossy(&all).into_owned(), Some(failure)),
        }
    }
    (String::from_utf8_lossy(&all).into_owned(), None)
}

async fn stream(
    sim: &SimHandle,
    upstream: Dialect,
    caller: Dialect,
) -> Result<(String, Option<Failure>), Failure> {
    match send(&endpoint(sim, upstream), &call(caller, true)).await? {
        Exchange::Stream(mut stream) => Ok(drain(&mut stream).await),
        Exchange::Whole(_) => unreachable!("a stream was asked for"),
    }
}

#[tokio::test]
async fn every_pair_of_dialects_gets_the_answer_whole_and_streamed() {
    let sim = start("").await;
    for upstream in [OPENAI, ANTHROPIC] {
        for caller in [OPENAI, ANTHROPIC] {
            let exchange = send(&endpoint(&sim, upstream), &call(caller, false))
                .await
                .unwrap();
            let Exchange::Whole(whole) = exchange else {
                unreachable!("no stream was asked for")
            };
            let reply = form::decode_whole(caller, &whole.body).unwrap();
            assert_eq!(
                (reply.text().as_str(), reply.finish),
                (TEXT, Some(FinishReason::Stop))
            );
            assert!(whole.facts.usage.output_tokens > 0);

            let (text, failure) = stream(&sim, upstream, caller).await.unwrap();
            assert!(failure.is_none(), "{failure:?}");
            let reply = form::decode_stream(caller, text.as_bytes()).unwrap();
            assert_eq!(
                (reply.text().as_str(), reply.finish),
                (TEXT, Some(FinishReason::Stop))
            );
        }
    }
    let received = sim.received();
    assert_eq!(received.len(), 8, "one call each");
    for call in &received {
        let key = if call.path.ends_with("/messages") {
            "x-api-key"
        } else {
            "authorization"
        };
        assert!(
            call.header(key).is_some() && !call.hung_up(),
            "{}",
            call.path
        );
        assert_ne!(call.model.as_deref(), Some("route"));
        assert_eq!(call.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn a_call_built_in_rust_is_answered() {
    let sim = start("").await;
    for upstream in [OPENAI, ANTHROPIC] {
        let request = Request::new("route")
            .system("Be brief.")
            .user("hi")
            .max_tokens(64);
        let call = Call::from_chat(request).unwrap();
        let Exchange::Whole(whole) = send(&endpoint(&sim, upstream), &call).await.unwrap() else {
            unreachable!("no stream was asked for")
        };
        assert_eq!(whole.chat().unwrap().text(), TEXT);
    }
}

#[tokio::test]
async fn the_providers_errors_are_understood() {
    let cases = [
        ("rate_limit", ErrorKind::RateLimitRequests),
        ("insufficient_quota", ErrorKind::QuotaExhausted),
        ("overloaded_529", ErrorKind::Overloaded),
        ("html_502", ErrorKind::BadGatewayHtml),
        ("context_length", ErrorKind::ContextLength),
    ];
    for (preset, kind) in cases {
        let sim = rule(&format!("preset = \"{preset}\"")).await;
        for streamed in [false, true] {
            let failure = send(&endpoint(&sim, OPENAI), &call(OPENAI, streamed))
                .await
                .unwrap_err();
            assert_eq!(failure.verdict.kind, kind, "{preset}");
            assert_eq!(failure.verdict.phase, Phase::FirstByte);
            assert!(failure.status.is_some_and(|status| status >= 400));
        }
        assert_eq!(sim.count(), 2, "nothing is retried here");
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_never_sent_anything() {
    let sim = start("").await;
    let endpoint = endpoint(&sim, OPENAI);
    sim.shutdown().await;
    let failure = send(&endpoint, &call(OPENAI, false)).await.unwrap_err();
    assert_eq!(failure.verdict.kind, ErrorKind::Network);
    assert_eq!(failure.verdict.phase, Phase::Connect);
    assert_eq!(failure.verdict.certainty, Certainty::NeverSent);
}

#[tokio::test]
async fn a_server_without_tls_is_a_failed_connection() {
    let sim = start("").await;
    let secure = Endpoint::builder(Provider::OpenAi, "m")
        .base_url(sim.openai_base_url().replace("http:", "https:"))
        .build()
        .unwrap();
    let failure = send(&secure, &call(OPENAI, false)).await.unwrap_err();
    assert_eq!(
        (failure.verdict.kind, failure.verdict.phase),
        (ErrorKind::Network, Phase::Connect)
    );
}

#[tokio::test]
async fn a_handshake_that_hangs_runs_into_the_connect_window() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let secure = Endpoint::builder(Provider::OpenAi, "m")
        .base_url(format!("https://{}/v1", silent.local_addr().unwrap()))
        .build()
        .unwrap();
    let transport = ReqwestTransport::try_new().unwrap();
    let windows = Windows {
        connect: Duration::from_millis(100),
        ..WINDOWS
    };
    let begun = tokio::time::Instant::now();
    let now = SystemTime::UNIX_EPOCH;
    let failure = exchange(&transport, &secure, &call(OPENAI, false), &windows, now)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.verdict.kind, failure.verdict.phase),
        (ErrorKind::Timeout, Phase::Connect)
    );
    assert_eq!(failure.verdict.certainty, Certainty::NeverSent);
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "not the transport's own five seconds"
    );
}

#[tokio::test]
async fn a_connection_lost_before_the_reply_may_have_executed() {
    for fault in ["reset = {}", "close = true"] {
        let sim = rule(fault).await;
        let failure = send(&endpoint(&sim, OPENAI), &call(OPENAI, true))
            .await
            .unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::Network, "{fault}");
        assert_eq!(failure.verdict.phase, Phase::Sent, "{fault}");
        assert_eq!(failure.verdict.certainty, Certainty::MayHaveExecuted);
        assert_eq!(sim.count(), 1, "the client does not retry by itself");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = start("").await;
    let rule = format!(
        "status = 307\nheaders = {{ location = \"{}/chat/completions\" }}\nbody = \"\"",
        elsewhere.openai_base_url()
    );
    let sim = self::rule(&rule).await;
    let failure = send(&endpoint(&sim, OPENAI), &call(OPENAI, false))
        .await
        .unwrap_err();
    assert_eq!(failure.status, Some(307));
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn silence_runs_into_the_first_token_window() {
    for fault in [
        "hang = \"forever\"",
        "silence = \"forever\"",
        "stall = { after_chunks = 0, for = \"forever\" }",
    ] {
        let sim = rule(fault).await;
        let failure = stream(&sim, OPENAI, OPENAI).await.unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::Timeout, "{fault}");
        let left = sim
            .wait_until(Duration::from_secs(5), |calls| {
                calls.iter().all(llm_sim::Received::hung_up)
            })
            .await;
        assert!(left, "the call is given up at the provider too");
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_at_every_place_and_in_every_dialect() {
    for upstream in [OPENAI, ANTHROPIC] {
        for caller in [OPENAI, ANTHROPIC] {
            for after in 1..=5 {
                for fault in [
                    "reset = { after_chunks = N }",
                    "cut = { after_chunks = N }",
                    "cut = { after_chunks = N, clean = true }",
                ] {
                    let sim = rule(&fault.replace('N', &after.to_string())).await;
                    let (text, failure) = stream(&sim, upstream, caller).await.unwrap();
                    let failure = failure.expect("a break is an error");
                    assert_eq!(failure.verdict.kind, ErrorKind::Truncated, "{fault}");
                    assert_eq!(failure.verdict.phase, Phase::MidStream);
                    assert!(
                        form::decode_stream(caller, text.as_bytes()).is_none(),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_before_its_first_content_is_a_plain_failure() {
    for fault in [
        "reset = { after_chunks = 0 }",
        "cut = { after_chunks = 0 }",
        "cut = { after_chunks = 0, clean = true }",
        "empty = \"content\"",
        "empty = \"body\"",
        "garbled = \"html\"",
    ] {
        let sim = rule(fault).await;
        for upstream in [OPENAI, ANTHROPIC] {
            assert!(stream(&sim, upstream, OPENAI).await.is_err(), "{fault}");
        }
    }
}

#[tokio::test]
async fn a_stall_in_the_middle_runs_into_the_idle_window() {
    let sim = rule("stall = { after_chunks = 2, for = \"forever\" }").await;
    let (text, failure) = stream(&sim, ANTHROPIC, OPENAI).await.unwrap();
    let failure = failure.unwrap();
    assert_eq!(
        (failure.verdict.kind, failure.verdict.phase),
        (ErrorKind::Timeout, Phase::MidStream)
    );
    assert!(text.contains("two") && !text.contains("three"));
}

#[tokio::test]
async fn an_error_inside_a_stream_is_understood_before_and_after_the_first_content() {
    let sim = rule("error_event = { after_chunks = 0, preset = \"overloaded_529\" }").await;
    for upstream in [OPENAI, ANTHROPIC] {
        let failure = stream(&sim, upstream, OPENAI).await.unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::Overloaded);
    }
    let sim = rule("error_event = { after_chunks = 3, preset = \"overloaded_529\" }").await;
    for upstream in [OPENAI, ANTHROPIC] {
        let (_, failure) = stream(&sim, upstream, OPENAI).await.unwrap();
        assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Overloaded);
    }
}

#[tokio::test]
async fn a_malformed_event_among_good_ones_is_never_an_unseen_hole() {
    let sim = rule("garbled = \"event\"").await;
    for upstream in [OPENAI, ANTHROPIC] {
        let (text, failure) = stream(&sim, upstream, upstream).await.unwrap();
        let verdict = failure.unwrap().verdict;
        assert_eq!(
            (verdict.kind, verdict.phase),
            (ErrorKind::Truncated, Phase::MidStream)
        );
        assert!(form::decode_stream(upstream, text.as_bytes()).is_none());
    }
}

#[tokio::test]
async fn a_stream_of_single_bytes_arrives_whole() {
    let sim = rule("drip = \"0ms\"").await;
    for caller in [OPENAI, ANTHROPIC] {
        let (text, failure) = stream(&sim, OPENAI, caller).await.unwrap();
        assert!(failure.is_none());
        assert_eq!(
            form::decode_stream(caller, text.as_bytes()).unwrap().text(),
            TEXT
        );
    }
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_call_at_the_provider() {
    let sim = rule("slow = { per_chunk = \"200ms\" }").await;
    let exchange = send(&endpoint(&sim, OPENAI), &call(OPENAI, true))
        .await
        .unwrap();
    drop(exchange);
    let left = sim
        .wait_until(Duration::from_secs(5), |calls| {
            calls.iter().all(llm_sim::Received::hung_up)
        })
        .await;
    assert!(left);
}

#[tokio::test]
async fn a_whole_answer_that_is_cut_or_garbled_is_a_failure() {
    for fault in [
        "cut = { after_bytes = 40 }",
        "cut = { after_bytes = 40, clean = true }",
        "reset = { after_bytes = 40 }",
        "garbled = \"json\"",
        "garbled = \"html\"",
        "empty = \"content\"",
        "empty = \"body\"",
    ] {
        let sim = rule(fault).await;
        for upstream in [OPENAI, ANTHROPIC] {
            assert!(
                send(&endpoint(&sim, upstream), &call(OPENAI, false))
                    .await
                    .is_err(),
                "{fault}"
            );
        }
    }
}

/// A server that answers every call with these bytes, whatever was asked.
async fn recorded(content_type: &str, body: &str) -> SimHandle {
    let rule = Rule::new()
        .response_header("content-type", content_type)
        .fault(Fault::Reply(Reply::new(200).body(body)));
    let script = Script::builder().rule(rule).build().unwrap();
    let sim = Sim::builder().script(script).start().await;
    sim.expect("the loopback has a free port")
}

#[tokio::test]
async fn a_server_that_streams_unasked_is_understood_and_a_part_is_never_the_whole() {
    let healthy = start("").await;
    for upstream in [OPENAI, ANTHROPIC] {
        let (events, _) = stream(&healthy, upstream, upstream).await.unwrap();
        for caller in [OPENAI, ANTHROPIC] {
            let whole = |events: String| async move {
                let sim = recorded("text/event-stream; charset=utf-8", &events).await;
                send(&endpoint(&sim, upstream), &call(caller, false)).await
            };
            let Ok(Exchange::Whole(answer)) = whole(events.clone()).await else {
                unreachable!("the events make a whole answer")
            };
            let reply = form::decode_whole(caller, &answer.body).unwrap();
            assert_eq!(
                (reply.text().as_str(), reply.finish),
                (TEXT, Some(FinishReason::Stop))
            );
            let counted = answer.facts.usage.output_tokens > 0;
            assert_eq!(
                counted,
                upstream == ANTHROPIC,
                "OpenAI counts only where asked to"
            );

            let finish = events.find("four").unwrap();
            let cut = events.get(..finish).unwrap().rfind("\n\n").unwrap() + 2;
            let failure = whole(events.get(..cut).unwrap().into()).await.unwrap_err();
            assert_eq!(failure.verdict.kind, ErrorKind::Network);
            assert!(failure.verdict.is_retryable());
            assert_eq!(failure.message(), None, "words of the model are no message");
            let error = r#"data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
            let broken = format!("{}{error}\n\n", events.get(..cut).unwrap());
            let failure = whole(broken).await.unwrap_err();
            assert_eq!(failure.verdict.kind, ErrorKind::Overloaded);
            let failure = whole(": nothing\n\n".into()).await.unwrap_err();
            assert_ne!(failure.verdict.kind, ErrorKind::Other);
        }
    }
}

#[tokio::test]
async fn a_gzipped_answer_that_nobody_asked_for_is_unpacked() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// `{"choices":[{"index":0,"message":{"role":"assistant","content":"packed"},"finish_reason":"stop"}]}`
    const PACKED: &[u8] = &[
        0x1f, 0x8b, 0x8, 0x0, 0x0, 0x0, 0x0, 0x0, 0x2, 0x3, 0xd, 0xc9, 0x31, 0xa, 0xc4, 0x30, 0xc,
        0x44, 0xd1, 0xbb, 0x4c, 0xed, 0x22, 0xb5, 0xaf, 0xb2, 0x84, 0x20, 0x1c, 0x25, 0x11, 0xd9,
        0x95, 0x4c, 0xc6, 0xc5, 0x82, 0xf1, 0xdd, 0xe3, 0xea, 0x3f, 0xf8, 0x1d, 0xe5, 0xa, 0x2b,
        0x4a, 0xe4, 0x4f, 0x87, 0xf9, 0xae, 0x7f, 0xe4, 0x25, 0xe1, 0xa7, 0xa4, 0x9c, 0x8a, 0xdc,
        0xf1, 0xc4, 0x77, 0x16, 0x42, 0x1a, 0x9b, 0x78, 0x43, 0x42, 0x9, 0x6f, 0x3a, 0x95, 0x51,
        0xa5, 0xdc, 0xba, 0x63, 0x24, 0x1c, 0xe6, 0xc6, 0x6b, 0x7b, 0x54, 0x18, 0x3e, 0xf, 0x5b,
        0x54, 0x8c, 0x75, 0xbc, 0xca, 0x8c, 0xd2, 0xf4, 0x62, 0x0, 0x0, 0x0,
    ];
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"}]}") {
            let read = socket.read_buf(&mut asked).await.unwrap();
            assert!(read > 0, "the request ended early");
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            PACKED.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(PACKED).await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    let endpoint = Endpoint::builder(Provider::OpenAi, "m")
        .base_url(base)
        .build()
        .unwrap();
    let Ok(Exchange::Whole(whole)) = send(&endpoint, &call(OPENAI, false)).await else {
        unreachable!("the answer is whole")
    };
    assert_eq!(whole.chat().unwrap().text(), "packed");
    let asked = server.await.unwrap();
    assert!(asked.contains("accept-encoding: identity\r\n"), "{asked}");
}
