//! Embeddings: texts in, vectors out.
//!
//! Callers have one wire: OpenAI's `POST /embeddings`
//! (<https://developers.openai.com/api/reference/resources/embeddings/methods/create>, types of `openai-python`,
//! `src/openai/types/embedding_create_params.py`, read 2026-11-26). Azure, Mistral, Together, Fireworks, vLLM,
//! llama.cpp and the compatible addresses of Gemini, Cohere and Ollama speak it too. There a call passes as it came but for
//! the model's name: inputs of every form, `dimensions` and `encoding_format` reach the provider untouched, and its
//! vectors the caller.
//!
//! Cohere, Gemini, Ollama, Vertex and Bedrock have wires of their own, each in its folder. What they cannot be told makes
//! the target fail before anything is sent: inputs that are tokens or pictures, a length of vectors that the model does not have,
//! more texts than one request may hold. `input_type` (`search_document`, `search_query`, `classification`, `clustering`),
//! which OpenAI's wire does not know, is read from the call and passed on where there is a place for it.
//!
//! A 200 is an answer only if it holds a vector for every input, and of the length that was asked for: a server that
//! leaves `dimensions` out of account would corrupt an index unseen.
//!
//! Vectors of two models are of two *spaces*: they cannot be compared, even where they are of one length. Whoever
//! chooses between targets must therefore stay in one space; [`Request`] and [`Reply`] do not say which it is.

mod ask;
mod native;
mod scan;
mod watch;

pub(crate) use self::ask::{Ask, InputType};
pub(crate) use self::native::{Embedder, Values, Vectors, Way, encode, judge, way, whole, write};
pub(crate) use self::scan::{Asked, Scan, scan};
pub(crate) use self::watch::glance;

use crate::catalog;
use crate::codec::Object;
use crate::wire::Wire;
use bytes::Bytes;
use llm_errors::Provider;
use serde::Deserialize;

/// What a Rust caller asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Request {
    /// The model's name; a route's name where a router stands between.
    pub model: String,
    /// The texts, one vector each.
    pub input: Vec<String>,
    /// The length of the vectors, where the model can shorten them.
    pub dimensions: Option<u32>,
    /// An opaque name for the end user.
    pub user: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Reply {
    /// The model that answered, in the provider's words.
    pub model: String,
    /// One vector for each text, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of all texts, as the provider counted them; 0 where it told nothing.
    pub input_tokens: u64,
}

impl Request {
    /// Asks `model` for the vectors of `input`.
    ///
    /// ```
    /// use llm_providers::embedding::Request;
    ///
    /// let request = Request::new("text-embedding-3-small", ["one text", "another"]).dimensions(256);
    /// assert_eq!(request.input.len(), 2);
    /// ```
    #[must_use]
    pub fn new<T: Into<String>>(
        model: impl Into<String>,
        input: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            model: model.into(),
            input: input.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Sets the length of the vectors. Default: the model's own.
    #[must_use]
    pub const fn dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = Some(dimensions);
        self
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Object::default();
        out.set("model", self.model.as_str());
        out.set("input", self.input.as_slice());
        out.set_some("dimensions", self.dimensions);
        out.set_some("user", self.user.clone());
        // As numbers, whatever the provider's usual form.
        out.set("encoding_format", "float");
        out.into_bytes()
    }
}

/// Whether a way is known to vectors of `model` at `provider`, on `wire` or, where none is given, on the provider's own.
#[must_use]
pub fn is_offered(provider: Provider, model: &str, wire: Option<Wire>) -> bool {
    let wire = wire.unwrap_or_else(|| catalog::wire(provider, model));
    way(provider, model, wire).is_some()
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    model: Option<String>,
    data: Vec<Item>,
    #[serde(default)]
    usage: Option<watch::UsageWire>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// Reads an answer whose vectors are written as numbers. `None` where its shape is another, or where a vector is missing
/// or there twice.
#[must_use]
pub fn decode_reply(body: &[u8]) -> Option<Reply> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let mut vectors = vec![None; body.data.len()];
    for (at, item) in body.data.into_iter().enumerate() {
        let place = vectors.get_mut(item.index.unwrap_or(at))?;
        if place.replace(item.embedding).is_some() {
            return None;
        }
    }
    Some(Reply {
        model: body.model.unwrap_or_default(),
        vectors: vectors.into_iter().collect::<Option<_>>()?,
        input_tokens: body.usage.map_or(0, |usage| usage.input_tokens()),
    })
}
