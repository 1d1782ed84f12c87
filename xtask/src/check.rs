//! `cargo xtask check`: format, lints, docs, the model checker, and the invariants of docs/architecture.md.
//!
//! Every step runs even when one before it failed, so that one run names everything there is to mend.

use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{failures, models, shell, tidy};

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        bail!("`check` takes no argument, found `{arg}`");
    }
    let start = shell::now();
    let mut failed: Vec<String> = Vec::new();
    let mut step = |title: &str, command: &mut Command| {
        if let Err(error) = shell::step(title, command) {
            failed.push(format!("{error:#}"));
        }
    };

    step("format", shell::cargo().args(["fmt", "--all", "--check"]));
    step(
        "lints",
        shell::cargo()
            .args(["clippy", "--workspace", "--all-targets", "--all-features"])
            .args(["--quiet", "--", "-D", "warnings"]),
    );
    step(
        "docs",
        shell::cargo()
            .args([
                "doc",
                "--workspace",
                "--no-deps",
                "--all-features",
                "--quiet",
            ])
            .env("RUSTDOCFLAGS", "-D warnings"),
    );
    // The workspace's manifests are whole, or nothing below can be asked.
    let workspace = Workspace::load()?;
    for name in tidy::RUNTIME_FREE {
        if workspace.packages.contains_key(*name) {
            step(
                &format!("{name} builds alone"),
                shell::cargo().args(["check", "--quiet", "-p", name]),
            );
        }
    }

    // In a folder of its own: the flag is part of what every dependency is built with.
    step(
        "the breaker under every interleaving",
        shell::cargo()
            .args(["test", "--quiet", "-p", "llm-breaker", "--lib", "loom"])
            .arg("--target-dir")
            .arg(shell::target_dir().join("loom"))
            .env("RUSTFLAGS", "--cfg loom"),
    );

    println!("\n== invariants");
    match tidy::findings(&workspace) {
        Ok(findings) => {
            for finding in &findings {
                println!("{finding}");
            }
            if !findings.is_empty() {
                failed.push(format!("{} invariants are broken", findings.len()));
            }
        }
        Err(error) => failed.push(format!("invariants: {error:#}")),
    }

    println!("\n== docs/failures.md is current");
    if let Err(error) = failures::run(true) {
        failed.push(format!("docs/failures.md: {error:#}"));
    }

    println!("\n== the table of models is current");
    if let Err(error) = models::run(&["--check".to_owned()]) {
        failed.push(format!("models: {error:#}"));
    }

    let took = shell::shown_time(start.elapsed());
    if failed.is_empty() {
        println!("\nAll checks passed in {took}.");
        return Ok(());
    }
    bail!(
        "{} of the checks failed in {took}:\n  {}",
        failed.len(),
        failed.join("\n  ")
    );
}
