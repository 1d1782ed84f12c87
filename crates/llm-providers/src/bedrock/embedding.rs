//! Embeddings at Bedrock, by `InvokeModel`: each maker's models have a form of their own.
//!
//! Titan after <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html>, Cohere as in
//! [its own folder](crate::cohere). Both read 2026-11-26. A Titan model embeds one text a request; its first version has
//! vectors of 1,536 numbers and no other length.

use crate::address::escape;
use crate::codec::{Object, Unsayable, note};
use crate::cohere::embedding as cohere;
use crate::embedding::{Ask, Embedder, Vectors};
use serde::Deserialize;

/// The form of `model`, which may be called by its name, with or without a region before it, or by an ARN that has it.
pub(super) fn embedder(model: &str) -> Option<&'static dyn Embedder> {
    if model.contains("titan-embed-text") {
        Some(&Titan)
    } else if model.contains("cohere.embed") {
        Some(&Cohere)
    } else {
        None
    }
}

fn address(base: &str, model: &str) -> String {
    let mut address = format!("{base}/model/");
    escape(model, &mut address);
    address.push_str("/invoke");
    address
}

#[derive(Debug)]
struct Titan;

/// The length of the first version's vectors.
const FIRST_LENGTH: u32 = 1_536;

impl Embedder for Titan {
    fn address(&self, base: &str, model: &str) -> String {
        address(base, model)
    }

    fn most(&self) -> (usize, &'static str) {
        (1, "more than one input")
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        note(&mut ask.dropped, ask.input_type.is_some(), "input_type");
        let mut out = Object::default();
        if model.contains("titan-embed-text-v2") {
            out.set_some("dimensions", ask.dimensions);
        } else {
            ask.fixed_dimensions(FIRST_LENGTH)?;
        }
        out.set_some("inputText", ask.texts.pop());
        Ok(out)
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            embedding: Vec<f32>,
            input_text_token_count: Option<u64>,
        }
        let body: Body = serde_json::from_slice(body).ok()?;
        Some(Vectors {
            all: vec![body.embedding],
            input_tokens: body.input_text_token_count,
        })
    }
}

#[derive(Debug)]
struct Cohere;

impl Embedder for Cohere {
    fn address(&self, base: &str, model: &str) -> String {
        address(base, model)
    }

    fn most(&self) -> (usize, &'static str) {
        cohere::MOST
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        cohere::encode(ask, model, None)
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        cohere::decode(body)
    }
}
