//! `check`: is this configuration right, before it is relied on?

use crate::config::secret::Process;
use crate::config::{Config, known, walk};
use crate::engine::{self, model};
use crate::metrics::Metrics;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Checks a configuration: every fault with line, key and mend, and every fallback path for what would surprise.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration.
    #[arg(value_name = "FILE", required_unless_present = "config")]
    file: Option<PathBuf>,
    /// The same, as `serve` takes it.
    #[arg(long, value_name = "FILE", env = "LLM_GATEWAY_CONFIG")]
    config: Option<PathBuf>,
}

impl Check {
    /// Prints what is wrong, or that nothing is.
    ///
    /// # Errors
    ///
    /// The faults.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // One that stands there by itself is meant, whatever the environment says.
        let path = self.file.or(self.config).unwrap_or_default();
        let config = Config::load(&path, &Process)?;
        engine::build(&config, Arc::new(Metrics::new(&config)))?;
        let mut warnings = walk::warnings(&config);
        #[expect(
            clippy::disallowed_methods,
            reason = "a command is the outermost shell, and asks which models end soon"
        )]
        let now = SystemTime::now();
        warnings.extend(known::warnings(&config, now));
        for warning in &warnings {
            say!("warning: {warning}");
        }
        for note in walk::notes(&config)
            .into_iter()
            .chain(known::dearer(&config))
        {
            say!("note: {note}");
        }
        say!(
            "models, as public pages stated on {} unless the file says otherwise:",
            model::date()
        );
        for line in known::lines(&config) {
            say!("  {line}");
        }
        let origin = path.display();
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
