//! A file that is read again: a changed file is served at once, calls under way end well, and a broken file changes nothing.

use crate::support::{BINARY, Gateway, Seen, file, openai, two};
use http_body_util::BodyExt as _;
use llm_sim::{Pace, Preset, Rule, Script, Sim, SimHandle};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// A gateway whose file can be changed.
struct Set {
    gateway: Gateway,
    log: UnboundedReceiver<String>,
    path: PathBuf,
    /// One in front, and one behind it.
    sims: [SimHandle; 2],
}

impl Drop for Set {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn sim(text: &str) -> SimHandle {
    let script = Script::builder().text(text).build().unwrap();
    Sim::builder().script(script).start().await.unwrap()
}

impl Set {
    async fn start() -> Self {
        let sims = [sim("from the first").await, sim("from the second").await];
        let path = file(&text(&sims));
        let (gateway, log) = Gateway::start_logged(
            Command::new(BINARY)
                .args(["serve", "--listen", "127.0.0.1:0", "--config"])
                .arg(&path),
        );
        Self {
            gateway,
            log,
            path,
            sims,
        }
    }

    /// The configuration it started with.
    fn text(&self) -> String {
        text(&self.sims)
    }

    /// Writes the file, sends the signal and waits for the log line that contains `end`; gives back all up to it.
    async fn reload(&mut self, text: &str, end: &str) -> Vec<String> {
        std::fs::write(&self.path, text).unwrap();
        let pid = self.gateway.child.id().to_string();
        let kill = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(kill.unwrap().success());
        self.logged(end).await
    }

    /// Waits for the log line that contains `end`; gives back all up to it.
    async fn logged(&mut self, end: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let line = tokio::time::timeout(Duration::from_secs(10), self.log.recv()).await;
            let Ok(Some(line)) = line else {
                panic!("no line with {end:?} in {seen:#?}")
            };
            let last = line.contains(end);
            seen.push(line);
            if last {
                return seen;
            }
        }
    }

    async fn ask(&self, model: &str) -> Seen {
        let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
        self.gateway
            .post("/v1/chat/completions", body.to_string())
            .await
    }
}

fn text(sims: &[SimHandle; 2]) -> String {
    two(&sims[0].openai_base_url(), &sims[1].base_url(), "")
}

