//! The figures as text: Markdown that also reads well on a terminal.

use crate::measure::Figures;
use crate::policy::Policy;
use std::time::Duration;

const HEADINGS: [&str; 11] = [
    "policy",
    "answered %",
    "degraded %",
    "calls/request",
    "p50 s",
    "p99 s",
    "switch s",
    "leave s",
    "return s",
    "peak",
    "wasted/100",
];

/// One scenario's table.
pub(crate) fn table(rows: &[(Policy, Figures)]) -> String {
    let mut cells = vec![HEADINGS.map(str::to_owned)];
    cells.extend(rows.iter().map(|(policy, figures)| row(*policy, figures)));
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| cells.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in cells.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let width = *width;
            text.push_str(&if column == 0 {
                format!("| {cell:<width$} |")
            } else {
                format!(" {cell:>width$} |")
            });
        }
        text.push('\n');
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let (begin, end) = if column == 0 { ("|", "-|") } else { ("", ":|") };
                text.push_str(&format!("{begin}{}{end}", "-".repeat(width + 1)));
            }
            text.push('\n');
        }
    }
    text
}

fn row(policy: Policy, figures: &Figures) -> [String; 11] {
    let seconds = |time: Option<Duration>, never: &str| match time {
        Some(time) => format!("{:.1}", time.as_secs_f64()),
        None => never.to_owned(),
    };
    let none = || "-".to_owned();
    let leave = figures
        .sick
        .map_or_else(none, |sick| seconds(sick.leave, "stays"));
    let (back, peak) = match figures.sick.and_then(|sick| sick.healed) {
        Some(healed) => (seconds(healed.back, "never"), format!("{:.2}", healed.peak)),
        None => (none(), none()),
    };
    [
        policy.name().to_owned(),
        format!("{:.2}", figures.answered),
        format!("{:.2}", figures.degraded),
        format!("{:.2}", figures.amplification),
        format!("{:.2}", figures.p50.as_secs_f64()),
        format!("{:.2}", figures.p99.as_secs_f64()),
        format!("{:.2}", figures.switch.as_secs_f64()),
        leave,
        back,
        peak,
        format!("{:.1}", figures.wasted),
    ]
}
