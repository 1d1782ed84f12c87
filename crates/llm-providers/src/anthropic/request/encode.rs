//! Writes a request body.

use super::demand::Demand;
use super::thinking::Thinking;
use crate::anthropic::{VERTEX_VERSION, schema};
use crate::chat::{Message, Part, Request, ResponseFormat, Role, Source, Tool, ToolChoice};
use crate::codec::{Encoded, Object, field_name, note, object_schema, safe_id};
use crate::wire::Dialect;
use crate::{base64, claude};
use serde_json::{Value, json};

/// Writes a request for `model`. `default_max_tokens` stands where the caller set no limit, because
/// this wire demands one.
#[must_use]
pub fn encode_request(request: &Request, model: &str, default_max_tokens: u32) -> Encoded {
    encode(request, model, default_max_tokens, ("model", model), false)
}

/// The same for Anthropic's own platform, which takes instructions between the turns.
pub(in crate::anthropic) fn encode_on_own_platform(
    request: &Request,
    model: &str,
    default_max_tokens: u32,
) -> Encoded {
    let midway = claude::is_instructed_midway(model);
    encode(request, model, default_max_tokens, ("model", model), midway)
}

/// The same for a model on Vertex: its name is in the address there, and the wire's version in the
/// body.
pub(in crate::anthropic) fn encode_on_vertex(
    request: &Request,
    model: &str,
    default_max_tokens: u32,
) -> Encoded {
    let head = ("anthropic_version", VERTEX_VERSION);
    encode(request, model, default_max_tokens, head, false)
}

/// `head` is the body's first field; instructions may stand between the turns where `midway` is set.
fn encode(
    request: &Request,
    model: &str,
    default_max_tokens: u32,
    head: (&str, &str),
    midway: bool,
) -> Encoded {
    let mut dropped = request.lost.clone();
    let mut out = Object::default();
    let native = request.extra_dialect == Some(Dialect::AnthropicMessages);
    if native {
        out.0.clone_from(&request.extra);
    } else {
        dropped.extend(request.extra.keys().map(|key| field_name(key)));
    }
    out.set(head.0, head.1);
    // What its callers send in another dialect is never word for word what the model was sent before.
    let bound = !native && claude::binds_thoughts(model);
    let (mut system, mut messages) =
        encode_messages(&request.messages, midway, bound, &mut dropped);
    if messages.is_empty() && !system.is_empty() {
        // Instructions alone are refused here: they become what the user says.
        dropped.push("messages.system_position");
        let content = simplest(std::mem::take(&mut system));
        messages.push(json!({"role": "user", "content": content}));
    }
    let mut config = Object::default();
    match &request.response_format {
        Some(ResponseFormat::JsonSchema(schema)) if native => {
            let form = json!({"type": "json_schema", "schema": schema.schema});
            config.set("format", form);
        }
        Some(ResponseFormat::JsonSchema(schema)) => match schema::fit(&schema.schema) {
            Some(fitted) => {
                note(&mut dropped, fitted.is_looser, "response_format.schema");
                let form = json!({"type": "json_schema", "schema": fitted.schema});
                config.set("format", form);
            }
            None => {
                dropped.push("response_format");
                system.push(json!({"type": "text", "text": schema::wish_for(&schema.schema)}));
            }
        },
        Some(ResponseFormat::JsonObject) => {
            // No such mode here: the model is asked, which is likely and not certain to work.
            dropped.push("response_format");
            system.push(json!({
                "type": "text",
                "text": "Answer with one JSON object and nothing else.",
            }));
        }
        Some(ResponseFormat::Text) | None => {}
    }
    let demand = Demand::of(request, model);
    if let Some(wish) = demand.wish() {
        dropped.push("tool_choice");
        system.push(json!({"type": "text", "text": wish}));
    }
    if !system.is_empty() {
        out.set("system", simplest(system));
    }
    out.set("messages", messages);
    let mut max_tokens = request.max_tokens.unwrap_or(default_max_tokens);

    if !request.tools.is_empty() {
        let offered = request.tools.iter().filter(|tool| demand.allows(tool));
        let tools: Vec<Value> = offered
            .map(|tool| encode_tool(tool, native, &mut dropped))
            .collect();
        out.set("tools", tools);
        out.set_some("tool_choice", encode_tool_choice(request, demand));
    }
    let thinks = match request.reasoning {
        Some(reasoning) => {
            let thinking = Thinking {
                request,
                reasoning,
                model,
            };
            thinking.encode(&mut out, &mut config, &mut max_tokens, &mut dropped)
        }
        None => false,
    };
    if !config.0.is_empty() {
        out.set("output_config", config.0);
    }
    out.set("max_tokens", max_tokens);
    let free = !thinks && !claude::samples_as_it_likes(model);
    encode_sampling(request, free, &mut out, &mut dropped);
    let stops: Vec<_> = request
        .stop
        .iter()
        .filter(|stop| !stop.trim().is_empty())
        .cloned()
        .collect();
    note(&mut dropped, stops.len() < request.stop.len(), "stop");
    if !stops.is_empty() {
        out.set("stop_sequences", stops);
    }
    if request.stream {
        out.set("stream", true);
    }
    let mut metadata = request.metadata.clone();
    let user = request.user.clone().or_else(|| metadata.remove("user_id"));
    note(&mut dropped, !metadata.is_empty(), "metadata");
    if let Some(user) = user {
        out.set("metadata", json!({"user_id": user}));
    }
    Encoded {
        body: out.into_bytes(),
        dropped,
    }
}

