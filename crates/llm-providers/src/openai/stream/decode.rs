//! Reads a stream's events.

use crate::chat::{Citation, REPLY_CITATIONS, StreamEvent, lenient};
use crate::codec::Untranslatable;
use crate::openai::annotation::{annotations, search_results};
use crate::openai::watch::{UsageWire, finish_reason};
use crate::stream::{is_done, is_filled, text_of};
use crate::wire::Decode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    /// Perplexity's sources.
    #[serde(borrow)]
    search_results: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// In some providers' chunks in place of the delta.
    #[serde(borrow)]
    message: Option<Delta<'a>>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    /// A text; Mistral's reasoning models write a list of parts.
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    refusal: Option<String>,
    #[serde(borrow)]
    tool_calls: Option<Vec<CallDelta<'a>>>,
    #[serde(borrow)]
    function_call: Option<FunctionDelta<'a>>,
    #[serde(borrow)]
    audio: Option<&'a RawValue>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

/// One part of a content that is a list.
#[derive(Deserialize)]
struct PartDelta<'a> {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    /// A text, or again a list of parts.
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallDelta<'a> {
    index: Option<u32>,
    id: Option<String>,
    #[serde(borrow)]
    function: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
struct FunctionDelta<'a> {
    name: Option<String>,
    /// A text; some servers write the object itself.
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Decodes a stream's events: those of one choice, because the neutral form has no place for more.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    started: bool,
    /// The tool calls seen: their index on the wire and their id.
    calls: Vec<(u32, String)>,
    /// Sources of the answer as a whole; they may come with every chunk.
    sources: Vec<Citation>,
    lost: Vec<&'static str>,
}

impl Decode for StreamDecoder {
    fn decode(&mut self, data: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Untranslatable> {
        self.decode(data, out)
    }

    fn lost(&self) -> &[&'static str] {
        &self.lost
    }
}

impl StreamDecoder {
    /// Decodes the data of one event and appends what it says to `out`. The end marker says
    /// nothing: whoever reads the stream knows when it is over.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`] where the event is not of this wire's shape, or holds what the neutral form
    /// cannot say: a second choice, sounds, pictures.
    pub fn decode(
        &mut self,
        data: &[u8],
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        if is_done(data) {
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|_| Untranslatable(()))?;
        if !self.started {
            self.started = true;
            let text = |raw: Option<&RawValue>| raw.and_then(text_of).unwrap_or_default().into();
            out.push(StreamEvent::Start {
                id: text(chunk.id),
                model: text(chunk.model),
            });
        }
        if let Some(raw) = chunk.search_results.filter(|raw| is_filled(Some(raw))) {
            self.sources = search_results(&lenient::<Vec<Value>>(raw));
        }
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index.is_some_and(|index| index != 0) {
                return Err(Untranslatable(()));
            }
            if let Some(delta) = choice.delta.or(choice.message) {
                self.decode_delta(delta, out)?;
            }
            if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
                let sources = std::mem::take(&mut self.sources);
                out.extend(sources.into_iter().map(StreamEvent::Citation));
                out.push(StreamEvent::Finish {
                    reason: finish_reason(&reason),
                    stop_sequence: None,
                });
            }
        }
        if let Some(raw) = chunk.usage
            && let Ok(usage) = serde_json::from_str::<UsageWire>(raw.get())
        {
            out.push(StreamEvent::Usage(usage.into_usage()));
        }
        Ok(())
    }

    fn decode_delta(
        &mut self,
        delta: Delta<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        if is_filled(delta.audio) || is_filled(delta.images) {
            return Err(Untranslatable(()));
        }
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let thinking = filled(delta.reasoning_content).or(filled(delta.reasoning));
        out.extend(thinking.map(StreamEvent::Thinking));
        if !decode_content(delta.content, out)? {
            self.lose_citations();
        }
        if let Some(raw) = delta.annotations.filter(|raw| is_filled(Some(raw))) {
            let (cited, all) = annotations(&lenient::<Vec<Value>>(raw));
            out.extend(cited.into_iter().map(StreamEvent::Citation));
            if !all {
                self.lose_citations();
            }
        }
        out.extend(filled(delta.refusal).map(StreamEvent::Refusal));
        for call in delta.tool_calls.unwrap_or_default() {
            self.decode_call(call, out)?;
        }
        if let Some(function) = delta.function_call {
            let call = CallDelta {
                index: Some(0),
                id: None,
                function: Some(function),
            };
            self.decode_call(call, out)?;
        }
        Ok(())
    }

    fn lose_citations(&mut self) {
        if self.lost.is_empty() {
            self.lost.push(REPLY_CITATIONS);
        }
    }

    fn decode_call(
        &mut self,
        call: CallDelta<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let id = call.id.unwrap_or_default();
        let (name, arguments) = match call.function {
            Some(function) => (
                function.name.unwrap_or_default(),
                decode_arguments(function.arguments)?,
            ),
            None => (String::new(), String::new()),
        };
        // Some servers give every call the same index, or none: then a new id is a new call.
        let last = self.calls.last().map_or(0, |(index, _)| *index);
        let wire_index = call.index.unwrap_or(last);
        let known = self.calls.iter().rposition(|(index, known)| {
            *index == wire_index && (id.is_empty() || name.is_empty() || *known == id)
        });
        if known.is_none() && name.is_empty() {
            // Arguments of a call that has not begun, or a call of nothing.
            return Err(Untranslatable(()));
        }
        let position = known.unwrap_or_else(|| {
            let id = if id.is_empty() { name.clone() } else { id };
            self.calls.push((wire_index, id.clone()));
            let position = self.calls.len() - 1;
            out.push(StreamEvent::ToolCall {
                index: position_index(position),
                id,
                name,
            });
            position
        });
        if !arguments.is_empty() {
            out.push(StreamEvent::ToolArguments {
                index: position_index(position),
                json: arguments,
            });
        }
        Ok(())
    }
}

