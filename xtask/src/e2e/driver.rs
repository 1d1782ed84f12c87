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
    PythonResponses,
    NodeResponses,
    PythonAnthropic,
    NodeAnthropic,
    LangchainOpenAi,
    LangchainAnthropic,
    VercelOpenAi,
    VercelAnthropic,
}

impl Sdk {
    pub(super) const ALL: [Self; 10] = [
        Self::PythonOpenAi,
        Self::NodeOpenAi,
        Self::PythonResponses,
        Self::NodeResponses,
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
            Self::PythonResponses => "openai-python responses",
            Self::NodeResponses => "openai-node responses",
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

    /// Whether it is a provider's own, and no framework.
    pub(super) const fn is_official(self) -> bool {
        !matches!(
            self,
            Self::LangchainOpenAi
                | Self::LangchainAnthropic
                | Self::VercelOpenAi
                | Self::VercelAnthropic
        )
    }

    /// Whether it asks for embeddings as well.
    pub(super) const fn embeds(self) -> bool {
        matches!(self, Self::PythonOpenAi | Self::NodeOpenAi)
    }

    /// How it says that an answer is complete, and that tools are to be run.
    pub(super) const fn endings(self) -> [&'static str; 2] {
        match self {
            Self::PythonOpenAi | Self::NodeOpenAi | Self::LangchainOpenAi => ["stop", "tool_calls"],
            Self::PythonResponses | Self::NodeResponses => ["completed", "completed"],
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
            Self::PythonResponses | Self::NodeResponses => Wire::Responses,
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
    Responses,
    Anthropic,
    /// Wires on which the providers alone speak: here of vectors.
    Cohere,
    Gemini,
    Ollama,
    Bedrock,
}

impl Wire {
    /// Its name in a check's line.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Responses => "openai_responses",
            Self::Anthropic => "anthropic",
            Self::Cohere => "cohere",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Bedrock => "bedrock",
        }
    }

    /// Whether this is its name in a provider's record, or that of its embeddings.
    pub(super) fn is_recorded_as(self, name: &str) -> bool {
        match self {
            Self::OpenAi => matches!(name, "openai_chat" | "openai_embeddings"),
            Self::Responses => name == "openai_responses",
            Self::Anthropic => name == "anthropic_messages",
            Self::Cohere => name == "cohere_embeddings",
            Self::Gemini => name == "gemini_embeddings",
            Self::Ollama => name == "ollama_embeddings",
            Self::Bedrock => name == "bedrock_embeddings",
        }
    }

    /// The name of a provider that speaks it in the gateway's configuration.
    pub(super) const fn provider(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses => "openai",
            _ => self.as_str(),
        }
    }

    /// What follows the host in a provider's address, as its default has it.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Responses | Self::Anthropic | Self::Ollama => "/v1",
            Self::Cohere => "/v2",
            Self::Gemini => "/v1beta",
            Self::Bedrock => "",
        }
    }

    /// Further lines of a target that speaks it.
    pub(super) const fn lines(self) -> &'static str {
        match self {
            Self::Responses => "dialect = \"openai_responses\"\n",
            Self::Ollama => "dialect = \"ollama_chat\"\n",
            Self::Bedrock => "region = \"us-east-1\"\n",
            Self::OpenAi | Self::Anthropic | Self::Cohere | Self::Gemini => "",
        }
    }

    /// What the model called `name` is called by a provider that speaks it.
    pub(super) fn model(self, name: &str) -> String {
        match self {
            // By the maker's name in it the form of a request is known.
            Self::Bedrock => format!("cohere.embed-v4-model-{name}"),
            _ => format!("model-{name}"),
        }
    }

    /// What the two providers speak where vectors are asked for and a scenario is played with other wires as well.
    pub(super) const EMBEDDERS: [[Self; 2]; 5] = [
        [Self::OpenAi, Self::OpenAi],
        [Self::Cohere, Self::Bedrock],
        [Self::Gemini, Self::OpenAi],
        [Self::Ollama, Self::Gemini],
        [Self::OpenAi, Self::Cohere],
    ];

    /// What the two providers speak where a scenario is played with other dialects as well, by callers of this one.
    pub(super) const fn crossings(self) -> [[Self; 2]; 4] {
        use Wire::{Anthropic as A, OpenAi as C, Responses as R};
        match self {
            C => [[C, C], [A, A], [C, A], [A, C]],
            A => [[A, A], [C, C], [A, C], [C, A]],
            R => [[R, R], [A, R], [R, C], [C, A]],
            // No SDK of these plays.
            other => [[other, other]; 4],
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
            Sdk::PythonResponses => python(sdks, "openai-responses"),
            Sdk::NodeResponses => node(sdks, "responses.mjs"),
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
