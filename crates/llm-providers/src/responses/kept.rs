//! What has passed of a stream as it came, kept so that a writer of ours can go on with it.
//!
//! The last event of this wire repeats the whole answer, and each event has a number, so that more than
//! the text is kept: the finished items as they came, the one that is open, and the number.

use super::stream::{Open, PartKind};
use crate::chat::chars;
use crate::stream::{Shown, text_of, unescape, unescape_inner};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What an event adds, as far as it matters here.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) sequence_number: Option<u64>,
    pub(super) output_index: Option<usize>,
    pub(super) content_index: Option<usize>,
    pub(super) delta: Option<&'a RawValue>,
    pub(super) item: Option<&'a RawValue>,
    pub(super) part: Option<&'a RawValue>,
    pub(super) response: Option<&'a RawValue>,
}

/// What has passed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    /// Text and names.
    pub(super) shown: Shown,
    /// When the answer was made, in seconds since 1970, where it said so.
    pub(super) created: Option<u64>,
    /// The number of the next event.
    pub(super) sequence: u64,
    /// The finished items.
    pub(super) output: Vec<Value>,
    /// Characters of text before the part that began last.
    pub(super) before_part: usize,
    /// The message that is open, if one is.
    pub(super) open: Option<Open>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    created_at: Option<f64>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

impl Kept {
    /// Takes in one event of this kind. What it does not know how to go on from spoils it.
    pub(super) fn note(&mut self, kind: &str, step: &Step<'_>) {
        self.count(step.sequence_number);
        if self.shown.spoilt {
            return;
        }
        let known = match kind {
            "response.created" | "response.in_progress" | "response.queued" => {
                self.begin(step);
                true
            }
            "response.output_item.added" => self.open(step).is_some(),
            "response.content_part.added" => self.open_part(step).is_some(),
            "response.output_text.delta" => {
                let more =
                    |said: &mut String| step.delta.is_some_and(|delta| unescape(delta, said));
                self.is_here(step) && self.say(more).is_some()
            }
            "response.output_text.done" => self.end_text().is_some(),
            "response.content_part.done" => self.close_part(step).is_some(),
            "response.output_item.done" => self.close(step).is_some(),
            "response.output_text.annotation.added" => false,
            other => !other.starts_with("response.refusal") && !other.contains("_call"),
        };
        self.spoil_unless(known);
    }

    fn spoil_unless(&mut self, known: bool) {
        self.shown.spoilt |= !known;
        self.shown.check();
        if self.shown.spoilt {
            self.output = Vec::new();
            self.open = None;
        }
    }

    /// The same of an event that differs from the one before it in its text and its number alone.
    pub(super) fn note_text(&mut self, text: &str, data: &[u8]) {
        let field = b"\"sequence_number\":";
        let at = memchr::memmem::find(data, field).map(|at| at + field.len());
        self.count(at.and_then(|at| whole_number(data.get(at..)?)));
        let said = !self.shown.spoilt && self.say(|said| unescape_inner(text, said)).is_some();
        self.spoil_unless(said);
    }

    /// An event of this number has passed, or the next one where it has none that can be counted on from.
    fn count(&mut self, number: Option<u64>) {
        let number = number.filter(|number| *number < u64::from(u32::MAX));
        self.sequence = number.unwrap_or(self.sequence) + 1;
    }

