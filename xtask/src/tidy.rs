//! The invariants of docs/architecture.md that no compiler checks: who may import whom, what each crate may touch, and
//! how files are kept. Every finding names its place and the mend.

mod graph;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell;
use crate::workspace::Workspace;

pub(crate) use graph::RUNTIME_FREE;

/// One broken invariant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `path:line`, from the workspace's top folder.
    pub(crate) place: String,
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
            mend: mend.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    mend: {}", self.place, self.what, self.mend)
    }
}

/// `cargo xtask tidy`.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if let Some(arg) = args.first() {
        bail!("`tidy` takes no argument, found `{arg}`");
    }
    let findings = findings(&Workspace::load()?)?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("All invariants hold.");
        return Ok(());
    }
    bail!("{} invariants are broken", findings.len());
}

/// Everything that is broken, the graph first.
pub(crate) fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let root = shell::root();
    let mut findings = graph::findings(workspace)?;
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort();
    for path in &files {
        let Ok(name) = path.strip_prefix(&root) else {
            continue;
        };
        let name = name.to_string_lossy().replace('\\', "/");
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        // What is not text holds no words to check.
        if let Ok(text) = String::from_utf8(bytes) {
            findings.extend(source::findings(&name, &text));
        }
    }
    Ok(findings)
}

/// Folders that hold nothing anyone wrote here.
const NOT_OURS: &[&str] = &["target", ".git", "node_modules", "__pycache__", ".venv"];

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            let fuzz_output = folder.ends_with("fuzz") && (name == "corpus" || name == "artifacts");
            if !fuzz_output && !NOT_OURS.iter().any(|skipped| name == *skipped) {
                walk(&path, files)?;
            }
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
