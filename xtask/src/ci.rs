//! `cargo xtask ci`: what continuous integration runs, in its order, with the time of each step.

use std::time::Duration;

use anyhow::{Result, bail};

use crate::{check, e2e, shell, test};

type Step = (&'static str, fn(&[String]) -> Result<()>);

const STEPS: &[Step] = &[
    ("test", test::run),
    ("check", check::run),
    ("e2e", e2e::run),
];

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        bail!("`ci` takes no argument, found `{arg}`");
    }
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let mut outcome = Ok(());
    for (name, step) in STEPS {
        println!("\n######## {name} ########");
        let start = shell::now();
        outcome = step(&[]);
        times.push((name, start.elapsed()));
        if outcome.is_err() {
            break;
        }
    }
    println!("\n######## times ########");
    for (name, time) in &times {
        println!("{name:<8}{}", shell::shown_time(*time));
    }
    outcome
}
