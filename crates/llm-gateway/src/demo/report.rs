//! Lines and tables for the audience.

use super::drive::{Outcome, Seen};
use super::script::PHASES;
use super::stage::Upstream;
use std::fmt::Write as _;
use std::time::Duration;

/// The same call on both sides.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// Its number, from zero.
    pub(crate) number: usize,
    /// Index of the phase in which it started.
    pub(crate) phase: usize,
    /// When it started, from the beginning of the demonstration.
    pub(crate) at: Duration,
    pub(crate) stream: bool,
    pub(crate) bare: Seen,
    pub(crate) protected: Seen,
}

/// Colours, where the audience is a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    fn paint(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn outcome(self, outcome: &Outcome, text: &str) -> String {
        match outcome {
            Outcome::Answered => self.paint("32", text),
            Outcome::Degraded(_) => self.paint("33", text),
            Outcome::Failed(_) => self.paint("31", text),
        }
    }
}

/// One line for one call.
pub(crate) fn line(pair: &Pair, paint: Paint) -> String {
    let bare = format!("{:<32}", said(&pair.bare));
    let protected = said(&pair.protected);
    let kind = if pair.stream { "stream" } else { "whole " };
    format!(
        "{:5.1}s #{:<3} {kind}  without: {}  with: {}",
        pair.at.as_secs_f64(),
        pair.number + 1,
        paint.outcome(&pair.bare.outcome, &bare),
        paint.outcome(&pair.protected.outcome, &protected)
    )
}

fn said(seen: &Seen) -> String {
    let took = millis(seen.took);
    let calls = match seen.attempts.as_deref() {
        Some("1") | None => String::new(),
        Some(many) => format!(", {many} upstream calls"),
    };
    match &seen.outcome {
        Outcome::Answered => match &seen.target {
            Some(target) => format!("answered by {target} in {took}{calls}"),
            None => format!("answered in {took}"),
        },
        Outcome::Degraded(mode) => format!("degraded ({mode}) in {took}{calls}"),
        Outcome::Failed(why) => format!("FAILED ({why}) after {took}{calls}"),
    }
}

fn millis(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// What one side came to.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    answered: usize,
    degraded: usize,
    /// Calls that were lost.
    pub(crate) failed: usize,
    /// How long each call took, in order.
    times: Vec<Duration>,
    /// The same of those that were not lost.
    good: Vec<Duration>,
}

impl Tally {
    /// Counts the calls of one side.
    pub(crate) fn of<'a>(seen: impl Iterator<Item = &'a Seen>) -> Self {
        let mut tally = Self::default();
        for seen in seen {
            match seen.outcome {
                Outcome::Answered => tally.answered += 1,
                Outcome::Degraded(_) => tally.degraded += 1,
                Outcome::Failed(_) => tally.failed += 1,
            }
            tally.times.push(seen.took);
            if !matches!(seen.outcome, Outcome::Failed(_)) {
                tally.good.push(seen.took);
            }
        }
        tally.times.sort_unstable();
        tally.good.sort_unstable();
        tally
    }

    /// All calls.
    pub(crate) fn calls(&self) -> usize {
        self.times.len()
    }
}

/// The time within which `percent` of the calls were over; `times` is in order.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
    times.get(rank).copied().unwrap_or_default()
}

/// Upstream calls for each request.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a half-minute fit a double many times over"
)]
pub(crate) fn amplification(upstream: u64, calls: usize) -> f64 {
    upstream as f64 / calls.max(1) as f64
}

/// The table at the end.
pub(crate) fn table(bare: &Tally, protected: &Tally, upstream: Upstream) -> String {
    let mut text = String::new();
    let mut row = |name: &str, left: String, right: String| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {name:<28}{left:>20}{right:>20}");
    };
    row(
        "",
        "without protection".to_owned(),
        "with protection".to_owned(),
    );
    row(
        "calls",
        bare.calls().to_string(),
        protected.calls().to_string(),
    );
    row(
        "answered",
        bare.answered.to_string(),
        protected.answered.to_string(),
    );
    row(
        "degraded, and said so",
        bare.degraded.to_string(),
        protected.degraded.to_string(),
    );
    row(
        "failed",
        bare.failed.to_string(),
        protected.failed.to_string(),
    );
    for percent in [50, 99] {
        let side = |tally: &Tally| millis(percentile(&tally.times, percent));
        row(
            &format!("latency p{percent}, all calls"),
            side(bare),
            side(protected),
        );
        let side = |tally: &Tally| millis(percentile(&tally.good, percent));
        row(
            &format!("latency p{percent}, not failed"),
            side(bare),
            side(protected),
        );
    }
    row(
        "upstream calls",
        upstream.bare.to_string(),
        upstream.protected.to_string(),
    );
    let ratio = |count, tally: &Tally| format!("{:.2}", amplification(count, tally.calls()));
    row(
        "upstream calls per request",
        ratio(upstream.bare, bare),
        ratio(upstream.protected, protected),
    );
    text
}

/// The same by phase: how many of the calls that started in it were answered, degraded and lost.
pub(crate) fn phases(pairs: &[Pair]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "  {:<18}{:>8}{:>30}{:>30}",
        "phase", "calls", "without: ok / degraded / lost", "with: ok / degraded / lost"
    );
    for (index, phase) in PHASES.iter().enumerate() {
        let here = || pairs.iter().filter(move |pair| pair.phase == index);
        let bare = Tally::of(here().map(|pair| &pair.bare));
        let protected = Tally::of(here().map(|pair| &pair.protected));
        let side =
            |tally: &Tally| format!("{} / {} / {}", tally.answered, tally.degraded, tally.failed);
        let _ = writeln!(
            text,
            "  {:<18}{:>8}{:>30}{:>30}",
            phase.name,
            bare.calls(),
            side(&bare),
            side(&protected)
        );
    }
    text
}

/// The calls whose trails are worth a look: the longest trail of three phases that end differently.
pub(crate) fn trails(pairs: &[Pair]) -> String {
    let mut text = String::new();
    for wanted in ["5xx", "hang", "everything down"] {
        let in_phase = pairs.iter().filter(|pair| {
            PHASES
                .get(pair.phase)
                .is_some_and(|phase| phase.name == wanted)
        });
        let longest = in_phase
            .filter_map(|pair| Some((pair, pair.protected.trail.as_deref()?)))
            .max_by_key(|(_, trail)| trail.len());
        let Some((pair, trail)) = longest else {
            continue;
        };
        let _ = writeln!(
            text,
            "  #{} ({wanted}): {}",
            pair.number + 1,
            said(&pair.protected)
        );
        for hop in trail.split("; ") {
            let _ = writeln!(text, "      {hop}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(outcome: Outcome, ms: u64) -> Seen {
        Seen {
            outcome,
            took: Duration::from_millis(ms),
            target: None,
            attempts: None,
            trail: None,
        }
    }

    #[test]
    fn a_tally_counts_and_ranks() {
        let all: Vec<_> = (1..=100).map(|ms| seen(Outcome::Answered, ms)).collect();
        let tally = Tally::of(all.iter());
        assert_eq!((tally.calls(), tally.failed), (100, 0));
        assert_eq!(percentile(&tally.times, 50), Duration::from_millis(50));
        assert_eq!(percentile(&tally.good, 99), Duration::from_millis(99));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }

    #[test]
    fn colour_is_only_for_terminals() {
        assert!(!Paint(false).bold("x").contains('\x1b'));
        assert!(Paint(true).bold("x").contains('\x1b'));
    }
}
