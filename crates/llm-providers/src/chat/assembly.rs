//! A whole answer out of a stream's steps, and a stream's steps out of a whole answer.

use super::citation::{Citation, chars};
use super::event::StreamEvent;
use super::message::{Part, Thinking};
use super::reply::{FinishReason, Reply};
use super::tool::ToolCall;

/// Puts a whole answer together from the steps of a stream.
///
/// ```
/// use llm_providers::chat::{Assembly, StreamEvent};
///
/// let mut assembly = Assembly::default();
/// assembly.push(StreamEvent::Text("Hello ".into()));
/// assembly.push(StreamEvent::Text("there".into()));
/// assert_eq!(assembly.finish().text(), "Hello there");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Assembly {
    reply: Reply,
}

impl Assembly {
    /// Takes the next step.
    pub fn push(&mut self, event: StreamEvent) {
        let parts = &mut self.reply.parts;
        match event {
            StreamEvent::Start { id, model } => {
                self.reply.id = id;
                self.reply.model = model;
            }
            StreamEvent::Text(more) => match parts.last_mut() {
                Some(Part::Text(text)) => text.text.push_str(&more),
                _ => parts.push(Part::text(more)),
            },
            StreamEvent::Refusal(more) => match parts.last_mut() {
                Some(Part::Refusal(text)) => text.push_str(&more),
                _ => parts.push(Part::Refusal(more)),
            },
            StreamEvent::Thinking(more) => match parts.last_mut() {
                Some(Part::Thinking(thinking)) if thinking.signature.is_none() => {
                    thinking.text.push_str(&more);
                }
                _ => parts.push(Part::Thinking(Thinking {
                    text: more,
                    signature: None,
                })),
            },
            StreamEvent::ThinkingSignature(more) => match parts.last_mut() {
                Some(Part::Thinking(thinking)) => {
                    thinking.signature.get_or_insert_default().push_str(&more);
                }
                _ => parts.push(Part::Thinking(Thinking {
                    text: String::new(),
                    signature: Some(more),
                })),
            },
            StreamEvent::RedactedThinking(data) => parts.push(Part::RedactedThinking(data)),
            StreamEvent::ToolCall { id, name, .. } => parts.push(Part::ToolCall(ToolCall {
                id,
                name,
                arguments: String::new(),
            })),
            StreamEvent::ToolArguments { index, json } => {
                let mut calls = parts.iter_mut().filter_map(|part| match part {
                    Part::ToolCall(call) => Some(call),
                    _ => None,
                });
                if let Some(call) = calls.nth(index as usize) {
                    call.arguments.push_str(&json);
                }
            }
            StreamEvent::Citation(citation) => self.reply.citations.push(citation),
            StreamEvent::Finish {
                reason,
                stop_sequence,
            } => {
                self.reply.finish = Some(reason);
                self.reply.stop_sequence = stop_sequence;
            }
            StreamEvent::Usage(usage) => self.reply.usage = usage,
            StreamEvent::End => {}
        }
    }

    /// The answer so far.
    #[must_use]
    pub fn finish(self) -> Reply {
        self.reply
    }
}

impl Reply {
    /// The whole answer as the steps of a stream.
    #[must_use]
    pub fn events(&self) -> Vec<StreamEvent> {
        let mut events = vec![StreamEvent::Start {
            id: self.id.clone(),
            model: self.model.clone(),
        }];
        let mut calls = 0;
        let mut said = 0;
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    events.push(StreamEvent::Text(text.text.clone()));
                    // What is cited of it comes before anything else is said.
                    let from = said;
                    said += chars(&text.text);
                    let of_it = |cited: &&Citation| cited.end > from && cited.end <= said;
                    let cited = self.citations.iter().filter(of_it).cloned();
                    events.extend(cited.map(StreamEvent::Citation));
                }
                Part::Refusal(text) => events.push(StreamEvent::Refusal(text.clone())),
                Part::Thinking(thinking) => {
                    events.push(StreamEvent::Thinking(thinking.text.clone()));
                    let signature = thinking.signature.clone();
                    events.extend(signature.map(StreamEvent::ThinkingSignature));
                }
                Part::RedactedThinking(data) => {
                    events.push(StreamEvent::RedactedThinking(data.clone()));
                }
                Part::ToolCall(call) => {
                    events.push(StreamEvent::ToolCall {
                        index: calls,
                        id: call.id.clone(),
                        name: call.name.clone(),
                    });
                    events.push(StreamEvent::ToolArguments {
                        index: calls,
                        json: call.arguments.clone(),
                    });
                    calls += 1;
                }
                // An answer holds none of these on any wire.
                Part::Image(_) | Part::Audio(_) | Part::Document(_) | Part::ToolResult(_) => {}
            }
        }
        let elsewhere = |cited: &&Citation| cited.end == 0 || cited.end > said;
        let cited = self.citations.iter().filter(elsewhere).cloned();
        events.extend(cited.map(StreamEvent::Citation));
        events.push(StreamEvent::Usage(self.usage));
        events.push(StreamEvent::Finish {
            reason: self.finish.unwrap_or(FinishReason::Stop),
            stop_sequence: self.stop_sequence.clone(),
        });
        events.push(StreamEvent::End);
        events
    }
}
