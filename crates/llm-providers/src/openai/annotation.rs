//! Where an answer comes from, as this wire says it.
//!
//! `annotations` of the message, and in a stream of a delta, hold `url_citation` objects
//! (`types/chat/chat_completion_message.py` of openai-python, read 2026-11-26); `OpenRouter` adds the source's words as
//! `content` (<https://openrouter.ai/docs/features/web-search>, read 2026-11-26). Perplexity tells the sources of the
//! whole answer beside the choices, as `search_results`
//! (<https://docs.perplexity.ai/docs/sonar/openai-compatibility>, read 2026-11-26).

use crate::chat::{Citation, number};
use serde_json::{Value, json};

/// The sources in a list of annotations, and whether these are all of them.
pub(super) fn annotations(list: &[Value]) -> (Vec<Citation>, bool) {
    let read = |annotation: &Value| {
        let source = annotation.get("url_citation")?;
        let citation = Citation::read(source, "url", "title", "content")?;
        let start = number(source, "start_index").unwrap_or(0);
        let end = number(source, "end_index").unwrap_or(0);
        Some(citation.of(start..end))
    };
    let cited: Vec<_> = list.iter().filter_map(read).collect();
    let all = cited.len() == list.len();
    (cited, all)
}

/// The sources that were searched.
pub(super) fn search_results(list: &[Value]) -> Vec<Citation> {
    let read = |result: &Value| Citation::read(result, "url", "title", "snippet");
    list.iter().filter_map(read).collect()
}

/// One source.
pub(super) fn encode_annotation(citation: &Citation) -> Value {
    let mut source = json!({
        "start_index": citation.start,
        "end_index": citation.end,
        "url": citation.url,
        "title": citation.title.as_deref().unwrap_or_default(),
    });
    if let (Some(fields), Some(quote)) = (source.as_object_mut(), &citation.quote) {
        fields.insert("content".to_owned(), quote.as_str().into());
    }
    json!({"type": "url_citation", "url_citation": source})
}
