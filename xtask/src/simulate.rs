//! `cargo xtask simulate`: whole fleets in virtual time. The work is the example `simulate` of llm-router; this hands it the arguments.

use anyhow::Result;

use crate::shell;

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut command = shell::cargo();
    command.args([
        "run",
        "--release",
        "-q",
        "-p",
        "llm-router",
        "--example",
        "simulate",
        "--",
    ]);
    if !command.args(args).status()?.success() {
        // The program has said what is wrong.
        return Err(shell::Told.into());
    }
    Ok(())
}
