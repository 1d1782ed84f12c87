//! Reads an answer, whole or a part of one: on this wire they have the same shape.

use super::citation;
use crate::chat::{
    Citation, FinishReason, Part, REPLY_CITATIONS, Reply, Thinking, ToolCall, Usage, lenient,
};
use crate::codec::safe_id;
use crate::stream::{Facts, Glance, is_filled, parse};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What [`Facts::dropped`] says where the seal on a call's reasoning has no place.
const REPLY_SIGNATURE: &str = "reply.thought_signature";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer<'a> {
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(borrow)]
    prompt_feedback: Option<Feedback<'a>>,
    usage_metadata: Option<UsageWire>,
    #[serde(borrow)]
    pub(super) model_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) response_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    index: Option<u32>,
    #[serde(borrow)]
    content: Option<Content<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    citation_metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    grounding_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    parts: Option<Vec<PartWire<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartWire<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    thought: Option<bool>,
    #[serde(borrow)]
    thought_signature: Option<&'a RawValue>,
    #[serde(borrow)]
    function_call: Option<CallWire<'a>>,
    #[serde(borrow)]
    inline_data: Option<&'a RawValue>,
    #[serde(borrow)]
    file_data: Option<&'a RawValue>,
    #[serde(borrow)]
    executable_code: Option<&'a RawValue>,
    #[serde(borrow)]
    code_execution_result: Option<&'a RawValue>,
    #[serde(borrow)]
    function_response: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_call: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_response: Option<&'a RawValue>,
    #[serde(borrow)]
    audio_transcription: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct CallWire<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(borrow)]
    block_reason: Option<&'a RawValue>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageWire {
    prompt_token_count: Option<u64>,
    tool_use_prompt_token_count: Option<u64>,
    candidates_token_count: Option<u64>,
    thoughts_token_count: Option<u64>,
    cached_content_token_count: Option<u64>,
}

impl UsageWire {
    pub(super) fn into_usage(self) -> Usage {
        let thoughts = self.thoughts_token_count.unwrap_or(0);
        let prompt = self.prompt_token_count.unwrap_or(0);
        let tools = self.tool_use_prompt_token_count.unwrap_or(0);
        let answer = self.candidates_token_count.unwrap_or(0);
        Usage {
            input_tokens: prompt.saturating_add(tools),
            output_tokens: answer.saturating_add(thoughts),
            cache_read_tokens: self.cached_content_token_count.unwrap_or(0),
            cache_write_tokens: 0,
            reasoning_tokens: thoughts,
        }
    }
}

/// One thing that an answer says.
pub(super) enum Said {
    Text(String),
    Thinking(String),
    Call(ToolCall),
    /// A picture, code that the provider ran: the neutral form has no place for it.
    Foreign,
}

/// How a candidate ended.
pub(super) enum End {
    Reason(FinishReason),
    /// The model or the wire broke down: a failure, not an answer.
    Failed,
}

impl<'a> Answer<'a> {
    /// An error object in place of an answer.
    pub(super) fn is_error(&self) -> bool {
        is_filled(self.error)
    }

    /// The prompt was refused, and nothing was answered.
    pub(super) fn is_blocked(&self) -> bool {
        let feedback = self.prompt_feedback.as_ref();
        feedback.is_some_and(|feedback| is_filled(feedback.block_reason))
    }

    /// True where there is more than one answer: the neutral form has no place for it.
    pub(super) fn has_choices(&self) -> bool {
        let candidates = self.candidates.as_deref().unwrap_or_default();
        let numbered = |candidate: &Candidate<'_>| candidate.index.is_some_and(|index| index > 0);
        candidates.len() > 1 || candidates.iter().any(numbered)
    }

    pub(super) fn usage(&self) -> Option<Usage> {
        self.usage_metadata.map(UsageWire::into_usage)
    }

    /// How it ended; `None` while it goes on.
    pub(super) fn end(&self) -> Option<End> {
        let reason = self.candidate()?.finish_reason.as_deref()?;
        (!reason.is_empty()).then(|| end(reason))
    }

    /// Takes out what it says, in order. `calls` counts the calls so far: ids are made of it.
    pub(super) fn take_said(&mut self, calls: &mut u32) -> Vec<Said> {
        let id = self.response_id.clone().unwrap_or_default();
        let parts = self.candidate_mut().and_then(|candidate| {
            let content = candidate.content.take()?;
            content.parts
        });
        let mut said = Vec::new();
        for part in parts.unwrap_or_default() {
            if let Some(call) = part.function_call {
                let call = call.into_call(&id, *calls);
                *calls = calls.saturating_add(1);
                said.push(Said::Call(call));
            } else if part.is_foreign() {
                said.push(Said::Foreign);
            } else if let Some(text) = part.text.filter(|text| !text.is_empty()) {
                let text = text.into_owned();
                said.push(if part.thought == Some(true) {
                    Said::Thinking(text)
                } else {
                    Said::Text(text)
                });
            }
        }
        said
    }

