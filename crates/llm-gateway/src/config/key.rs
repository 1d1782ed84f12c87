//! Every key a configuration may hold: what the reader accepts and what `docs/configuration.md` tells, from one table.

mod breaker;
mod budget;
mod caller;
mod policy;
mod route;
mod server;
mod target;

use std::fmt::Write as _;

/// A table of the configuration in which keys may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The top of the file.
    Root,
    /// `[server]`.
    Server,
    /// `[breaker]`, and `breaker` of a target.
    Breaker,
    /// The value of `set_aside`.
    SetAside,
    /// The value of `retry_budget`.
    Budget,
    /// The value of `hedging`, where it is a table.
    Hedging,
    /// `[cache]`.
    Cache,
    /// `[targets.NAME]`.
    Target,
    /// The value of `api_key`.
    ApiKey,
    /// The value of `limits`.
    Limits,
    /// The value of `price`.
    Price,
    /// `[routes.NAME]`.
    Route,
    /// `[callers.NAME]`.
    Caller,
    /// One member of a tier, where it is written as a table.
    Member,
    /// The value of `windows`.
    Windows,
    /// The value of `backoff`.
    Backoff,
    /// The value of `hold_back`.
    HoldBack,
    /// One entry of `degraded`.
    Degraded,
    /// The value of `spend`.
    Spend,
    /// The value of `on`.
    On,
    /// The value of `canary`.
    Canary,
}

/// One key: its name and what the reference says about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Where it stands.
    pub(crate) section: Section,
    /// Its name.
    pub(crate) name: &'static str,
    /// What may be written as its value.
    pub(crate) form: &'static str,
    /// What holds where it is not written.
    pub(crate) default: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
}

/// Every key, in the order of the reference within its section.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key> {
    let lists = [
        server::KEYS,
        breaker::KEYS,
        budget::KEYS,
        target::KEYS,
        route::KEYS,
        policy::KEYS,
        caller::KEYS,
    ];
    lists.into_iter().flatten()
}

/// The names of the keys of one section, in the order of the reference.
pub(crate) fn names(section: Section) -> impl Iterator<Item = &'static str> {
    keys()
        .filter(move |key| key.section == section)
        .map(|key| key.name)
}

/// What a key that had another name is called now.
pub(crate) fn renamed(section: Section, name: &str) -> Option<&'static str> {
    match (section, name) {
        (Section::Breaker, "window") => Some("failure_window"),
        _ => None,
    }
}

const fn key(
    section: Section,
    name: &'static str,
    form: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        form,
        default,
        meaning,
    }
}

impl Section {
    /// Every section, in the order of the reference, with what stands above its table there.
    const ALL: [(Self, &'static str); 21] = [
        (Self::Root, "top of the file"),
        (Self::Server, "[server]"),
        (
            Self::Breaker,
            "[breaker], and breaker = { ... } of a target",
        ),
        (Self::SetAside, "set_aside = { ... }"),
        (Self::Budget, "retry_budget = { ... }"),
        (Self::Cache, "[cache]"),
        (Self::Target, "[targets.NAME]"),
        (Self::ApiKey, "api_key = { ... }"),
        (Self::Limits, "limits = { ... }"),
        (Self::Price, "price = { ... }"),
        (Self::Spend, "spend = { ... }"),
        (Self::Route, "[routes.NAME]"),
        (Self::Member, "a member of a tier"),
        (Self::Windows, "windows = { ... }"),
        (Self::Backoff, "backoff = { ... }"),
        (Self::Hedging, "hedging = { ... }"),
        (Self::On, "on = { ... }"),
        (Self::Canary, "canary = { ... }"),
        (Self::HoldBack, "hold_back = { ... }"),
        (Self::Degraded, "degraded = [{ ... }]"),
        (Self::Caller, "[callers.NAME]"),
    ];
}

/// All keys as Markdown tables, one a section: what `docs/configuration.md` holds.
pub(crate) fn reference() -> String {
    let mut text = String::new();
    for (section, title) in Section::ALL {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "\n### `{title}`\n\n| key | value | default | meaning |\n|---|---|---|---|"
        );
        for key in keys().filter(|key| key.section == section) {
            let default = if key.default.is_empty() {
                "–"
            } else {
                key.default
            };
            let _ = writeln!(
                text,
                "| `{}` | {} | {default} | {} |",
                key.name, key.form, key.meaning
            );
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
