//! The failure table of the book, generated from the classifier itself.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// `docs/failures.md`, seen from the workspace's root.
const PAGE: &str = "docs/failures.md";

/// Writes the page from what the `failures` example of `llm-errors` prints, or with `check` only
/// tells whether the page is current.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask stands in no workspace")?;
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["run", "-q", "-p", "llm-errors", "--example", "failures"])
        .output()
        .context("cannot start the failures example")?;
    ensure!(
        output.status.success(),
        "the failures example failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let page = root.join(PAGE);
    if check {
        let current = std::fs::read(&page).with_context(|| format!("cannot read {PAGE}"))?;
        ensure!(
            current == output.stdout,
            "{PAGE} is not current: run `cargo xtask failures`"
        );
    } else {
        if let Some(folder) = page.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&page, &output.stdout).with_context(|| format!("cannot write {PAGE}"))?;
    }
    Ok(())
}