    /// The sources that it names for an answer of this `text`, and whether these are all of them.
    pub(super) fn sources(&self, text: &str) -> (Vec<Citation>, bool) {
        let read = |raw: Option<&RawValue>| {
            let raw = raw.filter(|raw| is_filled(Some(raw)))?;
            Some(lenient::<Value>(raw))
        };
        let candidate = self.candidate();
        let grounding = read(candidate.and_then(|one| one.grounding_metadata));
        let recited = read(candidate.and_then(|one| one.citation_metadata));
        citation::sources(grounding.as_ref(), recited.as_ref(), text)
    }

    /// Notes model, usage and end, and what is about to be lost.
    pub(super) fn note(&self, facts: &mut Facts) {
        facts.note_model(self.model_version.as_deref());
        if let Some(usage) = self.usage() {
            facts.usage = usage;
        }
        if let Some(End::Reason(reason)) = self.end() {
            facts.finish = Some(reason);
        }
        let Some(candidate) = self.candidate() else {
            return;
        };
        let content = candidate.content.as_ref();
        let parts = content.and_then(|content| content.parts.as_deref());
        let sealed = |part: &PartWire<'_>| is_filled(part.thought_signature);
        if parts.unwrap_or_default().iter().any(sealed) {
            facts.drop_once(REPLY_SIGNATURE);
        }
    }

    fn candidate(&self) -> Option<&Candidate<'a>> {
        self.candidates.as_ref()?.first()
    }

    fn candidate_mut(&mut self) -> Option<&mut Candidate<'a>> {
        self.candidates.as_mut()?.first_mut()
    }
}

impl PartWire<'_> {
    fn is_foreign(&self) -> bool {
        [
            self.inline_data,
            self.file_data,
            self.executable_code,
            self.code_execution_result,
            self.function_response,
            self.tool_call,
            self.tool_response,
            self.audio_transcription,
        ]
        .into_iter()
        .any(is_filled)
    }
}

impl CallWire<'_> {
    /// The call. Where it has no id one is made of the answer's, so that no two of a conversation
    /// are alike; at most 40 characters, the most that OpenAI accepts when it comes back.
    fn into_call(self, answer: &str, number: u32) -> ToolCall {
        let id = match self.id.filter(|id| !id.is_empty()) {
            Some(id) => id.into_owned(),
            None => {
                let mut id = safe_id(answer);
                id.truncate(24);
                format!("call_{id}_{number}")
            }
        };
        ToolCall {
            id,
            name: self.name.unwrap_or_default().into_owned(),
            arguments: self.args.map_or("{}", RawValue::get).to_owned(),
        }
    }
}

/// Reads a finish reason (<https://ai.google.dev/api/generate-content#FinishReason>; `FinishReason` in `python-genai` 3.6.1;
/// read 2026-11-26). `STOP` alone says that the answer is whole.
fn end(reason: &str) -> End {
    End::Reason(match reason {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "ESCALATION"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        "FINISH_REASON_UNSPECIFIED"
        | "OTHER"
        | "LANGUAGE"
        | "PUP_LIMITED_DISABLED"
        | "IMAGE_OTHER"
        | "NO_IMAGE"
        | "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE" => return End::Failed,
        // Whatever it means, a part must not pass for the whole.
        _ => FinishReason::Length,
    })
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(super) fn glance(body: &[u8], facts: &mut Facts) -> Glance {
    let mut answer: Answer<'_> = match parse(body) {
        Ok(answer) => answer,
        Err(glance) => return glance,
    };
    if answer.is_error() || answer.is_blocked() || matches!(answer.end(), Some(End::Failed)) {
        return Glance::Error;
    }
    answer.note(facts);
    let said = answer.take_said(&mut 0);
    let is_answer = |said: &Said| !matches!(said, Said::Thinking(_));
    if said.iter().any(is_answer) {
        Glance::Content
    } else {
        Glance::Life
    }
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Option<Reply> {
    let mut answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    if answer.has_choices() {
        return None;
    }
    let mut reply = Reply {
        id: answer.response_id.as_deref().unwrap_or_default().to_owned(),
        model: answer
            .model_version
            .as_deref()
            .unwrap_or_default()
            .to_owned(),
        usage: answer.usage().unwrap_or_default(),
        ..Reply::default()
    };
    let mut calls = 0;
    for said in answer.take_said(&mut calls) {
        match (said, reply.parts.last_mut()) {
            (Said::Text(more), Some(Part::Text(text))) => text.text.push_str(&more),
            (Said::Text(text), _) => reply.parts.push(Part::text(text)),
            (Said::Thinking(more), Some(Part::Thinking(thinking))) => thinking.text.push_str(&more),
            (Said::Thinking(text), _) => reply.parts.push(Part::Thinking(Thinking {
                text,
                signature: None,
            })),
            (Said::Call(call), _) => reply.parts.push(Part::ToolCall(call)),
            (Said::Foreign, _) => return None,
        }
    }
    let (cited, all) = answer.sources(&reply.text());
    reply.citations = cited;
    reply.lose_if(!all, REPLY_CITATIONS);
    reply.finish = match answer.end() {
        Some(End::Reason(FinishReason::Stop)) if calls > 0 => Some(FinishReason::ToolCalls),
        Some(End::Reason(reason)) => Some(reason),
        Some(End::Failed) => return None,
        None => None,
    };
    Some(reply)
}
