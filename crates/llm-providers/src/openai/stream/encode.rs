//! Writes a stream's events.

use crate::chat::{FinishReason, StreamEvent, Usage};
use crate::openai::annotation::encode_annotation;
use crate::openai::reply::{encode_usage, finish_name};
use crate::sse;
use crate::stream::{Around, Filler, Shown};
use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::Value;

#[derive(Serialize)]
struct ChunkOut<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChoiceOut<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
}

#[derive(Serialize)]
struct ChoiceOut<'a> {
    index: u32,
    delta: DeltaOut<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Serialize, Default)]
struct DeltaOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallOut<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<[Value; 1]>,
}

#[derive(Serialize)]
struct CallOut<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: FunctionOut<'a>,
}

#[derive(Serialize)]
struct FunctionOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

/// Encodes neutral events as a stream of this wire.
#[derive(Debug, Clone, Default)]
pub struct StreamEncoder {
    include_usage: bool,
    created: u64,
    id: String,
    model: String,
    usage: Usage,
    finished: bool,
    ended: bool,
    /// A chunk that holds nothing but a text.
    around: Around,
}

impl StreamEncoder {
    /// A stream made at `created`, in seconds since 1970; with a usage chunk at its end where
    /// `include_usage` is set, as the caller wished.
    #[must_use]
    pub fn new(include_usage: bool, created: u64) -> Self {
        Self {
            include_usage,
            created,
            ..Self::default()
        }
    }

    /// Goes on with a stream of which `shown` has passed: one answer has one name and one model.
    pub(in crate::openai) fn resumed(shown: &Shown, include_usage: bool, created: u64) -> Self {
        Self {
            id: shown.id.as_ref().to_owned(),
            model: shown.model.as_ref().to_owned(),
            ..Self::new(include_usage, created)
        }
    }

    /// Appends one event to `out`.
    pub fn encode(&mut self, event: &StreamEvent, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        let mut delta = DeltaOut::default();
        let mut finish = None;
        match event {
            StreamEvent::Start { id, model } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                self.around = Around::default();
                delta.role = Some("assistant");
                delta.content = Some("");
            }
            StreamEvent::Text(text) => {
                if self.around.is_none() {
                    self.around = self.around_text();
                }
                if self.around.write(&[Filler::Text(text)], out) {
                    return;
                }
                delta.content = Some(text);
            }
            StreamEvent::Thinking(text) => delta.reasoning_content = Some(text),
            StreamEvent::Refusal(text) => delta.refusal = Some(text),
            StreamEvent::ToolCall { index, id, name } => {
                delta.tool_calls = Some([CallOut {
                    index: *index,
                    id: Some(id),
                    kind: Some("function"),
                    function: FunctionOut {
                        name: Some(name),
                        arguments: "",
                    },
                }]);
            }
            StreamEvent::ToolArguments { index, json } => {
                delta.tool_calls = Some([CallOut {
                    index: *index,
                    id: None,
                    kind: None,
                    function: FunctionOut {
                        name: None,
                        arguments: json,
                    },
                }]);
            }
            StreamEvent::Citation(citation) => {
                delta.annotations = Some([encode_annotation(citation)]);
            }
            StreamEvent::Finish { reason, .. } => {
                self.finished = true;
                finish = Some(finish_name(*reason));
            }
            StreamEvent::Usage(usage) => {
                self.usage = *usage;
                return;
            }
            // This wire has no place for the seal of another provider's reasoning.
            StreamEvent::ThinkingSignature(_) | StreamEvent::RedactedThinking(_) => return,
            StreamEvent::End => {
                self.end(out);
                return;
            }
        }
        let choices = [ChoiceOut {
            index: 0,
            delta,
            logprobs: None,
            finish_reason: finish,
        }];
        self.write(&choices, None, out);
    }

    fn around_text(&self) -> Around {
        let choices = [ChoiceOut {
            index: 0,
            delta: DeltaOut {
                content: Some(""),
                ..DeltaOut::default()
            },
            logprobs: None,
            finish_reason: None,
        }];
        let mut chunk = BytesMut::new();
        self.write(&choices, None, &mut chunk);
        Around::of(&chunk, &[r#""content":"""#])
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.ended = true;
        if !self.finished {
            let choices = [ChoiceOut {
                index: 0,
                delta: DeltaOut::default(),
                logprobs: None,
                finish_reason: Some(finish_name(FinishReason::Stop)),
            }];
            self.write(&choices, None, out);
        }
        if self.include_usage {
            let usage = encode_usage(&self.usage);
            self.write(&[], Some(usage), out);
        }
        sse::write(out, None, b"[DONE]");
    }

    fn write(&self, choices: &[ChoiceOut<'_>], usage: Option<Value>, out: &mut BytesMut) {
        let chunk = ChunkOut {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
        };
        out.put_slice(b"data: ");
        // Writing texts and numbers to memory cannot fail.
        let _ = serde_json::to_writer(out.writer(), &chunk);
        out.put_slice(b"\n\n");
    }
}
