//! Rules about crates: arrows point down only, and what must stay free of a runtime does.

use anyhow::Result;

use super::Finding;
use crate::workspace::{Package, Workspace, closure};

/// Crates that must build with no async runtime and no HTTP client in their default features.
pub(crate) const RUNTIME_FREE: &[&str] = &[
    "llm-errors",
    "llm-backoff",
    "llm-breaker",
    "llm-quality",
    "llm-router",
];

/// What "async runtime and HTTP client" means, by package name.
const RUNTIMES: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "mio",
    "hyper",
    "hyper-util",
    "reqwest",
    "h2",
];

/// Who may import whom, as in docs/architecture.md. A crate that is not here is a finding.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("llm-errors", &[]),
    ("llm-backoff", &[]),
    ("llm-breaker", &[]),
    ("llm-quality", &[]),
    ("llm-cache", &[]),
    ("llm-dedup", &[]),
    ("llm-sim", &[]),
    ("llm-router", &["llm-errors", "llm-backoff", "llm-breaker"]),
    ("llm-providers", &["llm-errors"]),
    (
        "llm-resilience",
        &[
            "llm-errors",
            "llm-backoff",
            "llm-breaker",
            "llm-quality",
            "llm-cache",
            "llm-dedup",
            "llm-router",
            "llm-providers",
        ],
    ),
    (
        "llm-conformance",
        &["llm-errors", "llm-providers", "llm-sim"],
    ),
    ("llm-gateway", &["llm-resilience", "llm-sim"]),
    ("xtask", &[]),
];

pub(super) fn findings(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in workspace.packages.values() {
        findings.extend(imports(package));
        findings.extend(kept(package));
    }
    for name in RUNTIME_FREE {
        if !workspace.packages.contains_key(*name) {
            continue;
        }
        for found in closure(name)?
            .iter()
            .filter(|name| RUNTIMES.contains(&name.as_str()))
        {
            findings.push(Finding::new(
                manifest(name),
                format!("{name} pulls in {found} with its default features"),
                format!("put it behind a feature that is off by default; `cargo tree -p {name} -e normal -i {found}` shows who asks for it"),
            ));
        }
    }
    if workspace
        .features
        .get("serde_json")
        .is_some_and(|features| features.contains("preserve_order"))
    {
        findings.push(Finding::new(
            "Cargo.toml:1",
            "serde_json's `preserve_order` is on, so that maps are no longer in the cache key's canonical order",
            "`cargo tree --workspace --all-features -e features -i serde_json` shows who asks for it",
        ));
    }
    Ok(findings)
}

fn imports(package: &Package) -> Vec<Finding> {
    let name = package.name.as_str();
    let Some((_, allowed)) = MAY_IMPORT
        .iter()
        .find(|(crate_name, _)| *crate_name == name)
    else {
        return vec![Finding::new(
            manifest(name),
            format!("{name} has no place in the crate graph"),
            "give it a row in xtask/src/tidy/graph.rs and in docs/architecture.md",
        )];
    };
    package
        .imports
        .iter()
        .filter(|import| !allowed.contains(&import.as_str()))
        .map(|import| {
            let may = if allowed.is_empty() {
                "no crate of the workspace".to_owned()
            } else {
                allowed.join(", ")
            };
            Finding::new(
                manifest(name),
                format!("{name} depends on {import}"),
                format!("{name} may import {may}: move the shared part down, or hand it in as an argument"),
            )
        })
        .collect()
}

/// What every package's folder must hold.
fn kept(package: &Package) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifest_text =
        std::fs::read_to_string(package.folder.join("Cargo.toml")).unwrap_or_default();
    if !inherits_lints(&manifest_text) {
        findings.push(Finding::new(
            manifest(&package.name),
            format!("{} does not inherit the workspace's lints, so that `unsafe` is not forbidden in it", package.name),
            "add the two lines `[lints]` and `workspace = true`",
        ));
    }
    if package.name != "xtask" && !package.folder.join("README.md").is_file() {
        findings.push(Finding::new(
            format!("crates/{}/README.md:1", package.name),
            format!("{} has no README.md", package.name),
            "write one: what the crate decides, one short example, what it does not do",
        ));
    }
    findings
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|line| line == "[lints]")
        && lines.next().is_some_and(|line| line == "workspace = true")
}

fn manifest(name: &str) -> String {
    if name == "xtask" {
        "xtask/Cargo.toml:1".to_owned()
    } else {
        format!("crates/{name}/Cargo.toml:1")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn package(name: &str, imports: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            folder: PathBuf::new(),
            imports: imports
                .iter()
                .map(|import| (*import).to_owned())
                .collect::<BTreeSet<_>>(),
            benches: Vec::new(),
        }
    }

    #[test]
    fn a_leaf_that_imports_one_of_ours_is_found() {
        assert_eq!(imports(&package("llm-errors", &["llm-backoff"])).len(), 1);
        assert_eq!(
            imports(&package("llm-router", &["llm-errors", "llm-breaker"])),
            []
        );
        assert_eq!(imports(&package("llm-router", &["llm-providers"])).len(), 1);
    }

    #[test]
    fn a_crate_nobody_placed_is_found() {
        assert_eq!(imports(&package("llm-new", &[])).len(), 1);
    }

    #[test]
    fn lints_are_inherited_only_by_the_two_lines_together() {
        assert!(inherits_lints(
            "[package]\nname = \"x\"\n\n[lints]\nworkspace = true\n"
        ));
        assert!(!inherits_lints("[package]\nname = \"x\"\n"));
        assert!(!inherits_lints("[lints.rust]\nunsafe_code = \"allow\"\n"));
    }
}
