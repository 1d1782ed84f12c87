//! Reads `[callers.NAME]`: who may call, by which key, and for what.

use super::Route;
use super::key::Section;
use super::reader::{Entries, Reader};
use super::secret::World;
use super::spend;
use super::target::{check_name, source_of};
use super::wording::unknown_mend;
use crate::engine::Allowance;
use secrecy::{ExposeSecret as _, SecretString};

/// The shortest key: whoever can reach the gateway may guess as often as he likes.
const SHORTEST_KEY: usize = 16;

/// Who may call.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// The name, unique; a metric's label.
    pub(crate) name: String,
    /// The keys that are accepted, at most two: while callers change over, the old one as well.
    pub(crate) keys: Vec<SecretString>,
    /// The routes that may be asked, by name; every one, where none is named.
    pub(crate) routes: Option<Vec<String>>,
    /// Requests a minute.
    pub(crate) rpm: Option<u32>,
    /// Calls under way at once.
    pub(crate) concurrency: Option<u32>,
    /// What an hour of its calls may cost.
    pub(crate) spend: Allowance,
}

/// Reads every caller.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    routes: &[Route],
    world: &dyn World,
) -> Vec<Caller> {
    let mut callers: Vec<Caller> = Vec::new();
    let named = reader.named(top, "callers");
    if let Some(value) = top.get("callers").filter(|_| named.is_empty())
        && value.get_ref().is_table()
    {
        // Left so, anyone could call where somebody meant to say who may.
        let mend = "add a table [callers.NAME] with key = { env = \"NAME\" }, or remove it to let anyone call";
        reader.fault(value.span().start, "callers", "no caller is defined", mend);
    }
    for (name, at, value) in named {
        check_name(reader, name, at, "callers");
        let path = format!("callers.{name}");
        let Some(table) = reader.table_value(value, Section::Caller, path) else {
            continue;
        };
        if table.get("key").is_none() {
            reader.missing(&table, "key", "{ env = \"NAME\" }");
        }
        let mut keys = Vec::new();
        for which in ["key", "old_key"] {
            let Some((at, key)) = key(reader, &table, which, world) else {
                continue;
            };
            let same = |known: &SecretString| known.expose_secret() == key.expose_secret();
            let theirs = callers.iter().find(|other| other.keys.iter().any(same));
            let whose = theirs.map(|other| other.name.as_str());
            if let Some(whose) = whose.or_else(|| keys.iter().any(same).then_some(name)) {
                let what = format!("the same key as another one of `{whose}`");
                let mend = "give each caller a key of its own, or they cannot be told apart";
                reader.fault(at, table.path_of(which), what, mend);
            } else {
                keys.push(key);
            }
        }
        callers.push(Caller {
            name: name.to_owned(),
            keys,
            routes: allowed(reader, top, &table, routes),
            rpm: reader.whole(&table, "rpm", 1..1_000_001),
            concurrency: reader.whole(&table, "concurrency", 1..1_000_001),
            spend: spend::read(reader, &table),
        });
    }
    callers
}

fn key(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    name: &str,
    world: &dyn World,
) -> Option<(usize, SecretString)> {
    let (at, source) = source_of(reader, table, name)?;
    match source.fetch(world) {
        Ok(key) if key.expose_secret().len() < SHORTEST_KEY => {
            let what =
                format!("a key of fewer than {SHORTEST_KEY} characters, which can be guessed");
            let mend = "make one with `openssl rand -hex 24`";
            reader.fault(at, table.path_of(name), what, mend);
            None
        }
        Ok(key) => Some((at, key)),
        Err(missing) => {
            reader.fault(at, table.path_of(name), missing.what, missing.mend);
            None
        }
    }
}

fn allowed(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    table: &Entries<'_, '_>,
    routes: &[Route],
) -> Option<Vec<String>> {
    const NAME: &str = "routes";
    let (at, list) = reader.list(table, NAME, "[\"ROUTE\"]")?;
    if list.is_empty() {
        let mend = "name one, or remove the key to allow every one";
        reader.fault(at, table.path_of(NAME), "no route", mend);
    }
    let mut allowed = Vec::new();
    for value in list {
        let Some(name) = reader.text_value(value, table.path_of(NAME)) else {
            continue;
        };
        let of = |route: &&Route| route.name == name || route.aliases.iter().any(|it| it == name);
        if let Some(route) = routes.iter().find(of) {
            allowed.push(route.name.clone());
            continue;
        }
        // A route with a fault of its own is not to be blamed twice.
        let named = reader.named(top, "routes");
        if named.iter().all(|(known, ..)| *known != name) {
            let what = format!("no route is called `{name}`");
            let mend = unknown_mend(name, named.iter().map(|(known, ..)| *known));
            reader.fault(value.span().start, table.path_of(NAME), what, mend);
        }
    }
    Some(allowed)
}
