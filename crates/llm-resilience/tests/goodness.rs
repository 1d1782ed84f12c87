//! Answers that came and are no good, prompts that are too long or refused: on real sockets.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use llm_resilience::errors::{ErrorKind, Provider};
use llm_resilience::providers::{Call, Dialect, Endpoint, Hold, ReqwestTransport, chat, form};
use llm_resilience::quality::{Finding, Language, Similarity};
use llm_resilience::router::{HopResult, Policy, Trace, Truncate};
use llm_resilience::{
    Answer, Body, CallOptions, Client, Degraded, Error, Mode, Quality, Rewrite, RouteSpec,
    TargetSpec,
};
use llm_sim::{Script, Sim, SimHandle};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

struct World {
    first: SimHandle,
    second: SimHandle,
    client: Client,
}

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().seed(7).script(script).start().await.unwrap()
}

async fn world(first: &str, second: &str, route: impl FnOnce(RouteSpec) -> RouteSpec) -> World {
    static TRANSPORT: LazyLock<Arc<ReqwestTransport>> =
        LazyLock::new(|| Arc::new(ReqwestTransport::try_new().unwrap()));
    let (first, second) = (sim(first).await, sim(second).await);
    let endpoint = |sim: &SimHandle| {
        Endpoint::builder(Provider::OpenAi, "model-x")
            .base_url(sim.openai_base_url())
            .credential("test-key".to_owned().into())
            .build()
            .unwrap()
    };
    let spec = RouteSpec::new("chat").tier(["first"]).tier(["second"]);
    let client = Client::builder()
        .transport(TRANSPORT.clone())
        .target(TargetSpec::new("first", endpoint(&first)))
        .target(TargetSpec::new("second", endpoint(&second)))
        .route(route(spec))
        .seed(1)
        .build()
        .unwrap();
    World {
        first,
        second,
        client,
    }
}

fn call(stream: bool, more: &str) -> Call {
    let body = format!(
        r#"{{"model":"chat","stream":{stream},"messages":[{{"role":"user","content":"Where is the Eiffel tower?"}}]{more}}}"#
    );
    Call::parse(Dialect::OpenAiChat, body.into()).unwrap()
}

impl World {
    async fn ask(&self, call: Call) -> Result<Answer, Error> {
        self.client.send("chat", call, CallOptions::default()).await
    }

    fn calls(&self) -> (u64, u64) {
        (self.first.count(), self.second.count())
    }
}

async fn text(answer: Answer) -> String {
    match answer.body {
        Body::Whole(body) => form::decode_whole(answer.dialect, &body).unwrap().text(),
        Body::Stream(mut stream) => {
            let mut bytes = Vec::new();
            while let Some(next) = stream.next().await {
                bytes.extend_from_slice(&next.unwrap());
            }
            form::decode_stream(answer.dialect, &bytes).unwrap().text()
        }
    }
}

fn found(trace: &Trace) -> Vec<Option<&'static str>> {
    trace.hops.iter().map(|hop| hop.finding).collect()
}

const GOOD: &str = "text = \"It is in Paris.\"";
const MOJIBAKE: &str =
    "text = \"Ã¤Ã¶Ã¼ Ã©tÃ© â€œParisâ€\u{9d} fÃ¼r Ã¼ber GrÃ¼ÃŸe schÃ¶n mÃ¼ssen Ã„rger kÃ¶nnen\"";
const JSON: &str = r#","response_format":{"type":"json_object"}"#;

