//! Writes a request body.

use crate::anthropic::VERTEX_VERSION;
use crate::chat::{
    Effort, Message, Part, Reasoning, Request, ResponseFormat, Role, Source, Tool, ToolChoice,
};
use crate::claude;
use crate::codec::{Encoded, Object, field_name, note, safe_id};
use crate::wire::Dialect;
use serde_json::{Value, json};

/// The smallest thinking budget that is accepted, in tokens.
const MIN_BUDGET_TOKENS: u32 = 1_024;

/// Writes a request for `model`. `default_max_tokens` stands where the caller set no limit, because
/// this wire demands one.
#[must_use]
pub fn encode_request(request: &Request, model: &str, default_max_tokens: u32) -> Encoded {
    encode(request, model, default_max_tokens, ("model", model))
}

/// The same for a model on Vertex: its name is in the address there, and the wire's version in the
/// body.
pub(in crate::anthropic) fn encode_on_vertex(
    request: &Request,
    model: &str,
    default_max_tokens: u32,
) -> Encoded {
    let head = ("anthropic_version", VERTEX_VERSION);
    encode(request, model, default_max_tokens, head)
}

fn encode(request: &Request, model: &str, default_max_tokens: u32, head: (&str, &str)) -> Encoded {
    let mut dropped = request.lost.clone();
    let mut out = Object::default();
    if request.extra_dialect == Some(Dialect::AnthropicMessages) {
        out.0.clone_from(&request.extra);
    } else {
        dropped.extend(request.extra.keys().map(|key| field_name(key)));
    }
    out.set(head.0, head.1);
    let (mut system, mut messages) = encode_messages(&request.messages, &mut dropped);
    if messages.is_empty() && !system.is_empty() {
        // Instructions alone are refused here: they become what the user says.
        dropped.push("messages.system_position");
        let content = simplest(std::mem::take(&mut system));
        messages.push(json!({"role": "user", "content": content}));
    }
    let mut config = Object::default();
    match &request.response_format {
        Some(ResponseFormat::JsonSchema(schema)) => {
            config.set(
                "format",
                json!({"type": "json_schema", "schema": schema.schema}),
            );
        }
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
    if !system.is_empty() {
        out.set("system", simplest(system));
    }
    out.set("messages", messages);
    let mut max_tokens = request.max_tokens.unwrap_or(default_max_tokens);

    if !request.tools.is_empty() {
        let tools: Vec<Value> = request.tools.iter().map(encode_tool).collect();
        out.set("tools", tools);
        out.set_some("tool_choice", encode_tool_choice(request));
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

/// Writes the fields that tell a Claude model how to think, for wires that carry them as they are.
/// True where it will think; then `max_tokens` leaves room for it.
pub(crate) fn thinking_fields(
    request: &Request,
    model: &str,
    out: &mut Object,
    max_tokens: &mut u32,
    dropped: &mut Vec<&'static str>,
) -> bool {
    let Some(reasoning) = request.reasoning else {
        return false;
    };
    let thinking = Thinking {
        request,
        reasoning,
        model,
    };
    let mut config = Object::default();
    let thinks = thinking.encode(out, &mut config, max_tokens, dropped);
    if !config.0.is_empty() {
        out.set("output_config", config.0);
    }
    thinks
}

/// Whether and how the model is to think.
struct Thinking<'a> {
    request: &'a Request,
    reasoning: Reasoning,
    model: &'a str,
}

impl Thinking<'_> {
    /// Writes the fields; true where the model will think.
    fn encode(
        &self,
        out: &mut Object,
        config: &mut Object,
        max_tokens: &mut u32,
        dropped: &mut Vec<&'static str>,
    ) -> bool {
        if self.reasoning.off {
            return false;
        }
        let forced = matches!(
            self.request.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Tool(_))
        ) && !self.request.tools.is_empty();
        match generation(self.model) {
            // A forced tool call and thinking exclude each other.
            _ if forced => dropped.push("reasoning"),
            Generation::Other => dropped.push("reasoning"),
            Generation::Adaptive => {
                out.set("thinking", json!({"type": "adaptive"}));
                let effort = self.reasoning.effort.map(effort_name);
                config.set_some("effort", effort);
                return true;
            }
            // A turn that called tools must come back with its signed thinking, which another
            // provider's answer does not have.
            Generation::Budget if self.unsigned_tool_calls() => dropped.push("reasoning"),
            Generation::Budget => {
                let budget = self.budget();
                *max_tokens = (*max_tokens).max(budget.saturating_add(MIN_BUDGET_TOKENS));
                out.set(
                    "thinking",
                    json!({"type": "enabled", "budget_tokens": budget}),
                );
                return true;
            }
        }
        false
    }

    fn budget(&self) -> u32 {
        let graded = match self.reasoning.effort {
            Some(Effort::None | Effort::Minimal | Effort::Low) => MIN_BUDGET_TOKENS,
            Some(Effort::High | Effort::ExtraHigh | Effort::Max) => 16_384,
            Some(Effort::Medium) | None => 4_096,
        };
        self.reasoning
            .budget_tokens
            .unwrap_or(graded)
            .max(MIN_BUDGET_TOKENS)
    }

    fn unsigned_tool_calls(&self) -> bool {
        self.request.messages.iter().any(|message| {
            let calls = message
                .parts
                .iter()
                .any(|part| matches!(part, Part::ToolCall(_)));
            let signed = message.parts.iter().any(|part| match part {
                Part::Thinking(thinking) => thinking.signature.is_some(),
                Part::RedactedThinking(_) => true,
                _ => false,
            });
            calls && !signed
        })
    }
}

