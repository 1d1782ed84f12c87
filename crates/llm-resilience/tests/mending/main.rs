//! Streams that break after the caller has seen their beginning, on real sockets: wherever the break is,
//! whoever speaks which wire, the caller has the exact whole text or an explicit error.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod responses;

use llm_resilience::errors::Provider;
use llm_resilience::providers::chat::FinishReason;
use llm_resilience::providers::{Call, Dialect, Endpoint, Prefill, ReqwestTransport, form};
use llm_resilience::router::{OnCut, Policy, Windows};
use llm_resilience::{AnswerStream, Body, CallOptions, Client, Error, RouteSpec, TargetSpec, What};
use llm_sim::{Script, Sim, SimHandle};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const TEXT: &str = "Grüße aus Paris 👋: it is \"the capital\" of France,\nwith 你好 and all.";
const DIALECTS: [Dialect; 3] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
];

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().seed(7).script(script).start().await.unwrap()
}

/// Says `TEXT`, with what else the script says.
async fn speaker(script: &str) -> SimHandle {
    let text = serde_json::to_string(TEXT).unwrap();
    sim(&format!("text = {text}\n{script}")).await
}

/// A target that may take the beginning of an answer.
#[derive(Debug, Clone, Copy)]
struct Spoken {
    dialect: Dialect,
    prefill: Prefill,
}

fn endpoint(sim: &SimHandle, spoken: Spoken) -> Endpoint {
    let (provider, url) = match spoken.dialect {
        Dialect::AnthropicMessages => (Provider::Anthropic, sim.base_url()),
        _ => (Provider::OpenAi, sim.openai_base_url()),
    };
    Endpoint::builder(provider, "model-x")
        .base_url(url)
        .wire(spoken.dialect)
        .credential("test-key".to_owned().into())
        .prefill(spoken.prefill)
        .build()
        .unwrap()
}

fn policy(on_cut: OnCut) -> Policy {
    let mut policy = Policy::interactive();
    policy.windows = Windows {
        first_token: Duration::from_millis(400),
        idle: Duration::from_millis(300),
        ..Windows::default()
    };
    policy.on_cut = on_cut;
    policy
}

/// A client with `first` and, where it fails, `second`.
fn client(first: (&SimHandle, Spoken), second: (&SimHandle, Spoken), on_cut: OnCut) -> Client {
    let route = RouteSpec::new("chat")
        .tier(["first"])
        .tier(["second"])
        .policy(policy(on_cut));
    client_with(first, second, route)
}

fn client_with(
    first: (&SimHandle, Spoken),
    second: (&SimHandle, Spoken),
    route: RouteSpec,
) -> Client {
    // One for all: a transport is dear to set up.
    static TRANSPORT: LazyLock<Arc<ReqwestTransport>> =
        LazyLock::new(|| Arc::new(ReqwestTransport::try_new().unwrap()));
    Client::builder()
        .transport(TRANSPORT.clone())
        .target(TargetSpec::new("first", endpoint(first.0, first.1)))
        .target(TargetSpec::new("second", endpoint(second.0, second.1)))
        .route(route)
        .seed(1)
        .build()
        .unwrap()
}

fn request(dialect: Dialect, more: &str) -> Call {
    let (limit, turns) = match dialect {
        Dialect::OpenAiResponses => ("max_output_tokens", "input"),
        _ => ("max_tokens", "messages"),
    };
    let body = format!(
        r#"{{"model":"chat","stream":true,"{limit}":100,"{turns}":[{{"role":"user","content":"Where?"}}]{more}}}"#
    );
    Call::parse(dialect, body.into()).unwrap()
}

async fn ask(client: &Client, call: Call) -> AnswerStream {
    let answer = client.send("chat", call, CallOptions::default()).await;
    match answer.unwrap().body {
        Body::Stream(stream) => *stream,
        Body::Whole(_) => panic!("no stream"),
    }
}

/// All bytes of a stream, and the error that ended it, if one did.
async fn drain(stream: &mut AnswerStream) -> (Vec<u8>, Option<Error>) {
    let mut bytes = Vec::new();
    while let Some(next) = stream.next().await {
        match next {
            Ok(more) => bytes.extend_from_slice(&more),
            Err(error) => return (bytes, Some(error)),
        }
    }
    (bytes, None)
}

