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
    use crate::engine::{Budget, Hedge, Hedging, Limits, Policy};
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
        (Section::Server, "write_timeout", server.write_timeout),
        (Section::Breaker, "failure_window", breaker.failure_window),
        (Section::Breaker, "ratio_window", breaker.ratio_window),
        (Section::Breaker, "heal", breaker.heal),
        (Section::Breaker, "lease", breaker.lease),
        (
            Section::Breaker,
            "shadow_every",
            breaker.shadow_every.unwrap(),
        ),
        (
            Section::SetAside,
            "spent_quota",
            breaker.set_aside.spent_quota,
        ),
        (
            Section::SetAside,
            "refused_key",
            breaker.set_aside.refused_key,
        ),
        (
            Section::SetAside,
            "missing_model",
            breaker.set_aside.missing_model,
        ),
        (
            Section::Windows,
            "learnt_floor",
            policy.learnt.unwrap().floor,
        ),
        (Section::Hedging, "floor", Hedge::AT_P90.floor),
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
        (Section::Server, "max_bodies", server.max_bodies_bytes),
        (Section::Breaker, "failures", breaker.failures as usize),
        (Section::Breaker, "samples", breaker.samples as usize),
        (Section::Breaker, "ramp_good", breaker.ramp_good as usize),
        (
            Section::Breaker,
            "failure_percent",
            breaker.failure_percent.unwrap() as usize,
        ),
        (
            Section::Breaker,
            "alert_percent",
            breaker.alert_percent as usize,
        ),
        (
            Section::Breaker,
            "escalate_percent",
            breaker.escalate_percent as usize,
        ),
        (
            Section::Route,
            "eject_percent",
            usize::from(policy.eject_percent),
        ),
        (
            Section::Windows,
            "learnt_percent",
            policy.learnt.unwrap().percent as usize,
        ),
        (
            Section::Hedging,
            "percentile",
            usize::from(Hedge::AT_P90.percentile),
        ),
        (Section::Hedging, "samples", Hedge::AT_P90.samples as usize),
        (Section::Hedging, "percent", Hedge::AT_P90.percent as usize),
        (Section::Hedging, "most", Hedge::AT_P90.most as usize),
        (
            Section::Budget,
            "reserve",
            Budget::PROVIDER.reserve as usize,
        ),
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
fn the_defaults_that_are_told_in_words_are_used() {
    use crate::engine::{Backoff, Budget, Detector, Policy};
    let told = |section, name| {
        let key = keys().find(|key| key.section == section && key.name == name);
        key.unwrap().default
    };
    let table = |budget: Budget| {
        let Budget {
            percent,
            reserve,
            most,
        } = budget;
        format!("`{{ percent = {percent}, reserve = {reserve}, most = {most} }}`")
    };
    assert_eq!(told(Section::Root, "retry_budget"), table(Budget::PROVIDER));
    assert_eq!(told(Section::Route, "retry_budget"), table(Budget::ROUTE));
    assert_eq!(Policy::interactive().retries, Budget::ROUTE);
    let two = |provider, route| format!("`{provider}`; of a route `{route}`");
    let (provider, route) = (Budget::PROVIDER, Budget::ROUTE);
    assert_eq!(
        told(Section::Budget, "percent"),
        two(provider.percent, route.percent)
    );
    assert_eq!(
        told(Section::Budget, "most"),
        two(provider.most, route.most)
    );
    assert_eq!(provider.reserve, route.reserve);
    let detectors = keys().find(|key| key.name == "detectors").unwrap();
    for detector in Detector::ALL {
        assert!(detectors.form.contains(&format!("`\"{detector}\"`")));
        assert!(detectors.meaning.contains(&format!("`{detector}`: ")));
    }
    let written = |name| told(Section::Backoff, name).trim_matches('`');
    let backoff = format!(
        "[targets.a]\nprovider = \"ollama\"\nmodel = \"m\"\n[routes.r]\ntiers = [[\"a\"]]\nbackoff = {{ base = {}, factor = {}, ceiling = {}, jitter = {} }}",
        written("base"),
        written("factor"),
        written("ceiling"),
        written("jitter")
    );
    let config = Config::parse("t", &backoff, &AnyKey).unwrap();
    assert_eq!(config.routes[0].backoff, Some(Backoff::default()));
}

/// The page of the builder has a row for every key that is about calls.
#[test]
fn every_key_has_its_call_in_the_builder() {
    let page = include_str!("../../../../llm-resilience/README.md");
    let told: Vec<_> = page.split('`').skip(1).step_by(2).collect();
    for key in keys() {
        let of_gateway = matches!(
            key.section,
            Section::Root | Section::Server | Section::Cache | Section::Caller | Section::ApiKey
        );
        let in_a_cloud = matches!(
            key.name,
            "project" | "access_key_id" | "secret_access_key" | "session_token" | "service_account"
        );
        assert!(
            of_gateway || in_a_cloud || told.contains(&key.name),
            "{:?}.{} has no row",
            key.section,
            key.name
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
