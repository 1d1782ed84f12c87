//! What the manual says of defaults is what the code does.
#![expect(clippy::panic, reason = "a test stops at the first surprise")]
#![expect(clippy::disallowed_methods, reason = "any instant will do")]

use std::time::{Duration, Instant};

use llm_backoff::{
    AdaptiveWindow, AttemptWindow, Backoff, Deadline, HINT_SPREAD_MAX, HedgeBudget, HedgeDelay,
    Jitter, Preset, RetryBudget, SizeClass,
};

/// The cells of the table row that begins with `name`.
fn row(manual: &str, name: &str) -> Vec<String> {
    let lines = manual
        .lines()
        .filter_map(|line| line.split_once("| "))
        .map(|(_, row)| row);
    let mut rows = lines.map(|row| {
        row.split(" | ")
            .map(|cell| cell.trim_end_matches(" |").to_owned())
            .collect::<Vec<_>>()
    });
    rows.find(|cells| cells.first().is_some_and(|cell| cell == name))
        .unwrap_or_else(|| panic!("no row `{name}`"))
}

fn time(span: Duration) -> String {
    match span.as_secs() {
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        _ => format!("{} s", span.as_secs_f64()),
    }
}

#[test]
fn the_table_of_defaults() {
    let manual = include_str!("../src/lib.rs");
    let said = |name| row(manual, name)[1].clone();
    let (chat, batch, agent) = (Preset::interactive(), Preset::background(), Preset::agent());
    let waits = Backoff::default();
    let factor = waits.nominal(1).as_secs_f64() / waits.nominal(0).as_secs_f64();
    let three = [
        time(waits.nominal(0)),
        factor.to_string(),
        time(waits.ceiling()),
    ]
    .join(", ");
    assert_eq!(said("base, factor, ceiling"), three);
    assert_eq!(
        said("jitter"),
        format!("{:?}", Jitter::default()).to_lowercase()
    );
    let attempts = format!(
        "{} ({} in the background, {} for agents)",
        chat.attempts, batch.attempts, agent.attempts
    );
    assert_eq!(said("attempts"), attempts);
    let each = |part: fn(&Preset) -> Duration| {
        format!(
            "{} ({}, {})",
            time(part(&chat)),
            time(part(&batch)),
            time(part(&agent))
        )
    };
    assert_eq!(said("whole call"), each(|preset| preset.total));
    assert_eq!(
        said("longest hint waited out"),
        each(|preset| preset.hint_max)
    );

    let budget = RetryBudget::default();
    let reserve = budget.balance();
    budget.deposit();
    let share = (budget.balance() - reserve) * 100.0;
    (0..10_000).for_each(|_| budget.deposit());
    let full = budget.balance();
    assert_eq!(
        said("retry budget"),
        format!("{share:.0} % of successes, {reserve} in reserve, {full} at most")
    );
    let hedges = HedgeBudget::default();
    let before = hedges.balance();
    hedges.deposit(0);
    let share = (hedges.balance() - before) * 100.0;
    assert_eq!(
        said("hedge budget"),
        format!("{share:.0} % of calls and of spend")
    );
}

#[test]
fn the_table_of_formulas() {
    let manual = include_str!("../src/lib.rs");
    let said = |name| row(manual, name)[1].clone();
    let now = Instant::now();
    assert_eq!(
        said("with a server's hint `h`"),
        format!("`max(wait, h) + U(0, min(h/4, {}))`", time(HINT_SPREAD_MAX))
    );

    let window = AttemptWindow::new(Duration::from_secs(1));
    let widen = window.at(now, None, 1).as_secs_f64();
    assert_eq!(
        said("attempt window"),
        format!("`min(own * {widen}^timeouts, remaining - reserve)`")
    );
    let reserved = window.reserve(Duration::from_secs(3)).at(
        now,
        Some(Deadline::after(now, Duration::from_millis(3500))),
        0,
    );
    assert_eq!(reserved, Duration::from_millis(500));

    let learnt = AdaptiveWindow::new(Duration::from_secs(3600), now);
    let class = SizeClass::whole(1);
    let samples = (0..10_000).find(|_| {
        learnt.record(class, Duration::from_secs(100), now);
        learnt.longest(class, now).is_some()
    });
    let samples = samples.unwrap() + 1;
    let factor =
        learnt.window(class, now).as_secs_f64() / learnt.longest(class, now).unwrap().as_secs_f64();
    let quick = AdaptiveWindow::new(Duration::from_secs(3600), now);
    (0..samples).for_each(|_| quick.record(class, Duration::from_millis(1), now));
    let floor = time(quick.window(class, now));
    assert_eq!(
        said("learnt window"),
        format!("`clamp({factor:.0} * p99, {floor}, cap)`, the cap alone below {samples} calls")
    );

    let delay = HedgeDelay::new(now);
    let samples = (0..10_000).find(|_| {
        delay.record(Duration::from_millis(1), now);
        delay.delay(now).is_some()
    });
    let (samples, floor) = (samples.unwrap() + 1, delay.delay(now).unwrap().as_millis());
    assert_eq!(
        said("hedge delay"),
        format!("`max(p90 of what callers saw, {floor} ms)`, none below {samples} calls")
    );
}

#[test]
fn the_table_of_presets() {
    let source = include_str!("../src/preset.rs");
    for (name, preset) in [
        ("interactive", Preset::interactive()),
        ("background", Preset::background()),
        ("agent", Preset::agent()),
    ] {
        let said = row(source, &format!("[`{name}`](Self::{name})"));
        let times = [
            preset.backoff.nominal(0),
            preset.backoff.ceiling(),
            preset.total,
            preset.attempt,
            preset.hint_max,
        ];
        let mut expected = vec![said[0].clone(), preset.attempts.to_string()];
        expected.extend(times.map(time));
        assert_eq!(said, expected);
    }
}
