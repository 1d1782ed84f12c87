//! Every fixture is read as its snapshot says, and an unknown provider fares almost as well.
//!
//! A fixture is a file `tests/fixtures/<provider>/<case>.json`: the failure (`status`, `where`,
//! `headers`, `body`) and, under `expect`, what the classifier must say.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a broken fixture fails its test"
)]

use llm_errors::{Basis, Classifier, Phase, Provider, Reply, Verdict};
use serde_json::{Value, json};
use std::path::Path;
use std::time::SystemTime;

struct Fixture {
    name: String,
    provider: Provider,
    content: Value,
}

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut fixtures = Vec::new();
    for folder in std::fs::read_dir(root).unwrap() {
        let folder = folder.unwrap().path();
        let provider = folder.file_name().unwrap().to_str().unwrap();
        for file in std::fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().path();
            let text = std::fs::read_to_string(&file).unwrap();
            fixtures.push(Fixture {
                name: file.display().to_string(),
                provider: provider.parse().unwrap(),
                content: serde_json::from_str(&text)
                    .unwrap_or_else(|error| panic!("{}: {error}", file.display())),
            });
        }
    }
    fixtures
}

fn classify(provider: Provider, content: &Value) -> Option<Verdict> {
    let headers: Vec<(String, String)> = content["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let body = content["body"].as_str().unwrap().as_bytes();
    let status = content["status"]
        .as_u64()
        .map_or(0, |status| u16::try_from(status).unwrap());
    let reply = Reply::new(status, &headers, body, SystemTime::UNIX_EPOCH);
    let classifier = Classifier::built_in();
    match content["where"].as_str().unwrap() {
        "transport" => Some(classifier.transport_message(provider, body, Phase::Sent)),
        "stream" => Some(classifier.stream_error(provider, body, Phase::MidStream)),
        "ok200" => classifier.answer(provider, &reply),
        _ => Some(classifier.reply(provider, &reply)),
    }
}

#[test]
fn every_fixture_is_read_as_its_snapshot_says() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 300, "only {} fixtures", fixtures.len());
    let mut wrong = Vec::new();
    for fixture in &fixtures {
        let found = classify(fixture.provider, &fixture.content).map_or(Value::Null, |verdict| {
            let wait = verdict
                .hint
                .filter(|hint| hint.basis() != Basis::Date)
                .map(|hint| u64::try_from(hint.wait().as_millis()).unwrap());
            let tokens = |count: u32| (count > 0).then_some(count);
            json!({
                "label": verdict.kind.as_str(),
                "retry": verdict.resend().as_str(),
                "retry_after_ms": wait,
                "context_limit": tokens(verdict.context_limit_tokens),
                "context_requested": tokens(verdict.context_requested_tokens),
            })
        });
        if found != fixture.content["expect"] {
            wrong.push(format!(
                "{}\n  {found}\n  {}",
                fixture.name, fixture.content["expect"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_unknown_provider_does_well_through_the_general_arm_alone() {
    let fixtures = fixtures();
    let right = fixtures
        .iter()
        .filter(|fixture| {
            classify(Provider::Other, &fixture.content)
                .is_some_and(|verdict| verdict.kind.as_str() == fixture.content["expect"]["label"])
        })
        .count();
    assert!(
        right * 100 >= fixtures.len() * 94,
        "{right} of {}",
        fixtures.len()
    );
}
