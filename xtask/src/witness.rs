//! `cargo xtask witness [FILTER]`: official, unmodified SDKs pointed straight at the simulated provider, so that not only
//! we say that it speaks as the providers do. Each SDK is a program in `xtask/witness`, which asserts what the SDK makes of
//! answers, tools, images, streams and errors, and prints a line of JSON a check. `cargo xtask e2e` includes it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::sdk::{self, Python};
use crate::server::{Server, free_address};
use crate::shell;

/// The Python packages and their versions.
const PYTHON: &[&str] = &[
    sdk::OPENAI_PYTHON,
    sdk::ANTHROPIC_PYTHON,
    "google-genai==3.6.1",
    "boto3==1.44.8",
    "cohere==7.3.1",
    "ollama==0.6.3",
];

/// The programs, one an SDK.
const PROGRAMS: &[&str] = &[
    "openai_sdk.py",
    "openai_sdk.mjs",
    "anthropic_sdk.py",
    "anthropic_sdk.mjs",
    "google_sdk.py",
    "boto3_sdk.py",
    "cohere_sdk.py",
    "ollama_sdk.py",
];

/// What came of the checks.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// The lines of those that failed.
    pub(crate) failed: Vec<String>,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let filter = match args {
        [] => "",
        [filter] => filter.as_str(),
        _ => bail!("`witness` takes one filter at most; quote it if it holds spaces"),
    };
    shell::step(
        "build",
        shell::cargo().args([
            "build",
            "--quiet",
            "--workspace",
            "--all-features",
            "--bin",
            "llm-sim",
        ]),
    )?;
    let start = shell::now();
    let tally = play(&shell::target_dir().join("debug/llm-sim"), filter)?;
    let count = tally.passed + tally.failed.len();
    if count == 0 {
        bail!("no check's line contains `{filter}`");
    }
    for title in &tally.failed {
        println!("failed: {title}");
    }
    let (passed, failed) = (tally.passed, tally.failed.len());
    println!(
        "\n{passed} passed, {failed} failed in {}",
        shell::shown_time(start.elapsed())
    );
    if failed > 0 {
        return Err(shell::Told.into());
    }
    Ok(())
}

/// Plays all checks whose line contains the filter, and prints a line for each.
pub(crate) fn play(sim: &Path, filter: &str) -> Result<Tally> {
    let folder = shell::target_dir().join("witness");
    std::fs::create_dir_all(&folder)?;
    let python = sdk::python(&folder.join("python"), PYTHON)?;
    let node = folder.join("node");
    sdk::node(&node, &[sdk::openai_node()?, sdk::ANTHROPIC_NODE])?;
    println!("\n== witnesses");
    let mut tally = Tally::default();
    for program in PROGRAMS {
        let address = free_address()?;
        let mut command = Command::new(sim);
        command.args(["--listen", &address.to_string(), "--seed", "7"]);
        let log = folder.join(program).with_extension("log");
        let server = Server::start(&mut command, address, &log)?;
        let mut command = command_of(program, &python, &node)?;
        command.args([&format!("http://{}", server.address), filter]);
        watch(program, &mut command, &mut tally)?;
    }
    Ok(tally)
}

/// How a program is started. Node finds packages only beside the program, so it is copied there.
fn command_of(program: &str, python: &Python, node: &Path) -> Result<Command> {
    let programs = shell::root().join("xtask/witness");
    if program.ends_with(".py") {
        let mut command = python.command();
        command.args(["-W", "ignore"]).arg(programs.join(program));
        return Ok(command);
    }
    let copied = |name: &str| -> Result<PathBuf> {
        let copy = node.join(name);
        std::fs::copy(programs.join(name), &copy)
            .with_context(|| format!("cannot copy {name} to {}", node.display()))?;
        Ok(copy)
    };
    copied("common.mjs")?;
    let mut command = Command::new("node");
    sdk::plain_environment(&mut command);
    command.arg(copied(program)?);
    Ok(command)
}

/// Reads what a program says, line by line. One that ends otherwise than in order has failed as a whole.
fn watch(program: &str, command: &mut Command, tally: &mut Tally) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let lines = child.stdout.take().context("the program has no output")?;
    for line in BufReader::new(lines).lines() {
        let (title, wrong) = read(&line?)
            .with_context(|| format!("{program} printed something else than a check"))?;
        if wrong.is_empty() {
            println!("ok      {title}");
            tally.passed += 1;
            continue;
        }
        println!("FAILED  {title}");
        for line in wrong.iter().flat_map(|what| what.lines()) {
            println!("          {line}");
        }
        tally.failed.push(title);
    }
    let status = child.wait()?;
    if !status.success() {
        let title = format!("witness {program} ended with {status}");
        println!("FAILED  {title}");
        tally.failed.push(title);
    }
    Ok(())
}

/// `{"title": …, "wrong": […]}`.
fn read(line: &str) -> Option<(String, Vec<String>)> {
    let json: Value = serde_json::from_str(line).ok()?;
    let wrong = json.get("wrong")?.as_array()?;
    let wrong = wrong
        .iter()
        .map(|what| what.as_str().map(str::to_owned))
        .collect::<Option<Vec<String>>>()?;
    Some((json.get("title")?.as_str()?.to_owned(), wrong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_there_and_none_is_forgotten() {
        let programs = shell::root().join("xtask/witness");
        let mut found: Vec<String> = std::fs::read_dir(programs)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains("_sdk."))
            .collect();
        let mut listed: Vec<String> = PROGRAMS.iter().map(ToString::to_string).collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
    }

    #[test]
    fn a_line_that_is_no_check_is_not_one() {
        let line = r#"{"title": "witness x", "wrong": ["a"]}"#;
        assert_eq!(
            read(line),
            Some(("witness x".to_owned(), vec!["a".to_owned()]))
        );
        for line in [
            "",
            "ok",
            r#"{"title": "x"}"#,
            r#"{"title": "x", "wrong": [1]}"#,
        ] {
            assert_eq!(read(line), None);
        }
    }
}
