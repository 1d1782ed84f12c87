//! Replaces the model's name inside a request body without touching any other byte.

use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// `body` with the bytes at `span` replaced by `value`.
///
/// The body itself is returned, not copied, where the bytes are already the same.
pub(crate) fn splice(body: &Bytes, span: Range<usize>, value: &[u8]) -> Bytes {
    let (Some(before), Some(old), Some(after)) = (
        body.get(..span.start),
        body.get(span.clone()),
        body.get(span.end..),
    ) else {
        return body.clone();
    };
    if old == value {
        return body.clone();
    }
    let mut out = BytesMut::with_capacity(before.len() + value.len() + after.len());
    out.put_slice(before);
    out.put_slice(value);
    out.put_slice(after);
    out.freeze()
}

/// Where `part`, a slice of `whole`, lies inside it.
pub(crate) fn span_of(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_span_changes() {
        let body = Bytes::from_static(br#"{ "model" : "a", "x": 1.0e3 }"#);
        let span = span_of(&body, &body[12..15]).unwrap();
        assert_eq!(
            splice(&body, span.clone(), br#""longer""#),
            br#"{ "model" : "longer", "x": 1.0e3 }"#[..]
        );
        assert_eq!(splice(&body, span, br#""a""#).as_ptr(), body.as_ptr());
    }
}
