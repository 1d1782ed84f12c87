//! Writes a request body.

use super::strict::is_strict;
use crate::chat::{
    Effort, Message, Part, Reasoning, Request, ResponseFormat, Role, Source, Tool, ToolChoice,
};
use crate::codec::{Encoded, Object, bounded_id, note};
use crate::openai::extra::{extra_for, is_native};
use crate::openai::model::{BesideTools, Model};
use crate::openai::quirk::{MaxTokensField, Quirks, ReasoningField, short_call_id};
use crate::openai::thoughts::NO_THOUGHTS;
use crate::wire::Dialect;
use serde_json::{Value, json};

/// OpenAI accepts this many stop sequences.
const MAX_STOPS: usize = 4;
/// OpenAI accepts end-user names up to this length.
const MAX_USER_BYTES: usize = 64;

/// OpenAI accepts names of tool calls up to this length; other servers make longer ones
/// (<https://github.com/openclaw/openclaw/pull/875>, <https://github.com/agno-agi/agno/issues/5382>, read 2026-11-26).
const MAX_CALL_ID_BYTES: usize = 40;

/// Writes a request for `model`.
#[must_use]
pub fn encode_request(request: &Request, model: &str, quirks: Quirks) -> Encoded {
    let quirks = quirks.for_model(model);
    let mut dropped = request.lost.clone();
    let mut out = Object::default();
    let closely = quirks == Quirks::OPENAI;
    out.0 = extra_for(Dialect::OpenAiChat, closely, request, &mut dropped);
    let native = is_native(request);
    out.set("model", model);
    let mut messages = Vec::with_capacity(request.messages.len());
    let awake = request.reasoning.is_none_or(|reasoning| !reasoning.off);
    // The beginning of an answer has no reasoning before it.
    let ended = request.messages.len().saturating_sub(1);
    for (at, message) in request.messages.iter().enumerate() {
        let thinks = quirks.thoughts_return && awake && at < ended;
        encode_message(message, quirks, thinks, &mut messages, &mut dropped);
    }
    out.set("messages", messages);
    if !request.tools.is_empty() {
        let only = match &request.tool_choice {
            Some(ToolChoice::Tool(name)) if !quirks.named_tool => Some(name),
            _ => None,
        };
        let offered = request.tools.iter();
        let offered = offered.filter(|tool| only.is_none_or(|name| *name == tool.name));
        let tools: Vec<Value> = offered
            .map(|tool| encode_tool(tool, native, &mut dropped))
            .collect();
        out.set("tools", tools);
        let choice = match only {
            Some(_) => Some(json!("required")),
            None => request.tool_choice.as_ref().map(encode_tool_choice),
        };
        out.set_some("tool_choice", choice);
        out.set_some("parallel_tool_calls", request.parallel_tool_calls);
    }
    if let Some(format) = &request.response_format {
        out.set(
            "response_format",
            encode_format(format, native, &mut dropped),
        );
    }
    let max_tokens = match quirks.max_tokens {
        MaxTokensField::MaxTokens => "max_tokens",
        MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    out.set_some(max_tokens, request.max_tokens);
    let known = Model::named(model);
    let reasons = known.reasons();
    if native || known.samples(request.reasoning) {
        let highest = quirks.max_temperature;
        let too_hot = request.temperature.is_some_and(|t| t > highest);
        note(&mut dropped, too_hot, "temperature");
        out.set_some("temperature", request.temperature.map(|t| t.min(highest)));
        out.set_some("top_p", request.top_p);
    } else {
        let unusual = |wished: Option<f64>| wished.is_some_and(|wished| wished != 1.0);
        note(&mut dropped, unusual(request.temperature), "temperature");
        note(&mut dropped, unusual(request.top_p), "top_p");
    }
    note(&mut dropped, request.top_k.is_some(), "top_k");
    let stops = quirks.stop && (native || known.stops());
    if !request.stop.is_empty() && !stops {
        dropped.push("stop");
    } else if !request.stop.is_empty() {
        note(&mut dropped, request.stop.len() > MAX_STOPS, "stop");
        let stops: Vec<_> = request.stop.iter().take(MAX_STOPS).cloned().collect();
        out.set("stop", stops);
    }
    match quirks.seed {
        Some(seed) => out.set_some(seed, request.seed),
        None => note(&mut dropped, request.seed.is_some(), "seed"),
    }
    for (name, penalty) in [
        ("presence_penalty", request.presence_penalty),
        ("frequency_penalty", request.frequency_penalty),
    ] {
        if quirks.penalties {
            out.set_some(name, penalty);
        } else {
            note(&mut dropped, penalty.is_some(), name);
        }
    }
    let beside_tools = known.beside_tools();
    let bound = beside_tools != BesideTools::Anything
        && quirks.reasoning == ReasoningField::Effort
        && !request.tools.is_empty()
        && request.extra_dialect != Some(Dialect::OpenAiChat);
    if bound {
        let effort = beside_tools == BesideTools::None;
        out.set_some("reasoning_effort", effort.then_some("none"));
        let wished = request.reasoning.filter(|reasoning| !reasoning.off);
        note(&mut dropped, wished.is_some(), "reasoning");
    } else if let Some(reasoning) = request.reasoning {
        let effort = effort(reasoning, native, known);
        match quirks.reasoning {
            ReasoningField::Effort if native || reasons => out.set_some("reasoning_effort", effort),
            ReasoningField::Switch => {
                let switch = if reasoning.off { "disabled" } else { "enabled" };
                out.set("thinking", json!({"type": switch}));
                out.set_some("reasoning_effort", effort.filter(|_| !reasoning.off));
            }
            ReasoningField::Object => out.set("reasoning", reasoning_object(reasoning, effort)),
            ReasoningField::Effort | ReasoningField::None => {
                note(&mut dropped, !reasoning.off, "reasoning");
            }
        }
    }
    match &request.user {
        Some(user) if !quirks.user || (!native && user.len() > MAX_USER_BYTES) => {
            dropped.push("user");
        }
        user => out.set_some("user", user.clone()),
    }
    if !request.metadata.is_empty() {
        out.set("metadata", json!(request.metadata));
    }
    if request.stream {
        out.set("stream", true);
        // Callers of every other wire are told without asking.
        let asked = request.include_usage
            || request
                .extra_dialect
                .is_some_and(|from| from != Dialect::OpenAiChat);
        if quirks.stream_usage && asked {
            out.set("stream_options", json!({"include_usage": true}));
        }
    }
    Encoded {
        body: out.into_bytes(),
        dropped,
    }
}

/// An effort or a budget, one of the two; neither asks for what is usual.
fn reasoning_object(reasoning: Reasoning, effort: Option<&'static str>) -> Value {
    match (reasoning.budget_tokens, effort) {
        _ if reasoning.off => json!({"effort": "none"}),
        (Some(budget), _) => json!({"max_tokens": budget}),
        (None, Some(effort)) => json!({"effort": effort}),
        (None, None) => json!({"enabled": true}),
    }
}

/// A wish for reasoning as both of OpenAI's wires grade it. `None` where none is wished for and the model knows no way to say
/// so.
pub(crate) fn effort(reasoning: Reasoning, native: bool, model: Model) -> Option<&'static str> {
    let effort = match (reasoning.effort, reasoning.budget_tokens) {
        _ if reasoning.off && !native => {
            return model.can_rest().then_some(Effort::None.as_str());
        }
        (Some(effort), _) => effort,
        (None, Some(0..=2_048)) => Effort::Low,
        (None, Some(2_049..=8_192)) => Effort::Medium,
        (None, Some(_)) => Effort::High,
        (None, None) => return None,
    };
    let effort = match effort {
        Effort::ExtraHigh | Effort::Max if !native => Effort::High,
        other => other,
    };
    Some(effort.as_str())
}

