//! A lenient reader of JSON that allocates nothing and gives up on nothing.
//!
//! It reports every scalar with the keys that lead to it. Truncated documents give what was
//! there; the printed objects of Python and JavaScript (single quotes, bare keys, `None`) are
//! read as well, because failures often arrive as the text that some client printed.

use crate::key::Key;
use crate::lexicon::{CASE, mix};

/// Bytes of a body that are looked at; the rest is ignored.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Keys kept of the way to a value; deeper levels are walked, but their keys are not told apart.
const MAX_DEPTH: usize = 12;

/// A scalar as it stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// The content of a string, escapes still in place.
    Str(&'a [u8]),
    /// A number, as written.
    Number(&'a [u8]),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
    /// An object begins.
    Object,
    /// An array begins.
    Array,
}

/// The keys from the root to a value. Array elements carry their array's key.
#[derive(Debug)]
pub(crate) struct Path {
    keys: [Key; MAX_DEPTH],
    /// Which levels are arrays, one bit each.
    arrays: u32,
    /// Which levels are no envelopes of errors, one bit each.
    strange: u32,
    depth: usize,
    key: Key,
    escaped: bool,
    braced: bool,
}

impl Path {
    const fn new() -> Self {
        Self {
            keys: [Key::Root; MAX_DEPTH],
            arrays: 0,
            strange: 0,
            depth: 0,
            key: Key::Root,
            escaped: false,
            braced: false,
        }
    }

    /// The key of the value itself.
    pub(crate) const fn key(&self) -> Key {
        self.key
    }

    /// The key of the innermost container.
    #[expect(
        clippy::indexing_slicing,
        reason = "the index is below the length of the array"
    )]
    pub(crate) const fn parent(&self) -> Key {
        let inner = if self.depth < MAX_DEPTH {
            self.depth
        } else {
            MAX_DEPTH
        };
        self.keys[inner.saturating_sub(1)]
    }

    /// Are all containers around the value such as errors are wrapped in?
    pub(crate) const fn enveloped(&self) -> bool {
        self.strange == 0
    }

    /// May a sentence here be the message of an error that nobody knows the shape of? Not where it
    /// is read anyway, and not inside an echo or an answer.
    #[inline]
    pub(crate) fn may_be_spare(&self) -> bool {
        let named = match self.key {
            Key::Strange | Key::Envelope => true,
            Key::Message | Key::ErrorMessage | Key::Detail => !self.enveloped(),
            _ => false,
        };
        named && self.is_unclaimed()
    }

    /// Is nothing around the value known to mean anything else?
    fn is_unclaimed(&self) -> bool {
        let unclaimed = |key: &Key| key.is_envelope() || *key == Key::Strange;
        self.depth <= 4 && self.keys.iter().take(self.depth).all(unclaimed)
    }

    /// Containers around the value, the root included.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }

    /// The string value has a backslash in it.
    pub(crate) const fn escaped(&self) -> bool {
        self.escaped
    }

    /// The string value has an opening brace in it.
    pub(crate) const fn braced(&self) -> bool {
        self.braced
    }

    const fn in_array(&self) -> bool {
        self.depth > 0 && self.depth <= 32 && self.arrays & (1 << (self.depth - 1)) != 0
    }

    fn open(&mut self, array: bool) {
        if let Some(place) = self.keys.get_mut(self.depth) {
            *place = self.key;
        }
        if self.depth < 32 {
            let bit = 1 << self.depth;
            self.arrays = (self.arrays & !bit) | if array { bit } else { 0 };
            self.strange |= if self.key.is_envelope() { 0 } else { bit };
        }
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth < 32 {
            self.strange &= !(1 << self.depth);
        }
        self.key = self.keys.get(self.depth).copied().unwrap_or(Key::Strange);
    }
}

/// Calls `visit` for every value of the JSON document at the start of `bytes`. Returns how many
/// bytes it read; it stops after the document's end.
pub(crate) fn scan<'a>(bytes: &'a [u8], mut visit: impl FnMut(&Path, Value<'a>)) -> usize {
    let mut path = Path::new();
    let mut at = 0;
    // In an object a string or a bare word before a colon is a key.
    let mut expect_key = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => {
                let array = byte == b'[';
                visit(&path, if array { Value::Array } else { Value::Object });
                path.open(array);
                expect_key = !array;
                at += 1;
            }
            b'}' | b']' => {
                path.close();
                at += 1;
                if path.depth == 0 {
                    return at;
                }
                expect_key = false;
            }
            b',' => {
                expect_key = !path.in_array() && path.depth > 0;
                at += 1;
            }
            b':' => {
                expect_key = false;
                at += 1;
            }
            b'"' if expect_key && let Some((key, next)) = quick_key(bytes, at + 1) => {
                path.key = key;
                expect_key = false;
                at = next + usize::from(bytes.get(next) == Some(&b':'));
            }
            b'"' | b'\'' | b'`' => {
                let string = Quoted::read(bytes, at);
                let content = string.content;
                at = string.next;
                if expect_key {
                    path.key = Key::of(content);
                    expect_key = false;
                } else {
                    path.escaped = string.escaped;
                    path.braced = string.braced;
                    visit(&path, Value::Str(content));
                    if path.depth == 0 {
                        return at;
                    }
                }
            }
            b' ' | b'\n' | b'\r' | b'\t' => {
                at += 1;
                // documents that were printed for people are indented by many
                while bytes.get(at..).and_then(<[u8]>::first_chunk) == Some(b"        ") {
                    at += 8;
                }
                while bytes.get(at) == Some(&b' ') {
                    at += 1;
                }
            }
            _ => {
                let rest = bytes.get(at..).unwrap_or_default();
                let len = rest
                    .iter()
                    .position(|byte| {
                        matches!(byte, b',' | b':' | b'}' | b']' | b'{' | b'[' | b'"' | b'\'')
                            || byte.is_ascii_whitespace()
                    })
                    .unwrap_or(rest.len())
                    .max(1);
                let bare = rest.get(..len).unwrap_or_default();
                at += len;
                if expect_key {
                    path.key = Key::of(bare);
                    expect_key = false;
                    continue;
                }
                let value = match bare {
                    b"true" | b"True" => Some(Value::Bool(true)),
                    b"false" | b"False" => Some(Value::Bool(false)),
                    b"null" | b"None" | b"undefined" => Some(Value::Null),
                    [b'-' | b'0'..=b'9', ..] => Some(Value::Number(bare)),
                    _ => None,
                };
                if let Some(value) = value {
                    visit(&path, value);
                }
                if path.depth == 0 {
                    return at;
                }
            }
        }
    }
    at
}

