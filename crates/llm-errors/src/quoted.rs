//! Strings of a document, and the keys among them.

use crate::key::Key;
use crate::lexicon::{CASE, mix};
use crate::window::{equal, find_either};

/// Bytes of a string that are unescaped; the rest is not read.
pub(crate) const MAX_STRING_BYTES: usize = 4096;

/// A string of the document.
pub(crate) struct Quoted<'a> {
    pub(crate) content: &'a [u8],
    /// Where to go on.
    pub(crate) next: usize,
    pub(crate) escaped: bool,
    /// One of the escapes is that of a character by its number.
    pub(crate) numbered: bool,
    pub(crate) braced: bool,
}

impl<'a> Quoted<'a> {
    /// Reads the string that opens at `open`.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8], open: usize) -> Self {
        let start = open + 1;
        let plain = if bytes.get(open) == Some(&b'"') {
            short_end(bytes, start)
        } else {
            None
        };
        plain.map_or_else(
            || Self::read_long(bytes, open),
            |end| Self {
                content: bytes.get(start..end).unwrap_or_default(),
                next: end + 1,
                escaped: false,
                numbered: false,
                braced: false,
            },
        )
    }

    #[inline(never)]
    fn read_long(bytes: &'a [u8], open: usize) -> Self {
        let mark = bytes.get(open).copied().unwrap_or(b'"');
        let start = open + 1;
        let (mut escaped, mut numbered, mut braced) = (false, false, false);
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            at += plain_len(rest, mark);
            match bytes.get(at) {
                Some(&byte) if byte == mark => break,
                Some(b'\\') => {
                    escaped = true;
                    numbered |= bytes.get(at + 1) == Some(&b'u');
                    at += 2;
                }
                Some(b'{') => {
                    braced = true;
                    at += 1;
                }
                Some(_) => at += 1,
                None => {
                    at = bytes.len();
                    break;
                }
            }
        }
        Self {
            content: bytes.get(start..at).unwrap_or_default(),
            next: bytes.len().min(at + 1),
            escaped,
            numbered,
            braced,
        }
    }
}

