//! `cargo xtask bench`: every benchmark of the workspace with its baseline, as one table; with `--gateway` the gateway
//! beside a bare pass-through instead. Both write their part of docs/benchmarks.json and, from it, docs/benchmarks.md.

mod gateway;
mod goals;
mod load;
mod machine;
mod micro;
mod pairing;
mod process;

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::shell;

const DATA: &str = "docs/benchmarks.json";
const PAGE: &str = "docs/benchmarks.md";

pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut quick = false;
    let mut gateway = false;
    for arg in args {
        match arg.as_str() {
            "--quick" => quick = true,
            "--gateway" => gateway = true,
            _ => bail!("`bench` knows --quick and --gateway, found `{arg}`"),
        }
    }
    let (part, mut result) = if gateway {
        ("gateway", gateway::measure(quick)?)
    } else {
        ("micro", micro::measure(quick)?)
    };
    if let Some(result) = result.as_object_mut() {
        result.insert("conditions".to_owned(), machine::conditions(quick));
    }
    let table = match part {
        "gateway" => gateway::table(&result),
        _ => micro::table(&result),
    };
    println!("\n{table}");
    if part == "micro" {
        for line in micro::changes(&stored()?, &result) {
            println!("{line}");
        }
    }
    if quick {
        println!("A quick run is not precise enough to keep: {PAGE} is left as it is.");
        return Ok(());
    }
    keep(part, result)
}

/// The results of earlier runs, part by part; none before the first.
fn stored() -> Result<Map<String, Value>> {
    match std::fs::read(shell::root().join(DATA)) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).with_context(|| format!("{DATA} is damaged; delete it"))
        }
        Err(_) => Ok(Map::new()),
    }
}

/// Replaces one part of the stored results and writes the page anew.
fn keep(part: &str, result: Value) -> Result<()> {
    let mut all = stored()?;
    all.insert(part.to_owned(), result);
    let root = shell::root();
    std::fs::write(root.join(DATA), serde_json::to_string_pretty(&all)? + "\n")?;
    std::fs::write(root.join(PAGE), page(&all))?;
    println!("Written: {PAGE}, {DATA}");
    Ok(())
}

fn page(all: &Map<String, Value>) -> String {
    let mut page = String::from(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench` and `cargo xtask bench --gateway`; do not edit. Each figure stands beside a\n\
         baseline of the same run on the same machine: the ratio is what carries over to another machine.\n",
    );
    let null = json!(null);
    for (part, title) in [
        ("micro", "Inside one process"),
        ("gateway", "The gateway beside a bare pass-through"),
    ] {
        let result = all.get(part).unwrap_or(&null);
        if result.is_null() {
            continue;
        }
        let table = match part {
            "gateway" => gateway::table(result),
            _ => micro::table(result),
        };
        let conditions = machine::shown(result.get("conditions").unwrap_or(&null));
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n\n{conditions}\n\n{table}");
    }
    page
}
