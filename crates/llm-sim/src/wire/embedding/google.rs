//! Google's embeddings: AI Studio's `embedContent` and `batchEmbedContents`, Vertex's `predict` and `embedContent`.
//!
//! <https://ai.google.dev/api/embeddings>,
//! <https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api>, read 2026-11-26. More than
//! 100 requests in a batch are refused in the words that callers print
//! (<https://github.com/langchain-ai/langchainjs/issues/4491>), more than 250 instances in those of
//! <https://github.com/GoogleCloudPlatform/generative-ai/pull/3040>.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Embedder, TooLong};
use crate::json;
use crate::voice::Problem;

const MAX_BATCH: usize = 100;
const MAX_INSTANCES: usize = 250;

impl Embedder<'_> {
    /// For one text or for several: `{"embedding": {"values"}}` or `{"embeddings": […]}`.
    pub(super) fn ai_studio(self, body: &Value) -> Result<Bytes, Problem> {
        let Some(requests) = body.get("requests").and_then(Value::as_array) else {
            let (embedding, tokens) = self.content(body, TooLong::Cut)?;
            let usage = json!({"promptTokenCount": tokens});
            let answer = json!({"embedding": embedding, "usageMetadata": usage});
            return Ok(json::bytes(&answer));
        };
        if requests.is_empty() || requests.len() > MAX_BATCH {
            let message = format!(
                "* BatchEmbedContentsRequest.requests: at most {MAX_BATCH} requests can be in one batch\n"
            );
            return Err(Problem::invalid(message));
        }
        let (mut all, mut sum) = (Vec::new(), 0);
        for request in requests {
            let named = request.get("model").and_then(Value::as_str);
            let named = named.map(|name| name.strip_prefix("models/").unwrap_or(name));
            if named != Some(self.model) {
                let message = format!(
                    "* BatchEmbedContentsRequest.requests[{}].model: must match the model of the batch\n",
                    all.len()
                );
                return Err(Problem::invalid(message));
            }
            let (embedding, tokens) = self.content(request, TooLong::Cut)?;
            all.push(embedding);
            sum += tokens;
        }
        let usage = json!({"promptTokenCount": sum});
        Ok(json::bytes(
            &json!({"embeddings": all, "usageMetadata": usage}),
        ))
    }

    /// All parts of a content are one text.
    fn content(self, request: &Value, too_long: TooLong) -> Result<(Value, u64), Problem> {
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
        let text = texts.join("\n");
        let (values, tokens) = self.embed(&text, asked, "outputDimensionality", too_long)?;
        Ok((json!({"values": values}), tokens))
    }

    /// Instances and predictions, or one content: by the verb at the path's end.
    pub(super) fn vertex(self, path: &str, body: &Value) -> Result<Bytes, Problem> {
        let too_long = |flag: Option<&Value>| match flag.and_then(Value::as_bool) {
            Some(false) => TooLong::Refused,
            _ => TooLong::Cut,
        };
        if path.ends_with(":embedContent") {
            let (embedding, tokens) = self.content(body, too_long(body.get("autoTruncate")))?;
            let usage = json!({"promptTokenCount": tokens, "totalTokenCount": tokens});
            let answer =
                json!({"embedding": embedding, "usageMetadata": usage, "truncated": false});
            return Ok(json::bytes(&answer));
        }
        let instances = body.get("instances").and_then(Value::as_array);
        let instances = instances.map_or(&[][..], Vec::as_slice);
        if instances.is_empty() || instances.len() > MAX_INSTANCES {
            let message =
                "Unable to submit request because it included too many instances, or none.";
            return Err(Problem::invalid(message.to_owned()));
        }
        let asked = body.pointer("/parameters/outputDimensionality");
        let too_long = too_long(body.pointer("/parameters/autoTruncate"));
        let predictions = instances.iter().map(|instance| {
            let Some(text) = instance.get("content").and_then(Value::as_str) else {
                return Err(Problem::invalid("The text content is empty.".to_owned()));
            };
            let (values, tokens) = self.embed(text, asked, "outputDimensionality", too_long)?;
            let statistics = json!({"token_count": tokens, "truncated": false});
            Ok(json!({"embeddings": {"values": values, "statistics": statistics}}))
        });
        let predictions: Vec<Value> = predictions.collect::<Result<_, _>>()?;
        Ok(json::bytes(&json!({ "predictions": predictions })))
    }
}
