//! Google's embeddings: `batchEmbedContents` at AI Studio, `predict` and `embedContent` on Vertex.
//!
//! At AI Studio after <https://ai.google.dev/api/embeddings>. On Vertex `predict` after
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api> and
//! `Shared.Types/TextEmbeddingPredictionParams` in its REST reference, `embedContent` after
//! <https://docs.cloud.google.com/gemini-enterprise-agent-platform/reference/rest/v1beta1/projects.locations.publishers.models/embedContent>;
//! which model has which is the rule of Google's own SDKs (`python-genai`, `t_is_vertex_embed_content_model`). All read
//! 2026-11-26.
//!
//! - Every text is a request of a batch, or an instance: several parts of one content would become one vector.
//! - On Vertex `autoTruncate` is off, so that a text that is too long is refused, as by OpenAI; AI Studio has no such switch.
//! - What the texts are for becomes a `taskType`; `gemini-embedding-2` knows none.
//! - Vectors come as they are: shorter ones of `gemini-embedding-001` are not of length one.

use super::wire::place;
use crate::codec::{Object, Unsayable, note};
use crate::embedding::{Ask, Embedder, InputType, Values, Vectors, whole};
use serde::Deserialize;
use serde_json::{Value, json};

/// The way to `model`'s vectors.
pub(super) fn embedder(model: &str, on_vertex: bool) -> &'static dyn Embedder {
    let is_gemini = model.contains("gemini") && !model.ends_with("gemini-embedding-001");
    if !on_vertex {
        &AiStudio
    } else if is_gemini || model.contains("maas") {
        &VertexEmbed
    } else {
        &VertexPredict
    }
}

const fn task(input_type: InputType) -> &'static str {
    match input_type {
        InputType::SearchDocument => "RETRIEVAL_DOCUMENT",
        InputType::SearchQuery => "RETRIEVAL_QUERY",
        InputType::Classification => "CLASSIFICATION",
        InputType::Clustering => "CLUSTERING",
    }
}

/// The task, where the model knows tasks.
fn take_task(ask: &mut Ask, model: &str) -> Option<&'static str> {
    let knows = !model.contains("gemini-embedding-2");
    note(
        &mut ask.dropped,
        ask.input_type.is_some() && !knows,
        "input_type",
    );
    ask.input_type.filter(|_| knows).map(task)
}

fn content(text: &str) -> Value {
    json!({"parts": [{"text": text}]})
}

/// An answer with one vector or with several.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    embedding: Option<Values>,
    #[serde(default)]
    embeddings: Vec<Values>,
    usage_metadata: Option<Usage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    prompt_token_count: Option<u64>,
}

fn decode(body: &[u8]) -> Option<Vectors> {
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let all = answer.embedding.into_iter().chain(answer.embeddings);
    let all: Vec<_> = all.map(|one| one.values).collect();
    if all.is_empty() {
        return None;
    }
    let usage = answer.usage_metadata;
    Some(Vectors {
        all,
        input_tokens: usage.and_then(|usage| usage.prompt_token_count),
    })
}

#[derive(Debug)]
struct AiStudio;

impl Embedder for AiStudio {
    fn address(&self, base: &str, model: &str) -> String {
        format!("{}:batchEmbedContents", place(base, model))
    }

    /// No page states it; beyond, the server answers "at most 100 requests can be in one batch"
    /// (<https://github.com/vercel/ai/pull/16575>, 2026-07, read 2026-11-26).
    fn most(&self) -> (usize, &'static str) {
        (100, "more than 100 inputs")
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        let task = take_task(ask, model);
        let collection = if model.contains('/') { "" } else { "models/" };
        let dimensions = ask.dimensions;
        let requests = ask.take_texts().into_iter().map(|text| {
            let mut request = Object::default();
            request.set("model", format!("{collection}{model}"));
            request.set("content", content(&text));
            request.set_some("taskType", task);
            request.set_some("outputDimensionality", dimensions);
            Value::Object(request.0)
        });
        let mut out = Object::default();
        out.set("requests", requests.collect::<Vec<_>>());
        Ok(out)
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        decode(body)
    }
}

#[derive(Debug)]
struct VertexEmbed;

impl Embedder for VertexEmbed {
    fn address(&self, base: &str, model: &str) -> String {
        format!("{}:embedContent", place(base, model))
    }

    fn most(&self) -> (usize, &'static str) {
        (1, "more than one input")
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        let mut out = Object::default();
        out.set_some("taskType", take_task(ask, model));
        out.set_some("content", ask.texts.pop().map(|text| content(&text)));
        out.set_some("outputDimensionality", ask.dimensions);
        out.set("autoTruncate", false);
        Ok(out)
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        decode(body)
    }
}

#[derive(Debug)]
struct VertexPredict;

impl Embedder for VertexPredict {
    fn address(&self, base: &str, model: &str) -> String {
        format!("{}:predict", place(base, model))
    }

    /// Of `gemini-embedding-001` pages have said one; 250 were taken, and 251 refused, in August 2026
    /// (<https://github.com/GoogleCloudPlatform/generative-ai/pull/3040>, read 2026-11-26).
    fn most(&self) -> (usize, &'static str) {
        (250, "more than 250 inputs")
    }

    fn encode(&self, ask: &mut Ask, model: &str) -> Result<Object, Unsayable> {
        let task = take_task(ask, model);
        let instances = ask.take_texts().into_iter().map(|text| {
            let mut instance = Object::default();
            instance.set("content", text);
            instance.set_some("task_type", task);
            Value::Object(instance.0)
        });
        let mut parameters = Object::default();
        parameters.set("autoTruncate", false);
        parameters.set_some("outputDimensionality", ask.dimensions);
        let mut out = Object::default();
        out.set("instances", instances.collect::<Vec<_>>());
        out.set("parameters", parameters.0);
        Ok(out)
    }

    fn decode(&self, body: &[u8]) -> Option<Vectors> {
        #[derive(Deserialize)]
        struct Body {
            predictions: Vec<Prediction>,
        }
        #[derive(Deserialize)]
        struct Prediction {
            embeddings: Counted,
        }
        #[derive(Deserialize)]
        struct Counted {
            values: Vec<f32>,
            statistics: Option<Statistics>,
        }
        #[derive(Deserialize)]
        struct Statistics {
            token_count: Option<f64>,
        }
        let body: Body = serde_json::from_slice(body).ok()?;
        let mut vectors = Vectors::default();
        for Prediction { embeddings } in body.predictions {
            vectors.all.push(embeddings.values);
            let told = embeddings.statistics.and_then(|seen| seen.token_count);
            if let Some(tokens) = told.and_then(whole) {
                *vectors.input_tokens.get_or_insert(0) += tokens;
            }
        }
        Some(vectors)
    }
}
