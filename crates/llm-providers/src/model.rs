//! What public pages state of models: window, abilities, price, last day.
//!
//! The table is built by `cargo xtask models` from `models/<provider>.toml`, where every figure stands with its page and the
//! day it was read. What no page states is unknown here, and nothing is assumed of it. Figures age: [`date`] tells how old
//! they are, and everything can be overridden where a target is described.
//!
//! ```
//! use llm_errors::Provider;
//! use llm_providers::model;
//!
//! let haiku = model::lookup(Provider::Anthropic, "claude-haiku-4-5").ok_or("unknown")?;
//! assert_eq!(haiku.context_window, Some(200_000));
//! assert_eq!(haiku.price.map(|price| price.input), Some(1_000_000));
//! assert!(model::lookup(Provider::Anthropic, "claude-of-my-own").is_none());
//! # Ok::<(), &str>(())
//! ```

mod thinking;

pub use self::thinking::{Thinking, thinking};

use crate::call::Features;
use llm_errors::Provider;

/// The built table: its day, then a line a model.
const TABLE: &str = include_str!("model/table.tsv");

/// What public pages state of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Model {
    /// The longest prompt in tokens. Some pages state the most of the prompt, some the whole window with the answer in it,
    /// and the source table does not tell them apart: so it is taken for what a prompt may have at most, and never for
    /// what prompt and answer have together. A prompt for which that is too much is refused by the provider, for nothing.
    pub context_window: Option<u32>,
    /// The most output tokens.
    pub max_output: Option<u32>,
    /// What it is stated to do.
    pub can: Features,
    /// What it is stated not to do. What is in neither set is unknown.
    pub cannot: Features,
    /// What it costs.
    pub price: Option<Price>,
    /// The last day it is served, as `2027-01-31`, where one is announced.
    pub until: Option<&'static str>,
}

/// The list price, in millionths of a US dollar for a million tokens. Where it rises with the length of the prompt, this is
/// the lowest step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Price {
    /// Prompt tokens.
    pub input: u64,
    /// Generated tokens.
    pub output: u64,
    /// Prompt tokens read from the provider's cache, where that is stated.
    pub cache_read: Option<u64>,
    /// Prompt tokens written to it, where that is stated.
    pub cache_write: Option<u64>,
}

/// A model of which no page was read.
pub const UNKNOWN: Model = Model {
    context_window: None,
    max_output: None,
    can: Features::NONE,
    cannot: Features::NONE,
    price: None,
    until: None,
};

/// The day on which the newest figures were read, as `2026-11-26`.
#[must_use]
pub fn date() -> &'static str {
    TABLE.lines().next().unwrap_or_default()
}

/// What is known of `name`, as `provider` calls it. `None` where no page was read: then nothing is assumed.
///
/// Goes through the whole table: meant for the moment at which a target is described, not for every call.
#[must_use]
pub fn lookup(provider: Provider, name: &str) -> Option<Model> {
    let found = lines().find(|line| {
        line.provider == provider.as_str() && line.names.split(' ').any(|known| known == name)
    });
    found?.read()
}

/// One line, split into its fields.
struct Line {
    provider: &'static str,
    names: &'static str,
    rest: &'static str,
}

fn lines() -> impl Iterator<Item = Line> {
    TABLE.lines().skip(1).filter_map(|line| {
        let (provider, line) = line.split_once('\t')?;
        let (names, rest) = line.split_once('\t')?;
        Some(Line {
            provider,
            names,
            rest,
        })
    })
}

impl Line {
    /// `None` where the line is not of the form that `cargo xtask models` writes; a test reads them all.
    fn read(&self) -> Option<Model> {
        let mut fields = self.rest.split('\t');
        let mut next = || fields.next();
        let model = Model {
            context_window: number(next()?)?,
            max_output: number(next()?)?,
            can: features(next()?)?,
            cannot: features(next()?)?,
            price: {
                let (input, output) = (number(next()?)?, number(next()?)?);
                let (cache_read, cache_write) = (number(next()?)?, number(next()?)?);
                match (input, output) {
                    (Some(input), Some(output)) => Some(Price {
                        input,
                        output,
                        cache_read,
                        cache_write,
                    }),
                    _ => None,
                }
            },
            until: Some(next()?).filter(|day| !day.is_empty()),
        };
        fields.next().is_none().then_some(model)
    }
}

/// Empty is no number; anything else must be one.
fn number<N: std::str::FromStr>(text: &str) -> Option<Option<N>> {
    match text {
        "" => Some(None),
        _ => text.parse().ok().map(Some),
    }
}

fn features(text: &str) -> Option<Features> {
    let mut found = Features::NONE;
    for name in text.split(',').filter(|name| !name.is_empty()) {
        found |= Features::from_name(name)?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_line_can_be_read_and_every_name_is_there_once() {
        let mut seen = HashSet::new();
        for line in lines() {
            let provider: Provider = line.provider.parse().unwrap();
            let model = line.read().unwrap_or_else(|| panic!("{}", line.names));
            for name in line.names.split(' ') {
                assert!(seen.insert((provider, name)), "{provider} {name}");
                assert_eq!(lookup(provider, name), Some(model));
            }
        }
        assert!(seen.len() > 500, "{}", seen.len());
        assert_eq!(TABLE.lines().count(), lines().count() + 1);
    }

    #[test]
    fn the_date_is_a_day() {
        assert_eq!(date().len(), 10);
        assert!(date() >= "2026-11-26");
    }

    #[test]
    fn what_is_stated_is_told_and_nothing_else() {
        let opus = lookup(Provider::Anthropic, "claude-opus-5").unwrap();
        assert!(opus.can.contains(Features::TOOLS | Features::VISION));
        assert!(opus.cannot.contains(Features::PREFILL));
        assert!(!opus.can.contains(Features::AUDIO) && !opus.cannot.contains(Features::LOGPROBS));
        assert_eq!(lookup(Provider::Other, "claude-opus-5"), None);
        assert_eq!(lookup(Provider::Anthropic, ""), None);
    }
}
