//! `check`: is this configuration right, before it is relied on?

use crate::config::secret::Process;
use crate::config::{Config, walk};
use crate::engine;
use crate::metrics::Metrics;
use std::path::PathBuf;
use std::sync::Arc;

/// Checks a configuration: every fault with line, key and mend, and every fallback path for what would surprise.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration.
    #[arg(value_name = "FILE", env = "LLM_GATEWAY_CONFIG")]
    config: PathBuf,
}

impl Check {
    /// Prints what is wrong, or that nothing is.
    ///
    /// # Errors
    ///
    /// The faults.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = Config::load(&self.config, &Process)?;
        engine::build(&config, Arc::new(Metrics::new(&config)))?;
        let warnings = walk::warnings(&config);
        for warning in &warnings {
            say!("warning: {warning}");
        }
        for note in walk::notes(&config) {
            say!("note: {note}");
        }
        let origin = self.config.display();
        let (targets, routes) = (config.targets.len(), config.routes.len());
        let warned = match warnings.len() {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            many => format!(", {many} warnings"),
        };
        say!("OK: {origin}: targets: {targets}, routes: {routes}{warned}");
        Ok(())
    }
}
