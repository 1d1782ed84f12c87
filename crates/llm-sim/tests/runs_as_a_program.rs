//! The binary, as drivers in other languages start it.

#![expect(
    clippy::unwrap_used,
    reason = "whatever a test's helper does not expect fails the test"
)]

#[path = "support/client.rs"]
mod client;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use client::{chat, post};

/// Ends the program whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llm-sim"));
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Writes a script; the name is this process's own, so that two runs of the test do not meet.
fn file(name: &str, text: &str) -> String {
    let path = format!(
        "{}/{}-{name}",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn prints_its_url_and_plays_the_script() {
    let script = file(
        "one_failure.toml",
        "text = \"ok\"\n[[rule]]\ncalls = 1\npreset = \"server_error\"",
    );
    let mut running = Running(
        program(&["--listen", "127.0.0.1:0", "--script", &script, "--seed=7"])
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let address = line
        .trim()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let call = async || post(address, "/v1/chat/completions", &[], &chat("")).await;
    assert_eq!(call().await.status, Some(500));
    assert_eq!(
        call().await.json()["choices"][0]["message"]["content"],
        "ok"
    );
    std::fs::remove_file(script).unwrap();
}

#[test]
fn mistakes_end_it_with_one_clear_line() {
    let script = file("misspelt.toml", "[[rule]]\nhnag = \"forever\"");
    for (arguments, part) in [
        // The address is one that is refused too, so that no case can leave a server running.
        (
            vec!["--script", script.as_str(), "--listen", "0.0.0.0:0"],
            "hnag",
        ),
        (
            vec!["--script", "/nowhere/at/all.toml"],
            "/nowhere/at/all.toml",
        ),
        (vec!["--listen", "0.0.0.0:0"], "other machines"),
        (vec!["--lisen", "0.0.0.0:0"], "--lisen is not known"),
    ] {
        let output = program(&arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            said.starts_with("llm-sim: ") && said.contains(part),
            "{said}"
        );
        assert!(output.stdout.is_empty());
    }
    std::fs::remove_file(script).unwrap();
}
