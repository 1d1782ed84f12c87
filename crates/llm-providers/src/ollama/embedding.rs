//! Ollama's own embeddings, `POST /api/embed`.
//!
//! After <https://docs.ollama.com/api/embed>, read 2026-11-26. `truncate` is off: a text that is too long is refused, as by
//! OpenAI; Ollama's default would cut it and say nothing. What the texts are for has no place here.

use super::wire::root;
use crate::codec::{Object, Unsayable, note};
use crate::embedding::{Ask, Embedder, Vectors};
use serde::Deserialize;

/// Ollama's own.
#[derive(Debug)]
pub(crate) struct OllamaEmbed;

impl Embedder for OllamaEmbed {
    fn address(&self, base: &str, _model: &str) -> String {
        format!("{}/api/embed", root(base))
    }

    /// None is documented: as many as at OpenAI.
    fn most(&self) -> (usize, &'static str) {
        (2_048, "more than 2048 inputs")
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        note(&mut ask.dropped, ask.input_type.is_some(), "input_type");
        let mut out = Object::default();
        out.set("model", model);
        out.set("input", ask.take_texts());
        out.set_some("dimensions", ask.dimensions);
        out.set("truncate", false);
        Ok(out)
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        #[derive(Deserialize)]
        struct Body {
            embeddings: Vec<Vec<f32>>,
            prompt_eval_count: Option<u64>,
        }
        let body: Body = serde_json::from_slice(body).ok()?;
        Some(Vectors {
            all: body.embeddings,
            input_tokens: body.prompt_eval_count,
        })
    }
}