/// Temperature ends at 1.0 here. Newer models refuse `temperature` and `top_p` together, any change of
/// either while they think
/// (<https://platform.claude.com/docs/en/build-with-claude/extended-thinking>, and in the API's words
/// <https://github.com/aws-samples/bedrock-chat/pull/979>, read 2026-11-26), and the newest any change at all.
fn encode_sampling(
    request: &Request,
    free: bool,
    out: &mut Object,
    dropped: &mut Vec<&'static str>,
) {
    if !free {
        note(
            dropped,
            request.temperature.is_some_and(|t| t != 1.0),
            "temperature",
        );
        note(dropped, request.top_p.is_some(), "top_p");
        note(dropped, request.top_k.is_some(), "top_k");
    } else {
        if let Some(temperature) = request.temperature {
            note(dropped, temperature > 1.0, "temperature");
            out.set("temperature", temperature.min(1.0));
            note(dropped, request.top_p.is_some(), "top_p");
        } else {
            out.set_some("top_p", request.top_p);
        }
        out.set_some("top_k", request.top_k);
    }
    note(dropped, request.seed.is_some(), "seed");
    note(
        dropped,
        request.presence_penalty.is_some_and(|p| p != 0.0),
        "presence_penalty",
    );
    note(
        dropped,
        request.frequency_penalty.is_some_and(|p| p != 0.0),
        "frequency_penalty",
    );
}

fn encode_tool(tool: &Tool, native: bool, dropped: &mut Vec<&'static str>) -> Value {
    let mut out = Object::default();
    out.set("name", tool.name.as_str());
    out.set_some("description", tool.description.clone());
    // `false` is the default, and older models do not know the field.
    let mut strict = tool.strict.filter(|strict| *strict);
    let mut parameters = object_schema(&tool.parameters);
    if strict.is_some() && !native {
        match schema::fit(&parameters).filter(|fitted| !fitted.is_looser) {
            Some(fitted) => parameters = fitted.schema,
            None => {
                strict = None;
                dropped.push("strict");
            }
        }
    }
    out.set("input_schema", parameters);
    out.set_some("strict", strict);
    out.set_some("cache_control", tool.cache_control.clone());
    out.0.into()
}

