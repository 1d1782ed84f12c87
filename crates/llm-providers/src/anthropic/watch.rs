//! Watches an answer pass by: finds content, model, usage, stop reason and errors in it without
//! building a tree and without copying text.

use super::StreamEncoder;
use crate::chat::{FinishReason, Usage};
use crate::stream::{Facts, Glance, Shown, is_filled, parse, text_of};
use crate::wire::{Progress, Watching, Writer};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// An event of a stream.
#[derive(Deserialize)]
pub(crate) struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Start<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    /// The text, where the event is a delta of nothing but that.
    fn plain_text(&self) -> Option<&'a RawValue> {
        let delta = self.delta.as_ref()?;
        let is_delta = self.kind.map(RawValue::get) == Some("\"content_block_delta\"");
        let more = [
            delta.partial_json,
            delta.thinking,
            delta.citation,
            delta.stop_reason,
        ];
        delta
            .text
            .filter(|_| is_delta && !more.into_iter().any(is_filled))
    }
}

#[derive(Deserialize)]
struct Start<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

impl Block<'_> {
    /// Something the caller can use.
    fn is_answer(&self) -> bool {
        match self.kind.map(RawValue::get) {
            Some("\"text\"") => is_filled(self.text),
            Some("\"thinking\"" | "\"redacted_thinking\"") | None => false,
            // Tool calls of every sort, and results of the provider's own tools.
            Some(_) => true,
        }
    }
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    partial_json: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct UsageWire {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

/// Adds what `raw` tells to `usage`: counts are cumulative, and later events may leave some out.
///
/// Anthropic counts cached input apart from `input_tokens`; [`Usage`] counts all input together.
pub(super) fn read_usage(raw: &str, usage: &mut Usage) {
    let Ok(wire) = serde_json::from_str::<UsageWire>(raw) else {
        return;
    };
    let fresh = usage
        .input_tokens
        .saturating_sub(usage.cache_read_tokens)
        .saturating_sub(usage.cache_write_tokens);
    let fresh = wire.input_tokens.unwrap_or(fresh);
    let set = |field: &mut u64, told: Option<u64>| {
        if let Some(told) = told {
            *field = told;
        }
    };
    set(&mut usage.cache_read_tokens, wire.cache_read_input_tokens);
    set(
        &mut usage.cache_write_tokens,
        wire.cache_creation_input_tokens,
    );
    set(&mut usage.output_tokens, wire.output_tokens);
    set(
        &mut usage.reasoning_tokens,
        wire.output_tokens_details
            .and_then(|details| details.thinking_tokens),
    );
    usage.input_tokens = fresh
        .saturating_add(usage.cache_read_tokens)
        .saturating_add(usage.cache_write_tokens);
}

/// Reads a stop reason.
pub(super) fn finish_reason(name: &str) -> FinishReason {
    match name {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "refusal" => FinishReason::Refusal,
        "pause_turn" => FinishReason::Pause,
        _ => FinishReason::Other,
    }
}

fn note_stop(raw: Option<&RawValue>, facts: &mut Facts) -> bool {
    let reason = raw.and_then(text_of);
    let found = reason.as_deref().map(finish_reason);
    facts.finish = found.or(facts.finish);
    found.is_some()
}

/// Keeps what an event adds to the answer. What is open and no text spoils it; reasoning that is closed
/// does not.
fn keep(shown: &mut Shown, event: &Event<'_>) {
    match event.kind.map(RawValue::get) {
        Some("\"content_block_start\"") => {
            shown.blocks += 1;
            let block = event.content_block.as_ref();
            match block.and_then(|block| block.kind).map(RawValue::get) {
                Some("\"text\"") => {
                    shown.open = true;
                    if let Some(raw) = block.and_then(|block| block.text) {
                        shown.add(raw);
                    }
                }
                Some("\"thinking\"" | "\"redacted_thinking\"") => shown.thinks = true,
                _ => shown.spoilt = true,
            }
        }
        Some("\"content_block_stop\"") => {
            shown.open = false;
            shown.thinks = false;
        }
        Some("\"content_block_delta\"") => {
            let delta = event.delta.as_ref();
            if let Some(raw) = delta.and_then(|delta| delta.text) {
                shown.add(raw);
            }
            shown.spoilt |= delta
                .is_some_and(|delta| is_filled(delta.partial_json) || is_filled(delta.citation));
        }
        _ => {}
    }
    shown.check();
}

/// Watches a stream.
pub(crate) type Watch = Watching<Stopping>;

/// Whether the stop reason has come.
#[derive(Debug, Default)]
pub(crate) struct Stopping(bool);

impl Progress for Stopping {
    type Event<'a> = Event<'a>;
    type Kept = Shown;
    const END_MARKER: &'static [u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn is_error(event: &Event<'_>) -> bool {
        is_filled(event.error) || event.kind.map(RawValue::get) == Some("\"error\"")
    }

    fn plain_text<'a>(event: &Self::Event<'a>) -> Option<&'a RawValue> {
        event.plain_text()
    }

    fn note(&mut self, event: Event<'_>, kept: Option<&mut Shown>, facts: &mut Facts) -> Glance {
        if let Some(raw) = event.usage {
            read_usage(raw.get(), &mut facts.usage);
        }
        if let Some(shown) = kept {
            keep(shown, &event);
        }
        match event.kind.map(RawValue::get) {
            Some("\"ping\"") => Glance::Quiet,
            Some("\"message_stop\"") => Glance::End,
            Some("\"message_start\"") => {
                if let Some(start) = event.message {
                    facts.note_model(start.model.and_then(text_of).as_deref());
                    if let Some(raw) = start.usage {
                        read_usage(raw.get(), &mut facts.usage);
                    }
                }
                Glance::Life
            }
            Some("\"message_delta\"") => {
                let reason = event.delta.and_then(|delta| delta.stop_reason);
                self.0 |= note_stop(reason, facts);
                Glance::Life
            }
            Some("\"content_block_start\"") => {
                let answers = event.content_block.is_some_and(|block| {
                    block.is_answer()
                        || block
                            .kind
                            .is_some_and(|kind| kind.get() == "\"redacted_thinking\"")
                });
                if answers {
                    Glance::Content
                } else {
                    Glance::Life
                }
            }
            Some("\"content_block_delta\"") => {
                let content = event.delta.is_some_and(|delta| {
                    [delta.text, delta.partial_json, delta.thinking]
                        .into_iter()
                        .any(is_filled)
                });
                if content {
                    Glance::Content
                } else {
                    Glance::Life
                }
            }
            Some("\"content_block_stop\"") => Glance::Life,
            // The documentation asks clients to pass over events they do not know.
            _ => Glance::Quiet,
        }
    }

    fn is_complete(&self) -> bool {
        self.0
    }

    fn keep_text(shown: &mut Shown, text: &str, _data: &[u8]) {
        shown.add_inner(text);
    }

    fn shown(shown: &Shown) -> &Shown {
        shown
    }

    fn resume(shown: &Shown, _include_usage: bool, _created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::resumed(shown))
    }
}

