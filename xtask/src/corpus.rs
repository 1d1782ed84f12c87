//! Scores the classifier on a file of labelled failures.
//!
//! The classifier runs as a child process on the unlabelled part of each record, so that it cannot
//! see what is expected of it. Each line of the file is an object with `id`, `provider`, `status`,
//! `headers`, `body`, `where` and the labels `label`, `retry`, `retry_after_ms`, `context_limit`,
//! `context_requested`; `confidence` and `message_only` are used where present.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A stated wait is right within this many milliseconds.
const WAIT_TOLERANCE_MS: u64 = 1000;

/// `cargo xtask corpus FILE`: prints accuracy, a confusion table and every miss; fails where a
/// spent quota, an empty balance, a cap or a bad key was answered with "yes, retry".
pub(crate) fn run(args: &[String]) -> Result<()> {
    let [file] = args else {
        bail!("usage: cargo xtask corpus FILE");
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let records = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("line {} is no JSON", number + 1))
        })
        .collect::<Result<Vec<Value>>>()?;
    let answers = classify(&records)?;
    ensure!(
        answers.len() == records.len(),
        "{} records, but {} answers",
        records.len(),
        answers.len()
    );
    let score = score(&records, &answers);
    let mut out = std::io::stdout().lock();
    out.write_all(score.report.as_bytes())?;
    ensure!(
        score.forbidden.is_empty(),
        "retried although it must never be: {}",
        score.forbidden.join(", ")
    );
    Ok(())
}

