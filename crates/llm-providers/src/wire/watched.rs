//! Reads a wire that callers speak too: what watches a stream pass and what decodes it, together.

use super::{Reader, Watch};
use crate::chat::StreamEvent;
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, is_done};
use std::fmt;

/// Decodes a stream's events.
pub(crate) trait Decode: fmt::Debug + Send {
    /// Decodes the data of one event and appends what it says to `out`.
    fn decode(&mut self, data: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Untranslatable>;

    /// As [`Reader::take_text`].
    fn take_text(&mut self, _text: &str) -> bool {
        true
    }

    /// What the stream held that the neutral form does not know and that a caller can do without: names of fields.
    fn lost(&self) -> &[&'static str] {
        &[]
    }
}

/// Watches and decodes: what is an error, broken or an extension is not decoded.
#[derive(Debug, Default)]
pub(crate) struct Watched<W, D> {
    watch: W,
    decoder: D,
}

impl<W: Watch, D: Decode> Reader for Watched<W, D> {
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        let glance = self.watch.glance(name, data, facts);
        match glance {
            Glance::Broken | Glance::Error => {}
            Glance::End if is_done(data) => {}
            Glance::Content | Glance::Life | Glance::Quiet | Glance::End => {
                self.decoder.decode(data, out)?;
                for name in self.decoder.lost() {
                    facts.drop_once(name);
                }
            }
        }
        Ok(glance)
    }

    fn take_text(&mut self, text: &str) -> bool {
        self.decoder.take_text(text)
    }

    fn is_complete(&self) -> bool {
        self.watch.is_complete()
    }
}
