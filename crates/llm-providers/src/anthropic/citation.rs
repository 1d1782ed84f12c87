//! Where an answer comes from, as this wire says it: `citations` of a text block, which speak of the whole block
//! (`types/citations_web_search_result_location.py`, `citation_char_location.py` and `citations_delta.py` of
//! anthropic-sdk-python, read 2026-11-26).
//!
//! A source that another provider named is written as a result of a web search. Its `encrypted_index`, by which
//! Anthropic would find it again, is [`MARK`]: sent back to Anthropic the source is left out, which would be refused.

use crate::chat::{Citation, chars};
use crate::splice::{cuts, span_of};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::ops::Range;

/// Stands where Anthropic's own index would.
const MARK: &str = "llmr";
/// The same as JSON.
const MARKED: &[u8] = b"\"llmr\"";

/// The source that a citation names, where it has an address.
pub(super) fn decode(citation: &Value) -> Option<Citation> {
    // A result that the caller's own tool gave may have an address for its source.
    let address = match citation.get("type")?.as_str()? {
        "web_search_result_location" => "url",
        "search_result_location" => "source",
        _ => return None,
    };
    let read = Citation::read(citation, address, "title", "cited_text")?;
    read.url.contains("://").then_some(read)
}

/// One source.
pub(super) fn encode(citation: &Citation) -> Value {
    json!({
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote.as_deref().unwrap_or_default(),
        "encrypted_index": MARK,
    })
}

/// The sources that the text blocks in `content` name, and whether these are all of them.
pub(super) fn in_blocks(content: &Value) -> (Vec<Citation>, bool) {
    let (mut cited, mut all, mut before) = (Vec::new(), true, 0);
    for block in content.as_array().into_iter().flatten() {
        if block.get("type").is_none_or(|kind| kind != "text") {
            continue;
        }
        let end = before + block.get("text").and_then(Value::as_str).map_or(0, chars);
        let citations = block.get("citations").and_then(Value::as_array);
        for citation in citations.into_iter().flatten() {
            match decode(citation) {
                Some(citation) => cited.push(citation.of(before..end)),
                None => all = false,
            }
        }
        before = end;
    }
    (cited, all)
}

/// A text, which `before` characters of the answer precede, in blocks that end where what `citations` speak of ends.
pub(super) fn blocks(text: &str, before: usize, citations: &[Citation]) -> Vec<Value> {
    let after = before + chars(text);
    let mut here: Vec<&Citation> = citations
        .iter()
        .filter(|cited| !cited.is_placeless() && cited.end > before && cited.end <= after)
        .collect();
    here.sort_by_key(|cited| (cited.end, cited.start));
    let at = |char: usize| {
        let place = text.char_indices().nth(char.saturating_sub(before));
        place.map_or(text.len(), |(at, _)| at)
    };
    let mut blocks: Vec<(String, Vec<Value>)> = Vec::new();
    let mut told = 0;
    for cited in here {
        let (start, end) = (at(cited.start).max(told), at(cited.end));
        if end > told {
            push_plain(&mut blocks, text.get(told..start).unwrap_or_default());
            let words = text.get(start..end).unwrap_or_default();
            blocks.push((words.to_owned(), Vec::new()));
            told = end;
        }
        if let Some((_, sources)) = blocks.last_mut() {
            sources.push(encode(cited));
        }
    }
    push_plain(&mut blocks, text.get(told..).unwrap_or_default());
    blocks
        .into_iter()
        .map(|(text, sources)| {
            let mut block = json!({"type": "text", "text": text});
            if let Some(fields) = block.as_object_mut()
                && !sources.is_empty()
            {
                fields.insert("citations".to_owned(), sources.into());
            }
            block
        })
        .collect()
}

/// What speaks of no words in particular belongs to the last text.
pub(super) fn add_placeless(content: &mut [Value], citations: &[Citation]) {
    let placeless = citations.iter().filter(|cited| cited.is_placeless());
    let placeless: Vec<_> = placeless.map(encode).collect();
    let is_text = |block: &&mut Value| block.get("type").is_some_and(|kind| kind == "text");
    let last = content.iter_mut().rev().find(is_text);
    if placeless.is_empty() {
        return;
    }
    if let Some(Value::Object(fields)) = last {
        let sources = fields.entry("citations").or_insert_with(|| json!([]));
        if let Some(sources) = sources.as_array_mut() {
            sources.extend(placeless);
        }
    }
}

