//! What the figures of the hot paths are meant to be: the table says of each whether it is.

use serde_json::Value;

/// The most a figure may be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Goal {
    Nanoseconds(f64),
    /// Of the baseline whose name begins like this.
    Ratio(&'static str, f64),
    /// More nanoseconds than the baseline whose name begins like this.
    Above(&'static str, f64),
}

/// The beginning of a question, a part of the figure's name, and its goal. The first row that fits counts.
const GOALS: &[(&str, &str, Goal)] = &[
    ("decide", "now given", Goal::Nanoseconds(30.0)),
    ("decide", "clock read", Goal::Nanoseconds(80.0)),
    ("admit_and_record", "two threads", Goal::Nanoseconds(80.0)),
    ("admit_and_record", "now given", Goal::Nanoseconds(20.0)),
    ("success_path", "now given", Goal::Nanoseconds(15.0)),
    (
        "success_path",
        "clock read",
        Goal::Above("the clock alone", 15.0),
    ),
    ("classify", "/verdict", Goal::Ratio("", 1.0)),
    ("classify", "status_and_headers", Goal::Nanoseconds(100.0)),
    ("classify", "snapshot", Goal::Nanoseconds(300.0)),
    ("500 events", "", Goal::Ratio("baseline", 1.0)),
    (
        "request 1 MiB",
        "scan, splice",
        Goal::Ratio("baseline: copy and scan", 1.2),
    ),
];

/// The goal of a row and whether it is met; a dash where it has none.
pub(super) fn shown(row: &Value) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| row.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let goal = GOALS.iter().find(|(question, name, _)| {
        text("question").starts_with(question) && text("name").contains(name)
    });
    let (most, found, limit) = match goal {
        Some((_, _, Goal::Nanoseconds(limit))) => (format!("{limit} ns"), number("ns"), limit),
        Some((_, _, Goal::Ratio(baseline, limit))) if text("baseline").starts_with(baseline) => {
            (format!("{limit} x"), number("ratio"), limit)
        }
        Some((_, _, Goal::Above(baseline, limit))) if text("baseline").starts_with(baseline) => (
            format!("{limit} ns above"),
            number("ns") - number("baseline_ns"),
            limit,
        ),
        _ => return "–".to_owned(),
    };
    let verdict = if found <= *limit { "met" } else { "missed" };
    format!("≤ {most}: {verdict}")
}

#[cfg(test)]
mod tests {
    use super::shown;
    use serde_json::json;

    #[test]
    fn a_goal_is_met_or_missed_or_not_there() {
        let row = |name: &str, baseline: &str, ns: f64, ratio: f64| {
            shown(
                &json!({"question": "request 1 MiB", "name": name, "baseline": baseline, "ns": ns, "ratio": ratio}),
            )
        };
        let copy = "baseline: copy and scan for JSON";
        assert_eq!(
            row("scan, splice and exchange", copy, 9e9, 1.2),
            "≤ 1.2 x: met"
        );
        assert_eq!(
            row("scan, splice and exchange", copy, 1.0, 1.3),
            "≤ 1.2 x: missed"
        );
        assert_eq!(
            row("scan, splice and exchange", "serde_json::Value", 1.0, 0.1),
            "–"
        );
        assert_eq!(row("scan", copy, 1.0, 0.1), "–");
        let wrapper = |baseline: &str, ns: f64| {
            let name = "llm-backoff, clock read";
            shown(
                &json!({"question": "success_path", "name": name, "baseline": baseline, "ns": ns, "baseline_ns": 30.0}),
            )
        };
        let clock = "the clock alone, clock read";
        assert_eq!(wrapper(clock, 45.0), "≤ 15 ns above: met");
        assert_eq!(wrapper(clock, 45.1), "≤ 15 ns above: missed");
        assert_eq!(wrapper("backon", 1.0), "–");
        let decide = |ns: f64| {
            shown(&json!({"question": "decide", "name": "weighted, now given, 64", "ns": ns}))
        };
        assert_eq!(decide(30.0), "≤ 30 ns: met");
        assert_eq!(decide(30.1), "≤ 30 ns: missed");
    }
}
