//! `cargo xtask e2e [FILTER]`: the official, unmodified SDKs, and the two frameworks most built on, through the gateway's binary, in front of simulated
//! providers that fail on real sockets. Asserted on both sides: what the SDK saw, and which calls the providers received.
//!
//! Prints one line a check; with a filter only those whose line contains it. The SDKs' own retries are off, so that counts
//! are exact.

mod crowd;
mod driver;
mod install;
mod judge;
mod play;
mod scenario;
mod stack;
mod times;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, bail};

use crate::{shell, witness};
use driver::{Driver, Sdk, Wire};
use install::Sdks;
use play::Case;
use scenario::{Modes, Players, Scenario};
use stack::{Programs, Providers};

/// Workers for each SDK that plays all there is: most scenarios wait more than they work. The others have one.
const WORKERS: usize = 2;

/// One check: a case played with one SDK.
struct Check {
    case: Case,
    title: String,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let filter = match args {
        [] => "",
        [filter] => filter.as_str(),
        _ => bail!("`e2e` takes one filter at most; quote it if it holds spaces"),
    };
    let folder = shell::target_dir().join("e2e");
    let sdks = install::install(&folder)?;
    let programs = Programs::build()?;

    let start = shell::now();
    let mut passed = 0;
    let mut failed = Vec::new();
    let tally = Mutex::new((&mut passed, &mut failed));
    let queues: Vec<(Sdk, Mutex<VecDeque<Check>>)> = Sdk::ALL
        .iter()
        .map(|sdk| (*sdk, Mutex::new(checks(*sdk, filter))))
        .collect();
    println!("\n== checks");
    let outcome: Result<()> = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (sdk, queue) in &queues {
            let workers = if sdk.plays_all() { WORKERS } else { 1 };
            for number in 0..workers {
                let folder = folder
                    .join("work")
                    .join(format!("{}-{number}", sdk.as_str().replace(' ', "-")));
                let (tally, sdks, programs) = (&tally, &sdks, &programs);
                threads.push(scope.spawn(move || {
                    work(*sdk, queue, sdks, programs, &folder, &|check, wrong| {
                        report(check, wrong, tally);
                    })
                }));
            }
        }
        for thread in threads {
            match thread.join() {
                Ok(outcome) => outcome?,
                Err(_) => bail!("a worker panicked"),
            }
        }
        Ok(())
    });
    outcome?;
    if filter.is_empty() || filter.starts_with("witness") {
        let witnesses = witness::play(&programs.sim, filter)?;
        passed += witnesses.passed;
        failed.extend(witnesses.failed);
    }
    if passed + failed.len() == 0 {
        bail!("no check's line contains `{filter}`");
    }
    println!(
        "\n{} checks in {}",
        passed + failed.len(),
        shell::shown_time(start.elapsed())
    );
    for title in &failed {
        println!("failed: {title}");
    }
    println!("{passed} passed, {} failed", failed.len());
    if !failed.is_empty() {
        return Err(shell::Told.into());
    }
    Ok(())
}

type Tally<'a> = Mutex<(&'a mut usize, &'a mut Vec<String>)>;

/// Prints a check's line at once and counts it.
fn report(check: &Check, wrong: &[String], tally: &Tally<'_>) {
    let mut tally = tally
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if wrong.is_empty() {
        println!("ok      {}", check.title);
        *tally.0 += 1;
        return;
    }
    println!("FAILED  {}", check.title);
    for what in wrong {
        println!("          {what}");
    }
    tally.1.push(check.title.clone());
}

/// Plays checks of one SDK until none is left.
fn work(
    sdk: Sdk,
    queue: &Mutex<VecDeque<Check>>,
    sdks: &Sdks,
    programs: &Programs,
    folder: &Path,
    report: &dyn Fn(&Check, &[String]),
) -> Result<()> {
    let next = || {
        queue
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .pop_front()
    };
    let Some(mut check) = next() else {
        return Ok(());
    };
    let providers = Providers::start(programs, folder)?;
    let mut driver = Driver::start(sdk, sdks)?;
    loop {
        let wrong = match play::play(&check.case, sdk, &mut driver, &providers, programs) {
            Ok(wrong) => wrong,
            Err(error) => {
                // The driver may be in the middle of a call: take a fresh one.
                driver = Driver::start(sdk, sdks)?;
                vec![format!("{error:#}")]
            }
        };
        report(&check, &wrong);
        match next() {
            Some(another) => check = another,
            None => return Ok(()),
        }
    }
}

fn checks(sdk: Sdk, filter: &str) -> VecDeque<Check> {
    let own = sdk.wire();
    let mut checks = VecDeque::new();
    let scenarios = scenario::all().into_iter();
    for scenario in scenarios.filter(|scenario| scenario.is_for(sdk)) {
        for wires in wires(&scenario, own) {
            for stream in [false, true] {
                let wanted = match scenario.modes {
                    Modes::Both => true,
                    Modes::Streamed => stream,
                    Modes::Whole => !stream,
                };
                let title = title(sdk, &scenario, wires, stream);
                if wanted && title.contains(filter) {
                    let case = Case {
                        scenario: scenario.clone(),
                        stream,
                        wires,
                    };
                    checks.push_back(Check { case, title });
                }
            }
        }
    }
    checks
}

/// What the two providers speak: the SDK's own dialect, and where the scenario asks for it others in either place.
fn wires(scenario: &Scenario, own: Wire) -> Vec<[Wire; 2]> {
    if scenario.across && scenario.players == Players::Embedders {
        Wire::EMBEDDERS.to_vec()
    } else if scenario.across {
        own.crossings().to_vec()
    } else {
        vec![[own, own]]
    }
}

fn title(sdk: Sdk, scenario: &Scenario, wires: [Wire; 2], stream: bool) -> String {
    let mode = if stream { "streamed" } else { "whole" };
    let [first, second] = wires;
    let way = if first == sdk.wire() && second == sdk.wire() {
        String::new()
    } else {
        format!(" [{} > {}]", first.as_str(), second.as_str())
    };
    format!("{} {mode}: {}{way}", sdk.as_str(), scenario.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_line_of_its_own() {
        let titles: Vec<String> = Sdk::ALL
            .iter()
            .flat_map(|sdk| checks(*sdk, ""))
            .map(|check| check.title)
            .collect();
        let distinct: BTreeSet<&String> = titles.iter().collect();
        assert_eq!(distinct.len(), titles.len());
    }

    #[test]
    fn every_scenario_asks_something() {
        for scenario in scenario::all() {
            assert!(!scenario.steps.is_empty(), "{}", scenario.name);
        }
    }

    #[test]
    fn a_filter_narrows_by_line() {
        assert!(checks(Sdk::PythonOpenAi, "insufficient_quota").len() >= 2);
        assert!(checks(Sdk::PythonOpenAi, "no such scenario").is_empty());
    }
}
