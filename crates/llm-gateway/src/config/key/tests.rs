use super::*;
use crate::config::Config;
use crate::config::secret::World;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->";

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(file)
}

#[test]
fn every_key_stands_once_in_its_section() {
    for (section, _) in Section::ALL {
        let all: Vec<_> = names(section).collect();
        let mut unique = all.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len(), "{section:?}");
        assert!(!all.is_empty(), "{section:?}");
    }
}

/// Set `LLM_UPDATE_DOCS` to write the tables instead of comparing them.
#[test]
fn the_reference_holds_exactly_these_keys() {
    let path = docs("configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the mark where the tables begin");
    let (found, after) = rest.split_once(END).expect("the mark where the tables end");
    if std::env::var_os("LLM_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", reference())).unwrap();
        return;
    }
    assert_eq!(
        found,
        reference(),
        "run this test with LLM_UPDATE_DOCS=1 to write the tables"
    );
}

#[test]
fn the_defaults_told_are_the_defaults_used() {
    use crate::config::{Breaker, Cache, Server, unit};
    use crate::engine::{Hedging, Limits, Policy};
    let told = |section, name| {
        let key = keys()
            .find(|key| key.section == section && key.name == name)
            .unwrap();
        key.default.trim_matches(['`', '"'])
    };
    let (policy, server, breaker) = (Policy::interactive(), Server::default(), Breaker::default());
    for (section, name, used) in [
        (Section::Route, "deadline", policy.deadline),
        (Section::Route, "patience", policy.patience),
        (Section::Windows, "connect", policy.windows.connect),
        (Section::Windows, "first_token", policy.windows.first_token),
        (Section::Windows, "idle", policy.windows.idle),
        (Section::Windows, "whole", policy.windows.whole),
        (Section::Windows, "stream", policy.windows.stream),
        (Section::Windows, "thinking", policy.windows.thinking),
        (Section::Server, "header_timeout", server.header_timeout),
        (Section::Server, "body_timeout", server.body_timeout),
        (Section::Server, "notice", server.notice),
        (Section::Server, "drain", server.drain),
        (Section::Breaker, "window", breaker.window),
        (Section::Breaker, "cooldown", breaker.cooldown),
        (Section::Breaker, "cooldown_max", breaker.cooldown_max),
        (Section::Breaker, "ramp_step", breaker.ramp_step),
        (Section::Cache, "stale", Cache::default().stale),
        (Section::Limits, "burst", Limits::default().burst),
    ] {
        assert_eq!(
            unit::duration(told(section, name)),
            Some(used),
            "{section:?}.{name}"
        );
    }
    assert_eq!(told(Section::Route, "strategy"), policy.strategy.as_str());
    assert_eq!(told(Section::Route, "hedging"), "off");
    assert_eq!(policy.hedging, Hedging::Off);
    for (section, name, used) in [
        (Section::Route, "attempts", usize::from(policy.attempts)),
        (Section::Route, "max_calls", usize::from(policy.max_sends)),
        (Section::Server, "max_body", server.max_body_bytes),
        (Section::Server, "max_connections", server.max_connections),
        (Section::Breaker, "failures", breaker.failures as usize),
        (Section::Cache, "max_bytes", Cache::default().max_bytes),
    ] {
        assert_eq!(
            unit::size(told(section, name)),
            Some(used),
            "{section:?}.{name}"
        );
    }
}

#[test]
fn every_strategy_is_told() {
    let key = keys().find(|key| key.name == "strategy").unwrap();
    for strategy in crate::engine::Strategy::ALL {
        assert!(key.meaning.contains(&format!("`{strategy}`")), "{strategy}");
    }
}

#[derive(Debug)]
struct AnyKey;

impl World for AnyKey {
    fn variable(&self, _: &str) -> Option<String> {
        Some("key".to_owned())
    }
    fn file(&self, _: &Path) -> std::io::Result<String> {
        Ok("key".to_owned())
    }
}

#[test]
fn the_example_is_valid_and_gives_no_warning() {
    let path = docs("examples/gateway.toml");
    let config = Config::load(&path, &AnyKey).unwrap();
    assert_eq!(crate::config::walk::warnings(&config), Vec::<String>::new());
}
