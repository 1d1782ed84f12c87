//! The official SDKs, unmodified, in versions that are written down here, installed under `target/e2e`.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::sdk::{self, Python};
use crate::shell;

/// The Python packages and their versions.
const PYTHON: &[&str] = &[
    sdk::OPENAI_PYTHON,
    sdk::ANTHROPIC_PYTHON,
    "langchain-openai==1.7.4",
    "langchain-anthropic==1.7.10",
];

/// The drivers for Node, which must lie beside the packages they import.
const NODE_DRIVERS: &[&str] = &[
    "common.mjs",
    "openai.mjs",
    "responses.mjs",
    "anthropic.mjs",
    "ai.mjs",
];

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
    let [vercel, vercel_openai, vercel_anthropic] = sdk::vercel_node()?;
    let packages = [
        sdk::openai_node()?,
        sdk::ANTHROPIC_NODE,
        vercel,
        vercel_openai,
        vercel_anthropic,
    ];
    sdk::node(&node, &packages)?;
    for driver in NODE_DRIVERS {
        std::fs::copy(
            shell::root().join("xtask/e2e").join(driver),
            node.join(driver),
        )?;
    }
    Ok(Sdks { python, node })
}
