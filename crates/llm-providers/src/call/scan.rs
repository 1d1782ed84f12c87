//! One pass over a request body that copies nothing: where the model's name stands, and what a
//! router has to know before it chooses a target.
//!
//! The wires name most fields alike, so one scan serves them; it is lenient about everything a
//! provider will judge anyway, and strict about what would make two readers disagree: JSON itself,
//! duplicate fields, the model's name, the stream flag.

mod input;

use self::input::Input;
use super::BadRequest;
use super::feature::Features;
use crate::anthropic::foreign_citations;
use crate::embedding::{self, Asked};
use crate::responses::{foreign_items, is_foreign_response};
use crate::splice::span_of;
use crate::wire::Dialect;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// Tokens a picture is taken for in the estimate: between a small and a large one on either wire.
pub(super) const IMAGE_TOKENS: u64 = 1_000;
/// Tokens around each message.
const MESSAGE_TOKENS: u64 = 4;

/// What the scan found.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) model: Box<str>,
    pub(super) model_span: Range<usize>,
    pub(super) stream: bool,
    /// OpenAI's `stream_options.include_usage`.
    pub(super) include_usage: bool,
    pub(super) features: Features,
    /// Whether the model is to think, where that is said.
    pub(super) thinking: Option<bool>,
    pub(super) max_tokens: Option<u32>,
    pub(super) estimated_input_tokens: u32,
    /// What targets of the same wire must not see: see [`foreign_items`] and [`foreign_citations`].
    pub(super) foreign: Vec<Range<usize>>,
    /// Embeddings are asked for, and these.
    pub(super) embeddings: Option<Asked>,
}

