//! Writes a request body.

use crate::chat::{Message, Part, Request, ResponseFormat, Role, Source, Tool, ToolChoice};
use crate::codec::{Encoded, Object, bounded_id, note};
use crate::openai::{Model, effort, extra_for, is_native, is_strict};
use crate::wire::Dialect;
use serde_json::{Value, json};

/// The least `max_output_tokens` that is accepted
/// (<https://developers.openai.com/api/reference/resources/responses/methods/create>, read 2026-11-26).
const MIN_OUTPUT_TOKENS: u32 = 16;
/// The longest name of a call that is accepted (the API reference above).
const MAX_CALL_ID_BYTES: usize = 64;
/// The longest end-user name that is accepted.
const MAX_USER_BYTES: usize = 64;

/// Writes a request for `model`.
#[must_use]
pub fn encode_request(request: &Request, model: &str) -> Encoded {
    let mut dropped = request.lost.clone();
    let mut out = Object::default();
    let mut text = Object::default();
    // Asked of nobody who does not know of it.
    out.set("store", false);
    for (key, value) in extra_for(Dialect::OpenAiResponses, true, request, &mut dropped) {
        if key == "verbosity" {
            text.set(&key, value);
        } else {
            out.set(&key, value);
        }
    }
    out.set("model", model);
    let native = is_native(request);

    let messages = encode_instructions(&request.messages, &mut out, &mut dropped);
    let mut items = Vec::with_capacity(messages.len());
    for message in messages {
        encode_message(message, &mut items, &mut dropped);
    }
    out.set("input", items);
    // An answer that is begun counts as one that was given: the model begins another.
    let begun = request
        .messages
        .last()
        .is_some_and(|last| last.role == Role::Assistant && !calls_tools(last));
    note(&mut dropped, begun, "messages.prefill");

    if !request.tools.is_empty() {
        let tools: Vec<Value> = request
            .tools
            .iter()
            .map(|tool| encode_tool(tool, native, &mut dropped))
            .collect();
        out.set("tools", tools);
        let choice = request.tool_choice.as_ref();
        out.set_some("tool_choice", choice.map(encode_tool_choice));
        out.set_some("parallel_tool_calls", request.parallel_tool_calls);
    }
    if let Some(format) = &request.response_format {
        text.set("format", encode_format(format, native, &mut dropped));
    }
    if !text.0.is_empty() {
        out.set("text", text.0);
    }
    if let Some(tokens) = request.max_tokens {
        note(&mut dropped, tokens < MIN_OUTPUT_TOKENS, "max_tokens");
        out.set("max_output_tokens", tokens.max(MIN_OUTPUT_TOKENS));
    }
    let known = Model::named(model);
    let thinks = known.reasons();
    if native || known.samples(request.reasoning) {
        out.set_some("temperature", request.temperature);
        out.set_some("top_p", request.top_p);
    } else {
        let unusual = |wished: Option<f64>| wished.is_some_and(|wished| wished != 1.0);
        note(&mut dropped, unusual(request.temperature), "temperature");
        note(&mut dropped, unusual(request.top_p), "top_p");
    }
    if let Some(reasoning) = request.reasoning {
        match effort(reasoning, native, known) {
            Some(effort) if native || thinks => out.set("reasoning", json!({"effort": effort})),
            _ => note(&mut dropped, !reasoning.off, "reasoning"),
        }
    }
    note(&mut dropped, request.top_k.is_some(), "top_k");
    note(&mut dropped, !request.stop.is_empty(), "stop");
    note(&mut dropped, request.seed.is_some(), "seed");
    let penalty = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    note(
        &mut dropped,
        penalty(request.presence_penalty),
        "presence_penalty",
    );
    note(
        &mut dropped,
        penalty(request.frequency_penalty),
        "frequency_penalty",
    );
    match &request.user {
        Some(user) if !native && user.len() > MAX_USER_BYTES => dropped.push("user"),
        user => out.set_some("user", user.clone()),
    }
    if !request.metadata.is_empty() {
        out.set("metadata", json!(request.metadata));
    }
    if request.stream {
        out.set("stream", true);
    }
    Encoded {
        body: out.into_bytes(),
        dropped,
    }
}

fn calls_tools(message: &Message) -> bool {
    let mut parts = message.parts.iter();
    parts.any(|part| matches!(part, Part::ToolCall(_)))
}

/// Instructions at the front have a field of their own; the turns after them are handed back.
fn encode_instructions<'a>(
    messages: &'a [Message],
    out: &mut Object,
    dropped: &mut Vec<&'static str>,
) -> &'a [Message] {
    let Some((first, rest)) = messages.split_first() else {
        return messages;
    };
    // A conversation of instructions alone has to say something.
    if first.role != Role::System || first.name.is_some() || rest.is_empty() {
        return messages;
    }
    let mut texts = Vec::new();
    for part in &first.parts {
        let Part::Text(text) = part else {
            return messages;
        };
        note(dropped, text.cache_control.is_some(), "cache_control");
        texts.push(text.text.as_str());
    }
    out.set("instructions", texts.join("\n"));
    rest
}

