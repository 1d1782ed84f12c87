//! `cargo xtask TASK`: the workspace's own build tool. One file a task; every task runs on a machine that has only Rust,
//! except `e2e`, its part `witness` and `ci`, which includes both: they also want Python and Node for the official SDKs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a build tool speaks on the terminal"
)]

mod bench;
mod check;
mod ci;
mod corpus;
mod e2e;
mod failures;
mod http;
mod models;
mod sdk;
mod server;
mod shell;
mod simulate;
mod test;
mod tidy;
mod witness;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;

/// A task's name, what may follow it, what it does, and the function that does it.
struct Task {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

const TASKS: &[Task] = &[
    Task {
        name: "test",
        arguments: "",
        about: "all tests and doc tests of the workspace",
        run: test::run,
    },
    Task {
        name: "check",
        arguments: "",
        about: "format, lints, docs and the invariants of docs/architecture.md",
        run: check::run,
    },
    Task {
        name: "tidy",
        arguments: "",
        about: "only the invariants that need no build (part of check)",
        run: tidy::run,
    },
    Task {
        name: "e2e",
        arguments: "[FILTER]",
        about: "official SDKs (Python, Node) through the gateway against failing providers; includes witness",
        run: e2e::run,
    },
    Task {
        name: "witness",
        arguments: "[FILTER]",
        about: "official SDKs straight at the simulated provider: does it speak as the providers do",
        run: witness::run,
    },
    Task {
        name: "bench",
        arguments: "[--quick] [--gateway]",
        about: "every benchmark with its baseline, as one table in docs/benchmarks.md",
        run: bench::run,
    },
    Task {
        name: "simulate",
        arguments: "[--seed N] [--quick] [--only NAME] [--write] [--ours] [--states]",
        about: "whole fleets in virtual time: storms, outages, recovery",
        run: simulate::run,
    },
    Task {
        name: "ci",
        arguments: "",
        about: "test, check and e2e, as continuous integration runs them",
        run: ci::run,
    },
    Task {
        name: "corpus",
        arguments: "FILE",
        about: "score the classifier against labelled replies (JSON lines)",
        run: corpus::run,
    },
    Task {
        name: "failures",
        arguments: "[--check]",
        about: "write docs/failures.md from the code, or check that it is current",
        run: |args| failures::run(args.iter().any(|arg| arg == "--check")),
    },
    Task {
        name: "models",
        arguments: "[--check]",
        about: "build the table of models from crates/llm-providers/models, or check that it is current",
        run: models::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = args.split_first() else {
        println!("{}", help());
        return ExitCode::FAILURE;
    };
    if matches!(name.as_str(), "help" | "-h" | "--help") {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("error: no task is called `{name}`\n\n{}", help());
        return ExitCode::FAILURE;
    };
    match (task.run)(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<shell::Told>() {
                eprintln!("\nerror: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("usage: cargo xtask TASK\n\ntasks:\n");
    for task in TASKS {
        let call = format!("{} {}", task.name, task.arguments);
        // What is longer than the column has its meaning on the next line.
        let wrap = if call.len() < 30 {
            String::new()
        } else {
            format!("\n{:32}", "")
        };
        text.push_str(&format!("  {call:<30}{wrap}{}\n", task.about));
    }
    text.push_str("  help                          this list");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_task() {
        let help = help();
        for task in TASKS {
            assert!(help.contains(&format!("  {}", task.name)), "{}", task.name);
        }
    }

    /// The pages name tasks that there are, and the code map all of them.
    #[test]
    fn every_task_that_is_told_is_one() {
        let map = include_str!("../../docs/architecture.md");
        let row = map.lines().find(|line| line.starts_with("| `xtask` |"));
        let row = row.unwrap_or_default();
        for task in TASKS {
            assert!(row.contains(&format!("`{}`", task.name)), "{}", task.name);
        }
        for page in [
            map,
            include_str!("../../README.md"),
            include_str!("../../docs/tuning.md"),
            include_str!("../../docs/gateway.md"),
            include_str!("../../docs/benchmarks.md"),
            include_str!("../../docs/simulation.md"),
        ] {
            for rest in page.split("cargo xtask ").skip(1) {
                let name = rest.split(|c: char| !c.is_ascii_lowercase()).next();
                let name = name.unwrap_or_default();
                let known = name.is_empty() || name == "help";
                assert!(
                    known || TASKS.iter().any(|task| task.name == name),
                    "{name}"
                );
            }
        }
    }

    /// What the simulation takes stands in the help.
    #[test]
    fn every_argument_of_the_simulation_is_told() {
        let options = include_str!("../../crates/llm-router/examples/simulate/options.rs");
        let simulate = TASKS.iter().find(|task| task.name == "simulate");
        let told = simulate.map_or("", |task| task.arguments);
        let mut count = 0;
        for option in options.split("\"--").skip(1) {
            let name = option.split('"').next().unwrap_or_default();
            assert!(told.contains(&format!("--{name}")), "--{name}");
            count += 1;
        }
        assert!(count >= 5, "{count}");
    }
}