impl Scan {
    /// The scan of a request for embeddings.
    pub(super) fn of_embeddings(scan: embedding::Scan) -> Self {
        Self {
            model: scan.model,
            model_span: scan.model_span,
            stream: false,
            include_usage: false,
            features: Features::EMBEDDINGS,
            thinking: Some(false),
            max_tokens: None,
            estimated_input_tokens: scan.estimated_input_tokens,
            foreign: Vec::new(),
            embeddings: Some(scan.asked),
        }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    stream: Option<&'a RawValue>,
    #[serde(borrow)]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    tools: Option<&'a RawValue>,
    #[serde(borrow)]
    functions: Option<&'a RawValue>,
    #[serde(borrow)]
    parallel_tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    response_format: Option<&'a RawValue>,
    #[serde(borrow)]
    output_config: Option<&'a RawValue>,
    #[serde(borrow)]
    output_format: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_effort: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    enable_thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    modalities: Option<&'a RawValue>,
    #[serde(borrow)]
    logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    web_search_options: Option<&'a RawValue>,
    #[serde(default)]
    system: Content,
    #[serde(default)]
    messages: Option<Messages>,
    // The responses wire's own.
    #[serde(default)]
    input: Option<Input>,
    #[serde(default)]
    instructions: Content,
    #[serde(borrow)]
    max_output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    include: Option<&'a RawValue>,
    #[serde(borrow)]
    top_logprobs: Option<&'a RawValue>,
    #[serde(borrow)]
    previous_response_id: Option<&'a RawValue>,
    #[serde(borrow)]
    conversation: Option<&'a RawValue>,
    #[serde(borrow)]
    background: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct StreamOptions<'a> {
    #[serde(borrow)]
    include_usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    format: Option<&'a RawValue>,
    #[serde(borrow)]
    effort: Option<&'a RawValue>,
}

/// Reads `body`.
pub(super) fn scan(dialect: Dialect, body: &[u8]) -> Result<Scan, BadRequest> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    // A text that is known to be one is read faster; what is none, the parser names with its place.
    let text = simdutf8::basic::from_utf8(body);
    let read = text.map_or_else(|_| serde_json::from_slice(body), serde_json::from_str);
    let parsed: Body<'_> = match (read, first) {
        (Ok(parsed), Some(b'{')) => parsed,
        (Ok(_), _) => return Err(BadRequest::not_an_object()),
        (Err(error), _) if error.is_data() && first != Some(&b'{') => {
            return Err(BadRequest::not_an_object());
        }
        (Err(error), _) => return Err(BadRequest::from_json(&error)),
    };
    let raw_model = parsed.model.ok_or_else(|| BadRequest::missing("model"))?;
    let model: String = serde_json::from_str(raw_model.get())
        .map_err(|_| BadRequest::invalid("model", "must be a string"))?;
    if model.is_empty() {
        return Err(BadRequest::invalid("model", "must not be empty"));
    }
    let model_span = span_of(body, raw_model.get().as_bytes())
        .ok_or_else(|| BadRequest::invalid("model", "must be a string"))?;
    let stream = match parsed.stream.map(RawValue::get) {
        None | Some("null" | "false") => false,
        Some("true") => true,
        Some(_) => return Err(BadRequest::invalid("stream", "must be true or false")),
    };
    let include_usage = dialect == Dialect::OpenAiChat
        && parsed
            .stream_options
            .and_then(|raw| serde_json::from_str::<StreamOptions<'_>>(raw.get()).ok())
            .is_some_and(|options| is_true(options.include_usage));
    let is_responses = dialect == Dialect::OpenAiResponses;
    let turns = if is_responses {
        items(&parsed)?
    } else {
        messages(&parsed)?
    };

    let mut seen = turns.content;
    if is_responses {
        seen.merge(&parsed.instructions);
    } else {
        seen.merge(&parsed.system);
    }
    for raw in [parsed.tools, parsed.functions].into_iter().flatten() {
        seen.text_bytes += raw.get().len() as u64;
    }
    let mut features = Features::NONE;
    features.add_if(stream, Features::STREAMING);
    features.add_if(seen.images > 0, Features::VISION);
    features.add_if(seen.documents > 0, Features::DOCUMENTS);
    features.add_if(turns.ends_with_assistant, Features::PREFILL);
    features.add_if(turns.needs_state, Features::STATE);
    features.add_if(
        seen.sounds > 0
            || parsed
                .modalities
                .is_some_and(|raw| raw.get().contains("audio")),
        Features::AUDIO,
    );
    if is_filled(parsed.tools) || is_filled(parsed.functions) {
        let server = parsed
            .tools
            .is_some_and(|raw| has_server_tool(dialect, raw));
        features |= Features::TOOLS;
        features.add_if(server, Features::SERVER_TOOLS);
        features.add_if(
            is_true(parsed.parallel_tool_calls),
            Features::PARALLEL_TOOLS,
        );
    }
    features.add_if(parsed.web_search_options.is_some(), Features::SERVER_TOOLS);
    features.add_if(is_true(parsed.logprobs), Features::LOGPROBS);
    features.add_if(
        parsed.n.and_then(number).is_some_and(|n| n > 1),
        Features::CHOICES,
    );
    features.add_if(
        is_responses
            && (parsed
                .top_logprobs
                .and_then(number)
                .is_some_and(|top| top > 0)
                || parsed
                    .include
                    .is_some_and(|raw| raw.get().contains("logprobs"))),
        Features::LOGPROBS,
    );
    let output = parsed.output_config.and_then(typed);
    let format = match dialect {
        Dialect::OpenAiChat => parsed.response_format,
        Dialect::OpenAiResponses => parsed.text.and_then(typed).and_then(|text| text.format),
        Dialect::AnthropicMessages => output
            .as_ref()
            .and_then(|config| config.format)
            .or(parsed.output_format),
    };
    match format
        .and_then(typed)
        .and_then(|format| format.kind)
        .map(RawValue::get)
    {
        Some("\"json_object\"") => features |= Features::JSON_MODE,
        Some("\"json_schema\"") => features |= Features::JSON_SCHEMA,
        _ => {}
    }
    let thinking = parsed
        .thinking
        .and_then(typed)
        .and_then(|thinking| thinking.kind);
    let thinks = thinking.map(|kind| kind.get() != "\"disabled\"");
    let reasoning = parsed.reasoning.and_then(typed);
    let of_object = reasoning.and_then(|reasoning| reasoning.effort);
    let effort = parsed
        .reasoning_effort
        .or(output.and_then(|output| output.effort))
        .or(of_object.filter(|_| is_responses));
    let strains = |effort: &RawValue| effort.get() != "\"none\"";
    let said =
        |effort: Option<&RawValue>| effort.filter(|effort| effort.get() != "null").map(strains);
    features.add_if(
        thinks == Some(true) || said(effort) == Some(true),
        Features::REASONING,
    );
    // A switch says more than an effort. OpenRouter's object and Qwen's switch say it as well.
    let switch = parsed.enable_thinking.map(|raw| raw.get() == "true");
    let thinking = thinks.or(switch).or(said(effort.or(of_object)));

    let tokens = seen
        .text_bytes
        .div_ceil(4)
        .saturating_add(turns.count.saturating_mul(MESSAGE_TOKENS))
        .saturating_add(seen.images.saturating_mul(IMAGE_TOKENS))
        .saturating_add(seen.binary_bytes / 64);
    Ok(Scan {
        model: model.into(),
        model_span,
        stream,
        include_usage,
        features,
        thinking,
        max_tokens: parsed
            .max_output_tokens
            .filter(|_| is_responses)
            .or(parsed.max_completion_tokens)
            .and_then(number)
            .or_else(|| parsed.max_tokens.and_then(number)),
        estimated_input_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        foreign: match dialect {
            Dialect::OpenAiResponses => foreign_items(body),
            Dialect::AnthropicMessages => foreign_citations(body),
            Dialect::OpenAiChat => Vec::new(),
        },
        embeddings: None,
    })
}

