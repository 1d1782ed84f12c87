//! Reads a stream's events.

use super::reply::{UsageWire, finish_reason, source};
use crate::chat::{Citation, MAX_CITATIONS, REPLY_CITATIONS, StreamEvent, chars, lenient};
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, is_filled, parse};
use crate::wire::Reader;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart<'a> {
    content_block_index: Option<u64>,
    #[serde(borrow)]
    start: Option<Start<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'a> {
    #[serde(borrow)]
    tool_use: Option<ToolStart<'a>>,
    #[serde(borrow)]
    tool_result: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolStart<'a> {
    #[serde(borrow)]
    tool_use_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    /// Of a tool that the provider runs by itself.
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta<'a> {
    content_block_index: Option<u64>,
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolDelta<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<ReasoningDelta<'a>>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_result: Option<&'a RawValue>,
    #[serde(borrow)]
    image: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ToolDelta<'a> {
    #[serde(borrow)]
    input: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningDelta<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stop<'a> {
    #[serde(borrow)]
    stop_reason: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Metadata {
    usage: Option<UsageWire>,
}

/// Reads a stream.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    /// Tool calls so far.
    calls: u32,
    /// The open block is a tool call; whether it has had arguments.
    open_call: Option<bool>,
    /// That block's number.
    call_number: Option<u64>,
    /// Characters of text so far, and how many of them precede the open block.
    chars: usize,
    before_block: usize,
    /// The sources of the open block: they speak of all of it.
    cited: Vec<Citation>,
    stopped: bool,
}

impl Reader for StreamReader {
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        if name == b"error" {
            return Ok(Glance::Error);
        }
        if !self.started {
            self.started = true;
            // Neither is told on this wire.
            out.push(StreamEvent::Start {
                id: String::new(),
                model: String::new(),
            });
        }
        match name {
            b"messageStart" => Ok(Glance::Life),
            b"contentBlockStart" => parsed(data, |block| self.start(block, out)),
            b"contentBlockDelta" => parsed(data, |block| self.delta(block, facts, out)),
            b"contentBlockStop" => {
                // A call without arguments is an empty object, not an empty text.
                if self.open_call.take() == Some(false) {
                    out.push(StreamEvent::ToolArguments {
                        index: self.calls.saturating_sub(1),
                        json: "{}".to_owned(),
                    });
                }
                let span = self.before_block..self.chars;
                let cited = self.cited.drain(..).map(|one| one.of(span.clone()));
                out.extend(cited.map(StreamEvent::Citation));
                // A text has no event for its beginning.
                self.before_block = self.chars;
                Ok(Glance::Life)
            }
            b"messageStop" => parsed(data, |stop: Stop<'_>| {
                let Some(reason) = finish_reason(&stop.stop_reason) else {
                    return Ok(Glance::Error);
                };
                self.stopped = true;
                facts.finish = Some(reason);
                out.push(StreamEvent::Finish {
                    reason,
                    stop_sequence: None,
                });
                Ok(Glance::Life)
            }),
            b"metadata" => parsed(data, |metadata: Metadata| {
                if let Some(usage) = metadata.usage {
                    facts.usage = usage.into_usage();
                    out.push(StreamEvent::Usage(facts.usage));
                }
                Ok(Glance::End)
            }),
            // A message that is none, and one of an unknown sort.
            b"" => Ok(Glance::Broken),
            _ => Ok(Glance::Quiet),
        }
    }

    fn take_text(&mut self, text: &str) -> bool {
        self.chars += chars(text);
        true
    }

    fn is_complete(&self) -> bool {
        self.stopped
    }
}

/// Reads an event's payload. A known event of an unknown shape may have carried a part of the answer.
fn parsed<'a, T: Deserialize<'a>>(
    data: &'a [u8],
    then: impl FnOnce(T) -> Result<Glance, Untranslatable>,
) -> Result<Glance, Untranslatable> {
    match parse(data) {
        Ok(event) => then(event),
        Err(Glance::Quiet) => Err(Untranslatable(())),
        Err(glance) => Ok(glance),
    }
}

impl StreamReader {
    fn start(
        &mut self,
        block: BlockStart<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        self.open_call = None;
        self.call_number = block.content_block_index;
        let Some(start) = block.start else {
            return Ok(Glance::Life);
        };
        if is_filled(start.tool_result) || start.image.is_some() {
            return Err(Untranslatable(()));
        }
        let Some(call) = start.tool_use else {
            return Ok(Glance::Life);
        };
        if is_filled(call.kind) {
            return Err(Untranslatable(()));
        }
        out.push(StreamEvent::ToolCall {
            index: self.calls,
            id: call.tool_use_id.unwrap_or_default().into_owned(),
            name: call.name.unwrap_or_default().into_owned(),
        });
        self.calls = self.calls.saturating_add(1);
        self.open_call = Some(false);
        Ok(Glance::Content)
    }

    fn delta(
        &mut self,
        block: BlockDelta<'_>,
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        let before = out.len();
        let delta = block.delta;
        if is_filled(delta.tool_result) || is_filled(delta.image) {
            return Err(Untranslatable(()));
        }
        let filled = |text: Option<Cow<'_, str>>| {
            let text = text.filter(|text| !text.is_empty());
            text.map(Cow::into_owned)
        };
        if let Some(text) = filled(delta.text) {
            self.chars += chars(&text);
            out.push(StreamEvent::Text(text));
        }
        if let Some(json) = filled(delta.tool_use.and_then(|call| call.input)) {
            // A part of another call than the open one would be put into the wrong place.
            if self.open_call.is_none() || block.content_block_index != self.call_number {
                return Err(Untranslatable(()));
            }
            self.open_call = Some(true);
            out.push(StreamEvent::ToolArguments {
                index: self.calls.saturating_sub(1),
                json,
            });
        }
        let mut sealed = 0;
        if let Some(reasoning) = delta.reasoning_content {
            out.extend(filled(reasoning.text).map(StreamEvent::Thinking));
            out.extend(filled(reasoning.redacted_content).map(StreamEvent::RedactedThinking));
            if let Some(signature) = filled(reasoning.signature) {
                out.push(StreamEvent::ThinkingSignature(signature));
                sealed = 1;
            }
        }
        if let Some(raw) = delta.citation {
            match source(&lenient(raw)) {
                Some(cited) if self.cited.len() < MAX_CITATIONS => self.cited.push(cited),
                _ => {
                    facts.drop_once(REPLY_CITATIONS);
                }
            }
        }
        Ok(if out.len() > before + sealed {
            Glance::Content
        } else {
            Glance::Life
        })
    }
}
