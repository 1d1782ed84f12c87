//! `cargo xtask test`: everything a newcomer needs to trust the tree, with nothing installed but Rust.

use anyhow::{Result, bail};

use crate::shell;

pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        bail!("`test` takes no argument, found `{arg}`; for one crate use `cargo test -p CRATE`");
    }
    let start = shell::now();
    // Two calls, because `--all-targets` would leave the doc tests out and run every bench and example as a test.
    shell::step(
        "unit and integration tests",
        shell::cargo()
            .args(["test", "--workspace", "--all-features", "--lib", "--bins"])
            .args(["--tests", "--no-fail-fast"]),
    )?;
    shell::step(
        "doc tests",
        shell::cargo().args([
            "test",
            "--workspace",
            "--all-features",
            "--doc",
            "--no-fail-fast",
        ]),
    )?;
    println!(
        "\nAll tests passed in {}.",
        shell::shown_time(start.elapsed())
    );
    Ok(())
}
