//! Events that cannot be read, from every wire and over real sockets: one that was no part of the answer is left out
//! and counted, one that may have been a part ends the stream.

use crate::sockets::{TEXT, endpoints, send, start};
use crate::stage::call;
use llm_errors::{ErrorKind, Phase, Provider};
use llm_providers::{Dialect, Endpoint, Exchange, Failure, ReplyStream, Wire, form};
use llm_sim::SimHandle;

/// One target of each wire: those that callers speak as well, and those that only targets do.
fn targets(sim: &SimHandle) -> Vec<(&'static str, Endpoint)> {
    let mut all = endpoints(sim);
    for (provider, wire) in [
        (Provider::OpenAi, Wire::OpenAiChat),
        (Provider::OpenAi, Wire::OpenAiResponses),
        (Provider::Anthropic, Wire::AnthropicMessages),
    ] {
        let builder = Endpoint::builder(provider, "model-x").wire(wire);
        let builder = builder.base_url(sim.openai_base_url());
        let endpoint = builder.credential("test-key".into()).build().unwrap();
        all.push((wire.as_str(), endpoint));
    }
    all
}

/// What `caller` gets of a stream, how it ended, and how many events could not be read.
async fn read(endpoint: &Endpoint, caller: Dialect) -> (String, Option<Failure>, u32) {
    let exchange = send(endpoint, &call(caller, true)).await.unwrap();
    let Exchange::Stream(mut stream) = exchange else {
        panic!("a stream was asked for");
    };
    let (text, failure) = drain(&mut stream).await;
    (text, failure, stream.facts().broken_events)
}

async fn drain(stream: &mut ReplyStream) -> (String, Option<Failure>) {
    let mut all = Vec::new();
    let mut failure = None;
    while let Some(item) = stream.next().await {
        match item {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(broken) => failure = Some(broken),
        }
    }
    (String::from_utf8(all).unwrap(), failure)
}

#[tokio::test]
async fn what_is_no_part_of_the_answer_is_left_out_and_counted() {
    let sim = start("[[rule]]\ngarbled = \"stray\"").await;
    for (name, endpoint) in targets(&sim) {
        for caller in Dialect::ALL {
            let (text, failure, broken) = read(&endpoint, *caller).await;
            assert!(failure.is_none(), "{name} to {caller}: {failure:?}");
            let reply = form::decode_stream(*caller, text.as_bytes()).unwrap();
            assert_eq!(reply.text(), TEXT, "{name} to {caller}");
            assert!(broken > 0, "{name} to {caller}");
            for stray in ["OK", "undefined", "heartbeat"] {
                assert!(!text.contains(stray), "{name} to {caller}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn what_may_have_been_a_part_ends_the_stream() {
    let sim = start("[[rule]]\ngarbled = \"event\"").await;
    for (name, endpoint) in targets(&sim) {
        for caller in Dialect::ALL {
            let (text, failure, broken) = read(&endpoint, *caller).await;
            let verdict = failure.unwrap().verdict;
            assert_eq!(verdict.kind, ErrorKind::Truncated, "{name} to {caller}");
            assert_eq!(verdict.phase, Phase::MidStream, "{name} to {caller}");
            assert!(form::decode_stream(*caller, text.as_bytes()).is_none());
            assert_eq!(broken, 1, "{name} to {caller}");
        }
    }
}
