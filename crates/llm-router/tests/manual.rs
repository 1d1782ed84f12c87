//! What the manual and the page on tuning say of defaults and results is what the code and the simulation give.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use llm_router::{Budget, Hedge, MAX_CANDIDATES, Policy, SetAside};
use std::time::Duration;

const TUNING: &str = include_str!("../../../docs/tuning.md");
const SIMULATION: &str = include_str!("../../../docs/simulation.md");

/// The cells of the table row that begins with `name`, as they are written.
fn row(page: &str, name: &str) -> Vec<String> {
    let mut rows = page.lines().filter_map(|line| {
        let (_, row) = line.trim_end_matches('|').split_once("| ")?;
        Some(
            row.split('|')
                .map(|cell| cell.trim().to_owned())
                .collect::<Vec<_>>(),
        )
    });
    rows.find(|cells| cells.first().is_some_and(|cell| cell == name))
        .unwrap_or_else(|| panic!("no row `{name}`"))
}

#[test]
fn the_table_of_limits() {
    let manual = include_str!("../src/lib.rs");
    let said = |name| row(manual, name)[1].clone();
    let policy = Policy::default();
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    assert_eq!(said("wall clock of a request"), seconds(policy.deadline));
    assert_eq!(
        said("the same once a target was asked whose model thinks first"),
        seconds(policy.thinking_deadline)
    );
    assert_eq!(
        said("how much longer where the model thinks first"),
        seconds(policy.windows.thinking)
    );
    assert_eq!(said("tries of one target"), policy.attempts.to_string());
    assert_eq!(
        said("upstream calls of one request"),
        policy.max_sends.to_string()
    );
    assert_eq!(
        said("wait for a target's own tier"),
        seconds(policy.patience)
    );
    assert_eq!(said("candidates of a route"), MAX_CANDIDATES.to_string());
    let budget = |budget: Budget, of: &str, name: &str| {
        let Budget { percent, most, .. } = budget;
        format!("{percent} % of its {of}, {most} saved up ([`{name}`])")
    };
    assert_eq!(
        said("repeated calls of one route"),
        budget(policy.retries, "requests", "Budget::ROUTE")
    );
    let provider = said("repeated calls of one failure domain");
    assert_eq!(
        provider,
        budget(Budget::PROVIDER, "successes", "Budget::PROVIDER")
    );
    let Hedge { percent, most, .. } = Hedge::AT_P90;
    assert_eq!(
        said("hedges of one route"),
        format!("{percent} % of its successes, {most} saved up ([`Hedge::AT_P90`])")
    );
    assert_eq!(policy.eject_percent, 50, "half of a route");
}

/// What cannot be set is told as it is in the code: a line of it, and what the page says of that.
#[test]
fn the_limits_that_cannot_be_set() {
    let page = include_str!("../../../docs/configuration.md");
    let (_, page) = page
        .split_once("## Limits that are not configurable")
        .unwrap();
    let (plan, canary) = (
        include_str!("../src/plan.rs"),
        include_str!("../src/canary.rs"),
    );
    for (source, line, name, told) in [
        (
            plan,
            "const QUICK_TRIES: u8 = 2;",
            "tries of a target while another tier is left",
            "2",
        ),
        (
            plan,
            "const DOUBTFUL_TRIES: u8 = 2;",
            "tries of a target that hung or answered badly",
            "2",
        ),
        (
            plan,
            "const RESERVE: Duration = Duration::from_secs(10);",
            "time of the deadline kept for the next target",
            "a third of what is left, at most 10 s",
        ),
        (
            plan,
            "const LONGEST_UNHINTED_HOLD: Duration = Duration::from_secs(30);",
            "the wait after a rate limit that states none",
            "1 s, doubling to 30 s with each in a row",
        ),
        (
            include_str!("../src/plan/room.rs"),
            "const LONGEST: Duration = Duration::from_secs(8);",
            "the wait for room at the only target, where its queue is longer than anybody waits",
            "8 s",
        ),
        (
            include_str!("../src/plan/quality.rs"),
            "const MOST_BAD_ANSWERS: u8 = 2;",
            "bad answers of one request",
            "2",
        ),
        (
            include_str!("../src/shadow.rs"),
            "const LONGEST_THOUGHT: Duration = Duration::from_secs(120);",
            "a shadow probe",
            "30 s, 120 s where the model thinks first",
        ),
        (
            canary,
            "const STEP: f64 = 150.0;",
            "a trial (`canary`)",
            "150 good calls a step; a good one is stopped with a chance of 0.7 % for errors, 0.5 % for bad answers, 0.01 % for its times",
        ),
    ] {
        assert!(source.contains(line), "{name}: the code lacks {line}");
        assert_eq!(row(page, name)[1], told);
    }
    assert!(canary.contains("const ERROR_ALPHA: f64 = 0.007;"));
    assert!(canary.contains("const QUALITY_ALPHA: f64 = 0.005;"));
    assert!(canary.contains("const LATENCY_ALPHA: f64 = 0.0001;"));
}

