//! A caller's request: its bytes, and what one cheap pass over them tells.

mod estimate;
mod feature;
mod purpose;
mod scan;
mod shorten;

pub use self::estimate::Estimate;
pub use self::feature::Features;
pub use self::purpose::Purpose;

use crate::anthropic::LOST_CITATIONS;
use crate::embedding::{self, Asked};
use crate::endpoint::DEFAULT_MAX_TOKENS;
use crate::openai::Quirks;
use crate::wire::{Dialect, Terms};
use crate::{chat, openai, splice};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// What [`Facts::dropped`](crate::Facts::dropped) says where the oldest turns were left out.
pub(crate) const SHORTENED: &str = "messages.oldest";

/// The body is not a request of its dialect: the caller's own fault.
///
/// Names a field and what is wrong with it, or a line and a column; never a value of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRequest {
    field: Option<&'static str>,
    what: &'static str,
    /// Line and column, where the body is not JSON.
    place: Option<(usize, usize)>,
}

impl BadRequest {
    pub(crate) const fn missing(field: &'static str) -> Self {
        Self::invalid(field, "is missing")
    }

    pub(crate) const fn invalid(field: &'static str, what: &'static str) -> Self {
        Self {
            field: Some(field),
            what,
            place: None,
        }
    }

    const fn not_an_object() -> Self {
        Self {
            field: None,
            what: "the body is not a JSON object",
            place: None,
        }
    }

    pub(crate) fn from_json(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        let what = match error.classify() {
            Category::Data => "a field is given twice or has the wrong type",
            Category::Eof => "the body ends in the middle of its JSON",
            Category::Syntax | Category::Io => "the body is not JSON",
        };
        Self {
            field: None,
            what,
            place: Some((error.line(), error.column())),
        }
    }

    /// The field at fault, where it is one of those the gateway itself must read.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        self.field
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.field, self.place) {
            (Some(field), _) => write!(f, "`{field}` {}", self.what),
            (None, Some((line, column))) => {
                write!(f, "{} (line {line}, column {column})", self.what)
            }
            (None, None) => f.write_str(self.what),
        }
    }
}

impl std::error::Error for BadRequest {}

/// A caller's request.
///
/// The body is kept as it came and scanned once, without copying. It is decoded in full only when
/// a target speaks another dialect, and then once for all such targets.
///
/// ```
/// use llm_providers::{Call, Dialect, Features};
///
/// let body = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
/// let call = Call::parse(Dialect::OpenAiChat, body.into())?;
/// assert_eq!(call.model(), "chat");
/// assert!(call.features().contains(Features::STREAMING));
/// # Ok::<(), llm_providers::BadRequest>(())
/// ```
#[derive(Clone)]
pub struct Call {
    dialect: Dialect,
    body: Bytes,
    scan: Arc<scan::Scan>,
    headers: HeaderMap,
    chat: Arc<OnceLock<Result<chat::Request, BadRequest>>>,
    dropped: Arc<[&'static str]>,
    is_strict: bool,
}

impl Call {
    /// Reads a body in `dialect`.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] where the body is not a JSON object, gives a field twice, or lacks a model
    /// or messages. Everything else is left to the provider's judgement.
    pub fn parse(dialect: Dialect, body: Bytes) -> Result<Self, BadRequest> {
        let scan = scan::scan(dialect, &body)?;
        Ok(Self {
            dialect,
            body,
            scan: Arc::new(scan),
            headers: HeaderMap::new(),
            chat: Arc::new(OnceLock::new()),
            dropped: Arc::new([]),
            is_strict: false,
        })
    }

