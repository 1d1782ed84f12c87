//! `keys`: the reference of the configuration, where no documentation is at hand.

use crate::config::key;

/// Prints every key a configuration may hold, as Markdown.
#[derive(Debug, clap::Args)]
pub(crate) struct Keys;

impl Keys {
    /// Prints the tables.
    pub(crate) fn run() {
        say!("{}", key::reference());
    }
}
