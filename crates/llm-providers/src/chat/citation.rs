//! Where something that an answer says comes from.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ops::Range;

/// What stands in the trace where a source has no place in the caller's dialect, or none that a reader could go to.
pub(crate) const REPLY_CITATIONS: &str = "reply.citations";
/// The same where the source is told, but not of which words it speaks.
pub(crate) const REPLY_CITATION_PLACES: &str = "reply.citations.place";

/// The most sources that are remembered at once; more than an answer of any length has.
pub(crate) const MAX_CITATIONS: usize = 4_096;

/// A source that an answer names for something it says. Only sources with an address are here: what points into a
/// document of the request means something to one provider alone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Citation {
    /// What it is the source of: from this character of the answer's text on, its text parts joined.
    pub start: usize,
    /// Up to this one, which does not belong to it. Where both are the same, the answer does not say.
    pub end: usize,
    /// Where the source is.
    pub url: String,
    /// What it is called.
    pub title: Option<String>,
    /// Its own words.
    pub quote: Option<String>,
}

impl Citation {
    /// The source at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }

    /// The source that these fields of `source` tell: an address, a title, a quotation. `None` where it has no address.
    pub(crate) fn read(source: &Value, url: &str, title: &str, quote: &str) -> Option<Self> {
        let text = |key: &str| {
            let text = source.get(key)?.as_str()?;
            (!text.is_empty()).then(|| text.to_owned())
        };
        Some(Self {
            title: text(title),
            quote: text(quote),
            ..Self::new(text(url)?)
        })
    }

    /// The same for the characters in `span`.
    #[must_use]
    pub fn of(mut self, span: Range<usize>) -> Self {
        self.start = span.start;
        self.end = span.end.max(span.start);
        self
    }

    /// The same where `before` characters precede what the span was counted from.
    pub(crate) fn behind(self, before: usize) -> Self {
        let span = self.start + before..self.end + before;
        self.of(span)
    }

    /// True where the answer does not say of which words it speaks.
    #[must_use]
    pub const fn is_placeless(&self) -> bool {
        self.start == self.end
    }
}

/// A whole number among the fields of `of`.
pub(crate) fn number(of: &Value, key: &str) -> Option<usize> {
    usize::try_from(of.get(key)?.as_u64()?).ok()
}

/// A piece of JSON, or its default where it has another shape.
pub(crate) fn lenient<T: DeserializeOwned + Default>(raw: &serde_json::value::RawValue) -> T {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// The characters of a text.
pub(crate) fn chars(text: &str) -> usize {
    text.chars().count()
}
