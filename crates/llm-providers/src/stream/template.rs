//! Nearly all events of a stream differ in one text alone: they are told by their bytes, not parsed.
//!
//! An event whose bytes before and after its text are those of one that was parsed, and whose text is
//! well formed, means what that one meant. So does one that differs in [`IDLE`] fields as well. One field of a wire may hold an
//! object that changes from event to event and is read by itself.

use super::plain::plain_length;
use crate::splice::span_of;
use serde_json::value::RawValue;
use std::ops::Range;

/// Fields whose value means nothing beside a text, on any wire, and changes from event to event: padding that
/// hides how long the text is (OpenAI's `obfuscation`,
/// <https://platform.openai.com/docs/api-reference/chat/create>, read 2026-11-26 as quoted in third-party SDKs; `p` in
/// Bedrock's events), times (`created`, Ollama's `created_at`) and the running number of OpenAI's responses.
const IDLE: [&[u8]; 5] = [
    b"\"obfuscation\"",
    b"\"p\"",
    b"\"created\"",
    b"\"created_at\"",
    b"\"sequence_number\"",
];

/// The longest event that is remembered, its text left out, in bytes.
const LONGEST: usize = 4 << 10;
/// So many events in a row that were remembered and did not come again: this stream has no pattern.
const MOST_IN_VAIN: u8 = 16;

/// What surrounds the text of the latest event that held a text and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Template {
    /// The field, in quotes, whose object is read by itself.
    aside: Option<&'static [u8]>,
    name: Vec<u8>,
    /// What stays the same, without the gaps in it.
    fixed: Vec<u8>,
    /// Where in `fixed` the gaps are, in order.
    gaps: Vec<(usize, Gap)>,
    /// Events remembered since one was told by its bytes.
    in_vain: u8,
}

/// What may stand where events differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// The text, without its quotes.
    Text,
    /// The inside of a string without escapes and blanks.
    Word,
    /// A whole number, not negative.
    Number,
    /// An object, not checked.
    Aside,
}

/// An event that was told by its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'d> {
    /// Its text, as JSON writes it and without its quotes.
    pub(crate) text: &'d str,
    /// What is to be read by itself, where there is such a thing.
    pub(crate) aside: Option<&'d [u8]>,
}

impl Template {
    /// One for a wire that has such a field.
    pub(crate) fn with_aside(aside: Option<&'static [u8]>) -> Self {
        Self {
            aside,
            ..Self::default()
        }
    }

    /// Forgets the event.
    pub(crate) fn clear(&mut self) {
        self.gaps.clear();
    }

    /// Remembers an event that was parsed and holds nothing but the text `raw`, a part of its `data`.
    pub(crate) fn learn_from(&mut self, name: &[u8], data: &[u8], raw: &RawValue) {
        self.clear();
        let inner = raw
            .get()
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        if let Some(span) = inner.and_then(|text| span_of(data, text.as_bytes())) {
            self.learn(name, data, &span);
        }
    }

    /// The same where it is only known what the text is, and whether there is something to be read by itself. It is remembered
    /// where the text stands in `data` once, and as it is.
    pub(crate) fn learn_text(&mut self, name: &[u8], data: &[u8], text: &str, has_aside: bool) {
        self.clear();
        if text.is_empty() || memchr::memchr(b'\\', data).is_some() {
            return;
        }
        let quoted = |at: &usize| {
            let before = at.checked_sub(1).and_then(|at| data.get(at));
            before == Some(&b'"') && data.get(at + text.len()) == Some(&b'"')
        };
        let mut places = memchr::memmem::find_iter(data, text).filter(quoted);
        if let (Some(start), None) = (places.next(), places.next()) {
            self.learn(name, data, &(start..start + text.len()));
        }
        if self.gaps.iter().any(|(_, gap)| *gap == Gap::Aside) != has_aside {
            self.clear();
        }
    }

