//! `cargo xtask models [--check]`: builds the table of models that `llm-providers` includes, from the source tables that
//! people edit.
//!
//! The sources are `crates/llm-providers/models/<provider>.toml`, one a provider: what a public page states of a model, and
//! where and when it was read. What no page states is left out. The built table has one line a model, without the pages, so
//! that nothing has to be parsed before it is asked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use toml::{Table, Value};

use crate::shell;

const SOURCES: &str = "crates/llm-providers/models";
const BUILT: &str = "crates/llm-providers/src/model/table.tsv";

/// What a source file may say at its top, and of a model.
const TOP: [&str; 4] = ["provider", "read", "source", "model"];
const KEYS: [&str; 8] = [
    "names",
    "context_window",
    "max_output",
    "can",
    "cannot",
    "price",
    "until",
    "page",
];
const PRICES: [&str; 4] = ["input", "output", "cache_read", "cache_write"];
/// Abilities a page may state, by the names that `lacks` in the configuration uses.
const ABILITIES: [&str; 10] = [
    "tools",
    "parallel_tools",
    "json_mode",
    "json_schema",
    "vision",
    "audio",
    "documents",
    "prefill",
    "reasoning",
    "streaming",
];

/// Writes the table, or with `--check` only tells whether it is current.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [arg] if arg == "--check" => true,
        _ => bail!("`models` takes `--check` or nothing"),
    };
    let root = shell::root();
    let mut sources: Vec<_> = std::fs::read_dir(root.join(SOURCES))
        .with_context(|| format!("cannot read {SOURCES}"))?
        .collect::<Result<_, _>>()?;
    sources.sort_by_key(std::fs::DirEntry::file_name);
    let mut latest = String::new();
    let mut lines = String::new();
    for source in sources {
        let path = source.path();
        if path.extension().is_some_and(|end| end == "toml") {
            let shown = path
                .strip_prefix(&root)
                .unwrap_or(&path)
                .display()
                .to_string();
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
            let read = provider(&path, &text, &mut lines).with_context(|| shown)?;
            latest = latest.max(read);
        }
    }
    let built = format!("{latest}\n{lines}");
    let path = root.join(BUILT);
    if check {
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        ensure!(
            current == built,
            "{BUILT} is not current: run `cargo xtask models`"
        );
        return Ok(());
    }
    std::fs::write(&path, built).with_context(|| format!("cannot write {BUILT}"))
}

/// Adds the models of one source file, and returns the day it was read.
fn provider(path: &Path, text: &str, lines: &mut String) -> Result<String> {
    let table: Table = text.parse()?;
    known(&table, &TOP)?;
    let name = string(&table, "provider")?.context("`provider` is missing")?;
    ensure!(
        path.file_stem().is_some_and(|stem| stem == name),
        "the file is not named after its provider `{name}`"
    );
    let read = string(&table, "read")?.context("`read` is missing")?;
    ensure!(is_day(read), "`read` is not a day, as 2026-11-26");
    ensure!(string(&table, "source")?.is_some(), "`source` is missing");
    let mut seen = BTreeSet::new();
    let models = table
        .get("model")
        .and_then(Value::as_array)
        .context("no [[model]]")?;
    for entry in models {
        let entry = entry.as_table().context("[[model]] holds tables")?;
        let first = entry
            .get("names")
            .and_then(|names| names.get(0))
            .and_then(Value::as_str);
        let line = model(entry, &mut seen)
            .with_context(|| format!("model {}", first.unwrap_or("without a name")))?;
        writeln!(lines, "{name}\t{line}")?;
    }
    Ok(read.to_owned())
}

/// One line of the table: names, tokens, abilities, prices, last day; a field that nothing states is empty.
fn model(entry: &Table, seen: &mut BTreeSet<String>) -> Result<String> {
    known(entry, &KEYS)?;
    let names = strings(entry, "names")?;
    ensure!(!names.is_empty(), "`names` is empty");
    for name in &names {
        let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(plain && !name.is_empty(), "`{name}` is no model's name");
        ensure!(seen.insert((*name).to_owned()), "`{name}` is there twice");
    }
    let mut fields = vec![names.join(" ")];
    for key in ["context_window", "max_output"] {
        let tokens = match entry.get(key) {
            None => String::new(),
            Some(value) => {
                let tokens = value
                    .as_integer()
                    .filter(|tokens| (1..=1_000_000_000).contains(tokens));
                tokens
                    .with_context(|| format!("`{key}` is no number of tokens"))?
                    .to_string()
            }
        };
        fields.push(tokens);
    }
    let (can, cannot) = (strings(entry, "can")?, strings(entry, "cannot")?);
    for ability in can.iter().chain(&cannot) {
        ensure!(
            ABILITIES.contains(ability),
            "`{ability}` is no ability known here"
        );
    }
    if let Some(both) = can.iter().find(|ability| cannot.contains(ability)) {
        bail!("`{both}` is both in `can` and in `cannot`");
    }
    fields.extend([can.join(","), cannot.join(",")]);
    fields.extend(price(entry)?);
    let until = string(entry, "until")?.unwrap_or_default();
    ensure!(
        until.is_empty() || is_day(until),
        "`until` is not a day, as 2026-11-26"
    );
    fields.push(until.to_owned());
    if let Some(page) = string(entry, "page")? {
        ensure!(page.starts_with("https://"), "`page` is not an address");
    }
    Ok(fields.join("\t"))
}

