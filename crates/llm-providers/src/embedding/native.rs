//! Wires that have embeddings of their own: a call, which is in OpenAI's form, is said to them, and their answer in it.

use super::ask::Ask;
use super::scan::Asked;
use crate::base64;
use crate::catalog::{self, Layout};
use crate::chat::FinishReason;
use crate::codec::{Encoded, Object, Unsayable};
use crate::failure::Envelope;
use crate::stream::{Facts, Glance, parse};
use crate::wire::Wire;
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use llm_errors::Provider;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A wire on which vectors are asked for.
pub(crate) trait Embedder: fmt::Debug + Sync {
    /// Where `model` is called; `base` has no slash at its end.
    fn address(&self, base: &str, model: &str) -> String;

    /// How many texts one request may hold, and what more are called where they cannot be carried.
    ///
    /// A call with more is not cut into several: one attempt is one request, which limits and retries count on.
    fn most(&self) -> (usize, &'static str);

    /// Writes a request, and notes in `ask` what of it has no place there. A text that is too long for the model must be refused there: cut, its vector would be that of
    /// another text.
    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable>;

    /// Reads an answer; `None` where its shape is not the wire's.
    fn decode(&self, body: &[u8]) -> Option<Vectors>;
}

/// How a model's vectors are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    /// By OpenAI's wire.
    OpenAi,
    /// By another.
    Native(&'static dyn Embedder),
}

/// How the vectors of `model` at `provider` are asked for on `wire`; `None` where no way is known.
pub(crate) fn way(provider: Provider, model: &str, wire: Wire) -> Option<Way> {
    let layout = catalog::entry(provider).layout;
    let on_vertex = layout == Layout::VertexProject;
    if let Some(own) = wire.target().embedder(model, on_vertex) {
        return Some(Way::Native(own));
    }
    let is_openai = matches!(wire, Wire::OpenAiChat | Wire::OpenAiResponses);
    let has_openai = matches!(layout, Layout::Plain | Layout::AzureDeployments);
    (is_openai && has_openai).then_some(Way::OpenAi)
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Vectors {
    /// In the order of the texts.
    pub(crate) all: Vec<Vec<f32>>,
    /// Tokens of all texts, where the provider told them.
    pub(crate) input_tokens: Option<u64>,
}

/// A vector as several wires write it: an object around its numbers.
#[derive(Deserialize)]
pub(crate) struct Values {
    pub(crate) values: Vec<f32>,
}

/// A count that a wire writes as a number with a point.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within bounds; a fraction of a token is none"
)]
pub(crate) fn whole(count: f64) -> Option<u64> {
    (0.0..1e15).contains(&count).then_some(count as u64)
}

/// Writes the call whose body this is.
pub(crate) fn encode(wire: &dyn Embedder, body: &[u8], model: &str) -> Result<Encoded, Unsayable> {
    let mut ask = Ask::read(body)?;
    let (most, too_many) = wire.most();
    if ask.texts.len() > most {
        return Err(Unsayable::Missing(vec![too_many]));
    }
    let encoded = wire.encode(&mut ask, model)?;
    Ok(Encoded {
        body: encoded.into_bytes(),
        dropped: ask.dropped,
    })
}

/// The header in which Bedrock tells the tokens of every `InvokeModel`, and of Cohere's models nowhere else. On no page of
/// Amazon's; seen by several clients' authors (<https://github.com/vercel/ai/pull/15973>, 2026-06, read 2026-11-26).
const INPUT_TOKENS: HeaderName = HeaderName::from_static("x-amzn-bedrock-input-token-count");

/// Notes what an answer tells, and judges whether it holds what was asked for.
pub(crate) fn judge(
    vectors: Option<&Vectors>,
    body: &[u8],
    asked: Asked,
    facts: &mut Facts,
) -> Glance {
    let Some(vectors) = vectors else {
        return judge_other(body);
    };
    let told = vectors.input_tokens.or_else(|| counted(&facts.headers));
    facts.usage.input_tokens = told.unwrap_or(0);
    let fits = |vector: &Vec<f32>| {
        let is_long_enough = asked.fits(vector.len());
        is_long_enough && vector.iter().all(|number| number.is_finite())
    };
    if vectors.all.len() == asked.vectors && vectors.all.iter().all(fits) {
        facts.finish = Some(FinishReason::Stop);
        Glance::Content
    } else {
        Glance::Life
    }
}

fn counted(headers: &HeaderMap) -> Option<u64> {
    headers.get(INPUT_TOKENS)?.to_str().ok()?.parse().ok()
}

/// What a body is that holds no vectors.
fn judge_other(body: &[u8]) -> Glance {
    match parse::<Envelope<'_>>(body) {
        Ok(envelope) if envelope.error.or(envelope.message).is_some() => Glance::Error,
        Ok(_) => Glance::Life,
        Err(glance) => glance,
    }
}

#[derive(Serialize)]
struct Body<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Item<'a> {
    object: &'static str,
    index: usize,
    embedding: Coded<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Coded<'a> {
    Numbers(&'a [f32]),
    Text(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

/// Writes an answer of `model` in OpenAI's form: the vectors as numbers, or as the base64 of their bytes, little end first.
pub(crate) fn write(vectors: &Vectors, model: &str, asked: Asked, tokens: u64) -> Bytes {
    let coded = |vector: &'_ [f32]| {
        let bytes: Vec<u8> = vector
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let mut text = String::new();
        base64::standard(&bytes, &mut text);
        text
    };
    let items = vectors.all.iter().enumerate();
    let items = items.map(|(index, vector)| Item {
        object: "embedding",
        index,
        embedding: if asked.is_base64 {
            Coded::Text(coded(vector))
        } else {
            Coded::Numbers(vector)
        },
    });
    let body = Body {
        object: "list",
        data: items.collect(),
        model,
        usage: Usage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    // Writing numbers and texts to memory cannot fail.
    serde_json::to_vec(&body).unwrap_or_default().into()
}
