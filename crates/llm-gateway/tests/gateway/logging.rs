//! The log leads from a caller's request to the provider's, and says nothing else.
use crate::support::{BINARY, Gateway, file, openai, two};
use llm_sim::{Script, Sim};
use std::process::Command;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn a_failed_call_is_named_by_caller_and_provider() {
    let script = r#"
        [[rule]]
        status = 500
        body = "a secret of the prompt"
        headers = { x-request-id = "req_at_the_provider" }
    "#;
    let script = Script::from_toml(script).unwrap();
    let failing = Sim::builder().script(script).start().await.unwrap();
    let healthy = Sim::builder().start().await.unwrap();
    let path = file(&two(&failing.openai_base_url(), &healthy.base_url(), ""));
    let (gateway, mut log) = Gateway::start_logged(
        Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&path),
    );
    let request = gateway.request("/v1/chat/completions");
    let request = request.header("x-request-id", "asked-by-a-caller");
    let seen = gateway
        .send(request, openai("a secret of the prompt", false))
        .await;
    assert_eq!(seen.status, 200);
    std::fs::remove_file(path).unwrap();
    let line = loop {
        let line = timeout(Duration::from_secs(10), log.recv()).await;
        let line = line
            .expect("the failure is logged")
            .expect("the log goes on");
        assert!(!line.contains("secret"), "{line}");
        if line.contains("upstream call failed") {
            break line;
        }
    };
    for told in [
        "request_id=\"asked-by-a-caller\"",
        "target=\"primary\"",
        "error.type=\"server_error\"",
        "status=500",
        "provider_request_id=\"req_at_the_provider\"",
        "took_ms=",
    ] {
        assert!(line.contains(told), "{told} is not in {line}");
    }
}

/// Whatever level is asked for: keys of either side, prompts and answers stay out of the log.
#[tokio::test]
async fn no_level_of_the_log_tells_a_secret() {
    // The provider says the key back, as some do.
    let echo = r#"
        text = "SECRET-ANSWER"
        [[rule]]
        calls = "1"
        status = 401
        body = '{"error":{"message":"Incorrect API key provided: SECRET-KEY","code":"invalid_api_key"}}'
    "#;
    let first = Sim::builder().script(Script::from_toml(echo).unwrap());
    let first = first.start().await.unwrap();
    let second = Script::from_toml("text = \"SECRET-ANSWER\"").unwrap();
    let second = Sim::builder().script(second).start().await.unwrap();
    let key = file("SECRET-KEY");
    let key_line = format!(
        "api_key = {{ file = {:?} }}\nmodel = ",
        key.to_str().unwrap()
    );
    let text = two(&first.openai_base_url(), &second.base_url(), "");
    let path = file(&text.replace("model = ", &key_line));
    let (gateway, mut log) = Gateway::start_logged(
        Command::new(BINARY)
            .args([
                "--log",
                "trace",
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--config",
            ])
            .arg(&path),
    );
    for stream in [false, true, false] {
        let request = gateway.request("/v1/chat/completions");
        let request = request.header("authorization", "Bearer SECRET-CALLER");
        let seen = gateway.send(request, openai("SECRET-PROMPT", stream)).await;
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert!(!seen.text().contains("SECRET-KEY"));
    }
    let sent = first.received().pop().unwrap();
    // The simulator itself hides what the value is.
    let keyed = |(name, _): &(String, String)| name == "authorization";
    assert!(sent.headers.iter().any(keyed), "a key was sent");
    let metrics = gateway.get("/metrics").await;
    assert!(!metrics.text().contains("SECRET"));
    drop(gateway);
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(key).unwrap();
    let mut lines = 0;
    while let Ok(Some(line)) = timeout(Duration::from_secs(10), log.recv()).await {
        assert!(!line.contains("SECRET"), "{line}");
        lines += 1;
    }
    assert!(lines > 10, "{lines}: the log does tell something");
}

#[tokio::test]
async fn a_caller_is_told_what_the_provider_calls_its_request() {
    let script = r#"
        [[rule]]
        calls = "1..2"
        headers = { x-request-id = "req_good" }
        [[rule]]
        preset = "invalid_request"
        headers = { x-request-id = "req_refused" }
    "#;
    let sim = Sim::builder().script(Script::from_toml(script).unwrap());
    let sim = sim.start().await.unwrap();
    let gateway = Gateway::serve(&two(&sim.openai_base_url(), &sim.base_url(), ""));
    for (stream, id) in [
        (false, "req_good"),
        (true, "req_good"),
        (false, "req_refused"),
    ] {
        let call = gateway.post("/v1/chat/completions", openai("hi", stream));
        let seen = call.await;
        assert_eq!(
            seen.header("x-llm-provider-request-id"),
            Some(id),
            "{seen:?}"
        );
    }
}

/// A full disk, or a container runtime that stands still: standard error is a pipe that nobody empties.
#[cfg(unix)]
#[tokio::test]
async fn calls_go_on_when_nobody_reads_the_log() {
    let down = Script::from_toml("[[rule]]\npreset = \"server_error\"").unwrap();
    let failing = Sim::builder().script(down).start().await.unwrap();
    let healthy = Sim::builder().start().await.unwrap();
    let text = two(
        &failing.openai_base_url(),
        &healthy.base_url(),
        "attempts = 1",
    );
    let path = file(&text.replace(
        "model = \"large\"",
        "model = \"large\"\nbreaker = \"observe\"",
    ));
    let mut gateway = Gateway::start_unread(
        Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&path),
    );
    std::fs::remove_file(path).unwrap();
    // Each call is a line of some 250 bytes, a pipe holds 64 KiB.
    for _ in 0..500 {
        let seen = timeout(Duration::from_secs(10), gateway.chat("hi")).await;
        assert_eq!(seen.expect("an answer").status, 200);
    }
    let pid = gateway.child.id().to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.unwrap().success());
    let ended = tokio::task::spawn_blocking(move || gateway.child.wait().unwrap());
    let ended = timeout(Duration::from_secs(10), ended).await;
    assert!(ended.expect("an end").unwrap().success());
}