/// How a model is told to think.
enum Generation {
    /// It decides by itself, guided by an effort: Claude 4.6 and later.
    Adaptive,
    /// It is given a budget: Claude 3.7 to 4.5.
    Budget,
    /// Not at all, or not known how.
    Other,
}

/// After <https://docs.anthropic.com/es/docs/build-with-claude/extended-thinking> for budgets and
/// <https://platform.claude.com/docs/de/about-claude/models/migration-guide> for 4.6, which takes either
/// and soon no budget; read 2026-11-26.
fn generation(model: &str) -> Generation {
    match claude::version(model) {
        Some(version) if version < (3, 7) => Generation::Other,
        Some(version) if version < (4, 6) => Generation::Budget,
        None if !model.contains("claude") => Generation::Other,
        _ => Generation::Adaptive,
    }
}

const fn effort_name(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        other => other.as_str(),
    }
}

fn encode_tool(tool: &Tool) -> Value {
    let mut out = Object::default();
    out.set("name", tool.name.as_str());
    out.set_some("description", tool.description.clone());
    out.set("input_schema", tool.parameters.clone());
    // `false` is the default, and older models do not know the field.
    out.set_some("strict", tool.strict.filter(|strict| *strict));
    out.set_some("cache_control", tool.cache_control.clone());
    out.0.into()
}

fn encode_tool_choice(request: &Request) -> Option<Value> {
    let serial = request.parallel_tool_calls == Some(false);
    let mut choice = Object::default();
    match &request.tool_choice {
        None if !serial => return None,
        None | Some(ToolChoice::Auto) => choice.set("type", "auto"),
        Some(ToolChoice::None) => return Some(json!({"type": "none"})),
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
    dropped: &mut Vec<&'static str>,
) -> (Vec<Value>, Vec<Value>) {
    let mut system = Vec::new();
    let mut turns: Vec<(Role, Vec<Value>)> = Vec::new();
    for message in messages {
        note(dropped, message.name.is_some(), "messages.name");
        let blocks = message
            .parts
            .iter()
            .filter_map(|part| encode_block(part, dropped));
        if message.role == Role::System {
            let blocks: Vec<_> = blocks.collect();
            // An instruction between two turns moves to the front.
            note(dropped, !turns.is_empty(), "messages.system_position");
            system.extend(blocks);
            continue;
        }
        let blocks: Vec<_> = blocks.collect();
        // A turn without content is refused, and its neighbours are one turn.
        if blocks.is_empty() {
            continue;
        }
        match turns.last_mut() {
            Some((role, merged)) if *role == message.role => merged.extend(blocks),
            _ => turns.push((message.role, blocks)),
        }
    }
    if let Some((Role::Assistant, blocks)) = turns.last_mut() {
        trim_prefill(blocks);
    }
    let turns = turns
        .into_iter()
        .map(|(role, mut blocks)| {
            // Results come before anything else the user says.
            blocks.sort_by_key(|block| kind_of(block) != Some("tool_result") && role == Role::User);
            let role = if role == Role::User {
                "user"
            } else {
                "assistant"
            };
            json!({"role": role, "content": simplest(blocks)})
        })
        .collect();
    (system, turns)
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
            out.set("source", encode_source(&image.source));
        }
        Part::Document(document) => {
            out.set("type", "document");
            out.set("source", encode_source(&document.source));
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

fn encode_source(source: &Source) -> Value {
    match source {
        Source::Url(url) => json!({"type": "url", "url": url}),
        Source::Base64 { media_type, data } => {
            json!({"type": "base64", "media_type": media_type, "data": data})
        }
        Source::FileId(id) => json!({"type": "file", "file_id": id}),
    }
}
