//! Writes a request body.

use super::model::{Model, Thinking};
use crate::chat::{
    Effort, Message, Part, Reasoning, Request, ResponseFormat, Role, Source, Tool, ToolChoice,
    ToolResult, name_of_call,
};
use crate::codec::{Encoded, Object, Turns, field_name, guess_media_type, note};
use serde_json::{Map, Value, json};

/// The wire accepts this many stop sequences.
const MAX_STOPS: usize = 5;
/// What Google documents for calls in a history that another model wrote.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes a request for `model`. On Vertex calls and results carry no ids: they meet by order there.
pub(super) fn encode_request(request: &Request, model: &str, vertex: bool) -> Encoded {
    let mut writer = Encoder {
        model: Model::new(model),
        vertex,
        dropped: request.lost.clone(),
    };
    writer
        .dropped
        .extend(request.extra.keys().map(|key| field_name(key)));
    let mut out = Object::default();
    let (mut system, contents) = writer.contents(&request.messages);
    let config = writer.config(request, &mut system);
    if !system.is_empty() {
        out.set("systemInstruction", json!({"parts": system}));
    }
    out.set("contents", contents);
    if !config.is_empty() {
        out.set("generationConfig", config);
    }
    writer.tools(request, &mut out);
    note(&mut writer.dropped, request.user.is_some(), "user");
    note(
        &mut writer.dropped,
        !request.metadata.is_empty(),
        "metadata",
    );
    Encoded {
        body: out.into_bytes(),
        dropped: writer.dropped,
    }
}

struct Encoder<'a> {
    model: Model<'a>,
    vertex: bool,
    dropped: Vec<&'static str>,
}

