//! Reads a stream's events.

use crate::chat::{Citation, FinishReason, Part, REPLY_CITATIONS, StreamEvent, chars};
use crate::codec::Untranslatable;
use crate::responses::annotation;
use crate::responses::item::{Item, Seal};
use crate::responses::watch::{UsageWire, finish_of};
use crate::stream::{is_done, is_filled, text_of};
use crate::wire::Decode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// More items than any answer has.
const MAX_ITEMS: usize = 4_096;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: &'a RawValue,
    output_index: Option<u32>,
    content_index: Option<u32>,
    summary_index: Option<u32>,
    delta: Option<String>,
    text: Option<String>,
    refusal: Option<String>,
    arguments: Option<String>,
    #[serde(borrow)]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
    #[serde(borrow)]
    annotation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Response<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    incomplete_details: Option<Details>,
    usage: Option<UsageWire>,
}

#[derive(Deserialize)]
struct Details {
    reason: Option<String>,
}

#[derive(Deserialize)]
struct ItemWire {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    arguments: Option<String>,
    encrypted_content: Option<String>,
}

/// What is known of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    output_index: u32,
    /// Its place among the tool calls, where it is one.
    call: Option<u32>,
    /// Which part spoke last.
    part: Option<u32>,
    /// Bytes of it have come.
    said: bool,
}

/// Decodes a stream's events.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    started: bool,
    items: Vec<Known>,
    calls: u32,
    /// Characters of text so far, and how many of them precede the part that spoke last.
    chars: usize,
    before_part: usize,
    /// Sources have come as they were named.
    cites: bool,
    lost: Vec<&'static str>,
}

impl Decode for StreamDecoder {
    fn decode(&mut self, data: &[u8], out: &mut Vec<StreamEvent>) -> Result<(), Untranslatable> {
        self.decode(data, out)
    }

    fn take_text(&mut self, text: &str) -> bool {
        self.chars += chars(text);
        true
    }

    fn lost(&self) -> &[&'static str] {
        &self.lost
    }
}

impl StreamDecoder {
    /// Decodes the data of one event and appends what it says to `out`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`] where the event is not of this wire's shape, says that the answer failed, or holds what the
    /// neutral form cannot say: tools that the provider runs, more than 4096 items.
    pub fn decode(
        &mut self,
        data: &[u8],
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        if is_done(data) {
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(data).map_err(|_| Untranslatable(()))?;
        let kind = text_of(event.kind).unwrap_or_default();
        match &*kind {
            "response.output_text.delta" => self.say(
                &event,
                event.content_index,
                event.delta.as_deref(),
                StreamEvent::Text,
                out,
            ),
            "response.refusal.delta" => self.say(
                &event,
                event.content_index,
                event.delta.as_deref(),
                StreamEvent::Refusal,
                out,
            ),
            "response.reasoning_summary_text.delta" => {
                self.think(&event, event.summary_index, event.delta.as_deref(), out)
            }
            "response.reasoning_text.delta" => {
                self.think(&event, event.content_index, event.delta.as_deref(), out)
            }
            "response.function_call_arguments.delta" => {
                self.argue(&event, event.delta.as_deref(), false, out)
            }
            // Some servers send no deltas: then the end of a part is all of it.
            "response.output_text.done" => {
                let text = self.unsaid(&event, event.content_index, event.text.as_deref());
                self.say(&event, event.content_index, text, StreamEvent::Text, out)
            }
            "response.refusal.done" => {
                let text = self.unsaid(&event, event.content_index, event.refusal.as_deref());
                self.say(&event, event.content_index, text, StreamEvent::Refusal, out)
            }
            "response.function_call_arguments.done" => {
                self.argue(&event, event.arguments.as_deref(), true, out)
            }
            "response.output_item.added" => self.begin(&event, out),
            "response.output_item.done" => self.finish_item(&event, out),
            "response.created" | "response.in_progress" | "response.queued" => {
                self.start(event.response.as_ref(), out);
                Ok(())
            }
            "response.completed" => self.end(event.response, "completed", out),
            "response.incomplete" => self.end(event.response, "incomplete", out),
            "error" | "response.failed" => Err(Untranslatable(())),
            "response.output_text.annotation.added" => {
                self.cites = true;
                let annotation: Value = parse(event.annotation)?;
                self.cite(annotation::decode(&annotation), out);
                Ok(())
            }
            // More of something that is not known: sounds, a text of a new sort.
            other if other.ends_with(".delta") && !other.starts_with("response.reasoning") => {
                Err(Untranslatable(()))
            }
            // Work of the provider's own tools is told by their items; the rest is punctuation.
            _ => Ok(()),
        }
    }

    fn start(&mut self, response: Option<&Response<'_>>, out: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let text =
            |of: fn(&Response<'_>) -> Option<String>| response.and_then(of).unwrap_or_default();
        out.push(StreamEvent::Start {
            id: text(|response| response.id.clone()),
            model: text(|response| response.model.clone()),
        });
    }

    /// What is known of the item that an event is about.
    fn known(&mut self, event: &Event<'_>) -> Result<&mut Known, Untranslatable> {
        let output_index = event.output_index.unwrap_or(0);
        let mut items = self.items.iter();
        // The latest are the likeliest.
        let at = match items.rposition(|item| item.output_index == output_index) {
            Some(at) => at,
            None if self.items.len() >= MAX_ITEMS => return Err(Untranslatable(())),
            None => {
                self.items.push(Known {
                    output_index,
                    call: None,
                    part: None,
                    said: false,
                });
                self.items.len() - 1
            }
        };
        self.items.get_mut(at).ok_or(Untranslatable(()))
    }

    /// The text of a part that has ended, where nothing of it came before.
    fn unsaid<'t>(
        &mut self,
        event: &Event<'_>,
        part: Option<u32>,
        text: Option<&'t str>,
    ) -> Option<&'t str> {
        let part = Some(part.unwrap_or(0));
        let known = self.known(event).ok()?;
        text.filter(|_| known.part != part)
    }

