//! Reads a request body.

use crate::call::BadRequest;
use crate::chat::{
    Document, Effort, Image, JsonSchema, Message, Part, Reasoning, Request, ResponseFormat, Role,
    Source, Text, Thinking, Tool, ToolCall, ToolChoice, ToolResult,
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
    let system = decode_blocks(fields.take("system"), "system", &mut lost)?;
    if !system.is_empty() {
        request.messages.push(Message::new(Role::System, system));
    }
    let messages = fields
        .list("messages")?
        .ok_or_else(|| BadRequest::missing("messages"))?;
    for message in messages {
        let mut message = Fields::from_value(message, "messages")?;
        let role = match message.text("role")?.as_deref() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => {
                return Err(BadRequest::invalid(
                    "messages",
                    "must have roles of this API",
                ));
            }
        };
        let known = lost.len();
        let parts = decode_blocks(message.take("content"), "content", &mut lost)?;
        if role == Role::User {
            mark_shown(&mut lost, known);
        }
        message.lose_rest(&[], &mut lost);
        request.messages.push(Message::new(role, parts));
    }
    for tool in fields.list("tools")?.unwrap_or_default() {
        match decode_tool(tool, &mut lost)? {
            Some(tool) => request.tools.push(tool),
            None => lost.push("tools"),
        }
    }
    if let Some(mut choice) = fields.object("tool_choice")? {
        let parallel = choice.flag("disable_parallel_tool_use")?;
        request.parallel_tool_calls = parallel.map(|disabled| !disabled);
        request.tool_choice = Some(match choice.text("type")?.as_deref() {
            Some("auto") => ToolChoice::Auto,
            Some("any") => ToolChoice::Required,
            Some("none") => ToolChoice::None,
            Some("tool") => ToolChoice::Tool(choice.text("name")?.unwrap_or_default()),
            _ => {
                return Err(BadRequest::invalid(
                    "tool_choice",
                    "must have a type of this API",
                ));
            }
        });
    }
    request.drop_lost_choice(&mut lost);
    request.max_tokens = fields.count("max_tokens")?;
    request.temperature = fields.number("temperature")?;
    request.top_p = fields.number("top_p")?;
    request.top_k = fields.count("top_k")?;
    request.stop = fields.texts("stop_sequences")?;
    request.stream = fields.flag("stream")?.unwrap_or(false);
    if let Some(mut metadata) = fields.object("metadata")? {
        request.user = metadata.text("user_id")?;
        metadata.lose_rest(&[], &mut lost);
    }
    let mut reasoning = decode_thinking(fields.object("thinking")?, &mut lost)?;
    let mut format = fields.object("output_format")?;
    if let Some(mut config) = fields.object("output_config")? {
        format = config.object("format")?.or(format);
        if let Some(name) = config.text("effort")? {
            let effort = Effort::from_name(&name);
            note(&mut lost, effort.is_none(), "reasoning");
            reasoning.get_or_insert_default().effort = effort;
        }
        config.lose_rest(&[], &mut lost);
    }
    request.reasoning = reasoning;
    if let Some(mut format) = format {
        let schema = format
            .take("schema")
            .ok_or_else(|| BadRequest::invalid("output_config", "must hold a schema"))?;
        request.response_format = Some(ResponseFormat::JsonSchema(JsonSchema {
            name: "answer".to_owned(),
            description: None,
            schema,
            strict: Some(true),
        }));
    }
    fields.0.retain(|_, value| !value.is_null());
    request.extra = fields.0;
    request.extra_dialect = Some(Dialect::AnthropicMessages);
    lost.sort_unstable();
    lost.dedup();
    request.lost = lost;
    Ok(request)
}

/// What is said of a text's sources in a request.
pub(crate) const LOST_CITATIONS: &str = "messages.content.citations";

fn decode_thinking(
    thinking: Option<Fields>,
    lost: &mut Vec<&'static str>,
) -> Result<Option<Reasoning>, BadRequest> {
    let Some(mut thinking) = thinking else {
        return Ok(None);
    };
    let mut reasoning = Reasoning::default();
    let mut known = true;
    match thinking.text("type")?.as_deref() {
        Some("enabled") => reasoning.budget_tokens = thinking.count("budget_tokens")?,
        Some("adaptive") => reasoning.adaptive = true,
        Some("disabled") => reasoning.off = true,
        // The least that Sonnet 5.5 can be told: no thinking up front.
        Some("between_tools") => reasoning.off = true,
        Some(_) => {
            lost.push("reasoning");
            known = false;
        }
        None => return Err(BadRequest::invalid("thinking", "must have a type")),
    }
    thinking.lose_rest(&[], lost);
    Ok(known.then_some(reasoning))
}

/// `None` for a tool that only this provider defines or runs.
fn decode_tool(tool: Value, lost: &mut Vec<&'static str>) -> Result<Option<Tool>, BadRequest> {
    let mut fields = Fields::from_value(tool, "tools")?;
    if fields.text("type")?.is_some_and(|kind| kind != "custom") {
        return Ok(None);
    }
    let name = fields
        .text("name")?
        .ok_or_else(|| BadRequest::invalid("tools", "must each have a name"))?;
    let schema = fields.take("input_schema");
    let schema = schema.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
    let mut tool = Tool::new(name, schema);
    tool.description = fields.text("description")?;
    tool.strict = fields.flag("strict")?;
    tool.cache_control = fields.take("cache_control");
    fields.lose_rest(&[], lost);
    Ok(Some(tool))
}

