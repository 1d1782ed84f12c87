//! Criterion's benches, all of them, as one table: question, figure, baseline, ratio.
//!
//! A criterion group is a question; what is compared with what in it, `pairing.rs` tells.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::{goals, pairing};
use crate::shell;
use crate::workspace::Workspace;

/// One measured function.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    /// The criterion group.
    pub(super) question: String,
    pub(super) name: String,
    /// The criterion parameter, or nothing.
    pub(super) parameter: String,
    /// The least of the rounds.
    pub(super) nanoseconds: f64,
    /// The greatest of the rounds.
    pub(super) most: f64,
}

/// How often every bench is run, and how long each of its functions each time.
struct Effort {
    rounds: usize,
    warm_up: &'static str,
    measurement: &'static str,
}

/// A busy neighbour slows a virtual machine for seconds or minutes: rounds that lie minutes apart meet a quiet one.
const FULL: Effort = Effort {
    rounds: 5,
    warm_up: "0.2",
    measurement: "0.4",
};

const QUICK: Effort = Effort {
    rounds: 1,
    warm_up: "0.3",
    measurement: "0.5",
};

/// Runs every bench in turn, round after round, and reads what criterion stored.
///
/// Of each function the least of its rounds counts: what else the machine does can only add to a time, so the least is
/// nearest to what the code costs, and figure and baseline have the same chances of it.
pub(super) fn measure(quick: bool) -> Result<Value> {
    let effort = if quick { QUICK } else { FULL };
    let workspace = Workspace::load()?;
    let benches: Vec<(&str, &str)> = workspace
        .packages
        .values()
        .flat_map(|package| {
            let benches = package.benches.iter();
            benches.map(|bench| (package.name.as_str(), bench.as_str()))
        })
        .collect();
    if benches.is_empty() {
        bail!("no package has a bench target");
    }
    let mut rounds: Vec<Vec<Measured>> = vec![Vec::new(); benches.len()];
    for _ in 0..effort.rounds {
        for ((package, bench), rounds) in benches.iter().zip(&mut rounds) {
            rounds.extend(run(package, bench, &effort)?);
        }
    }
    let rows: Vec<Value> = benches
        .iter()
        .zip(rounds)
        .flat_map(|((package, _), rounds)| compared(package, &least(rounds)))
        .collect();
    Ok(json!({ "rounds": effort.rounds, "rows": rows }))
}

/// One bench, once.
fn run(package: &str, bench: &str, effort: &Effort) -> Result<Vec<Measured>> {
    // A store of its own, emptied first: no figure of another run can slip in.
    let store = shell::target_dir().join("bench").join(package).join(bench);
    if store.exists() {
        std::fs::remove_dir_all(&store)?;
    }
    let mut command = shell::cargo();
    command
        .args(["bench", "--quiet", "--all-features", "-p", package])
        .args(["--bench", bench, "--", "--noplot"])
        .args(["--warm-up-time", effort.warm_up])
        .args(["--measurement-time", effort.measurement])
        // The spread of the rounds is what is told: criterion's own estimate of error may be rough.
        .args(["--sample-size", "20", "--nresamples", "1001"])
        .env("CRITERION_HOME", &store);
    shell::step(&format!("bench {package}/{bench}"), &mut command)?;
    let mut measured = Vec::new();
    collect(&store, &mut measured)?;
    if measured.is_empty() {
        bail!(
            "criterion stored nothing of {bench} under {}",
            store.display()
        );
    }
    Ok(measured)
}

/// The rounds of each function as one: the least, and the greatest beside it.
fn least(mut rounds: Vec<Measured>) -> Vec<Measured> {
    rounds.sort_by(|a, b| {
        (&a.question, &a.parameter, &a.name)
            .cmp(&(&b.question, &b.parameter, &b.name))
            .then(a.nanoseconds.total_cmp(&b.nanoseconds))
    });
    rounds.dedup_by(|later, kept| {
        let same = (&later.question, &later.parameter, &later.name)
            == (&kept.question, &kept.parameter, &kept.name);
        if same {
            kept.most = kept.most.max(later.nanoseconds);
        }
        same
    });
    rounds
}

