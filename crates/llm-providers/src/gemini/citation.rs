//! Where an answer comes from, as this wire says it. `groundingMetadata` holds the sources (`groundingChunks`) and which
//! words each supports (`groundingSupports`); `citationMetadata` names what was recited. Places are counted in bytes
//! (<https://ai.google.dev/api/generate-content#GroundingMetadata> and `#CitationMetadata`;
//! <https://cloud.google.com/vertex-ai/generative-ai/docs/reference/nodejs/1.4.1/vertexai/groundingsupportsegment>, both
//! read 2026-11-26).

use crate::chat::{Citation, MAX_CITATIONS, chars, number};
use serde_json::Value;

/// The sources that an answer of this `text` names, and whether these are all of them.
pub(super) fn sources(
    grounding: Option<&Value>,
    citations: Option<&Value>,
    text: &str,
) -> (Vec<Citation>, bool) {
    let list = |of: &Value, key: &str| -> Vec<Value> {
        let list = of.get(key).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let (mut cited, mut all) = (Vec::new(), true);
    if let Some(grounding) = grounding {
        let chunks = list(grounding, "groundingChunks");
        let chunks: Vec<_> = chunks.iter().map(chunk).collect();
        all &= chunks.iter().all(Option::is_some);
        let mut told = vec![false; chunks.len()];
        for support in list(grounding, "groundingSupports") {
            let segment = support.get("segment").unwrap_or(&Value::Null);
            let (start, end) = place(segment, text);
            let indices = list(&support, "groundingChunkIndices");
            let indices = indices.iter().filter_map(Value::as_u64);
            for index in indices.filter_map(|index| usize::try_from(index).ok()) {
                let Some(Some(citation)) = chunks.get(index) else {
                    continue;
                };
                cited.push(citation.clone().of(start..end));
                if let Some(told) = told.get_mut(index) {
                    *told = true;
                }
            }
        }
        // What supports no words in particular.
        let rest = chunks.into_iter().zip(told);
        cited.extend(rest.filter_map(|(citation, told)| citation.filter(|_| !told)));
    }
    if let Some(citations) = citations {
        // AI Studio and Vertex name the list differently.
        let mut recited = list(citations, "citationSources");
        recited.extend(list(citations, "citations"));
        for source in recited {
            let (start, end) = place(&source, text);
            match Citation::read(&source, "uri", "title", "") {
                Some(citation) => cited.push(citation.of(start..end)),
                None => all = false,
            }
        }
    }
    all &= cited.len() <= MAX_CITATIONS;
    cited.truncate(MAX_CITATIONS);
    (cited, all)
}

/// One source: a page, a document that was retrieved, a place on a map.
fn chunk(chunk: &Value) -> Option<Citation> {
    let mut kinds = ["web", "retrievedContext", "maps"].into_iter();
    let source = kinds.find_map(|kind| chunk.get(kind))?;
    Citation::read(source, "uri", "title", "text")
}

/// The characters that a span of bytes stands for.
fn place(span: &Value, text: &str) -> (usize, usize) {
    let at = |key: &str| {
        let byte = number(span, key).unwrap_or(0);
        text.get(..byte.min(text.len())).map_or(0, chars)
    };
    (at("startIndex"), at("endIndex"))
}