fn encode_tool(tool: &Tool, native: bool, dropped: &mut Vec<&'static str>) -> Value {
    note(dropped, tool.cache_control.is_some(), "cache_control");
    let mut function = Object::default();
    function.set("name", tool.name.as_str());
    function.set_some("description", tool.description.clone());
    function.set("parameters", tool.parameters.clone());
    let strict = strict(tool.strict, &tool.parameters, native, dropped);
    function.set_some("strict", strict);
    json!({"type": "function", "function": function.0})
}

/// Whether a schema is to be kept to the letter. This wire refuses to where the schema is not of a
/// narrow form, which callers of other wires need not follow.
fn strict(
    wished: Option<bool>,
    schema: &Value,
    native: bool,
    dropped: &mut Vec<&'static str>,
) -> Option<bool> {
    let refused = wished == Some(true) && !native && !is_strict(schema);
    note(dropped, refused, "strict");
    wished.filter(|_| !refused)
}

fn encode_tool_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => json!({"type": "function", "function": {"name": name}}),
    }
}

fn encode_format(format: &ResponseFormat, native: bool, dropped: &mut Vec<&'static str>) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema(schema) => {
            let mut inner = Object::default();
            inner.set("name", schema.name.as_str());
            inner.set_some("description", schema.description.clone());
            inner.set("schema", schema.schema.clone());
            let strict = strict(schema.strict, &schema.schema, native, dropped);
            inner.set_some("strict", strict);
            json!({"type": "json_schema", "json_schema": inner.0})
        }
    }
}