/// The conversation, added up.
struct Turns {
    count: u64,
    ends_with_assistant: bool,
    /// A part of it is kept by the provider, or the answer is to be.
    needs_state: bool,
    content: Content,
}

fn messages(parsed: &Body<'_>) -> Result<Turns, BadRequest> {
    let messages = parsed
        .messages
        .as_ref()
        .ok_or_else(|| BadRequest::missing("messages"))?;
    if messages.count == 0 {
        return Err(BadRequest::invalid("messages", "must not be empty"));
    }
    Ok(Turns {
        count: messages.count,
        ends_with_assistant: messages.ends_with_assistant,
        needs_state: false,
        content: messages.content,
    })
}

/// The same of the responses wire, where the provider may keep the conversation.
fn items(parsed: &Body<'_>) -> Result<Turns, BadRequest> {
    let previous = parsed
        .previous_response_id
        .filter(|raw| raw.get() != "null");
    let named = previous.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    if named.is_some_and(|id| is_foreign_response(&id)) {
        return Err(BadRequest::invalid(
            "previous_response_id",
            "names an answer that no provider has kept: send the conversation in `input`",
        ));
    }
    let kept = [parsed.conversation, parsed.prompt]
        .into_iter()
        .flatten()
        .any(|raw| raw.get() != "null")
        || previous.is_some();
    let input = match &parsed.input {
        Some(input) if input.count > 0 => input,
        Some(_) if !kept => return Err(BadRequest::invalid("input", "must not be empty")),
        None if !kept => return Err(BadRequest::missing("input")),
        Some(_) | None => &Input::default(),
    };
    Ok(Turns {
        count: input.count,
        ends_with_assistant: input.ends_with_assistant,
        needs_state: kept || input.refers || is_true(parsed.background),
        content: input.content,
    })
}

fn is_true(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get() == "true")
}

fn is_filled(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| {
        let inner = raw.get().trim_start_matches('[');
        inner.len() < raw.get().len() && !inner.trim_start().starts_with(']')
    })
}

fn number(raw: &RawValue) -> Option<u32> {
    raw.get().parse().ok()
}

fn typed(raw: &RawValue) -> Option<Typed<'_>> {
    serde_json::from_str(raw.get()).ok()
}

