//! A lenient reader of JSON that allocates nothing and gives up on nothing.
//!
//! It reports every scalar with the keys that lead to it. Truncated documents give what was
//! there; the printed objects of Python and JavaScript (single quotes, bare keys, `None`) are
//! read as well, because failures often arrive as the text that some client printed.

use crate::key::Key;
use crate::path::Path;
use crate::quoted::{Quoted, quick_key};

/// Bytes of a body that are looked at; the rest is ignored.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

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
                if path.depth() == 0 {
                    return at;
                }
                expect_key = false;
            }
            b',' => {
                expect_key = !path.in_array() && path.depth() > 0;
                at += 1;
            }
            b':' => {
                expect_key = false;
                at += 1;
            }
            b'"' if expect_key && let Some((key, next)) = quick_key(bytes, at + 1) => {
                path.set_key(key);
                expect_key = false;
                at = next + usize::from(bytes.get(next) == Some(&b':'));
            }
            b'"' | b'\'' | b'`' => {
                let string = Quoted::read(bytes, at);
                let content = string.content;
                at = string.next;
                if expect_key {
                    path.set_key(Key::of(content));
                    expect_key = false;
                } else {
                    path.set_string(&string);
                    visit(&path, Value::Str(content));
                    if path.depth() == 0 {
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
            b'n' if !expect_key
                && path.depth() > 0
                && let Some(b"null," | b"null}" | b"null]") =
                    bytes.get(at..).and_then(<[u8]>::first_chunk::<5>) =>
            {
                visit(&path, Value::Null);
                at += 4;
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
                    path.set_key(Key::of(bare));
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
                if path.depth() == 0 {
                    return at;
                }
            }
        }
    }
    at
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
            for key in path.around().skip(1) {
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
    fn numbers_are_read() {
        assert_eq!(milli(b"20.05"), Some(20_050));
        assert_eq!(milli(b"-1"), None);
        assert_eq!(milli(b"99999999999999999999"), None);
    }
}
