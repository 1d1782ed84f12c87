//! Reads a stream's events.

use super::reply::{Answer, End, Said, UsageWire};
use crate::chat::{Citation, FinishReason, REPLY_CITATIONS, StreamEvent};
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, MAX_SHOWN_BYTES, parse};
use crate::wire::Reader;

/// Reads a stream: a run of partial answers.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    /// Tool calls so far.
    calls: u32,
    /// The text so far, by whose bytes sources are placed; at most [`MAX_SHOWN_BYTES`].
    text: String,
    /// The sources of the latest event that named some: each names all that are known.
    cited: Vec<Citation>,
    finished: bool,
    /// Some of them have no address.
    lossy: bool,
}

impl Reader for StreamReader {
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        let mut answer: Answer<'_> = match parse(data) {
            Ok(answer) => answer,
            Err(Glance::Quiet) => return Err(Untranslatable(())),
            Err(glance) => return Ok(glance),
        };
        let end = answer.end();
        if name == b"error"
            || answer.is_error()
            || answer.is_blocked()
            || matches!(end, Some(End::Failed))
        {
            return Ok(Glance::Error);
        }
        if answer.has_choices() {
            return Err(Untranslatable(()));
        }
        answer.note(facts);
        if !self.started {
            self.started = true;
            out.push(StreamEvent::Start {
                id: answer.response_id.as_deref().unwrap_or_default().to_owned(),
                model: answer
                    .model_version
                    .as_deref()
                    .unwrap_or_default()
                    .to_owned(),
            });
        }
        let mut glance = Glance::Life;
        let mut index = self.calls;
        for said in answer.take_said(&mut self.calls) {
            glance = Glance::Content;
            match said {
                Said::Text(text) => {
                    self.keep(&text);
                    out.push(StreamEvent::Text(text));
                }
                Said::Thinking(text) => out.push(StreamEvent::Thinking(text)),
                Said::Call(call) => {
                    out.extend(StreamEvent::whole_call(index, call));
                    index = index.saturating_add(1);
                }
                Said::Foreign => return Err(Untranslatable(())),
            }
        }
        let (cited, all) = answer.sources(&self.text);
        if !cited.is_empty() {
            self.cited = cited;
        }
        if !all {
            self.lossy = true;
            facts.drop_once(REPLY_CITATIONS);
        }
        if end.is_some() {
            let cited = self.cited.drain(..);
            out.extend(cited.map(StreamEvent::Citation));
        }
        if let Some(usage) = answer.usage() {
            out.push(StreamEvent::Usage(usage));
        }
        if let Some(End::Reason(reason)) = end {
            self.finished = true;
            let reason = match reason {
                FinishReason::Stop if self.calls > 0 => FinishReason::ToolCalls,
                reason => reason,
            };
            out.push(StreamEvent::Finish {
                reason,
                stop_sequence: None,
            });
        }
        Ok(glance)
    }

    fn aside(&self) -> Option<&'static [u8]> {
        Some(b"\"usageMetadata\"")
    }

    fn read_aside(&mut self, json: &[u8], facts: &mut Facts, out: &mut Vec<StreamEvent>) -> bool {
        let Ok(usage) = serde_json::from_slice::<UsageWire>(json) else {
            return false;
        };
        facts.usage = usage.into_usage();
        out.push(StreamEvent::Usage(facts.usage));
        true
    }

    fn take_text(&mut self, text: &str) -> bool {
        // Sources are placed by the text that has come with them.
        let is_free = self.cited.is_empty() && !self.lossy;
        if is_free {
            self.keep(text);
        }
        is_free
    }

    fn is_complete(&self) -> bool {
        self.finished
    }
}

impl StreamReader {
    fn keep(&mut self, text: &str) {
        if self.text.len() + text.len() <= MAX_SHOWN_BYTES {
            self.text.push_str(text);
        }
    }
}
