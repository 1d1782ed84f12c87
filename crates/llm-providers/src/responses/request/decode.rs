//! Reads a request body.

use crate::call::BadRequest;
use crate::chat::{
    Effort, JsonSchema, Message, Part, Reasoning, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use crate::codec::{Fields, note};
use crate::responses::item::Item;
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
    match fields.take("instructions") {
        Some(Value::String(text)) => request = request.system(text),
        // Answers show them as a list of items.
        Some(Value::Array(items)) => decode_items(items, &mut request.messages, &mut lost)?,
        Some(_) => return Err(BadRequest::invalid("instructions", "must be a string")),
        None => {}
    }
    match fields.take("input") {
        Some(Value::String(text)) => request = request.user(text),
        Some(Value::Array(items)) => decode_items(items, &mut request.messages, &mut lost)?,
        Some(_) => return Err(BadRequest::invalid("input", "must be a string or a list")),
        None => return Err(BadRequest::missing("input")),
    }
    for tool in fields.list("tools")?.unwrap_or_default() {
        match decode_tool(tool, &mut lost)? {
            Some(tool) => request.tools.push(tool),
            None => lost.push("tools"),
        }
    }
    let choice = fields.take("tool_choice");
    decode_tool_choice(choice, &mut request, &mut lost)?;
    request.drop_lost_choice(&mut lost);
    request.parallel_tool_calls = fields.flag("parallel_tool_calls")?;
    request.max_tokens = fields.count("max_output_tokens")?;
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    if let Some(mut text) = fields.object("text")? {
        let format = text.object("format")?;
        request.response_format = format
            .map(|format| decode_format(format, &mut lost))
            .transpose()?;
        // Both of OpenAI's wires have it, at different places.
        if let Some(verbosity) = text.take("verbosity") {
            fields.0.insert("verbosity".to_owned(), verbosity);
        }
        text.lose_rest(&[], &mut lost);
    }
    if let Some(mut reasoning) = fields.object("reasoning")? {
        if let Some(name) = reasoning.text("effort")? {
            let effort = Effort::from_name(&name);
            note(&mut lost, effort.is_none(), "reasoning");
            request.reasoning = effort.map(reasoning_of);
        }
        if reasoning.0.values().any(|value| !value.is_null()) {
            lost.push("reasoning.summary");
        }
    }
    // Its newer name.
    let identifier = fields.text("safety_identifier")?;
    request.user = fields.text("user")?.or(identifier);
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
    // Padding against eavesdroppers, which is OpenAI's own.
    fields.take("stream_options");
    fields.0.retain(|key, value| !says_nothing(key, value));
    request.extra = fields.0;
    request.extra_dialect = Some(Dialect::OpenAiResponses);
    lost.sort_unstable();
    lost.dedup();
    request.lost = lost;
    Ok(request)
}

/// Values that ask for what is done anyway.
fn says_nothing(key: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => matches!(
            (key, text.as_str()),
            (_, "") | ("truncation", "disabled") | ("service_tier", "auto")
        ),
        Value::Array(list) => list.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
        Value::Bool(true) | Value::Object(_) => false,
    }
}

fn reasoning_of(effort: Effort) -> Reasoning {
    Reasoning {
        effort: Some(effort),
        off: effort == Effort::None,
        ..Reasoning::default()
    }
}

/// Reads items and gathers them to turns: other wires want what the model said, thought and called between two
/// turns of the user in one piece, and the answers of its tools as well.
fn decode_items(
    items: Vec<Value>,
    messages: &mut Vec<Message>,
    lost: &mut Vec<&'static str>,
) -> Result<(), BadRequest> {
    for item in items {
        match Item::decode(item, lost)? {
            Item::Message(role, parts) => match role.as_str() {
                "assistant" => speak(messages, parts),
                "user" => messages.push(Message::new(Role::User, parts)),
                "system" | "developer" => messages.push(Message::new(Role::System, parts)),
                _ => return Err(BadRequest::invalid("input", "must have roles of this API")),
            },
            Item::Spoken(part) => speak(messages, vec![part]),
            Item::Result(result) => {
                let part = Part::ToolResult(result);
                match messages.last_mut() {
                    Some(last) if is_results(last) => last.parts.push(part),
                    _ => messages.push(Message::new(Role::User, vec![part])),
                }
            }
            Item::Sealed => lost.push("input.reasoning"),
            Item::Reference => lost.push("input.item_reference"),
            Item::Foreign => lost.push("input"),
        }
    }
    Ok(())
}

