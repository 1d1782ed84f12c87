//! Replaces the model's name inside a request body, and cuts out what a target would refuse, without touching any other
//! byte.

use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// `body` with the bytes at `span` replaced by `value`, and without those at `cuts`, which are in order and do not
/// touch `span`.
///
/// The body itself is returned, not copied, where nothing changes.
pub(crate) fn splice(
    body: &Bytes,
    span: Range<usize>,
    value: &[u8],
    cuts: &[Range<usize>],
) -> Bytes {
    if body.get(span.clone()).is_none_or(|old| old == value) && cuts.is_empty() {
        return body.clone();
    }
    let mut out = BytesMut::with_capacity(body.len() + value.len());
    let mut at = 0;
    let mut copy = |out: &mut BytesMut, next: &Range<usize>| {
        out.put_slice(body.get(at..next.start).unwrap_or_default());
        at = next.end;
    };
    let before = cuts.partition_point(|cut| cut.start < span.start);
    let (before, after) = cuts.split_at(before);
    before.iter().for_each(|cut| copy(&mut out, cut));
    copy(&mut out, &span);
    out.put_slice(value);
    after.iter().for_each(|cut| copy(&mut out, cut));
    copy(&mut out, &(body.len()..body.len()));
    out.freeze()
}

/// What to cut out of a list so that those of its elements that are marked go, each with one comma. `elements` are all
/// of it, in order.
pub(crate) fn cuts(elements: &[(Range<usize>, bool)]) -> Vec<Range<usize>> {
    let mut kept_before = false;
    let mut cuts = Vec::new();
    for (at, (span, goes)) in elements.iter().enumerate() {
        let next = elements.get(at + 1).map(|(span, _)| span.start);
        let before = at.checked_sub(1).and_then(|at| elements.get(at));
        match (goes, kept_before, next) {
            (false, ..) => kept_before = true,
            // The comma after it, and the space up to the next.
            (true, false, Some(next)) => cuts.push(span.start..next),
            // The comma before it: what stands before is kept, or is cut already up to its end.
            (true, true, _) => {
                cuts.push(before.map_or(span.start, |(before, _)| before.end)..span.end);
            }
            (true, false, None) => cuts.push(span.clone()),
        }
    }
    cuts
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
            splice(&body, span.clone(), br#""longer""#, &[]),
            br#"{ "model" : "longer", "x": 1.0e3 }"#[..]
        );
        assert_eq!(splice(&body, span, br#""a""#, &[]).as_ptr(), body.as_ptr());
    }

    #[test]
    fn what_is_cut_may_stand_before_and_behind() {
        let body = Bytes::from_static(b"0123456789");
        let cut = splice(&body, 4..6, b"xyz", &[0..1, 2..3, 6..8]);
        assert_eq!(cut, b"13xyz89"[..]);
        assert_eq!(splice(&body, 4..6, b"45", &[0..1, 9..10]), b"12345678"[..]);
    }
}