/// The classifier's answers, in the order of the records.
fn classify(records: &[Value]) -> Result<Vec<Value>> {
    let mut input = Vec::new();
    for record in records {
        let question = json!({
            "id": record["id"], "provider": record["provider"], "status": record["status"],
            "headers": record["headers"], "body": record["body"], "where": record["where"],
        });
        serde_json::to_writer(&mut input, &question)?;
        input.push(b'\n');
    }
    let mut child = Command::new(env!("CARGO"))
        .args([
            "run",
            "-q",
            "--release",
            "-p",
            "llm-errors",
            "--example",
            "classify",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the classify example")?;
    let mut stdin = child
        .stdin
        .take()
        .context("the child has no standard input")?;
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    // a child that stops reading early shows in its status
    let written = writer.join();
    ensure!(
        output.status.success(),
        "the classify example failed: {}",
        output.status
    );
    if let Ok(result) = written {
        result.context("the classify example did not read its input")?;
    }
    String::from_utf8(output.stdout)?
        .lines()
        .map(|line| serde_json::from_str(line).context("the classify example wrote no JSON"))
        .collect()
}

/// The outcome of one run.
struct Score {
    report: String,
    forbidden: Vec<String>,
}

/// Right answers among those asked.
#[derive(Default)]
struct Tally {
    right: usize,
    all: usize,
}

impl Tally {
    fn add(&mut self, right: bool) {
        self.all += 1;
        self.right += usize::from(right);
    }

    fn line(&self, name: &str) -> String {
        #[expect(clippy::cast_precision_loss, reason = "counts of records are small")]
        let percent = if self.all == 0 {
            100.0
        } else {
            self.right as f64 * 100.0 / self.all as f64
        };
        format!(
            "{name:<34} {:>4} of {:>4}  {percent:5.1} %\n",
            self.right, self.all
        )
    }
}

fn score(records: &[Value], answers: &[Value]) -> Score {
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut per_label: BTreeMap<String, Tally> = BTreeMap::new();
    let mut confusion: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut misses = String::new();
    let mut forbidden = Vec::new();
    for (record, answer) in records.iter().zip(answers) {
        let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        let (expected, found) = (text(&record["label"]), text(&answer["label"]));
        let label_right = expected == found;
        let retry_right = same_retry(&expected, &record["retry"], &answer["retry"]);
        let mut wrong = Vec::new();
        if !label_right {
            wrong.push(format!("label {found}, expected {expected}"));
            *confusion.entry((expected.clone(), found)).or_default() += 1;
        }
        if !retry_right {
            wrong.push(format!(
                "retry {}, expected {}",
                answer["retry"], record["retry"]
            ));
        }
        let mut tally = |name, right| tallies.entry(name).or_default().add(right);
        tally("1 label", label_right);
        tally("2 retry", retry_right);
        if record["confidence"] == "high" {
            tally("3 label, high confidence only", label_right);
        }
        let whole_body = record["message_only"] != true;
        let name = if whole_body {
            "4 label, whole bodies"
        } else {
            "5 label, messages only"
        };
        tally(name, label_right);
        let (want, got) = (&record["retry_after_ms"], &answer["retry_after_ms"]);
        let wait_right = same_wait(want, got);
        if want.is_null() {
            tally("7 no wait where none is stated", wait_right);
        } else {
            tally("6 stated wait", wait_right);
        }
        if !wait_right {
            wrong.push(format!("wait {got}, expected {want}"));
        }
        for field in ["context_limit", "context_requested"] {
            let (want, got) = (&record[field], &answer[field]);
            if want.is_null() {
                tally("9 no size where none is stated", want == got);
            } else {
                tally("8 stated context sizes", want == got);
            }
            if want != got {
                wrong.push(format!("{field} {got}, expected {want}"));
            }
        }
        per_label
            .entry(expected.clone())
            .or_default()
            .add(label_right);
        let never = matches!(
            expected.as_str(),
            "quota_exhausted" | "billing" | "org_limit" | "auth_invalid_key"
        );
        if never && answer["retry"] == "yes" {
            forbidden.push(text(&record["id"]));
        }
        if !wrong.is_empty() {
            let _ = writeln!(misses, "  {}: {}", text(&record["id"]), wrong.join("; "));
        }
    }
    let mut report = String::new();
    for (name, tally) in &tallies {
        report += &tally.line(name.get(2..).unwrap_or(name));
    }
    report += "\nby label\n";
    for (label, tally) in &per_label {
        report += &tally.line(&format!("  {label}"));
    }
    report += "\nconfusion: expected, found, times\n";
    for ((expected, found), times) in &confusion {
        let _ = writeln!(report, "  {expected:<28} {found:<28} {times}");
    }
    let _ = write!(report, "\nmisses\n{misses}");
    let _ = writeln!(
        report,
        "\nretried although never allowed: {}",
        forbidden.len()
    );
    Score { report, forbidden }
}

/// Whether a content filter asks for another prompt is a matter of wording: either is right.
fn same_retry(label: &str, expected: &Value, found: &Value) -> bool {
    let either = |value: &Value| value == "after_change" || value == "no_same_target";
    expected == found || (label == "content_filter" && either(expected) && either(found))
}

fn same_wait(expected: &Value, found: &Value) -> bool {
    match (expected.as_u64(), found.as_u64()) {
        (Some(expected), Some(found)) => expected.abs_diff(found) <= WAIT_TOLERANCE_MS,
        (expected, found) => expected == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_counted_and_a_retried_quota_is_forbidden() {
        let record = |label: &str, retry: &str, wait: Value| {
            json!({"id": "x", "label": label, "retry": retry, "retry_after_ms": wait,
                "context_limit": null, "context_requested": null})
        };
        let records = [
            record("timeout", "yes", json!(2000)),
            record("quota_exhausted", "no_same_target", Value::Null),
            record("content_filter", "after_change", Value::Null),
        ];
        let answers = [
            record("timeout", "yes", json!(2900)),
            record("rate_limit_other", "yes", json!(5)),
            record("content_filter", "no_same_target", Value::Null),
        ];
        let score = score(&records, &answers);
        assert_eq!(score.forbidden, ["x"]);
        assert!(
            score
                .report
                .contains("label                                 2 of    3"),
            "{}",
            score.report
        );
        assert!(
            score
                .report
                .contains("retry                                 2 of    3"),
            "{}",
            score.report
        );
        assert!(
            score
                .report
                .contains("stated wait                           1 of    1"),
            "{}",
            score.report
        );
    }
}