/// A whole answer.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(default)]
    content: Answers,
}

/// Whether any block of the content is an answer.
#[derive(Default)]
struct Answers(bool);

impl<'de> Deserialize<'de> for Answers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Answers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of blocks")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Answers, A::Error> {
                while let Some(block) = seq.next_element::<Block<'de>>()? {
                    if block.is_answer() {
                        while seq.next_element::<IgnoredAny>()?.is_some() {}
                        return Ok(Answers(true));
                    }
                }
                Ok(Answers(false))
            }

            fn visit_unit<E>(self) -> Result<Answers, E> {
                Ok(Answers(false))
            }
        }
        deserializer.deserialize_any(Each)
    }
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(crate) fn glance_at_reply(body: &[u8], facts: &mut Facts) -> Glance {
    let message: Message<'_> = match parse(body) {
        Ok(message) => message,
        Err(glance) => return glance,
    };
    let failed = message.kind.is_some_and(|kind| kind.get() == "\"error\"");
    if failed || is_filled(message.error) {
        return Glance::Error;
    }
    facts.note_model(message.model.and_then(text_of).as_deref());
    note_stop(message.stop_reason, facts);
    if let Some(raw) = message.usage {
        read_usage(raw.get(), &mut facts.usage);
    }
    if message.content.0 {
        Glance::Content
    } else {
        Glance::Life
    }
}
