//! What models refuse of how they are to sample, to stop and to reason is not sent to them: over sockets, against a
//! simulator that refuses it in the providers' words.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

use llm_errors::{ErrorKind, Provider};
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, Failure, ReqwestTransport, Whole, Windows, Wire, exchange,
};
use llm_sim::{Sim, SimHandle};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const CALLERS: [Dialect; 3] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
];

/// A call with everything that some model refuses; its dialect is nobody's own but `dialect`'s.
fn call(dialect: Dialect, tools: bool, effort: Option<&str>) -> Call {
    let schema = json!({"type": "object", "properties": {}});
    let turns = json!([{"role": "user", "content": "hi"}]);
    let mut body = match dialect {
        Dialect::AnthropicMessages => json!({
            "model": "route", "max_tokens": 64, "messages": turns, "temperature": 0.3, "stop_sequences": ["END"],
            "output_config": {"effort": effort.unwrap_or("high")},
            "tools": [{"name": "look", "input_schema": schema}],
        }),
        Dialect::OpenAiResponses => json!({
            "model": "route", "max_output_tokens": 64, "input": "hi", "temperature": 0.3, "top_p": 0.5,
            "reasoning": {"effort": effort},
            "tools": [{"type": "function", "name": "look", "parameters": schema}],
        }),
        _ => json!({
            "model": "route", "max_completion_tokens": 64, "messages": turns, "temperature": 0.3, "top_p": 0.5,
            "stop": ["END"], "reasoning_effort": effort,
            "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}],
        }),
    };
    let fields = body.as_object_mut().unwrap();
    if !tools {
        fields.remove("tools");
    }
    if effort.is_none() {
        fields.remove("output_config");
        fields.remove("reasoning");
        fields.remove("reasoning_effort");
    }
    Call::parse(dialect, body.to_string().into()).unwrap()
}

async fn send(endpoint: &Endpoint, call: &Call) -> Result<Whole, Failure> {
    let transport = ReqwestTransport::try_new().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    match exchange(&transport, endpoint, call, &Windows::default(), now).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(_) => panic!("a whole answer was asked for"),
    }
}

fn target(sim: &SimHandle, provider: Provider, model: &str, wire: Wire) -> Endpoint {
    let path = match provider {
        Provider::Bedrock => "",
        _ => "/v1",
    };
    Endpoint::builder(provider, model)
        .base_url(format!("{}{path}", sim.base_url()))
        .credential("key".into())
        .region("us-east1")
        .project("p")
        .wire(wire)
        .build()
        .unwrap()
}

fn sent(sim: &SimHandle) -> Value {
    sim.received().pop().unwrap().json().unwrap()
}

