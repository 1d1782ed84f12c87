//! Where an answer comes from, as this wire says it: `url_citation` annotations of a text, counted from its beginning
//! (`types/responses/response_output_text.py` and `response_output_text_annotation_added_event.py` of openai-python, read
//! 2026-11-26). What points into files and containers of the provider has no address.

use crate::chat::{Citation, chars, number};
use serde_json::{Value, json};

/// The source that an annotation names, where it has an address.
pub(super) fn decode(annotation: &Value) -> Option<Citation> {
    if annotation.get("type")? != "url_citation" {
        return None;
    }
    let citation = Citation::read(annotation, "url", "title", "content")?;
    let start = number(annotation, "start_index").unwrap_or(0);
    let end = number(annotation, "end_index").unwrap_or(0);
    Some(citation.of(start..end))
}

/// The annotation of a source, counted from the beginning of its text, which `before` characters precede.
pub(super) fn encode(citation: &Citation, before: usize) -> Value {
    json!({
        "type": "url_citation",
        "start_index": citation.start.saturating_sub(before),
        "end_index": citation.end.saturating_sub(before),
        "url": citation.url,
        "title": citation.title.as_deref().unwrap_or_default(),
    })
}

/// The sources that the texts in an answer's items name, and whether these are all of them.
pub(super) fn in_items(items: &[Value]) -> (Vec<Citation>, bool) {
    let (mut cited, mut all, mut before) = (Vec::new(), true, 0);
    let parts = items
        .iter()
        .filter_map(|item| item.get("content")?.as_array());
    for part in parts.flatten() {
        if part.get("type").is_none_or(|kind| kind != "output_text") {
            continue;
        }
        let annotations = part.get("annotations").and_then(Value::as_array);
        for annotation in annotations.into_iter().flatten() {
            match decode(annotation) {
                Some(citation) => cited.push(citation.behind(before)),
                None => all = false,
            }
        }
        before += part.get("text").and_then(Value::as_str).map_or(0, chars);
    }
    (cited, all)
}
