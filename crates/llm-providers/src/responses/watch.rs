//! Watches an answer pass by: finds content, model, usage, the end and errors in it without building a tree and
//! without copying text.

use super::StreamEncoder;
use super::kept::{Kept, Step};
use crate::chat::{FinishReason, Usage};
use crate::stream::{Facts, Glance, Shown, is_filled, parse, text_of};
use crate::wire::{Progress, Watching, Writer};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// An event of a stream.
#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    part: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    sequence_number: Option<&'a RawValue>,
    #[serde(borrow)]
    output_index: Option<&'a RawValue>,
    #[serde(borrow)]
    content_index: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(default)]
    content: Said,
}

impl Item<'_> {
    /// Something the caller can use; a message is that once it says something.
    fn is_answer(&self) -> bool {
        match self.kind.map(RawValue::get) {
            Some("\"message\"") => self.content.0,
            Some("\"reasoning\"") | None => false,
            // Tool calls of every sort, and results of the provider's own tools.
            Some(_) => true,
        }
    }
}

/// A whole answer; events carry it as well.
#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(default)]
    output: Output,
}

#[derive(Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    reason: Option<&'a RawValue>,
}

/// What the items hold that bears on the answer.
#[derive(Default, Clone, Copy)]
struct Output {
    answer: bool,
    calls: bool,
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Output;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Output, A::Error> {
                let mut output = Output::default();
                while let Some(item) = seq.next_element::<Item<'de>>()? {
                    output.answer |= item.is_answer();
                    output.calls |= item
                        .kind
                        .is_some_and(|kind| kind.get() == "\"function_call\"");
                }
                Ok(output)
            }

            fn visit_unit<E>(self) -> Result<Output, E> {
                Ok(Output::default())
            }
        }
        deserializer.deserialize_any(Each)
    }
}

/// Whether a content says anything.
#[derive(Default)]
struct Said(bool);

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;
        impl<'de> Visitor<'de> for Parts {
            type Value = Said;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Said, A::Error> {
                while let Some(part) = seq.next_element::<Part<'de>>()? {
                    if is_filled(part.text) || is_filled(part.refusal) {
                        while seq.next_element::<IgnoredAny>()?.is_some() {}
                        return Ok(Said(true));
                    }
                }
                Ok(Said(false))
            }

            fn visit_str<E>(self, text: &str) -> Result<Said, E> {
                Ok(Said(!text.is_empty()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Said, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Said(false))
            }

            fn visit_unit<E>(self) -> Result<Said, E> {
                Ok(Said(false))
            }
        }
        deserializer.deserialize_any(Parts)
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct UsageWire {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    input_tokens_details: Option<InputDetails>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl UsageWire {
    pub(super) fn into_usage(self) -> Usage {
        let input = self.input_tokens_details.unwrap_or_default();
        let output = self.output_tokens_details.unwrap_or_default();
        Usage {
            input_tokens: self.input_tokens.unwrap_or(0),
            output_tokens: self.output_tokens.unwrap_or(0),
            cache_read_tokens: input.cached_tokens.unwrap_or(0),
            cache_write_tokens: input.cache_write_tokens.unwrap_or(0),
            reasoning_tokens: output.reasoning_tokens.unwrap_or(0),
        }
    }
}

/// Why an answer of this status ended; `None` where it has not, or failed. That it calls tools is told by its items.
pub(super) fn finish_of(status: &str, reason: Option<&str>) -> Option<FinishReason> {
    match (status, reason) {
        ("completed", _) => Some(FinishReason::Stop),
        ("incomplete", Some("content_filter")) => Some(FinishReason::ContentFilter),
        // Whatever the reason, a part must not pass for the whole.
        ("incomplete", _) => Some(FinishReason::Length),
        _ => None,
    }
}

impl Response<'_> {
    /// True where the answer says that it failed.
    fn failed(&self) -> bool {
        is_filled(self.error)
            || self
                .status
                .is_some_and(|status| status.get() == "\"failed\"")
    }

    /// True where it is only promised: the caller fetches it later.
    fn is_promised(&self) -> bool {
        self.status
            .is_some_and(|status| matches!(status.get(), "\"queued\"" | "\"in_progress\""))
    }

    fn finish(&self) -> Option<FinishReason> {
        let status = text_of(self.status?)?;
        let details: Option<Details<'_>> = self
            .incomplete_details
            .and_then(|raw| serde_json::from_str(raw.get()).ok());
        let reason = details.and_then(|details| details.reason).and_then(text_of);
        let finish = finish_of(&status, reason.as_deref());
        match finish {
            Some(FinishReason::Stop) if self.output.calls => Some(FinishReason::ToolCalls),
            other => other,
        }
    }

    fn note(&self, facts: &mut Facts) {
        facts.note_model(self.model.and_then(text_of).as_deref());
        if let Some(raw) = self.usage
            && let Ok(usage) = serde_json::from_str::<Option<UsageWire>>(raw.get())
            && let Some(usage) = usage
        {
            facts.usage = usage.into_usage();
        }
    }
}