    fn say(
        &mut self,
        event: &Event<'_>,
        part: Option<u32>,
        text: Option<&str>,
        says: fn(String) -> StreamEvent,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        self.start(None, out);
        let part = Some(part.unwrap_or(0));
        let before = self.chars;
        let known = self.known(event)?;
        let begins = known.part != part;
        known.part = part;
        known.said = true;
        let said = says(text.to_owned());
        if let StreamEvent::Text(text) = &said {
            if begins {
                self.before_part = before;
            }
            self.chars += chars(text);
        }
        out.push(said);
        Ok(())
    }

    /// Reasoning: its parts are paragraphs.
    fn think(
        &mut self,
        event: &Event<'_>,
        part: Option<u32>,
        text: Option<&str>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let part = Some(part.unwrap_or(0));
        let known = self.known(event)?;
        if text.is_some_and(|text| !text.is_empty()) && known.said && known.part != part {
            out.push(StreamEvent::Thinking("\n\n".to_owned()));
        }
        self.say(event, part, text, StreamEvent::Thinking, out)
    }

    /// A source of the part that spoke last; `None` for one without an address.
    fn cite(&mut self, citation: Option<Citation>, out: &mut Vec<StreamEvent>) {
        match citation {
            Some(citation) => {
                let citation = citation.behind(self.before_part);
                out.push(StreamEvent::Citation(citation));
            }
            None => self.lost = vec![REPLY_CITATIONS],
        }
    }

    fn argue(
        &mut self,
        event: &Event<'_>,
        json: Option<&str>,
        whole: bool,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let known = self.known(event)?;
        let index = known.call.ok_or(Untranslatable(()))?;
        let Some(json) = json
            .filter(|json| !json.is_empty())
            .filter(|_| !whole || !known.said)
        else {
            return Ok(());
        };
        known.said = true;
        out.push(StreamEvent::ToolArguments {
            index,
            json: json.to_owned(),
        });
        Ok(())
    }

    fn begin(
        &mut self,
        event: &Event<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let item: ItemWire = parse(event.item)?;
        self.start(None, out);
        match item.kind.as_str() {
            "message" | "reasoning" => self.known(event).map(drop),
            "function_call" => {
                let index = self.calls;
                self.calls += 1;
                self.known(event)?.call = Some(index);
                let id = item.call_id.or(item.id).unwrap_or_default();
                out.push(StreamEvent::ToolCall {
                    index,
                    id,
                    name: item.name.unwrap_or_default(),
                });
                self.argue(event, item.arguments.as_deref(), false, out)
            }
            _ => Err(Untranslatable(())),
        }
    }

    /// An item that has ended: what was not said of it, and what only its end tells.
    fn finish_item(
        &mut self,
        event: &Event<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let item: ItemWire = parse(event.item)?;
        let known = *self.known(event)?;
        match item.kind.as_str() {
            "function_call" if known.call.is_none() => self.begin(event, out),
            "function_call" => self.argue(event, item.arguments.as_deref(), true, out),
            "reasoning" | "message" if !known.said => {
                let value: Value = parse(event.item)?;
                let before = self.chars;
                let (cited, all) = annotation::in_items(std::slice::from_ref(&value));
                let whole = Item::decode(value, &mut Vec::new()).map_err(|_| Untranslatable(()))?;
                self.unroll(whole, out)?;
                self.cite_all(cited, before, all, out);
                self.known(event)?.said = true;
                Ok(())
            }
            "reasoning" => {
                let id = item.id.unwrap_or_default();
                let sealed = item.encrypted_content.unwrap_or_default();
                out.extend(Seal::read(&id, &sealed).map(|seal| match seal {
                    Seal::Signature(text) => StreamEvent::ThinkingSignature(text.to_owned()),
                    Seal::Redacted(data) => StreamEvent::RedactedThinking(data.to_owned()),
                }));
                Ok(())
            }
            "message" => self.cite_late(event, out),
            _ => Err(Untranslatable(())),
        }
    }