/// Words without a source. A block of white space alone would be refused when it comes back.
fn push_plain(blocks: &mut Vec<(String, Vec<Value>)>, text: &str) {
    match blocks.last_mut() {
        Some((last, _)) if text.trim().is_empty() => last.push_str(text),
        _ if text.is_empty() => {}
        _ => blocks.push((text.to_owned(), Vec::new())),
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<Message<'a>>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    citations: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Source<'a> {
    #[serde(borrow)]
    encrypted_index: Option<&'a RawValue>,
}

/// Where sources made here stand in a request's body, each with one comma that must go with it. Usually there are none,
/// and the body is only searched for the mark.
pub(crate) fn foreign_citations(body: &[u8]) -> Vec<Range<usize>> {
    if memchr::memmem::find(body, MARKED).is_none() {
        return Vec::new();
    }
    let Ok(Body { messages }) = serde_json::from_slice::<Body<'_>>(body) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for message in messages {
        let Ok(blocks) = serde_json::from_str::<Vec<Block<'_>>>(message.content.get()) else {
            continue;
        };
        for citations in blocks.into_iter().filter_map(|block| block.citations) {
            let spans: Vec<_> = citations
                .iter()
                .filter_map(|raw| {
                    let span = span_of(body, raw.get().as_bytes())?;
                    let source: Source<'_> = serde_json::from_str(raw.get()).ok()?;
                    let index = source.encrypted_index;
                    Some((
                        span,
                        index.is_some_and(|index| index.get().as_bytes() == MARKED),
                    ))
                })
                .collect();
            found.extend(cuts(&spans));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_sources_end() {
        let cited = |start, end, url: &str| Citation::new(url).of(start..end);
        let texts = |citations: &[Citation]| -> Vec<(String, usize)> {
            let told = |block: Value| {
                let sources = block["citations"].as_array().map_or(0, Vec::len);
                (block["text"].as_str().unwrap().to_owned(), sources)
            };
            blocks("Köln is big. Bonn is not.", 10, citations)
                .into_iter()
                .map(told)
                .collect()
        };
        let whole = "Köln is big. Bonn is not.".to_owned();
        assert_eq!(texts(&[]), [(whole.clone(), 0)]);
        let a = cited(10, 22, "https://a");
        let b = cited(23, 35, "https://b");
        assert_eq!(
            texts(&[b, a.clone(), a.clone()]),
            [
                ("Köln is big. ".to_owned(), 2),
                ("Bonn is not.".to_owned(), 1)
            ],
            "white space alone is no block"
        );
        assert_eq!(
            texts(&[cited(15, 17, "https://c")]),
            [
                ("Köln ".to_owned(), 0),
                ("is".to_owned(), 1),
                (" big. Bonn is not.".to_owned(), 0)
            ]
        );
        // One inside the other: the words stay in order, and each source keeps some.
        let all: String = texts(&[a, cited(12, 16, "https://d")])
            .into_iter()
            .map(|one| one.0)
            .collect();
        assert_eq!(all, whole);
        assert_eq!(
            texts(&[cited(0, 9, "https://e")]),
            [(whole, 0)],
            "another text's"
        );
    }

    #[test]
    fn only_sources_made_here_are_cut() {
        let ours = encode(&Citation::new("https://a"));
        let theirs = json!({"type": "web_search_result_location", "url": "https://b", "encrypted_index": "Eo8B"});
        let body = json!({"messages": [
            {"role": "user", "content": "say \"llmr\""},
            {"role": "assistant", "content": [
                {"type": "text", "text": "x", "citations": [ours, theirs, ours]},
                {"type": "text", "text": "y", "citations": [ours]},
            ]},
        ]});
        let text = body.to_string();
        let mut left = text.clone().into_bytes();
        for cut in foreign_citations(text.as_bytes()).into_iter().rev() {
            left.drain(cut);
        }
        let left: Value = serde_json::from_slice(&left).unwrap();
        assert_eq!(
            left["messages"][1]["content"][0]["citations"],
            json!([theirs])
        );
        assert_eq!(left["messages"][1]["content"][1]["citations"], json!([]));
        assert_eq!(left["messages"][0], body["messages"][0]);
        assert!(foreign_citations(br#"{"messages":[{"content":"\"llmr\""}]}"#).is_empty());
    }
}
