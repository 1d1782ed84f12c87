//! Embeddings: a small unit vector that depends on the seed and the text only.
//!
//! Shape read 2026-11-23: <https://platform.openai.com/docs/api-reference/embeddings>. The official SDKs ask for
//! `encoding_format: "base64"` (little-endian 32-bit floats) on their own, so both encodings are spoken.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::json;
use crate::prose;
use crate::seed::{self, Numbers};
use crate::voice::Problem;

/// Dimensions unless the request says otherwise.
const DEFAULT_DIMENSIONS: usize = 8;
/// The most dimensions and inputs of one request.
const MAX_DIMENSIONS: u64 = 4_096;
const MAX_INPUTS: usize = 2_048;

/// Answers a request of OpenAI's.
pub(crate) fn openai(seed: u64, body: &Value) -> Result<Bytes, Problem> {
    let Some(model) = body
        .get("model")
        .and_then(Value::as_str)
        .filter(|model| !model.is_empty())
    else {
        return Err(
            Problem::invalid("you must provide a model parameter".to_owned()).param("model"),
        );
    };
    let all = Embedded::read(seed, body, "input", "dimensions")?;
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

/// Answers a request of Gemini's, for one text or for several: `{"embedding": {"values"}}` or `{"embeddings": […]}`
/// (<https://ai.google.dev/api/embeddings>, read 2026-11-26).
pub(crate) fn gemini(seed: u64, body: &Value) -> Result<Bytes, Problem> {
    let one = |request: &Value| -> Result<Value, Problem> {
        let parts = request.pointer("/content/parts").and_then(Value::as_array);
        let texts: Vec<&str> = parts
            .into_iter()
            .flatten()
            .filter_map(|part| part.get("text")?.as_str())
            .collect();
        if texts.is_empty() {
            return Err(Problem::invalid("content is empty".to_owned()));
        }
        let asked = request
            .get("outputDimensionality")
            .or_else(|| request.pointer("/embedContentConfig/outputDimensionality"));
        Ok(
            json!({"values": vector(seed, &texts.join("\n"), dimensions(asked, "outputDimensionality")?)}),
        )
    };
    let Some(requests) = body.get("requests").and_then(Value::as_array) else {
        return Ok(json::bytes(&json!({"embedding": one(body)?})));
    };
    if requests.is_empty() || requests.len() > MAX_INPUTS {
        return Err(Problem::invalid(format!(
            "'requests' must hold 1 to {MAX_INPUTS} texts."
        )));
    }
    let all: Vec<Value> = requests.iter().map(one).collect::<Result<_, _>>()?;
    Ok(json::bytes(&json!({ "embeddings": all })))
}

/// Answers a request of Cohere's, in floats (<https://docs.cohere.com/reference/embed>, read 2026-11-26).
pub(crate) fn cohere(seed: u64, body: &Value) -> Result<Bytes, Problem> {
    let all = Embedded::read(seed, body, "texts", "output_dimension")?;
    let meta =
        json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": all.tokens}});
    let id = format!("{:016x}", seed::hash(seed, b"embed"));
    Ok(json::bytes(
        &json!({"id": id, "response_type": "embeddings_by_type", "embeddings": {"float": all.vectors},
        "texts": all.texts, "meta": meta}),
    ))
}

/// Answers a request of Ollama's (<https://github.com/ollama/ollama/blob/main/docs/api.md>, read 2026-11-26).
pub(crate) fn ollama(seed: u64, body: &Value) -> Result<Bytes, Problem> {
    let all = Embedded::read(seed, body, "input", "dimensions")?;
    Ok(json::bytes(
        &json!({"model": body.get("model"), "embeddings": all.vectors, "total_duration": 10_000_000,
        "load_duration": 1_000_000, "prompt_eval_count": all.tokens}),
    ))
}

/// Texts, their vectors, and how many tokens they have.
struct Embedded {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    tokens: u64,
}

impl Embedded {
    /// The texts are under `field`, the length of a vector under `length`.
    fn read(
        seed: u64,
        body: &Value,
        field: &'static str,
        length: &'static str,
    ) -> Result<Self, Problem> {
        let texts = inputs(body.get(field).unwrap_or(&Value::Null));
        if texts.is_empty() || texts.len() > MAX_INPUTS {
            let message = format!("'{field}' must hold 1 to {MAX_INPUTS} texts.");
            return Err(Problem::invalid(message).param(field));
        }
        let dimensions = dimensions(body.get(length), length)?;
        let vectors = texts
            .iter()
            .map(|text| vector(seed, text, dimensions))
            .collect();
        let tokens = texts.iter().map(|text| prose::count(text)).sum();
        Ok(Self {
            texts,
            vectors,
            tokens,
        })
    }
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
