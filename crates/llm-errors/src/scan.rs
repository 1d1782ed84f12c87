//! A lenient reader of JSON that allocates nothing and gives up on nothing.
//!
//! It reports every scalar with the keys that lead to it. Truncated documents give what was
//! there; the printed objects of Python and JavaScript (single quotes, bare keys, `None`) are
//! read as well, because failures often arrive as the text that some client printed.

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
pub(crate) struct Path<'a> {
    keys: [&'a [u8]; MAX_DEPTH],
    /// Which levels are arrays, one bit each.
    arrays: u32,
    depth: usize,
    key: &'a [u8],
}

impl<'a> Path<'a> {
    /// The key of the value itself.
    pub(crate) const fn key(&self) -> &'a [u8] {
        self.key
    }

    /// The keys of the containers around it, outermost first, without the root.
    pub(crate) fn parents(&self) -> &[&'a [u8]] {
        self.keys
            .get(1..self.depth.min(MAX_DEPTH))
            .unwrap_or_default()
    }

    /// The key of the innermost container; empty at the root.
    pub(crate) fn parent(&self) -> &'a [u8] {
        self.parents().last().copied().unwrap_or_default()
    }

    /// Containers around the value, the root included.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
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
            self.arrays = if array {
                self.arrays | bit
            } else {
                self.arrays & !bit
            };
        }
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.key = self.keys.get(self.depth).copied().unwrap_or_default();
    }
}

/// Calls `visit` for every value of the JSON document at the start of `bytes`. Returns how many
/// bytes it read; it stops after the document's end.
pub(crate) fn scan<'a>(bytes: &'a [u8], mut visit: impl FnMut(&Path<'a>, Value<'a>)) -> usize {
    let mut path = Path {
        keys: [&[]; MAX_DEPTH],
        arrays: 0,
        depth: 0,
        key: &[],
    };
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
            b'"' | b'\'' | b'`' => {
                let (content, next) = string(bytes, at);
                at = next;
                if expect_key {
                    path.key = content;
                    expect_key = false;
                } else {
                    visit(&path, Value::Str(content));
                    if path.depth == 0 {
                        return at;
                    }
                }
            }
            b' ' | b'\n' | b'\r' | b'\t' => at += 1,
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
                    path.key = bare;
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

/// The content of the string that opens at `at`, and where to go on.
fn string(bytes: &[u8], at: usize) -> (&[u8], usize) {
    let mark = bytes.get(at).copied().unwrap_or(b'"');
    let rest = bytes.get(at + 1..).unwrap_or_default();
    let mut end = 0;
    loop {
        end += find_either(rest.get(end..).unwrap_or_default(), mark, b'\\');
        match rest.get(end) {
            Some(&byte) if byte == mark => {
                return (rest.get(..end).unwrap_or_default(), at + end + 2);
            }
            Some(_) => end += 2,
            None => return (rest, bytes.len()),
        }
    }
}

/// The place of the first `a` or `b`, or the length: eight bytes at a time.
pub(crate) fn find_either(bytes: &[u8], a: u8, b: u8) -> usize {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
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
            put(&[byte], &mut len)
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
            for key in path.parents() {
                line += &String::from_utf8_lossy(key);
                line += ".";
            }
            line += &String::from_utf8_lossy(path.key());
            line += "=";
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
                "error.code=429",
                r#"error.message=a \"b\""#,
                "error.details.details.x=1",
                "error.details.details.x=Bool(true)",
                "z=Null"
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
                "error.code=403",
                "error.message=it's",
                "error.x=Null",
                "error.details.details.reason=CUT"
            ]
        );
        assert_eq!(seen("{\n error: 'Trying', n: 3 }"), ["error=Trying", "n=3"]);
        assert_eq!(seen("\"bare\" rest"), ["=bare"]);
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
