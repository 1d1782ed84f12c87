//! A driver process: an official SDK that makes one call for each line it is sent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::install::Sdks;
use crate::sdk::plain_environment;
use crate::shell;

/// The SDKs that are driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sdk {
    PythonOpenAi,
    NodeOpenAi,
    PythonAnthropic,
}

impl Sdk {
    pub(super) const ALL: [Self; 3] = [Self::PythonOpenAi, Self::NodeOpenAi, Self::PythonAnthropic];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::PythonOpenAi => "openai-python",
            Self::NodeOpenAi => "openai-node",
            Self::PythonAnthropic => "anthropic-python",
        }
    }

    /// The wire it speaks.
    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::PythonOpenAi | Self::NodeOpenAi => Wire::OpenAi,
            Self::PythonAnthropic => Wire::Anthropic,
        }
    }
}

/// What a provider or an SDK speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    OpenAi,
    Anthropic,
}

impl Wire {
    /// Its name as provider and dialect in the gateway's configuration.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::OpenAi => Self::Anthropic,
            Self::Anthropic => Self::OpenAi,
        }
    }
}

/// One running driver. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    calls: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Driver {
    pub(super) fn start(sdk: Sdk, sdks: &Sdks) -> Result<Self> {
        let mut command = match sdk {
            Sdk::PythonOpenAi | Sdk::PythonAnthropic => {
                let mut command = sdks.python.command();
                command
                    .arg(shell::root().join("xtask/e2e/driver.py"))
                    .arg(sdk.wire().as_str());
                command
            }
            Sdk::NodeOpenAi => {
                let mut command = Command::new("node");
                plain_environment(&mut command);
                command.arg(sdks.node.join("driver.mjs"));
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start the driver of {}", sdk.as_str()))?;
        let (Some(calls), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the driver of {} has no pipes", sdk.as_str());
        };
        let mut driver = Self {
            child,
            calls,
            answers: BufReader::new(answers),
        };
        let ready = driver
            .answer()
            .with_context(|| format!("{} cannot be loaded", sdk.as_str()))?;
        if ready.get("ready").is_none() {
            bail!(
                "the driver of {} did not say that it is ready",
                sdk.as_str()
            );
        }
        Ok(driver)
    }

    /// Has the SDK make one call, and waits for what came of it. The SDK's own timeout bounds the wait.
    pub(super) fn call(&mut self, call: &Value) -> Result<Value> {
        writeln!(self.calls, "{call}")?;
        self.calls.flush()?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line)
            .context("the driver ended, or printed something else than an answer")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about any other failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