impl Encoder<'_> {
    /// The instruction's parts, and the turns.
    fn contents(&mut self, messages: &[Message]) -> (Vec<Value>, Vec<Value>) {
        let mut system = Vec::new();
        let mut turns = Turns::default();
        for message in messages {
            note(&mut self.dropped, message.name.is_some(), "messages.name");
            let parts = self.parts(message, messages);
            if message.role == Role::System {
                let position = "messages.system_position";
                note(&mut self.dropped, !turns.is_empty(), position);
                system.extend(parts);
            } else {
                turns.add(message.role, parts);
            }
        }
        if turns.is_empty() && !system.is_empty() {
            // Instructions alone are refused here: they become what the user says.
            self.dropped.push("messages.system_position");
            turns.add(Role::User, std::mem::take(&mut system));
        }
        let contents = turns.into_list(|role, parts| {
            let role = if role == Role::User { "user" } else { "model" };
            json!({"role": role, "parts": parts})
        });
        (system, contents)
    }

    fn parts(&mut self, message: &Message, messages: &[Message]) -> Vec<Value> {
        let mut parts = Vec::new();
        let mut sealed = !self.model.is_third_generation();
        for part in &message.parts {
            match part {
                Part::ToolCall(call) => {
                    let mut inner = Object::default();
                    if !self.vertex {
                        inner.set("id", call.id.as_str());
                    }
                    inner.set("name", call.name.as_str());
                    inner.set("args", call.object(&mut self.dropped));
                    let mut out = Object::default();
                    out.set("functionCall", inner.0);
                    // Of calls made at once only the first has a seal.
                    if !std::mem::replace(&mut sealed, true) {
                        out.set("thoughtSignature", NO_SIGNATURE);
                        self.dropped.push("messages.tool_calls.thought_signature");
                    }
                    parts.push(out.0.into());
                }
                Part::ToolResult(result) => self.result(result, messages, &mut parts),
                other => parts.extend(self.plain(other)),
            }
        }
        parts
    }

    /// What a tool answered: an object as it is, a text under the key that the documentation names.
    fn result(&mut self, result: &ToolResult, messages: &[Message], out: &mut Vec<Value>) {
        let mut text = String::new();
        let mut pictures = Vec::new();
        for part in &result.parts {
            match part {
                Part::Text(more) => {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(&more.text);
                }
                // Results are objects here; a picture follows as the user's.
                other => pictures.extend(self.plain(other)),
            }
        }
        let key = if result.is_error { "error" } else { "output" };
        let response = match serde_json::from_str(&text) {
            Ok(Value::Object(object)) if !result.is_error => object,
            _ => Map::from_iter([(key.to_owned(), Value::from(text))]),
        };
        let mut inner = Object::default();
        if !self.vertex {
            inner.set("id", result.id.as_str());
        }
        inner.set("name", name_of_call(&result.id, messages));
        inner.set("response", response);
        out.push(json!({"functionResponse": inner.0}));
        out.extend(pictures);
    }

    /// Text, pictures, documents and sounds; `None` where the wire has no place for the part.
    fn plain(&mut self, part: &Part) -> Option<Value> {
        match part {
            Part::Text(text) => {
                let marked = text.cache_control.is_some();
                note(&mut self.dropped, marked, "cache_control");
                (!text.text.is_empty()).then(|| json!({"text": text.text}))
            }
            Part::Refusal(text) => (!text.is_empty()).then(|| json!({"text": text})),
            Part::Image(image) => {
                let detail = image.detail.as_deref();
                let close = detail.is_some_and(|detail| detail != "auto");
                note(&mut self.dropped, close, "messages.image.detail");
                self.file(&image.source, "image/jpeg", "messages.image.file_id")
            }
            Part::Document(document) => {
                let file = "messages.document.file_id";
                self.file(&document.source, "application/pdf", file)
            }
            Part::Audio(audio) => Some(json!({"inlineData": {
                "mimeType": format!("audio/{}", audio.format),
                "data": audio.data,
            }})),
            Part::Thinking(_) | Part::RedactedThinking(_) => {
                self.dropped.push("messages.thinking");
                None
            }
            Part::ToolCall(_) | Part::ToolResult(_) => None,
        }
    }

    fn file(&mut self, source: &Source, usual: &str, lost: &'static str) -> Option<Value> {
        match source {
            Source::Base64 { media_type, data } => {
                Some(json!({"inlineData": {"mimeType": media_type, "data": data}}))
            }
            Source::Url(url) => Some(json!({"fileData": {
                "mimeType": guess_media_type(url).unwrap_or(usual),
                "fileUri": url,
            }})),
            // A name that another provider gave to a file says nothing here.
            Source::FileId(_) => {
                self.dropped.push(lost);
                None
            }
        }
    }

    fn config(&mut self, request: &Request, system: &mut Vec<Value>) -> Map<String, Value> {
        let mut out = Object::default();
        out.set_some("maxOutputTokens", request.max_tokens);
        out.set_some("temperature", request.temperature);
        out.set_some("topP", request.top_p);
        out.set_some("topK", request.top_k);
        if !request.stop.is_empty() {
            let too_many = request.stop.len() > MAX_STOPS;
            note(&mut self.dropped, too_many, "stop");
            let stops: Vec<_> = request.stop.iter().take(MAX_STOPS).cloned().collect();
            out.set("stopSequences", stops);
        }
        match request.seed.map(i32::try_from) {
            Some(Ok(seed)) => out.set("seed", seed),
            Some(Err(_)) => self.dropped.push("seed"),
            None => {}
        }
        for (key, name, penalty) in [
            (
                "presencePenalty",
                "presence_penalty",
                request.presence_penalty,
            ),
            (
                "frequencyPenalty",
                "frequency_penalty",
                request.frequency_penalty,
            ),
        ] {
            match penalty {
                Some(penalty) if self.model.takes_penalties() => out.set(key, penalty),
                penalty => note(&mut self.dropped, penalty.is_some_and(|p| p != 0.0), name),
            }
        }
        self.format(request, &mut out, system);
        if let Some(reasoning) = request.reasoning {
            self.thinking(reasoning, &mut out);
        }
        out.0
    }

    fn format(&mut self, request: &Request, out: &mut Object, system: &mut Vec<Value>) {
        let schema = match &request.response_format {
            Some(ResponseFormat::JsonSchema(schema)) => Some(&schema.schema),
            Some(ResponseFormat::JsonObject) => None,
            Some(ResponseFormat::Text) | None => return,
        };
        if !request.tools.is_empty() && !self.model.is_third_generation() {
            // Refused together: the model is asked, which is likely and not certain to work.
            self.dropped.push("response_format");
            let wish = "Unless you call a tool, answer with one JSON object and nothing else.";
            system.push(json!({"text": wish}));
            return;
        }
        out.set("responseMimeType", "application/json");
        let schema = schema.map(|schema| self.schema(schema, "response_format.schema"));
        out.set_some("responseJsonSchema", schema);
    }

    /// Grades become levels, or the budgets that Google's own OpenAI layer gives them
    /// (<https://ai.google.dev/gemini-api/docs/openai>, read 2026-11-26).
    fn thinking(&mut self, reasoning: Reasoning, out: &mut Object) {
        let off = reasoning.off || reasoning.effort == Some(Effort::None);
        let mut config = Object::default();
        match self.model.thinking() {
            Thinking::Other => {
                note(&mut self.dropped, !off, "reasoning");
                return;
            }
            Thinking::Level => {
                let level = match (reasoning.effort, reasoning.budget_tokens) {
                    _ if off && self.model.is_pro() => Some("low"),
                    _ if off => Some("minimal"),
                    (Some(Effort::None | Effort::Minimal), _) if !self.model.is_pro() => {
                        Some("minimal")
                    }
                    (Some(Effort::None | Effort::Minimal | Effort::Low), _) => Some("low"),
                    (Some(Effort::Medium), _) => Some("medium"),
                    (Some(Effort::High | Effort::ExtraHigh | Effort::Max), _) => Some("high"),
                    (None, Some(0..=2_048)) => Some("low"),
                    (None, Some(2_049..=8_192)) => Some("medium"),
                    (None, Some(_)) => Some("high"),
                    (None, None) => None,
                };
                note(&mut self.dropped, off, "reasoning");
                config.set_some("thinkingLevel", level);
            }
            Thinking::Budget => {
                let least = if self.model.is_pro() { 128 } else { 0 };
                note(&mut self.dropped, off && least > 0, "reasoning");
                let budget = match (reasoning.effort, reasoning.budget_tokens) {
                    _ if off => Some(least),
                    (_, Some(budget)) => Some(i64::from(budget)),
                    (Some(Effort::None | Effort::Minimal | Effort::Low), _) => Some(1_024),
                    (Some(Effort::Medium), _) => Some(8_192),
                    (Some(Effort::High | Effort::ExtraHigh | Effort::Max), _) => Some(24_576),
                    (None, None) => reasoning.adaptive.then_some(-1),
                };
                config.set_some("thinkingBudget", budget);
            }
        }
        if !off {
            config.set("includeThoughts", true);
        }
        out.set("thinkingConfig", config.0);
    }

    fn tools(&mut self, request: &Request, out: &mut Object) {
        if request.tools.is_empty() {
            return;
        }
        let tools: Vec<_> = request.tools.iter().map(|tool| self.tool(tool)).collect();
        out.set("tools", json!([{"functionDeclarations": tools}]));
        let serial = request.parallel_tool_calls == Some(false);
        note(&mut self.dropped, serial, "parallel_tool_calls");
        let config = match &request.tool_choice {
            None => return,
            Some(ToolChoice::Auto) => json!({"mode": "AUTO"}),
            Some(ToolChoice::None) => json!({"mode": "NONE"}),
            Some(ToolChoice::Required) => json!({"mode": "ANY"}),
            Some(ToolChoice::Tool(name)) => json!({"mode": "ANY", "allowedFunctionNames": [name]}),
        };
        out.set("toolConfig", json!({"functionCallingConfig": config}));
    }

    fn tool(&mut self, tool: &Tool) -> Value {
        note(
            &mut self.dropped,
            tool.cache_control.is_some(),
            "cache_control",
        );
        note(&mut self.dropped, tool.strict == Some(true), "strict");
        let mut out = Object::default();
        out.set("name", tool.name.as_str());
        out.set_some("description", tool.description.clone());
        // An object without properties is refused: no parameters are no schema.
        if !takes_nothing(&tool.parameters) {
            let schema = self.schema(&tool.parameters, "tools.parameters");
            out.set("parametersJsonSchema", schema);
        }
        out.0.into()
    }

    /// A schema as it may be sent: nothing stands beside a reference but what begins with a `$`
    /// (`responseJsonSchema` at <https://ai.google.dev/api/generate-content#generationconfig>; in a user's words
    /// <https://github.com/su-kaka/gcli2api/pull/374>; read 2026-11-26). `name` is that of what else is lost.
    fn schema(&mut self, schema: &Value, name: &'static str) -> Value {
        let mut schema = schema.clone();
        let mut lossy = false;
        bare_references(&mut schema, &mut lossy);
        note(&mut self.dropped, lossy, name);
        schema
    }
}

/// True of a schema that says nothing but that the arguments are an object without any fields.
fn takes_nothing(schema: &Value) -> bool {
    let Value::Object(fields) = schema else {
        return true;
    };
    fields.iter().all(|(key, value)| match key.as_str() {
        "properties" | "required" => match value {
            Value::Object(named) => named.is_empty(),
            Value::Array(names) => names.is_empty(),
            _ => true,
        },
        "additionalProperties" => !value.is_object(),
        "type" | "title" | "description" | "$schema" => true,
        _ => false,
    })
}

fn bare_references(schema: &mut Value, lossy: &mut bool) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(|one| bare_references(one, lossy)),
        Value::Object(fields) => {
            if fields.get("$ref").is_some_and(Value::is_string) {
                fields.retain(|key, _| {
                    let stays = key.starts_with('$');
                    *lossy |=
                        !stays && !["description", "title", "default"].contains(&key.as_str());
                    stays
                });
            }
            fields
                .values_mut()
                .for_each(|one| bare_references(one, lossy));
        }
        _ => {}
    }
}
