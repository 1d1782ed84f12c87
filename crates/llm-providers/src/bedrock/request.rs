//! Writes a request body.

use crate::anthropic::{Demand, schema, thinking_fields};
use crate::chat::{
    Document, JsonSchema, Message, Part, Request, ResponseFormat, Role, Source, Tool, ToolChoice,
    ToolResult,
};
use crate::claude;
use crate::codec::{Encoded, Object, Turns, field_name, note, object_schema, safe_id};
use crate::wire::{Dialect, Terms};
use serde_json::{Value, json};

/// The wire accepts this many stop sequences for every model.
const MAX_STOPS: usize = 4;

/// The pictures that are understood (`ImageFormat` in `botocore` 1.44.8, read 2026-11-26).
const IMAGE_FORMATS: [&str; 4] = ["png", "jpeg", "gif", "webp"];

/// Writes a request for `model`.
pub(super) fn encode_request(request: &Request, terms: &Terms<'_>) -> Encoded {
    let model = terms.model;
    let native = request.extra_dialect == Some(Dialect::AnthropicMessages);
    let mut writer = Encoder {
        claude: model.contains("claude"),
        caches: model.contains("claude") || model.contains("nova"),
        documents: 0,
        dropped: request.lost.clone(),
    };
    let dropped = &mut writer.dropped;
    dropped.extend(request.extra.keys().map(|key| field_name(key)));
    note(dropped, request.user.is_some(), "user");
    note(dropped, !request.metadata.is_empty(), "metadata");
    note(dropped, request.seed.is_some(), "seed");
    let set = |penalty: Option<f64>| penalty.is_some_and(|penalty| penalty != 0.0);
    note(dropped, set(request.presence_penalty), "presence_penalty");
    note(dropped, set(request.frequency_penalty), "frequency_penalty");

    let mut out = Object::default();
    let (mut system, messages) = writer.messages(&request.messages);
    match &request.response_format {
        Some(ResponseFormat::JsonSchema(schema)) => {
            let wish = writer.format(schema, native, &mut out);
            system.extend(wish.map(|wish| json!({"text": wish})));
        }
        Some(ResponseFormat::JsonObject) => {
            // No such mode here: the model is asked, which is likely and not certain to work.
            writer.dropped.push("response_format");
            system.push(json!({"text": "Answer with one JSON object and nothing else."}));
        }
        Some(ResponseFormat::Text) | None => {}
    }
    let demand = writer.demand(request, model);
    if let Some(wish) = demand.wish() {
        writer.dropped.push("tool_choice");
        system.push(json!({"text": wish}));
    }
    if !system.is_empty() {
        out.set("system", system);
    }
    out.set("messages", messages);
    writer.tools(request, demand, native, &mut out);
    writer.inference(request, terms, &mut out);
    Encoded {
        body: out.into_bytes(),
        dropped: writer.dropped,
    }
}

fn output_config(schema: &JsonSchema, rules: &Value) -> Value {
    let mut inner = Object::default();
    // A text here, not an object.
    inner.set("schema", rules.to_string());
    inner.set("name", schema.name.as_str());
    inner.set_some("description", schema.description.clone());
    json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": inner.0}}})
}

struct Encoder {
    /// The model is one of Anthropic's.
    claude: bool,
    /// The model knows cache marks; others refuse them.
    caches: bool,
    /// Documents so far: they need names, each its own.
    documents: u32,
    dropped: Vec<&'static str>,
}

impl Encoder {
    /// Writes the form of the answer, or hands back what to ask in words. Claude's callers know what it can be held to.
    fn format(&mut self, wished: &JsonSchema, native: bool, out: &mut Object) -> Option<String> {
        let rules = if self.claude && !native {
            match schema::fit(&wished.schema) {
                Some(fitted) => {
                    note(
                        &mut self.dropped,
                        fitted.is_looser,
                        "response_format.schema",
                    );
                    fitted.schema
                }
                None => {
                    self.dropped.push("response_format");
                    return Some(schema::wish_for(&wished.schema));
                }
            }
        } else {
            wished.schema.clone()
        };
        out.set("outputConfig", output_config(wished, &rules));
        None
    }

