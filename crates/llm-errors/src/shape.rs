//! Where things stand in a document: envelopes of errors, echoes, objects printed in text.

use crate::key::Key;
use crate::path::Path;

/// Is a `code` or `type` here about the error itself? Those of validation details name fields.
pub(crate) const fn is_error_part(path: &Path) -> bool {
    match path.parent() {
        // one object of detail is the error, a list of them names fields
        Key::Data | Key::Detail => path.depth() <= 2,
        Key::Violations | Key::Headers => false,
        _ => true,
    }
}

/// Does JSON begin here, rather than a log line in brackets?
pub(crate) fn is_document(text: &[u8]) -> bool {
    if text.first() == Some(&b'{') {
        return true;
    }
    let inside = text.get(1..).unwrap_or_default().trim_ascii_start();
    match inside.first() {
        Some(b'{' | b'[' | b'"' | b']' | b'\'') => true,
        // `[1305][...]` and `[429]: ...` are a code before a message, not a list of numbers
        Some(b'0'..=b'9') => {
            let digits = inside.iter().take_while(|byte| byte.is_ascii_digit());
            let behind = inside.get(digits.count()..).unwrap_or_default();
            !matches!(behind, [b']', rest @ ..] if !rest.trim_ascii().is_empty())
        }
        _ => false,
    }
}

/// Where an object that somebody printed begins in `text`.
pub(crate) fn printed_object(text: &[u8]) -> Option<usize> {
    if !text.contains(&b'{') {
        return None;
    }
    let mut from = 0;
    while let Some(at) = text
        .get(from..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'{'))
        .map(|at| at + from)
    {
        let inside = text.get(at + 1..).unwrap_or_default().trim_ascii_start();
        let key_len = inside
            .iter()
            .take(64)
            .position(|byte| *byte == b':')
            .unwrap_or(0);
        let key = inside.get(..key_len).unwrap_or_default();
        let quoted = matches!(key.first(), Some(b'"' | b'\'' | b'\\'));
        let bare = !key.is_empty()
            && key
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if quoted || bare {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
