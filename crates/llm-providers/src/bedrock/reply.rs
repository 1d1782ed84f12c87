//! Reads a whole answer.

use crate::chat::{
    Citation, FinishReason, Part, REPLY_CITATIONS, Reply, Thinking, ToolCall, Usage, chars,
};
use crate::stream::{Facts, Glance, is_filled, parse};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    output: Option<Output<'a>>,
    #[serde(borrow)]
    stop_reason: Option<Cow<'a, str>>,
    usage: Option<UsageWire>,
    #[serde(borrow, rename = "__type")]
    kind: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Output<'a> {
    #[serde(borrow)]
    message: Option<Content<'a>>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Option<Vec<Block<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tool_use: Option<ToolUse<'a>>,
    #[serde(borrow)]
    reasoning_content: Option<Reasoning<'a>>,
    #[serde(borrow)]
    citations_content: Option<Citations<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse<'a> {
    #[serde(borrow)]
    tool_use_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    /// Of a tool that the provider runs by itself.
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reasoning<'a> {
    #[serde(borrow)]
    reasoning_text: Option<ReasoningText<'a>>,
    #[serde(borrow)]
    redacted_content: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct ReasoningText<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
}

/// A text with where it comes from.
#[derive(Deserialize)]
struct Citations<'a> {
    #[serde(borrow)]
    content: Option<Vec<Generated<'a>>>,
    citations: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct Generated<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageWire {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
}

impl UsageWire {
    /// Cached input is counted apart on this wire.
    pub(super) fn into_usage(self) -> Usage {
        let read = self.cache_read_input_tokens.unwrap_or(0);
        let written = self.cache_write_input_tokens.unwrap_or(0);
        let fresh = self.input_tokens.unwrap_or(0);
        Usage {
            input_tokens: fresh.saturating_add(read).saturating_add(written),
            output_tokens: self.output_tokens.unwrap_or(0),
            cache_read_tokens: read,
            cache_write_tokens: written,
            reasoning_tokens: 0,
        }
    }
}

/// Reads a stop reason; `None` for one that says that the model broke down.
pub(super) fn finish_reason(name: &str) -> Option<FinishReason> {
    Some(match name {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopSequence,
        "max_tokens" | "model_context_window_exceeded" => FinishReason::Length,
        "tool_use" => FinishReason::ToolCalls,
        "guardrail_intervened" | "content_filtered" => FinishReason::ContentFilter,
        "refusal" => FinishReason::Refusal,
        "malformed_model_output" | "malformed_tool_use" => return None,
        _ => FinishReason::Other,
    })
}

/// The source that a citation names, where it has an address. It speaks of the whole block
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Citation.html> and
/// `API_runtime_CitationLocation.html`, read 2026-11-26).
pub(super) fn source(citation: &Value) -> Option<Citation> {
    let text = |of: Option<&Value>| of.and_then(Value::as_str).map(str::to_owned);
    let page = citation.pointer("/location/web/url");
    let url = text(page.or_else(|| citation.get("source")))?;
    if !url.contains("://") {
        return None;
    }
    let mut read = Citation::new(url);
    read.title = text(citation.get("title"));
    // A whole answer has a list of quotations, a stream their pieces.
    read.quote = text(citation.pointer("/sourceContent/0/text"));
    Some(read)
}

/// Looks at a whole answer. `Glance::Life` is one without content.
pub(super) fn glance(body: &[u8], facts: &mut Facts) -> Glance {
    let answer: Answer<'_> = match parse(body) {
        Ok(answer) => answer,
        Err(glance) => return glance,
    };
    let finish = answer.stop_reason.as_deref().map(finish_reason);
    if is_filled(answer.kind) || finish == Some(None) {
        return Glance::Error;
    }
    facts.finish = finish.flatten();
    if let Some(usage) = answer.usage {
        facts.usage = usage.into_usage();
    }
    let blocks = answer.blocks();
    let is_answer = |block: &Block<'_>| block.reasoning_content.is_none() && block.says_something();
    if blocks.iter().any(is_answer) {
        Glance::Content
    } else {
        Glance::Life
    }
}

/// Reads a whole answer.
pub(super) fn decode(body: &[u8]) -> Option<Reply> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let mut reply = Reply {
        usage: answer.usage.map(UsageWire::into_usage).unwrap_or_default(),
        ..Reply::default()
    };
    if let Some(reason) = answer.stop_reason.as_deref() {
        reply.finish = Some(finish_reason(reason)?);
    }
    let mut before = 0;
    for mut block in answer.blocks() {
        let cited = block.citations_content.as_mut();
        let cited = cited.and_then(|cited| cited.citations.take());
        let part = block.into_part()?;
        let after = match &part {
            Some(Part::Text(text)) => before + chars(&text.text),
            _ => before,
        };
        for citation in cited.unwrap_or_default() {
            match source(&citation) {
                Some(citation) => reply.citations.push(citation.of(before..after)),
                None => reply.lose_if(true, REPLY_CITATIONS),
            }
        }
        before = after;
        reply.parts.extend(part);
    }
    Some(reply)
}

impl<'a> Answer<'a> {
    fn blocks(self) -> Vec<Block<'a>> {
        let message = self.output.and_then(|output| output.message);
        message
            .and_then(|message| message.content)
            .unwrap_or_default()
    }
}

impl Block<'_> {
    fn says_something(&self) -> bool {
        self.tool_use.is_some()
            || self.citations_content.is_some()
            || self.text.as_deref().is_some_and(|text| !text.is_empty())
    }

    /// The block as a part, or nothing where it is empty. `None` for a block of an unknown sort.
    fn into_part(self) -> Option<Option<Part>> {
        if let Some(text) = self.text {
            return Some((!text.is_empty()).then(|| Part::text(text)));
        }
        if let Some(call) = self.tool_use {
            if is_filled(call.kind) {
                return None;
            }
            return Some(Some(Part::ToolCall(ToolCall {
                id: call.tool_use_id.unwrap_or_default().into_owned(),
                name: call.name.unwrap_or_default().into_owned(),
                arguments: call.input.map_or("{}", RawValue::get).to_owned(),
            })));
        }
        if let Some(reasoning) = self.reasoning_content {
            if let Some(data) = reasoning.redacted_content {
                return Some(Some(Part::RedactedThinking(data.into_owned())));
            }
            let text = reasoning.reasoning_text?;
            return Some(Some(Part::Thinking(Thinking {
                text: text.text.unwrap_or_default().into_owned(),
                signature: text.signature.map(Cow::into_owned),
            })));
        }
        let cited = self.citations_content?.content.unwrap_or_default();
        let texts = cited.into_iter().filter_map(|generated| generated.text);
        Some(Some(Part::text(texts.collect::<String>())))
    }
}
