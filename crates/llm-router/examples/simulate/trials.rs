//! What becomes of targets on trial, over many seeds: the sequential test alone, without a fleet round it.

use crate::chance;
use llm_router::{Arm, CallOutcome, Canary, CanaryState};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::fmt::Write as _;
use std::time::Duration;

/// Calls of both arms after which a trial without an end is given up.
const LONGEST: u32 = 200_000;
/// A canary that is worse should be stopped within so many of its own calls.
const SOON: u32 = 400;

/// What one side does.
#[derive(Debug, Clone, Copy)]
struct Side {
    errors: f64,
    poor: f64,
    /// Median time to the first token.
    first: Duration,
}

const fn side(errors: f64, poor: f64, first_ms: u64) -> Side {
    Side {
        errors,
        poor,
        first: Duration::from_millis(first_ms),
    }
}

const STABLE: Side = side(0.02, 0.01, 600);

const TRIALS: [(&str, Side); 8] = [
    ("as good", STABLE),
    ("no errors at all", side(0.0, 0.01, 600)),
    ("3 % errors", side(0.03, 0.01, 600)),
    ("4 % errors", side(0.04, 0.01, 600)),
    ("5 % errors", side(0.05, 0.01, 600)),
    ("6 % errors", side(0.06, 0.01, 600)),
    ("15 % bad answers", side(0.02, 0.15, 600)),
    ("three times as slow", side(0.02, 0.01, 1_800)),
];

/// A table with a row for each canary, over so many seeds from `seed` on.
pub(crate) fn table(seeds: u64, seed: u64) -> String {
    let mut text = format!(
        "{seeds} trials each. The stable arm fails 2 % of its calls, 1 % of its answers are bad, its first token takes 0.6 s \
         (lognormal, sigma 0.6, 3 % of calls eight times as slow).\n\n\
         | the canary | stopped within {SOON} of its calls % | stopped % | promoted % | calls until then, median | p95 |\n\
         |---|--:|--:|--:|--:|--:|\n"
    );
    for (row, (name, new)) in (0..).zip(TRIALS) {
        let ends: Vec<(CanaryState, u32)> = (0..seeds)
            .map(|trial| run(new, chance::generator(seed, [6 + row, trial])))
            .collect();
        let percent = |of: &dyn Fn(&(CanaryState, u32)) -> bool| {
            100.0 * ends.iter().filter(|end| of(end)).count() as f64 / ends.len().max(1) as f64
        };
        let stopped = |end: &(CanaryState, u32)| matches!(end.0, CanaryState::Stopped(_));
        let mut calls: Vec<u32> = ends.iter().map(|(_, calls)| *calls).collect();
        calls.sort_unstable();
        let at = |share: usize| calls.get(calls.len() * share / 100).copied().unwrap_or(0);
        let _ = writeln!(
            text,
            "| {name} | {:.1} | {:.1} | {:.1} | {} | {} |",
            percent(&|end| stopped(end) && end.1 <= SOON),
            percent(&stopped),
            percent(&|end| end.0 == CanaryState::Promoted),
            at(50),
            at(95),
        );
    }
    text
}

/// How one trial ends, and how many calls the canary had until then.
fn run(new: Side, mut rng: SmallRng) -> (CanaryState, u32) {
    let canary = Canary::default();
    let mut calls = 0;
    for _ in 0..LONGEST {
        let arm = canary.admit(rng.random());
        let side = if arm == Arm::Canary { new } else { STABLE };
        calls += u32::from(arm == Arm::Canary);
        canary.record(arm, outcome(side, &mut rng));
        if !matches!(canary.state(), CanaryState::Running(_)) {
            break;
        }
    }
    (canary.state(), calls)
}

fn outcome(side: Side, rng: &mut SmallRng) -> CallOutcome {
    let luck = rng.random::<f64>();
    if luck < side.errors {
        return CallOutcome::Error;
    }
    if luck < side.errors + side.poor {
        return CallOutcome::Poor;
    }
    let took = chance::lognormal(rng, side.first, 0.6);
    let straggles = rng.random::<f64>() < 0.03;
    CallOutcome::Good(if straggles { took * 8 } else { took })
}