/// The four prices, in millionths of a dollar for a million tokens.
fn price(entry: &Table) -> Result<[String; 4]> {
    let Some(price) = entry.get("price") else {
        return Ok(<[String; 4]>::default());
    };
    let price = price.as_table().context("`price` is no table")?;
    known(price, &PRICES)?;
    let mut micros = <[String; 4]>::default();
    for (key, slot) in PRICES.into_iter().zip(&mut micros) {
        if let Some(text) = string(price, key)? {
            *slot = dollars(text)
                .with_context(|| format!("price.{key}: `{text}` is no sum such as \"0.15\""))?
                .to_string();
        }
    }
    let [input, output, ..] = &micros;
    ensure!(
        !input.is_empty() && !output.is_empty(),
        "`price` needs both `input` and `output`"
    );
    Ok(micros)
}

/// Reads dollars with at most six decimals exactly, as millionths.
fn dollars(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !digits(whole) || !digits(part) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

fn known(table: &Table, keys: &[&str]) -> Result<()> {
    match table.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => bail!("`{key}` is not known here; there are {}", keys.join(", ")),
        None => Ok(()),
    }
}

fn string<'a>(table: &'a Table, key: &str) -> Result<Option<&'a str>> {
    match table.get(key) {
        None => Ok(None),
        Some(value) => Ok(Some(
            value
                .as_str()
                .with_context(|| format!("`{key}` is no text"))?,
        )),
    }
}

fn strings<'a>(table: &'a Table, key: &str) -> Result<Vec<&'a str>> {
    let Some(value) = table.get(key) else {
        return Ok(Vec::new());
    };
    let list = value
        .as_array()
        .with_context(|| format!("`{key}` is no list"))?;
    list.iter()
        .map(|item| {
            item.as_str()
                .with_context(|| format!("`{key}` holds something that is no text"))
        })
        .collect()
}

/// Whether a text is a day, as 2026-11-26.
fn is_day(text: &str) -> bool {
    let shape = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(model: &str) -> Result<String> {
        let text = format!("provider = \"p\"\nread = \"2026-11-26\"\nsource = \"s\"\n{model}");
        let mut lines = String::new();
        provider(Path::new("p.toml"), &text, &mut lines)?;
        Ok(lines)
    }

    #[test]
    fn a_model_becomes_one_line() {
        let line = built(
            "[[model]]\nnames = [\"a\", \"a-1\"]\ncontext_window = 9\ncan = [\"tools\"]\ncannot = [\"vision\", \"audio\"]\n\
             price = { input = \"0.15\", output = \"12\" }\nuntil = \"2027-01-31\"\npage = \"https://example.com\"",
        );
        assert_eq!(
            line.unwrap(),
            "p\ta a-1\t9\t\ttools\tvision,audio\t150000\t12000000\t\t\t2027-01-31\n"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (model, wrong) in [
            ("[[model]]\nnames = []", "`names` is empty"),
            ("[[model]]\nnames = [\"a\", \"a\"]", "`a` is there twice"),
            (
                "[[model]]\nnames = [\"a\"]\ncolour = 1",
                "`colour` is not known here",
            ),
            (
                "[[model]]\nnames = [\"a\"]\ncan = [\"fly\"]",
                "`fly` is no ability",
            ),
            (
                "[[model]]\nnames = [\"a\"]\ncan = [\"tools\"]\ncannot = [\"tools\"]",
                "both",
            ),
            (
                "[[model]]\nnames = [\"a\"]\nprice = { input = \"1\" }",
                "needs both",
            ),
            (
                "[[model]]\nnames = [\"a\"]\nprice = { input = \"1e3\", output = \"1\" }",
                "no sum",
            ),
            ("[[model]]\nnames = [\"a\"]\nuntil = \"soon\"", "not a day"),
        ] {
            let error = format!("{:#}", built(model).unwrap_err());
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn dollars_are_exact() {
        assert_eq!(dollars("0.000001"), Some(1));
        assert_eq!(dollars("12.5"), Some(12_500_000));
        assert_eq!(dollars("0.0000001"), None);
        assert_eq!(dollars("-1"), None);
        assert_eq!(dollars(""), None);
    }
}