    /// Remembers an event that was parsed and holds nothing but a text; `text` is where, without its
    /// quotes.
    fn learn(&mut self, name: &[u8], data: &[u8], text: &Range<usize>) {
        if data.len() - text.len() > LONGEST || self.in_vain >= MOST_IN_VAIN {
            return;
        }
        self.in_vain += 1;
        let mut gaps = [NO_GAP; IDLE.len() + 2];
        let aside = self.aside.and_then(|field| value_of(data, field, true));
        let idle = IDLE.iter().map(|field| value_of(data, field, false));
        let found = [Some((text.clone(), Gap::Text)), aside].into_iter();
        for (place, gap) in gaps.iter_mut().zip(found.chain(idle)) {
            *place = gap.unwrap_or(NO_GAP);
        }
        gaps.sort_unstable_by_key(|(range, _)| range.start);
        self.name.clear();
        self.name.extend_from_slice(name);
        self.fixed.clear();
        let mut at = 0;
        for (range, gap) in gaps.into_iter().filter(|(range, _)| range.start > 0) {
            self.fixed
                .extend_from_slice(data.get(at..range.start).unwrap_or_default());
            self.gaps.push((self.fixed.len(), gap));
            at = range.end;
        }
        self.fixed
            .extend_from_slice(data.get(at..).unwrap_or_default());
    }

    /// The text of an event that differs from the one remembered in its text, in idle fields and in what is read by itself alone;
    /// `None` where it may differ in more, or the text is empty.
    pub(crate) fn text<'d>(&mut self, name: &[u8], data: &'d [u8]) -> Option<Plain<'d>> {
        if self.gaps.is_empty() || self.name != name {
            return None;
        }
        let (mut rest, mut from) = (data, 0);
        let mut text: &[u8] = &[];
        let mut aside = None;
        for (end, gap) in &self.gaps {
            rest = rest.strip_prefix(self.fixed.get(from..*end)?)?;
            from = *end;
            let (value, after) = rest.split_at_checked(gap.length(rest)?)?;
            match gap {
                Gap::Text => text = value,
                Gap::Aside => aside = Some(value),
                Gap::Word | Gap::Number => {}
            }
            rest = after;
        }
        if text.is_empty() || rest != self.fixed.get(from..)? {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        self.in_vain = 0;
        Some(Plain { text, aside })
    }
}

/// Nothing can stand before a JSON object's first byte.
const NO_GAP: (Range<usize>, Gap) = (0..0, Gap::Text);

/// Where the value of a field stands: an object, or else a word or a number.
fn value_of(data: &[u8], field: &[u8], is_object: bool) -> Option<(Range<usize>, Gap)> {
    memchr::memmem::find_iter(data, field).find_map(|at| {
        let after = at + field.len();
        let value = data.get(after..)?.strip_prefix(b":")?;
        let blanks = value.len() - value.trim_ascii_start().len();
        let start = after + 1 + blanks;
        let (start, gap) = match data.get(start)? {
            b'{' if is_object => (start, Gap::Aside),
            b'"' if !is_object => (start + 1, Gap::Word),
            b'0'..=b'9' if !is_object => (start, Gap::Number),
            _ => return None,
        };
        Some((start..start + gap.length(data.get(start..)?)?, gap))
    })
}

impl Gap {
    /// How much of `bytes` belongs into the gap; `None` where nothing fits.
    fn length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Text => string_end(bytes),
            Self::Word => {
                let length = memchr::memchr(b'"', bytes)?;
                let plain = |byte: &u8| byte.is_ascii_graphic() & (*byte != b'\\');
                // Without a way out of the loop it is done many bytes at once.
                let all = |word: &[u8]| word.iter().fold(true, |all, byte| all & plain(byte));
                bytes.get(..length).is_some_and(all).then_some(length)
            }
            Self::Number => {
                let length = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
                let is_number = length > 0 && (length == 1 || bytes.first() != Some(&b'0'));
                is_number.then_some(length)
            }
            Self::Aside => object_end(bytes),
        }
    }
}

