//! Reads a request body.

use crate::call::BadRequest;
use crate::chat::{
    Audio, Document, Effort, Image, JsonSchema, Message, Part, Reasoning, Request, ResponseFormat,
    Role, Source, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
};
use crate::codec::{Fields, mark_shown, note};
use crate::wire::Dialect;
use serde_json::{Value, json};

/// Reads a request body.
///
/// # Errors
///
/// [`BadRequest`] names the field whose shape is not the wire's.
pub fn decode_request(body: &[u8]) -> Result<Request, BadRequest> {
    let mut fields = Fields::from_slice(body)?;
    let mut lost = Vec::new();
    let mut request = Request::new(
        fields
            .text("model")?
            .ok_or_else(|| BadRequest::missing("model"))?,
    );
    let messages = fields
        .list("messages")?
        .ok_or_else(|| BadRequest::missing("messages"))?;
    for message in messages {
        let message = Fields::from_value(message, "messages")?;
        request.messages.push(decode_message(message, &mut lost)?);
    }
    for tool in fields.list("tools")?.unwrap_or_default() {
        match decode_tool(tool, &mut lost)? {
            Some(tool) => request.tools.push(tool),
            None => lost.push("tools"),
        }
    }
    // The older form, without the wrapping object.
    for function in fields.list("functions")?.unwrap_or_default() {
        let function = Fields::from_value(function, "functions")?;
        request.tools.push(decode_function(function, &mut lost)?);
    }
    let choice = fields
        .take("tool_choice")
        .or_else(|| fields.take("function_call"));
    request.tool_choice = match choice {
        Some(choice) if names_other_tool(&choice) => {
            lost.push("tool_choice");
            None
        }
        choice => choice.map(decode_tool_choice).transpose()?,
    };
    request.drop_lost_choice(&mut lost);
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.response_format = fields
        .object("response_format")?
        .map(|format| decode_format(format, &mut lost))
        .transpose()?;
    let older = fields.count("max_tokens")?;
    request.max_tokens = fields.count("max_completion_tokens")?.or(older);
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.top_k = match fields.0.get("top_k").and_then(Value::as_i64) {
        // Local servers write -1 for "all".
        Some(-1) => fields.take("top_k").and(None),
        _ => fields.count("top_k")?,
    };
    request.stop = fields.texts("stop")?;
    if let Some(seed) = fields.take("seed") {
        request.seed = seed.as_i64();
        note(&mut lost, request.seed.is_none(), "seed");
    }
    request.presence_penalty = fields.number("presence_penalty")?;
    request.frequency_penalty = fields.number("frequency_penalty")?;
    if let Some(name) = fields.text("reasoning_effort")? {
        let effort = Effort::from_name(&name);
        note(&mut lost, effort.is_none(), "reasoning");
        request.reasoning = effort.map(|effort| Reasoning {
            effort: Some(effort),
            off: effort == Effort::None,
            ..Reasoning::default()
        });
    }
    request.user = fields.text("user")?;
    if let Some(metadata) = fields.object("metadata")? {
        for (key, value) in metadata.0 {
            if let Value::String(value) = value {
                request.metadata.insert(key, value);
            } else {
                lost.push("metadata");
            }
        }
    }
    request.stream = fields.flag("stream")?.unwrap_or(false);
    request.include_usage = fields
        .object("stream_options")?
        .and_then(|mut options| options.take("include_usage"))
        == Some(Value::Bool(true));
    if fields.0.get("n").and_then(Value::as_u64) == Some(1) {
        fields.take("n");
    }
    if fields.0.get("modalities") == Some(&json!(["text"])) {
        fields.take("modalities");
    }
    fields.0.retain(|_, value| !value.is_null());
    request.extra = fields.0;
    request.extra_dialect = Some(Dialect::OpenAiChat);
    lost.sort_unstable();
    lost.dedup();
    request.lost = lost;
    Ok(request)
}