#[tokio::test]
async fn a_bad_answer_goes_elsewhere_once_and_counts_on_quality() {
    let (words, json) = ("", JSON);
    let cases: [(&str, &str, &str, &'static str, Quality); 6] = [
        (MOJIBAKE, GOOD, words, "garbled", Quality::default()),
        (
            "[[rule]]\ntext = \"Sure! The city is Paris\"",
            "[[rule]]\ntext = \"{\\\"city\\\":\\\"Paris\\\"}\"",
            json,
            "invalid_json",
            Quality::default(),
        ),
        (
            "text = \"Oui\"",
            GOOD,
            words,
            "too_short",
            Quality::default().min_chars(10),
        ),
        (
            "text = \"Knead the dough until it is smooth and soft. \"\n[[rule]]\ntext = \"LOOP\"",
            GOOD,
            words,
            "repetitive",
            Quality::of([Finding::Repetitive]),
        ),
        (
            "text = \"Der Eiffelturm ist ein Turm in der Stadt Paris und nicht in der Stadt Rom, und er ist das Wahrzeichen der Stadt, die an der Seine liegt.\"",
            GOOD,
            words,
            "wrong_language",
            Quality::default().language(Language::English),
        ),
        (
            "[[rule]]\nfinish = \"length\"\ntext = \"It is in\"",
            GOOD,
            words,
            "cut_off",
            Quality::of([Finding::CutOff]),
        ),
    ];
    for (first, second, more, finding, quality) in cases {
        let looping = "Knead the dough until it is smooth and soft. ".repeat(60);
        let first = first.replace("LOOP", &looping);
        let world = world(&first, second, |route| route.quality(quality.clone())).await;
        let answer = world.ask(call(false, more)).await;
        let answer = answer.unwrap_or_else(|error| panic!("{finding}: {error}"));
        assert_eq!(found(&answer.served.trace), [Some(finding), None]);
        assert_eq!(answer.served.target_name(), Some("second"), "{finding}");
        assert!(text(answer).await.contains("Paris"));
        assert_eq!(world.calls(), (1, 1), "{finding}");
    }
}

#[tokio::test]
async fn after_the_second_bad_answer_there_is_no_third_and_none_is_presented_or_kept() {
    let degraded = |route: RouteSpec| {
        route
            .degraded(Degraded::Cached)
            .degraded(Degraded::message("Not now."))
    };
    let world = world(MOJIBAKE, MOJIBAKE, degraded).await;
    for _ in 0..2 {
        let answer = world.ask(call(false, "")).await.unwrap();
        assert_eq!(answer.served.degraded, Some(Mode::Message));
        assert_eq!(text(answer).await, "Not now.");
    }
    assert_eq!(world.calls(), (2, 2));
}

#[tokio::test]
async fn a_malformed_tool_call_goes_elsewhere() {
    let tools = r#","tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]"#;
    // The simulated provider can only call what is offered, so the answer is one of our own making.
    let foreign = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"delete","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
    let script = format!(
        "[[rule]]\nstatus = 200\nbody = {}",
        serde_json::to_string(foreign).unwrap()
    );
    let world = world(&script, "[[rule]]\ntool = \"look\"", |route| route).await;
    let answer = world.ask(call(false, tools)).await.unwrap();
    assert_eq!(answer.served.target_name(), Some("second"));
    let findings = found(&answer.served.trace);
    assert_eq!(findings, [Some("tool_call_invalid"), None]);
}

/// A stream on OpenAI's wire in which `name` is called with these arguments.
fn streamed_call(name: &str, arguments: &str, finish: &str) -> String {
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = serde_json::json!({ "index": 0, "delta": delta, "finish_reason": finish });
        let chunk = serde_json::json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] });
        format!("data: {chunk}\n\n")
    };
    let function = |function| serde_json::json!({ "tool_calls": [{ "index": 0, "id": "a", "type": "function", "function": function }] });
    let (begun, rest) = arguments.split_at(arguments.len() / 2);
    let stream = [
        chunk(
            function(serde_json::json!({ "name": name, "arguments": begun })),
            None,
        ),
        chunk(
            serde_json::json!({ "tool_calls": [{ "index": 0, "function": { "arguments": rest } }] }),
            None,
        ),
        chunk(serde_json::json!({}), Some(finish)),
        "data: [DONE]\n\n".to_owned(),
    ];
    format!(
        "[[rule]]\nstatus = 200\nheaders = {{ content-type = \"text/event-stream\" }}\nbody = {}",
        serde_json::to_string(&stream.concat()).unwrap()
    )
}

const TOOLS: &str =
    r#","tools":[{"type":"function","function":{"name":"look","parameters":{"type":"object"}}}]"#;

