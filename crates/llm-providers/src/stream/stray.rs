//! Events between the parts of an answer that are none of them: what servers and proxies write to keep a connection
//! awake.

use crate::wire::Wire;

/// The longest text that is taken for such a word, in bytes. Texts of an answer stand inside JSON objects on every
/// wire; what is longer may be one that has lost both ends of its object.
const MAX_STRAY_BYTES: usize = 32;

/// True where an event that is no JSON object shows that it carried no part of the answer: by its name, where the wire
/// names its events, else by its data: nothing at all, or a short word such as `ping`, `OK` or `null`. A brace is what
/// is left of an object.
pub(crate) fn is_stray(wire: Wire, name: &[u8], data: &[u8]) -> bool {
    const NAMES: [&[u8]; 5] = [b"ping", b"pong", b"keep-alive", b"keepalive", b"heartbeat"];
    if name == b"error" {
        return false;
    }
    let text = data.trim_ascii();
    let is_part = |byte: &u8| matches!(byte, b'{' | b'}') || byte.is_ascii_control();
    wire.target().carries(name).map_or_else(
        || {
            NAMES.iter().any(|word| name.eq_ignore_ascii_case(word))
                || (text.len() <= MAX_STRAY_BYTES && !text.iter().any(is_part))
        },
        |carries| !carries,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_an_object_is_no_stray() {
        for wire in Wire::ALL {
            for word in [
                "",
                " ",
                "ping",
                "OK",
                "null",
                "undefined",
                ": keep-alive",
                "[]",
                "\"ok\"",
                "17",
            ] {
                assert!(is_stray(*wire, b"", word.as_bytes()), "{wire} {word}");
            }
            for torn in [
                "{",
                "lost\"}}",
                "{\"text\":\"lo",
                "a text that has lost both of its ends",
                "\0\x10",
            ] {
                assert!(!is_stray(*wire, b"", torn.as_bytes()), "{wire} {torn}");
            }
            assert!(is_stray(*wire, b"heartbeat", b"{\"to"));
            assert!(!is_stray(*wire, b"error", b"OK"));
        }
    }

    #[test]
    fn a_name_tells_where_the_wire_has_names() {
        for (wire, part, other) in [
            (Wire::AnthropicMessages, "content_block_delta", "status"),
            (
                Wire::OpenAiResponses,
                "response.output_text.delta",
                "status",
            ),
            (Wire::CohereChat, "content-delta", "keep-alive-2"),
        ] {
            assert!(!is_stray(wire, part.as_bytes(), b""), "{wire}");
            assert!(is_stray(wire, other.as_bytes(), b"{\"torn"), "{wire}");
            // The standard's own name for an event without one.
            assert!(is_stray(wire, b"message", b"OK"), "{wire}");
        }
    }
}
