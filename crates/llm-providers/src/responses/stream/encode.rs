//! Writes a stream's events.

use super::delta::Delta;
use super::open::{Open, PartKind, Status, whole_arguments};
use super::whole::{ItemEvent, PartEvent, TextDone, Whole, write};
use crate::chat::{Citation, FinishReason, REPLY_CITATIONS, StreamEvent, Usage, chars};
use crate::codec::{Object, Untranslatable};
use crate::exchange::MAX_REPLY_BYTES;
use crate::responses::annotation;
use crate::responses::item::{redacted, signed};
use crate::responses::kept::Kept;
use crate::responses::mark::Names;
use crate::responses::reply::encode_usage;
use crate::sse;
use crate::stream::{Around, Filler};
use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};

/// Encodes neutral events as a stream of this wire.
///
/// The last event repeats the whole answer, so what has been written is kept: at most [`MAX_REPLY_BYTES`]. Answer and
/// items get [names of their own](crate::responses). What the caller asked for is not echoed: `tools`, `text` and
/// their like stand at their defaults.
#[derive(Debug, Clone, Default)]
pub struct StreamEncoder {
    created: u64,
    names: Names,
    id: String,
    model: String,
    /// The number of the next event.
    sequence: u64,
    started: bool,
    ended: bool,
    /// The finished items.
    output: Vec<Value>,
    /// Bytes of text in all items.
    kept_bytes: usize,
    open: Option<Open>,
    /// Characters of text so far, and how many of them precede the open part.
    said: usize,
    before_part: usize,
    lost: Vec<&'static str>,
    refused: bool,
    finish: Option<FinishReason>,
    usage: Usage,
    /// An event of the open part that says something.
    around: Around,
}

impl StreamEncoder {
    /// A stream of an answer made at `created`, in seconds since 1970.
    #[must_use]
    pub fn new(created: u64) -> Self {
        Self {
            created,
            ..Self::default()
        }
    }

    /// Goes on with a stream of which `kept` has passed, made at `created` where it did not say so.
    pub(in crate::responses) fn resumed(kept: &Kept, created: u64) -> Self {
        let created = kept.created.unwrap_or(created);
        let (id, model) = (&kept.shown.id, &kept.shown.model);
        Self {
            created,
            names: Names::of(id, model, created),
            id: id.as_ref().to_owned(),
            model: model.as_ref().to_owned(),
            sequence: kept.sequence,
            started: true,
            output: kept.output.clone(),
            kept_bytes: kept.shown.text.len(),
            said: chars(&kept.shown.text),
            before_part: kept.before_part,
            open: kept.open.clone(),
            ..Self::default()
        }
    }

    /// Appends one event to `out`.
    ///
    /// # Errors
    ///
    /// [`Untranslatable`] where a tool call goes on after something else has begun, or where the answer grows beyond
    /// [`MAX_REPLY_BYTES`].
    pub fn encode(
        &mut self,
        event: &StreamEvent,
        out: &mut BytesMut,
    ) -> Result<(), Untranslatable> {
        if self.ended {
            return Ok(());
        }
        match event {
            StreamEvent::Start { id, model } => self.start(id, model, out),
            StreamEvent::Text(text) => self.say(PartKind::Text, text, out)?,
            StreamEvent::Refusal(text) => {
                self.refused = true;
                self.say(PartKind::Refusal, text, out)?;
            }
            StreamEvent::Thinking(text) => self.think(text, out)?,
            StreamEvent::ThinkingSignature(more) => {
                self.keep(more.len())?;
                self.ensure_reasoning(out);
                if let Some(Open::Reasoning { sealed, .. }) = &mut self.open {
                    match sealed {
                        Some(sealed) => sealed.push_str(more),
                        None => *sealed = Some(signed(more)),
                    }
                }
            }
            StreamEvent::RedactedThinking(data) => {
                self.keep(data.len())?;
                self.close(Status::Completed, out);
                self.ensure_reasoning(out);
                if let Some(Open::Reasoning { sealed, .. }) = &mut self.open {
                    *sealed = Some(redacted(data));
                }
                self.close(Status::Completed, out);
            }
            StreamEvent::Citation(citation) => self.cite(citation, out)?,
            StreamEvent::ToolCall { index, id, name } => {
                self.keep(id.len() + name.len())?;
                self.close(Status::Completed, out);
                self.begin(
                    Open::Call {
                        index: *index,
                        id: self.names.item("fc", self.output.len()),
                        call_id: id.clone(),
                        name: name.clone(),
                        arguments: String::new(),
                    },
                    out,
                );
            }
            StreamEvent::ToolArguments { index, json } => self.argue(*index, json, out)?,
            StreamEvent::Finish { reason, .. } => {
                self.finish = Some(*reason);
                self.close(self.outcome().0, out);
            }
            StreamEvent::Usage(usage) => self.usage = *usage,
            StreamEvent::End => self.end(out),
        }
        Ok(())
    }

