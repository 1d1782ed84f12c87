//! Watches a stream pass by: what is the same on each wire that callers speak.

use super::{Watch, Writer};
use crate::stream::{Facts, Glance, Shown, Template, is_done, parse};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;

/// What a wire tells of its events, and how far its stream has come.
pub(crate) trait Progress: fmt::Debug + Default + Send + 'static {
    /// An event, as much of it as matters here.
    type Event<'a>: Deserialize<'a>;
    /// What is kept of a stream for another to go on with it.
    type Kept: fmt::Debug + Default + Send;
    /// As [`Watch::end_marker`].
    const END_MARKER: &'static [u8];

    /// True where the event says that the answer failed.
    fn is_error(event: &Self::Event<'_>) -> bool;

    /// The text of an event that holds nothing else.
    fn plain_text<'a>(event: &Self::Event<'a>) -> Option<&'a RawValue>;

    /// Notes what an event tells, and keeps what it adds to the answer.
    fn note(
        &mut self,
        event: Self::Event<'_>,
        kept: Option<&mut Self::Kept>,
        facts: &mut Facts,
    ) -> Glance;

    /// As [`Watch::is_complete`].
    fn is_complete(&self) -> bool;

    /// Keeps the text of an event that holds nothing else, as it stands in its `data` within a JSON string's quotes.
    fn keep_text(kept: &mut Self::Kept, text: &str, data: &[u8]);

    /// As [`Watch::shown`].
    fn shown(kept: &Self::Kept) -> &Shown;

    /// As [`Watch::resume`].
    fn resume(kept: &Self::Kept, include_usage: bool, created: u64) -> Box<dyn Writer>;
}

/// Watches a stream.
#[derive(Debug, Default)]
pub(crate) struct Watching<P: Progress> {
    progress: P,
    kept: Option<Box<P::Kept>>,
    template: Template,
}

impl<P: Progress> Watch for Watching<P> {
    fn glance(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance {
        if let Some(plain) = self.template.text(name, data) {
            if let Some(kept) = &mut self.kept {
                P::keep_text(kept, plain.text, data);
            }
            return Glance::Content;
        }
        if is_done(data) {
            return Glance::End;
        }
        let event: P::Event<'_> = match parse(data) {
            Ok(event) => event,
            Err(glance) => return glance,
        };
        if name == b"error" || P::is_error(&event) {
            return Glance::Error;
        }
        match P::plain_text(&event) {
            Some(raw) => self.template.learn_from(name, data, raw),
            // What the next text belongs to has to be looked at.
            None => self.template.clear(),
        }
        self.progress.note(event, self.kept.as_deref_mut(), facts)
    }

    fn is_complete(&self) -> bool {
        self.progress.is_complete()
    }

    fn keep(&mut self) {
        self.kept = Some(Box::default());
    }

    fn shown(&self) -> Option<&Shown> {
        self.kept.as_deref().map(P::shown)
    }

    fn resume(&self, include_usage: bool, created: u64) -> Option<Box<dyn Writer>> {
        let kept = self.kept.as_deref()?;
        Some(P::resume(kept, include_usage, created))
    }

    fn end_marker(&self) -> &'static [u8] {
        P::END_MARKER
    }
}
