//! Whole fleets in virtual time: the router beside three rivals, on the same arrivals and the same luck.
//!
//! `cargo xtask simulate [--seed N] [--quick] [--only NAME] [--ours] [--states] [--write]` prints a table a scenario. `--only` takes the beginning of
//! a name, `--ours` leaves the rivals out, `--states` adds every change of a gate's state, `--write` writes docs/simulation.md and its plots. The same arguments give
//! the same bytes.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program that prints tables"
)]
#![expect(
    clippy::indexing_slicing,
    reason = "positions are handed out by the very vectors they index"
)]
#![expect(
    clippy::expect_used,
    reason = "a scenario that contradicts itself must not run"
)]

mod agenda;
mod caller;
mod chance;
mod fleet;
mod log;
mod measure;
mod options;
mod ours;
mod outcome;
mod page;
mod plot;
mod policy;
#[cfg(test)]
mod recovery;
mod rival;
mod scenario;
mod site;
mod table;
mod trials;

use crate::options::Options;
use crate::outcome::Outcome;
use crate::policy::Policy;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let told = Options::read(&args).and_then(|options| {
        let outcomes = simulate(&options);
        print!("{}", text(&options, &outcomes));
        if options.write {
            write(&options, &outcomes).map_err(|error| format!("cannot write: {error}"))?;
        }
        Ok(())
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The zero of virtual time: any instant will do, and none can be made up.
#[expect(clippy::disallowed_methods, reason = "no decision depends on it")]
fn origin() -> Instant {
    Instant::now()
}

fn simulate(options: &Options) -> Vec<Outcome> {
    let origin = origin();
    scenario::all(&options.size)
        .into_iter()
        .filter(|scenario| scenario.name.starts_with(&options.only))
        .map(|scenario| Outcome::of(scenario, options, origin))
        .collect()
}

/// What becomes of targets on trial, where they were asked for.
fn trials(options: &Options) -> Option<String> {
    let asked = "canary".starts_with(&options.only) || options.only.starts_with("canary");
    asked.then(|| trials::table(options.size.trials, options.seed))
}

/// What is printed.
fn text(options: &Options, outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{} callers, {} gateways, {} requests a second, seed {}\n",
        options.size.callers, options.size.gateways, options.size.per_second, options.seed
    );
    for outcome in outcomes {
        let scenario = &outcome.scenario;
        let table = table::table(&outcome.rows);
        let _ = write!(text, "\n{}: {}\n\n{table}", scenario.name, scenario.about);
        if options.states {
            let _ = write!(text, "\n{}", outcome.states());
        }
    }
    if let Some(trials) = trials(options) {
        let _ = write!(text, "\ncanary trials: {trials}");
    }
    let losses = page::losses(outcomes);
    let _ = write!(
        text,
        "\nWhere {} is not the best:\n\n{losses}",
        Policy::Router.name()
    );
    text
}

fn write(options: &Options, outcomes: &[Outcome]) -> std::io::Result<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let plots = docs.join("simulation");
    std::fs::create_dir_all(&plots)?;
    for outcome in outcomes {
        std::fs::write(plots.join(outcome.file()), outcome.svg())?;
    }
    let trials = trials(options).unwrap_or_default();
    let page = page::page(outcomes, &trials, &options.size, options.seed);
    std::fs::write(docs.join("simulation.md"), page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Options {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Options::read(&args).unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
        let run = |seed| {
            let options = options(&["--quick", "--only", "outage", "--states", "--seed", seed]);
            let outcomes = simulate(&options);
            let page = page::page(&outcomes, "", &options.size, options.seed);
            (text(&options, &outcomes), page, outcomes[0].svg())
        };
        assert_eq!(run("3"), run("3"));
        let (one, other) = (run("3"), run("4"));
        // The first line names the seed.
        assert!(one.0.lines().skip(1).ne(other.0.lines().skip(1)));
        assert_ne!(one.2, other.2);
    }

    #[test]
    fn through_an_outage_the_router_answers_everybody_with_few_extra_calls() {
        let options = options(&["--quick", "--only", "outage"]);
        let outcomes = simulate(&options);
        let figures = |policy| {
            let row = outcomes[0].rows.iter().find(|row| row.0 == policy);
            row.unwrap().1
        };
        let (ours, bare) = (figures(Policy::Router), figures(Policy::Unprotected));
        assert!(ours.answered > 99.9, "{ours:?}");
        assert!(ours.amplification < 1.1, "{ours:?}");
        assert!(bare.answered < 70.0, "{bare:?}");
    }

    #[test]
    fn where_nothing_is_wrong_no_gate_moves() {
        let outcomes = simulate(&options(&["--quick", "--only", "nothing wrong"]));
        let ours = outcomes[0].rows.last().unwrap().1;
        assert!(ours.answered > 99.9, "{ours:?}");
        assert_eq!(outcomes[0].states(), "");
    }

    #[test]
    fn after_five_minutes_without_anybody_callers_are_back_in_half_a_minute() {
        let outcomes = simulate(&options(&["--quick", "--only", "everything down for long"]));
        let sick = outcomes[0].rows.last().unwrap().1.sick.unwrap();
        let healed = sick.healed.unwrap();
        assert!(healed.back.unwrap().as_secs() < 30, "{sick:?}");
        assert!(healed.peak <= 1.2, "{sick:?}");
    }

    /// The figures of the first policy, no protection, and of the last, the router, in the scenarios whose names begin so.
    fn bare_and_ours(scenarios: &str) -> Vec<(measure::Figures, measure::Figures)> {
        let outcomes = simulate(&options(&["--quick", "--only", scenarios]));
        let ends = |rows: &[(Policy, measure::Figures)]| (rows[0].1, rows.last().unwrap().1);
        outcomes.iter().map(|outcome| ends(&outcome.rows)).collect()
    }

    #[test]
    fn whole_answers_that_hang_are_left_within_three_seconds_and_nobody_waits_longer() {
        let (bare, ours) = bare_and_ours("hang, whole answers")[0];
        assert!(bare.answered < 60.0, "{bare:?}");
        assert!(ours.answered > 99.9, "{ours:?}");
        assert!(ours.switch.as_secs_f64() <= 3.0, "{ours:?}");
        assert!(ours.sick.unwrap().leave.unwrap().as_secs() < 4, "{ours:?}");
    }

    #[test]
    fn where_everything_is_silent_the_answer_is_ready_after_one_window() {
        let (bare, ours) = bare_and_ours("everything silent")[0];
        assert!(bare.p99.as_secs() >= 29, "{bare:?}");
        assert!(ours.p99.as_secs() <= 10, "{ours:?}");
        assert!(ours.amplification <= 2.2, "{ours:?}");
    }

    #[test]
    fn no_wave_of_load_opens_a_gate_in_a_hundred_thousand_calls() {
        // Waves of either length meet some 38 000 calls a seed.
        for seed in ["1", "2", "3"] {
            let options = options(&["--quick", "--ours", "--only", "load waves", "--seed", seed]);
            for outcome in simulate(&options) {
                assert_eq!(outcome.states(), "", "{} {seed}", outcome.scenario.name);
            }
        }
    }

    #[test]
    fn nobody_stampedes_on_a_target_that_has_healed() {
        for only in ["outage", "regional loss", "flapping", "metastable overload"] {
            for seed in ["1", "2", "3"] {
                let options = options(&["--quick", "--ours", "--only", only, "--seed", seed]);
                for outcome in simulate(&options) {
                    let sick = outcome.rows[0].1.sick.unwrap();
                    let peak = sick.healed.unwrap().peak;
                    assert!(peak <= 1.2, "{} {seed}: {peak}", outcome.scenario.name);
                }
            }
        }
    }

    #[test]
    fn a_lone_target_with_too_much_to_do_is_no_worse_protected_than_bare() {
        let figures = bare_and_ours("metastable overload");
        let (bare, ours) = figures[0];
        assert!(ours.answered > bare.answered - 0.5, "{ours:?}");
        let (bare, ours) = figures[1];
        assert!(ours.answered > bare.answered + 5.0, "{bare:?} {ours:?}");
        let (bare, ours) = figures[2];
        assert!(ours.answered > bare.answered + 15.0, "{bare:?} {ours:?}");
    }

    #[test]
    fn one_call_in_ten_is_hedged_and_half_of_the_p99_is_gone() {
        let (bare, ours) = bare_and_ours("stragglers, hedged")[0];
        assert!((1.09..=1.11).contains(&ours.amplification), "{ours:?}");
        assert!(ours.p99 * 2 <= bare.p99, "{bare:?} {ours:?}");
    }

    #[test]
    fn a_worse_canary_is_left_before_its_callers_suffer_and_a_good_one_is_not() {
        let outcomes = simulate(&options(&["--quick", "--only", "canary"]));
        let ours = |index: usize| outcomes[index].rows.last().unwrap().1;
        let (worse, good) = (ours(0), ours(1));
        assert!(worse.answered > 99.9 && good.answered > 99.9, "{worse:?}");
        assert!(worse.sick.unwrap().leave.is_some(), "{worse:?}");
        assert!(good.sick.unwrap().leave.is_none(), "{good:?}");
    }

    #[test]
    fn what_is_asked_wrongly_is_said() {
        for (args, word) in [
            (vec!["--seed"], "--seed"),
            (vec!["--seed", "x"], "x"),
            (vec!["--fast"], "--fast"),
            (vec!["--quick", "--write"], "--write"),
            (vec!["--ours", "--write"], "--write"),
        ] {
            let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
            assert!(Options::read(&args).unwrap_err().contains(word));
        }
    }
}
