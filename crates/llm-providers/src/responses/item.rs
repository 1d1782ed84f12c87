//! Items: what a conversation is made of on this wire, in requests and in answers alike.

use super::mark::is_foreign_reasoning;
use crate::call::BadRequest;
use crate::chat::{Audio, Document, Image, Part, Source, Text, Thinking, ToolCall, ToolResult};
use crate::codec::{Fields, mark_shown};
use serde_json::Value;

/// What OpenAI takes a file for that does not say its type.
const USUAL_DOCUMENT: &str = "application/pdf";

/// What is said of a text's sources in a request.
pub(super) const LOST_ANNOTATIONS: &str = "input.annotations";

/// Before another provider's signature in `encrypted_content`.
const SIGNED: &str = "signed:";
/// Before another provider's encrypted reasoning.
const REDACTED: &str = "redacted:";

/// One item, read.
pub(super) enum Item {
    /// A message, whoever speaks: its role and parts.
    Message(String, Vec<Part>),
    /// A part of a turn of the model.
    Spoken(Part),
    /// What a tool of the caller answered.
    Result(ToolResult),
    /// Something that only the provider has, or can read.
    Reference,
    /// Reasoning that only the provider can read.
    Sealed,
    /// An item of a sort that the neutral form does not know.
    Foreign,
}

impl Item {
    /// Reads one item of a request or an answer.
    pub(super) fn decode(item: Value, lost: &mut Vec<&'static str>) -> Result<Self, BadRequest> {
        let mut item = Fields::from_value(item, "input")?;
        let kind = item.text("type")?;
        Ok(match kind.as_deref() {
            None | Some("message") if item.0.contains_key("role") => {
                let role = item.text("role")?.unwrap_or_default();
                let mut parts = Vec::new();
                let known = lost.len();
                decode_content(item.take("content"), &mut parts, lost)?;
                if role == "user" {
                    mark_shown(lost, known);
                }
                item.lose_rest(&OF_NO_USE, lost);
                Self::Message(role, parts)
            }
            Some("function_call") => {
                let call = ToolCall {
                    id: item.text("call_id")?.unwrap_or_default(),
                    name: item.text("name")?.unwrap_or_default(),
                    arguments: item.text("arguments")?.unwrap_or_default(),
                };
                lose_caller(&mut item, lost);
                Self::Spoken(Part::ToolCall(call))
            }
            Some("function_call_output") => {
                let mut parts = Vec::new();
                decode_content(item.take("output"), &mut parts, lost)?;
                let id = item.text("call_id")?.unwrap_or_default();
                lose_caller(&mut item, lost);
                Self::Result(ToolResult {
                    id,
                    parts,
                    is_error: false,
                })
            }
            Some("reasoning") => match decode_reasoning(&mut item)? {
                Some(part) => Self::Spoken(part),
                None => Self::Sealed,
            },
            None | Some("item_reference") => Self::Reference,
            Some(_) => Self::Foreign,
        })
    }
}

/// Fields of an item that say how it stands at its maker.
const OF_NO_USE: [&str; 2] = ["id", "status"];

/// Names what a call or its output says of who called, unless it was the model itself.
fn lose_caller(item: &mut Fields, lost: &mut Vec<&'static str>) {
    let caller = item.0.get("caller").and_then(|caller| caller.get("type"));
    if caller.is_some_and(|kind| kind == "direct") {
        item.take("caller");
    }
    item.lose_rest(&OF_NO_USE, lost);
}

/// `None` where nothing is left that another provider could read.
fn decode_reasoning(item: &mut Fields) -> Result<Option<Part>, BadRequest> {
    let foreign = item.text("id")?.is_some_and(|id| is_foreign_reasoning(&id));
    let sealed = item.text("encrypted_content")?.filter(|_| foreign);
    if let Some(data) = sealed
        .as_deref()
        .and_then(|sealed| sealed.strip_prefix(REDACTED))
    {
        return Ok(Some(Part::RedactedThinking(data.to_owned())));
    }
    let signature = sealed
        .as_deref()
        .and_then(|sealed| sealed.strip_prefix(SIGNED))
        .map(str::to_owned);
    let texts = |list: Option<Vec<Value>>| -> Vec<String> {
        list.unwrap_or_default()
            .iter()
            .filter_map(|part| Some(part.get("text")?.as_str()?.to_owned()))
            .filter(|text| !text.is_empty())
            .collect()
    };
    let mut text = texts(item.list("summary")?);
    if text.is_empty() {
        text = texts(item.list("content")?);
    }
    if text.is_empty() && signature.is_none() {
        return Ok(None);
    }
    Ok(Some(Part::Thinking(Thinking {
        text: text.join("\n\n"),
        signature,
    })))
}

