//! Reads a stream's events.

use crate::anthropic::citation;
use crate::anthropic::watch::{finish_reason, read_usage};
use crate::chat::{Citation, MAX_CITATIONS, REPLY_CITATIONS, StreamEvent, Usage, chars, lenient};
use crate::codec::Untranslatable;
use crate::wire::Decode;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The block's number.
    index: Option<u64>,
    #[serde(borrow)]
    message: Option<Start<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Start<'a> {
    id: Option<String>,
    model: Option<String>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    thinking: Option<String>,
    data: Option<String>,
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    #[serde(borrow)]
    citation: Option<&'a RawValue>,
}

/// What stands in the trace for blocks of an unknown sort, such as tools that the provider ran by itself.
const REPLY_BLOCKS: &str = "reply.content";

/// What the open block is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Open {
    #[default]
    Plain,
    Tool {
        silent: bool,
    },
    /// A tool that the provider runs by itself, or a block of an unknown sort.
    Foreign,
}

/// Decodes a stream's events.
#[derive(Debug, Default)]
pub struct StreamDecoder {
    open: Open,
    /// The number of the open block, where it has one.
    number: Option<u64>,
    calls: u32,
    usage: Usage,
    /// Characters of text so far, and how many of them precede the open block.
    chars: usize,
    before_block: usize,
    /// The sources of the open block: they speak of all of it.
    cited: Vec<Citation>,
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
    /// Decodes the data of one event and appends what it says to `out`. The end marker says
    /// nothing: whoever reads the stream knows when it is over.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`] where the event is not of this wire's shape.
    pub fn decode(
        &mut self,
        data: &[u8],
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let event: Event<'_> = serde_json::from_slice(data).map_err(|_| Untranslatable(()))?;
        match event.kind.as_deref().unwrap_or_default() {
            "message_start" => {
                let start = event.message.ok_or(Untranslatable(()))?;
                out.push(StreamEvent::Start {
                    id: start.id.unwrap_or_default(),
                    model: start.model.unwrap_or_default(),
                });
                self.decode_usage(start.usage, out);
            }
            "content_block_start" => {
                let block = event.content_block.ok_or(Untranslatable(()))?;
                self.number = event.index;
                self.decode_block(block, out)?;
            }
            "content_block_delta" => {
                let delta = event.delta.ok_or(Untranslatable(()))?;
                self.belongs(event.index)?;
                self.decode_delta(delta, out)?;
            }
            "content_block_stop" => {
                self.belongs(event.index)?;
                // A call without arguments is an empty object, not an empty text.
                if self.open == (Open::Tool { silent: true }) {
                    out.push(StreamEvent::ToolArguments {
                        index: self.calls.saturating_sub(1),
                        json: "{}".to_owned(),
                    });
                }
                let span = self.before_block..self.chars;
                let cited = self.cited.drain(..).map(|one| one.of(span.clone()));
                out.extend(cited.map(StreamEvent::Citation));
                self.open = Open::Plain;
            }
            "message_delta" => {
                if let Some(delta) = event.delta
                    && let Some(reason) = delta.stop_reason
                {
                    out.push(StreamEvent::Finish {
                        reason: finish_reason(&reason),
                        stop_sequence: delta.stop_sequence,
                    });
                }
                self.decode_usage(event.usage, out);
            }
            _ => {}
        }
        Ok(())
    }

    /// Blocks come one after the other: a part of another than the open one would be put into the wrong place.
    fn belongs(&self, number: Option<u64>) -> Result<(), Untranslatable> {
        match (number, self.number) {
            (Some(number), Some(open)) if number != open => Err(Untranslatable(())),
            _ => Ok(()),
        }
    }

    fn say(&mut self, text: Option<String>, out: &mut Vec<StreamEvent>) {
        if let Some(text) = text {
            self.chars += chars(&text);
            out.push(StreamEvent::Text(text));
        }
    }

    fn lose(&mut self, name: &'static str) {
        if !self.lost.contains(&name) {
            self.lost.push(name);
        }
    }

    fn decode_usage(&mut self, raw: Option<&RawValue>, out: &mut Vec<StreamEvent>) {
        if let Some(raw) = raw {
            read_usage(raw.get(), &mut self.usage);
            out.push(StreamEvent::Usage(self.usage));
        }
    }

    fn decode_block(
        &mut self,
        block: Block<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        self.open = Open::Plain;
        self.before_block = self.chars;
        self.cited.clear();
        match block.kind.as_str() {
            "text" => self.say(filled(block.text), out),
            "thinking" => out.extend(filled(block.thinking).map(StreamEvent::Thinking)),
            "redacted_thinking" => {
                out.extend(filled(block.data).map(StreamEvent::RedactedThinking));
            }
            "tool_use" => {
                // Nobody can run a call of nothing.
                let name = block.name.filter(|name| !name.is_empty());
                let name = name.ok_or(Untranslatable(()))?;
                let index = self.calls;
                self.calls += 1;
                out.push(StreamEvent::ToolCall {
                    index,
                    id: block.id.unwrap_or_default(),
                    name,
                });
                // Some compatible servers give all arguments at once.
                let input = block
                    .input
                    .map(RawValue::get)
                    .filter(|input| *input != "{}");
                let json = input.filter(|input| input.starts_with('{'));
                self.open = Open::Tool {
                    silent: json.is_none(),
                };
                out.extend(json.map(|json| StreamEvent::ToolArguments {
                    index,
                    json: json.to_owned(),
                }));
            }
            _ => {
                self.open = Open::Foreign;
                self.lose(REPLY_BLOCKS);
            }
        }
        Ok(())
    }

    fn decode_delta(
        &mut self,
        delta: Delta<'_>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Untranslatable> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        if self.open == Open::Foreign {
            return Ok(());
        }
        if let Some(raw) = delta.citation {
            match citation::decode(&lenient(raw)) {
                Some(cited) if self.cited.len() < MAX_CITATIONS => self.cited.push(cited),
                _ => self.lose(REPLY_CITATIONS),
            }
        }
        self.say(filled(delta.text), out);
        out.extend(filled(delta.thinking).map(StreamEvent::Thinking));
        out.extend(filled(delta.signature).map(StreamEvent::ThinkingSignature));
        if let Some(json) = filled(delta.partial_json) {
            if !matches!(self.open, Open::Tool { .. }) {
                return Err(Untranslatable(()));
            }
            self.open = Open::Tool { silent: false };
            out.push(StreamEvent::ToolArguments {
                index: self.calls.saturating_sub(1),
                json,
            });
        }
        Ok(())
    }
}
