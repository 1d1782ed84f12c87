//! Writes a stream's events.

use crate::anthropic::citation;
use crate::anthropic::reply::{Said, encode_usage, stop_reason};
use crate::chat::{
    Citation, FinishReason, REPLY_CITATION_PLACES, REPLY_CITATIONS, StreamEvent, Usage, chars,
};
use crate::codec::{Untranslatable, safe_id};
use crate::sse::{self, MAX_EVENT_BYTES};
use crate::stream::{Around, Filler, REPLY_REASONING, Shown};
use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::{Value, json};

/// The block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
    Tool(u32),
}

/// Encodes neutral events as a stream of this wire.
///
/// Stop reason and usage travel together here and usage may come last on other wires, so both are
/// written at the end.
///
/// Reasoning is written only once it is signed: this wire's providers refuse a conversation in which
/// a thinking block comes back without their signature, so an unsigned one would spoil every later
/// turn. [`dropped_thinking`](Self::dropped_thinking) tells whether some was left out.
#[derive(Debug, Clone, Default)]
pub struct StreamEncoder {
    started: bool,
    ended: bool,
    open: Option<Open>,
    /// Blocks begun so far.
    blocks: u32,
    /// Reasoning that waits for its signature; at most [`MAX_EVENT_BYTES`].
    thinking: String,
    dropped_thinking: bool,
    /// Characters of text so far, and how many of them precede the open block.
    chars: usize,
    before_block: usize,
    lost: Vec<&'static str>,
    said: Said,
    finish: Option<FinishReason>,
    stop_sequence: Option<String>,
    usage: Usage,
    /// An event of the open block that holds a text.
    around: Around,
}

