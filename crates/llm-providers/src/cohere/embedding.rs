//! Cohere's embeddings, `POST /v2/embed`, which Bedrock speaks as well.
//!
//! Fields and the limit after <https://docs.cohere.com/reference/embed> and `cohere-python` (`src/cohere/v2/client.py`), the
//! lengths of version 3 after <https://docs.cohere.com/docs/cohere-embed>; at Bedrock after
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed-v3.html> and `…-embed-v4.html` beside it. All
//! read 2026-11-26.
//!
//! - `input_type` must be given. A caller who gives none gets `search_document`: most texts are embedded to be found, and a
//!   question embedded as a document is still in the same space, only found a little worse. Whoever asks questions says
//!   `input_type: "search_query"`, which passes.
//! - `truncate` is `NONE`: a text that is too long is refused, as by OpenAI. Cohere's default (`END`) would answer with the vector
//!   of another text.

use crate::codec::{Object, Unsayable};
use crate::embedding::{Ask, Embedder, InputType, Vectors, whole};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Texts in one call, at Cohere and at Bedrock.
pub(crate) const MOST: (usize, &str) = (96, "more than 96 inputs");

/// Cohere's own.
#[derive(Debug)]
pub(crate) struct CohereEmbed;

impl Embedder for CohereEmbed {
    fn address(&self, base: &str, _model: &str) -> String {
        format!("{base}/embed")
    }

    fn most(&self) -> (usize, &'static str) {
        MOST
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        encode(ask, model, Some(model))
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        decode(body)
    }
}

/// Writes a request for `model`, which is `named` in the body or in the address.
pub(crate) fn encode(ask: &mut Ask, model: &str, named: Option<&str>) -> Result<Object, Unsayable> {
    let mut out = Object::default();
    out.set_some("model", named);
    match own_length(model) {
        Some(own) => ask.fixed_dimensions(own)?,
        None => out.set_some("output_dimension", ask.dimensions),
    }
    out.set("texts", ask.take_texts());
    out.set(
        "input_type",
        match ask.input_type {
            Some(InputType::SearchDocument) | None => "search_document",
            Some(InputType::SearchQuery) => "search_query",
            Some(InputType::Classification) => "classification",
            Some(InputType::Clustering) => "clustering",
        },
    );
    out.set("embedding_types", vec!["float"]);
    out.set("truncate", "NONE");
    Ok(out)
}

/// The length of a model's vectors where it cannot be chosen: since version 4 it can.
fn own_length(model: &str) -> Option<u32> {
    let third = model.contains("-v3");
    third.then_some(if model.contains("light") { 384 } else { 1024 })
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    embeddings: &'a RawValue,
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct ByType {
    float: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Meta {
    billed_units: Option<Units>,
}

#[derive(Deserialize)]
struct Units {
    input_tokens: Option<f64>,
}

/// Reads an answer: the vectors by type, or, as older models at Bedrock have them, alone.
pub(crate) fn decode(body: &[u8]) -> Option<Vectors> {
    let body: Body<'_> = serde_json::from_slice(body).ok()?;
    let raw = body.embeddings.get();
    let all = if raw.starts_with('[') {
        serde_json::from_str(raw).ok()?
    } else {
        serde_json::from_str::<ByType>(raw).ok()?.float
    };
    let units = body.meta.and_then(|meta| meta.billed_units);
    Some(Vectors {
        all,
        input_tokens: units.and_then(|units| whole(units.input_tokens?)),
    })
}