    fn demand<'a>(&self, request: &'a Request, model: &str) -> Demand<'a> {
        if self.claude {
            Demand::of(request, model)
        } else {
            Demand::None
        }
    }

    /// The system prompt's blocks, and the turns.
    fn messages(&mut self, messages: &[Message]) -> (Vec<Value>, Vec<Value>) {
        let mut system = Vec::new();
        let mut turns = Turns::default();
        for message in messages {
            note(&mut self.dropped, message.name.is_some(), "messages.name");
            let mut blocks = Vec::new();
            for part in &message.parts {
                self.block(part, &mut blocks);
            }
            if message.role == Role::System {
                let position = "messages.system_position";
                note(&mut self.dropped, !turns.is_empty(), position);
                system.extend(blocks);
            } else {
                turns.add(message.role, blocks);
            }
        }
        if turns.is_empty() && !system.is_empty() {
            // Instructions alone are refused here: they become what the user says.
            self.dropped.push("messages.system_position");
            turns.add(Role::User, std::mem::take(&mut system));
        }
        if let Some((Role::Assistant, blocks)) = turns.last_mut() {
            trim_prefill(blocks);
        }
        if turns.starts_with(Role::Assistant) {
            // Refused here (<https://github.com/strands-agents/sdk-typescript/issues/727>, read 2026-11-26).
            self.dropped.push("messages.first_turn");
            turns.begin(Role::User, vec![json!({"text": "."})]);
        }
        let turns = turns.into_list(|role, mut blocks| {
            let is_user = role == Role::User;
            // Results come before anything else the user says.
            blocks.sort_by_key(|block| is_user && block.get("toolResult").is_none());
            let role = if is_user { "user" } else { "assistant" };
            json!({"role": role, "content": blocks})
        });
        (system, turns)
    }

    /// Writes one part as a block, a cache mark as one more.
    fn block(&mut self, part: &Part, out: &mut Vec<Value>) {
        match part {
            // Texts without a visible character are refused.
            Part::Text(text) if text.text.trim().is_empty() => {}
            Part::Text(text) => {
                out.push(json!({"text": text.text}));
                self.cache_mark(text.cache_control.as_ref(), out);
            }
            Part::Refusal(text) if text.trim().is_empty() => {}
            Part::Refusal(text) => out.push(json!({"text": text})),
            Part::Image(image) => {
                let detail = image.detail.as_deref();
                let close = detail.is_some_and(|detail| detail != "auto");
                note(&mut self.dropped, close, "messages.image.detail");
                out.extend(self.image(&image.source));
            }
            Part::Document(document) => out.extend(self.document(document)),
            Part::Audio(_) => self.dropped.push("messages.audio"),
            Part::ToolCall(call) => out.push(json!({"toolUse": {
                "toolUseId": safe_id(&call.id),
                "name": call.name,
                "input": call.object(&mut self.dropped),
            }})),
            Part::ToolResult(result) => out.push(self.result(result)),
            Part::Thinking(thinking) => match &thinking.signature {
                Some(signature) => out.push(json!({"reasoningContent": {"reasoningText": {
                    "text": thinking.text,
                    "signature": signature,
                }}})),
                None => self.dropped.push("messages.thinking"),
            },
            Part::RedactedThinking(data) => {
                out.push(json!({"reasoningContent": {"redactedContent": data}}));
            }
        }
    }

    fn cache_mark(&mut self, mark: Option<&Value>, out: &mut Vec<Value>) {
        let Some(mark) = mark else {
            return;
        };
        if !self.caches {
            self.dropped.push("cache_control");
            return;
        }
        let mut point = Object::default();
        point.set("type", "default");
        match mark.get("ttl").and_then(Value::as_str) {
            Some(ttl) if self.claude => point.set("ttl", ttl),
            ttl => note(&mut self.dropped, ttl.is_some(), "cache_control.ttl"),
        }
        out.push(json!({"cachePoint": point.0}));
    }

    /// Bytes are in the request, or in S3: nothing else is fetched here.
    fn image(&mut self, source: &Source) -> Option<Value> {
        let (format, source) = match source {
            Source::Base64 { media_type, data } => {
                let format = media_type.strip_prefix("image/").unwrap_or(media_type);
                (format, json!({"bytes": data}))
            }
            Source::Url(url) => (ending(url, "jpeg"), self.in_s3(url, "messages.image.url")?),
            Source::FileId(_) => {
                self.dropped.push("messages.image.file_id");
                return None;
            }
        };
        let format = if format == "jpg" { "jpeg" } else { format };
        if !IMAGE_FORMATS.contains(&format) {
            self.dropped.push("messages.image.format");
            return None;
        }
        Some(json!({"image": {"format": format, "source": source}}))
    }

    fn document(&mut self, document: &Document) -> Option<Value> {
        let (format, source) = match &document.source {
            Source::Base64 { media_type, data } => {
                (document_format(media_type), json!({"bytes": data}))
            }
            Source::Url(url) => (
                ending(url, "pdf"),
                self.in_s3(url, "messages.document.url")?,
            ),
            Source::FileId(_) => {
                self.dropped.push("messages.document.file_id");
                return None;
            }
        };
        self.documents += 1;
        let name = document_name(document.name.as_deref(), self.documents);
        Some(json!({"document": {"format": format, "name": name, "source": source}}))
    }

    fn in_s3(&mut self, url: &str, lost: &'static str) -> Option<Value> {
        let stored = url.starts_with("s3://");
        note(&mut self.dropped, !stored, lost);
        stored.then(|| json!({"s3Location": {"uri": url}}))
    }

    fn result(&mut self, result: &ToolResult) -> Value {
        let mut content = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(text) => {
                    let marked = text.cache_control.is_some();
                    note(&mut self.dropped, marked, "cache_control");
                    content.push(json!({"text": text.text}));
                }
                Part::Image(image) => content.extend(self.image(&image.source)),
                Part::Document(document) => content.extend(self.document(document)),
                Part::Audio(_) => self.dropped.push("messages.audio"),
                _ => {}
            }
        }
        // A result without content is refused.
        if content.is_empty() {
            content.push(json!({"text": ""}));
        }
        let status = if result.is_error { "error" } else { "success" };
        json!({"toolResult": {
            "toolUseId": safe_id(&result.id),
            "content": content,
            "status": status,
        }})
    }

    fn tools(&mut self, request: &Request, demand: Demand<'_>, native: bool, out: &mut Object) {
        if request.tools.is_empty() {
            return;
        }
        let calls = request.messages.iter().flat_map(|message| &message.parts);
        let has_calls = calls
            .into_iter()
            .any(|part| matches!(part, Part::ToolCall(_) | Part::ToolResult(_)));
        let serial = request.parallel_tool_calls == Some(false);
        note(&mut self.dropped, serial, "parallel_tool_calls");
        let choice = match &request.tool_choice {
            // No such choice here: tools that are not to be called are not offered, unless the
            // conversation has calls already, which need them.
            Some(ToolChoice::None) if !has_calls => return,
            Some(ToolChoice::None) => {
                self.dropped.push("tool_choice");
                None
            }
            None => None,
            Some(ToolChoice::Auto) => Some(json!({"auto": {}})),
            Some(_) if matches!(demand, Demand::Asked(_)) => Some(json!({"auto": {}})),
            Some(ToolChoice::Required) => Some(json!({"any": {}})),
            Some(ToolChoice::Tool(name)) => Some(json!({"tool": {"name": name}})),
        };
        let mut tools = Vec::with_capacity(request.tools.len());
        for tool in request.tools.iter().filter(|tool| demand.allows(tool)) {
            tools.push(self.tool_spec(tool, native));
            self.cache_mark(tool.cache_control.as_ref(), &mut tools);
        }
        let mut config = Object::default();
        config.set("tools", tools);
        config.set_some("toolChoice", choice);
        out.set("toolConfig", config.0);
    }

    fn tool_spec(&mut self, tool: &Tool, native: bool) -> Value {
        let mut spec = Object::default();
        spec.set("name", tool.name.as_str());
        // An empty description is refused.
        let description = tool.description.clone().filter(|text| !text.is_empty());
        spec.set_some("description", description);
        // `false` is the default, and older models do not know the field.
        let mut strict = tool.strict.filter(|strict| *strict);
        let mut parameters = object_schema(&tool.parameters);
        if strict.is_some() && self.claude && !native {
            match schema::fit(&parameters).filter(|fitted| !fitted.is_looser) {
                Some(fitted) => parameters = fitted.schema,
                None => {
                    strict = None;
                    self.dropped.push("strict");
                }
            }
        }
        spec.set("inputSchema", json!({"json": parameters}));
        spec.set_some("strict", strict);
        json!({"toolSpec": spec.0})
    }

    fn inference(&mut self, request: &Request, terms: &Terms<'_>, out: &mut Object) {
        let model = terms.model;
        // Unset, all that the model can write would count against the quota.
        let mut max_tokens = request.max_tokens.or(terms.quota_max_tokens);
        let mut more = Object::default();
        let thinks = match request.reasoning {
            Some(_) if self.claude => {
                let tokens = max_tokens.get_or_insert(terms.default_max_tokens);
                thinking_fields(request, model, &mut more, tokens, &mut self.dropped)
            }
            Some(reasoning) => {
                note(&mut self.dropped, !reasoning.off, "reasoning");
                false
            }
            None => false,
        };
        let mut config = Object::default();
        config.set_some("maxTokens", max_tokens);
        if thinks || claude::samples_as_it_likes(model) {
            let warm = request.temperature.is_some_and(|t| t != 1.0);
            note(&mut self.dropped, warm, "temperature");
            note(&mut self.dropped, request.top_p.is_some(), "top_p");
            note(&mut self.dropped, request.top_k.is_some(), "top_k");
        } else {
            self.sampling(request, &mut config, &mut more);
        }
        if !request.stop.is_empty() {
            let stops = request.stop.iter().filter(|stop| !stop.trim().is_empty());
            let stops: Vec<_> = stops.take(MAX_STOPS).cloned().collect();
            note(&mut self.dropped, stops.len() < request.stop.len(), "stop");
            config.set("stopSequences", stops);
        }
        if !config.0.is_empty() {
            out.set("inferenceConfig", config.0);
        }
        if !more.0.is_empty() {
            out.set("additionalModelRequestFields", more.0);
        }
    }

    /// The temperature ends at 1.0 here, and Claude takes it or `topP`, not both.
    fn sampling(&mut self, request: &Request, config: &mut Object, more: &mut Object) {
        if let Some(temperature) = request.temperature {
            note(&mut self.dropped, temperature > 1.0, "temperature");
            config.set("temperature", temperature.min(1.0));
        }
        if self.claude && request.temperature.is_some() {
            note(&mut self.dropped, request.top_p.is_some(), "top_p");
        } else {
            config.set_some("topP", request.top_p);
        }
        if self.claude {
            more.set_some("top_k", request.top_k);
        } else {
            note(&mut self.dropped, request.top_k.is_some(), "top_k");
        }
    }
}

