//! How long a prompt is taken for.

use crate::support::{BINARY, Gateway, file, openai};
use llm_sim::{Script, Sim, SimHandle};
use serde_json::json;
use std::process::Command;

/// A first target with room for 800 tokens, and a second one with more.
fn configuration(first: &SimHandle, second: &SimHandle, estimate: &str) -> String {
    format!(
        r#"
token_estimate = "{estimate}"

[targets.short]
provider = "openai"
model = "small"
base_url = "{}"
context_window = 800

[targets.long]
provider = "openai"
model = "large"
base_url = "{}"
context_window = 100000

[routes.chat]
tiers = [["short"], ["long"]]
"#,
        first.openai_base_url(),
        second.openai_base_url()
    )
}

/// Some 1000 tokens in 4800 bytes.
fn prompt() -> String {
    openai(&"服务器为每个主机保留一个连接池。".repeat(100), false)
}

#[tokio::test]
async fn by_bytes_a_window_has_the_benefit_of_the_doubt() {
    let (first, second) = (Sim::builder().start(), Sim::builder().start());
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let gateway = Gateway::serve(&configuration(&first, &second, "bytes"));
    let seen = gateway.post("/v1/chat/completions", prompt()).await;
    assert_eq!(
        seen.header("x-llm-target"),
        Some("short"),
        "{}",
        seen.text()
    );
}

#[tokio::test]
async fn a_prompt_too_long_for_everybody_loses_its_oldest_turns_where_the_file_says_so() {
    let turn = |nth: usize| {
        let words = "lorem ipsum dolor sit amet ".repeat(40);
        json!([{ "role": "user", "content": format!("{nth} {words}") }, { "role": "assistant", "content": format!("noted {nth}") }])
    };
    let mut messages = vec![json!({ "role": "system", "content": "Be brief." })];
    messages.extend((0..8).flat_map(|nth| turn(nth).as_array().cloned().unwrap()));
    messages.push(json!({ "role": "user", "content": "And now?" }));
    let body = json!({ "model": "chat", "max_tokens": 50, "messages": messages }).to_string();
    for (truncate, status) in [("oldest_turns", 200), ("never", 400)] {
        let small = Script::from_toml("context_window = 800").unwrap();
        let sim = Sim::builder().script(small).start().await.unwrap();
        let text = configuration(&sim, &sim, "bytes").replace("100000", "800");
        let gateway = Gateway::serve(&format!("{text}truncate = \"{truncate}\"\n"));
        let seen = gateway.post("/v1/chat/completions", body.clone()).await;
        assert_eq!(seen.status, status, "{}", seen.text());
        if status == 200 {
            let dropped = seen.header("x-llm-dropped").unwrap();
            assert!(dropped.contains("messages.oldest"), "{dropped}");
            let sent = sim.received().pop().unwrap();
            let sent = String::from_utf8(sent.body.to_vec()).unwrap();
            assert!(
                sent.contains("Be brief.") && sent.contains("And now?"),
                "{sent}"
            );
            assert!(!sent.contains("noted 0"), "{sent}");
        } else {
            assert_eq!(seen.json()["error"]["code"], "context_length_exceeded");
        }
    }
}

#[cfg(feature = "tokenizer")]
#[tokio::test]
async fn counted_a_prompt_goes_where_there_is_room_for_it() {
    let (first, second) = (Sim::builder().start(), Sim::builder().start());
    let (first, second) = (first.await.unwrap(), second.await.unwrap());
    let gateway = Gateway::serve(&configuration(&first, &second, "o200k"));
    let seen = gateway.post("/v1/chat/completions", prompt()).await;
    assert_eq!(seen.header("x-llm-target"), Some("long"), "{}", seen.text());
    let short = gateway
        .post("/v1/chat/completions", openai("hi", false))
        .await;
    assert_eq!(short.header("x-llm-target"), Some("short"));
    assert_eq!((first.count(), second.count()), (1, 1));
}

/// Tells what is missing: the tokenizer of this build, or nothing but a known word.
#[tokio::test]
async fn a_way_that_this_build_does_not_have_is_refused_with_the_mend() {
    let sim = Sim::builder().start().await.unwrap();
    let check = |estimate| {
        let path = file(&configuration(&sim, &sim, estimate));
        let output = Command::new(BINARY)
            .arg("check")
            .arg(path)
            .output()
            .unwrap();
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap()
    };
    let told = check("o200k");
    assert_eq!(
        told.contains("--features tokenizer"),
        !cfg!(feature = "tokenizer"),
        "{told}"
    );
    assert!(check("guess").contains("`guess` is not known here"));
}
