//! Targets in a cloud: where they are, and who asks.

use super::*;
use crate::config::Identity;
use crate::engine::Wire;
use crate::metrics::Metrics;
use std::sync::Arc;

/// Keys in the environment, and the file of a service account.
#[derive(Debug)]
struct Clouds;

impl World for Clouds {
    fn variable(&self, name: &str) -> Option<String> {
        let known = [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_BEARER_TOKEN_BEDROCK",
        ];
        known.contains(&name).then(|| "AKSECRET".to_owned())
    }
    fn file(&self, path: &Path) -> std::io::Result<String> {
        let key =
            include_str!("../../../../llm-providers/tests/fixtures/rsa_key_for_tests_only.pem");
        let account = serde_json::json!({"client_email": "a@b", "private_key": key});
        match path.to_str() {
            Some("/account.json") => Ok(account.to_string()),
            Some("/other.json") => Ok("{\n}".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

fn read(target: &str) -> Result<Config, String> {
    let text = format!(
        "[targets.a]\n{target}\n[routes.r]\ntiers = [[\"a\"]]\ndegraded = [{{ mode = \"cached\" }}]\n"
    );
    Config::parse("gateway.toml", &text, &Clouds).map_err(|faults| faults.to_string())
}

fn built(config: &Config) {
    crate::engine::build(config, Arc::new(Metrics::new(config))).unwrap();
}

#[test]
fn a_signed_target_is_read_and_built() {
    let config = read(
        "provider = \"bedrock\"\nmodel = \"amazon.nova-pro-v1:0\"\nregion = \"us-east-1\"\n\
         access_key_id = { env = \"AWS_ACCESS_KEY_ID\" }\nsecret_access_key = { env = \"AWS_SECRET_ACCESS_KEY\" }",
    )
    .unwrap();
    let target = &config.targets[0];
    assert!(matches!(target.cloud.identity, Some(Identity::Aws { .. })));
    assert_eq!(
        target.credential.as_deref(),
        Some("env:AWS_SECRET_ACCESS_KEY")
    );
    assert!(!format!("{config:?}").contains("AKSECRET"));
    assert_eq!(walk::warnings(&config), Vec::<String>::new());
    built(&config);
}

#[test]
fn a_bedrock_key_needs_no_access_keys() {
    let config = read(
        "provider = \"bedrock\"\nmodel = \"m\"\nregion = \"us-east-1\"\napi_key = { env = \"AWS_BEARER_TOKEN_BEDROCK\" }",
    );
    assert!(config.unwrap().targets[0].cloud.identity.is_none());
    let config = read("provider = \"bedrock\"\nmodel = \"m\"\nregion = \"us-east-1\"").unwrap();
    let warnings = walk::warnings(&config);
    assert!(
        warnings[0].contains("AWS_BEARER_TOKEN_BEDROCK"),
        "{warnings:?}"
    );
}

#[test]
fn a_target_on_vertex_has_an_account_or_the_machines() {
    let place = "provider = \"vertex\"\nregion = \"global\"\nproject = \"p\"\n";
    let config = read(&format!(
        "{place}model = \"claude-sonnet-4-5\"\nservice_account = {{ file = \"/account.json\" }}"
    ))
    .unwrap();
    let target = &config.targets[0];
    assert!(matches!(
        target.cloud.identity,
        Some(Identity::ServiceAccount(_))
    ));
    built(&config);
    let config = read(&format!("{place}model = \"gemini-2.5-flash\"")).unwrap();
    assert!(matches!(
        config.targets[0].cloud.identity,
        Some(Identity::Machine)
    ));
    assert_eq!(config.targets[0].credential.as_deref(), Some("machine"));
    let config = read("provider = \"ollama\"\nmodel = \"m\"\ndialect = \"ollama_chat\"").unwrap();
    assert_eq!(config.targets[0].wire, Some(Wire::OllamaChat));
}

#[test]
fn what_is_missing_or_out_of_place_is_named() {
    for (target, expected) in [
        (
            "provider = \"bedrock\"\nmodel = \"m\"",
            "targets.a.region: missing",
        ),
        (
            "provider = \"vertex\"\nmodel = \"m\"\nregion = \"global\"",
            "targets.a.project: missing",
        ),
        (
            "provider = \"openai\"\nmodel = \"m\"\nproject = \"p\"",
            "gateway.toml:4:11: targets.a.project: `openai` has no use for it",
        ),
        (
            "provider = \"bedrock\"\nmodel = \"m\"\nregion = \"evil.example/\"",
            "gateway.toml:4:10: targets.a.region: no such name",
        ),
        (
            "provider = \"bedrock\"\nmodel = \"m\"\nregion = \"us-east-1\"\naccess_key_id = { env = \"AWS_ACCESS_KEY_ID\" }",
            "targets.a.secret_access_key: missing",
        ),
        (
            "provider = \"bedrock\"\nmodel = \"m\"\nregion = \"us-east-1\"\nsecret_access_key = \"AKSECRET\"",
            "write secret_access_key = { env = \"NAME\" }",
        ),
        (
            "provider = \"vertex\"\nmodel = \"m\"\nregion = \"global\"\nproject = \"p\"\nservice_account = { file = \"/other.json\" }",
            "targets.a.service_account: not the JSON file of a service account",
        ),
    ] {
        let faults = read(target).unwrap_err();
        assert!(faults.contains(expected), "{target}:\n{faults}");
        assert!(!faults.contains("AKSECRET"), "{faults}");
    }
}