#[tokio::test]
async fn a_changed_route_answers_while_a_running_stream_ends_well() {
    let mut set = Set::start().await;
    let slow = Script::builder()
        .text("one two three four five six seven eight")
        .pace(Pace::NONE.per_chunk(Duration::from_millis(100)))
        .build();
    set.sims[0].set_script(slow.unwrap());
    let request = set.gateway.request("/v1/chat/completions");
    let running = set.gateway.open(request, openai("hi", true)).await;
    assert_eq!(running.status(), 200);

    let changed = set
        .text()
        .replace("[routes.chat]", "[routes.talk]\naliases = [\"gpt-5\"]")
        .replace("[[\"primary\"], [\"backup\"]]", "[[\"backup\"]]");
    set.reload(&changed, "reloaded ").await;
    for name in ["talk", "gpt-5"] {
        let seen = set.ask(name).await;
        assert_eq!(
            (seen.status, seen.header("x-llm-target")),
            (200, Some("backup")),
            "{}",
            seen.text()
        );
        assert!(seen.text().contains("from the second"), "{}", seen.text());
    }
    assert_eq!(set.ask("chat").await.status, 404, "the old name is gone");
    let listed = set.gateway.get("/v1/models").await.json();
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert_eq!(names, ["talk", "gpt-5"]);

    let body = running
        .into_body()
        .collect()
        .await
        .expect("the whole stream");
    let body = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    assert!(body.contains("eight"), "{body}");
    assert!(body.trim_end().ends_with("data: [DONE]"), "{body}");
    let metrics = set.gateway.get("/metrics").await;
    for line in [
        "llm_gateway_requests_total{route=\"chat\",outcome=\"answered\",stream=\"true\"} 1",
        "llm_gateway_requests_total{route=\"talk\",outcome=\"answered\",stream=\"false\"} 2",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
}

#[tokio::test]
async fn a_broken_file_changes_nothing_and_every_fault_is_logged() {
    let mut set = Set::start().await;
    let broken = set
        .text()
        .replace("patience", "pateince")
        .replace("[\"backup\"]", "[\"bakup\"]");
    let log = set.reload(&broken, "not reloaded").await.join("\n");
    let path = set.path.display().to_string();
    for fault in [
        ":13:24: routes.chat.tiers: no target is called `bakup`; mend: did you mean `backup`?",
        ":14:1: routes.chat.pateince: unknown key; mend: did you mean `patience`?",
    ] {
        assert!(log.contains(&format!("{path}{fault}")), "{fault}\n{log}");
    }
    let seen = set.ask("chat").await;
    assert_eq!(
        (seen.status, seen.header("x-llm-target")),
        (200, Some("primary")),
        "{}",
        seen.text()
    );
    // Mended, it is served.
    let mended = set.text().replace("[routes.chat]", "[routes.talk]");
    set.reload(&mended, "reloaded ").await;
    assert_eq!(set.ask("talk").await.status, 200);
}

#[tokio::test]
async fn a_file_that_is_watched_is_served_when_it_has_changed_and_keeps_what_was_learnt() {
    let mut set = Set::start().await;
    let key = file("one");
    let text = set.text().replace(
        "model = \"other\"",
        &format!("model = \"other\"\napi_key = {{ file = {key:?} }}"),
    );
    let watched = format!("watch = \"50ms\"\n{text}");
    set.reload(&watched, "reloaded ").await;
    let spent = Rule::new().preset(Preset::InsufficientQuota);
    set.sims[0].set_script(Script::builder().rule(spent).build().unwrap());
    assert_eq!(set.ask("chat").await.header("x-llm-target"), Some("backup"));
    let asked = set.sims[0].count();

    let changed = watched.replace("[routes.chat]", "[routes.talk]");
    std::fs::write(&set.path, &changed).unwrap();
    set.logged("reloaded ").await;
    let seen = set.ask("talk").await;
    assert_eq!(seen.header("x-llm-target"), Some("backup"), "{seen:?}");
    assert_eq!(set.sims[0].count(), asked, "it is still left alone");

    // A slip changes nothing, and is told once however often it is seen.
    std::fs::write(&set.path, changed.replace("patience", "pateince")).unwrap();
    let log = set.logged("not reloaded").await.join("\n");
    assert!(log.contains("did you mean `patience`?"), "{log}");
    assert_eq!(set.ask("talk").await.status, 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    std::fs::write(&set.path, &changed).unwrap();
    let log = set.logged("reloaded ").await.join("\n");
    assert!(!log.contains("pateince"), "told again: {log}");

    // So is a key that has changed in its own file, and nothing else.
    std::fs::write(&key, "two").unwrap();
    set.logged("reloaded ").await;
    std::fs::remove_file(key).unwrap();
    set.ask("talk").await;
    let received = set.sims[1].received();
    let keys: Vec<_> = received
        .iter()
        .map(|call| call.header("x-api-key"))
        .collect();
    assert!(keys.iter().all(Option::is_some), "{keys:?}");
    assert_ne!(keys.first(), keys.last());
}

#[tokio::test]
async fn what_was_learnt_of_a_target_that_stays_is_kept() {
    let mut set = Set::start().await;
    let spent = Rule::new().preset(Preset::InsufficientQuota);
    set.sims[0].set_script(Script::builder().rule(spent).build().unwrap());
    assert_eq!(set.ask("chat").await.header("x-llm-target"), Some("backup"));
    let asked = set.sims[0].count();
    let changed = set.text().replace("[routes.chat]", "[routes.talk]");
    set.reload(&changed, "reloaded ").await;
    let seen = set.ask("talk").await;
    assert_eq!(
        seen.header("x-llm-target"),
        Some("backup"),
        "{}",
        seen.text()
    );
    assert_eq!(set.sims[0].count(), asked, "it is still left alone");
    let ready = set.gateway.get("/readyz").await.json();
    assert_eq!(ready["targets"]["primary"]["breaker"], "open", "{ready}");
}

#[tokio::test]
async fn breaker_settings_change_for_targets_that_stay() {
    let mut set = Set::start().await;
    let stricter = format!("[breaker]\nfailures = 1\n{}", set.text());
    set.reload(&stricter, "reloaded ").await;
    let broken = Rule::new().preset(Preset::ServerError);
    set.sims[0].set_script(Script::builder().rule(broken).build().unwrap());
    set.ask("chat").await;
    let ready = set.gateway.get("/readyz").await.json();
    assert_eq!(ready["targets"]["primary"]["breaker"], "open", "{ready}");
}

#[tokio::test]
async fn what_only_a_restart_changes_is_said_and_targets_that_go_are_forgotten() {
    let mut set = Set::start().await;
    set.gateway.get("/metrics").await;
    let text = set.text();
    let (before, rest) = text.split_once("[targets.primary]").unwrap();
    let (_, rest) = rest.split_once("[targets.backup]").unwrap();
    let rest = rest.replace("[\"primary\"], ", "");
    let changed = format!(
        "listen = \"127.0.0.1:1\"\n[server]\nmax_body = 10\n{before}[targets.backup]{rest}"
    );
    let log = set.reload(&changed, "reloaded ").await.join("\n");
    assert!(log.contains("`listen` has changed"), "{log}");
    assert!(log.contains("[server] has changed"), "{log}");
    assert!(!log.contains("`admin_listen` has changed"), "{log}");
    assert_eq!(set.ask("chat").await.status, 200, "no limit of 10 bytes");
    let metrics = set.gateway.get("/metrics").await;
    let states: Vec<_> = metrics
        .text()
        .lines()
        .filter(|line| line.starts_with("llm_gateway_breaker_state{"))
        .collect();
    assert_eq!(states.len(), 3, "{states:?}");
    assert!(
        states.iter().all(|line| line.contains("backup")),
        "{states:?}"
    );
}

#[tokio::test]
async fn a_mended_key_is_used_at_once() {
    let mut set = Set::start().await;
    let guarded = Script::builder().require_key().keys(["good"]).build();
    set.sims[0].set_script(guarded.unwrap());
    let key = file("bad");
    let text = set.text().replace(
        "model = \"large\"",
        &format!("model = \"large\"\napi_key = {{ file = {key:?} }}"),
    );
    set.reload(&text, "reloaded ").await;
    assert_eq!(set.ask("chat").await.header("x-llm-target"), Some("backup"));
    set.reload(&text, "reloaded ").await;
    let asked = set.sims[0].count();
    assert_eq!(set.ask("chat").await.header("x-llm-target"), Some("backup"));
    assert_eq!(
        set.sims[0].count(),
        asked,
        "the same key is still set aside"
    );

    std::fs::write(&key, "good\n").unwrap();
    set.reload(&text, "reloaded ").await;
    let seen = set.ask("chat").await;
    std::fs::remove_file(key).unwrap();
    assert_eq!(
        seen.header("x-llm-target"),
        Some("primary"),
        "{}",
        seen.text()
    );
}

#[tokio::test]
async fn what_operators_were_told_is_not_told_again() {
    let mut set = Set::start().await;
    let ill = "[[rule]]\npreset = \"server_error\"\nevery = 10";
    set.sims[0].set_script(Script::from_toml(ill).unwrap());
    let text = set.text().replace("patience", "attempts = 1\npatience");
    set.reload(&text, "reloaded ").await;
    for _ in 0..40 {
        set.ask("chat").await;
    }
    let about = |log: &[String]| {
        let told = log.iter().filter(|line| line.contains("the error rate is"));
        told.count()
    };
    let log = set.reload(&text, "reloaded ").await;
    assert_eq!(about(&log), 1, "{log:#?}");
    for _ in 0..20 {
        set.ask("chat").await;
    }
    let log = set.reload(&text, "reloaded ").await;
    assert_eq!(about(&log), 0, "{log:#?}");
}
