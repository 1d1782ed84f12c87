//! Reads `spend = { per_hour = ..., alerts = [...] }`: what an hour may cost, of a target, a route or a caller.

use super::key::Section;
use super::price::{self, dollars};
use super::reader::{Entries, Reader};
use crate::engine::{Allowance, Ledger, Spend};

/// Reads the allowance of a target, a route or a caller; nothing is counted where there is none.
pub(super) fn read(reader: &mut Reader<'_>, owner: &Entries<'_, '_>) -> Allowance {
    let mut allowance = Allowance::default();
    let Some(table) = reader.table(owner, "spend", Section::Spend) else {
        return allowance;
    };
    allowance.per_hour = sum(reader, &table, "per_hour");
    let Some((at, list)) = reader.list(&table, "alerts", "[5, 10]") else {
        return allowance;
    };
    let path = table.path_of("alerts");
    for value in list {
        if let Some(micros) = price::value(reader, value, &path, "alerts = [5, 10]") {
            allowance.alerts.push(Spend(micros));
        }
    }
    if list.len() > Ledger::MAX_ALERTS {
        let mend = format!("keep the {} that matter", Ledger::MAX_ALERTS);
        reader.fault(at, path, format!("{} alerts", list.len()), mend);
    }
    allowance
}

/// A sum in dollars above zero.
pub(super) fn sum(reader: &mut Reader<'_>, table: &Entries<'_, '_>, name: &str) -> Option<Spend> {
    let micros = dollars(reader, table, name)?;
    if micros == 0 {
        let at = table.get(name).map_or(table.at, |value| value.span().start);
        let mend = "write a sum above zero, or remove the key";
        reader.fault(
            at,
            table.path_of(name),
            "a cap of nothing lets nothing through",
            mend,
        );
        return None;
    }
    Some(Spend(micros))
}
