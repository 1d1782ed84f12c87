//! Watches an answer pass by: finds content, model, usage, finish reason and errors in it without
//! building a tree and without copying text.

use super::StreamEncoder;
use crate::chat::{FinishReason, Usage};
use crate::stream::{Facts, Glance, Shown, is_filled, parse, text_of};
use crate::wire::{Progress, Watching, Writer};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A chunk of a stream, or a whole answer: they differ only in `delta` and `message`.
#[derive(Deserialize)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Choices<'a>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// Whole answers; some providers' chunks carry it beside the delta.
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

impl Delta<'_> {
    /// Something the caller can use: for a whole answer, reasoning alone is not that.
    fn has_answer(&self) -> bool {
        [
            self.content,
            self.tool_calls,
            self.function_call,
            self.refusal,
            self.audio,
            self.images,
        ]
        .into_iter()
        .any(is_filled)
    }

    /// Something that cannot be continued.
    fn has_more_than_text(&self) -> bool {
        [
            self.tool_calls,
            self.function_call,
            self.refusal,
            self.audio,
            self.images,
            self.annotations,
        ]
        .into_iter()
        .any(is_filled)
    }

    fn has_reasoning(&self) -> bool {
        [
            self.reasoning_content,
            self.reasoning,
            self.reasoning_details,
        ]
        .into_iter()
        .any(is_filled)
    }
}

/// The choices of a chunk, added up. Choices beyond the 64th are watched as the 64th.
#[derive(Default)]
struct Choices<'a> {
    /// The text of the first choice.
    text: Option<&'a RawValue>,
    /// There is content beside that text which cannot be continued.
    other: bool,
    answer: bool,
    reasoning: bool,
    failed: bool,
    seen: u64,
    finished: u64,
    finish: Option<FinishReason>,
}

impl<'a> Choices<'a> {
    /// The text, where there is nothing but that.
    fn plain_text(&self) -> Option<&'a RawValue> {
        let more = self.other || self.reasoning || self.finish.is_some() || self.seen != 1;
        self.text.filter(|_| !more)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Choices<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices<'de>, A::Error> {
                let mut sum = Choices::default();
                while let Some(choice) = seq.next_element::<Choice<'de>>()? {
                    let bit = 1 << choice.index.unwrap_or(0).min(63);
                    sum.seen |= bit;
                    if let Some(delta) = choice.delta.or(choice.message) {
                        let text = delta.content.filter(|raw| is_filled(Some(raw)));
                        sum.other |= bit != 1 || delta.has_more_than_text();
                        sum.text = sum.text.or(text);
                        sum.answer |= delta.has_answer();
                        sum.reasoning |= delta.has_reasoning();
                    }
                    let reason = choice.finish_reason.and_then(text_of);
                    if let Some(reason) = reason.as_deref().filter(|reason| !reason.is_empty()) {
                        sum.finished |= bit;
                        sum.failed |= is_failure(reason);
                        sum.finish = Some(finish_reason(reason));
                    }
                }
                Ok(sum)
            }

            fn visit_unit<E>(self) -> Result<Choices<'de>, E> {
                Ok(Choices::default())
            }
        }
        deserializer.deserialize_any(Each)
    }
}

/// A reason that is none: the generation broke off. `OpenRouter` says `error`; DeepSeek says
/// `insufficient_system_resource` (<https://api-docs.deepseek.com/api/create-chat-completion>, as quoted by its clients, read
/// 2026-11-26).
fn is_failure(reason: &str) -> bool {
    matches!(reason, "error" | "insufficient_system_resource")
}

