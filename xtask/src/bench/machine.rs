//! What a figure was measured on.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::shell;

/// Machine, commit and toolchain of a run.
pub(super) fn conditions(quick: bool) -> Value {
    let said = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.current_dir(shell::root()).args(args);
        shell::output(&mut command)
            .ok()
            .map(|text| text.trim().to_owned())
    };
    let changed = said(
        "git",
        &["status", "--porcelain", "--", "crates", "Cargo.lock"],
    )
    .is_some_and(|text| !text.is_empty());
    let commit = said("git", &["rev-parse", "--short", "HEAD"]).map_or_else(
        || "unknown".to_owned(),
        |commit| {
            if changed {
                format!("{commit} and changes")
            } else {
                commit
            }
        },
    );
    json!({
        "date": today(),
        "commit": commit,
        "toolchain": said("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
        "cpu": cpu(),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "system": said("uname", &["-sr"]).unwrap_or_else(|| std::env::consts::OS.to_owned()),
        "quick": quick,
    })
}

/// The conditions in one line.
pub(super) fn shown(conditions: &Value) -> String {
    let text = |key: &str| {
        conditions
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or("unknown")
    };
    let cores = conditions.get("cores").and_then(Value::as_u64).unwrap_or(0);
    format!(
        "{}, {} with {cores} cores, {}, {}, commit {}.",
        text("date"),
        text("cpu"),
        text("system"),
        text("toolchain"),
        text("commit")
    )
}

fn cpu() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")
                .and_then(|rest| rest.split_once(':'))
        })
        .map_or_else(
            || std::env::consts::ARCH.to_owned(),
            |(_, name)| name.trim().to_owned(),
        )
}

/// Today's date in UTC, as `2026-11-23`.
#[expect(
    clippy::disallowed_methods,
    reason = "a result carries the calendar date it was measured on"
)]
fn today() -> String {
    let days = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs() / 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days since 1970-01-01 as year, month, day. The calendar repeats every 146 097 days; years are counted from March so
/// that the leap day comes last.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_become_dates_across_leap_years() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(11_017), (2000, 3, 1));
        assert_eq!(civil(20_780), (2026, 11, 23));
    }
}