/// This wire is strict where nothing is said, so it is always said.
fn encode_tool(tool: &Tool, native: bool, dropped: &mut Vec<&'static str>) -> Value {
    note(dropped, tool.cache_control.is_some(), "cache_control");
    let mut out = Object::default();
    out.set("type", "function");
    out.set("name", tool.name.as_str());
    out.set_some("description", tool.description.clone());
    out.set("parameters", tool.parameters.clone());
    let strict = strict(tool.strict, &tool.parameters, native, dropped);
    out.set("strict", strict.unwrap_or(false));
    out.0.into()
}

/// Whether a schema is to be kept to the letter. OpenAI refuses to where the schema is not of a narrow form, which
/// callers of other wires need not follow.
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
        ToolChoice::Tool(name) => json!({"type": "function", "name": name}),
    }
}

fn encode_format(format: &ResponseFormat, native: bool, dropped: &mut Vec<&'static str>) -> Value {
    match format {
        ResponseFormat::Text => json!({"type": "text"}),
        ResponseFormat::JsonObject => json!({"type": "json_object"}),
        ResponseFormat::JsonSchema(schema) => {
            let mut out = Object::default();
            out.set("type", "json_schema");
            out.set("name", schema.name.as_str());
            out.set_some("description", schema.description.clone());
            out.set("schema", schema.schema.clone());
            let strict = strict(schema.strict, &schema.schema, native, dropped);
            out.set("strict", strict.unwrap_or(false));
            out.0.into()
        }
    }
}

/// Writes one turn: calls and results of tools are items beside the messages, in the order they came.
fn encode_message(message: &Message, items: &mut Vec<Value>, dropped: &mut Vec<&'static str>) {
    note(dropped, message.name.is_some(), "messages.name");
    let before = items.len();
    let mut content = Vec::new();
    for part in &message.parts {
        match part {
            Part::ToolCall(call) => {
                flush(message.role, &mut content, items);
                items.push(json!({
                    "type": "function_call",
                    "call_id": bounded_id(&call.id, MAX_CALL_ID_BYTES),
                    "name": call.name,
                    "arguments": call.arguments,
                }));
            }
            Part::ToolResult(result) => {
                flush(message.role, &mut content, items);
                note(dropped, result.is_error, "tool_result.is_error");
                let parts = result
                    .parts
                    .iter()
                    .filter_map(|part| encode_part(part, Role::User, dropped));
                let output = simplest(parts.collect());
                items.push(json!({
                    "type": "function_call_output",
                    "call_id": bounded_id(&result.id, MAX_CALL_ID_BYTES),
                    "output": output,
                }));
            }
            other => content.extend(encode_part(other, message.role, dropped)),
        }
    }
    if content.is_empty() && items.len() == before && message.role != Role::Assistant {
        items.push(json!({"role": role(message.role), "content": ""}));
    }
    flush(message.role, &mut content, items);
}

fn flush(speaker: Role, content: &mut Vec<Value>, items: &mut Vec<Value>) {
    if !content.is_empty() {
        let content = simplest(std::mem::take(content));
        items.push(json!({"role": role(speaker), "content": content}));
    }
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// One text alone is written as a string, nothing as an empty one.
fn simplest(mut content: Vec<Value>) -> Value {
    if content.len() > 1 {
        return content.into();
    }
    match content.pop() {
        None => "".into(),
        Some(Value::Object(mut part)) => match part.remove("text") {
            Some(text) => text,
            None => vec![Value::Object(part)].into(),
        },
        Some(other) => vec![other].into(),
    }
}

fn encode_part(part: &Part, speaker: Role, dropped: &mut Vec<&'static str>) -> Option<Value> {
    match part {
        Part::Text(text) => {
            note(dropped, text.cache_control.is_some(), "cache_control");
            let kind = if speaker == Role::Assistant {
                "output_text"
            } else {
                "input_text"
            };
            Some(json!({"type": kind, "text": text.text}))
        }
        Part::Refusal(text) if speaker == Role::Assistant => {
            Some(json!({"type": "refusal", "refusal": text}))
        }
        Part::Refusal(text) => Some(json!({"type": "input_text", "text": text})),
        Part::Image(image) => {
            let mut out = Object::default();
            out.set("type", "input_image");
            match &image.source {
                Source::FileId(id) => out.set("file_id", id.as_str()),
                source => out.set_some("image_url", source.to_url()),
            }
            out.set("detail", image.detail.as_deref().unwrap_or("auto"));
            Some(out.0.into())
        }
        Part::Document(document) => {
            let mut out = Object::default();
            out.set("type", "input_file");
            match &document.source {
                Source::Base64 { .. } => {
                    out.set_some("file_data", document.source.to_url());
                    let name = document.name.as_deref().unwrap_or("document.pdf");
                    out.set("filename", name);
                }
                Source::FileId(id) => out.set("file_id", id.as_str()),
                Source::Url(url) => out.set("file_url", url.as_str()),
            }
            Some(out.0.into())
        }
        Part::Audio(_) => {
            dropped.push("messages.audio");
            None
        }
        Part::Thinking(_) | Part::RedactedThinking(_) => {
            dropped.push("messages.thinking");
            None
        }
        Part::ToolCall(_) | Part::ToolResult(_) => None,
    }
}