/// The beginning of an answer must not end in white space: Claude refuses it.
fn trim_prefill(blocks: &mut Vec<Value>) {
    if let Some(Value::String(text)) = blocks.last_mut().and_then(|last| last.get_mut("text")) {
        text.truncate(text.trim_end().len());
        if text.is_empty() {
            blocks.pop();
        }
    }
}

/// The ending of a path, or `usual`.
fn ending<'a>(url: &'a str, usual: &'a str) -> &'a str {
    let ending = url.rsplit_once('.').map(|(_, ending)| ending);
    ending
        .filter(|ending| ending.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .unwrap_or(usual)
}

/// The wire's name for a document's type
/// (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html>, read
/// 2026-11-26).
fn document_format(media_type: &str) -> &str {
    match media_type {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => "txt",
    }
}

/// Names hold letters, digits, single spaces and a few signs, and no two are the same.
fn document_name(name: Option<&str>, number: u32) -> String {
    let mut clean = String::new();
    for c in name.unwrap_or("document").chars().take(150) {
        let kept = c.is_ascii_alphanumeric() || "-()[]".contains(c);
        if kept {
            clean.push(c);
        } else if !clean.ends_with(' ') {
            clean.push(' ');
        }
    }
    format!("{} {number}", clean.trim()).trim_start().to_owned()
}