    /// The whole answer as far as it has come, as a body.
    pub(in crate::responses) fn into_response(mut self) -> Bytes {
        self.close(self.outcome().0, &mut BytesMut::new());
        serde_json::to_vec(&self.response(self.outcome()))
            .unwrap_or_default()
            .into()
    }

    /// What had no place here.
    pub(in crate::responses) fn lost(&self) -> &[&'static str] {
        &self.lost
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Untranslatable> {
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
        if self.kept_bytes > MAX_REPLY_BYTES {
            return Err(Untranslatable(()));
        }
        Ok(())
    }

    fn start(&mut self, id: &str, model: &str, out: &mut BytesMut) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        self.names = Names::of(id, model, self.created);
        self.id = self.names.response(id);
        self.model = model.to_owned();
        for name in ["response.created", "response.in_progress"] {
            let number = self.next();
            let response = self.response((Status::InProgress, None));
            response.write(name, number, out);
        }
    }

    fn say(
        &mut self,
        kind: PartKind,
        text: &str,
        out: &mut BytesMut,
    ) -> Result<(), Untranslatable> {
        if text.is_empty() {
            return Ok(());
        }
        self.keep(text.len())?;
        if !matches!(&self.open, Some(Open::Message { .. })) {
            self.close(Status::Completed, out);
            let id = self.names.item("msg", self.output.len());
            self.begin(
                Open::Message {
                    id,
                    parts: Vec::new(),
                    part: None,
                    text: String::new(),
                    annotations: Vec::new(),
                },
                out,
            );
        }
        if matches!(&self.open, Some(Open::Message { part, .. }) if *part != Some(kind)) {
            self.close_part(out);
            self.begin_part(kind, out);
        }
        if kind == PartKind::Text {
            self.said += chars(text);
        }
        let (sequence, output_index) = (self.next(), self.output.len());
        if let Some(Open::Message {
            id,
            parts,
            text: said,
            ..
        }) = &mut self.open
        {
            said.push_str(text);
            let fillers = [Filler::Number(sequence), Filler::Text(text)];
            if self.around.write(&fillers, out) {
                return Ok(());
            }
            let (kind, logprobs) = match kind {
                PartKind::Text | PartKind::ToldText => ("response.output_text.delta", Some([])),
                PartKind::Refusal => ("response.refusal.delta", None),
            };
            let delta = Delta {
                kind,
                sequence_number: sequence,
                item_id: id,
                output_index,
                content_index: Some(parts.len()),
                summary_index: None,
                delta: text,
                logprobs,
            };
            delta.write(out);
            let empty = Delta {
                sequence_number: 0,
                delta: "",
                ..delta
            };
            let mut event = BytesMut::new();
            empty.write(&mut event);
            self.around = Around::of(&event, &[r#""sequence_number":0"#, r#""delta":"""#]);
        }
        Ok(())
    }

    /// A source of the open text, or of a part of it.
    fn cite(&mut self, citation: &Citation, out: &mut BytesMut) -> Result<(), Untranslatable> {
        let (output_index, before) = (self.output.len(), self.before_part);
        let is_here = citation.is_placeless() || citation.start >= before;
        let Some(Open::Message {
            id,
            parts,
            part: Some(PartKind::Text),
            annotations,
            ..
        }) = self.open.as_mut().filter(|_| is_here)
        else {
            self.lost = vec![REPLY_CITATIONS];
            return Ok(());
        };
        let annotation = annotation::encode(citation, before);
        let event = json!({
            "item_id": id,
            "output_index": output_index,
            "content_index": parts.len(),
            "annotation_index": annotations.len(),
            "annotation": annotation,
        });
        annotations.push(annotation);
        self.keep(citation.url.len() + citation.quote.as_ref().map_or(0, String::len))?;
        self.write("response.output_text.annotation.added", fields(event), out);
        Ok(())
    }

    fn think(&mut self, text: &str, out: &mut BytesMut) -> Result<(), Untranslatable> {
        if text.is_empty() {
            return Ok(());
        }
        self.keep(text.len())?;
        // What is sealed is closed: more belongs to the next.
        if matches!(
            &self.open,
            Some(Open::Reasoning {
                sealed: Some(_),
                ..
            })
        ) {
            self.close(Status::Completed, out);
        }
        self.ensure_reasoning(out);
        let output_index = self.output.len();
        if let Some(Open::Reasoning { id, text: said, .. }) = &self.open
            && said.is_empty()
        {
            let part = json!({
                "item_id": id,
                "output_index": output_index,
                "summary_index": 0,
                "part": {"type": "summary_text", "text": ""},
            });
            self.write("response.reasoning_summary_part.added", fields(part), out);
        }
        let sequence = self.next();
        if let Some(Open::Reasoning { id, text: said, .. }) = &mut self.open {
            said.push_str(text);
            let delta = Delta {
                kind: "response.reasoning_summary_text.delta",
                sequence_number: sequence,
                item_id: id,
                output_index,
                content_index: None,
                summary_index: Some(0),
                delta: text,
                logprobs: None,
            };
            delta.write(out);
        }
        Ok(())
    }

    fn argue(&mut self, call: u32, json: &str, out: &mut BytesMut) -> Result<(), Untranslatable> {
        self.keep(json.len())?;
        let (sequence, output_index) = (self.next(), self.output.len());
        match &mut self.open {
            Some(Open::Call {
                index,
                id,
                arguments,
                ..
            }) if *index == call => {
                arguments.push_str(json);
                let delta = Delta {
                    kind: "response.function_call_arguments.delta",
                    sequence_number: sequence,
                    item_id: id,
                    output_index,
                    content_index: None,
                    summary_index: None,
                    delta: json,
                    logprobs: None,
                };
                delta.write(out);
                Ok(())
            }
            _ => Err(Untranslatable(())),
        }
    }

    fn ensure_reasoning(&mut self, out: &mut BytesMut) {
        if !matches!(&self.open, Some(Open::Reasoning { .. })) {
            self.close(Status::Completed, out);
            let id = self.names.item("rs", self.output.len());
            self.begin(
                Open::Reasoning {
                    id,
                    text: String::new(),
                    sealed: None,
                },
                out,
            );
        }
    }

    fn begin(&mut self, open: Open, out: &mut BytesMut) {
        if !self.started {
            self.start("", "", out);
        }
        let item = open.item(Status::InProgress);
        self.open = Some(open);
        self.write_item("response.output_item.added", &item, out);
    }

    fn begin_part(&mut self, kind: PartKind, out: &mut BytesMut) {
        if let Some(Open::Message {
            id, parts, part, ..
        }) = &mut self.open
        {
            *part = Some(kind);
            self.before_part = self.said;
            self.around = Around::default();
            let event = PartEvent {
                content_index: parts.len(),
                item_id: id,
                output_index: self.output.len(),
                part: &kind.value("", &[]),
                sequence_number: self.sequence,
                kind: "response.content_part.added",
            };
            self.sequence += 1;
            write(event.kind, &event, out);
        }
    }

    fn close_part(&mut self, out: &mut BytesMut) {
        let output_index = self.output.len();
        let Some(Open::Message {
            id,
            parts,
            part,
            text,
            annotations,
        }) = &mut self.open
        else {
            return;
        };
        let Some(kind) = part.take() else {
            return;
        };
        let content_index = parts.len();
        let mut sequence = self.sequence;
        let mut next = || {
            sequence += 1;
            sequence - 1
        };
        let whole = kind.value(text, annotations);
        annotations.clear();
        match kind {
            PartKind::Text => {
                let done = TextDone {
                    content_index,
                    item_id: id,
                    logprobs: [],
                    output_index,
                    sequence_number: next(),
                    text,
                    kind: "response.output_text.done",
                };
                write(done.kind, &done, out);
            }
            PartKind::ToldText => {}
            PartKind::Refusal => {
                let kind = "response.refusal.done";
                let done = json!({
                    "content_index": content_index,
                    "item_id": id,
                    "output_index": output_index,
                    "refusal": text,
                    "sequence_number": next(),
                    "type": kind,
                });
                write(kind, &done, out);
            }
        }
        let closed = PartEvent {
            content_index,
            item_id: id,
            output_index,
            part: &whole,
            sequence_number: next(),
            kind: "response.content_part.done",
        };
        write(closed.kind, &closed, out);
        text.clear();
        parts.push(whole);
        self.sequence = sequence;
    }

    /// Ends the item that is open, if one is.
    fn close(&mut self, status: Status, out: &mut BytesMut) {
        let output_index = self.output.len();
        match &self.open {
            None => return,
            Some(Open::Message { .. }) => self.close_part(out),
            Some(Open::Reasoning { id, text, .. }) if !text.is_empty() => {
                let place = |event: Value| {
                    let mut event = fields(event);
                    event.set("item_id", id.as_str());
                    event.set("output_index", output_index);
                    event.set("summary_index", 0);
                    event
                };
                let done = place(json!({"text": text}));
                let part = place(json!({"part": {"type": "summary_text", "text": text}}));
                self.write("response.reasoning_summary_text.done", done, out);
                self.write("response.reasoning_summary_part.done", part, out);
            }
            Some(Open::Reasoning { .. }) => {}
            Some(Open::Call {
                id,
                name,
                arguments,
                ..
            }) => {
                let event = json!({
                    "item_id": id,
                    "output_index": output_index,
                    "name": name,
                    "arguments": whole_arguments(arguments, status),
                });
                self.write("response.function_call_arguments.done", fields(event), out);
            }
        }
        if let Some(open) = self.open.take() {
            let item = open.item(status);
            self.write_item("response.output_item.done", &item, out);
            self.output.push(item);
        }
    }

    /// How the answer stands at its end, and why it is incomplete.
    fn outcome(&self) -> (Status, Option<&'static str>) {
        match self.finish {
            Some(FinishReason::Length) => (Status::Incomplete, Some("max_output_tokens")),
            Some(FinishReason::ContentFilter) => (Status::Incomplete, Some("content_filter")),
            // Words of refusal are an answer of their own here.
            Some(FinishReason::Refusal) if !self.refused => {
                (Status::Incomplete, Some("content_filter"))
            }
            // A long turn, to be continued: no reason here fits, and it is not the whole.
            Some(FinishReason::Pause) => (Status::Incomplete, None),
            _ => (Status::Completed, None),
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        if !self.started {
            self.start("", "", out);
        }
        let outcome = self.outcome();
        self.close(outcome.0, out);
        self.ended = true;
        let name = match outcome.0 {
            Status::Incomplete => "response.incomplete",
            Status::Completed | Status::InProgress => "response.completed",
        };
        let number = self.next();
        self.response(outcome).write(name, number, out);
    }

    /// The answer as far as it has come.
    fn response(&self, outcome: (Status, Option<&'static str>)) -> Whole<'_> {
        let usage = (outcome.0 != Status::InProgress).then(|| encode_usage(&self.usage));
        let named = (self.id.as_str(), self.model.as_str(), self.created);
        Whole::new(named, &self.output, outcome, usage)
    }

    fn next(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }

    /// An item at the end of the output.
    fn write_item(&mut self, kind: &'static str, item: &Value, out: &mut BytesMut) {
        let event = ItemEvent {
            item,
            output_index: self.output.len(),
            sequence_number: self.next(),
            kind,
        };
        write(kind, &event, out);
    }

    fn write(&mut self, name: &'static str, mut event: Object, out: &mut BytesMut) {
        event.set("type", name);
        event.set("sequence_number", self.next());
        sse::write(out, Some(name), &event.into_bytes());
    }
}

/// The fields of an object.
fn fields(object: Value) -> Object {
    match object {
        Value::Object(fields) => Object(fields),
        _ => Object::default(),
    }
}
