//! Reads a wire that callers speak too: what watches a stream pass and what decodes it, together.

use super::{Reader, Watch};
use crate::chat::StreamEvent;
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, is_object, unescape_inner};
use std::fmt;

/// Decodes a stream's events.
pub(crate) trait Decode: fmt::Debug + Send {
    /// Decodes the data of one event and appends what it says to `out`.
    fn decode(&mut self, data: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Untranslatable>;

    /// True where a plain text would be a part of the answer just now.
    fn takes_text(&self) -> bool {
        true
    }

    /// A plain text became a part of the answer without being decoded.
    fn took_text(&mut self, _text: &str) {}

    /// As [`Reader::lost`].
    fn lost(&self) -> &[&'static str] {
        &[]
    }
}

/// Watches and decodes: what is an error, broken or an extension is not decoded, and a plain text need
/// not be.
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
        if self.decoder.takes_text()
            && let Some(text) = self.watch.plain_text(name, data)
        {
            let mut plain = String::new();
            if !unescape_inner(text, &mut plain) {
                return Err(Untranslatable(()));
            }
            self.decoder.took_text(&plain);
            out.push(StreamEvent::Text(plain));
            return Ok(Glance::Content);
        }
        let glance = self.watch.glance(name, data, facts);
        match glance {
            Glance::Broken | Glance::Error => {}
            // An extension that is no object says nothing in any other dialect.
            Glance::Quiet if !is_object(data) => {}
            Glance::Content | Glance::Life | Glance::Quiet | Glance::End => {
                self.decoder.decode(data, out)?;
                for name in self.decoder.lost() {
                    facts.drop_once(name);
                }
            }
        }
        Ok(glance)
    }

    fn is_complete(&self) -> bool {
        self.watch.is_complete()
    }

    fn lost(&self) -> &[&'static str] {
        self.decoder.lost()
    }
}
