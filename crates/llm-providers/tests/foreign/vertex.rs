//! Models on Vertex: where they are called, what is sent, and how a token comes to be in the request.

use crate::script::{Script, bytes};
use crate::stage::{self, answer, call, sent, whole};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::HeaderMap;
use llm_errors::{ErrorKind, Provider, Scope};
use llm_providers::{
    Call, Dialect, Endpoint, EndpointBuilder, EndpointError, Exchange, GoogleCredential,
    HttpRequest, HttpResponse, Transport, TransportError, Windows, Wire, exchange,
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

fn builder(model: &str, region: &str) -> EndpointBuilder {
    Endpoint::builder(Provider::Vertex, model)
        .project("my-project")
        .region(region)
}

fn message() -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{"type": "text", "text": "It is warm."}],
        "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 9, "output_tokens": 3},
    })
}

async fn uri_of(endpoint: EndpointBuilder, stream: bool) -> String {
    let script = Script::new([bytes("x")]);
    let to = endpoint.build().unwrap();
    drop(stage::run(&script, &to, &call(Dialect::OpenAiChat, stream)).await);
    let seen = script.seen.lock().unwrap();
    seen.as_ref().unwrap().uri.to_string()
}

#[tokio::test(start_paused = true)]
async fn an_address_names_region_project_publisher_and_model() {
    let place = "https://europe-west4-aiplatform.googleapis.com/v1/projects/my-project/locations/europe-west4";
    let gemini = builder("gemini-2.5-flash", "europe-west4");
    assert_eq!(
        uri_of(gemini.clone(), false).await,
        format!("{place}/publishers/google/models/gemini-2.5-flash:generateContent")
    );
    assert_eq!(
        uri_of(gemini, true).await,
        format!("{place}/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse")
    );
    let claude = builder("claude-sonnet-4-5@20250929", "europe-west4");
    let claude_address = format!("{place}/publishers/anthropic/models/claude-sonnet-4-5@20250929");
    assert_eq!(
        uri_of(claude.clone(), false).await,
        format!("{claude_address}:rawPredict")
    );
    assert_eq!(
        uri_of(claude, true).await,
        format!("{claude_address}:streamRawPredict")
    );
    let open = builder("meta/llama-4-maverick", "global").wire(Wire::OpenAiChat);
    assert_eq!(
        uri_of(open, true).await,
        "https://aiplatform.googleapis.com/v1/projects/my-project/locations/global/endpoints/openapi/chat/completions"
    );
    let union = builder("gemini-3-flash", "eu");
    assert!(
        uri_of(union, false)
            .await
            .starts_with("https://aiplatform.eu.rep.googleapis.com/v1/")
    );

    let built = |builder: EndpointBuilder| builder.build().map(drop).unwrap_err();
    let bare = Endpoint::builder(Provider::Vertex, "gemini-2.5-flash");
    assert_eq!(
        built(bare.clone()),
        EndpointError::NoRegion(Provider::Vertex)
    );
    assert_eq!(
        built(bare.region("us-east1")),
        EndpointError::NoProject(Provider::Vertex)
    );
    let evil = builder("gemini-2.5-flash", "evil.example/");
    assert_eq!(built(evil), EndpointError::BadPlace("region"));
}

#[tokio::test(start_paused = true)]
async fn a_request_in_claudes_own_words_changes_in_the_models_field_alone() {
    let claude = builder("claude-sonnet-4-5", "global").build().unwrap();
    let script = Script::new([bytes(message().to_string())]);
    let body = r#"{ "max_tokens": 64,  "model" : "route" , "messages":[{"role":"user","content":"h\u0069"}],"top_k":1.0e1 }"#;
    let call = Call::parse(Dialect::AnthropicMessages, Bytes::from(body)).unwrap();
    let answer = whole(&script, &claude, &call).await.unwrap();
    assert_eq!(answer.body, message().to_string());
    let seen = script.seen.lock().unwrap();
    let request = seen.as_ref().unwrap();
    assert_eq!(
        request.body,
        body.replace(
            r#""model" : "route""#,
            r#""anthropic_version":"vertex-2023-10-16""#
        )
    );
    assert!(!request.headers.contains_key("anthropic-version"));
}

