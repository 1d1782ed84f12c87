//! Reads a TOML document key by key, remembering where each stands and collecting every fault.

use super::fault::{Fault, Faults, place_of};
use super::key::{self, Section};
use super::unit;
use super::wording::{kind, show, syntax_mend, unknown_mend};
use crate::nearest::nearest;
use std::ops::Range;
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with the place where it stands.
pub(super) type Value<'i> = Spanned<DeValue<'i>>;

/// Collects what is wrong with one document while it is read.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    faults: Vec<(usize, Fault)>,
}

/// One table of the document whose keys have been checked against those its section may hold.
#[derive(Debug, Clone)]
pub(super) struct Entries<'v, 'i> {
    /// The keys it may hold.
    section: Section,
    /// Its path in the document, for messages: `routes.chat`. Empty for the top.
    pub(super) path: String,
    /// Where it begins.
    pub(super) at: usize,
    table: &'v DeTable<'i>,
}

impl<'v, 'i> Entries<'v, 'i> {
    /// The value of a key.
    pub(super) fn get(&self, name: &str) -> Option<&'v Value<'i>> {
        debug_assert!(
            key::names(self.section).any(|known| known == name),
            "{name} is not in the key table"
        );
        self.table
            .iter()
            .find(|(key, _)| key.get_ref() == name)
            .map(|(_, value)| value)
    }