/// True where a tool is none that the caller runs.
fn has_server_tool(dialect: Dialect, raw: &RawValue) -> bool {
    let tools: Vec<Typed<'_>> = serde_json::from_str(raw.get()).unwrap_or_default();
    tools
        .iter()
        .filter_map(|tool| tool.kind)
        .any(|kind| match dialect {
            // A custom tool is run by the caller, but takes a text that no other wire knows.
            Dialect::OpenAiChat | Dialect::OpenAiResponses => kind.get() != "\"function\"",
            // `bash_…`, `text_editor_…`, `computer_…` and `memory_…` are run by the caller, but
            // only this provider defines them, so elsewhere they are as foreign as a server tool.
            Dialect::AnthropicMessages => kind.get() != "\"custom\"",
        })
}

/// The turns, added up.
#[derive(Default)]
struct Messages {
    count: u64,
    ends_with_assistant: bool,
    content: Content,
}

#[derive(Deserialize)]
struct Turn<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(default)]
    content: Content,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Turns;
        impl<'de> Visitor<'de> for Turns {
            type Value = Messages;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Messages, A::Error> {
                let mut sum = Messages::default();
                while let Some(turn) = seq.next_element::<Turn<'de>>()? {
                    sum.count += 1;
                    sum.content.merge(&turn.content);
                    let calls = turn.tool_calls.map_or(0, |raw| raw.get().len());
                    sum.content.text_bytes += calls as u64;
                    sum.ends_with_assistant =
                        calls == 0 && turn.role.is_some_and(|role| role.get() == "\"assistant\"");
                }
                Ok(sum)
            }
        }
        deserializer.deserialize_seq(Turns)
    }
}

/// What a turn holds, added up.
#[derive(Default, Debug, Clone, Copy)]
struct Content {
    text_bytes: u64,
    binary_bytes: u64,
    images: u64,
    sounds: u64,
    documents: u64,
}

impl Content {
    fn merge(&mut self, other: &Self) {
        self.text_bytes += other.text_bytes;
        self.binary_bytes += other.binary_bytes;
        self.images += other.images;
        self.sounds += other.sounds;
        self.documents += other.documents;
    }
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    input_audio: Option<&'a RawValue>,
    #[serde(borrow)]
    file: Option<&'a RawValue>,
    #[serde(borrow)]
    file_data: Option<&'a RawValue>,
    #[serde(default)]
    content: Content,
}

impl Content {
    fn add(&mut self, block: &Block<'_>) {
        self.merge(&block.content);
        for raw in [block.text, block.thinking, block.input]
            .into_iter()
            .flatten()
        {
            self.text_bytes += raw.get().len() as u64;
        }
        let binary = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len() as u64);
        match block.kind.map(RawValue::get) {
            Some("\"image_url\"" | "\"image\"" | "\"input_image\"") => self.images += 1,
            Some("\"input_audio\"") => {
                self.sounds += 1;
                self.binary_bytes += binary(block.input_audio);
            }
            Some("\"document\"" | "\"file\"" | "\"input_file\"") => {
                self.documents += 1;
                self.binary_bytes += binary(block.source)
                    .max(binary(block.file))
                    .max(binary(block.file_data));
            }
            _ => {}
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Blocks;
        impl<'de> Visitor<'de> for Blocks {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of parts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content {
                    text_bytes: text.len() as u64,
                    ..Content::default()
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut sum = Content::default();
                while let Some(block) = seq.next_element::<Block<'de>>()? {
                    sum.add(&block);
                }
                Ok(sum)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Content::default())
            }

            fn visit_unit<E: de::Error>(self) -> Result<Content, E> {
                Ok(Content::default())
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Content, E> {
                Ok(Content::default())
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Content, E> {
                Ok(Content::default())
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Content, E> {
                Ok(Content::default())
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Content, E> {
                Ok(Content::default())
            }
        }
        deserializer.deserialize_any(Blocks)
    }
}