    fn begin(&mut self, step: &Step<'_>) {
        let Some(raw) = step.response else { return };
        let Ok(head) = serde_json::from_str::<Head<'_>>(raw.get()) else {
            return;
        };
        let told = [
            (&mut self.shown.id, head.id),
            (&mut self.shown.model, head.model),
        ];
        for (known, told) in told {
            if known.is_empty() {
                *known = told.and_then(text_of).unwrap_or_default().into();
            }
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a fraction is left out, and what lies outside becomes the nearest"
        )]
        let created = head.created_at.map(|seconds| seconds as u64);
        self.created = self.created.or(created);
    }

    /// An item begins. Reasoning can be followed by nothing before it is sealed.
    fn open(&mut self, step: &Step<'_>) -> Option<()> {
        let next = step.output_index.unwrap_or(self.output.len()) == self.output.len();
        if !next || self.open.is_some() || self.shown.thinks {
            return None;
        }
        let item: Item<'_> = serde_json::from_str(step.item?.get()).ok()?;
        match text_of(item.kind?)?.as_ref() {
            "reasoning" => self.shown.thinks = true,
            "message" if item.content.is_none_or(|content| content.is_empty()) => {
                self.open = Some(Open::Message {
                    id: text_of(item.id?)?.into_owned(),
                    parts: Vec::new(),
                    part: None,
                    text: String::new(),
                    annotations: Vec::new(),
                });
            }
            _ => return None,
        }
        Some(())
    }

    fn open_part(&mut self, step: &Step<'_>) -> Option<()> {
        if self.shown.thinks {
            return Some(());
        }
        let Some(Open::Message { parts, part, .. }) = &mut self.open else {
            return None;
        };
        let opened: Part<'_> = serde_json::from_str(step.part?.get()).ok()?;
        let is_text = opened.kind.and_then(text_of)? == "output_text";
        let is_empty = opened.text.is_none_or(|text| text.get() == "\"\"");
        let is_next = step.content_index.unwrap_or(parts.len()) == parts.len();
        if !(is_text && is_empty && is_next && part.is_none()) {
            return None;
        }
        *part = Some(PartKind::Text);
        self.before_part = chars(&self.shown.text);
        Some(())
    }

    /// True where the event is about the part that is open.
    fn is_here(&self, step: &Step<'_>) -> bool {
        let Some(Open::Message { parts, .. }) = &self.open else {
            return false;
        };
        step.output_index.unwrap_or(self.output.len()) == self.output.len()
            && step.content_index.unwrap_or(parts.len()) == parts.len()
    }

    /// Appends what `more` reads to the text that is open.
    fn say(&mut self, more: impl FnOnce(&mut String) -> bool) -> Option<()> {
        let Some(Open::Message {
            part: Some(PartKind::Text),
            text,
            ..
        }) = &mut self.open
        else {
            return None;
        };
        let before = text.len();
        if !more(text) {
            return None;
        }
        self.shown.text.push_str(text.get(before..)?);
        Some(())
    }

    /// All of a part's text has been told once more.
    fn end_text(&mut self) -> Option<()> {
        let Some(Open::Message { part, .. }) = &mut self.open else {
            return None;
        };
        if *part != Some(PartKind::Text) {
            return None;
        }
        *part = Some(PartKind::ToldText);
        Some(())
    }

    fn close_part(&mut self, step: &Step<'_>) -> Option<()> {
        if self.shown.thinks {
            return Some(());
        }
        let Some(Open::Message {
            parts, part, text, ..
        }) = &mut self.open
        else {
            return None;
        };
        part.take()?;
        text.clear();
        parts.push(serde_json::from_str(step.part?.get()).ok()?);
        Some(())
    }

    fn close(&mut self, step: &Step<'_>) -> Option<()> {
        let raw = step.item?.get();
        let item: Item<'_> = serde_json::from_str(raw).ok()?;
        match (text_of(item.kind?)?.as_ref(), &self.open) {
            ("reasoning", None) => self.shown.thinks = false,
            ("message", Some(Open::Message { part: None, .. })) => self.open = None,
            _ => return None,
        }
        self.output.push(serde_json::from_str(raw).ok()?);
        Some(())
    }
}

/// The number at the beginning of `bytes`.
fn whole_number(bytes: &[u8]) -> Option<u64> {
    let bytes = bytes.trim_ascii_start();
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit());
    let digits = bytes.get(..end.unwrap_or(bytes.len()))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
