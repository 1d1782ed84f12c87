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
use llm_sim::{Script, Sim, SimHandle};
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