fn encode_tool_choice(request: &Request, demand: Demand<'_>) -> Option<Value> {
    let serial = request.parallel_tool_calls == Some(false);
    let mut choice = Object::default();
    match &request.tool_choice {
        None if !serial => return None,
        None | Some(ToolChoice::Auto) => choice.set("type", "auto"),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
        Some(_) if matches!(demand, Demand::Asked(_)) => choice.set("type", "auto"),
        Some(ToolChoice::Required) => choice.set("type", "any"),
        Some(ToolChoice::Tool(name)) => {
            choice.set("type", "tool");
            choice.set("name", name.as_str());
        }
    }
    if let Some(parallel) = request.parallel_tool_calls {
        choice.set("disable_parallel_tool_use", !parallel);
    }
    Some(choice.0.into())
}

/// The system prompt's blocks, and the turns: neighbours of one role merged, because the wire wants
/// them to take turns.
fn encode_messages(
    messages: &[Message],
    midway: bool,
    bound: bool,
    dropped: &mut Vec<&'static str>,
) -> (Vec<Value>, Vec<Value>) {
    let mut turns: Vec<(Role, Vec<Value>)> = Vec::new();
    for message in messages {
        note(dropped, message.name.is_some(), "messages.name");
        let blocks = message.parts.iter().filter_map(|part| match part {
            Part::Thinking(_) | Part::RedactedThinking(_) if bound => {
                dropped.push("messages.thinking");
                None
            }
            part => encode_block(part, dropped),
        });
        // A turn without content is refused, and its neighbours are one turn.
        add_turn(&mut turns, message.role, blocks.collect());
    }
    let (system, mut turns) = place_instructions(turns, midway, dropped);
    if let Some((Role::Assistant, blocks)) = turns.last_mut() {
        trim_prefill(blocks);
    }
    let turns = turns
        .into_iter()
        .map(|(role, mut blocks)| {
            // Results come before anything else the user says.
            blocks.sort_by_key(|block| kind_of(block) != Some("tool_result") && role == Role::User);
            let role = match role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({"role": role, "content": simplest(blocks)})
        })
        .collect();
    (system, turns)
}

fn add_turn(turns: &mut Vec<(Role, Vec<Value>)>, role: Role, blocks: Vec<Value>) {
    match turns.last_mut() {
        _ if blocks.is_empty() => {}
        Some((last, merged)) if *last == role => merged.extend(blocks),
        _ => turns.push((role, blocks)),
    }
}

/// The instructions that stand at the front, and the turns. One between two turns stays where it is if it follows the
/// user and the model speaks next; elsewhere it moves to the front
/// (<https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages>, read 2026-11-26).
fn place_instructions(
    turns: Vec<(Role, Vec<Value>)>,
    midway: bool,
    dropped: &mut Vec<&'static str>,
) -> (Vec<Value>, Vec<(Role, Vec<Value>)>) {
    let mut system = Vec::new();
    let mut placed = Vec::with_capacity(turns.len());
    let mut turns = turns.into_iter().peekable();
    while let Some((role, blocks)) = turns.next() {
        let follows = matches!(placed.last(), Some((Role::User, _)));
        let precedes = turns
            .peek()
            .is_none_or(|(next, _)| *next == Role::Assistant);
        if role != Role::System || (midway && follows && precedes) {
            add_turn(&mut placed, role, blocks);
        } else {
            note(dropped, !placed.is_empty(), "messages.system_position");
            system.extend(blocks);
        }
    }
    (system, placed)
}

fn kind_of(block: &Value) -> Option<&str> {
    block.get("type")?.as_str()
}

/// The beginning of an answer must not end in white space.
fn trim_prefill(blocks: &mut Vec<Value>) {
    if let Some(Value::Object(last)) = blocks.last_mut()
        && let Some(Value::String(text)) = last.get_mut("text")
    {
        text.truncate(text.trim_end().len());
        if text.is_empty() {
            blocks.pop();
        }
    }
}

/// One plain text alone is written as a string.
fn simplest(blocks: Vec<Value>) -> Value {
    if let [Value::Object(only)] = blocks.as_slice()
        && only.len() == 2
        && let Some(text @ Value::String(_)) = only.get("text")
    {
        return text.clone();
    }
    blocks.into()
}