/// Adds to the model's turn, or begins a new one where the last has spoken and called nothing.
fn speak(messages: &mut Vec<Message>, parts: Vec<Part>) {
    let says = |parts: &[Part]| {
        parts
            .iter()
            .any(|part| matches!(part, Part::Text(_) | Part::Refusal(_)))
    };
    let calls = |parts: &[Part]| parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    match messages.last_mut() {
        Some(last)
            if last.role == Role::Assistant
                && (calls(&last.parts) || !says(&last.parts) || !says(&parts)) =>
        {
            last.parts.extend(parts);
        }
        _ => messages.push(Message::new(Role::Assistant, parts)),
    }
}

fn is_results(message: &Message) -> bool {
    message.role == Role::User
        && message
            .parts
            .iter()
            .all(|part| matches!(part, Part::ToolResult(_)))
}

/// `None` for a tool that the caller does not run, or that is no function.
fn decode_tool(tool: Value, lost: &mut Vec<&'static str>) -> Result<Option<Tool>, BadRequest> {
    let mut fields = Fields::from_value(tool, "tools")?;
    if fields.text("type")?.is_none_or(|kind| kind != "function") {
        return Ok(None);
    }
    let name = fields
        .text("name")?
        .ok_or_else(|| BadRequest::invalid("tools", "must each have a name"))?;
    let parameters = fields.take("parameters");
    let parameters = parameters.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut tool = Tool::new(name, parameters);
    tool.description = fields.text("description")?;
    tool.strict = fields.flag("strict")?;
    fields.lose_rest(&[], lost);
    Ok(Some(tool))
}

fn decode_tool_choice(
    choice: Option<Value>,
    request: &mut Request,
    lost: &mut Vec<&'static str>,
) -> Result<(), BadRequest> {
    let wrong = || BadRequest::invalid("tool_choice", "must be a mode or name a tool");
    let mode = |name: &str| match name {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "required" => Ok(ToolChoice::Required),
        _ => Err(wrong()),
    };
    request.tool_choice = match choice {
        None => None,
        Some(Value::String(name)) => Some(mode(&name)?),
        Some(Value::Object(map)) => {
            let mut choice = Fields(map);
            match choice.text("type")?.as_deref() {
                Some("function") => {
                    let name = choice.text("name")?.ok_or_else(wrong)?;
                    Some(ToolChoice::Tool(name))
                }
                // The same as to offer no others; it only spares the provider's prompt cache.
                Some("allowed_tools") => {
                    let allowed = choice.list("tools")?.unwrap_or_default();
                    let names: Vec<_> = allowed
                        .iter()
                        .filter_map(|tool| tool.get("name")?.as_str())
                        .collect();
                    request
                        .tools
                        .retain(|tool| names.contains(&tool.name.as_str()));
                    Some(mode(choice.text("mode")?.as_deref().unwrap_or("auto"))?)
                }
                Some(_) => {
                    lost.push("tool_choice");
                    None
                }
                None => return Err(wrong()),
            }
        }
        Some(_) => return Err(wrong()),
    };
    Ok(())
}

fn decode_format(
    mut format: Fields,
    lost: &mut Vec<&'static str>,
) -> Result<ResponseFormat, BadRequest> {
    match format.text("type")?.as_deref() {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => {
            let read = JsonSchema {
                name: format.text("name")?.unwrap_or_else(|| "answer".to_owned()),
                description: format.text("description")?,
                schema: format.take("schema").unwrap_or_else(|| json!({})),
                strict: format.flag("strict")?,
            };
            format.lose_rest(&[], lost);
            Ok(ResponseFormat::JsonSchema(read))
        }
        _ => Err(BadRequest::invalid(
            "text.format",
            "must have a type of this API",
        )),
    }
}
