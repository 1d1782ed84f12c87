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
    NodeAnthropic,
    LangchainOpenAi,
    LangchainAnthropic,
    VercelOpenAi,
    VercelAnthropic,
}

impl Sdk {
    pub(super) const ALL: [Self; 8] = [
        Self::PythonOpenAi,
        Self::NodeOpenAi,
        Self::PythonAnthropic,
        Self::NodeAnthropic,
        Self::LangchainOpenAi,
        Self::LangchainAnthropic,
        Self::VercelOpenAi,
        Self::VercelAnthropic,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::PythonOpenAi => "openai-python",
            Self::NodeOpenAi => "openai-node",
            Self::PythonAnthropic => "anthropic-python",
            Self::NodeAnthropic => "anthropic-node",
            Self::LangchainOpenAi => "langchain-openai",
            Self::LangchainAnthropic => "langchain-anthropic",
            Self::VercelOpenAi => "vercel-openai",
            Self::VercelAnthropic => "vercel-anthropic",
        }
    }

    /// Whether it plays every scenario. The others stand on the same few lines of HTTP as one of these, or make calls
    /// of the same shape; they play what differs in them: healthy answers, tools, pictures, schemas, and streams that fail.
    pub(super) const fn plays_all(self) -> bool {
        matches!(
            self,
            Self::PythonOpenAi | Self::NodeOpenAi | Self::PythonAnthropic
        )
    }

    /// How it says that an answer is complete, and that tools are to be run.
    pub(super) const fn endings(self) -> [&'static str; 2] {
        match self {
            Self::PythonOpenAi | Self::NodeOpenAi | Self::LangchainOpenAi => ["stop", "tool_calls"],
            Self::PythonAnthropic | Self::NodeAnthropic | Self::LangchainAnthropic => {
                ["end_turn", "tool_use"]
            }
            Self::VercelOpenAi | Self::VercelAnthropic => ["stop", "tool-calls"],
        }
    }

    /// Whether it shows response headers and the input tokens of a stream. `LangChain`'s model for Anthropic shows neither,
    /// its model for OpenAI no headers where a schema is asked for.
    pub(super) const fn shows_all(self) -> bool {
        !matches!(self, Self::LangchainOpenAi | Self::LangchainAnthropic)
    }

    /// Whether its exceptions have classes of their own for what went wrong, as those of the official SDKs do.
    pub(super) const fn has_classes(self) -> bool {
        !matches!(self, Self::VercelOpenAi | Self::VercelAnthropic)
    }

    /// The wire it speaks.
    pub(super) const fn wire(self) -> Wire {
        match self {
            Self::PythonOpenAi | Self::NodeOpenAi | Self::LangchainOpenAi | Self::VercelOpenAi => {
                Wire::OpenAi
            }
            Self::PythonAnthropic
            | Self::NodeAnthropic
            | Self::LangchainAnthropic
            | Self::VercelAnthropic => Wire::Anthropic,
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
            Sdk::PythonOpenAi | Sdk::PythonAnthropic => python(sdks, sdk.wire().as_str()),
            Sdk::LangchainOpenAi | Sdk::LangchainAnthropic => python(sdks, sdk.as_str()),
            Sdk::NodeOpenAi | Sdk::NodeAnthropic => {
                node(sdks, &format!("{}.mjs", sdk.wire().as_str()))
            }
            Sdk::VercelOpenAi | Sdk::VercelAnthropic => {
                let mut command = node(sdks, "ai.mjs");
                command.arg(sdk.wire().as_str());
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

fn python(sdks: &Sdks, kind: &str) -> Command {
    let mut command = sdks.python.command();
    command
        .arg(shell::root().join("xtask/e2e/driver.py"))
        .arg(kind)
        // LangChain warns of what it does not show.
        .env("PYTHONWARNINGS", "ignore");
    command
}

fn node(sdks: &Sdks, driver: &str) -> Command {
    let mut command = Command::new("node");
    plain_environment(&mut command);
    command.arg(sdks.node.join(driver));
    command
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about any other failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
