//! Reads a whole answer.

use crate::chat::{
    Citation, FinishReason, Part, REPLY_CITATIONS, Reply, Thinking, ToolCall, Usage, lenient,
    number,
};
use crate::stream::{Facts, Glance, is_filled, parse};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Option<RawMessage<'a>>,
    #[serde(borrow)]
    finish_reason: Option<Cow<'a, str>>,
    usage: Option<UsageWire>,
}

/// Where it is a text, it is an error's.
#[derive(Deserialize)]
#[serde(transparent)]
struct RawMessage<'a>(#[serde(borrow)] &'a RawValue);

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow)]
    tool_plan: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<CallWire<'a>>>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    thinking: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
pub(super) struct CallWire<'a> {
    #[serde(borrow)]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) function: Option<FunctionWire<'a>>,
}

#[derive(Deserialize)]
pub(super) struct FunctionWire<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) arguments: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(default)]
pub(super) struct UsageWire {
    tokens: Option<Tokens>,
    billed_units: Option<Tokens>,
    cached_tokens: Option<f64>,
}

/// The documentation writes whole numbers, the types allow fractions.
#[derive(Deserialize, Clone, Copy, Default)]
#[serde(default)]
struct Tokens {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
}

impl UsageWire {
    pub(super) fn into_usage(self) -> Usage {
        let tokens = self.tokens.or(self.billed_units).unwrap_or_default();
        Usage {
            input_tokens: whole(tokens.input_tokens),
            output_tokens: whole(tokens.output_tokens),
            cache_read_tokens: whole(self.cached_tokens),
            ..Usage::default()
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates, and counts of tokens are far below 2^53"
)]
fn whole(count: Option<f64>) -> u64 {
    count.unwrap_or(0.0).round() as u64
}

/// Reads a finish reason; `None` for one that says that the generation failed.
pub(super) fn finish_reason(name: &str) -> Option<FinishReason> {
    Some(match name {
        "COMPLETE" => FinishReason::Stop,
        "STOP_SEQUENCE" => FinishReason::StopSequence,
        "MAX_TOKENS" => FinishReason::Length,
        "TOOL_CALL" => FinishReason::ToolCalls,
        "ERROR" | "ERROR_TOXIC" | "ERROR_LIMIT" | "TIMEOUT" => return None,
        _ => FinishReason::Other,
    })
}

impl<'a> Answer<'a> {
    fn message(&self) -> Option<Message<'a>> {
        serde_json::from_str(self.message.as_ref()?.0.get()).ok()
    }
}

/// The sources that one citation names, and whether these are all of them. What is cited by the model's plan is no part
/// of the text.
pub(super) fn sources(citation: &Value) -> (Vec<Citation>, bool) {
    let kind = citation.get("type").and_then(Value::as_str);
    if kind.is_some_and(|kind| kind != "TEXT_CONTENT") {
        return (Vec::new(), false);
    }
    let start = number(citation, "start").unwrap_or(0);
    let end = number(citation, "end").unwrap_or(0);
    let list = citation.get("sources").and_then(Value::as_array);
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let read = |source: &Value| {
        let document = source
            .get("document")
            .or_else(|| source.get("tool_output"))?;
        let citation = Citation::read(document, "url", "title", "snippet")?;
        Some(citation.of(start..end))
    };
    let cited: Vec<_> = list.iter().filter_map(read).collect();
    let all = cited.len() == list.len();
    (cited, all)
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(super) fn glance(body: &[u8], facts: &mut Facts) -> Glance {
    let answer: Answer<'_> = match parse(body) {
        Ok(answer) => answer,
        Err(glance) => return glance,
    };
    let finish = answer.finish_reason.as_deref().map(finish_reason);
    let Some(message) = answer.message().filter(|_| finish != Some(None)) else {
        return Glance::Error;
    };
    facts.finish = finish.flatten();
    if let Some(usage) = answer.usage {
        facts.usage = usage.into_usage();
    }
    let filled = |text: &Option<Cow<'_, str>>| text.as_deref().is_some_and(|text| !text.is_empty());
    let texts = message.content.unwrap_or_default();
    let calls = message.tool_calls.unwrap_or_default();
    if !calls.is_empty() || texts.iter().any(|block| filled(&block.text)) {
        Glance::Content
    } else {
        Glance::Life
    }
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Option<Reply> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let message = answer.message()?;
    let mut reply = Reply {
        id: answer.id.unwrap_or_default().into_owned(),
        usage: answer.usage.map(UsageWire::into_usage).unwrap_or_default(),
        ..Reply::default()
    };
    if let Some(reason) = answer.finish_reason.as_deref() {
        reply.finish = Some(finish_reason(reason)?);
    }
    let thinking = |text: Cow<'_, str>| {
        Part::Thinking(Thinking {
            text: text.into_owned(),
            signature: None,
        })
    };
    let filled = |text: &Cow<'_, str>| !text.is_empty();
    let cited = message.citations;
    reply
        .parts
        .extend(message.tool_plan.filter(filled).map(thinking));
    for block in message.content.unwrap_or_default() {
        let parts = &mut reply.parts;
        parts.extend(block.thinking.filter(filled).map(thinking));
        parts.extend(block.text.filter(filled).map(Part::text));
    }
    if let Some(raw) = cited.filter(|raw| is_filled(Some(raw))) {
        for citation in lenient::<Vec<Value>>(raw) {
            let (cited, all) = sources(&citation);
            reply.citations.extend(cited);
            reply.lose_if(!all, REPLY_CITATIONS);
        }
    }
    for call in message.tool_calls.unwrap_or_default() {
        let function = call.function?;
        reply.parts.push(Part::ToolCall(ToolCall {
            id: call.id.unwrap_or_default().into_owned(),
            name: function.name.unwrap_or_default().into_owned(),
            arguments: function.arguments.unwrap_or_default().into_owned(),
        }));
    }
    Some(reply)
}