/// Where an object ends, if it is one; what it holds is not looked at.
fn object_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        match *bytes.get(at)? {
            b'"' => at += 1 + string_end(bytes.get(at + 1..)?)?,
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Where the contents of a JSON string end; `None` where they are malformed, or never end.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += plain_length(bytes.get(at..)?);
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
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn event(text: &str, noise: Option<&str>, number: u64) -> String {
        let mut event = json!({
            "id": "x",
            "choices": [{"index": 0, "delta": {"content": "TEXT"}}],
            "sequence_number": number,
            "text": "obfuscation",
        });
        if let Some(noise) = noise {
            event["obfuscation"] = noise.into();
        }
        let json = serde_json::to_string(text).unwrap();
        event.to_string().replace("\"TEXT\"", &json)
    }

    fn learnt(noise: Option<&str>) -> Template {
        let data = event("word", noise, 7);
        let mut template = Template::default();
        template.learn_text(b"name", data.as_bytes(), "word", false);
        let at = data.find("word").unwrap();
        let mut again = Template::default();
        again.learn(b"name", data.as_bytes(), &(at..at + 4));
        assert_eq!(template.fixed, again.fixed);
        assert_eq!(template.gaps, again.gaps);
        template
    }

    proptest! {
        /// Whatever is told by its bytes is what a parser reads.
        #[test]
        fn the_bytes_tell_what_a_parser_reads(text in any::<String>(), noise in prop::option::of("[a-zA-Z0-9]{0,16}"), number: u64) {
            let mut template = learnt(noise.as_deref());
            let data = event(&text, noise.as_deref().map(|_| "other"), number);
            match template.text(b"name", data.as_bytes()) {
                Some(found) => {
                    let read: String = serde_json::from_str(&format!("\"{}\"", found.text)).unwrap();
                    prop_assert_eq!(read, text);
                }
                None => prop_assert!(text.is_empty() || data.contains("\\ud")),
            }
        }

        /// Nothing that is no JSON passes for some.
        #[test]
        fn damage_is_left_to_the_parser(at in 0usize..150, byte in any::<u8>(), noise in any::<bool>()) {
            let noise = noise.then_some("abc");
            let mut template = learnt(noise);
            let mut data = event("some words", noise, 10).into_bytes();
            let at = at % data.len();
            data[at] = byte;
            if template.text(b"name", &data).is_some() {
                let parsed = serde_json::from_slice::<Value>(&data);
                prop_assert!(parsed.is_ok(), "{}", String::from_utf8_lossy(&data));
                let mut parsed = parsed.unwrap();
                let mut plain: Value = serde_json::from_str(&event("", noise, 0)).unwrap();
                for event in [&mut parsed, &mut plain] {
                    event["choices"][0]["delta"]["content"] = Value::Null;
                    event["obfuscation"] = Value::Null;
                    event["sequence_number"] = Value::Null;
                }
                prop_assert_eq!(parsed, plain, "only the text differs");
            }
        }
    }

    #[test]
    fn an_event_with_more_than_another_text_is_parsed() {
        let plain = event("more", None, 8);
        let mut template = learnt(None);
        assert!(template.text(b"name", plain.as_bytes()).is_some());
        assert!(template.text(b"other", plain.as_bytes()).is_none());
        let padded = event("more", Some("x"), 8);
        assert!(template.text(b"name", padded.as_bytes()).is_none());
        let unpadded = event("more", Some(""), 8);
        assert!(
            learnt(Some("x"))
                .text(b"name", unpadded.as_bytes())
                .is_some()
        );
        assert!(Template::default().text(b"", b"x").is_none());
    }

    #[test]
    fn what_is_read_by_itself_is_handed_out() {
        let event = |word: &str, tokens: u32| {
            format!(r#"{{"text": "{word}","usage": {{"n": {tokens},"of": [{{"}}": 1}}]}}}}"#)
        };
        let mut template = Template::with_aside(Some(b"\"usage\""));
        template.learn_text(b"", event("a", 1).as_bytes(), "a", false);
        assert!(template.text(b"", event("a", 1).as_bytes()).is_none());
        template.learn_text(b"", event("a", 1).as_bytes(), "a", true);
        let next = event("bc", 234);
        let plain = template.text(b"", next.as_bytes()).unwrap();
        assert_eq!(plain.text, "bc");
        assert_eq!(plain.aside, Some(&br#"{"n": 234,"of": [{"}": 1}]}"#[..]));
        assert!(
            template
                .text(b"", br#"{"text": "bc","usage": {"n": 1"#)
                .is_none()
        );
    }

    #[test]
    fn a_text_whose_place_is_not_certain_is_not_learnt() {
        for (data, text) in [
            (r#"{"content":"content"}"#, "content"),
            (r#"{"id":"a","content":"a"}"#, "a"),
            (r#"{"id":"a","content":"\u0061"}"#, "a"),
            (r#"{"content":""}"#, ""),
        ] {
            let mut template = Template::default();
            template.learn_text(b"", data.as_bytes(), text, false);
            assert!(template.gaps.is_empty(), "{data}");
        }
    }

    #[test]
    fn a_stream_without_a_pattern_is_not_looked_at_for_ever() {
        let mut template = Template::default();
        for nth in 0..20 {
            let data = format!(r#"{{"n":{nth},"text":"word"}}"#);
            assert!(template.text(b"", data.as_bytes()).is_none());
            template.learn_text(b"", data.as_bytes(), "word", false);
            assert_eq!(template.gaps.is_empty(), nth >= usize::from(MOST_IN_VAIN));
        }
    }
}
