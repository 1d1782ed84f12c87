//! Vectors from targets whose wires have a way of their own, for callers who speak OpenAI's, over sockets.

use llm_errors::{ErrorKind, Provider};
use llm_providers::{
    Call, Endpoint, EndpointBuilder, EndpointError, Exchange, Failure, ReqwestTransport, Whole,
    Windows, Wire, embedding, exchange,
};
use llm_sim::{Received, Script, Sim, SimHandle};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

async fn start(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().script(script).seed(7).start().await.unwrap()
}

fn target(sim: &SimHandle, provider: Provider, model: &str, path: &str) -> EndpointBuilder {
    Endpoint::builder(provider, model)
        .base_url(format!("{}{path}", sim.base_url()))
        .credential("test-key".into())
        .region("us-east1")
        .project("p")
        .embeddings("space")
}

/// One target of each way, whether it takes several texts at once, and the path that it calls.
fn targets(sim: &SimHandle) -> Vec<(Endpoint, bool, &'static str)> {
    let built = |provider, model: &str, path: &str| target(sim, provider, model, path);
    let ollama = built(Provider::Ollama, "nomic-embed-text", "/v1").wire(Wire::OllamaChat);
    [
        (
            built(Provider::Cohere, "embed-v4.0", "/v2"),
            true,
            "/v2/embed",
        ),
        (
            built(Provider::Gemini, "gemini-embedding-001", "/v1beta"),
            true,
            "/v1beta/models/gemini-embedding-001:batchEmbedContents",
        ),
        (ollama, true, "/api/embed"),
        (
            built(Provider::Vertex, "text-embedding-005", "/v1"),
            true,
            "/v1/projects/p/locations/us-east1/publishers/google/models/text-embedding-005:predict",
        ),
        (
            built(Provider::Vertex, "gemini-embedding-2", "/v1"),
            false,
            "/v1/projects/p/locations/us-east1/publishers/google/models/gemini-embedding-2:embedContent",
        ),
        (
            built(Provider::Bedrock, "amazon.titan-embed-text-v2:0", ""),
            false,
            "/model/amazon.titan-embed-text-v2%3A0/invoke",
        ),
        (
            built(Provider::Bedrock, "us.cohere.embed-v4:0", ""),
            true,
            "/model/us.cohere.embed-v4%3A0/invoke",
        ),
    ]
    .map(|(builder, many, path)| (builder.build().unwrap(), many, path))
    .into()
}

async fn send(endpoint: &Endpoint, body: Value) -> Result<Whole, Failure> {
    send_call(endpoint, Call::embeddings(body.to_string().into()).unwrap()).await
}

async fn send_call(endpoint: &Endpoint, call: Call) -> Result<Whole, Failure> {
    let transport = ReqwestTransport::try_new().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let windows = Windows::default();
    match exchange(&transport, endpoint, &call, &windows, now).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(_) => panic!("vectors are not streamed"),
    }
}

fn sent(received: &Received) -> Value {
    serde_json::from_slice(&received.body).unwrap()
}