/// Reads content: one text or a list of blocks. Blocks the neutral form does not know are noted.
pub(in crate::anthropic) fn decode_blocks(
    content: Option<Value>,
    field: &'static str,
    lost: &mut Vec<&'static str>,
) -> Result<Vec<Part>, BadRequest> {
    let mut parts = Vec::new();
    match content {
        None => {}
        Some(Value::String(text)) => parts.push(Part::text(text)),
        Some(Value::Array(blocks)) => {
            for block in blocks {
                let block = Fields::from_value(block, field)?;
                decode_block(block, &mut parts, lost)?;
            }
        }
        Some(_) => return Err(BadRequest::invalid(field, "must be a string or a list")),
    }
    Ok(parts)
}

fn decode_block(
    mut block: Fields,
    parts: &mut Vec<Part>,
    lost: &mut Vec<&'static str>,
) -> Result<(), BadRequest> {
    let kind = block.text("type")?.unwrap_or_default();
    let cited = |block: &mut Fields| match block.take("citations") {
        Some(Value::Array(citations)) => !citations.is_empty(),
        _ => false,
    };
    if kind == "text" && cited(&mut block) {
        lost.push(LOST_CITATIONS);
    }
    let part = match kind.as_str() {
        "text" => Part::Text(Text {
            text: block.text("text")?.unwrap_or_default(),
            cache_control: block.take("cache_control"),
        }),
        "image" => Part::Image(Image {
            source: decode_source(block.object("source")?)?
                .ok_or_else(|| BadRequest::invalid("source", "must have a type of this API"))?,
            detail: None,
        }),
        "document" => return decode_document(block, parts, lost),
        "search_result" => return decode_found(block, parts, lost),
        // What came before it in few words; what it holds sealed is for the provider alone.
        "compaction" => {
            lost.push("messages.content.compaction");
            Part::text(block.text("content")?.unwrap_or_default())
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: block.text("id")?.unwrap_or_default(),
            name: block.text("name")?.unwrap_or_default(),
            arguments: block.take("input").unwrap_or_else(|| json!({})).to_string(),
        }),
        "tool_result" => Part::ToolResult(ToolResult {
            id: block.text("tool_use_id")?.unwrap_or_default(),
            parts: decode_blocks(block.take("content"), "content", lost)?,
            is_error: block.flag("is_error")?.unwrap_or(false),
        }),
        "thinking" => Part::Thinking(Thinking {
            text: block.text("thinking")?.unwrap_or_default(),
            signature: block.text("signature")?,
        }),
        "redacted_thinking" => Part::RedactedThinking(block.text("data")?.unwrap_or_default()),
        _ => {
            lost.push("messages.content");
            return Ok(());
        }
    };
    let direct = block.0.get("caller").and_then(|caller| caller.get("type"));
    if direct.is_some_and(|kind| kind == "direct") {
        block.take("caller");
    }
    if kind != "compaction" {
        block.lose_rest(&[], lost);
    }
    parts.push(part);
    Ok(())
}

/// A passage that the caller found for the model to read: its words, and where they are from.
fn decode_found(
    mut block: Fields,
    parts: &mut Vec<Part>,
    lost: &mut Vec<&'static str>,
) -> Result<(), BadRequest> {
    let head = [block.text("title")?, block.text("source")?];
    let head: Vec<_> = head.into_iter().flatten().collect();
    parts.push(Part::text(head.join("\n")));
    parts.extend(decode_blocks(block.take("content"), "content", lost)?);
    block.lose_rest(&[], lost);
    Ok(())
}

fn decode_document(
    mut block: Fields,
    parts: &mut Vec<Part>,
    lost: &mut Vec<&'static str>,
) -> Result<(), BadRequest> {
    let name = block.text("title")?;
    let told = name.is_some();
    let mut source = block
        .object("source")?
        .ok_or_else(|| BadRequest::missing("source"))?;
    match source.0.get("type").and_then(Value::as_str) {
        Some("text") => {
            parts.push(Part::text(source.text("data")?.unwrap_or_default()));
            note(lost, told, "title");
        }
        Some("content") => {
            parts.extend(decode_blocks(source.take("content"), "source", lost)?);
            note(lost, told, "title");
        }
        _ => {
            let source = decode_source(Some(source))?
                .ok_or_else(|| BadRequest::invalid("source", "must have a type of this API"))?;
            parts.push(Part::Document(Document { source, name }));
        }
    }
    block.lose_rest(&[], lost);
    Ok(())
}

fn decode_source(source: Option<Fields>) -> Result<Option<Source>, BadRequest> {
    let mut source = source.ok_or_else(|| BadRequest::missing("source"))?;
    Ok(match source.text("type")?.as_deref() {
        Some("base64") => Some(Source::Base64 {
            media_type: source.text("media_type")?.unwrap_or_default(),
            data: source.text("data")?.unwrap_or_default(),
        }),
        Some("url") => source.text("url")?.map(Source::Url),
        Some("file") => source.text("file_id")?.map(Source::FileId),
        _ => None,
    })
}