/// What stands in `encrypted_content` for the seal of another provider's reasoning.
pub(super) fn signed(signature: &str) -> String {
    format!("{SIGNED}{signature}")
}

/// What stands in `encrypted_content` for reasoning that another provider encrypted.
pub(super) fn redacted(data: &str) -> String {
    format!("{REDACTED}{data}")
}

/// The other provider's seal inside an item of ours, as a stream's reader meets it.
pub(super) enum Seal<'a> {
    /// Its signature on the text.
    Signature(&'a str),
    /// Its encrypted reasoning.
    Redacted(&'a str),
}

impl<'a> Seal<'a> {
    /// Reads `encrypted_content` of the item called `id`; `None` where OpenAI sealed it.
    pub(super) fn read(id: &str, sealed: &'a str) -> Option<Self> {
        if !is_foreign_reasoning(id) {
            return None;
        }
        let signature = sealed.strip_prefix(SIGNED).map(Self::Signature);
        signature.or_else(|| sealed.strip_prefix(REDACTED).map(Self::Redacted))
    }
}

/// Reads a message's content or a tool's output: one text or a list of parts.
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
                let part = Fields::from_value(part, "content")?;
                match decode_part(part, lost)? {
                    Some(part) => parts.push(part),
                    None => lost.push("input.content"),
                }
            }
        }
        Some(_) => return Err(BadRequest::invalid("content", "must be a string or a list")),
    }
    Ok(())
}

/// `None` for a sort of part that the neutral form does not know.
fn decode_part(mut part: Fields, lost: &mut Vec<&'static str>) -> Result<Option<Part>, BadRequest> {
    let kind = part.text("type")?.unwrap_or_default();
    let read = match kind.as_str() {
        "input_text" | "output_text" | "text" => {
            if part
                .list("annotations")?
                .is_some_and(|list| !list.is_empty())
            {
                lost.push(LOST_ANNOTATIONS);
            }
            Part::Text(Text {
                text: part.text("text")?.unwrap_or_default(),
                cache_control: None,
            })
        }
        "refusal" => Part::Refusal(part.text("refusal")?.unwrap_or_default()),
        "input_image" => {
            let source = match (part.text("image_url")?, part.text("file_id")?) {
                (Some(url), _) => Source::from_url(url),
                (None, Some(id)) => Source::FileId(id),
                (None, None) => {
                    return Err(BadRequest::invalid(
                        "content",
                        "must give an image's URL or file",
                    ));
                }
            };
            Part::Image(Image {
                source,
                detail: part.text("detail")?,
            })
        }
        "input_file" => Part::Document(Document {
            source: decode_file(&mut part)?,
            name: part.text("filename")?,
        }),
        "input_audio" => {
            let mut audio = part
                .object("input_audio")?
                .ok_or_else(|| BadRequest::missing("input_audio"))?;
            Part::Audio(Audio {
                data: audio.text("data")?.unwrap_or_default(),
                format: audio.text("format")?.unwrap_or_default(),
            })
        }
        _ => return Ok(None),
    };
    if part.0.get("detail").is_some_and(|detail| detail == "auto") {
        part.take("detail");
    }
    // How likely an earlier answer's words were.
    part.lose_rest(&["logprobs"], lost);
    Ok(Some(read))
}

fn decode_file(part: &mut Fields) -> Result<Source, BadRequest> {
    if let Some(data) = part.text("file_data")? {
        return Ok(match Source::from_url(data) {
            // Not a `data:` URL: the bytes alone.
            Source::Url(data) => Source::Base64 {
                media_type: USUAL_DOCUMENT.to_owned(),
                data,
            },
            other => other,
        });
    }
    if let Some(url) = part.text("file_url")? {
        return Ok(Source::Url(url));
    }
    part.text("file_id")?
        .map(Source::FileId)
        .ok_or_else(|| BadRequest::invalid("content", "must give a file's data, URL or id"))
}
