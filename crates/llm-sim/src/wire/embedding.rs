//! Embeddings: a small unit vector that depends on the seed and the text only.
//!
//! Shape read 2026-11-23: <https://platform.openai.com/docs/api-reference/embeddings>. The official SDKs ask for
//! `encoding_format: "base64"` (little-endian 32-bit floats) on their own, so both encodings are spoken. A text longer than the
//! script's context window is refused, or cut where the request leaves a provider to its default.

mod google;
mod other;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::json;
use crate::prose;
use crate::seed::{self, Numbers};
use crate::voice::{Headers, Problem};
use crate::wire::{Family, Wire};

/// Dimensions unless the request says otherwise.
const DEFAULT_DIMENSIONS: usize = 8;
/// The most dimensions and inputs of one request.
const MAX_DIMENSIONS: u64 = 4_096;
const MAX_INPUTS: usize = 2_048;

/// Who embeds, and how long a text may be.
#[derive(Clone, Copy)]
pub(crate) struct Embedder<'a> {
    pub(crate) seed: u64,
    pub(crate) family: Family,
    pub(crate) model: &'a str,
    /// The longest text, in tokens.
    pub(crate) window: Option<u64>,
}

/// What happens to a text that is too long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TooLong {
    Cut,
    Refused,
}

impl Embedder<'_> {
    /// Answers a request for vectors; `None` on a wire that is for something else.
    pub(crate) fn answer(
        self,
        wire: Wire,
        path: &str,
        body: &Value,
    ) -> Option<Result<(Bytes, Headers), Problem>> {
        if wire == Wire::BedrockEmbeddings {
            return Some(self.bedrock(body));
        }
        let answer = match wire {
            Wire::OpenAiEmbeddings => self.openai(body),
            Wire::GeminiEmbeddings => self.ai_studio(body),
            Wire::VertexEmbeddings => self.vertex(path, body),
            Wire::CohereEmbeddings => self.cohere(body),
            Wire::OllamaEmbeddings => self.ollama(body),
            _ => return None,
        };
        Some(answer.map(|body| (body, Headers::new())))
    }

    /// Answers a request of OpenAI's.
    fn openai(self, body: &Value) -> Result<Bytes, Problem> {
        let Some(model) = body
            .get("model")
            .and_then(Value::as_str)
            .filter(|model| !model.is_empty())
        else {
            return Err(
                Problem::invalid("you must provide a model parameter".to_owned()).param("model"),
            );
        };
        let all = self.read(body, "input", "dimensions", TooLong::Refused)?;
        let base64 = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
        let data: Vec<Value> = all
            .vectors
            .iter()
            .enumerate()
            .map(|(index, vector)| {
                let embedding = if base64 {
                    json!(encode(vector))
                } else {
                    json!(vector)
                };
                json!({"object": "embedding", "index": index, "embedding": embedding})
            })
            .collect();
        let tokens = all.tokens;
        Ok(json::bytes(&json!({
            "object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        })))
    }

    /// The texts are under `field`, the length of a vector under `length`.
    fn read(
        self,
        body: &Value,
        field: &'static str,
        length: &'static str,
        too_long: TooLong,
    ) -> Result<Embedded, Problem> {
        let texts = inputs(body.get(field).unwrap_or(&Value::Null));
        if texts.is_empty() || texts.len() > MAX_INPUTS {
            let message = format!("'{field}' must hold 1 to {MAX_INPUTS} texts.");
            return Err(Problem::invalid(message).param(field));
        }
        let mut all = Embedded::default();
        for text in &texts {
            let (vector, tokens) = self.embed(text, body.get(length), length, too_long)?;
            all.vectors.push(vector);
            all.tokens += tokens;
        }
        all.texts = texts;
        Ok(all)
    }

    /// The vector of one text, and how many tokens it has.
    fn embed(
        self,
        text: &str,
        asked: Option<&Value>,
        field: &'static str,
        too_long: TooLong,
    ) -> Result<(Vec<f32>, u64), Problem> {
        let dimensions = dimensions(asked, field)?;
        let tokens = prose::count(text);
        match self.window.filter(|window| tokens > *window) {
            Some(window) if too_long == TooLong::Refused => {
                Err(self.family.voice().context_length(window, tokens))
            }
            Some(window) => {
                let kept = usize::try_from(window).unwrap_or(usize::MAX);
                let cut: Vec<&str> = text.split_whitespace().take(kept).collect();
                Ok((vector(self.seed, &cut.join(" "), dimensions), window))
            }
            None => Ok((vector(self.seed, text, dimensions), tokens)),
        }
    }
}

/// Texts, their vectors, and how many tokens they have.
#[derive(Default)]
struct Embedded {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    tokens: u64,
}

/// How long a vector is asked for.
fn dimensions(asked: Option<&Value>, field: &'static str) -> Result<usize, Problem> {
    let Some(asked) = asked.filter(|value| !value.is_null()) else {
        return Ok(DEFAULT_DIMENSIONS);
    };
    asked
        .as_u64()
        .filter(|n| (1..=MAX_DIMENSIONS).contains(n))
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| Problem::invalid(format!("'{field}' is out of range.")).param(field))
}

/// A text, a list of texts, a list of tokens or a list of those.
fn inputs(input: &Value) -> Vec<String> {
    match input {
        Value::String(text) if !text.is_empty() => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) && !items.is_empty() => {
            vec![tokens(items)]
        }
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some(text.clone()),
                Value::Array(items) => Some(tokens(items)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn tokens(items: &[Value]) -> String {
    items
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a vector's component needs no double precision"
)]
fn vector(seed: u64, text: &str, dimensions: usize) -> Vec<f32> {
    let mut numbers = Numbers::new(seed::hash(seed, text.as_bytes()));
    let raw: Vec<f64> = (0..dimensions)
        .map(|_| seed::fraction(numbers.next()).mul_add(2.0, -1.0))
        .collect();
    let length = raw
        .iter()
        .map(|x| x * x)
        .sum::<f64>()
        .sqrt()
        .max(f64::MIN_POSITIVE);
    raw.iter().map(|x| (x / length) as f32).collect()
}

fn encode(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, &byte| (bits << 8) | u32::from(byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let letter = ALPHABET
                .get(((bits >> (18 - 6 * place)) & 63) as usize)
                .copied()
                .unwrap_or(b'=');
            text.push(if place <= group.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_one() {
        // 1.0f32 is 00 00 80 3f.
        assert_eq!(encode(&[1.0]), "AACAPw==");
        assert_eq!(encode(&[1.0, 1.0]), "AACAPwAAgD8=");
        assert_eq!(encode(&[1.0, 1.0, 1.0]), "AACAPwAAgD8AAIA/");
    }

    #[test]
    fn vectors_are_unit_length_and_repeatable() {
        let one = vector(7, "hello", 8);
        assert_eq!(one, vector(7, "hello", 8));
        assert_ne!(one, vector(7, "hullo", 8));
        assert!((one.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
