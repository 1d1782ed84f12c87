//! Reads `backoff = { ... }`: the waits between two tries of one target.

use super::key::Section;
use super::reader::{Entries, Reader};
use crate::engine::{Backoff, Jitter};
use std::time::Duration;

/// The steepest growth; beyond it stands a slip.
const STEEPEST: u32 = 10;

/// Reads the waits of a route, if it has its own. What is not written is as in [`Backoff::default`].
pub(super) fn read(reader: &mut Reader<'_>, route: &Entries<'_, '_>) -> Option<Backoff> {
    let table = reader.table(route, "backoff", Section::Backoff)?;
    let mut builder = Backoff::builder();
    if let Some(base) = reader.duration(&table, "base", Duration::from_millis(1)) {
        builder = builder.base(base);
    }
    if let Some(factor) = reader.whole(&table, "factor", 1..STEEPEST + 1) {
        builder = builder.factor(factor.into());
    }
    if let Some(ceiling) = reader.duration(&table, "ceiling", Duration::from_millis(1)) {
        builder = builder.ceiling(ceiling);
    }
    let kinds = [
        ("full", Jitter::Full),
        ("equal", Jitter::Equal),
        ("decorrelated", Jitter::Decorrelated),
        ("none", Jitter::None),
    ];
    if let Some(jitter) = reader.choice(&table, "jitter", &kinds) {
        builder = builder.jitter(jitter);
    }
    match builder.build() {
        Ok(backoff) => Some(backoff),
        Err(error) => {
            let mend = "make ceiling at least as long as base";
            reader.fault(table.at, table.path_of("base"), error.to_string(), mend);
            None
        }
    }
}