/// Writes one part as a block; `None` where the wire has no place for it.
pub(in crate::anthropic) fn encode_block(
    part: &Part,
    dropped: &mut Vec<&'static str>,
) -> Option<Value> {
    let mut out = Object::default();
    match part {
        // Texts without a visible character are refused.
        Part::Text(text) if text.text.trim().is_empty() => return None,
        Part::Text(text) => {
            out.set("type", "text");
            out.set("text", text.text.as_str());
            out.set_some("cache_control", text.cache_control.clone());
        }
        Part::Refusal(text) if text.trim().is_empty() => return None,
        Part::Refusal(text) => {
            out.set("type", "text");
            out.set("text", text.as_str());
        }
        Part::Image(image) => {
            let detail = image.detail.as_deref();
            note(
                dropped,
                detail.is_some_and(|detail| detail != "auto"),
                "messages.image.detail",
            );
            out.set("type", "image");
            out.set("source", picture(&image.source, dropped)?);
        }
        Part::Document(document) => {
            out.set("type", "document");
            out.set("source", paper(&document.source, dropped)?);
            out.set_some("title", document.name.clone());
        }
        Part::Audio(_) => {
            dropped.push("messages.audio");
            return None;
        }
        Part::ToolCall(call) => {
            out.set("type", "tool_use");
            out.set("id", safe_id(&call.id));
            out.set("name", call.name.as_str());
            out.set("input", call.object(dropped));
        }
        Part::ToolResult(result) => {
            let blocks: Vec<_> = result
                .parts
                .iter()
                .filter_map(|part| encode_block(part, dropped))
                .collect();
            out.set("type", "tool_result");
            out.set("tool_use_id", safe_id(&result.id));
            if !blocks.is_empty() {
                out.set("content", simplest(blocks));
            }
            if result.is_error {
                out.set("is_error", true);
            }
        }
        Part::Thinking(thinking) => {
            let Some(signature) = &thinking.signature else {
                dropped.push("messages.thinking");
                return None;
            };
            out.set("type", "thinking");
            out.set("thinking", thinking.text.as_str());
            out.set("signature", signature.as_str());
        }
        Part::RedactedThinking(data) => {
            out.set("type", "redacted_thinking");
            out.set("data", data.as_str());
        }
    }
    Some(out.0.into())
}

/// The pictures that are understood
/// (<https://platform.claude.com/docs/en/build-with-claude/vision>, read 2026-11-26).
const PICTURES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

fn picture(source: &Source, dropped: &mut Vec<&'static str>) -> Option<Value> {
    let Source::Base64 { media_type, data } = source else {
        return Some(encode_source(source));
    };
    let media_type = match media_type.as_str() {
        "image/jpg" => "image/jpeg",
        other => other,
    };
    if !PICTURES.contains(&media_type) {
        dropped.push("messages.image.format");
        return None;
    }
    Some(json!({"type": "base64", "media_type": media_type, "data": data}))
}

/// A document: a PDF, or a text as such (`document_block_param.py` of `anthropic-sdk-python` 2.12.0).
fn paper(source: &Source, dropped: &mut Vec<&'static str>) -> Option<Value> {
    match source {
        Source::Base64 { media_type, .. } if media_type == "application/pdf" => {
            Some(encode_source(source))
        }
        Source::Base64 { media_type, data } => {
            let is_text = media_type.starts_with("text/") || media_type == "application/json";
            let bytes = base64::decode(data).filter(|_| is_text);
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            note(dropped, text.is_none(), "messages.document.format");
            Some(json!({"type": "text", "media_type": "text/plain", "data": text?}))
        }
        Source::Url(_) | Source::FileId(_) => Some(encode_source(source)),
    }
}

fn encode_source(source: &Source) -> Value {
    match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Base64 { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::FileId(id) => json!({"type": "file", "file_id": id}),
    }
}