#[tokio::test]
async fn a_streamed_tool_call_that_is_not_whole_is_never_said_to_be_finished() {
    for dialect in [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::AnthropicMessages,
    ] {
        let broken = streamed_call("look", r#"{"place": "Par"#, "tool_calls");
        let world = world(&broken, GOOD, |route| route).await;
        let asked = match dialect {
            Dialect::OpenAiChat => call(true, TOOLS),
            Dialect::OpenAiResponses => Call::parse(dialect, r#"{"model":"chat","stream":true,"input":"hi","tools":[{"type":"function","name":"look","parameters":{"type":"object"}}]}"#.into()).unwrap(),
            _ => Call::parse(dialect, r#"{"model":"chat","stream":true,"max_tokens":99,"messages":[{"role":"user","content":"hi"}],"tools":[{"name":"look","input_schema":{"type":"object"}}]}"#.into()).unwrap(),
        };
        let Body::Stream(mut stream) = world.ask(asked).await.unwrap().body else {
            panic!("no stream");
        };
        let mut seen = Vec::new();
        let error = loop {
            match stream.next().await {
                Some(Ok(bytes)) => seen.extend_from_slice(&bytes),
                Some(Err(error)) => break error,
                None => panic!("{dialect}: {}", String::from_utf8(seen).unwrap()),
            }
        };
        assert_eq!(error.kind(), ErrorKind::ToolCallInvalid, "{dialect}");
        assert_eq!(world.calls(), (1, 0), "{dialect}");
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains("look"), "{dialect}: {seen}");
        let ends = [
            "finish_reason\":\"",
            "[DONE]",
            "response.completed",
            "message_stop",
        ];
        assert!(!ends.iter().any(|end| seen.contains(end)), "{seen}");
        assert!(form::decode_stream(dialect, seen.as_bytes()).is_none());
    }
}

#[tokio::test]
async fn a_streamed_tool_call_that_is_told_to_be_cut_or_is_odd_reaches_its_end() {
    for (name, arguments, finish) in [
        ("look", r#"{"place": "Par"#, "length"),
        ("look", r#"{"place": "Paris"}"#, "tool_calls"),
        // Not offered: it counts, and whoever runs the tools says so.
        ("delete", r#"{"place": "Paris"}"#, "tool_calls"),
    ] {
        let degraded = |route: RouteSpec| route.degraded(Degraded::Cached);
        let down = "[[rule]]\npreset = \"server_error\"";
        let world = world(&streamed_call(name, arguments, finish), down, degraded).await;
        let Body::Stream(mut stream) = world.ask(call(true, TOOLS)).await.unwrap().body else {
            panic!("no stream");
        };
        let mut seen = Vec::new();
        while let Some(bytes) = stream.next().await {
            seen.extend_from_slice(&bytes.unwrap());
        }
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.ends_with("[DONE]\n\n"), "{seen}");
        world.first.set_script(Script::from_toml(down).unwrap());
        let kept = world.ask(call(true, TOOLS)).await.is_ok();
        assert_eq!(kept, (name, finish) == ("look", "tool_calls"), "{name}");
    }
}

/// Whether the answer repeats half of the question's longer words.
#[derive(Debug)]
struct SharedWords;

impl Similarity for SharedWords {
    fn similarity(&self, question: &str, answer: &str) -> Option<f32> {
        let words = question.split_whitespace().filter(|word| word.len() > 4);
        let words: Vec<_> = words.map(|word| word.trim_matches('?')).collect();
        let shared = words.iter().filter(|word| answer.contains(**word)).count();
        Some(if shared * 2 >= words.len() { 1.0 } else { 0.0 })
    }
}

#[tokio::test]
async fn an_answer_that_is_off_the_topic_by_the_users_measure_goes_elsewhere() {
    let off = "text = \"Knead the dough until it is smooth.\"";
    let on = "text = \"The Eiffel tower is in Paris.\"";
    let by_measure =
        |route: RouteSpec| route.quality(Quality::default().similarity(Arc::new(SharedWords), 0.5));
    let world = world(off, on, by_measure).await;
    let answer = world.ask(call(false, "")).await.unwrap();
    assert_eq!(found(&answer.served.trace), [Some("off_topic"), None]);
    assert!(text(answer).await.contains("Eiffel tower"));
}

#[tokio::test]
async fn what_is_held_back_fails_and_is_judged_unseen() {
    for fault in [
        "cut = { after_chunks = 3 }",
        "error_event = { after_chunks = 3, preset = \"overloaded_529\" }",
        "stall = { after_chunks = 3, for = \"forever\" }",
        "text = \"Ã¤Ã¶Ã¼ Ã©tÃ© fÃ¼r Ã¼ber GrÃ¼ÃŸe schÃ¶n mÃ¼ssen Ã„rger kÃ¶nnen fÃ¼r Ã¼ber\"",
    ] {
        let hold = Hold {
            tokens: 6,
            time: Duration::ZERO,
        };
        let policy = {
            let mut policy = Policy::interactive();
            policy.windows.idle = Duration::from_millis(200);
            policy
        };
        let first = format!("words = 40\n[[rule]]\n{fault}");
        let world = world(&first, GOOD, |route| route.hold(hold).policy(policy)).await;
        let answer = world.ask(call(true, "")).await.unwrap();
        assert_eq!(answer.served.target_name(), Some("second"), "{fault}");
        assert_eq!(text(answer).await, "It is in Paris.", "{fault}");
    }
}

#[tokio::test]
async fn a_hold_ends_by_tokens_by_time_or_with_the_answer() {
    let slow = "words = 60\ntokens_per_second = 100";
    for (tokens, time) in [(10, Duration::ZERO), (0, Duration::from_millis(100))] {
        let hold = Hold { tokens, time };
        let world = world(slow, GOOD, |route| route.hold(hold)).await;
        let start = tokio::time::Instant::now();
        let answer = world.ask(call(true, "")).await.unwrap();
        let began = start.elapsed();
        assert!(began >= Duration::from_millis(60), "{began:?}");
        let Body::Stream(stream) = &answer.body else {
            panic!("no stream");
        };
        assert!(stream.facts().finish.is_none(), "it goes on meanwhile");
        assert!(!text(answer).await.is_empty());
    }
    let hold = Hold {
        tokens: 1_000,
        time: Duration::from_secs(60),
    };
    let world = world(GOOD, GOOD, |route| route.hold(hold)).await;
    let answer = world.ask(call(true, "")).await.unwrap();
    assert_eq!(text(answer).await, "It is in Paris.");
    assert_eq!(world.calls(), (1, 0));
}

#[tokio::test]
async fn a_stream_found_bad_at_its_end_counts_and_is_not_kept() {
    let degraded = |route: RouteSpec| route.degraded(Degraded::Cached);
    let world = world(MOJIBAKE, "[[rule]]\npreset = \"server_error\"", degraded).await;
    let answer = world.ask(call(true, "")).await.unwrap();
    assert!(!text(answer).await.is_empty());
    let down = Script::from_toml("[[rule]]\npreset = \"server_error\"").unwrap();
    world.first.set_script(down);
    assert!(world.ask(call(true, "")).await.is_err(), "nothing was kept");
}

fn long_call() -> Call {
    let turn = |nth: usize| {
        let words = "lorem ipsum dolor sit amet ".repeat(20);
        format!(
            r#"{{"role":"user","content":"{nth} {words}"}},{{"role":"assistant","content":"noted {nth}"}}"#
        )
    };
    let turns: Vec<String> = (0..8).map(turn).collect();
    let body = format!(
        r#"{{"model":"chat","max_tokens":50,"messages":[{{"role":"system","content":"Be brief."}},{},{{"role":"user","content":"And now?"}}]}}"#,
        turns.join(",")
    );
    Call::parse(Dialect::OpenAiChat, body.into()).unwrap()
}

#[tokio::test]
async fn a_prompt_too_long_for_everybody_loses_its_oldest_turns_where_the_route_allows() {
    let short = "text = \"It is in Paris.\"\ncontext_window = 400";
    let shorten = |route: RouteSpec| {
        let mut policy = Policy::interactive();
        policy.truncate = Truncate::OldestTurns;
        route.policy(policy)
    };
    let world_that = world(short, short, shorten).await;
    let answer = world_that.ask(long_call()).await.unwrap();
    let facts = answer.facts.clone().unwrap();
    assert!(facts.dropped.contains(&"messages.oldest"), "{facts:?}");
    let trail = answer.served.trail().to_string();
    assert!(trail.contains("shortened"), "{trail}");
    let last = [&world_that.first, &world_that.second]
        .into_iter()
        .flat_map(SimHandle::received)
        .find(|call| call.status == Some(200))
        .unwrap();
    let body = String::from_utf8(last.body.to_vec()).unwrap();
    assert!(
        body.contains("Be brief.") && body.contains("And now?"),
        "{body}"
    );
    assert!(!body.contains("noted 0"), "the oldest turn is gone");

    let world = world(short, short, |route| route).await;
    let error = world.ask(long_call()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContextLength);
}

#[derive(Debug)]
struct Politely;

impl Rewrite for Politely {
    fn rewrite(&self, refused: &chat::Request) -> Option<chat::Request> {
        Some(refused.clone().user("Please."))
    }
}

#[tokio::test]
async fn a_refused_prompt_is_rewritten_once() {
    let filter = "text = \"It is in Paris.\"\n[[rule]]\ncalls = 1\npreset = \"content_filter\"";
    let world_that = world(filter, GOOD, |route| route.rewrite(Arc::new(Politely))).await;
    let answer = world_that.ask(call(false, "")).await.unwrap();
    assert_eq!(answer.served.target_name(), Some("first"));
    let forms: Vec<&str> = answer
        .served
        .trace
        .hops
        .iter()
        .map(|hop| hop.form.as_str())
        .collect();
    assert_eq!(forms, ["as_asked", "rewritten"]);
    let rewritten = world_that.first.received().pop().unwrap();
    let body = String::from_utf8(rewritten.body.to_vec()).unwrap();
    assert!(body.contains("Please."));

    let always = "[[rule]]\npreset = \"content_filter\"";
    let world = world(always, GOOD, |route| route.rewrite(Arc::new(Politely))).await;
    let error = world.ask(call(false, "")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentFilter);
    assert_eq!(
        world.calls(),
        (2, 0),
        "once, and nobody less restrictive is named"
    );
    let trace = error.trace().unwrap();
    assert!(
        trace
            .hops
            .iter()
            .all(|hop| matches!(hop.result, HopResult::Failed(_)))
    );
}
