//! What is learnt of an answer while it passes.

use crate::chat::{FinishReason, Usage};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What is known of an answer beside its text.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The model that answered, in the provider's words.
    pub model: Option<Box<str>>,
    /// Tokens, as the provider counted them.
    pub usage: Usage,
    /// Why the answer ended.
    pub finish: Option<FinishReason>,
    /// Fields of the request that the target's wire has no place for; names only, sorted. Last,
    /// `reply.reasoning`, `reply.citations` and their like: what of the answer has no place in the
    /// caller's dialect.
    pub dropped: Vec<&'static str>,
    /// The provider's name for the request, for its support.
    pub request_id: Option<Box<str>>,
    /// Events that were no JSON objects: left out where they carried nothing, else the stream failed.
    pub broken_events: u32,
    /// The reply's headers: rate-limit snapshots are read from them.
    pub headers: HeaderMap,
}

impl Facts {
    /// Names what has no place in the caller's dialect; each name once.
    pub(crate) fn drop_once(&mut self, name: &'static str) {
        if !self.dropped.contains(&name) {
            self.dropped.push(name);
        }
    }

    /// Notes the model that answers, as the first event that names one does.
    pub(crate) fn note_model(&mut self, model: Option<&str>) {
        if self.model.is_none() {
            let model = model.filter(|model| !model.is_empty());
            self.model = model.map(Into::into);
        }
    }
}

/// What one event, or one whole answer, means to whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glance {
    /// Part of the answer: text, a tool call, reasoning.
    Content,
    /// A sign of life without content.
    Life,
    /// Neither: a ping, or something unknown.
    Quiet,
    /// An error object.
    Error,
    /// No JSON object.
    Broken,
    /// The normal end marker.
    End,
}

/// Reads one event, or one whole answer. What is no JSON object is broken; one of another shape may be an
/// extension: it counts for nothing.
pub(crate) fn parse<'a, T: Deserialize<'a>>(data: &'a [u8]) -> Result<T, Glance> {
    if !data.trim_ascii_start().starts_with(b"{") {
        return Err(Glance::Broken);
    }
    serde_json::from_slice(data).map_err(|error| {
        if error.is_data() {
            Glance::Quiet
        } else {
            Glance::Broken
        }
    })
}

/// True of the marker that ends OpenAI's stream of chat completions, and with which servers that are compatible by halves
/// end other streams.
pub(crate) fn is_done(data: &[u8]) -> bool {
    data.trim_ascii() == b"[DONE]"
}

/// True where the value is there and not empty.
pub(crate) fn is_filled(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| !matches!(raw.get(), "null" | "\"\"" | "[]" | "{}" | "false"))
}

/// The text of a JSON string; copied only where it holds escapes.
pub(crate) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw.get()).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Appends the text of a JSON string to `out`, without an allocation of its own; false where it is no
/// string, or one that is no text.
pub(crate) fn unescape(raw: &RawValue, out: &mut String) -> bool {
    let inner = raw.get().strip_prefix('"');
    match inner.and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => unescape_inner(inner, out),
        None => raw.get() == "null",
    }
}

/// The same for the contents of a JSON string, its quotes left out.
pub(crate) fn unescape_inner(mut rest: &str, out: &mut String) -> bool {
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        let (plain, escaped) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = escaped.chars();
        chars.next();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let Some((unit, after)) = hex(chars.as_str()) else {
                    return false;
                };
                let low = after.strip_prefix("\\u").and_then(hex);
                let (text, after) = match low {
                    Some((low, after)) if (0xD800..0xDC00).contains(&unit) => {
                        (char::decode_utf16([unit, low]).next(), after)
                    }
                    _ => (char::decode_utf16([unit]).next(), after),
                };
                let Some(Ok(text)) = text else {
                    return false;
                };
                out.push(text);
                rest = after;
                continue;
            }
            Some(other) => out.push(other),
            None => return false,
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    true
}

/// Four hexadecimal digits at the beginning of a text.
fn hex(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_read_as_it_was_written(text in any::<String>(), ascii in any::<bool>()) {
            let mut json = serde_json::to_string(&text).unwrap();
            if ascii {
                let mut escaped = String::new();
                for c in json.chars() {
                    if c.is_ascii() {
                        escaped.push(c);
                    } else {
                        for unit in c.encode_utf16(&mut [0; 2]) {
                            escaped.push_str(&format!("\\u{unit:04x}"));
                        }
                    }
                }
                json = escaped;
            }
            let raw = RawValue::from_string(json).unwrap();
            let mut out = String::new();
            prop_assert!(unescape(&raw, &mut out));
            prop_assert_eq!(out, text);
        }
    }

    #[test]
    fn half_a_character_is_no_text() {
        for json in [r#""\ud83d""#, r#""\udc66""#, r#""\ud83dx""#, "1", "[]"] {
            let raw = RawValue::from_string(json.to_owned()).unwrap();
            assert!(!unescape(&raw, &mut String::new()), "{json}");
        }
    }
}
