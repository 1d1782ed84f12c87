//! Writes a request body.

use crate::chat::{
    Effort, Message, Part, Reasoning, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use crate::codec::{Encoded, Object, field_name, note};
use serde_json::{Value, json};

/// The wire accepts this many stop sequences.
const MAX_STOPS: usize = 5;
/// Penalties lie between 0.0 and 1.0 here.
const PENALTIES: std::ops::RangeInclusive<f64> = 0.0..=1.0;

/// Writes a request for `model`.
pub(super) fn encode_request(request: &Request, model: &str) -> Encoded {
    let mut dropped = request.lost.clone();
    dropped.extend(request.extra.keys().map(|key| field_name(key)));
    let mut out = Object::default();
    out.set("model", model);
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        encode_message(message, &mut messages, &mut dropped);
    }
    out.set("messages", messages);
    out.set("stream", request.stream);
    encode_tools(request, &mut out, &mut dropped);
    match &request.response_format {
        // Named so in `cohere-python`, which is made from the API's definition
        // (`types/json_response_format_v2.py`); the examples of
        // <https://docs.cohere.com/v2/docs/parameter-types-in-json> still write `schema`, the name of the first
        // version's wire. Both read 2026-11-26.
        Some(ResponseFormat::JsonSchema(schema)) => out.set(
            "response_format",
            json!({"type": "json_object", "json_schema": schema.schema}),
        ),
        Some(ResponseFormat::JsonObject) => {
            out.set("response_format", json!({"type": "json_object"}));
        }
        Some(ResponseFormat::Text) | None => {}
    }
    out.set_some("max_tokens", request.max_tokens);
    if let Some(temperature) = request.temperature {
        note(&mut dropped, temperature > 1.0, "temperature");
        out.set("temperature", temperature.min(1.0));
    }
    // Between 0.01 and 0.99 here.
    out.set_some("p", request.top_p.map(|p| p.clamp(0.01, 0.99)));
    out.set_some("k", request.top_k);
    if !request.stop.is_empty() {
        note(&mut dropped, request.stop.len() > MAX_STOPS, "stop");
        let stops: Vec<_> = request.stop.iter().take(MAX_STOPS).cloned().collect();
        out.set("stop_sequences", stops);
    }
    match request.seed.map(u64::try_from) {
        Some(Ok(seed)) => out.set("seed", seed),
        Some(Err(_)) => dropped.push("seed"),
        None => {}
    }
    for (name, penalty) in [
        ("presence_penalty", request.presence_penalty),
        ("frequency_penalty", request.frequency_penalty),
    ] {
        let fits = penalty.filter(|penalty| PENALTIES.contains(penalty));
        note(&mut dropped, fits != penalty, name);
        out.set_some(name, fits);
    }
    if let Some(reasoning) = request.reasoning {
        encode_thinking(reasoning, model, &mut out, &mut dropped);
    }
    note(&mut dropped, request.user.is_some(), "user");
    note(&mut dropped, !request.metadata.is_empty(), "metadata");
    Encoded {
        body: out.into_bytes(),
        dropped,
    }
}

/// Models that reason do so unless it is switched off; others refuse the field
/// (<https://docs.cohere.com/docs/reasoning>, read 2026-11-26).
fn encode_thinking(
    reasoning: Reasoning,
    model: &str,
    out: &mut Object,
    dropped: &mut Vec<&'static str>,
) {
    let off = reasoning.off || reasoning.effort == Some(Effort::None);
    if !model.contains("reasoning") {
        note(dropped, !off, "reasoning");
    } else if off {
        out.set("thinking", json!({"type": "disabled"}));
    } else {
        let mut thinking = Object::default();
        thinking.set("type", "enabled");
        thinking.set_some("token_budget", reasoning.budget_tokens);
        out.set("thinking", thinking.0);
    }
}

fn encode_tools(request: &Request, out: &mut Object, dropped: &mut Vec<&'static str>) {
    if request.tools.is_empty() {
        return;
    }
    let tools: Vec<_> = request
        .tools
        .iter()
        .map(|tool| encode_tool(tool, dropped))
        .collect();
    out.set("tools", tools);
    // All tools are strict here or none is.
    let strict = request.tools.iter().all(|tool| tool.strict == Some(true));
    let some = request.tools.iter().any(|tool| tool.strict == Some(true));
    out.set_some("strict_tools", strict.then_some(true));
    note(dropped, some && !strict, "strict");
    let serial = request.parallel_tool_calls == Some(false);
    note(dropped, serial, "parallel_tool_calls");
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => out.set("tool_choice", "NONE"),
        Some(ToolChoice::Required) => out.set("tool_choice", "REQUIRED"),
        // One tool alone cannot be named: it is the only one that is offered.
        Some(ToolChoice::Tool(name)) => {
            if let Some(Value::Array(tools)) = out.0.get_mut("tools") {
                tools.retain(|tool| tool.pointer("/function/name") == Some(&json!(name)));
            }
            out.set("tool_choice", "REQUIRED");
        }
    }
}

fn encode_tool(tool: &Tool, dropped: &mut Vec<&'static str>) -> Value {
    note(dropped, tool.cache_control.is_some(), "cache_control");
    let mut function = Object::default();
    function.set("name", tool.name.as_str());
    function.set_some("description", tool.description.clone());
    function.set("parameters", tool.parameters.clone());
    json!({"type": "function", "function": function.0})
}

/// Writes one turn: tool results become messages of their own, before what else the turn says.
fn encode_message(message: &Message, out: &mut Vec<Value>, dropped: &mut Vec<&'static str>) {
    note(dropped, message.name.is_some(), "messages.name");
    let mut content = Vec::new();
    let mut calls = Vec::new();
    let mut plan = String::new();
    for part in &message.parts {
        match part {
            Part::ToolResult(result) => {
                note(dropped, result.is_error, "tool_result.is_error");
                let mut text = String::new();
                for part in &result.parts {
                    match part {
                        Part::Text(more) => text.push_str(&more.text),
                        // Results are text here; a picture follows as the user's.
                        other => content.extend(encode_part(other, dropped)),
                    }
                }
                out.push(json!({"role": "tool", "tool_call_id": result.id, "content": text}));
            }
            Part::ToolCall(call) => calls.push(json!({
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            })),
            Part::Thinking(thinking) if message.role == Role::Assistant => {
                plan.push_str(&thinking.text);
            }
            other => content.extend(encode_part(other, dropped)),
        }
    }
    if content.is_empty() && calls.is_empty() {
        return;
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
    if !content.is_empty() {
        turn.set("content", content);
    }
    if calls.is_empty() {
        note(dropped, !plan.is_empty(), "messages.thinking");
    } else {
        turn.set("tool_calls", calls);
        turn.set_some("tool_plan", Some(plan).filter(|plan| !plan.is_empty()));
    }
    out.push(turn.0.into());
}

fn encode_part(part: &Part, dropped: &mut Vec<&'static str>) -> Option<Value> {
    match part {
        Part::Text(text) => {
            note(dropped, text.cache_control.is_some(), "cache_control");
            (!text.text.is_empty()).then(|| json!({"type": "text", "text": text.text}))
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
        Part::Audio(_) => {
            dropped.push("messages.audio");
            None
        }
        // Documents are texts beside the conversation here, and none of its turns.
        Part::Document(_) => {
            dropped.push("messages.document");
            None
        }
        Part::Thinking(_) | Part::RedactedThinking(_) => {
            dropped.push("messages.thinking");
            None
        }
        Part::ToolCall(_) | Part::ToolResult(_) => None,
    }
}
