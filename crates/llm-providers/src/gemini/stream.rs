//! Reads a stream's events.

use super::reply::{Answer, End, Said};
use crate::chat::{FinishReason, StreamEvent};
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance};
use crate::wire::Reader;

/// Reads a stream: a run of partial answers.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    /// Tool calls so far.
    calls: u32,
    finished: bool,
}

impl Reader for StreamReader {
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable> {
        let mut answer = match Answer::read(data) {
            Ok(answer) => answer,
            Err(Glance::Quiet) if crate::stream::is_object(data) => return Err(Untranslatable(())),
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
                Said::Text(text) => out.push(StreamEvent::Text(text)),
                Said::Thinking(text) => out.push(StreamEvent::Thinking(text)),
                Said::Call(call) => {
                    out.extend(StreamEvent::whole_call(index, call));
                    index = index.saturating_add(1);
                }
                Said::Foreign => return Err(Untranslatable(())),
            }
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

    fn is_complete(&self) -> bool {
        self.finished
    }
}