/// Reads a finish reason.
pub(super) fn finish_reason(name: &str) -> FinishReason {
    match name {
        "stop" | "eos" | "end_turn" => FinishReason::Stop,
        "length" | "max_tokens" | "model_length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct UsageWire {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek's name for cached tokens.
    prompt_cache_hit_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<u64>,
    cache_write_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl UsageWire {
    pub(super) fn into_usage(self) -> Usage {
        let prompt = self.prompt_tokens_details.unwrap_or_default();
        let input = self.prompt_tokens.unwrap_or(0);
        let said = self.completion_tokens.unwrap_or(0);
        let details = self.completion_tokens_details.unwrap_or_default();
        let reasoning = details.reasoning_tokens.unwrap_or(0);
        // xAI counts reasoning apart, and only the total tells
        // (<https://docs.x.ai/docs/key-information/consumption-and-rate-limits>, as quoted with payloads at
        // <https://github.com/vercel/ai/pull/12425>, read 2026-11-26).
        let apart = input.saturating_add(said).saturating_add(reasoning);
        let output = match self.total_tokens {
            Some(total) if total == apart => said.saturating_add(reasoning),
            _ => said,
        };
        Usage {
            input_tokens: input,
            output_tokens: output,
            cache_read_tokens: prompt
                .cached_tokens
                .or(self.prompt_cache_hit_tokens)
                .unwrap_or(0),
            cache_write_tokens: prompt.cache_write_tokens.unwrap_or(0),
            reasoning_tokens: reasoning,
        }
    }
}

fn note(chunk: &Chunk<'_>, facts: &mut Facts) {
    facts.note_model(chunk.model.and_then(text_of).as_deref());
    if let Some(raw) = chunk.usage
        && let Ok(usage) = serde_json::from_str::<UsageWire>(raw.get())
    {
        facts.usage = usage.into_usage();
    }
    if chunk.choices.finish.is_some() {
        facts.finish = chunk.choices.finish;
    }
}

fn is_error(chunk: &Chunk<'_>) -> bool {
    let named = |raw: Option<&RawValue>| raw.is_some_and(|raw| raw.get() == "\"error\"");
    is_filled(chunk.error) || named(chunk.object) || named(chunk.kind) || chunk.choices.failed
}

/// Keeps what a chunk adds to the answer.
fn keep(shown: &mut Shown, chunk: &Chunk<'_>) {
    for (known, told) in [(&mut shown.id, chunk.id), (&mut shown.model, chunk.model)] {
        if known.is_empty() {
            *known = told.and_then(text_of).unwrap_or_default().into();
        }
    }
    shown.spoilt |= chunk.choices.other;
    if let Some(raw) = chunk.choices.text {
        shown.add(raw);
    }
    shown.check();
}

/// Watches a stream.
pub(crate) type Watch = Watching<Choosing>;

/// Which choices have begun, and which have their finish reason.
#[derive(Debug, Default)]
pub(crate) struct Choosing {
    seen: u64,
    finished: u64,
}

impl Progress for Choosing {
    type Event<'a> = Chunk<'a>;
    type Kept = Shown;
    const END_MARKER: &'static [u8] = b"data: [DONE]\n\n";

    fn is_error(chunk: &Chunk<'_>) -> bool {
        is_error(chunk)
    }

    fn plain_text<'a>(chunk: &Self::Event<'a>) -> Option<&'a RawValue> {
        chunk.choices.plain_text()
    }

    fn note(&mut self, chunk: Chunk<'_>, kept: Option<&mut Shown>, facts: &mut Facts) -> Glance {
        note(&chunk, facts);
        if let Some(shown) = kept {
            keep(shown, &chunk);
        }
        self.seen |= chunk.choices.seen;
        self.finished |= chunk.choices.finished;
        if chunk.choices.answer || chunk.choices.reasoning {
            Glance::Content
        } else {
            Glance::Life
        }
    }

    fn is_complete(&self) -> bool {
        self.seen != 0 && self.seen == self.finished
    }

    fn keep_text(shown: &mut Shown, text: &str, _data: &[u8]) {
        shown.add_inner(text);
    }

    fn shown(shown: &Shown) -> &Shown {
        shown
    }

    fn resume(shown: &Shown, include_usage: bool, created: u64) -> Box<dyn Writer> {
        Box::new(StreamEncoder::resumed(shown, include_usage, created))
    }
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(crate) fn glance_at_reply(body: &[u8], facts: &mut Facts) -> Glance {
    let chunk: Chunk<'_> = match parse(body) {
        Ok(chunk) => chunk,
        Err(glance) => return glance,
    };
    if is_error(&chunk) {
        return Glance::Error;
    }
    note(&chunk, facts);
    if chunk.choices.answer {
        Glance::Content
    } else {
        Glance::Life
    }
}
