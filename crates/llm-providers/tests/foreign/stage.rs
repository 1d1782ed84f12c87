//! Calls targets that speak a wire of their own, by script.

use crate::script::{Script, Step, WINDOWS, bytes, drain};
use llm_errors::Provider;
use llm_providers::chat::{Part, Reply};
use llm_providers::{Call, Dialect, Endpoint, Exchange, Failure, Whole, Wire, exchange, form};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// A target of this wire that nobody calls.
pub(crate) fn endpoint(wire: Wire) -> Endpoint {
    let (provider, model) = match wire {
        Wire::AnthropicMessages => (Provider::Anthropic, "claude-sonnet-5"),
        Wire::Gemini => (Provider::Gemini, "gemini-2.5-flash"),
        Wire::BedrockConverse => (Provider::Bedrock, "amazon.nova-pro-v1:0"),
        Wire::CohereChat => (Provider::Cohere, "command-a-03-2025"),
        Wire::OllamaChat => (Provider::Ollama, "qwen3"),
        _ => (Provider::OpenAi, "gpt-4o"),
    };
    let builder = Endpoint::builder(provider, model).base_url("http://127.0.0.1:9/v1");
    let builder = builder.wire(wire).region("us-east-1");
    builder.credential("test-key".into()).build().unwrap()
}

/// A request of `dialect`.
pub(crate) fn call(dialect: Dialect, stream: bool) -> Call {
    let turns = match dialect {
        Dialect::OpenAiResponses => "input",
        _ => "messages",
    };
    let body = json!({
        "model": "route", "max_tokens": 64, "stream": stream,
        "stream_options": {"include_usage": true},
        turns: [{"role": "user", "content": "hi"}],
    });
    Call::parse(dialect, body.to_string().into()).unwrap()
}

/// One attempt.
pub(crate) async fn run(script: &Script, to: &Endpoint, call: &Call) -> Result<Exchange, Failure> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    exchange(script, to, call, &WINDOWS, now).await
}

/// One attempt at a whole answer.
pub(crate) async fn whole(script: &Script, to: &Endpoint, call: &Call) -> Result<Whole, Failure> {
    match run(script, to, call).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(_) => panic!("a whole answer was asked for"),
    }
}

/// What is sent for this OpenAI request, and what is dropped of it and of `answer`.
pub(crate) async fn sent(
    to: &Endpoint,
    answer: &Value,
    request: &Value,
) -> (Value, Vec<&'static str>) {
    let script = Script::new([bytes(answer.to_string())]);
    let call = Call::parse(Dialect::OpenAiChat, request.to_string().into()).unwrap();
    let whole = whole(&script, to, &call).await.unwrap();
    (script.sent(), whole.facts.dropped)
}

/// The answer that a caller of `dialect` reads out of a stream in these pieces, and what is dropped.
pub(crate) async fn answer(
    to: &Endpoint,
    dialect: Dialect,
    steps: Vec<Step>,
) -> Result<(Reply, Vec<&'static str>), Failure> {
    let script = Script::new(steps);
    let Exchange::Stream(mut stream) = run(&script, to, &call(dialect, true)).await? else {
        panic!("a stream was asked for");
    };
    let (text, failure) = drain(&mut stream).await;
    let read = form::decode_stream(dialect, text.as_bytes());
    if let Some(failure) = failure {
        assert!(read.is_none(), "an error is no normal end");
        return Err(failure);
    }
    Ok((read.unwrap(), stream.facts().dropped.clone()))
}

/// Cuts a stream at these places.
pub(crate) fn pieces(stream: &[u8], cuts: Vec<usize>) -> Vec<Step> {
    let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|cut| bytes(&stream[cut[0]..cut[1]]))
        .collect()
}

/// The answer out of a stream cut at these places, outside a test's own runtime.
pub(crate) fn cut_answer(
    to: &Endpoint,
    stream: &[u8],
    cuts: Vec<usize>,
) -> Result<(Reply, Vec<&'static str>), Failure> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(answer(to, Dialect::OpenAiChat, pieces(stream, cuts)))
}

/// Takes the reasoning off the front of an answer.
pub(crate) fn take_thinking(reply: &mut Reply) -> Option<String> {
    match reply.parts.first() {
        Some(Part::Thinking(thinking)) => {
            let text = thinking.text.clone();
            reply.parts.remove(0);
            Some(text)
        }
        _ => None,
    }
}