/// The event that makes up nearly all of a stream: written without a tree.
#[derive(Serialize)]
struct DeltaEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    index: u32,
    delta: Delta<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "text_delta")]
    Text { text: &'a str },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a str },
    #[serde(rename = "signature_delta")]
    Signature { signature: &'a str },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a str },
}

impl Open {
    /// How the block begins.
    fn begins(self) -> Value {
        match self {
            Self::Text => json!({"type": "text", "text": ""}),
            Self::Thinking => json!({"type": "thinking", "thinking": "", "signature": ""}),
            Self::Tool(_) => json!({"type": "tool_use"}),
        }
    }
}

impl StreamEncoder {
    /// Goes on with a stream of which `shown` has passed.
    pub(in crate::anthropic) fn resumed(shown: &Shown) -> Self {
        Self {
            started: true,
            open: shown.open.then_some(Open::Text),
            blocks: shown.blocks,
            chars: chars(&shown.text),
            ..Self::default()
        }
    }

    /// Appends one event to `out`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`] for arguments of a tool call after another block has begun: a block that
    /// is closed cannot be opened again.
    pub fn encode(
        &mut self,
        event: &StreamEvent,
        out: &mut BytesMut,
    ) -> Result<(), Untranslatable> {
        if self.ended {
            return Ok(());
        }
        let thinks = matches!(
            event,
            StreamEvent::Thinking(_)
                | StreamEvent::ThinkingSignature(_)
                | StreamEvent::Citation(_)
                | StreamEvent::Usage(_)
        );
        if !thinks && !self.thinking.is_empty() {
            self.thinking.clear();
            self.drop_thinking();
        }
        match event {
            StreamEvent::Start { id, model } => self.start(id, model, out),
            StreamEvent::Text(text) => self.text(text, out),
            StreamEvent::Refusal(text) => {
                self.said.refusal = true;
                self.text(text, out);
            }
            StreamEvent::Thinking(text) => {
                if self.thinking.len() + text.len() > MAX_EVENT_BYTES {
                    self.thinking.clear();
                    self.drop_thinking();
                }
                if !self.dropped_thinking {
                    self.thinking.push_str(text);
                }
            }
            // A seal on something that was left out seals nothing.
            StreamEvent::ThinkingSignature(_) if self.dropped_thinking => {}
            StreamEvent::ThinkingSignature(signature) => {
                self.ensure(Open::Thinking, out);
                let thinking = std::mem::take(&mut self.thinking);
                if !thinking.is_empty() {
                    let thinking = thinking.as_str();
                    self.delta(Delta::Thinking { thinking }, out);
                }
                self.delta(Delta::Signature { signature }, out);
            }
            StreamEvent::Citation(citation) => self.cite(citation, out),
            StreamEvent::RedactedThinking(data) => {
                self.close(out);
                let block = json!({"type": "redacted_thinking", "data": data});
                self.begin(&block, out);
                self.stop(out);
            }
            StreamEvent::ToolCall { index, id, name } => {
                self.close(out);
                self.said.call = true;
                let id = safe_id(id);
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                self.begin(&block, out);
                self.open = Some(Open::Tool(*index));
            }
            StreamEvent::ToolArguments { index, json } => {
                if self.open != Some(Open::Tool(*index)) {
                    return Err(Untranslatable(()));
                }
                self.delta(Delta::InputJson { partial_json: json }, out);
            }
            StreamEvent::Finish {
                reason,
                stop_sequence,
            } => {
                self.close(out);
                self.finish = Some(*reason);
                self.stop_sequence.clone_from(stop_sequence);
            }
            StreamEvent::Usage(usage) => self.usage = *usage,
            StreamEvent::End => self.end(out),
        }
        Ok(())
    }

    /// True where reasoning was left out because it had no signature.
    #[must_use]
    pub const fn dropped_thinking(&self) -> bool {
        self.dropped_thinking
    }

    fn start(&mut self, id: &str, model: &str, out: &mut BytesMut) {
        self.started = true;
        let message = json!({
            "id": id,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {"input_tokens": self.usage.input_tokens, "output_tokens": 0},
        });
        write(
            "message_start",
            &json!({"type": "message_start", "message": message}),
            out,
        );
    }

    fn drop_thinking(&mut self) {
        self.dropped_thinking = true;
        self.lose(REPLY_REASONING);
    }

    fn lose(&mut self, name: &'static str) {
        if !self.lost.contains(&name) {
            self.lost.push(name);
        }
    }

    /// What had no place here.
    pub(in crate::anthropic) fn lost(&self) -> &[&'static str] {
        &self.lost
    }

    /// A source of what was said: here it is one of the whole open block.
    fn cite(&mut self, citation: &Citation, out: &mut BytesMut) {
        if self.open != Some(Open::Text) {
            self.lose(REPLY_CITATIONS);
            return;
        }
        if citation.start != self.before_block || citation.end != self.chars {
            self.lose(REPLY_CITATION_PLACES);
        }
        let event = json!({
            "type": "content_block_delta",
            "index": self.blocks.saturating_sub(1),
            "delta": {"type": "citations_delta", "citation": citation::encode(citation)},
        });
        write("content_block_delta", &event, out);
    }

    fn text(&mut self, text: &str, out: &mut BytesMut) {
        self.ensure(Open::Text, out);
        self.chars += chars(text);
        if self.around.is_none() {
            let mut event = BytesMut::new();
            self.delta(Delta::Text { text: "" }, &mut event);
            self.around = Around::of(&event, &[r#""text":"""#]);
        }
        if !self.around.write(&[Filler::Text(text)], out) {
            self.delta(Delta::Text { text }, out);
        }
    }

    /// Makes `kind` the open block.
    fn ensure(&mut self, kind: Open, out: &mut BytesMut) {
        if self.open != Some(kind) {
            self.close(out);
            self.before_block = self.chars;
            self.begin(&kind.begins(), out);
            self.open = Some(kind);
        }
    }

    fn begin(&mut self, block: &Value, out: &mut BytesMut) {
        if !self.started {
            self.start("", "", out);
        }
        let event = json!({
            "type": "content_block_start",
            "index": self.blocks,
            "content_block": block,
        });
        self.blocks += 1;
        self.around = Around::default();
        write("content_block_start", &event, out);
    }

    fn delta(&self, delta: Delta<'_>, out: &mut BytesMut) {
        let event = DeltaEvent {
            kind: "content_block_delta",
            index: self.blocks.saturating_sub(1),
            delta,
        };
        out.put_slice(b"event: content_block_delta\ndata: ");
        // Writing texts and numbers to memory cannot fail.
        let _ = serde_json::to_writer(out.writer(), &event);
        out.put_slice(b"\n\n");
    }

    fn close(&mut self, out: &mut BytesMut) {
        if self.open.take().is_some() {
            self.stop(out);
        }
    }

    fn stop(&self, out: &mut BytesMut) {
        let index = self.blocks.saturating_sub(1);
        write(
            "content_block_stop",
            &json!({"type": "content_block_stop", "index": index}),
            out,
        );
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.close(out);
        self.ended = true;
        let reason = stop_reason(self.finish.unwrap_or(FinishReason::Stop), self.said);
        let event = json!({
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": self.stop_sequence},
            "usage": encode_usage(&self.usage),
        });
        write("message_delta", &event, out);
        write("message_stop", &json!({"type": "message_stop"}), out);
    }
}

fn write(name: &str, event: &Value, out: &mut BytesMut) {
    sse::write(out, Some(name), event.to_string().as_bytes());
}