#[tokio::test(start_paused = true)]
async fn a_translated_request_names_the_version_and_not_the_model() {
    let claude = builder("claude-sonnet-4-5", "global").build().unwrap();
    let request = json!({"model": "route", "messages": [{"role": "user", "content": "hi"}]});
    let (body, _) = sent(&claude, &message(), &request).await;
    assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
    assert_eq!(body.get("model"), None);

    let gemini = builder("gemini-2.5-flash", "global").build().unwrap();
    let request = json!({"model": "route", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ]});
    let reply =
        json!({"candidates": [{"content": {"parts": [{"text": "hi"}]}, "finishReason": "STOP"}]});
    let (body, _) = sent(&gemini, &reply, &request).await;
    assert_eq!(
        body["contents"][1]["parts"][0],
        json!({"functionCall": {"name": "f", "args": {}}})
    );
    let event = format!("data: {reply}\n\n");
    let answered = answer(&gemini, Dialect::AnthropicMessages, vec![bytes(event)])
        .await
        .unwrap();
    assert_eq!(answered.0.text(), "hi");
}

/// Gives out tokens, and answers for the model.
#[derive(Debug, Default)]
struct Cloud {
    refuses: bool,
    /// This token is no longer good.
    revoked: Option<&'static str>,
    asked: AtomicU32,
    seen: Mutex<Vec<HttpRequest>>,
}

impl Transport for Cloud {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let host = request.uri.host().unwrap_or_default().to_owned();
        let sent = request.headers.get("authorization");
        let (status, body) =
            if sent.is_some_and(|sent| Some(sent.to_str().unwrap()) == self.revoked) {
                let error = json!({"code": 401, "message": "no", "status": "UNAUTHENTICATED"});
                (401, json!({ "error": error }))
            } else if host.contains("aiplatform") {
                (200, message())
            } else if self.refuses {
                (401, json!({"error": "invalid_grant"}))
            } else {
                let count = self.asked.fetch_add(1, Ordering::Relaxed);
                let token = format!("token-{count}");
                (
                    200,
                    json!({"access_token": token, "expires_in": 3_600, "token_type": "Bearer"}),
                )
            };
        self.seen.lock().unwrap().push(request);
        let body = stream::iter([Ok(Bytes::from(body.to_string()))]).boxed();
        async move { Ok(HttpResponse::new(status, HeaderMap::new(), body)) }.boxed()
    }
}

async fn ask(cloud: &Cloud, endpoint: &Endpoint, at: u64) -> Result<Exchange, ErrorKind> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + at);
    let call = call(Dialect::AnthropicMessages, false);
    exchange(cloud, endpoint, &call, &Windows::default(), now)
        .await
        .map_err(|failure| failure.verdict.kind)
}

fn account() -> String {
    let key = include_str!("../fixtures/rsa_key_for_tests_only.pem");
    json!({
        "type": "service_account", "client_email": "me@my-project.iam.gserviceaccount.com",
        "private_key_id": "k1", "private_key": key, "token_uri": "https://oauth2.googleapis.com/token",
    })
    .to_string()
}

#[tokio::test(start_paused = true)]
async fn a_machines_token_is_fetched_once_and_renewed_before_it_runs_out() {
    let cloud = Cloud::default();
    let credential = Arc::new(GoogleCredential::machine());
    let endpoint = builder("claude-sonnet-4-5", "global")
        .authorized_by(credential)
        .build()
        .unwrap();
    for (at, token) in [
        (0, "token-0"),
        (3_000, "token-0"),
        (3_400, "token-1"),
        (9_000, "token-2"),
    ] {
        ask(&cloud, &endpoint, at).await.unwrap();
        let seen = cloud.seen.lock().unwrap();
        let authorization = &seen.last().unwrap().headers["authorization"];
        assert_eq!(authorization, &format!("Bearer {token}"), "after {at} s");
        assert!(authorization.is_sensitive());
    }
    let seen = cloud.seen.lock().unwrap();
    assert_eq!(seen[0].method, "GET");
    assert_eq!(seen[0].headers["metadata-flavor"], "Google");
    assert_eq!(seen[0].uri.host(), Some("metadata.google.internal"));
}