    /// A call built in Rust. Its dialect, and so that of the answer, is [`Dialect::OpenAiChat`];
    /// decode the answer with [`openai::decode_reply`](crate::openai::decode_reply) or
    /// [`Whole::chat`](crate::Whole::chat).
    ///
    /// # Errors
    ///
    /// [`BadRequest`] where the model's name or the conversation is empty.
    pub fn from_chat(request: chat::Request) -> Result<Self, BadRequest> {
        let encoded = openai::encode_request(&request, &request.model, Quirks::OPENAI);
        let mut call = Self::parse(Dialect::OpenAiChat, encoded.body)?;
        call.dropped = encoded.dropped.into();
        call.chat = Arc::new(OnceLock::from(Ok(request)));
        Ok(call)
    }

    /// Reads a request for embeddings. Its dialect is [`Dialect::OpenAiChat`], of which the errors are.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] where the body is not a JSON object, or lacks a model or inputs.
    pub fn embeddings(body: Bytes) -> Result<Self, BadRequest> {
        let scan = scan::Scan::of_embeddings(embedding::scan(&body)?);
        Ok(Self {
            dialect: Dialect::OpenAiChat,
            body,
            scan: Arc::new(scan),
            headers: HeaderMap::new(),
            chat: Arc::new(OnceLock::new()),
            dropped: Arc::new([]),
            is_strict: false,
        })
    }

    /// The same, built in Rust.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] where the model's name or the list of texts is empty.
    pub fn from_embedding(request: &embedding::Request) -> Result<Self, BadRequest> {
        Self::embeddings(request.encode())
    }

    /// Adds a header of the caller that is to reach targets of the same dialect, such as
    /// `anthropic-beta`. Headers that carry credentials or describe the connection are refused:
    /// false is returned and nothing is added.
    pub fn forward_header(&mut self, name: HeaderName, value: HeaderValue) -> bool {
        let refused = matches!(
            name.as_str(),
            "authorization"
                | "proxy-authorization"
                | "x-api-key"
                | "api-key"
                | "cookie"
                | "host"
                | "connection"
                | "keep-alive"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "content-length"
                | "content-type"
                | "content-encoding"
                | "accept"
                | "accept-encoding"
                | "expect"
        );
        if !refused {
            self.headers.append(name, value);
        }
        !refused
    }