/// A string of the document.
struct Quoted<'a> {
    content: &'a [u8],
    /// Where to go on.
    next: usize,
    escaped: bool,
    braced: bool,
}

impl<'a> Quoted<'a> {
    /// Reads the string that opens at `open`.
    #[inline(never)]
    fn read(bytes: &'a [u8], open: usize) -> Self {
        let mark = bytes.get(open).copied().unwrap_or(b'"');
        let start = open + 1;
        let (mut escaped, mut braced) = (false, false);
        let mut at = start;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            at += plain_len(rest, mark);
            match bytes.get(at) {
                Some(&byte) if byte == mark => break,
                Some(b'\\') => {
                    escaped = true;
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

/// The high bits of the bytes of `word` that equal `byte`, which is below 0x80: the first is
/// exact, one behind it may be wrong.
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    (word ^ (LOW * byte as u64)).wrapping_sub(LOW) & !word & HIGH
}

/// The key whose name begins at `at`, and the place behind its closing quote. `None` for a name
/// with an escape, or at the end of the bytes.
#[inline]
fn quick_key(bytes: &[u8], start: usize) -> Option<(Key, usize)> {
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

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The place of the first `a` or `b`, or the length: eight bytes at a time.
pub(crate) fn find_either(bytes: &[u8], a: u8, b: u8) -> usize {
    let (all_a, all_b) = (LOW * u64::from(a), LOW * u64::from(b));
    let (chunks, tail) = bytes.as_chunks::<8>();
    for (number, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let (x, y) = (word ^ all_a, word ^ all_b);
        let hits = ((x.wrapping_sub(LOW) & !x) | (y.wrapping_sub(LOW) & !y)) & HIGH;
        if hits != 0 {
            return number * 8 + hits.trailing_zeros() as usize / 8;
        }
    }
    let start = bytes.len() - tail.len();
    start
        + tail
            .iter()
            .position(|byte| *byte == a || *byte == b)
            .unwrap_or(tail.len())
}

/// Undoes the escapes of a JSON string, as far as `out` reaches; returns the length written.
pub(crate) fn unescape(raw: &[u8], out: &mut [u8]) -> usize {
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

/// A number as written, in thousandths; `None` for what is none, is negative or has an exponent.
pub(crate) fn milli(number: &[u8]) -> Option<u64> {
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let whole = parts.next().unwrap_or_default();
    if whole.is_empty() || whole.len() > 17 || !whole.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut value = 0_u64;
    for byte in whole {
        value = value * 10 + u64::from(byte - b'0');
    }
    value = value.checked_mul(1000)?;
    let mut unit = 100;
    for byte in parts.next().unwrap_or_default() {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_add(u64::from(byte - b'0') * unit)?;
        unit /= 10;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Vec<String> {
        let mut seen = Vec::new();
        scan(text.as_bytes(), |path, value| {
            if matches!(value, Value::Object | Value::Array) {
                return;
            }
            let mut line = String::new();
            for key in path.keys.iter().take(path.depth).skip(1) {
                line += &format!("{key:?}.");
            }
            line += &format!("{:?}=", path.key());
            match value {
                Value::Str(text) | Value::Number(text) => line += &String::from_utf8_lossy(text),
                other => line += &format!("{other:?}"),
            }
            seen.push(line);
        });
        seen
    }

    #[test]
    fn keys_lead_to_every_value() {
        assert_eq!(
            seen(
                r#"{"error":{"code":429,"message":"a \"b\"","details":[{"x":1},{"x":true}]},"z":null}"#
            ),
            [
                "Error.Code=429",
                r#"Error.Message=a \"b\""#,
                "Error.Details.Details.Strange=1",
                "Error.Details.Details.Strange=Bool(true)",
                "Strange=Null"
            ]
        );
    }

    #[test]
    fn what_clients_print_and_what_was_cut_is_read_as_far_as_it_goes() {
        assert_eq!(
            seen(
                "{'error': {'code': 403, 'message': \"it's\", 'x': None, 'details': [{'reason': 'CUT"
            ),
            [
                "Error.Code=403",
                "Error.Message=it's",
                "Error.Strange=Null",
                "Error.Details.Details.Reason=CUT"
            ]
        );
        assert_eq!(
            seen("{\n error: 'Trying', n: 3 }"),
            ["Error=Trying", "Strange=3"]
        );
        assert_eq!(seen("\"bare\" rest"), ["Root=bare"]);
    }

    #[test]
    fn escapes_are_undone_and_numbers_read() {
        let mut out = [0; 32];
        let len = unescape(br#"a\"\n\u4f59\ud83d"#, &mut out);
        assert_eq!(std::str::from_utf8(&out[..len]), Ok("a\"\n余 "));
        assert_eq!(milli(b"20.05"), Some(20_050));
        assert_eq!(milli(b"-1"), None);
        assert_eq!(milli(b"99999999999999999999"), None);
    }
}