#[tokio::test(start_paused = true)]
async fn a_service_account_trades_a_signed_statement_for_a_token() {
    let cloud = Cloud::default();
    let credential = GoogleCredential::service_account(account().as_bytes()).unwrap();
    assert!(!format!("{credential:?}").contains("gserviceaccount"));
    let endpoint = builder("claude-sonnet-4-5", "global").authorized_by(Arc::new(credential));
    ask(&cloud, &endpoint.build().unwrap(), 0).await.unwrap();
    let seen = cloud.seen.lock().unwrap();
    let form = String::from_utf8(seen[0].body.to_vec()).unwrap();
    assert_eq!(
        seen[0].headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    let statement = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap();
    let (signed, signature) = statement.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json = |text: &str| serde_json::from_slice::<Value>(&from_base64url(text)).unwrap();
    assert_eq!(
        json(header),
        json!({"alg": "RS256", "typ": "JWT", "kid": "k1"})
    );
    assert_eq!(
        json(claims),
        json!({
            "iss": "me@my-project.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": "https://oauth2.googleapis.com/token",
            "iat": 1_800_000_000_u64, "exp": 1_800_003_600_u64,
        })
    );
    let public = include_bytes!("../fixtures/rsa_key_for_tests_only.public.der");
    let key = ring::signature::UnparsedPublicKey::new(
        &ring::signature::RSA_PKCS1_2048_8192_SHA256,
        public,
    );
    key.verify(signed.as_bytes(), &from_base64url(signature))
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_provider_refuses_is_not_used_again() {
    let mut cloud = Cloud::default();
    let endpoint = builder("claude-sonnet-4-5", "global")
        .authorized_by(Arc::new(GoogleCredential::machine()))
        .build()
        .unwrap();
    ask(&cloud, &endpoint, 0).await.unwrap();
    cloud.revoked = Some("Bearer token-0");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_100);
    let call = call(Dialect::AnthropicMessages, false);
    let windows = Windows::default();
    let failure = exchange(&cloud, &endpoint, &call, &windows, now).await;
    let verdict = failure.unwrap_err().verdict;
    assert_eq!(verdict.kind, ErrorKind::AuthInvalidKey);
    assert!(verdict.is_retryable(), "with another token");
    assert_eq!(verdict.scope, Scope::Request, "the key is not set aside");
    ask(&cloud, &endpoint, 101).await.unwrap();
    // One that is refused at once is not worth another.
    cloud.revoked = Some("Bearer token-1");
    let failure = exchange(
        &cloud,
        &endpoint,
        &call,
        &windows,
        now + Duration::from_secs(2),
    )
    .await;
    assert!(!failure.unwrap_err().verdict.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_sent_to_the_model() {
    let cloud = Cloud {
        refuses: true,
        ..Cloud::default()
    };
    let credential = Arc::new(GoogleCredential::machine());
    let endpoint = builder("claude-sonnet-4-5", "global")
        .authorized_by(credential)
        .build()
        .unwrap();
    assert_eq!(
        ask(&cloud, &endpoint, 0).await.unwrap_err(),
        ErrorKind::AuthInvalidKey
    );
    assert_eq!(
        ask(&cloud, &endpoint, 0).await.unwrap_err(),
        ErrorKind::AuthInvalidKey
    );
    assert_eq!(
        cloud.seen.lock().unwrap().len(),
        1,
        "the second had its answer from the first"
    );
    for broken in ["", "{}", &account().replace("MII", "xxx")] {
        GoogleCredential::service_account(broken.as_bytes()).unwrap_err();
    }
}

fn from_base64url(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let mut out = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let bits = four
            .iter()
            .fold(0_u32, |bits, byte| bits << 6 | u32::from(digit(*byte)));
        let bits = bits << (6 * (4 - four.len()));
        out.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    out
}