pub(in crate::openai) fn decode_message(
    mut fields: Fields,
    lost: &mut Vec<&'static str>,
) -> Result<Message, BadRequest> {
    let role = fields
        .text("role")?
        .ok_or_else(|| BadRequest::invalid("messages", "must each have a role"))?;
    let mut parts = Vec::new();
    for key in ["reasoning_content", "reasoning"] {
        if let Some(Value::String(text)) = fields.take(key)
            && !text.is_empty()
        {
            parts.push(Part::Thinking(Thinking {
                text,
                signature: None,
            }));
            break;
        }
    }
    let known = lost.len();
    decode_content(fields.take("content"), &mut parts, lost)?;
    if role == "user" {
        mark_shown(lost, known);
    }
    let name = fields.text("name")?;
    let role = match role.as_str() {
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => {
            let id = fields.text("tool_call_id")?.or(name).unwrap_or_default();
            fields.lose_rest(&[], lost);
            let result = ToolResult {
                id,
                parts,
                is_error: false,
            };
            return Ok(Message::new(Role::User, vec![Part::ToolResult(result)]));
        }
        _ => {
            return Err(BadRequest::invalid(
                "messages",
                "must have roles of this API",
            ));
        }
    };
    if let Some(refusal) = fields.text("refusal")? {
        parts.push(Part::Refusal(refusal));
    }
    for call in fields.list("tool_calls")?.unwrap_or_default() {
        let mut call = Fields::from_value(call, "tool_calls")?;
        let id = call.text("id")?.unwrap_or_default();
        let call_of = match call.object("custom")? {
            Some(custom) => decode_custom_call(custom, id, lost)?,
            None => {
                let function = call.object("function")?;
                let function = function.ok_or_else(|| {
                    BadRequest::invalid("tool_calls", "must each have a function")
                })?;
                decode_call(function, id)?
            }
        };
        parts.push(Part::ToolCall(call_of));
        call.lose_rest(&["type", "index"], lost);
    }
    if let Some(function) = fields.object("function_call")? {
        let mut call = decode_call(function, String::new())?;
        call.id.clone_from(&call.name);
        parts.push(Part::ToolCall(call));
    }
    // An answer's sound that the provider keeps; it was said in no other way.
    note(lost, fields.take("audio").is_some(), "messages.audio");
    fields.lose_rest(&[], lost);
    let mut message = Message::new(role, parts);
    message.name = name;
    Ok(message)
}

/// A call of a tool that takes a text: here it is one of a function with that text in its arguments.
fn decode_custom_call(
    mut custom: Fields,
    id: String,
    lost: &mut Vec<&'static str>,
) -> Result<ToolCall, BadRequest> {
    lost.push("messages.tool_calls.custom");
    let input = custom.text("input")?.unwrap_or_default();
    Ok(ToolCall {
        id,
        name: custom.text("name")?.unwrap_or_default(),
        arguments: json!({"input": input}).to_string(),
    })
}

fn decode_call(mut function: Fields, id: String) -> Result<ToolCall, BadRequest> {
    let arguments = match function.take("arguments") {
        Some(Value::String(text)) => text,
        // Some servers give the arguments as an object.
        Some(value) => value.to_string(),
        None => String::new(),
    };
    Ok(ToolCall {
        id,
        name: function.text("name")?.unwrap_or_default(),
        arguments,
    })
}

fn decode_content(
    content: Option<Value>,
    parts: &mut Vec<Part>,
    lost: &mut Vec<&'static str>,
) -> Result<(), BadRequest> {
    match content {
        None => {}
        Some(Value::String(text)) => parts.push(Part::text(text)),
        Some(Value::Array(list)) => {
            for part in list {
                let mut part = Fields::from_value(part, "content")?;
                // Mistral: where a text comes from, not a part of it.
                if part.0.get("type").is_some_and(|kind| kind == "reference") {
                    lost.push("citations");
                    continue;
                }
                if let Some(thinking) = part.take("thinking") {
                    parts.push(decode_thinking(thinking));
                    continue;
                }
                match decode_part(part, lost)? {
                    Some(part) => parts.push(part),
                    None => lost.push("messages.content"),
                }
            }
        }
        Some(_) => return Err(BadRequest::invalid("content", "must be a string or a list")),
    }
    Ok(())
}

/// Mistral's reasoning: a text, or a list of text parts.
fn decode_thinking(thinking: Value) -> Part {
    let text = match thinking {
        Value::String(text) => text,
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.get("text")?.as_str())
            .collect(),
        _ => String::new(),
    };
    Part::Thinking(Thinking {
        text,
        signature: None,
    })
}

