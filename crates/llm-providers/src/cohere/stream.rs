//! Reads a stream's events.

use super::reply::{CallWire, UsageWire, finish_reason, sources};
use crate::chat::{REPLY_CITATIONS, StreamEvent, lenient};
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, is_done, parse};
use crate::wire::Reader;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    /// An error's, in place of an event.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Delta<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    usage: Option<UsageWire>,
}

/// The shape of its fields depends on the event, so they are read when that is known.
#[derive(Deserialize, Default)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
}

/// Reads a stream.
#[derive(Debug, Default)]
pub(super) struct StreamReader {
    started: bool,
    /// Tool calls so far.
    calls: u32,
    /// The open tool call has had arguments.
    argued: bool,
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
        if is_done(data) {
            return Ok(Glance::End);
        }
        let event: Event<'_> = match parse(data) {
            Ok(event) => event,
            Err(Glance::Quiet) => return Err(Untranslatable(())),
            Err(glance) => return Ok(glance),
        };
        let named = String::from_utf8_lossy(name);
        let kind = event.kind.as_deref().unwrap_or(&named);
        let id = event.id.as_deref().unwrap_or_default();
        let delta = event.delta.unwrap_or_default();
        let message = delta.message.unwrap_or_default();
        if !self.started && kind.contains('-') {
            self.started = true;
            // The model is not told on this wire.
            out.push(StreamEvent::Start {
                id: id.to_owned(),
                model: String::new(),
            });
        }
        match kind {
            "content-start" | "content-delta" => text(message.content, out),
            "tool-plan-delta" => {
                let plan = message.tool_plan.filter(|plan| !plan.is_empty());
                let glance = said(plan.is_some());
                out.extend(plan.map(|plan| StreamEvent::Thinking(plan.into_owned())));
                Ok(glance)
            }
            "tool-call-start" => {
                let call = self.call(message.tool_calls)?;
                out.push(StreamEvent::ToolCall {
                    index: self.calls,
                    id: call.id.clone().unwrap_or_default().into_owned(),
                    name: call
                        .function
                        .as_ref()
                        .and_then(|function| function.name.clone())
                        .unwrap_or_default()
                        .into_owned(),
                });
                self.calls = self.calls.saturating_add(1);
                self.argued = false;
                self.arguments(call, out);
                Ok(Glance::Content)
            }
            "tool-call-delta" => {
                let call = self.call(message.tool_calls)?;
                self.arguments(call, out);
                Ok(Glance::Content)
            }
            "tool-call-end" => {
                // A call without arguments is an empty object, not an empty text.
                if !std::mem::replace(&mut self.argued, true) && self.calls > 0 {
                    out.push(StreamEvent::ToolArguments {
                        index: self.calls.saturating_sub(1),
                        json: "{}".to_owned(),
                    });
                }
                Ok(Glance::Life)
            }
            "citation-start" => {
                let cited = message.citations.map(lenient).unwrap_or_default();
                let (cited, all) = sources(&cited);
                out.extend(cited.into_iter().map(StreamEvent::Citation));
                if !all {
                    facts.drop_once(REPLY_CITATIONS);
                }
                Ok(Glance::Life)
            }
            "message-end" => {
                if let Some(usage) = delta.usage {
                    facts.usage = usage.into_usage();
                    out.push(StreamEvent::Usage(facts.usage));
                }
                let Some(reason) = delta.finish_reason.as_deref() else {
                    return Ok(Glance::Life);
                };
                let Some(reason) = finish_reason(reason) else {
                    return Ok(Glance::Error);
                };
                self.finished = true;
                facts.finish = Some(reason);
                out.push(StreamEvent::Finish {
                    reason,
                    stop_sequence: None,
                });
                Ok(Glance::End)
            }
            "message-start" | "content-end" | "citation-end" => Ok(Glance::Life),
            "error" => Ok(Glance::Error),
            _ if event.message.is_some() && !kind.contains('-') => Ok(Glance::Error),
            _ => Ok(Glance::Quiet),
        }
    }

    fn take_text(&mut self, _text: &str) -> bool {
        true
    }

    fn is_complete(&self) -> bool {
        self.finished
    }
}

const fn said(something: bool) -> Glance {
    if something {
        Glance::Content
    } else {
        Glance::Life
    }
}

fn text(content: Option<&RawValue>, out: &mut Vec<StreamEvent>) -> Result<Glance, Untranslatable> {
    let Some(content) = content else {
        return Ok(Glance::Life);
    };
    let content: Text<'_> = serde_json::from_str(content.get()).map_err(|_| Untranslatable(()))?;
    let before = out.len();
    let filled = |text: &Cow<'_, str>| !text.is_empty();
    let thinking = content.thinking.filter(filled).map(Cow::into_owned);
    out.extend(thinking.map(StreamEvent::Thinking));
    let text = content.text.filter(filled).map(Cow::into_owned);
    out.extend(text.map(StreamEvent::Text));
    Ok(said(out.len() > before))
}

impl StreamReader {
    /// A tool call's part. Outside any call it belongs nowhere.
    fn call<'a>(&self, raw: Option<&'a RawValue>) -> Result<CallWire<'a>, Untranslatable> {
        let raw = raw.ok_or(Untranslatable(()))?;
        serde_json::from_str(raw.get()).map_err(|_| Untranslatable(()))
    }

    fn arguments(&mut self, call: CallWire<'_>, out: &mut Vec<StreamEvent>) {
        let arguments = call.function.and_then(|function| function.arguments);
        if let Some(json) = arguments.filter(|json| !json.is_empty()) {
            self.argued = true;
            out.push(StreamEvent::ToolArguments {
                index: self.calls.saturating_sub(1),
                json: json.into_owned(),
            });
        }
    }
}