/// The length of what comes before the first `mark`, backslash or opening brace.
#[inline]
fn plain_len(bytes: &[u8], mark: u8) -> usize {
    let mut at = 0;
    // 32 bytes, which the compiler compares at once; then the place among eight
    for chunk in bytes.as_chunks::<32>().0 {
        let mut hits = [0; 32];
        for (hit, byte) in hits.iter_mut().zip(chunk) {
            *hit = u8::from((*byte == mark) | (*byte == b'\\') | (*byte == b'{'));
        }
        if hits.iter().fold(0, |any, hit| any | hit) != 0 {
            break;
        }
        at += 32;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    for chunk in rest.as_chunks::<8>().0 {
        let word = u64::from_le_bytes(*chunk);
        let hits = equal(word, mark) | equal(word, b'\\') | equal(word, b'{');
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let found = rest
        .iter()
        .position(|byte| *byte == mark || matches!(byte, b'\\' | b'{'));
    at + found.unwrap_or(rest.len())
}

/// Where the string that begins at `start` ends, if that is soon, and nothing in it has to be looked
/// at.
#[inline]
fn short_end(bytes: &[u8], start: usize) -> Option<usize> {
    /// As long as most codes.
    const LOOKS: usize = 3;
    let mut at = start;
    for _ in 0..LOOKS {
        let word = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
        let hits = equal(word, b'"') | equal(word, b'\\') | equal(word, b'{');
        if hits != 0 {
            at += hits.trailing_zeros() as usize / 8;
            return (bytes.get(at) == Some(&b'"')).then_some(at);
        }
        at += 8;
    }
    None
}

/// The key whose name begins at `at`, and the place behind its closing quote. `None` for a name
/// with an escape, or at the end of the bytes.
#[inline]
pub(crate) fn quick_key(bytes: &[u8], start: usize) -> Option<(Key, usize)> {
    let mut at = start;
    let mut name = 0;
    loop {
        let word = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
        let hits = equal(word, b'"') | equal(word, b'\\');
        if hits == 0 {
            name = mix(name, word | CASE);
            at += 8;
            continue;
        }
        at += hits.trailing_zeros() as usize / 8;
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let before = (hits ^ (hits - 1)) >> 8;
        name = mix(name, (word | CASE) & before);
        let key = if at == start {
            Key::Root
        } else {
            Key::of_hash(name)
        };
        return Some((key, at + 1));
    }
}

/// What `read` makes of the first [`MAX_STRING_BYTES`] of a JSON string, its escapes undone.
pub(crate) fn with_unescaped<T>(raw: &[u8], read: impl FnOnce(&[u8]) -> T) -> T {
    /// Most strings fit into this.
    const SHORT_BYTES: usize = 640;
    let raw = raw.get(..raw.len().min(MAX_STRING_BYTES));
    let raw = raw.unwrap_or_default();
    let (mut short, mut long);
    let buffer: &mut [u8] = if raw.len() <= SHORT_BYTES {
        short = [0; SHORT_BYTES];
        &mut short
    } else {
        long = [0; MAX_STRING_BYTES];
        &mut long
    };
    let len = unescape(raw, buffer);
    read(buffer.get(..len).unwrap_or_default())
}

/// Where the byte stands in a JSON string that is at `place` once its escapes are undone, all of
/// which stand for one byte.
pub(crate) fn escaped_place(raw: &[u8], place: usize) -> usize {
    let mut at = 0;
    for _ in 0..place {
        at += 1 + usize::from(raw.get(at) == Some(&b'\\'));
    }
    at
}

/// Undoes the escapes of a JSON string, as far as `out` reaches; returns the length written.
fn unescape(raw: &[u8], out: &mut [u8]) -> usize {
    let mut len = 0;
    let out_len = out.len();
    let mut put = |bytes: &[u8], len: &mut usize| {
        if let Some(place) = out.get_mut(*len..*len + bytes.len()) {
            place.copy_from_slice(bytes);
            *len += bytes.len();
            true
        } else {
            false
        }
    };
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        let fits = if byte == b'\\' {
            let escape = raw.get(at).copied().unwrap_or(b'\\');
            at += 1;
            match escape {
                b'n' => put(b"\n", &mut len),
                b't' => put(b"\t", &mut len),
                b'r' => put(b"\r", &mut len),
                b'u' => {
                    let digits = raw.get(at..at + 4).unwrap_or_default();
                    let code = std::str::from_utf8(digits)
                        .ok()
                        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                        .and_then(char::from_u32);
                    at += digits.len();
                    // halves of surrogate pairs are emoji: no rule reads them
                    let mut utf8 = [0; 4];
                    put(
                        code.unwrap_or(' ').encode_utf8(&mut utf8).as_bytes(),
                        &mut len,
                    )
                }
                other => put(&[other], &mut len),
            }
        } else {
            let run = raw.get(at - 1..).unwrap_or_default();
            let run = run
                .get(..find_either(run, b'\\', b'\\'))
                .unwrap_or_default();
            at += run.len() - 1;
            let room = out_len - len;
            put(run.get(..run.len().min(room)).unwrap_or_default(), &mut len) && run.len() <= room
        };
        if !fits {
            break;
        }
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        let mut out = [0; 32];
        let len = unescape(br#"a\"\n\u4f59\ud83d"#, &mut out);
        assert_eq!(std::str::from_utf8(&out[..len]), Ok("a\"\n余 "));
    }

    #[test]
    fn a_byte_is_found_again_in_front_of_which_escapes_were_undone() {
        let raw = br#"a\"b\n\\12"#;
        let place = with_unescaped(raw, |text| text.iter().position(|byte| *byte == b'1'));
        assert_eq!(place.map(|place| escaped_place(raw, place)), Some(8));
    }

    #[test]
    fn a_string_ends_at_its_mark_however_long_it_is() {
        for len in 0..100 {
            for (inner, escaped, braced) in [
                ("", false, false),
                ("\\\"", true, false),
                ("{", false, true),
            ] {
                let content = "x".repeat(len) + inner + &"y".repeat(len % 7);
                for mark in ['"', '\''] {
                    let text = format!("{mark}{content}{mark}, more");
                    let read = Quoted::read(text.as_bytes(), 0);
                    assert_eq!(read.content, content.as_bytes());
                    assert_eq!(read.next, content.len() + 2);
                    assert_eq!((read.escaped, read.braced), (escaped, braced));
                    let cut = Quoted::read(&text.as_bytes()[..=len], 0);
                    assert_eq!((cut.content.len(), cut.next), (len, len + 1));
                }
            }
        }
    }
}