/// `None` for a sort of part that the neutral form does not know.
fn decode_part(mut part: Fields, lost: &mut Vec<&'static str>) -> Result<Option<Part>, BadRequest> {
    let kind = part.text("type")?.unwrap_or_default();
    let read = match kind.as_str() {
        "text" => Part::Text(Text {
            text: part.text("text")?.unwrap_or_default(),
            cache_control: part.take("cache_control"),
        }),
        "refusal" => Part::Refusal(part.text("refusal")?.unwrap_or_default()),
        "image_url" => {
            let (url, detail) = match part.take("image_url") {
                Some(Value::String(url)) => (url, None),
                Some(Value::Object(map)) => {
                    let mut image = Fields(map);
                    let url = image.text("url")?.unwrap_or_default();
                    let detail = image.text("detail")?;
                    image.lose_rest(&[], lost);
                    (url, detail)
                }
                _ => return Err(BadRequest::invalid("image_url", "must be an object")),
            };
            Part::Image(Image {
                source: Source::from_url(url),
                detail,
            })
        }
        "input_audio" => {
            let mut audio = part
                .object("input_audio")?
                .ok_or_else(|| BadRequest::missing("input_audio"))?;
            Part::Audio(Audio {
                data: audio.text("data")?.unwrap_or_default(),
                format: audio.text("format")?.unwrap_or_default(),
            })
        }
        "file" => {
            let mut file = part
                .object("file")?
                .ok_or_else(|| BadRequest::missing("file"))?;
            let source = match (file.text("file_data")?, file.text("file_id")?) {
                (Some(data), _) => Source::from_url(data),
                (None, Some(id)) => Source::FileId(id),
                (None, None) => return Err(BadRequest::invalid("file", "must hold data or an id")),
            };
            Part::Document(Document {
                source,
                name: file.text("filename")?,
            })
        }
        _ => return Ok(None),
    };
    part.lose_rest(&[], lost);
    Ok(Some(read))
}

fn decode_tool(tool: Value, lost: &mut Vec<&'static str>) -> Result<Option<Tool>, BadRequest> {
    let mut tool = Fields::from_value(tool, "tools")?;
    let kind = tool.text("type")?;
    if kind.is_some_and(|kind| kind != "function") {
        return Ok(None);
    }
    let function = tool
        .object("function")?
        .ok_or_else(|| BadRequest::invalid("tools", "must each have a function"))?;
    let mut read = decode_function(function, lost)?;
    // OpenRouter's and other gateways' way to mark what Anthropic is to cache.
    read.cache_control = tool.take("cache_control");
    tool.lose_rest(&[], lost);
    Ok(Some(read))
}

fn decode_function(mut function: Fields, lost: &mut Vec<&'static str>) -> Result<Tool, BadRequest> {
    let name = function
        .text("name")?
        .ok_or_else(|| BadRequest::invalid("tools", "must each have a name"))?;
    let parameters = function.take("parameters");
    let mut tool = Tool::new(name, parameters.unwrap_or_else(no_parameters));
    tool.description = function.text("description")?;
    tool.strict = function.flag("strict")?;
    function.lose_rest(&[], lost);
    Ok(tool)
}

/// The schema of a tool without arguments.
fn no_parameters() -> Value {
    json!({"type": "object", "properties": {}})
}

/// True where the choice is of a sort that the neutral form does not know.
fn names_other_tool(choice: &Value) -> bool {
    choice
        .get("type")
        .is_some_and(|kind| kind == "custom" || kind == "allowed_tools")
}

fn decode_tool_choice(choice: Value) -> Result<ToolChoice, BadRequest> {
    let wrong = || BadRequest::invalid("tool_choice", "must be a mode or name a function");
    match choice {
        Value::String(mode) => match mode.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" | "any" => Ok(ToolChoice::Required),
            _ => Err(wrong()),
        },
        Value::Object(map) => {
            let mut choice = Fields(map);
            let function = choice.object("function")?;
            let name = match function {
                Some(mut function) => function.text("name")?,
                None => choice.text("name")?,
            };
            name.map(ToolChoice::Tool).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

fn decode_format(
    mut format: Fields,
    lost: &mut Vec<&'static str>,
) -> Result<ResponseFormat, BadRequest> {
    match format.text("type")?.as_deref() {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => {
            let mut schema = format
                .object("json_schema")?
                .ok_or_else(|| BadRequest::missing("json_schema"))?;
            let read = JsonSchema {
                name: schema.text("name")?.unwrap_or_else(|| "answer".to_owned()),
                description: schema.text("description")?,
                schema: schema.take("schema").unwrap_or_else(|| json!({})),
                strict: schema.flag("strict")?,
            };
            schema.lose_rest(&[], lost);
            Ok(ResponseFormat::JsonSchema(read))
        }
        _ => Err(BadRequest::invalid(
            "response_format",
            "must have a type of this API",
        )),
    }
}
