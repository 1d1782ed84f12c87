//! Reads answers: a whole one, and the lines of a stream, which have the same shape.

use crate::chat::{FinishReason, Part, Reply, StreamEvent, Thinking, ToolCall, Usage};
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, is_filled, parse};
use crate::wire::Reader;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    created_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    done: Option<bool>,
    #[serde(borrow)]
    done_reason: Option<Cow<'a, str>>,
    prompt_eval_count: Option<u64>,
    eval_count: Option<u64>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<CallWire<'a>>>,
    #[serde(borrow)]
    images: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallWire<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    function: FunctionWire<'a>,
}

#[derive(Deserialize)]
struct FunctionWire<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl CallWire<'_> {
    /// The call. Where it has no id, one is made of the answer's time and the call's number, so that
    /// no two of a conversation are alike.
    fn into_call(self, seed: &str, number: u32) -> ToolCall {
        let id = match self.id.filter(|id| !id.is_empty()) {
            Some(id) => id.into_owned(),
            None => {
                let mut digits: String = seed.chars().filter(char::is_ascii_digit).collect();
                digits.truncate(24);
                format!("call_{digits}_{number}")
            }
        };
        ToolCall {
            id,
            name: self.function.name.unwrap_or_default().into_owned(),
            arguments: self
                .function
                .arguments
                .map_or("{}", RawValue::get)
                .to_owned(),
        }
    }
}

impl Answer<'_> {
    fn usage(&self) -> Usage {
        Usage {
            input_tokens: self.prompt_eval_count.unwrap_or(0),
            output_tokens: self.eval_count.unwrap_or(0),
            ..Usage::default()
        }
    }

    /// How it ended; `None` while it goes on.
    fn finish(&self, calls: u32) -> Option<FinishReason> {
        if self.done != Some(true) {
            return None;
        }
        Some(match self.done_reason.as_deref() {
            Some("stop") | None if calls > 0 => FinishReason::ToolCalls,
            Some("stop") | None => FinishReason::Stop,
            Some("length") => FinishReason::Length,
            Some(_) => FinishReason::Other,
        })
    }

    fn note(&self, facts: &mut Facts) {
        facts.note_model(self.model.as_deref());
        if self.done == Some(true) {
            facts.usage = self.usage();
        }
    }

    /// Takes out what it says, in order. `calls` counts the calls so far.
    fn take_parts(&mut self, calls: &mut u32) -> Result<Vec<Part>, Untranslatable> {
        let seed = self.created_at.clone().unwrap_or_default();
        let Some(message) = self.message.take() else {
            return Ok(Vec::new());
        };
        if is_filled(message.images) {
            return Err(Untranslatable(()));
        }
        let filled = |text: &Cow<'_, str>| !text.is_empty();
        let thinking = message.thinking.filter(filled).map(|text| {
            Part::Thinking(Thinking {
                text: text.into_owned(),
                signature: None,
            })
        });
        let mut parts = Vec::from_iter(thinking);
        parts.extend(message.content.filter(filled).map(Part::text));
        for call in message.tool_calls.unwrap_or_default() {
            parts.push(Part::ToolCall(call.into_call(&seed, *calls)));
            *calls = calls.saturating_add(1);
        }
        Ok(parts)
    }
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(super) fn glance(body: &[u8], facts: &mut Facts) -> Glance {
    let mut answer: Answer<'_> = match parse(body) {
        Ok(answer) => answer,
        Err(glance) => return glance,
    };
    if is_filled(answer.error) {
        return Glance::Error;
    }
    answer.note(facts);
    let mut calls = 0;
    let parts = answer.take_parts(&mut calls).unwrap_or_default();
    facts.finish = answer.finish(calls);
    let is_answer = |part: &Part| !matches!(part, Part::Thinking(_));
    if parts.iter().any(is_answer) {
        Glance::Content
    } else {
        Glance::Life
    }
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Option<Reply> {
    let mut answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let mut calls = 0;
    let parts = answer.take_parts(&mut calls).ok()?;
    Some(Reply {
        model: answer.model.as_deref().unwrap_or_default().to_owned(),
        parts,
        finish: answer.finish(calls),
        usage: answer.usage(),
        ..Reply::default()
    })
}

/// Reads a stream: a run of partial answers, one a line.
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
        let mut answer: Answer<'_> = match parse(data) {
            Ok(answer) => answer,
            Err(Glance::Quiet) => return Err(Untranslatable(())),
            Err(glance) => return Ok(glance),
        };
        if name == b"error" || is_filled(answer.error) {
            return Ok(Glance::Error);
        }
        answer.note(facts);
        if !self.started {
            self.started = true;
            out.push(StreamEvent::Start {
                id: String::new(),
                model: answer.model.as_deref().unwrap_or_default().to_owned(),
            });
        }
        let mut index = self.calls;
        let mut glance = Glance::Life;
        for part in answer.take_parts(&mut self.calls)? {
            glance = Glance::Content;
            match part {
                Part::Text(text) => out.push(StreamEvent::Text(text.text)),
                Part::Thinking(thinking) => out.push(StreamEvent::Thinking(thinking.text)),
                Part::ToolCall(call) => {
                    out.extend(StreamEvent::whole_call(index, call));
                    index = index.saturating_add(1);
                }
                _ => {}
            }
        }
        if let Some(reason) = answer.finish(self.calls) {
            self.finished = true;
            facts.finish = Some(reason);
            out.push(StreamEvent::Usage(answer.usage()));
            out.push(StreamEvent::Finish {
                reason,
                stop_sequence: None,
            });
        }
        Ok(glance)
    }

    fn take_text(&mut self, _text: &str) -> bool {
        true
    }

    fn is_complete(&self) -> bool {
        self.finished
    }
}
