//! Running other programs, headings, timing: what every task needs and nothing more.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The workspace's top folder, wherever the tool was called from.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cargo that runs this tool.
pub(crate) fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root());
    // Set by `cargo run` for this process; a child cargo must not believe it is building this package.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// The build tool's one clock.
#[expect(
    clippy::disallowed_methods,
    reason = "a build tool measures real time and has no tests to pause it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits; only for processes to come up.
#[expect(
    clippy::disallowed_methods,
    reason = "a build tool is synchronous: it has no worker to block"
)]
pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// A failure that its task has already told in full; `main` adds nothing to it.
#[derive(Debug)]
pub(crate) struct Told;

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed as told above")
    }
}

impl std::error::Error for Told {}

/// Prints a heading and the command, runs it on this terminal, and fails if it failed.
pub(crate) fn step(title: &str, command: &mut Command) -> Result<Duration> {
    println!("\n== {title}: {}", shown(command));
    let start = now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let took = start.elapsed();
    if !status.success() {
        bail!("{title} failed ({status}): {}", shown(command));
    }
    Ok(took)
}

/// Runs a command quietly and returns what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !done.status.success() {
        bail!(
            "`{}` failed ({}):\n{}",
            shown(command),
            done.status,
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The command as a person would type it, from the workspace's top folder.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().map_or_else(
        || program.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    );
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            text = format!(
                "{}={} {text}",
                name.to_string_lossy(),
                value.to_string_lossy()
            );
        }
    }
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}

/// `93.4 s` or `2 min 05 s`.
pub(crate) fn shown_time(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}