/// A whole number; `None` where it is none.
fn number<N: std::str::FromStr>(raw: &RawValue) -> Option<N> {
    raw.get().parse().ok()
}

/// Watches a stream.
pub(crate) type Watch = Watching<Answering>;

/// Whether the answer has said something, and whether it has ended.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    said: bool,
    ended: bool,
}

impl Answering {
    /// The last event says why the answer ended, and repeats it.
    fn end(&mut self, response: Option<&Response<'_>>, kind: &str, facts: &mut Facts) -> Glance {
        let mut finish = None;
        let mut unsaid = false;
        if let Some(response) = response {
            if response.failed() {
                return Glance::Error;
            }
            response.note(facts);
            finish = response.finish();
            unsaid = response.output.answer && !self.said;
        }
        // Some servers repeat no status: the event's name is one.
        let named = finish_of(kind.strip_prefix("response.").unwrap_or_default(), None);
        facts.finish = finish.or(named);
        self.ended = true;
        if unsaid {
            // A server that sends no deltas: all of it is here.
            self.said = true;
            Glance::Content
        } else {
            Glance::End
        }
    }
}

impl Progress for Answering {
    type Event<'a> = Event<'a>;
    type Kept = Kept;
    // The event that tells why the answer ended is the last.
    const END_MARKER: &'static [u8] = b"";

    fn is_error(event: &Event<'_>) -> bool {
        is_filled(event.error)
    }

    fn plain_text<'a>(event: &Self::Event<'a>) -> Option<&'a RawValue> {
        let is_text = event.kind?.get() == "\"response.output_text.delta\"";
        event
            .delta
            .filter(|delta| is_text && is_filled(Some(delta)))
    }

    fn note(&mut self, event: Event<'_>, kept: Option<&mut Kept>, facts: &mut Facts) -> Glance {
        let kind = event.kind.and_then(text_of).unwrap_or_default();
        if let Some(kept) = kept {
            let step = Step {
                sequence_number: event.sequence_number.and_then(number),
                output_index: event.output_index.and_then(number),
                content_index: event.content_index.and_then(number),
                delta: event.delta,
                item: event.item,
                part: event.part,
                response: event.response,
            };
            kept.note(&kind, &step);
        }
        // What has another shape than the wire's is an extension.
        let response = match event.response.map(|raw| serde_json::from_str(raw.get())) {
            Some(Ok(response)) => Some(response),
            Some(Err(_)) => return Glance::Quiet,
            None => None,
        };
        let glance = match &*kind {
            "error" | "response.failed" => Glance::Error,
            "response.completed" | "response.incomplete" => {
                return self.end(response.as_ref(), &kind, facts);
            }
            "response.created" | "response.in_progress" | "response.queued" => {
                match &response {
                    Some(response) if response.failed() => return Glance::Error,
                    Some(response) => response.note(facts),
                    None => {}
                }
                Glance::Life
            }
            "response.output_item.added" | "response.output_item.done" => {
                let item = event
                    .item
                    .map(|raw| serde_json::from_str::<Item<'_>>(raw.get()));
                if item.is_some_and(|item| item.is_ok_and(|item| item.is_answer())) {
                    Glance::Content
                } else {
                    Glance::Life
                }
            }
            other if other.ends_with(".delta") && is_filled(event.delta) => Glance::Content,
            other if other.starts_with("response.") => Glance::Life,
            // Keep-alives, and what is not known yet.
            _ => Glance::Quiet,
        };
        self.said |= glance == Glance::Content;
        glance
    }

    fn is_complete(&self) -> bool {
        self.ended
    }

    fn keep_text(kept: &mut Kept, text: &str, data: &[u8]) {
        kept.note_text(text, data);
    }

    fn shown(kept: &Kept) -> &Shown {
        &kept.shown
    }

    fn resume(kept: &Kept, _include_usage: bool, created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::resumed(kept, created))
    }
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(crate) fn glance_at_reply(body: &[u8], facts: &mut Facts) -> Glance {
    let response: Response<'_> = match parse(body) {
        Ok(response) => response,
        Err(glance) => return glance,
    };
    if response.failed() {
        return Glance::Error;
    }
    response.note(facts);
    facts.finish = response.finish();
    if response.output.answer || response.is_promised() {
        Glance::Content
    } else {
        Glance::Life
    }
}
