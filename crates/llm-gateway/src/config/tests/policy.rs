//! Scopes, tags, money, remedies and trials.

use super::super::walk;
use super::*;
use crate::engine::{Edge, FailOpen, Spend};

const TARGETS: &str = r#"
[targets.a]
provider = "vllm"
model = "m"
organisation = "ours"
region = "east"
tags = ["eu", "fast"]
price = { input = 1, output = 2 }
spend = { per_hour = 5, alerts = [1, 2.5] }
[targets.b]
provider = "vllm"
model = "n"
base_url = "http://127.0.0.1:9/v1"
failure_domain = "rack 2"
tags = ["eu"]
[targets.c]
provider = "ollama"
model = "o"
region = "east"
"#;

fn read(route: &str) -> Result<Config, Faults> {
    let text = format!("{TARGETS}\n[routes.chat]\n{route}");
    Config::parse("t", &text, &Keys)
}

fn fault(route: &str) -> String {
    let faults = read(route).unwrap_err();
    assert_eq!(faults.list.len(), 1, "{faults}");
    faults.to_string()
}

#[test]
fn every_key_is_read() {
    let config = read(
        r#"
        tiers = [["a"]]
        on = { context_length = ["c"] }
        canary = { target = "b", steps = [10, 50] }
        spend = { per_hour = 20.5 }
        max_cost = 0.02
        fail_open = "least_bad"
        "#,
    )
    .unwrap();
    let place = &config.targets[0].place;
    assert_eq!(place.organisation.as_deref(), Some("ours"));
    assert_eq!(config.targets[0].cloud.region.as_deref(), Some("east"));
    assert_eq!(place.tags, ["eu", "fast"]);
    assert_eq!(place.spend.per_hour, Some(Spend(5_000_000)));
    assert_eq!(place.spend.alerts, [Spend(1_000_000), Spend(2_500_000)]);
    assert_eq!(
        config.targets[1].place.failure_domain.as_deref(),
        Some("rack 2")
    );
    let remedy = &config.routes[0].remedy;
    assert_eq!(remedy.on[0].0, Edge::ContextLength);
    assert_eq!(remedy.on[0].1[0].target, 2);
    let trial = remedy.canary.as_ref().unwrap();
    assert_eq!((trial.target, &*trial.steps), (1, &[10, 50][..]));
    assert_eq!(remedy.spend.per_hour, Some(Spend(20_500_000)));
    assert_eq!(remedy.max_cost, Some(Spend(20_000)));
    assert_eq!(remedy.fail_open, FailOpen::LeastBad);
}

#[test]
fn every_slip_is_named_with_its_mend() {
    for (route, told) in [
        (
            "tiers = [[\"a\"]]\non = { context = [\"c\"] }",
            "did you mean",
        ),
        (
            "tiers = [[\"a\"]]\non = { region = [\"a\"] }",
            "the same target twice",
        ),
        ("tiers = [[\"a\"]]\non = { region = [] }", "no target"),
        (
            "tiers = [[\"a\"]]\non = { region = [\"d\"] }",
            "no target is called `d`",
        ),
        (
            "tiers = [[\"a\"]]\ncanary = { target = \"a\" }",
            "take it out of the tiers",
        ),
        ("tiers = [[\"a\"]]\ncanary = { steps = [5] }", "add target"),
        (
            "tiers = [[\"a\"]]\ncanary = { target = \"b\", steps = [50, 5] }",
            "ascending percentages",
        ),
        (
            "tiers = [[\"a\"]]\ncanary = { target = \"b\", steps = [100] }",
            "ascending percentages",
        ),
        (
            "tiers = [[\"a\"], [\"b\"]]\ntags = [\"fast\"]",
            "`b` does not have the tag `fast`",
        ),
        ("tiers = [[\"a\"]]\nmax_cost = 0", "a cap of nothing"),
        ("tiers = [[\"a\"]]\nspend = { per_hour = -1 }", "below zero"),
        (
            "tiers = [[\"a\"]]\nspend = { alerts = [1, 2, 3, 4, 5] }",
            "5 alerts",
        ),
        (
            "tiers = [[\"a\"]]\nspend = { alerts = [\"1\"] }",
            "where a number is expected",
        ),
        ("tiers = [[\"a\"]]\nfail_open = \"always\"", "known"),
    ] {
        let text = fault(route);
        assert!(text.contains(told), "{route}: {text}");
    }
}

#[test]
fn what_is_not_counted_or_leads_nowhere_is_warned_of() {
    let config = read(
        "tiers = [[\"a\"], [\"b\"]]\non = { region = [\"c\"] }\nmax_cost = 1\ndegraded = [{ mode = \"cached\" }]",
    )
    .unwrap();
    let found = walk::warnings(&config).join("\n");
    assert!(
        found.contains("routes.chat: what `b` costs is not counted"),
        "{found}"
    );
    assert!(
        found.contains("on.region leads to `c`, which has the same region as the first tier"),
        "{found}"
    );
    assert!(!found.contains("no route uses it"), "{found}");
}
