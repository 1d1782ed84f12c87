//! Two simulated providers that stay, and before them a gateway that is started anew for each scenario, so that no
//! scenario inherits another one's health.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::driver::Wire;
use super::scenario::{Players, Scenario, Upstream};
use crate::http;
use crate::sdk::plain_environment;
use crate::server::{Server, free_address};
use crate::shell;

/// The programs under test.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    pub(super) gateway: PathBuf,
    pub(super) sim: PathBuf,
}

impl Programs {
    /// Builds both, unoptimised as the tests have them already.
    pub(super) fn build() -> Result<Self> {
        shell::step(
            "build",
            // With the features of the tests: another set would mean that all they stand on is compiled again.
            shell::cargo().args([
                "build",
                "--quiet",
                "--workspace",
                "--all-features",
                "--bin",
                "llm-gateway",
                "--bin",
                "llm-sim",
            ]),
        )?;
        let folder = shell::target_dir().join("debug");
        Ok(Self {
            gateway: folder.join("llm-gateway"),
            sim: folder.join("llm-sim"),
        })
    }
}

/// The providers, in the order of the route.
pub(super) const NAMES: [&str; 2] = ["first", "second"];

/// Two providers, one worker's own.
#[derive(Debug)]
pub(super) struct Providers {
    sims: [Server; 2],
    folder: PathBuf,
}

impl Providers {
    pub(super) fn start(programs: &Programs, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let start = |name: &str| -> Result<Server> {
            let address = free_address()?;
            let script = folder.join(format!("{name}.toml"));
            std::fs::write(&script, "")?;
            let mut command = Command::new(&programs.sim);
            plain_environment(&mut command);
            command
                .args(["--listen", &address.to_string(), "--seed", "7", "--script"])
                .arg(&script);
            Server::start(&mut command, address, &folder.join(format!("{name}.log")))
        };
        let [first, second] = NAMES;
        Ok(Self {
            sims: [start(first)?, start(second)?],
            folder: folder.to_path_buf(),
        })
    }

    /// Gives a provider a script and, unless it is to go on counting, an empty record.
    pub(super) fn script(&self, which: usize, script: &str, forget: bool) -> Result<()> {
        let address = self.address(which)?;
        http::call("POST", address, "/_sim/script", script)
            .context("the simulator refused the script")?;
        if forget {
            http::call("POST", address, "/_sim/reset", "")?;
        }
        Ok(())
    }

    /// The calls a provider received since it was last told to forget.
    pub(super) fn received(&self, which: usize) -> Result<Vec<Value>> {
        let body = http::call("GET", self.address(which)?, "/_sim/received", "")?;
        let json: Value =
            serde_json::from_slice(&body).context("the simulator's record is not JSON")?;
        let list = json
            .as_array()
            .or_else(|| json.get("received").and_then(Value::as_array));
        Ok(list.context("the simulator's record is no list")?.clone())
    }

    fn address(&self, which: usize) -> Result<SocketAddr> {
        let sim = self.sims.get(which).context("there are two providers")?;
        Ok(sim.address)
    }

    /// Starts a gateway before these two.
    pub(super) fn gateway(
        &self,
        programs: &Programs,
        scenario: &Scenario,
        wires: [Wire; 2],
    ) -> Result<Server> {
        let address = free_address()?;
        let config = self.folder.join("gateway.toml");
        std::fs::write(&config, self.config(scenario, wires, address)?)?;
        let mut command = Command::new(&programs.gateway);
        plain_environment(&mut command);
        command
            .env("E2E_FIRST_KEY", key("first"))
            .env("E2E_SECOND_KEY", key("second"))
            .args(["serve", "--config"])
            .arg(&config);
        Server::start(&mut command, address, &self.folder.join("gateway.log"))
    }

    fn config(&self, scenario: &Scenario, wires: [Wire; 2], address: SocketAddr) -> Result<String> {
        let mut text = format!("listen = \"{address}\"\n");
        let windows = [8_000, scenario.second_window];
        for (((which, name), wire), window) in NAMES.iter().enumerate().zip(wires).zip(windows) {
            // Port 1 of the loopback: nothing listens there.
            let refused = which == 0 && matches!(scenario.first, Upstream::Refused);
            let address = if refused {
                "127.0.0.1:1".to_owned()
            } else {
                self.address(which)?.to_string()
            };
            let provider = wire.provider();
            let variable = format!("E2E_{}_KEY", name.to_uppercase());
            let (path, model) = (wire.path(), wire.model(name));
            write!(
                text,
                "\n[targets.{name}]\nprovider = \"{provider}\"\nbase_url = \"http://{address}{path}\"\n\
                 model = \"{model}\"\napi_key = {{ env = \"{variable}\" }}\ncontext_window = {window}\n"
            )?;
            text.push_str(wire.lines());
            if scenario.players == Players::Embedders {
                text.push_str("embeddings = \"one space\"\n");
            }
        }
        let tiers = if scenario.siblings {
            "[[\"first\", \"second\"]]"
        } else {
            "[[\"first\"], [\"second\"]]"
        };
        write!(
            text,
            "\n[routes.chat]\ntiers = {tiers}\n{}\n",
            scenario.route
        )?;
        Ok(text)
    }
}

/// A provider's key: the other one's is refused, so that a key sent to the wrong place fails the check.
fn key(name: &str) -> String {
    format!("sk-e2e-{name}")
}

/// A simulator's script: its own key, its own text unless the scenario is about something else, and the given rules.
pub(super) fn script(which: usize, text: Option<&str>, rules: &str) -> String {
    let name = NAMES.get(which).copied().unwrap_or_default();
    let mut script = format!("keys = [\"{}\"]\n", key(name));
    if let Some(text) = text {
        script.push_str(&format!("text = \"{text}\"\n"));
    }
    script.push_str(rules);
    script
}
