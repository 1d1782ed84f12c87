//! Writes texts into addresses.

use std::fmt::Write as _;

/// Appends `text` with everything but unreserved characters escaped (RFC 3986, section 2.3).
pub(crate) fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// `text` as one segment of a path, or, where it has slashes, as several.
pub(crate) fn escape_path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, segment) in text.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        escape(segment, &mut out);
    }
    out
}
