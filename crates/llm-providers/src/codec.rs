//! What encoders and decoders of all wires share.

use crate::call::BadRequest;
use crate::chat::Role;
use bytes::Bytes;
use serde_json::{Map, Value};

/// A request put into a wire's form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encoded {
    /// The body.
    pub body: Bytes,
    /// Fields of the request that this wire has no place for. Names only.
    pub dropped: Vec<&'static str>,
}

/// Why a call cannot be said to a target at all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsayable {
    /// Without this the answer would be about something else.
    Missing(Vec<&'static str>),
    /// A field has a shape that the caller's own dialect does not allow.
    Unreadable(BadRequest),
}

impl From<BadRequest> for Unsayable {
    fn from(bad: BadRequest) -> Self {
        Self::Unreadable(bad)
    }
}

/// The fields of a JSON object, taken out one by one: what is left was not understood.
pub(crate) struct Fields(pub(crate) Map<String, Value>);

impl Fields {
    /// The body of a request or a reply.
    pub(crate) fn from_slice(body: &[u8]) -> Result<Self, BadRequest> {
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| BadRequest::from_json(&error))
    }

    /// An object nested in `field`.
    pub(crate) fn from_value(value: Value, field: &'static str) -> Result<Self, BadRequest> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(BadRequest::invalid(field, "must hold objects")),
        }
    }

    /// Whatever stands there; `null` is nothing.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.0.remove(key).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<String>, BadRequest> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(BadRequest::invalid(key, "must be a string")),
        }
    }

    pub(crate) fn number(&mut self, key: &'static str) -> Result<Option<f64>, BadRequest> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value
                .as_f64()
                .map(Some)
                .ok_or_else(|| BadRequest::invalid(key, "must be a number")),
        }
    }

    pub(crate) fn count(&mut self, key: &'static str) -> Result<Option<u32>, BadRequest> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .and_then(|count| u32::try_from(count).ok())
                .map(Some)
                .ok_or_else(|| BadRequest::invalid(key, "must be a whole number, not negative")),
        }
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, BadRequest> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(BadRequest::invalid(key, "must be true or false")),
        }
    }

    pub(crate) fn list(&mut self, key: &'static str) -> Result<Option<Vec<Value>>, BadRequest> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(BadRequest::invalid(key, "must be a list")),
        }
    }

    pub(crate) fn object(&mut self, key: &'static str) -> Result<Option<Self>, BadRequest> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Self(map))),
            Some(_) => Err(BadRequest::invalid(key, "must be an object")),
        }
    }

    /// Names what is left and says something, but for `idle` fields, which ask for nothing.
    pub(crate) fn lose_rest(&self, idle: &[&str], lost: &mut Vec<&'static str>) {
        let left = self
            .0
            .iter()
            .filter(|(key, value)| !idle.contains(&key.as_str()) && !is_nothing(value));
        lost.extend(left.map(|(key, _)| field_name(key)));
    }

    /// One text or a list of texts.
    pub(crate) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, BadRequest> {
        let wrong = || BadRequest::invalid(key, "must be a string or a list of strings");
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(list)) => list
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong()),
                })
                .collect(),
            Some(_) => Err(wrong()),
        }
    }
}

/// True of a value that asks for nothing.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// An object under construction: unset values are left out.
#[derive(Default)]
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl Object {
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    pub(crate) fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        serde_json::to_vec(&self.0).unwrap_or_default().into()
    }
}

/// Names a field that has no place on a wire, where `condition` holds.
pub(crate) fn note(dropped: &mut Vec<&'static str>, condition: bool, name: &'static str) {
    if condition {
        dropped.push(name);
    }
}

/// What stands in the trace for a part of a turn of the user that the neutral form does not know: the model would not see
/// what it is asked about.
pub(crate) const FOREIGN_CONTENT: &str = "messages.content.foreign";

