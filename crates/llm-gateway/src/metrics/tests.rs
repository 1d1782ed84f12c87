use super::*;
use crate::config::wellknown;

/// Every name given to the registry above, as it stands in the source.
fn names() -> Vec<&'static str> {
    let source = include_str!("../metrics.rs");
    let (_, body) = source.split_once("fn register(").unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    let after = |text: &'static str| {
        text.split_once('"')
            .and_then(|(_, rest)| rest.split_once('"'))
    };
    let calls = body.split("register").skip(2);
    calls
        .filter_map(|call| Some(after(call)?.0))
        .filter(|name| name.len() < 40)
        .collect()
}

#[test]
fn every_metric_is_told_in_the_documentation() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateway.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let names = names();
    assert!(names.len() >= 15, "{names:?}");
    for name in names {
        let told = docs.contains(&format!("_{name}_")) || docs.contains(&format!("_{name}`"));
        assert!(
            told || docs.contains(name.trim_start_matches("usage")),
            "{name} is not in docs/gateway.md"
        );
    }
}

#[test]
fn a_providers_name_follows_the_conventions() {
    assert_eq!(genai_provider("xai"), "x_ai");
    assert_eq!(genai_provider("openai"), "openai");
}

#[test]
fn a_reason_is_counted() {
    let metrics = Metrics::new(&wellknown::with_defaults(Vec::new(), Vec::new()));
    metrics.rejected("bad_body");
    let mut text = String::new();
    encode(&mut text, &metrics.registry).unwrap();
    assert!(
        text.contains("llm_gateway_rejected_total{reason=\"bad_body\"} 1"),
        "{text}"
    );
}

/// The words of labels stand in the book, each in the row of its label.
#[test]
fn the_words_in_labels_are_told() {
    use llm_resilience::breaker::TripReason;
    use llm_resilience::router::{Refusal, WaitSource, Why};
    let page = include_str!("../../../../docs/gateway.md");
    let reasons: Vec<_> = TripReason::ALL.iter().map(|one| one.as_str()).collect();
    for (label, words) in [
        ("| `why` |", Why::NAMES),
        ("| `source` of a wait |", WaitSource::NAMES),
        ("| `reason` of `set_aside`", &reasons),
        ("| `reason` of `passed_over_total` |", Refusal::NAMES),
    ] {
        let row = page.lines().find(|line| line.starts_with(label)).unwrap();
        let told: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        for word in words {
            assert!(told.contains(word), "{label} lacks {word}");
        }
    }
}
