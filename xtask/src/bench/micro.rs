//! Criterion's benches, all of them, as one table: question, figure, baseline, ratio.
//!
//! A criterion group is a question. Inside a group (and for the same parameter, if it has one), the benchmark whose
//! name begins with `baseline` is what the others are compared with.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::shell;
use crate::workspace::Workspace;

/// One measured function.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    /// The criterion group.
    question: String,
    name: String,
    /// The criterion parameter, or nothing.
    parameter: String,
    nanoseconds: f64,
}

impl Measured {
    fn is_baseline(&self) -> bool {
        self.name.starts_with("baseline") || self.parameter.starts_with("baseline")
    }
}

/// Runs every bench and reads what criterion stored.
pub(super) fn measure(quick: bool) -> Result<Value> {
    let workspace = Workspace::load()?;
    let store = shell::target_dir().join("criterion");
    let start = criterion_clock();
    let mut count = 0;
    for package in workspace.packages.values() {
        for bench in &package.benches {
            let mut command = shell::cargo();
            command.args([
                "bench",
                "--quiet",
                "--all-features",
                "-p",
                &package.name,
                "--bench",
                bench,
                "--",
            ]);
            if quick {
                command.args([
                    "--warm-up-time",
                    "0.3",
                    "--measurement-time",
                    "0.5",
                    "--sample-size",
                    "20",
                ]);
            }
            command.arg("--noplot");
            shell::step(&format!("bench {}/{bench}", package.name), &mut command)?;
            count += 1;
        }
    }
    if count == 0 {
        bail!("no package has a bench target");
    }
    let mut measured = Vec::new();
    collect(&store, start, &mut measured)?;
    if measured.is_empty() {
        bail!("criterion stored nothing under {}", store.display());
    }
    measured.sort_by(|a, b| {
        (&a.question, &a.parameter, !a.is_baseline(), &a.name).cmp(&(
            &b.question,
            &b.parameter,
            !b.is_baseline(),
            &b.name,
        ))
    });
    let rows: Vec<Value> = measured
        .iter()
        .filter(|row| !row.is_baseline())
        .map(|row| {
            let baseline = baseline_of(row, &measured);
            json!({
                "question": row.question,
                "name": joined(&row.name, &row.parameter),
                "ns": row.nanoseconds,
                "baseline": baseline.map(|base| joined(&base.name, &base.parameter)),
                "baseline_ns": baseline.map(|base| base.nanoseconds),
                "ratio": baseline.map(|base| row.nanoseconds / base.nanoseconds),
            })
        })
        .collect();
    Ok(json!({ "rows": rows }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "compared with the times of files"
)]
fn criterion_clock() -> SystemTime {
    SystemTime::now()
}

/// The baseline of the same question and parameter, else the only one of the question.
fn baseline_of<'a>(row: &Measured, all: &'a [Measured]) -> Option<&'a Measured> {
    let mut of_question = all
        .iter()
        .filter(|other| other.is_baseline() && other.question == row.question);
    of_question
        .clone()
        .find(|other| other.parameter == row.parameter)
        .or_else(|| of_question.next().filter(|_| of_question.next().is_none()))
}

fn joined(name: &str, parameter: &str) -> String {
    [name, parameter]
        .iter()
        .filter(|part| !part.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(", ")
}

/// Every `new/estimates.json` under a folder that is younger than `start`.
fn collect(folder: &Path, start: SystemTime, measured: &mut Vec<Measured>) -> Result<()> {
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
            if std::fs::metadata(&estimates)?.modified()? >= start {
                measured.push(read(&path.join("benchmark.json"), &estimates)?);
            }
        } else {
            collect(&path, start, measured)?;
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
    Some(Measured {
        question: text("group_id"),
        name: text("function_id"),
        parameter: text("value_str"),
        nanoseconds: estimate("slope").or_else(|| estimate("mean"))?,
    })
}

/// The result as a Markdown table.
pub(super) fn table(result: &Value) -> String {
    let mut table =
        String::from("| question | figure | baseline | ratio |\n| --- | --- | --- | --- |\n");
    for row in result
        .get("rows")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let number = |key: &str| row.get(key).and_then(Value::as_f64);
        let figure = format!("{}: {}", text("name"), shown(number("ns").unwrap_or(0.0)));
        let baseline = number("baseline_ns").map_or_else(
            || "none".to_owned(),
            |ns| format!("{}: {}", text("baseline"), shown(ns)),
        );
        let ratio = number("ratio").map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(
            table,
            "| {} | {figure} | {baseline} | {ratio} |",
            text("question")
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
            ["question", "name", "baseline"]
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
        }
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

    #[test]
    fn the_baseline_of_the_same_parameter_wins_and_an_ambiguous_one_is_none() {
        let all = [
            row("q", "baseline scan", "2"),
            row("q", "baseline scan", "10"),
            row("other", "baseline", ""),
        ];
        assert_eq!(baseline_of(&row("q", "plan", "10"), &all), all.get(1));
        assert_eq!(baseline_of(&row("q", "plan", "100"), &all), None);
        assert_eq!(baseline_of(&row("other", "plan", "7"), &all), all.get(2));
    }
}
