//! The official SDKs, unmodified, in versions that are written down here, installed under `target/e2e`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::sdk::{self, Python};
use crate::shell;

/// The Python packages and their versions.
const PYTHON: &[&str] = &[sdk::OPENAI_PYTHON, sdk::ANTHROPIC_PYTHON];

/// Where the interpreters find the SDKs.
#[derive(Clone, Debug)]
pub(super) struct Sdks {
    /// The Python that has them.
    pub(super) python: Python,
    /// The folder beside whose `node_modules` a driver must lie.
    pub(super) node: PathBuf,
}

/// Installs what is not there yet. Needs a network the first time only.
pub(super) fn install(folder: &Path) -> Result<Sdks> {
    std::fs::create_dir_all(folder)?;
    let python = sdk::python(&folder.join("python"), PYTHON)?;
    let node = folder.join("node");
    sdk::node(&node, &[sdk::openai_node()?])?;
    std::fs::copy(
        shell::root().join("xtask/e2e/driver.mjs"),
        node.join("driver.mjs"),
    )?;
    Ok(Sdks { python, node })
}