/// How long a quota, a key and a model are set aside.
#[test]
fn the_times_of_the_table_of_failures() {
    let manual = include_str!("../src/lib.rs");
    let said = |name, time: Duration, unit: &str| {
        let text = row(manual, name)[1].clone();
        let told = match unit {
            "h" => format!("{} h", time.as_secs() / 3_600),
            _ => format!("{} min", time.as_secs() / 60),
        };
        assert!(text.contains(&told), "{name}: {text} lacks {told}");
    };
    let times = SetAside::default();
    said("quota, money", times.spent_quota, "h");
    said("refused key or permission", times.refused_key, "min");
    said("unknown or retired model", times.missing_model, "min");
}

#[test]
fn the_numbers_of_chat_batch_and_agents() {
    let presets = [Policy::interactive(), Policy::background(), Policy::agent()];
    let each = |show: fn(&Policy) -> String| presets.each_ref().map(show).to_vec();
    let said = |name| row(TUNING, name)[1..].to_vec();
    assert_eq!(
        said("`deadline`"),
        each(|p| format!("`\"{}s\"`", p.deadline.as_secs()))
    );
    assert_eq!(
        said("the same where a model thinks first"),
        each(|p| format!("`\"{}s\"`", p.thinking_deadline.as_secs()))
    );
    let thinking = each(|p| format!("`\"{}s\"`", p.windows.thinking.as_secs()));
    assert_eq!(said("`windows.thinking`"), thinking);
    assert_eq!(
        said("`patience`"),
        each(|p| format!("`\"{}s\"`", p.patience.as_secs()))
    );
    assert_eq!(said("`attempts`"), each(|p| p.attempts.to_string()));
    assert_eq!(said("`max_calls`"), each(|p| p.max_sends.to_string()));
    let first_token = each(|p| format!("`\"{}s\"`", p.windows.first_token.as_secs()));
    assert_eq!(said("`windows.first_token`"), first_token);
}

/// One figure of a policy in a scenario of the simulation.
fn figure(scenario: &str, policy: &str, column: &str) -> String {
    let (_, section) = SIMULATION
        .split_once(&format!("\n### {scenario}\n"))
        .unwrap();
    let names = row(section, "policy");
    let place = names.iter().position(|name| name == column).unwrap();
    row(section, policy).swap_remove(place)
}

#[test]
fn the_figures_are_those_of_the_simulation() {
    let text = TUNING.replace('\n', " ");
    for scenario in ["stragglers, hedged", "stragglers, half from the request"] {
        let [before, after] =
            ["no protection", "llm-router"].map(|policy| figure(scenario, policy, "p99 s"));
        let told = format!("from {before} s to {after} s");
        assert!(text.contains(&told), "{scenario}: {told}");
    }
    let limited = "three times the limit, told";
    let [calls, blind] = ["llm-router", "three blind retries"]
        .map(|policy| figure(limited, policy, "calls/request"));
    let told = format!("({calls} a request instead of {blind})");
    assert!(text.contains(&told), "{told}");
}

#[test]
fn every_plot_is_there() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/");
    let plots: Vec<&str> = TUNING
        .split("](")
        .skip(1)
        .filter_map(|link| link.split(')').next())
        .filter(|link| link.ends_with(".svg"))
        .collect();
    assert!(plots.len() >= 8, "{plots:?}");
    for plot in plots {
        assert!(std::path::Path::new(docs).join(plot).is_file(), "{plot}");
    }
}

#[test]
fn every_metric_to_look_at_is_there() {
    let (_, signs) = TUNING
        .split_once("## Signs that a number is wrong")
        .unwrap();
    let metrics = include_str!("../../../docs/gateway.md");
    let named: Vec<&str> = signs
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .collect();
    assert!(named.len() >= 8, "{named:?}");
    for name in named {
        assert!(
            metrics.contains(&format!("| `llm_gateway_{name}` |")),
            "{name}"
        );
    }
}
