//! What `cargo metadata` says about the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// One package of ours.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// The folder that holds its manifest.
    pub(crate) folder: PathBuf,
    /// Packages of ours among its normal dependencies, optional ones included.
    pub(crate) imports: BTreeSet<String>,
    /// The names of its bench targets.
    pub(crate) benches: Vec<String>,
}

/// The workspace's own packages by name, and the features every package is built with when all are asked for.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) packages: BTreeMap<String, Package>,
    /// Features by package name, over the whole graph, dev-dependencies and all features included.
    pub(crate) features: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let text = shell::output(shell::cargo().args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--quiet",
        ]))?;
        let json: Value = serde_json::from_str(&text).context("cargo metadata is not JSON")?;
        Ok(Self::from_metadata(&json))
    }

    fn from_metadata(json: &Value) -> Self {
        let members: BTreeSet<&str> = list(json, "workspace_members")
            .filter_map(Value::as_str)
            .collect();
        let is_member = |package: &&Value| members.contains(text(package, "id"));
        let ours: BTreeSet<&str> = list(json, "packages")
            .filter(is_member)
            .map(|package| text(package, "name"))
            .collect();

        let packages = list(json, "packages")
            .filter(is_member)
            .map(|package| {
                let imports = list(package, "dependencies")
                    .filter(|dependency| dependency.get("kind").is_none_or(Value::is_null))
                    .map(|dependency| text(dependency, "name"))
                    .filter(|name| ours.contains(name))
                    .map(str::to_owned)
                    .collect();
                let benches = list(package, "targets")
                    .filter(|target| list(target, "kind").any(|kind| kind == "bench"))
                    .map(|target| text(target, "name").to_owned())
                    .collect();
                let mut folder = PathBuf::from(text(package, "manifest_path"));
                folder.pop();
                let name = text(package, "name").to_owned();
                let package = Package {
                    name: name.clone(),
                    folder,
                    imports,
                    benches,
                };
                (name, package)
            })
            .collect();

        let names: BTreeMap<&str, &str> = list(json, "packages")
            .map(|package| (text(package, "id"), text(package, "name")))
            .collect();
        let mut features: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in json
            .get("resolve")
            .into_iter()
            .flat_map(|resolve| list(resolve, "nodes"))
        {
            let Some(name) = names.get(text(node, "id")) else {
                continue;
            };
            features.entry((*name).to_owned()).or_default().extend(
                list(node, "features")
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
        }
        Self { packages, features }
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The names of all packages in a package's normal dependency closure with its default features, built alone.
pub(crate) fn closure(package: &str) -> Result<BTreeSet<String>> {
    let tree = shell::output(shell::cargo().args([
        "tree", "-p", package, "-e", "normal", "--prefix", "none", "--format", "{p}", "--quiet",
    ]))?;
    Ok(tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect())
}