/// Names what a turn of the user shows and the neutral form does not know, among what was lost after the first `known`.
pub(crate) fn mark_shown(lost: &mut [&'static str], known: usize) {
    for name in lost.iter_mut().skip(known) {
        if matches!(*name, "messages.content" | "input.content") {
            *name = FOREIGN_CONTENT;
        }
    }
}

/// The turns of a conversation for a wire on which user and model take turns: neighbours of one role
/// are one turn, and a turn without content is none.
#[derive(Default)]
pub(crate) struct Turns(Vec<(Role, Vec<Value>)>);

impl Turns {
    pub(crate) fn add(&mut self, role: Role, parts: Vec<Value>) {
        if parts.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some((last, merged)) if *last == role => merged.extend(parts),
            _ => self.0.push((role, parts)),
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn starts_with(&self, role: Role) -> bool {
        self.0.first().is_some_and(|(first, _)| *first == role)
    }

    /// Puts a turn before all others.
    pub(crate) fn begin(&mut self, role: Role, parts: Vec<Value>) {
        self.0.insert(0, (role, parts));
    }

    /// The last turn, whose role it is and what it holds.
    pub(crate) fn last_mut(&mut self) -> Option<(Role, &mut Vec<Value>)> {
        self.0.last_mut().map(|(role, parts)| (*role, parts))
    }

    pub(crate) fn into_list(self, write: impl Fn(Role, Vec<Value>) -> Value) -> Vec<Value> {
        let turns = self.0.into_iter();
        turns.map(|(role, parts)| write(role, parts)).collect()
    }
}

/// The media type that the ending of a URL's path stands for.
pub(crate) fn guess_media_type(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "html" => "text/html",
        "csv" => "text/csv",
        "md" => "text/markdown",
        _ => return None,
    })
}

/// The static form of a field's name, so that what was dropped can be told without copying
/// anything of the caller's.
pub(crate) fn field_name(key: &str) -> &'static str {
    const KNOWN: [&str; 77] = [
        "access_programs",
        "allowed_callers",
        "annotations",
        "async",
        "audio",
        "background",
        "background_options",
        "betas",
        "cache_control",
        "caller",
        "citations",
        "container",
        "context",
        "context_management",
        "conversation",
        "defer_loading",
        "detail",
        "diagnostics",
        "display",
        "eager_input_streaming",
        "enable_thinking",
        "extra_content",
        "fallbacks",
        "guided_json",
        "image",
        "include",
        "inference_geo",
        "input_examples",
        "logit_bias",
        "logprobs",
        "max_tool_calls",
        "mcp_servers",
        "metadata",
        "min_p",
        "min_tokens",
        "modalities",
        "moderation",
        "n",
        "name",
        "namespace",
        "output_schema",
        "partial",
        "phase",
        "plugins",
        "prediction",
        "prefix",
        "previous_response_id",
        "prompt",
        "prompt_cache_breakpoint",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "provider",
        "reasoning",
        "reasoning_details",
        "reasoning_format",
        "repetition_penalty",
        "route",
        "safe_prompt",
        "safety_identifier",
        "seed",
        "service_tier",
        "speed",
        "store",
        "stream_options",
        "task_budget",
        "title",
        "toolset_name",
        "top_k",
        "top_logprobs",
        "transformations",
        "transforms",
        "truncation",
        "user_profile_id",
        "verbosity",
        "web_search_options",
        "workspace_id",
    ];
    KNOWN
        .into_iter()
        .find(|known| *known == key)
        .unwrap_or("unrecognised")
}

/// The longest name of a tool call that every wire accepts: Bedrock's limit (`ToolUseId` in `botocore` 1.44.8, read
/// 2026-11-26).
const MAX_ID_BYTES: usize = 64;

/// A call's id in a form that every wire accepts: letters, digits, `_` and `-`, at most 64 of them.
pub(crate) fn safe_id(id: &str) -> String {
    if id.is_empty() {
        return "call".to_owned();
    }
    let clean: String = id
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    bounded_id(&clean, MAX_ID_BYTES)
}

/// A call's id, at most `most` bytes long: a longer one ends in what is made of all of it, so that call and result still
/// meet and no two meet by accident. `most` is at least 24.
pub(crate) fn bounded_id(id: &str, most: usize) -> String {
    if id.len() <= most {
        return id.to_owned();
    }
    let mut short = id
        .get(..most.saturating_sub(17))
        .map_or_else(String::new, str::to_owned);
    short.push_str(&format!("_{:016x}", fnv(id.bytes())));
    short
}

/// FNV-1a, <http://www.isthe.com/chongo/tech/comp/fnv/>: short, and the same for ever.
pub(crate) fn fnv(bytes: impl IntoIterator<Item = u8>) -> u64 {
    let bytes = bytes.into_iter();
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A tool's schema with the type that several wires demand: arguments are an object.
pub(crate) fn object_schema(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(fields) = schema.as_object_mut()
        && !fields.contains_key("type")
    {
        fields.insert("type".to_owned(), "object".into());
    }
    schema
}

/// A stream holds something that the other wire cannot say, or not in this order. The stream must
/// fail: left out, it would shorten the answer unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event has a shape that cannot be translated")]
pub struct Untranslatable(pub(crate) ());
