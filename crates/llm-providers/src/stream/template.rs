//! Nearly all events of a stream differ in one text alone: they are told by their bytes, not parsed.
//!
//! An event whose bytes before and after its text are those of one that was parsed, and whose text is
//! well formed, means what that one meant.

use crate::splice::span_of;
use serde_json::value::RawValue;
use std::ops::Range;

/// A field that some providers fill with noise of random length, to hide how long the text is
/// (`stream_options.include_obfuscation`, <https://platform.openai.com/docs/api-reference/chat/create>, read
/// 2026-11-26 as quoted in third-party SDKs).
const NOISE: &[u8] = b"\"obfuscation\":\"";

/// The longest event that is remembered, its text left out, in bytes.
const LONGEST: usize = 4 << 10;

/// What surrounds the text of the latest event that held a text and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// Up to and with the opening quote.
    before: Vec<u8>,
    /// From the closing quote on, up to the noise, if there is any.
    after: Vec<u8>,
    /// From the closing quote of the noise on.
    after_noise: Option<Vec<u8>>,
}

impl Template {
    /// Remembers an event that was parsed and holds nothing but the text `raw`, a part of its `data`.
    pub(crate) fn learn_from(&mut self, data: &[u8], raw: &RawValue) {
        let inner = raw
            .get()
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        if let Some(span) = inner.and_then(|text| span_of(data, text.as_bytes())) {
            self.learn(data, &span);
        }
    }

    /// Remembers an event that was parsed and holds nothing but a text; `text` is where, without its
    /// quotes.
    fn learn(&mut self, data: &[u8], text: &Range<usize>) {
        self.before.clear();
        self.after.clear();
        let (Some(before), Some(after)) = (data.get(..text.start), data.get(text.end..)) else {
            return;
        };
        if before.len() + after.len() > LONGEST {
            return;
        }
        self.before.extend_from_slice(before);
        let noise = memchr::memmem::find(after, NOISE).map(|at| at + NOISE.len());
        let split = noise.and_then(|at| {
            let length = string_end(after.get(at..)?)?;
            Some((after.get(..at)?, after.get(at + length..)?))
        });
        match split {
            Some((after, rest)) => {
                self.after.extend_from_slice(after);
                let kept = self.after_noise.get_or_insert_default();
                kept.clear();
                kept.extend_from_slice(rest);
            }
            None => {
                self.after.extend_from_slice(after);
                self.after_noise = None;
            }
        }
    }

    /// The text of an event that differs from the one remembered in its text alone, as JSON writes it
    /// and without its quotes; `None` where it may differ in more, or the text is empty.
    pub(crate) fn text<'d>(&self, data: &'d [u8]) -> Option<&'d str> {
        if self.before.is_empty() {
            return None;
        }
        let rest = data.strip_prefix(self.before.as_slice())?;
        let end = string_end(rest)?;
        let (text, after) = rest.split_at_checked(end)?;
        let after = after.strip_prefix(self.after.as_slice())?;
        let complete = match &self.after_noise {
            None => after.is_empty(),
            Some(rest) => {
                let end = string_end(after)?;
                after.get(end..)? == rest.as_slice() && is_plain(after.get(..end)?)
            }
        };
        if !complete || text.is_empty() {
            return None;
        }
        std::str::from_utf8(text).ok()
    }
}

fn is_plain(noise: &[u8]) -> bool {
    noise.iter().all(|byte| byte.is_ascii_graphic())
}

/// Where the contents of a JSON string end; `None` where they are malformed, or never end.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => match *bytes.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                // Pairs of surrogates are left to the parser.
                b'u' => {
                    let digits = bytes.get(at + 2..at + 6)?;
                    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                    let is_surrogate = digits.first().is_some_and(|digit| digit | 0x20 == b'd');
                    if !is_hex || is_surrogate {
                        return None;
                    }
                    at += 6;
                }
                _ => return None,
            },
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn event(text: &str, noise: Option<&str>) -> String {
        let mut event = json!({"id": "x", "choices": [{"index": 0, "delta": {"content": "TEXT"}}]});
        if let Some(noise) = noise {
            event["obfuscation"] = noise.into();
        }
        let json = serde_json::to_string(text).unwrap();
        event.to_string().replace("\"TEXT\"", &json)
    }

    fn learnt(noise: Option<&str>) -> Template {
        let data = event("word", noise);
        let at = data.find("word").unwrap();
        let mut template = Template::default();
        template.learn(data.as_bytes(), &(at..at + 4));
        template
    }

    proptest! {
        /// Whatever is told by its bytes is what a parser reads.
        #[test]
        fn the_bytes_tell_what_a_parser_reads(text in any::<String>(), noise in prop::option::of("[a-zA-Z0-9]{0,16}")) {
            let template = learnt(noise.as_deref());
            let data = event(&text, noise.as_deref().map(|_| "other"));
            match template.text(data.as_bytes()) {
                Some(found) => {
                    let read: String = serde_json::from_str(&format!("\"{found}\"")).unwrap();
                    prop_assert_eq!(read, text);
                }
                None => prop_assert!(text.is_empty()),
            }
        }

        /// Nothing that is no JSON passes for some.
        #[test]
        fn damage_is_left_to_the_parser(at in 0usize..80, byte in any::<u8>(), noise in any::<bool>()) {
            let noise = noise.then_some("abc");
            let template = learnt(noise);
            let mut data = event("some words", noise).into_bytes();
            let at = at % data.len();
            data[at] = byte;
            if template.text(&data).is_some() {
                let parsed = serde_json::from_slice::<Value>(&data);
                prop_assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&data));
                let mut parsed = parsed.unwrap();
                let mut plain: Value = serde_json::from_str(&event("", noise)).unwrap();
                for event in [&mut parsed, &mut plain] {
                    event["choices"][0]["delta"]["content"] = Value::Null;
                    event["obfuscation"] = Value::Null;
                }
                prop_assert_eq!(parsed, plain, "only the text differs");
            }
        }
    }

    #[test]
    fn an_event_with_more_than_another_text_is_parsed() {
        let template = learnt(None);
        assert!(template.text(event("more", None).as_bytes()).is_some());
        assert!(template.text(event("more", Some("x")).as_bytes()).is_none());
        assert!(
            learnt(Some("x"))
                .text(event("more", Some("")).as_bytes())
                .is_some()
        );
        assert!(Template::default().text(b"x").is_none());
    }
}
