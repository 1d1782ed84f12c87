//! One turn of a conversation and its parts.

use super::tool::ToolCall;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions of the application (`system` or `developer` on OpenAI's wire).
    System,
    /// The end user, and results of tools.
    User,
    /// The model.
    Assistant,
}

/// One turn.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The speaker's name, where the wire has a place for one.
    pub name: Option<String>,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// One piece of a turn.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// Plain text.
    Text(Text),
    /// A picture to look at.
    Image(Image),
    /// A sound to listen to.
    Audio(Audio),
    /// A document to read.
    Document(Document),
    /// The model's wish to run a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// The model's reasoning.
    Thinking(Thinking),
    /// Reasoning that the provider returned encrypted.
    RedactedThinking(String),
    /// The model's words of refusal, kept apart from text on OpenAI's wire.
    Refusal(String),
}

/// Plain text and whether the prompt up to here should be cached by the provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The text.
    pub text: String,
    /// A cache mark as Anthropic writes it (`{"type":"ephemeral"}`); no other wire has one.
    pub cache_control: Option<serde_json::Value>,
}

/// Where bytes of a part come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The provider fetches them.
    Url(String),
    /// They are in the request, base64-encoded.
    Base64 {
        /// For instance `image/png`.
        media_type: String,
        /// The bytes in base64.
        data: String,
    },
    /// They were uploaded to the provider before.
    FileId(String),
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its bytes.
    pub source: Source,
    /// How closely to look (`low`, `high`, `auto`): OpenAI only.
    pub detail: Option<String>,
}

/// A sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// The bytes in base64.
    pub data: String,
    /// For instance `wav`.
    pub format: String,
}

/// A document, usually a PDF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its bytes.
    pub source: Source,
    /// File name or title.
    pub name: Option<String>,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// Which [`ToolCall`] it answers.
    pub id: String,
    /// The answer: text, sometimes pictures.
    pub parts: Vec<Part>,
    /// True where the tool failed: Anthropic only.
    pub is_error: bool,
}

/// The model's reasoning, with the provider's seal where it gave one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Thinking {
    /// The reasoning as text; empty where the provider shows none.
    pub text: String,
    /// Anthropic's signature: needed to send the block back.
    pub signature: Option<String>,
}

impl Message {
    /// A turn of one text part.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self::new(role, vec![Part::text(text)])
    }

    /// A turn of these parts.
    #[must_use]
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            name: None,
            parts,
        }
    }
}

impl Part {
    /// A plain text part.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text {
            text: text.into(),
            cache_control: None,
        })
    }

    /// A picture the provider fetches from `url`; a `data:` URL is taken apart.
    #[must_use]
    pub fn image_url(url: impl Into<String>) -> Self {
        Self::Image(Image {
            source: Source::from_url(url.into()),
            detail: None,
        })
    }
}

impl Source {
    /// A `data:` URL becomes its bytes, any other URL stays one.
    #[must_use]
    pub fn from_url(url: String) -> Self {
        let inline = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(','))
            .and_then(|(head, data)| Some((head.strip_suffix(";base64")?, data)));
        match inline {
            Some((media_type, data)) => Self::Base64 {
                // Parameters such as `;charset=` are not part of the media type proper.
                media_type: media_type.split(';').next().unwrap_or_default().to_owned(),
                data: data.to_owned(),
            },
            None => Self::Url(url),
        }
    }

    /// The URL form: inline bytes become a `data:` URL. None for a file id.
    #[must_use]
    pub fn to_url(&self) -> Option<String> {
        match self {
            Self::Url(url) => Some(url.clone()),
            Self::Base64 { media_type, data } => Some(format!("data:{media_type};base64,{data}")),
            Self::FileId(_) => None,
        }
    }
}

/// The tool that was called by this id, for wires on which results name it; the id itself where there
/// is no such call.
pub(crate) fn name_of_call<'a>(id: &'a str, messages: &'a [Message]) -> &'a str {
    let calls = messages.iter().rev().flat_map(|message| &message.parts);
    let mut names = calls.filter_map(|part| match part {
        Part::ToolCall(call) if call.id == id => Some(call.name.as_str()),
        _ => None,
    });
    names.next().unwrap_or(id)
}