/// A row for every figure and each of its baselines; one without, where it has none.
fn compared(package: &str, measured: &[Measured]) -> Vec<Value> {
    let mut rows = Vec::new();
    for figure in measured.iter().filter(|row| !pairing::is_baseline(row)) {
        let row = |base: Option<&Measured>| {
            json!({
                "crate": package,
                "question": figure.question,
                "name": joined(&figure.name, &figure.parameter),
                "ns": figure.nanoseconds,
                "ns_most": figure.most,
                "baseline": base.map(|base| joined(&base.name, &base.parameter)),
                "baseline_ns": base.map(|base| base.nanoseconds),
                "baseline_ns_most": base.map(|base| base.most),
                "ratio": base.map(|base| figure.nanoseconds / base.nanoseconds),
            })
        };
        let baselines = pairing::baselines(figure, measured);
        if baselines.is_empty() {
            rows.push(row(None));
        }
        rows.extend(baselines.into_iter().map(|base| row(Some(base))));
    }
    rows
}

fn joined(name: &str, parameter: &str) -> String {
    [name, parameter]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Every `new/estimates.json` under a folder.
fn collect(folder: &Path, measured: &mut Vec<Measured>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("estimates.json");
        if path.ends_with("new") && estimates.is_file() {
            measured.push(read(&path.join("benchmark.json"), &estimates)?);
        } else {
            collect(&path, measured)?;
        }
    }
    Ok(())
}

fn read(benchmark: &PathBuf, estimates: &PathBuf) -> Result<Measured> {
    let json = |path: &PathBuf| -> Result<Value> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
    };
    measured(&json(benchmark)?, &json(estimates)?)
        .with_context(|| format!("{} has not criterion's form", estimates.display()))
}

fn measured(benchmark: &Value, estimates: &Value) -> Option<Measured> {
    let text = |key: &str| {
        benchmark
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    // The slope over growing batches where criterion took one, as in what it prints.
    let estimate = |key: &str| estimates.get(key)?.get("point_estimate")?.as_f64();
    let nanoseconds = estimate("slope").or_else(|| estimate("mean"))?;
    Some(Measured {
        question: text("group_id"),
        name: text("function_id"),
        parameter: text("value_str"),
        nanoseconds,
        most: nanoseconds,
    })
}

/// The result as a Markdown table.
pub(super) fn table(result: &Value) -> String {
    let mut table = format!(
        "Times: the least to the greatest of {} rounds, in each of which every bench ran once. A neighbour on the\n\
         machine can only add to a time, so ratios and goals are those of the least.\n\n\
         | crate | question | figure | baseline | ratio | goal |\n| --- | --- | --- | --- | --- | --- |\n",
        result.get("rounds").and_then(Value::as_u64).unwrap_or(1),
    );
    for row in result
        .get("rows")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| row.get(key).and_then(Value::as_f64);
        let timed = |name: &str, least: &str, most: &str| {
            let least = number(least)?;
            let most = number(most).map_or_else(String::new, |ns| format!(" to {}", shown(ns)));
            Some(format!("{}: {}{most}", text(name), shown(least)))
        };
        let figure = timed("name", "ns", "ns_most").unwrap_or_default();
        let baseline = timed("baseline", "baseline_ns", "baseline_ns_most");
        let baseline = baseline.as_deref().unwrap_or("none");
        let ratio = number("ratio").map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(
            table,
            "| {} | {} | {figure} | {baseline} | {ratio} | {} |",
            text("crate"),
            text("question"),
            goals::shown(row),
        );
    }
    table
}

