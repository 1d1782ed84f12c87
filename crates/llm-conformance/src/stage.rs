//! The provider behind the adapter: it answers as told and remembers what it was sent.

use crate::error::SuiteError;
use llm_sim::{Script, Sim, SimHandle};
use serde_json::Value;

/// A provider under the suite's control. [`SimStage`] is `llm-sim`; implement it for a wire that `llm-sim` does not
/// speak.
pub trait Stage: Send + Sync {
    /// Its root address, as `http://127.0.0.1:9001`.
    fn address(&self) -> String;

    /// Forgets what it received, and from now on behaves by `script`, written in TOML as `llm-sim` reads it.
    ///
    /// # Errors
    ///
    /// [`SuiteError::Stage`] where it cannot.
    fn prepare(&self, script: &str) -> Result<(), SuiteError>;

    /// What it received since, oldest first.
    fn received(&self) -> Vec<Received>;
}

/// One request as the provider received it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The path, without the query.
    pub path: String,
    /// The body; null where it was not JSON.
    pub body: Value,
}

/// The simulated provider on a port of the loopback.
#[derive(Debug)]
pub struct SimStage(SimHandle);

/// Source of all that the simulator makes up.
const SEED: u64 = 7;

impl SimStage {
    /// Starts it, on a task of the Tokio runtime it is called in.
    ///
    /// # Errors
    ///
    /// [`SuiteError::Stage`] where no port can be bound.
    pub async fn start() -> Result<Self, SuiteError> {
        let sim = Sim::builder().seed(SEED).keep_body(1 << 20).start().await;
        sim.map(Self)
            .map_err(|error| SuiteError::Stage(error.to_string()))
    }
}

impl Stage for SimStage {
    fn address(&self) -> String {
        self.0.base_url()
    }

    fn prepare(&self, script: &str) -> Result<(), SuiteError> {
        let script =
            Script::from_toml(script).map_err(|error| SuiteError::Stage(error.to_string()))?;
        self.0.set_script(script);
        self.0.reset();
        Ok(())
    }

    fn received(&self) -> Vec<Received> {
        let calls = self.0.received();
        let received = calls.iter().map(|call| Received {
            path: call.path.clone(),
            body: call.json().unwrap_or(Value::Null),
        });
        received.collect()
    }
}
