//! The embeddings of Cohere, Ollama and Bedrock.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Embedded, Embedder, TooLong};
use crate::json;
use crate::seed;
use crate::voice::{Headers, Problem};

/// Texts in one call of Cohere's.
const MAX_TEXTS: usize = 96;

impl Embedder<'_> {
    /// Answers a request of Cohere's, in floats (<https://docs.cohere.com/reference/embed>, read 2026-11-26).
    pub(super) fn cohere(self, body: &Value) -> Result<Bytes, Problem> {
        let all = self.read_cohere(body, "END")?;
        let meta =
            json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": all.tokens}});
        let answer = json!({"id": self.id(), "response_type": "embeddings_by_type",
            "embeddings": {"float": all.vectors}, "texts": all.texts, "meta": meta});
        Ok(json::bytes(&answer))
    }

    /// Models since version 3 must be told what the texts are for. `otherwise` is what happens to a long text by default.
    fn read_cohere(self, body: &Value, otherwise: &str) -> Result<Embedded, Problem> {
        const TYPES: [&str; 4] = [
            "search_document",
            "search_query",
            "classification",
            "clustering",
        ];
        let input_type = body.get("input_type").and_then(Value::as_str);
        if !input_type.is_some_and(|given| TYPES.contains(&given)) {
            let message =
                "invalid request: valid input_type must be provided with the provided model";
            return Err(Problem::invalid(message.to_owned()));
        }
        let count = body
            .get("texts")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        if count > MAX_TEXTS {
            let message = format!(
                "invalid request: total number of texts must be at most {MAX_TEXTS} - received {count}"
            );
            return Err(Problem::invalid(message));
        }
        let truncate = body.get("truncate").and_then(Value::as_str);
        let too_long = match truncate.unwrap_or(otherwise) {
            "NONE" => TooLong::Refused,
            _ => TooLong::Cut,
        };
        self.read(body, "texts", "output_dimension", too_long)
    }

    /// Answers a request of Ollama's (<https://docs.ollama.com/api/embed>, read 2026-11-26).
    pub(super) fn ollama(self, body: &Value) -> Result<Bytes, Problem> {
        let too_long = match body.get("truncate").and_then(Value::as_bool) {
            Some(false) => TooLong::Refused,
            _ => TooLong::Cut,
        };
        let all = self.read(body, "input", "dimensions", too_long)?;
        let answer = json!({"model": body.get("model"), "embeddings": all.vectors,
            "total_duration": 10_000_000, "load_duration": 1_000_000, "prompt_eval_count": all.tokens});
        Ok(json::bytes(&answer))
    }

    /// Answers `InvokeModel`, in the form of Titan's or of Cohere's models, by the name
    /// (<https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html> and
    /// `model-parameters-embed-v3.html` beside it, read 2026-11-26). The tokens are told in a header as well.
    pub(super) fn bedrock(self, body: &Value) -> Result<(Bytes, Headers), Problem> {
        let (answer, tokens) = self.invoke(body)?;
        let header = ("x-amzn-bedrock-input-token-count", tokens.to_string());
        Ok((json::bytes(&answer), vec![header]))
    }

    fn invoke(self, body: &Value) -> Result<(Value, u64), Problem> {
        if self.model.contains("cohere.embed") {
            let all = self.read_cohere(body, "NONE")?;
            let answer = json!({"id": self.id(), "response_type": "embeddings_by_type",
                "embeddings": {"float": all.vectors}, "texts": all.texts});
            return Ok((answer, all.tokens));
        }
        let known = ["inputText", "dimensions", "normalize", "embeddingTypes"];
        let fields = body.as_object();
        let unknown =
            fields.and_then(|fields| fields.keys().find(|key| !known.contains(&key.as_str())));
        if let Some(key) = unknown {
            let message = format!(
                "Malformed input request: #: extraneous key [{key}] is not permitted, please reformat your input and try again."
            );
            return Err(Problem::invalid(message));
        }
        let Some(text) = body.get("inputText").and_then(Value::as_str) else {
            let message = "Malformed input request: #: required key [inputText] not found, please reformat your input and try again.";
            return Err(Problem::invalid(message.to_owned()));
        };
        let asked = body.get("dimensions");
        let (vector, tokens) = self.embed(text, asked, "dimensions", TooLong::Refused)?;
        let answer = json!({"embedding": vector, "inputTextTokenCount": tokens,
            "embeddingsByType": {"float": vector}});
        Ok((answer, tokens))
    }

    fn id(self) -> String {
        format!("{:016x}", seed::hash(self.seed, b"embed"))
    }
}
