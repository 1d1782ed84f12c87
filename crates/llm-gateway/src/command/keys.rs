//! `keys`: the reference of the configuration, where no documentation is at hand.
#![expect(
    clippy::print_stdout,
    reason = "this module talks to the person who started the command"
)]

use crate::config::key;

/// Prints every key a configuration may hold, as Markdown.
#[derive(Debug, clap::Args)]
pub(crate) struct Keys;

impl Keys {
    /// Prints the tables.
    pub(crate) fn run() {
        print!("{}", key::reference());
    }
}