/// What has become a tenth faster or slower since the stored run. On another machine the figures differ by themselves, so
/// ratios to the baseline are compared where there is one.
pub(super) fn changes(stored: &Map<String, Value>, result: &Value) -> Vec<String> {
    let rows = |value: Option<&Value>| {
        value
            .and_then(|value| value.get("rows"))
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let number = |row: &Value, key: &str| row.get(key).and_then(Value::as_f64);
    let figure = |row: &Value| number(row, "ratio").or_else(|| number(row, "ns"));
    let old = rows(stored.get("micro"));
    let mut lines = Vec::new();
    for row in rows(Some(result)) {
        let same = |other: &&Value| {
            ["crate", "question", "name", "baseline"]
                .iter()
                .all(|key| other.get(key) == row.get(key))
        };
        let (Some(before), Some(now)) = (old.iter().find(same).and_then(&figure), figure(&row))
        else {
            continue;
        };
        if !(0.9..=1.1).contains(&(now / before)) {
            let text = |key: &str| {
                row.get(key)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let change = (now / before - 1.0) * 100.0;
            lines.push(format!(
                "since the stored run: {} / {}: {change:+.0} %",
                text("question"),
                text("name")
            ));
        }
    }
    lines
}

fn shown(nanoseconds: f64) -> String {
    if nanoseconds < 1_000.0 {
        format!("{nanoseconds:.1} ns")
    } else if nanoseconds < 1_000_000.0 {
        format!("{:.2} µs", nanoseconds / 1_000.0)
    } else {
        format!("{:.2} ms", nanoseconds / 1_000_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(question: &str, name: &str, parameter: &str) -> Measured {
        Measured {
            question: question.to_owned(),
            name: name.to_owned(),
            parameter: parameter.to_owned(),
            nanoseconds: 1.0,
            most: 1.0,
        }
    }

    #[test]
    fn the_least_round_counts_and_the_greatest_is_told() {
        let timed = |name: &str, nanoseconds: f64| Measured {
            nanoseconds,
            most: nanoseconds,
            ..row("decide", name, "8")
        };
        let rounds = vec![
            timed("b", 9.0),
            timed("a", 3.0),
            timed("b", 7.0),
            timed("b", 8.0),
            timed("a", 4.0),
        ];
        let merged: Vec<(String, f64, f64)> = least(rounds)
            .into_iter()
            .map(|row| (row.name, row.nanoseconds, row.most))
            .collect();
        assert_eq!(
            merged,
            [("a".to_owned(), 3.0, 4.0), ("b".to_owned(), 7.0, 9.0)]
        );
    }

    #[test]
    fn criterions_files_are_read() {
        let benchmark = json!({"group_id": "decide", "function_id": "plan", "value_str": "10", "full_id": "decide/plan/10"});
        let estimates =
            json!({"mean": {"point_estimate": 81.0}, "slope": {"point_estimate": 80.0}});
        let read = measured(&benchmark, &estimates).unwrap();
        assert_eq!(
            read,
            Measured {
                nanoseconds: 80.0,
                most: 80.0,
                ..row("decide", "plan", "10")
            }
        );
        assert_eq!(
            measured(
                &benchmark,
                &json!({"mean": {"point_estimate": 81.0}, "slope": null})
            )
            .unwrap()
            .nanoseconds,
            81.0
        );
        assert_eq!(measured(&benchmark, &json!({})), None);
    }

    #[test]
    fn a_change_of_more_than_a_tenth_is_told() {
        let result = |ratio: f64| json!({"rows": [{"question": "q", "name": "n", "ns": 1.0, "ratio": ratio}]});
        let mut stored = Map::new();
        stored.insert("micro".to_owned(), result(1.0));
        assert!(changes(&stored, &result(1.05)).is_empty());
        assert_eq!(
            changes(&stored, &result(1.5)),
            ["since the stored run: q / n: +50 %"]
        );
        assert!(changes(&Map::new(), &result(1.5)).is_empty());
    }
}