/// False where a source without an address was left out.
fn decode_content(
    content: Option<&RawValue>,
    out: &mut Vec<StreamEvent>,
) -> Result<bool, Untranslatable> {
    let Some(raw) = content else {
        return Ok(true);
    };
    if !raw.get().starts_with('[') {
        let text = text_of(raw).ok_or(Untranslatable(()))?;
        if !text.is_empty() {
            out.push(StreamEvent::Text(text.into_owned()));
        }
        return Ok(true);
    }
    let mut all = true;
    for part in parts_in(raw)? {
        match part.kind.as_str() {
            "text" => out.extend(part.text.map(StreamEvent::Text)),
            "thinking" => {
                if let Some(raw) = part.thinking {
                    out.push(StreamEvent::Thinking(decode_thinking(raw)?));
                }
            }
            // Mistral's numbers of what its tools found: where a text comes from, not a part of it.
            "reference" => all = false,
            _ => return Err(Untranslatable(())),
        }
    }
    Ok(all)
}

fn decode_thinking(raw: &RawValue) -> Result<String, Untranslatable> {
    if let Some(text) = text_of(raw) {
        return Ok(text.into_owned());
    }
    Ok(parts_in(raw)?
        .into_iter()
        .filter_map(|part| part.text)
        .collect())
}

fn parts_in(raw: &RawValue) -> Result<Vec<PartDelta<'_>>, Untranslatable> {
    serde_json::from_str(raw.get()).map_err(|_| Untranslatable(()))
}

/// The arguments' text.
fn decode_arguments(raw: Option<&RawValue>) -> Result<String, Untranslatable> {
    match raw {
        None => Ok(String::new()),
        Some(raw) if raw.get().starts_with('{') => Ok(raw.get().to_owned()),
        Some(raw) => text_of(raw).map(Cow::into_owned).ok_or(Untranslatable(())),
    }
}

fn position_index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}