#[tokio::test]
async fn calls_of_other_dialects_are_never_refused_for_what_they_wish() {
    let sim = Sim::builder().seed(7).start().await.unwrap();
    let openai = [
        "gpt-4o",
        "o3",
        "gpt-5-mini",
        "gpt-5-chat-latest",
        "gpt-5.1",
        "gpt-5.2-pro",
        "gpt-5.4",
        "gpt-5.5",
        "gpt-5.6-luna",
        "gpt-6-astra",
    ];
    let mut targets = Vec::new();
    for model in openai {
        for wire in [Wire::OpenAiChat, Wire::OpenAiResponses] {
            targets.push(target(&sim, Provider::OpenAi, model, wire));
        }
    }
    for model in ["claude-haiku-4-5", "claude-opus-4-7", "claude-sonnet-5"] {
        let wire = Wire::AnthropicMessages;
        targets.push(target(&sim, Provider::Anthropic, model, wire));
        targets.push(target(&sim, Provider::Vertex, model, wire));
    }
    for model in [
        "us.anthropic.claude-haiku-4-5-v1:0",
        "us.anthropic.claude-opus-4-8-v1:0",
    ] {
        targets.push(target(
            &sim,
            Provider::Bedrock,
            model,
            Wire::BedrockConverse,
        ));
    }
    for endpoint in &targets {
        for caller in CALLERS
            .into_iter()
            .filter(|caller| endpoint.wire() != *caller)
        {
            // What callers of OpenAI's other wire say of sampling is taken at their word: they know these models.
            let related = caller != Dialect::AnthropicMessages
                && matches!(endpoint.wire(), Wire::OpenAiChat | Wire::OpenAiResponses);
            if related {
                continue;
            }
            for tools in [false, true] {
                for effort in [None, Some("high")] {
                    let seen = send(endpoint, &call(caller, tools, effort)).await;
                    let seen = seen.map(|whole| whole.facts.dropped);
                    assert!(
                        seen.is_ok(),
                        "{caller} to {endpoint:?}, tools {tools}, effort {effort:?}: {:?}",
                        seen.map_err(|failure| failure.message().map(str::to_owned))
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn functions_reach_models_that_refuse_them_beside_an_effort() {
    let sim = Sim::builder().seed(7).start().await.unwrap();
    for (model, effort) in [
        ("gpt-5.2", json!("high")),
        ("gpt-5.4", Value::Null),
        ("gpt-5.6-sol", json!("none")),
    ] {
        let endpoint = target(&sim, Provider::OpenAi, model, Wire::OpenAiChat);
        for caller in [Dialect::OpenAiResponses, Dialect::AnthropicMessages] {
            let mut body: Value =
                serde_json::from_slice(call(caller, true, Some("high")).body()).unwrap();
            // Callers of OpenAI's wires are taken at their word in how to sample.
            body.as_object_mut().unwrap().remove("temperature");
            body.as_object_mut().unwrap().remove("top_p");
            let call = Call::parse(caller, body.to_string().into()).unwrap();
            let whole = send(&endpoint, &call).await.unwrap();
            assert_eq!(sent(&sim)["reasoning_effort"], effort, "{model}, {caller}");
            let named = whole.facts.dropped.contains(&"reasoning");
            assert_eq!(named, effort != json!("high"), "{model}, {caller}");
        }
    }
}

#[tokio::test]
async fn a_model_that_does_not_reason_just_now_samples_as_it_is_told() {
    let sim = Sim::builder().seed(7).start().await.unwrap();
    for (model, effort, temperature) in [
        ("gpt-5.1", None, json!(0.3)),
        ("gpt-5.1", Some("high"), Value::Null),
        ("gpt-5-mini", None, Value::Null),
        ("gpt-5-chat-latest", None, json!(0.3)),
    ] {
        let endpoint = target(&sim, Provider::OpenAi, model, Wire::OpenAiChat);
        let call = call(Dialect::AnthropicMessages, false, effort);
        send(&endpoint, &call).await.unwrap();
        assert_eq!(sent(&sim)["temperature"], temperature, "{model} {effort:?}");
    }
}

/// The simulator is no lenient judge: what passes untouched is refused there.
#[tokio::test]
async fn a_callers_own_mistake_is_told_in_the_providers_words() {
    let sim = Sim::builder().seed(7).start().await.unwrap();
    let own = [
        (
            Provider::OpenAi,
            "gpt-5-mini",
            Dialect::OpenAiChat,
            "'temperature' does not support",
        ),
        (
            Provider::OpenAi,
            "o3",
            Dialect::OpenAiResponses,
            "'temperature' does not support",
        ),
        (
            Provider::Anthropic,
            "claude-sonnet-5",
            Dialect::AnthropicMessages,
            "is deprecated for this model",
        ),
    ];
    for (provider, model, dialect, says) in own {
        let endpoint = target(&sim, provider, model, dialect.wire());
        let failure = send(&endpoint, &call(dialect, false, None))
            .await
            .unwrap_err();
        assert_eq!(failure.status, Some(400), "{model}");
        let kinds = [ErrorKind::InvalidRequest, ErrorKind::UnsupportedFeature];
        assert!(
            kinds.contains(&failure.verdict.kind),
            "{model}: {}",
            failure.verdict.kind
        );
        assert!(failure.message().unwrap().contains(says), "{model}");
    }
}
