//! The commands as their user meets them: what is printed, and the exit code.

use crate::support::{BINARY, Gateway, file, two};
use std::process::{Command, Output};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(BINARY)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn check(text: &str) -> (Option<i32>, String, String) {
    let path = file(text);
    let output = run(&["check", path.to_str().unwrap()], &[]);
    let clean = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .replace(path.to_str().unwrap(), "FILE")
    };
    let seen = (
        output.status.code(),
        clean(&output.stdout),
        clean(&output.stderr),
    );
    std::fs::remove_file(path).unwrap();
    seen
}

#[test]
fn check_says_ok() {
    let text = two("http://127.0.0.1:1/v1", "http://127.0.0.1:2", "");
    let (code, out, err) = check(&text);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(
        out.starts_with("note: routes.chat: `backup` speaks anthropic_messages"),
        "{out}"
    );
    assert!(out.ends_with("OK: FILE: targets: 2, routes: 1\n"), "{out}");
}

#[test]
fn check_tells_every_fault_and_fails() {
    let text = two("http://127.0.0.1:1/v1", "127.0.0.1", "").replace("patience", "pateince");
    let (code, out, err) = check(&text);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(
        err.contains("FILE:10:12: targets.backup.base_url: "),
        "{err}"
    );
    assert!(
        err.contains(
            "FILE:14:1: routes.chat.pateince: unknown key\n    mend: did you mean `patience`?"
        ),
        "{err}"
    );
    assert!(err.ends_with("2 faults\n"), "{err}");
}

#[test]
fn check_warns_of_what_would_surprise() {
    let text = two("http://127.0.0.1:1/v1", "http://127.0.0.1:2", "")
        .replace(
            "model = \"large\"",
            "model = \"large\"\ncontext_window = 128000",
        )
        .replace(
            "model = \"other\"",
            "model = \"other\"\ncontext_window = 8000",
        );
    let (code, out, _) = check(&text);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("warning: routes.chat: the fallback `backup` reads 8000 tokens"),
        "{out}"
    );
    assert!(out.ends_with("1 warning\n"), "{out}");
}

#[test]
fn a_missing_file_is_told() {
    let output = run(&["check", "/nowhere/gateway.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.starts_with("/nowhere/gateway.toml: the configuration cannot be read"),
        "{err}"
    );
}

#[test]
fn a_taken_port_is_told_with_its_mend() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "--listen", &address], &[("OPENAI_API_KEY", "k")]);
    assert_eq!(output.status.code(), Some(1));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(
        err.contains(&address) && err.contains("choose another with --listen"),
        "{err}"
    );
}

#[tokio::test]
async fn without_any_key_the_simulator_answers_and_says_so() {
    let gateway = Gateway::start(Command::new(BINARY).args(["serve", "--listen", "127.0.0.1:0"]));
    let said = gateway.greeting.join("\n");
    assert!(
        said.contains("NO KEYS FOUND: ANSWERS COME FROM A SIMULATOR"),
        "{said}"
    );
    let body = r#"{"model":"default","messages":[{"role":"user","content":"hi"}]}"#;
    let seen = gateway.post("/v1/chat/completions", body).await;
    assert_eq!(
        (seen.status, seen.header("x-llm-target")),
        (200, Some("simulated-openai")),
        "{}",
        seen.text()
    );
}