/// The text in a stream that may have no end.
fn text_of(dialect: Dialect, bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in String::from_utf8(bytes.to_vec()).unwrap().lines() {
        let Some(data) = line.strip_prefix("data: {") else {
            continue;
        };
        let event: serde_json::Value = serde_json::from_str(&format!("{{{data}")).unwrap();
        let part = match dialect {
            Dialect::AnthropicMessages => event.pointer("/delta/text"),
            Dialect::OpenAiResponses => {
                let is_text = event["type"] == "response.output_text.delta";
                event.get("delta").filter(|_| is_text)
            }
            _ => event.pointer("/choices/0/delta/content"),
        };
        text.push_str(part.and_then(|part| part.as_str()).unwrap_or_default());
    }
    text
}

fn spoken(dialect: Dialect, prefill: Prefill) -> Spoken {
    Spoken { dialect, prefill }
}

/// The chunks that the simulated provider makes of `TEXT`.
const CHUNKS: usize = 13;

/// For every place of the break, however it comes, between any two wires, in any dialect.
#[tokio::test]
async fn wherever_a_stream_breaks_the_caller_has_the_exact_whole_text() {
    let second = speaker("").await;
    let refusing = speaker("refuse_prefill = true").await;
    for first_wire in DIALECTS {
        for second_wire in DIALECTS {
            for caller in DIALECTS {
                for k in 0..=CHUNKS {
                    let breaks = [
                        format!("cut = {{ after_chunks = {k} }}"),
                        format!("cut = {{ after_chunks = {k}, clean = true }}"),
                        format!(
                            "error_event = {{ after_chunks = {k}, preset = \"overloaded_529\" }}"
                        ),
                    ];
                    // All breaks of all places would take long: each place meets one of each.
                    let wires = [first_wire, second_wire, caller];
                    let all = !wires.contains(&Dialect::OpenAiResponses);
                    // An overload is waited for.
                    let most = if all { breaks.len() } else { 2 };
                    let how = &breaks[(k + usize::from(caller == first_wire)) % most];
                    let first = speaker(&format!("[[rule]]\n{how}")).await;
                    for (nth, (second, prefill)) in [
                        (&second, Prefill::None),
                        (&second, Prefill::Plain),
                        (&refusing, Prefill::Plain),
                    ]
                    .into_iter()
                    .enumerate()
                    {
                        // Nor do all wires meet all of them in each place, and a break before the first
                        // word is waited for.
                        if !all && (nth != k % 3 || k == 0) {
                            continue;
                        }
                        let client = client(
                            (&first, spoken(first_wire, Prefill::None)),
                            (second, spoken(second_wire, prefill)),
                            OnCut::Continue,
                        );
                        let mut stream = ask(&client, request(caller, "")).await;
                        let (bytes, broke) = drain(&mut stream).await;
                        let case = format!(
                            "{first_wire} to {second_wire} for {caller}, {how}, {prefill:?}"
                        );
                        assert!(broke.is_none(), "{case}: {broke:?}");
                        let reply = form::decode_stream(caller, &bytes)
                            .unwrap_or_else(|| panic!("{case}: no whole stream"));
                        assert_eq!(reply.text(), TEXT, "{case}");
                        assert_eq!(reply.finish, Some(FinishReason::Stop), "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn the_tokens_of_a_joined_answer_are_those_of_the_answer() {
    let whole = speaker("").await;
    for prefill in [Prefill::None, Prefill::Plain] {
        let first = speaker("[[rule]]\ncut = { after_chunks = 9 }").await;
        let second = speaker("").await;
        let wire = Dialect::AnthropicMessages;
        let client = client(
            (&first, spoken(wire, Prefill::None)),
            (&second, spoken(wire, prefill)),
            OnCut::Continue,
        );
        let mut stream = ask(&client, request(wire, "")).await;
        let (bytes, _) = drain(&mut stream).await;
        let joined = form::decode_stream(wire, &bytes).unwrap().usage;
        let alone = client_with(
            (&whole, spoken(wire, Prefill::None)),
            (&whole, spoken(wire, Prefill::None)),
            RouteSpec::new("chat").tier(["first"]),
        );
        let (bytes, _) = drain(&mut ask(&alone, request(wire, "")).await).await;
        let plain = form::decode_stream(wire, &bytes).unwrap().usage;
        assert_eq!(joined.input_tokens, plain.input_tokens, "{prefill:?}");
        assert_eq!(joined.output_tokens, plain.output_tokens, "{prefill:?}");
        assert_eq!(stream.usage().output_tokens, plain.output_tokens);
    }
}

#[tokio::test]
async fn an_answer_that_goes_on_differently_is_an_error_and_not_a_word_of_it_is_seen() {
    let first = speaker("[[rule]]\ncut = { after_chunks = 5 }").await;
    let second = sim("text = \"Grüße aus Rom, the capital of Italy\"").await;
    for caller in DIALECTS {
        let client = client(
            (&first, spoken(Dialect::OpenAiChat, Prefill::None)),
            (&second, spoken(Dialect::OpenAiChat, Prefill::None)),
            OnCut::Restart,
        );
        let mut stream = ask(&client, request(caller, "")).await;
        let (bytes, broke) = drain(&mut stream).await;
        let error = broke.unwrap();
        assert_eq!(error.what(), What::Broken);
        let trail = error.trail().unwrap().to_string();
        assert!(trail.contains("by replay diverged"), "{trail}");
        let text = text_of(caller, &bytes);
        assert!(TEXT.starts_with(&text) && !text.is_empty(), "{text}");
        assert!(form::decode_stream(caller, &bytes).is_none());
    }
}

#[tokio::test]
async fn a_stream_that_stands_still_goes_on_elsewhere() {
    let first = speaker("[[rule]]\nstall = { after_chunks = 4, for = \"forever\" }").await;
    let second = speaker("").await;
    let client = client(
        (&first, spoken(Dialect::OpenAiChat, Prefill::None)),
        (&second, spoken(Dialect::AnthropicMessages, Prefill::Plain)),
        OnCut::Continue,
    );
    let mut stream = ask(&client, request(Dialect::OpenAiChat, "")).await;
    let (bytes, broke) = drain(&mut stream).await;
    assert!(broke.is_none());
    assert_eq!(text_of(Dialect::OpenAiChat, &bytes), TEXT);
    let gone = first.wait_until(Duration::from_secs(2), |calls| {
        calls.iter().all(llm_sim::Received::hung_up)
    });
    assert!(gone.await, "the call that stood still is cancelled");
}

#[tokio::test]
async fn nothing_is_continued_where_it_must_not_be() {
    let tools = r#","tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]"#;
    let cut = "[[rule]]\ncut = { after_chunks = 3 }";
    let call = "[[rule]]\ntool = \"look\"\ncut = { after_chunks = 1 }";
    let cases = [
        ("the route says so", cut, "", OnCut::Error, false),
        ("side effects", cut, "", OnCut::Continue, true),
        ("a tool call has begun", call, tools, OnCut::Continue, false),
    ];
    for (case, script, more, on_cut, side_effects) in cases {
        let first = speaker(script).await;
        let second = speaker("").await;
        let client = client(
            (&first, spoken(Dialect::OpenAiChat, Prefill::None)),
            (&second, spoken(Dialect::OpenAiChat, Prefill::Plain)),
            on_cut,
        );
        let mut options = CallOptions::default();
        options.side_effects = side_effects;
        let answer = client.send("chat", request(Dialect::OpenAiChat, more), options);
        let Body::Stream(mut stream) = answer.await.unwrap().body else {
            panic!("{case}: no stream");
        };
        let (bytes, broke) = drain(&mut stream).await;
        assert_eq!(broke.unwrap().what(), What::Broken, "{case}");
        assert!(!String::from_utf8(bytes).unwrap().contains("[DONE]"));
        assert_eq!(second.count(), 0, "{case}");
    }
}

#[tokio::test]
async fn a_caller_who_leaves_while_the_rest_is_looked_for_ends_it_all() {
    let first = speaker("[[rule]]\ncut = { after_chunks = 4 }").await;
    let second = speaker("[[rule]]\nhang = \"forever\"").await;
    let client = client(
        (&first, spoken(Dialect::OpenAiChat, Prefill::None)),
        (&second, spoken(Dialect::OpenAiChat, Prefill::None)),
        OnCut::Continue,
    );
    let mut stream = ask(&client, request(Dialect::OpenAiChat, "")).await;
    loop {
        let next = tokio::time::timeout(Duration::from_millis(150), stream.next());
        match next.await {
            Ok(next) => assert!(next.unwrap().is_ok()),
            // The rest is being looked for.
            Err(_) => break,
        }
    }
    assert_eq!(second.count(), 1);
    drop(stream);
    let gone = second.wait_until(Duration::from_secs(2), |calls| {
        calls.iter().all(llm_sim::Received::hung_up)
    });
    assert!(gone.await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((first.count(), second.count()), (1, 1));
    let table = client.table();
    assert!(table.targets().all(|target| table.in_flight(target) == 0));
}

#[tokio::test]
async fn a_reader_who_looks_away_and_comes_back_misses_nothing() {
    let first = speaker("[[rule]]\ncut = { after_chunks = 6 }").await;
    let second = speaker("latency = \"50ms\"\ntokens_per_second = 200").await;
    let client = client(
        (&first, spoken(Dialect::AnthropicMessages, Prefill::None)),
        (&second, spoken(Dialect::OpenAiChat, Prefill::None)),
        OnCut::Continue,
    );
    let mut stream = ask(&client, request(Dialect::OpenAiChat, "")).await;
    let mut bytes = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_millis(1), stream.next());
        match next.await {
            Ok(Some(next)) => bytes.extend_from_slice(&next.unwrap()),
            Ok(None) => break,
            Err(_) => {}
        }
    }
    assert_eq!(text_of(Dialect::OpenAiChat, &bytes), TEXT);
    assert_eq!(second.count(), 1);
}

#[tokio::test]
async fn a_second_break_is_mended_too_and_the_trail_names_each_seam() {
    let first = speaker("[[rule]]\ncut = { after_chunks = 3 }").await;
    let second = speaker("[[rule]]\ncalls = 1\ncut = { after_chunks = 6 }").await;
    let client = client(
        (&first, spoken(Dialect::OpenAiChat, Prefill::None)),
        (&second, spoken(Dialect::AnthropicMessages, Prefill::None)),
        OnCut::Continue,
    );
    let mut stream = ask(&client, request(Dialect::OpenAiChat, "")).await;
    let (bytes, broke) = drain(&mut stream).await;
    // The first has nothing else to say either, and the second is asked once more.
    let case = broke.map(|error| error.trail().unwrap().to_string());
    assert_eq!(case, None);
    assert_eq!(text_of(Dialect::OpenAiChat, &bytes), TEXT);
}

#[tokio::test]
async fn an_answer_goes_on_after_reasoning_that_was_finished_before_the_break() {
    let second = speaker("").await;
    let mut seen = 0;
    for k in 0..=CHUNKS {
        let first = speaker(&format!(
            "[[rule]]\nthinking = \"Let me see.\"\ncut = {{ after_chunks = {k} }}"
        ))
        .await;
        let client = client(
            (&first, spoken(Dialect::AnthropicMessages, Prefill::None)),
            (&second, spoken(Dialect::OpenAiChat, Prefill::None)),
            OnCut::Continue,
        );
        let mut stream = ask(&client, request(Dialect::AnthropicMessages, "")).await;
        let (bytes, broke) = drain(&mut stream).await;
        let text = text_of(Dialect::AnthropicMessages, &bytes);
        if let Some(error) = broke {
            // Reasoning that was cut cannot be sealed.
            assert_eq!(error.what(), What::Broken, "after {k} chunks");
            assert_eq!(text, "", "after {k} chunks");
            continue;
        }
        assert_eq!(text, TEXT, "after {k} chunks");
        let read = form::decode_stream(Dialect::AnthropicMessages, &bytes);
        assert_eq!(read.unwrap().text(), TEXT, "after {k} chunks");
        seen += usize::from(String::from_utf8(bytes).unwrap().contains("see."));
    }
    assert!(seen > 5, "{seen} answers kept the reasoning");
}
