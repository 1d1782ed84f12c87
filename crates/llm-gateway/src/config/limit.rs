//! Reads `limits = { ... }`: what the provider allows a key, and what is therefore not sent.

use super::key::Section;
use super::reader::{Entries, Reader};
use crate::engine::Limits;
use std::time::Duration;

/// The largest allowance a minute or a day.
const MOST: u32 = 4_000_000_000;
/// The most calls under way at once.
const MOST_AT_ONCE: u32 = 1_000_000;
/// A burst is a part of a minute.
const LONGEST_BURST: Duration = Duration::from_secs(60);

/// Reads the limits of a target; those not given are unknown.
pub(super) fn read(reader: &mut Reader<'_>, target: &Entries<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    let Some(table) = reader.table(target, "limits", Section::Limits) else {
        return limits;
    };
    for (name, slot) in [
        ("rpm", &mut limits.rpm),
        ("tpm", &mut limits.tpm),
        ("input_tpm", &mut limits.input_tpm),
        ("output_tpm", &mut limits.output_tpm),
        ("rpd", &mut limits.rpd),
    ] {
        *slot = reader.whole(&table, name, 1..MOST + 1).map(u64::from);
    }
    limits.concurrency = reader.whole(&table, "concurrency", 1..MOST_AT_ONCE + 1);
    if let Some(burst) = reader.duration(&table, "burst", Duration::ZERO) {
        if burst > LONGEST_BURST {
            let at = table
                .get("burst")
                .map_or(table.at, |value| value.span().start);
            reader.fault(
                at,
                table.path_of("burst"),
                "longer than the minute it is a part of",
                "write a duration from 0s to 60s",
            );
        }
        limits.burst = burst;
    }
    limits
}