    /// Some servers name sources only at the end of their text.
    fn cite_late(
        &mut self,
        event: &Event<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let raw = event.item.ok_or(Untranslatable(()))?;
        if self.cites || !raw.get().contains("_citation\"") {
            return Ok(());
        }
        let item: Value = parse(event.item)?;
        let parts = item.get("content").and_then(Value::as_array);
        let texts = parts.into_iter().flatten();
        let texts = texts.filter_map(|part| part.get("text")?.as_str());
        let before = self.chars.saturating_sub(texts.map(chars).sum());
        let (cited, all) = annotation::in_items(std::slice::from_ref(&item));
        self.cite_all(cited, before, all, out);
        Ok(())
    }

    /// The sources of what came at once, after `before` characters.
    fn cite_all(
        &mut self,
        cited: Vec<Citation>,
        before: usize,
        all: bool,
        out: &mut Vec<StreamEvent>,
    ) {
        let cited = cited.into_iter().map(|one| one.behind(before));
        out.extend(cited.map(StreamEvent::Citation));
        if !all {
            self.lost = vec![REPLY_CITATIONS];
        }
    }

    /// A whole item as steps of the stream.
    fn unroll(&mut self, item: Item, out: &mut Vec<StreamEvent>) -> Result<(), Untranslatable> {
        let parts = match item {
            Item::Message(_, parts) => parts,
            Item::Spoken(part) => vec![part],
            Item::Sealed => Vec::new(),
            Item::Result(_) | Item::Reference | Item::Foreign => return Err(Untranslatable(())),
        };
        for part in parts {
            match part {
                Part::Text(text) if !text.text.is_empty() => {
                    self.chars += chars(&text.text);
                    out.push(StreamEvent::Text(text.text));
                }
                Part::Text(_) => {}
                Part::Refusal(text) => out.push(StreamEvent::Refusal(text)),
                Part::Thinking(thinking) => {
                    out.push(StreamEvent::Thinking(thinking.text));
                    out.extend(thinking.signature.map(StreamEvent::ThinkingSignature));
                }
                Part::RedactedThinking(data) => out.push(StreamEvent::RedactedThinking(data)),
                Part::ToolCall(call) => {
                    let index = self.calls;
                    self.calls += 1;
                    out.push(StreamEvent::ToolCall {
                        index,
                        id: call.id,
                        name: call.name,
                    });
                    out.push(StreamEvent::ToolArguments {
                        index,
                        json: call.arguments,
                    });
                }
                _ => return Err(Untranslatable(())),
            }
        }
        Ok(())
    }

    fn end(
        &mut self,
        response: Option<Response<'_>>,
        named: &'static str,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        self.start(response.as_ref(), out);
        let (mut status, mut reason) = (None, None);
        if let Some(response) = response {
            // A server that sends nothing but the end.
            if self.items.is_empty() && is_filled(response.output) {
                let items = parse::<Vec<Value>>(response.output)?;
                let (cited, all) = annotation::in_items(&items);
                let before = self.chars;
                for item in items {
                    let item =
                        Item::decode(item, &mut Vec::new()).map_err(|_| Untranslatable(()))?;
                    self.unroll(item, out)?;
                }
                self.cite_all(cited, before, all, out);
            }
            out.extend(
                response
                    .usage
                    .map(|usage| StreamEvent::Usage(usage.into_usage())),
            );
            reason = response
                .incomplete_details
                .and_then(|details| details.reason);
            status = response.status.and_then(text_of);
        }
        let told = status.and_then(|status| finish_of(&status, reason.as_deref()));
        let finish = told.or_else(|| finish_of(named, reason.as_deref()));
        let reason = match finish {
            Some(FinishReason::Stop) | None if self.calls > 0 => FinishReason::ToolCalls,
            finish => finish.unwrap_or(FinishReason::Stop),
        };
        out.push(StreamEvent::Finish {
            reason,
            stop_sequence: None,
        });
        Ok(())
    }
}

fn parse<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Result<T, Untranslatable> {
    let raw = raw.ok_or(Untranslatable(()))?;
    serde_json::from_str(raw.get()).map_err(|_| Untranslatable(()))
}
