//! Nearly all events that are written differ in a text and a number at most: what surrounds them is written once.

use super::plain::plain_length;
use bytes::{BufMut, BytesMut};

/// An event with gaps for what changes. The default is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    /// Its bytes without what stands in the gaps.
    fixed: Vec<u8>,
    /// Where in `fixed` the gaps are, in order.
    gaps: Vec<usize>,
}

/// What goes into a gap.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Filler<'a> {
    Text(&'a str),
    Number(u64),
}

impl Around {
    /// From an `event` that holds each of `fields` once and in this order: a name and a colon, with an empty text or a nought
    /// behind it, in whose place there is to be a gap. None where a field is missing.
    pub(crate) fn of(event: &[u8], fields: &[&str]) -> Self {
        let mut around = Self::default();
        let mut rest = event;
        for field in fields {
            let name = field.find(':').map_or(field.len(), |colon| colon + 1);
            let found = memchr::memmem::find(rest, field.as_bytes());
            let Some((before, after)) =
                found.and_then(|at| Some((rest.get(..at + name)?, rest.get(at + field.len()..)?)))
            else {
                return Self::default();
            };
            around.fixed.extend_from_slice(before);
            around.gaps.push(around.fixed.len());
            rest = after;
        }
        around.fixed.extend_from_slice(rest);
        around
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.gaps.is_empty()
    }

    /// Appends the event with the gaps filled; false, and nothing, where it is none.
    pub(crate) fn write(&self, fillers: &[Filler<'_>], out: &mut BytesMut) -> bool {
        if self.is_none() {
            return false;
        }
        let mut from = 0;
        for (gap, filler) in self.gaps.iter().zip(fillers) {
            out.put_slice(self.fixed.get(from..*gap).unwrap_or_default());
            from = *gap;
            // Writing texts and numbers to memory cannot fail.
            let _ = match filler {
                Filler::Text(text) if plain_length(text.as_bytes()) == text.len() => {
                    out.put_u8(b'"');
                    out.put_slice(text.as_bytes());
                    out.put_u8(b'"');
                    Ok(())
                }
                Filler::Text(text) => serde_json::to_writer(out.writer(), text),
                Filler::Number(number) => serde_json::to_writer(out.writer(), number),
            };
        }
        out.put_slice(self.fixed.get(from..).unwrap_or_default());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_and_the_rest_stays() {
        let event = br#"data: {"n":0,"name":"","x":"text","text":""}"#;
        let around = Around::of(event, &[r#""n":0"#, r#""text":"""#]);
        let mut out = BytesMut::new();
        assert!(around.write(&[Filler::Number(17), Filler::Text("a \"b\"\n")], &mut out));
        assert_eq!(
            out,
            br#"data: {"n":17,"name":"","x":"text","text":"a \"b\"\n"}"#[..]
        );
    }

    #[test]
    fn an_event_without_the_field_is_none() {
        let around = Around::of(b"{}", &[r#""text":"""#]);
        assert!(around.is_none());
        let mut out = BytesMut::new();
        assert!(!around.write(&[Filler::Text("a")], &mut out));
        assert!(out.is_empty());
    }
}
