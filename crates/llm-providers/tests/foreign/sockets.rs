//! Wires that only targets speak, over real sockets, against the simulator.

use llm_errors::{ErrorKind, Phase, Provider};
use llm_providers::chat::FinishReason;
use llm_providers::{
    AwsCredential, AwsKeys, Call, Dialect, Endpoint, Exchange, Failure, ReqwestTransport, Windows,
    Wire, exchange, form,
};
use llm_sim::{Script, Sim, SimHandle};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) const TEXT: &str = "one two three four five six";
const CALLERS: [Dialect; 2] = [Dialect::OpenAiChat, Dialect::AnthropicMessages];

pub(crate) async fn start(rule: &str) -> SimHandle {
    let script = Script::from_toml(&format!("text = \"{TEXT}\"\n{rule}")).unwrap();
    Sim::builder().script(script).seed(7).start().await.unwrap()
}

/// One target of each wire, and of each host that has its own addresses.
pub(crate) fn endpoints(sim: &SimHandle) -> Vec<(&'static str, Endpoint)> {
    let at = |path: &str| format!("{}{path}", sim.base_url());
    let built = |provider, model: &str, path: &str, wire: Wire| {
        let builder = Endpoint::builder(provider, model).base_url(at(path));
        let builder = builder.wire(wire).region("us-east1").project("p");
        match provider {
            Provider::Bedrock => {
                let keys = AwsKeys::new("AKIDEXAMPLE", "secret".into());
                let credential = AwsCredential::new(keys, "us-east-1", "bedrock");
                builder.authorized_by(Arc::new(credential)).build().unwrap()
            }
            _ => builder.credential("test-key".into()).build().unwrap(),
        }
    };
    vec![
        (
            "gemini",
            built(
                Provider::Gemini,
                "gemini-2.5-flash",
                "/v1beta",
                Wire::Gemini,
            ),
        ),
        (
            "gemini on vertex",
            built(Provider::Vertex, "gemini-2.5-flash", "/v1", Wire::Gemini),
        ),
        (
            "claude on vertex",
            built(
                Provider::Vertex,
                "claude-sonnet-4-5",
                "/v1",
                Wire::AnthropicMessages,
            ),
        ),
        (
            "bedrock",
            built(
                Provider::Bedrock,
                "amazon.nova-pro-v1:0",
                "",
                Wire::BedrockConverse,
            ),
        ),
        (
            "cohere",
            built(
                Provider::Cohere,
                "command-a-03-2025",
                "/v2",
                Wire::CohereChat,
            ),
        ),
        (
            "ollama",
            built(Provider::Ollama, "qwen3", "", Wire::OllamaChat),
        ),
    ]
}

fn call(dialect: Dialect, stream: bool) -> Call {
    let body = format!(
        r#"{{"model":"route","max_tokens":64,"stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#
    );
    Call::parse(dialect, body.into()).unwrap()
}

pub(crate) async fn send(endpoint: &Endpoint, call: &Call) -> Result<Exchange, Failure> {
    let transport = ReqwestTransport::try_new().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let windows = Windows {
        first_token: Duration::from_millis(1_500),
        idle: Duration::from_millis(700),
        total: Duration::from_secs(20),
        thinking: Duration::ZERO,
        ..Windows::default()
    };
    exchange(&transport, endpoint, call, &windows, now).await
}

/// What the caller gets of a stream, and how it ended.
async fn stream(
    endpoint: &Endpoint,
    caller: Dialect,
) -> Result<(String, Option<Failure>), Failure> {
    let Exchange::Stream(mut stream) = send(endpoint, &call(caller, true)).await? else {
        panic!("a stream was asked for");
    };
    let mut all = Vec::new();
    let mut failure = None;
    while let Some(item) = stream.next().await {
        match item {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(broken) => failure = Some(broken),
        }
    }
    Ok((String::from_utf8(all).unwrap(), failure))
}

#[tokio::test]
async fn every_caller_gets_the_answer_whole_and_streamed() {
    let sim = start("").await;
    for (name, endpoint) in endpoints(&sim) {
        for caller in CALLERS {
            let Exchange::Whole(whole) = send(&endpoint, &call(caller, false)).await.unwrap()
            else {
                panic!("no stream was asked for");
            };
            let reply = form::decode_whole(caller, &whole.body).unwrap();
            assert_eq!(reply.text(), TEXT, "{name}");
            assert_eq!(reply.finish, Some(FinishReason::Stop), "{name}");
            assert!(whole.facts.usage.output_tokens > 0, "{name}");
            assert!(!reply.model.is_empty(), "{name}");

            let (text, failure) = stream(&endpoint, caller).await.unwrap();
            assert!(failure.is_none(), "{name}: {failure:?}");
            let reply = form::decode_stream(caller, text.as_bytes()).unwrap();
            assert_eq!(reply.text(), TEXT, "{name}");
            assert_eq!(reply.finish, Some(FinishReason::Stop), "{name}");
        }
    }
    for received in sim.received() {
        assert!(!received.hung_up(), "{}", received.path);
        let signed = received.header("authorization").is_some();
        assert!(
            signed || received.header("x-goog-api-key").is_some(),
            "{}",
            received.path
        );
    }
}

#[tokio::test]
async fn each_providers_errors_are_understood() {
    for (preset, kinds) in [
        (
            "rate_limit",
            &[ErrorKind::RateLimitRequests, ErrorKind::RateLimitOther][..],
        ),
        ("html_502", &[ErrorKind::BadGatewayHtml]),
    ] {
        let sim = start(&format!("[[rule]]\npreset = \"{preset}\"")).await;
        for (name, endpoint) in endpoints(&sim) {
            for streamed in [false, true] {
                let call = call(Dialect::OpenAiChat, streamed);
                let verdict = send(&endpoint, &call).await.unwrap_err().verdict;
                assert!(
                    kinds.contains(&verdict.kind),
                    "{name}, {preset}: {}",
                    verdict.kind
                );
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_at_every_place() {
    for after in 1..=5 {
        for fault in [
            "reset = { after_chunks = N }",
            "cut = { after_chunks = N }",
            "cut = { after_chunks = N, clean = true }",
        ] {
            let fault = fault.replace('N', &after.to_string());
            let sim = start(&format!("[[rule]]\n{fault}")).await;
            for (name, endpoint) in endpoints(&sim) {
                let (text, failure) = stream(&endpoint, Dialect::OpenAiChat).await.unwrap();
                let verdict = failure.unwrap().verdict;
                assert_eq!(verdict.phase, Phase::MidStream, "{name}, {fault}");
                assert_eq!(verdict.kind, ErrorKind::Truncated, "{name}, {fault}");
                assert!(form::decode_stream(Dialect::OpenAiChat, text.as_bytes()).is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_stall_in_the_middle_runs_into_the_idle_window() {
    let sim = start("[[rule]]\nstall = { after_chunks = 2, for = \"forever\" }").await;
    for (name, endpoint) in endpoints(&sim) {
        let (text, failure) = stream(&endpoint, Dialect::AnthropicMessages).await.unwrap();
        assert_eq!(failure.unwrap().verdict.kind, ErrorKind::Timeout, "{name}");
        assert!(text.contains("two") && !text.contains("four"), "{name}");
    }
}