    /// The path of a key of this table, for messages.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

impl<'t> Reader<'t> {
    /// Begins to read `text`.
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    /// Parses the whole document. Broken lines become faults, the rest is still read.
    pub(super) fn document(&mut self) -> Spanned<DeTable<'t>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let found = self.text.get(span.clone()).unwrap_or_default().trim();
            let (what, mend) = if error.message().starts_with("duplicate key") {
                (
                    format!("`{found}` is defined a second time"),
                    "keep one of the two, or give the second another name".to_owned(),
                )
            } else {
                (
                    format!("not valid TOML: {}", error.message()),
                    syntax_mend(self.text, &span),
                )
            };
            self.fault(span.start, "", what, mend);
        }
        document
    }

    /// Everything found wrong, in the order of the text; nothing if all is well.
    pub(super) fn finish(mut self, origin: &str) -> Result<(), Faults> {
        if self.faults.is_empty() {
            return Ok(());
        }
        self.faults.sort_by_key(|(offset, _)| *offset);
        let mut list: Vec<Fault> = self.faults.into_iter().map(|(_, fault)| fault).collect();
        list.dedup();
        Err(Faults {
            origin: origin.to_owned(),
            list,
        })
    }

    /// Notes a fault at a byte offset.
    pub(super) fn fault(
        &mut self,
        offset: usize,
        key: impl Into<String>,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) {
        let place = Some(place_of(self.text, offset));
        self.faults.push((
            offset,
            Fault {
                place,
                key: key.into(),
                what: what.into(),
                mend: mend.into(),
            },
        ));
    }

    /// The top of the document.
    pub(super) fn top<'v, 'i>(&mut self, document: &'v Spanned<DeTable<'i>>) -> Entries<'v, 'i> {
        self.checked(document.get_ref(), Section::Root, String::new(), 0)
    }

    /// The table under a key, if there is one.
    pub(super) fn table<'v, 'i>(
        &mut self,
        entries: &Entries<'v, 'i>,
        name: &str,
        section: Section,
    ) -> Option<Entries<'v, 'i>> {
        let value = entries.get(name)?;
        self.table_value(value, section, entries.path_of(name))
    }

    /// A value that must be a table with the keys of `section`.
    pub(super) fn table_value<'v, 'i>(
        &mut self,
        value: &'v Value<'i>,
        section: Section,
        path: String,
    ) -> Option<Entries<'v, 'i>> {
        let at = value.span().start;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.checked(table, section, path, at)),
            other => {
                let what = format!("{} where a table is expected", kind(other));
                let known: Vec<_> = key::names(section).collect();
                self.fault(
                    at,
                    path,
                    what,
                    format!(
                        "write {{ KEY = VALUE, ... }} with the keys {}",
                        known.join(", ")
                    ),
                );
                None
            }
        }
    }

    /// A table with free names (targets, routes, headers), in the order of the text: name, its place, value.
    pub(super) fn named<'v, 'i>(
        &mut self,
        entries: &Entries<'v, 'i>,
        name: &str,
    ) -> Vec<(&'v str, usize, &'v Value<'i>)> {
        let Some(value) = entries.get(name) else {
            return Vec::new();
        };
        let DeValue::Table(table) = value.get_ref() else {
            let path = entries.path_of(name);
            let what = format!("{} where a table is expected", kind(value.get_ref()));
            self.fault(
                value.span().start,
                path,
                what,
                format!("write a table [{name}.NAME] for each"),
            );
            return Vec::new();
        };
        let mut all: Vec<_> = table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span().start, value))
            .collect();
        all.sort_by_key(|(_, at, _)| *at);
        all
    }

    fn checked<'v, 'i>(
        &mut self,
        table: &'v DeTable<'i>,
        section: Section,
        path: String,
        at: usize,
    ) -> Entries<'v, 'i> {
        let entries = Entries {
            section,
            path,
            at,
            table,
        };
        for key in table.keys() {
            let name: &str = key.get_ref();
            if key::names(section).any(|known| known == name) {
                continue;
            }
            if let Some(now) = key::renamed(section, name) {
                let at = key.span().start;
                let mend = format!("write `{now}`");
                self.fault(
                    at,
                    entries.path_of(name),
                    "a key with another name now",
                    mend,
                );
                continue;
            }
            let mend = match nearest(name, key::names(section)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    let known: Vec<_> = key::names(section).collect();
                    format!("remove it; known here: {}", known.join(", "))
                }
            };
            self.fault(key.span().start, entries.path_of(name), "unknown key", mend);
        }
        entries
    }

    /// Notes that a required key is not there.
    pub(super) fn missing(&mut self, entries: &Entries<'_, '_>, name: &str, example: &str) {
        self.fault(
            entries.at,
            entries.path_of(name),
            "missing",
            format!("add {name} = {example}"),
        );
    }

    /// The text under a key.
    pub(super) fn text<'v>(&mut self, entries: &Entries<'v, '_>, name: &str) -> Option<&'v str> {
        let value = entries.get(name)?;
        self.text_value(value, entries.path_of(name))
    }

    /// A value that must be a text, and not an empty one.
    pub(super) fn text_value<'v>(&mut self, value: &'v Value<'_>, path: String) -> Option<&'v str> {
        match value.get_ref() {
            DeValue::String(text) if text.trim().is_empty() => {
                self.fault(
                    value.span().start,
                    path,
                    "empty",
                    "write a text, or remove the key",
                );
                None
            }
            DeValue::String(text) => Some(text),
            other => {
                let what = format!("{} where a text is expected", kind(other));
                self.fault(value.span().start, path, what, "write it in quotes");
                None
            }
        }
    }

    /// The duration under a key, within its bounds.
    pub(super) fn duration(
        &mut self,
        entries: &Entries<'_, '_>,
        name: &str,
        least: Duration,
    ) -> Option<Duration> {
        let value = entries.get(name)?;
        let (at, path) = (value.span().start, entries.path_of(name));
        let text = match value.get_ref() {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) => {
                let mend = format!(
                    "write {name} = \"{0}s\" or {name} = \"{0}ms\"",
                    number.as_str()
                );
                self.fault(at, path, "a number without a unit", mend);
                return None;
            }
            other => {
                let what = format!("{} where a duration is expected", kind(other));
                self.fault(
                    at,
                    path,
                    what,
                    "write it like \"250ms\", \"2s\" or \"1m30s\"",
                );
                return None;
            }
        };
        let Some(duration) = unit::duration(text) else {
            let what = format!("`{text}` is not a duration");
            self.fault(
                at,
                path,
                what,
                "write it like \"250ms\", \"2s\" or \"1m30s\"",
            );
            return None;
        };
        if duration < least || duration > unit::LONGEST {
            let what = format!("`{text}` is out of range");
            self.fault(
                at,
                path,
                what,
                format!("write a duration from {} to 24h", show(least)),
            );
            return None;
        }
        Some(duration)
    }

    /// The size in bytes under a key.
    pub(super) fn size(&mut self, entries: &Entries<'_, '_>, name: &str) -> Option<usize> {
        let value = entries.get(name)?;
        let read = match value.get_ref() {
            DeValue::String(text) => unit::size(text),
            DeValue::Integer(number) => usize::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        // A terabyte is no limit any more, and zero would refuse everything.
        let read = read.filter(|size| (1..=1 << 40).contains(size));
        if read.is_none() {
            let mend = "write it like \"32MiB\", \"512KiB\" or as a number of bytes";
            self.fault(
                value.span().start,
                entries.path_of(name),
                "not a size",
                mend,
            );
        }
        read
    }

    /// The whole number under a key, within `range`.
    pub(super) fn whole(
        &mut self,
        entries: &Entries<'_, '_>,
        name: &str,
        range: Range<u32>,
    ) -> Option<u32> {
        let value = entries.get(name)?;
        let (at, path) = (value.span().start, entries.path_of(name));
        let mend = format!(
            "write a whole number from {} to {}",
            range.start,
            range.end - 1
        );
        match value.get_ref() {
            DeValue::Integer(number) => {
                let read = i128::from_str_radix(number.as_str(), number.radix()).ok();
                let fits = read
                    .and_then(|n| u32::try_from(n).ok())
                    .filter(|n| range.contains(n));
                if fits.is_none() {
                    let what = match read {
                        Some(n) if n < 0 => format!("{n} is below zero"),
                        Some(n) => format!("{n} is out of range"),
                        None => "out of range".to_owned(),
                    };
                    self.fault(at, path, what, mend);
                }
                fits
            }
            DeValue::Float(number) => {
                self.fault(
                    at,
                    path,
                    format!("{} is not a whole number", number.as_str()),
                    mend,
                );
                None
            }
            other => {
                self.fault(
                    at,
                    path,
                    format!("{} where a whole number is expected", kind(other)),
                    mend,
                );
                None
            }
        }
    }

    /// The truth value under a key.
    pub(super) fn flag(&mut self, entries: &Entries<'_, '_>, name: &str) -> Option<bool> {
        let value = entries.get(name)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            other => {
                let what = format!("{} where true or false is expected", kind(other));
                self.fault(
                    value.span().start,
                    entries.path_of(name),
                    what,
                    "write true or false, without quotes",
                );
                None
            }
        }
    }

    /// The list under a key; `example` shows what one looks like.
    pub(super) fn list<'v, 'i>(
        &mut self,
        entries: &Entries<'v, 'i>,
        name: &str,
        example: &str,
    ) -> Option<(usize, &'v [Value<'i>])> {
        let value = entries.get(name)?;
        match value.get_ref() {
            DeValue::Array(array) => Some((value.span().start, array)),
            other => {
                let what = format!("{} where a list is expected", kind(other));
                self.fault(
                    value.span().start,
                    entries.path_of(name),
                    what,
                    format!("write {name} = {example}"),
                );
                None
            }
        }
    }

    /// One of a few words under a key, with its meaning.
    pub(super) fn choice<T: Copy>(
        &mut self,
        entries: &Entries<'_, '_>,
        name: &str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let given = self.text(entries, name)?;
        let at = entries
            .get(name)
            .map_or(entries.at, |value| value.span().start);
        self.word(given, at, entries.path_of(name), words)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        given: &str,
        at: usize,
        path: String,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given) {
            return Some(*meaning);
        }
        let mend = unknown_mend(given, words.iter().map(|(word, _)| *word));
        self.fault(at, path, format!("`{given}` is not known here"), mend);
        None
    }
}