/// The vectors as 32-bit floats, which is all that either way of writing them holds; or their texts in base64.
fn numbers(answer: &Value) -> Vec<Result<Vec<f32>, String>> {
    let items = answer["data"].as_array().unwrap().iter();
    items
        .map(|item| {
            let vector = &item["embedding"];
            let numbers = serde_json::from_value(vector.clone());
            numbers.map_err(|_| vector.as_str().unwrap().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn every_wire_gives_the_vectors_that_openais_gives() {
    let sim = start("").await;
    let openai = target(&sim, Provider::OpenAi, "m", "/v1").build().unwrap();
    for (endpoint, many, path) in targets(&sim) {
        let input = if many {
            json!(["one two", "three"])
        } else {
            json!("one two")
        };
        for format in ["float", "base64"] {
            let body = json!({"model": "route", "input": input, "dimensions": 256, "encoding_format": format});
            let expected = send(&openai, body.clone()).await.unwrap();
            let whole = send(&endpoint, body).await.unwrap();
            let received = sim.received();
            assert_eq!(received.last().unwrap().path, path);
            let [expected, seen] = [&expected, &whole]
                .map(|whole| serde_json::from_slice::<Value>(&whole.body).unwrap());
            assert!(
                numbers(&seen) == numbers(&expected),
                "{path}, {format}: other vectors"
            );
            assert_eq!(seen["object"], "list", "{path}");
            assert_eq!(seen["model"], endpoint.model(), "{path}");
            let tokens = if many { 3 } else { 2 };
            assert_eq!(whole.facts.usage.input_tokens, tokens, "{path}");
            let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
            assert_eq!(seen["usage"], usage, "{path}");
            assert!(whole.facts.dropped.is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn what_the_texts_are_for_is_passed_on_where_there_is_a_place_for_it() {
    let sim = start("").await;
    for (endpoint, _, path) in targets(&sim) {
        let body = |kind: Option<&str>| json!({"model": "route", "input": "one", "input_type": kind, "user": "u"});
        let asked = send(&endpoint, body(Some("search_query"))).await.unwrap();
        let named = sent(&sim.received().pop().unwrap());
        send(&endpoint, body(None)).await.unwrap();
        let unnamed = sent(&sim.received().pop().unwrap());
        let said = |body: &Value| {
            [
                "/input_type",
                "/requests/0/taskType",
                "/instances/0/task_type",
                "/taskType",
            ]
            .into_iter()
            .find_map(|place| body.pointer(place).cloned())
        };
        let (first, second) = match path {
            _ if path.contains("/embed") && path.contains("v2") || path.contains("cohere") => {
                (json!("search_query"), json!("search_document"))
            }
            _ if path.contains("001") || path.contains("005") => {
                (json!("RETRIEVAL_QUERY"), Value::Null)
            }
            _ => (Value::Null, Value::Null),
        };
        assert_eq!(said(&named).unwrap_or_default(), first, "{path}");
        assert_eq!(said(&unnamed).unwrap_or_default(), second, "{path}");
        let dropped: &[&str] = if first.is_null() {
            &["input_type", "user"]
        } else {
            &["user"]
        };
        assert_eq!(asked.facts.dropped, dropped, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_said_fails_before_anything_is_sent() {
    let sim = start("").await;
    let many = |count| json!({"model": "route", "input": vec!["x"; count]});
    let refused = async |endpoint: &Endpoint, body: Value, says: &str| {
        let failure = send(endpoint, body).await.unwrap_err();
        assert_eq!(
            failure.verdict.kind,
            ErrorKind::UnsupportedFeature,
            "{says}"
        );
        assert!(
            failure.message().unwrap().contains(says),
            "{:?}",
            failure.message()
        );
    };
    for (endpoint, takes_many, path) in targets(&sim) {
        let tokens = json!({"model": "route", "input": [[1, 2], [3]]});
        refused(&endpoint, tokens, "input.tokens").await;
        let limit = match path {
            _ if !takes_many => 1,
            _ if path.contains("batch") => 100,
            _ if path.contains("predict") => 250,
            "/api/embed" => 2_048,
            _ => 96,
        };
        refused(&endpoint, many(limit + 1), "more than").await;
        assert_eq!(sim.count(), 0, "{path}");
        send(&endpoint, many(limit)).await.unwrap();
        sim.reset();
    }
    // The length of some models' vectors cannot be chosen.
    for (provider, model, path, own) in [
        (Provider::Cohere, "embed-english-light-v3.0", "/v2", 384),
        (Provider::Bedrock, "cohere.embed-multilingual-v3", "", 1_024),
        (Provider::Bedrock, "amazon.titan-embed-text-v1", "", 1_536),
    ] {
        let endpoint = target(&sim, provider, model, path).build().unwrap();
        let body = |length: u32| json!({"model": "route", "input": "x", "dimensions": length});
        refused(&endpoint, body(256), "dimensions").await;
        assert_eq!(sim.count(), 0, "{model}");
        // The simulator's vectors are shorter, which is noticed.
        let failure = send(&endpoint, body(own)).await.unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::EmptyOutput, "{model}");
        assert_eq!(
            sent(&sim.received().pop().unwrap()).get("output_dimension"),
            None
        );
        sim.reset();
    }
    let strict = json!({"model": "route", "input": "x", "user": "u"}).to_string();
    let strict = Call::embeddings(strict.into()).unwrap().strict();
    for (endpoint, ..) in targets(&sim) {
        let failure = send_call(&endpoint, strict.clone()).await.unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::UnsupportedFeature);
    }
    assert_eq!(sim.count(), 0);
}

#[tokio::test]
async fn a_text_that_is_too_long_is_refused_and_not_cut() {
    let sim = start("context_window = 2").await;
    for (endpoint, _, path) in targets(&sim) {
        let seen = send(
            &endpoint,
            json!({"model": "route", "input": "one two three"}),
        )
        .await;
        if path.contains("batch") {
            assert!(seen.is_ok(), "AI Studio cuts, and cannot be told not to");
        } else {
            let failure = seen.unwrap_err();
            assert_eq!(failure.verdict.kind, ErrorKind::ContextLength, "{path}");
        }
    }
}

#[tokio::test]
async fn failures_and_answers_that_are_none_are_told_apart() {
    for (rule, kinds) in [
        (
            "preset = \"unavailable_503\"",
            &[ErrorKind::Overloaded, ErrorKind::ServerError][..],
        ),
        (
            "preset = \"rate_limit\"",
            &[ErrorKind::RateLimitRequests, ErrorKind::RateLimitOther],
        ),
        (
            "preset = \"invalid_key\"",
            &[ErrorKind::AuthInvalidKey, ErrorKind::AuthPermission],
        ),
        ("empty = \"body\"", &[ErrorKind::EmptyOutput]),
        ("garbled = \"json\"", &[ErrorKind::EmptyOutput]),
        (
            "error_event = { preset = \"server_error\" }",
            &[ErrorKind::ServerError],
        ),
        ("status = 200\nbody = \"{}\"", &[ErrorKind::EmptyOutput]),
        (
            "status = 200\nbody = '{\"embeddings\": [[0.5]], \"embedding\": [], \"predictions\": []}'",
            &[ErrorKind::EmptyOutput],
        ),
    ] {
        let sim = start(&format!("[[rule]]\n{rule}")).await;
        for (endpoint, _, path) in targets(&sim) {
            let body = json!({"model": "route", "input": "x", "dimensions": 256});
            let kind = send(&endpoint, body).await.unwrap_err().verdict.kind;
            assert!(kinds.contains(&kind), "{rule}, {path}: {kind}");
        }
    }
}

#[tokio::test]
async fn a_rust_caller_reads_them_alike() {
    let sim = start("").await;
    let endpoint = target(&sim, Provider::Gemini, "gemini-embedding-001", "/v1beta");
    let endpoint = endpoint.build().unwrap();
    let request = embedding::Request::new("route", ["one", "two"]).dimensions(16);
    let call = Call::from_embedding(&request).unwrap();
    let whole = send_call(&endpoint, call).await.unwrap();
    let reply = embedding::decode_reply(&whole.body).unwrap();
    assert_eq!(reply.model, "gemini-embedding-001");
    assert_eq!(reply.vectors.len(), 2);
    assert_eq!(reply.vectors[0].len(), 16);
    assert_eq!(reply.input_tokens, 2);
}

#[test]
fn models_of_which_no_way_is_known_are_refused_when_built() {
    let build = |provider, model: &str| {
        let builder = Endpoint::builder(provider, model).base_url("http://127.0.0.1:9");
        let builder = builder.region("us-east1").project("p").embeddings("space");
        builder.build().map(drop)
    };
    for (provider, model) in [
        (Provider::Anthropic, "claude-sonnet-5"),
        (
            Provider::Bedrock,
            "amazon.nova-2-multimodal-embeddings-v1:0",
        ),
        (Provider::Vertex, "claude-sonnet-4-5"),
    ] {
        let error = Err(EndpointError::NoEmbeddings(provider));
        assert_eq!(build(provider, model), error, "{model}");
    }
    assert_eq!(build(Provider::Mistral, "mistral-embed"), Ok(()));
}
