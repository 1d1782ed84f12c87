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