/// Writes one turn: tool results become messages of their own, before what else the turn says. `thinks` tells that a turn
/// of the model is to come with its reasoning.
fn encode_message(
    message: &Message,
    quirks: Quirks,
    thinks: bool,
    out: &mut Vec<Value>,
    dropped: &mut Vec<&'static str>,
) {
    let call_id = |id: &str| {
        if quirks.short_call_ids {
            short_call_id(id)
        } else {
            bounded_id(id, MAX_CALL_ID_BYTES)
        }
    };
    let mut content = Vec::new();
    let mut calls = Vec::new();
    let mut refusal = None;
    let thinks = thinks && message.role == Role::Assistant;
    let mut thoughts = Vec::new();
    for part in &message.parts {
        match part {
            Part::Thinking(thinking) if thinks => thoughts.push(thinking.text.as_str()),
            Part::ToolResult(result) => {
                note(dropped, result.is_error, "tool_result.is_error");
                let mut texts = Vec::new();
                for part in &result.parts {
                    match part {
                        Part::Text(text) => texts.push(text.text.as_str()),
                        // Results are text here; a picture follows as the user's.
                        other => content.extend(encode_part(other, dropped)),
                    }
                }
                out.push(json!({
                    "role": "tool",
                    "tool_call_id": call_id(&result.id),
                    "content": texts.join("\n"),
                }));
            }
            Part::ToolCall(call) => calls.push(json!({
                "id": call_id(&call.id),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            })),
            Part::Refusal(text) if message.role == Role::Assistant && !quirks.closed => {
                refusal = Some(text.clone());
            }
            other => content.extend(encode_part(other, dropped)),
        }
    }
    if content.is_empty() && calls.is_empty() && refusal.is_none() {
        if message
            .parts
            .iter()
            .any(|part| matches!(part, Part::ToolResult(_)))
        {
            return;
        }
        content.push(json!({"type": "text", "text": ""}));
    }
    let mut turn = Object::default();
    turn.set(
        "role",
        match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        },
    );
    note(
        dropped,
        message.name.is_some() && !quirks.names,
        "messages.name",
    );
    turn.set_some("name", message.name.clone().filter(|_| quirks.names));
    turn.set("content", simplest(content));
    turn.set_some("refusal", refusal);
    let thoughts = thoughts.join("\n");
    let thoughts = if thoughts.is_empty() {
        NO_THOUGHTS
    } else {
        &thoughts
    };
    turn.set_some("reasoning_content", thinks.then_some(thoughts));
    if !calls.is_empty() {
        turn.set("tool_calls", calls);
    }
    out.push(turn.0.into());
}

/// One text alone is written as a string, nothing as null.
fn simplest(mut content: Vec<Value>) -> Value {
    if content.len() > 1 {
        return content.into();
    }
    match content.pop() {
        None => Value::Null,
        Some(Value::Object(mut part)) => match part.remove("text") {
            Some(text) => text,
            None => vec![Value::Object(part)].into(),
        },
        Some(other) => vec![other].into(),
    }
}

fn encode_part(part: &Part, dropped: &mut Vec<&'static str>) -> Option<Value> {
    match part {
        Part::Text(text) => {
            note(dropped, text.cache_control.is_some(), "cache_control");
            Some(json!({"type": "text", "text": text.text}))
        }
        Part::Refusal(text) => Some(json!({"type": "text", "text": text})),
        Part::Image(image) => {
            let Some(url) = image.source.to_url() else {
                dropped.push("messages.image.file_id");
                return None;
            };
            let mut inner = Object::default();
            inner.set("url", url);
            inner.set_some("detail", image.detail.clone());
            Some(json!({"type": "image_url", "image_url": inner.0}))
        }
        Part::Audio(audio) => Some(json!({
            "type": "input_audio",
            "input_audio": {"data": audio.data, "format": audio.format},
        })),
        Part::Document(document) => {
            let mut file = Object::default();
            match &document.source {
                Source::Base64 { .. } => {
                    file.set_some("file_data", document.source.to_url());
                    let name = document.name.as_deref().unwrap_or("document.pdf");
                    file.set("filename", name);
                }
                Source::FileId(id) => {
                    file.set("file_id", id.as_str());
                    file.set_some("filename", document.name.clone());
                }
                Source::Url(_) => {
                    dropped.push("messages.document.url");
                    return None;
                }
            }
            Some(json!({"type": "file", "file": file.0}))
        }
        Part::Thinking(_) | Part::RedactedThinking(_) => {
            dropped.push("messages.thinking");
            None
        }
        Part::ToolCall(_) | Part::ToolResult(_) => None,
    }
}
