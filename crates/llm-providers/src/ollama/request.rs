//! Writes a request body.

use crate::chat::{
    Effort, Message, Part, Reasoning, Request, ResponseFormat, Role, Source, Tool, ToolChoice,
    name_of_call,
};
use crate::codec::{Encoded, Object, field_name, note};
use serde_json::{Value, json};

/// Writes a request for `model`.
pub(super) fn encode_request(request: &Request, model: &str) -> Encoded {
    let mut dropped = request.lost.clone();
    dropped.extend(request.extra.keys().map(|key| field_name(key)));
    let mut out = Object::default();
    out.set("model", model);
    let mut messages = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        encode_message(message, &request.messages, &mut messages, &mut dropped);
    }
    out.set("messages", messages);
    // Streams are the default here.
    out.set("stream", request.stream);
    // A prompt that is too long is refused, as by all others; what is usual here leaves out its beginning and says nothing.
    // Both since 0.12.6 (`ChatRequest` in `api/types.go` of ollama 0.33.2, read 2026-11-26); older servers pass over them.
    out.set("truncate", false);
    out.set("shift", false);
    encode_tools(request, &mut out, &mut dropped);
    match &request.response_format {
        Some(ResponseFormat::JsonSchema(schema)) => out.set("format", schema.schema.clone()),
        Some(ResponseFormat::JsonObject) => out.set("format", "json"),
        Some(ResponseFormat::Text) | None => {}
    }
    if let Some(think) = request
        .reasoning
        .and_then(|reasoning| think(reasoning, model))
    {
        out.set("think", think);
    }
    let mut options = Object::default();
    options.set_some("num_predict", request.max_tokens);
    options.set_some("temperature", request.temperature);
    options.set_some("top_p", request.top_p);
    options.set_some("top_k", request.top_k);
    options.set_some("seed", request.seed);
    options.set_some("presence_penalty", request.presence_penalty);
    options.set_some("frequency_penalty", request.frequency_penalty);
    if !request.stop.is_empty() {
        options.set("stop", request.stop.clone());
    }
    if !options.0.is_empty() {
        out.set("options", options.0);
    }
    note(&mut dropped, request.user.is_some(), "user");
    note(&mut dropped, !request.metadata.is_empty(), "metadata");
    Encoded {
        body: out.into_bytes(),
        dropped,
    }
}

/// Whether to think; only `gpt-oss` is told how much
/// (<https://docs.ollama.com/capabilities/thinking>, read 2026-11-26).
fn think(reasoning: Reasoning, model: &str) -> Option<Value> {
    let off = reasoning.off || reasoning.effort == Some(Effort::None);
    if !model.contains("gpt-oss") {
        return Some(json!(!off));
    }
    Some(json!(match (reasoning.effort, reasoning.budget_tokens) {
        _ if off => "low",
        (Some(Effort::None | Effort::Minimal | Effort::Low), _) | (None, Some(0..=2_048)) => "low",
        (Some(Effort::Medium), _) | (None, Some(2_049..=8_192)) => "medium",
        (Some(Effort::High | Effort::ExtraHigh | Effort::Max), _) | (None, Some(_)) => "high",
        (None, None) => return None,
    }))
}

fn encode_tools(request: &Request, out: &mut Object, dropped: &mut Vec<&'static str>) {
    let named = |tool: &&Tool| match &request.tool_choice {
        // No choice can be given here: tools that are not to be called are not offered.
        Some(ToolChoice::None) => false,
        Some(ToolChoice::Tool(name)) => tool.name == *name,
        Some(ToolChoice::Auto | ToolChoice::Required) | None => true,
    };
    let must = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Tool(_))
    );
    note(dropped, must, "tool_choice");
    let serial = request.parallel_tool_calls == Some(false);
    note(dropped, serial, "parallel_tool_calls");
    let mut tools = Vec::new();
    for tool in request.tools.iter().filter(named) {
        note(dropped, tool.cache_control.is_some(), "cache_control");
        note(dropped, tool.strict == Some(true), "strict");
        let mut function = Object::default();
        function.set("name", tool.name.as_str());
        function.set_some("description", tool.description.clone());
        function.set("parameters", tool.parameters.clone());
        tools.push(json!({"type": "function", "function": function.0}));
    }
    if !tools.is_empty() {
        out.set("tools", tools);
    }
}

/// What a turn holds, as this wire takes it apart.
#[derive(Default)]
struct Turn {
    text: String,
    thinking: String,
    images: Vec<String>,
    calls: Vec<Value>,
}

/// Writes one turn: tool results become messages of their own, before what else the turn says.
fn encode_message(
    message: &Message,
    messages: &[Message],
    out: &mut Vec<Value>,
    dropped: &mut Vec<&'static str>,
) {
    note(dropped, message.name.is_some(), "messages.name");
    let mut turn = Turn::default();
    for part in &message.parts {
        match part {
            Part::ToolResult(result) => {
                note(dropped, result.is_error, "tool_result.is_error");
                let mut answer = Turn::default();
                for part in &result.parts {
                    answer.add(part, dropped);
                }
                let mut answered = Object::default();
                answered.set("role", "tool");
                answered.set("content", answer.text);
                answered.set("tool_name", name_of_call(&result.id, messages));
                out.push(answered.0.into());
                turn.images.extend(answer.images);
            }
            other => turn.add(other, dropped),
        }
    }
    let results = message
        .parts
        .iter()
        .any(|part| matches!(part, Part::ToolResult(_)));
    if results && turn.text.is_empty() && turn.images.is_empty() {
        return;
    }
    let mut written = Object::default();
    written.set(
        "role",
        match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        },
    );
    written.set("content", turn.text);
    let thinking = Some(turn.thinking).filter(|thinking| !thinking.is_empty());
    written.set_some("thinking", thinking);
    if !turn.images.is_empty() {
        written.set("images", turn.images);
    }
    if !turn.calls.is_empty() {
        written.set("tool_calls", turn.calls);
    }
    out.push(written.0.into());
}

impl Turn {
    fn add(&mut self, part: &Part, dropped: &mut Vec<&'static str>) {
        match part {
            Part::Text(text) => {
                note(dropped, text.cache_control.is_some(), "cache_control");
                self.say(&text.text);
            }
            Part::Refusal(text) => self.say(text),
            Part::Image(image) => match &image.source {
                Source::Base64 { data, .. } => self.images.push(data.clone()),
                Source::Url(_) => dropped.push("messages.image.url"),
                Source::FileId(_) => dropped.push("messages.image.file_id"),
            },
            Part::Audio(_) => dropped.push("messages.audio"),
            Part::Document(_) => dropped.push("messages.document"),
            Part::Thinking(thinking) => self.thinking.push_str(&thinking.text),
            Part::RedactedThinking(_) => dropped.push("messages.thinking"),
            Part::ToolCall(call) => {
                let arguments = call.object(dropped);
                self.calls
                    .push(json!({"function": {"name": call.name, "arguments": arguments}}));
            }
            Part::ToolResult(_) => {}
        }
    }

    fn say(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}
