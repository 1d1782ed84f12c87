//! Official SDKs, installed once in a folder of our own, and the environment they run in.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The versions that more than one task uses.
pub(crate) const OPENAI_PYTHON: &str = "openai==3.54.0";
pub(crate) const ANTHROPIC_PYTHON: &str = "anthropic==2.12.0";
pub(crate) const ANTHROPIC_NODE: &str = "@anthropic-ai/sdk@1.14.0";

/// OpenAI's package for Node, by the oldest Node that runs it.
pub(crate) fn openai_node() -> Result<&'static str> {
    match node_major()? {
        22.. => Ok("openai@7.57.0"),
        18.. => Ok("openai@6.49.0"),
        major => bail!("Node {major} is too old; install Node 18 or newer"),
    }
}

/// The same of the Vercel AI SDK and its packages for OpenAI and Anthropic.
pub(crate) fn vercel_node() -> Result<[&'static str; 3]> {
    match node_major()? {
        22.. => Ok([
            "ai@7.0.173",
            "@ai-sdk/openai@4.0.118",
            "@ai-sdk/anthropic@4.0.105",
        ]),
        18.. => Ok([
            "ai@6.0.325",
            "@ai-sdk/openai@3.0.141",
            "@ai-sdk/anthropic@3.0.140",
        ]),
        major => bail!("Node {major} is too old; install Node 18 or newer"),
    }
}

/// A Python that has packages.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    program: PathBuf,
    /// Extra folder for Python's module search, where no virtual environment could be made.
    path: Option<PathBuf>,
}

impl Python {
    /// A call of it, in a plain environment, that leaves nothing behind beside the programs it runs.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        plain_environment(&mut command);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(path) = &self.path {
            command.env("PYTHONPATH", path);
        }
        command
    }
}

/// Whether a folder holds exactly this; written last, so that a broken installation is begun anew.
fn is_done(folder: &Path, what: &str) -> bool {
    std::fs::read_to_string(folder.join("installed.txt")).is_ok_and(|text| text == what)
}

fn begin(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    Ok(std::fs::create_dir_all(folder)?)
}

/// Installs Python packages, if they are not there yet. Needs a network the first time only.
pub(crate) fn python(folder: &Path, packages: &[&str]) -> Result<Python> {
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| version(name).is_some_and(|(major, minor)| major == 3 && minor >= 10))
        .context("Python 3.10 or newer was not found; install it (Debian, Ubuntu: `apt-get install python3 python3-venv`)")?;
    let own = folder.join("bin").join("python");
    let target = folder.join("packages");
    let what = packages.join(" ");
    let found = || {
        if own.is_file() {
            Python {
                program: own.clone(),
                path: None,
            }
        } else {
            Python {
                program: PathBuf::from(system),
                path: Some(target.clone()),
            }
        }
    };
    if is_done(folder, &what) {
        return Ok(found());
    }
    begin(folder)?;
    let pip = |program: &Path| {
        let mut pip = Command::new(program);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(packages);
        pip
    };
    // Without `ensurepip` (Debian's python3 without python3-venv) a virtual environment cannot be made; pip may still be there.
    let mut venv = Command::new(system);
    venv.args(["-m", "venv"]).arg(folder);
    if shell::output(&mut venv).is_ok() {
        shell::step("install the Python SDKs", &mut pip(&own))?;
    } else {
        begin(folder)?;
        let mut pip = pip(Path::new(system));
        pip.arg("--target").arg(&target);
        shell::step("install the Python SDKs", &mut pip).context(
            "neither a virtual environment nor pip is there; install one (Debian, Ubuntu: `apt-get install python3-venv`)",
        )?;
    }
    std::fs::write(folder.join("installed.txt"), what)?;
    Ok(found())
}

/// Installs Node packages, if they are not there yet. Needs a network the first time only.
pub(crate) fn node(folder: &Path, packages: &[&str]) -> Result<()> {
    node_major()?;
    let what = packages.join(" ");
    if is_done(folder, &what) {
        return Ok(());
    }
    begin(folder)?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-save",
        "--no-audit",
        "--no-fund",
        "--loglevel",
        "error",
        "--prefix",
    ])
    .arg(folder)
    .args(packages);
    shell::step("install the Node SDKs", &mut npm).context("npm could not install the SDKs")?;
    std::fs::write(folder.join("installed.txt"), what)?;
    Ok(())
}

fn node_major() -> Result<u32> {
    let (major, _) =
        version("node").context("Node was not found; install Node 18 or newer, with npm")?;
    Ok(major)
}

/// Takes away what would lead calls to the loopback astray or change an SDK's ways.
pub(crate) fn plain_environment(command: &mut Command) {
    let odd = [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "OPENAI_",
        "ANTHROPIC_",
        "AWS_",
        "GOOGLE_",
        "GEMINI_",
        "CO_API_",
        "OLLAMA_",
        "LANGCHAIN_",
        "LANGSMITH_",
    ];
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if odd.iter().any(|prefix| upper.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}

/// Major and minor of what a program says its version is, if it runs at all.
fn version(program: &str) -> Option<(u32, u32)> {
    parse_version(&shell::output(Command::new(program).arg("--version")).ok()?)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let number = text
        .trim()
        .trim_start_matches("Python ")
        .trim_start_matches('v');
    let mut parts = number.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_of_python_and_node_are_read() {
        assert_eq!(parse_version("Python 3.11.7\n"), Some((3, 11)));
        assert_eq!(parse_version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(parse_version("command not found"), None);
    }
}
