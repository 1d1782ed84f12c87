//! What is wrong with a configuration: where, which key, what, and how to mend it.

use std::fmt;

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where in the text, as (line, column), both counted from one; nothing when the fault is not in the text.
    pub(crate) place: Option<(usize, usize)>,
    /// The key, with its table: `routes.chat.patience`.
    pub(crate) key: String,
    /// What is wrong. Never a secret.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) mend: String,
}

/// Everything wrong with one configuration, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Faults {
    /// The file, or what stands for it.
    pub(crate) origin: String,
    /// At least one.
    pub(crate) list: Vec<Fault>,
}

impl Faults {
    /// The faults of a source of which nothing could be read at all.
    pub(crate) fn single(origin: &str, what: String, mend: String) -> Self {
        let fault = Fault {
            place: None,
            key: String::new(),
            what,
            mend,
        };
        Self {
            origin: origin.to_owned(),
            list: vec![fault],
        }
    }

    /// Each fault in one line, for a log.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|fault| {
            let place = Place(&self.origin, fault);
            format!("{place}: {}; mend: {}", fault.what, fault.mend)
        })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            let place = Place(&self.origin, fault);
            write!(f, "{place}: {}\n    mend: {}", fault.what, fault.mend)?;
        }
        Ok(())
    }
}

/// Where a fault stands, and the key: `gateway.toml:3:1: routes.chat.patience`.
struct Place<'f>(&'f str, &'f Fault);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(origin, fault) = self;
        f.write_str(origin)?;
        if let Some((line, column)) = fault.place {
            write!(f, ":{line}:{column}")?;
        }
        if !fault.key.is_empty() {
            write!(f, ": {}", fault.key)?;
        }
        Ok(())
    }
}

/// Line and column, counted from one, of a byte offset. The column counts characters.
pub(crate) fn place_of(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        assert_eq!(place_of("ab\ncd", 0), (1, 1));
        assert_eq!(place_of("ab\ncd", 4), (2, 2));
        assert_eq!(place_of("é = 1\nx", 3), (1, 3));
        assert_eq!(
            place_of("é", 1),
            (1, 1),
            "inside a character counts as its start"
        );
        assert_eq!(place_of("ab", 99), (1, 3));
    }
}
