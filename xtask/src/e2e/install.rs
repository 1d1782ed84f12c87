//! The official SDKs, unmodified, in versions that are written down here, installed under `target/e2e`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// The Python packages and their versions.
const PYTHON: &[&str] = &["openai==3.54.0", "anthropic==2.12.0"];

/// The Node package, by the oldest Node that runs it; the first that fits is taken.
const NODE: &[(u32, &str)] = &[(22, "openai@7.57.0"), (18, "openai@6.49.0")];

/// Where the interpreters find the SDKs.
#[derive(Clone, Debug)]
pub(super) struct Sdks {
    /// The Python that has them.
    pub(super) python: PathBuf,
    /// Extra folder for Python's module search, where no virtual environment could be made.
    pub(super) python_path: Option<PathBuf>,
    /// The folder beside whose `node_modules` a driver must lie.
    pub(super) node: PathBuf,
}

/// Installs what is not there yet. Needs a network the first time only.
pub(super) fn install(folder: &Path) -> Result<Sdks> {
    std::fs::create_dir_all(folder)?;
    let (python, python_path) = python(&folder.join("python"))?;
    let node = folder.join("node");
    node_package(&node)?;
    std::fs::copy(
        shell::root().join("xtask/e2e/driver.mjs"),
        node.join("driver.mjs"),
    )?;
    Ok(Sdks {
        python,
        python_path,
        node,
    })
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

fn python(folder: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| version(name).is_some_and(|(major, minor)| major == 3 && minor >= 9))
        .context("Python 3.9 or newer was not found; install it (Debian, Ubuntu: `apt-get install python3 python3-venv`)")?;
    let own = folder.join("bin").join("python");
    let packages = folder.join("packages");
    let what = PYTHON.join(" ");
    let found = || {
        if own.is_file() {
            (own.clone(), None)
        } else {
            (PathBuf::from(system), Some(packages.clone()))
        }
    };
    if is_done(folder, &what) {
        return Ok(found());
    }
    begin(folder)?;
    // Without `ensurepip` (Debian's python3 without python3-venv) a virtual environment cannot be made; pip may still be there.
    let mut venv = Command::new(system);
    venv.args(["-m", "venv"]).arg(folder);
    if shell::output(&mut venv).is_ok() {
        let mut pip = Command::new(&own);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args(PYTHON);
        shell::step("install the Python SDKs", &mut pip)?;
    } else {
        begin(folder)?;
        let mut pip = Command::new(system);
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
        ])
        .arg(&packages)
        .args(PYTHON);
        shell::step("install the Python SDKs", &mut pip).context(
            "neither a virtual environment nor pip is there; install one (Debian, Ubuntu: `apt-get install python3-venv`)",
        )?;
    }
    std::fs::write(folder.join("installed.txt"), what)?;
    Ok(found())
}

fn node_package(folder: &Path) -> Result<()> {
    let (major, _) =
        version("node").context("Node was not found; install Node 18 or newer, with npm")?;
    let Some((_, package)) = NODE.iter().find(|(oldest, _)| major >= *oldest) else {
        bail!("Node {major} is too old; install Node 18 or newer");
    };
    if is_done(folder, package) {
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
    .arg(package);
    shell::step("install the Node SDK", &mut npm).context("npm could not install the SDK")?;
    std::fs::write(folder.join("installed.txt"), package)?;
    Ok(())
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