    /// Asks for all or nothing: a target whose wire cannot carry everything the request says fails the
    /// call with `unsupported_feature` and the names of what it cannot carry, before anything is sent, and
    /// the conversation is never [`shortened`](Self::shortened). Default: what cannot be carried is left
    /// out and named in [`Facts::dropped`](crate::Facts::dropped).
    ///
    /// It speaks of the request alone. What an answer says and the caller's dialect cannot is named
    /// there all the same: it is known only when the answer has been paid for.
    #[must_use]
    pub const fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Whether the call asks for all or nothing.
    #[must_use]
    pub const fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// The wire the caller speaks, and in which the answer is due.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What is asked for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        match self.scan.embeddings {
            Some(_) => Purpose::Embeddings,
            None => Purpose::Chat,
        }
    }

    /// What an answer of embeddings has to hold; `None` for a conversation.
    pub(crate) fn asked(&self) -> Option<Asked> {
        self.scan.embeddings
    }

    /// The model, or route, that the caller named.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.scan.model
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.scan.stream
    }

    /// What the request needs of a target.
    #[must_use]
    pub fn features(&self) -> Features {
        self.scan.features
    }

    /// Whether the model is to think before it speaks, where the request says so; `None` where that is left to the model.
    #[must_use]
    pub fn thinking(&self) -> Option<bool> {
        self.scan.thinking
    }

    /// Whether a stream on OpenAI's wire is to end with a usage chunk.
    pub(crate) fn include_usage(&self) -> bool {
        self.scan.include_usage
    }

    /// Whether the answer is of a kind that can be continued where its stream breaks: text of one choice,
    /// and nothing beside it but calls of the caller's own tools.
    #[must_use]
    pub fn is_continuable(&self) -> bool {
        const BESIDE: [Features; 5] = [
            Features::EMBEDDINGS,
            Features::CHOICES,
            Features::LOGPROBS,
            Features::AUDIO,
            Features::SERVER_TOOLS,
        ];
        !BESIDE.iter().any(|out| self.features().contains(*out))
    }

    /// The most output tokens, where the caller set a limit.
    #[must_use]
    pub fn max_tokens(&self) -> Option<u32> {
        self.scan.max_tokens
    }

    /// Input tokens, estimated from the length of text, tools and attachments: about a quarter of
    /// the text's bytes. Off by a factor of two for some languages; `llm-router` learns each target's
    /// factor from the usage that its answers state.
    #[must_use]
    pub fn estimated_input_tokens(&self) -> u32 {
        self.scan.estimated_input_tokens
    }

    /// The body as it came.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The request in neutral form; decoded at the first use.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] where a field has a shape its dialect does not allow.
    pub fn chat(&self) -> Result<&chat::Request, BadRequest> {
        let decode = || self.dialect.caller().decode_request(&self.body);
        let decoded = self.chat.get_or_init(decode);
        decoded.as_ref().map_err(|bad| *bad)
    }

    /// The same call with another request in its place, in the same dialect and form.
    ///
    /// # Errors
    ///
    /// [`BadRequest`] where the conversation is empty.
    pub fn with_chat(&self, mut request: chat::Request) -> Result<Self, BadRequest> {
        request.stream = self.is_stream();
        request.include_usage = self.include_usage();
        request.model = self.model().to_owned();
        let terms = Terms {
            model: self.model(),
            quirks: Quirks::OPENAI,
            default_max_tokens: DEFAULT_MAX_TOKENS,
            quota_max_tokens: None,
            on_vertex: false,
            at_home: true,
        };
        let encoded = self.dialect.wire().target().encode(&request, &terms);
        let mut call = Self::parse(self.dialect, encoded.body)?;
        call.headers = self.headers.clone();
        call.dropped = encoded.dropped.into();
        call.chat = Arc::new(OnceLock::from(Ok(request)));
        call.is_strict = self.is_strict;
        Ok(call)
    }

    /// The caller's headers for targets of the same dialect.
    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether its oldest turns were left out.
    #[must_use]
    pub fn is_shortened(&self) -> bool {
        self.dropped.contains(&SHORTENED)
    }

    /// What the body could not carry of the request it was built from.
    pub(crate) fn dropped(&self) -> &[&'static str] {
        &self.dropped
    }

    /// The body with the model's name replaced by `model_json`, a JSON string, and without what a target
    /// of the same wire would refuse.
    pub(crate) fn body_for(&self, model_json: &[u8]) -> Bytes {
        splice::splice(
            &self.body,
            self.model_span(),
            model_json,
            &self.scan.foreign,
        )
    }

    /// The body with the field of the model's name, key and value, replaced by `field`.
    pub(crate) fn body_with_field(&self, field: &[u8]) -> Bytes {
        let value = self.model_span();
        let before = self.body.get(..value.start).unwrap_or_default();
        let key = before.trim_ascii_end().strip_suffix(b":");
        let key = key.and_then(|key| key.trim_ascii_end().strip_suffix(b"\""));
        let start = key.and_then(|key| memchr::memrchr(b'"', key));
        let span = start.unwrap_or(value.start)..value.end;
        splice::splice(&self.body, span, field, &self.scan.foreign)
    }

    fn model_span(&self) -> Range<usize> {
        self.scan.model_span.clone()
    }

    /// What of another provider's is kept from a target of the same wire, which would refuse it.
    pub(crate) fn withholds(&self) -> Option<&'static str> {
        let name = match self.dialect {
            Dialect::AnthropicMessages => LOST_CITATIONS,
            _ => "messages.thinking",
        };
        (!self.scan.foreign.is_empty()).then_some(name)
    }
}

/// Shows sizes and flags, never the prompt.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("dialect", &self.dialect)
            .field("model", &self.scan.model)
            .field("stream", &self.scan.stream)
            .field("features", &self.scan.features)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
