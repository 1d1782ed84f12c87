//! Base64 (RFC 4648): bytes as text.

const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Appends `bytes` in the standard alphabet, with padding (section 4).
pub(crate) fn standard(bytes: &[u8], out: &mut String) {
    encode(bytes, ['+', '/'], out);
    out.push_str(match bytes.len() % 3 {
        1 => "==",
        2 => "=",
        _ => "",
    });
}

/// Appends `bytes` in the alphabet of URLs, without padding (section 5).
pub(crate) fn url(bytes: &[u8], out: &mut String) {
    encode(bytes, ['-', '_'], out);
}

/// The bytes that a text of the standard alphabet stands for; white space and padding are passed over. `None` where it is
/// none.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' | b'\r' | b'\n' | b' ' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.extend(u8::try_from(bits >> held & 255));
        }
    }
    Some(out)
}

fn encode(bytes: &[u8], last: [char; 2], out: &mut String) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for shift in [18, 12, 6, 0].into_iter().take(three.len() + 1) {
            let digit = usize::try_from(bits >> shift & 63).unwrap_or(0);
            let letter = LETTERS.get(digit).map(|letter| char::from(*letter));
            out.push(letter.unwrap_or(if digit == 62 { last[0] } else { last[1] }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10, and every letter.
    #[test]
    fn both_alphabets_are_those_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let (mut padded, mut plain) = (String::new(), String::new());
            standard(bytes.as_bytes(), &mut padded);
            url(bytes.as_bytes(), &mut plain);
            assert_eq!(padded, text);
            assert_eq!(plain, text.trim_end_matches('='));
            assert_eq!(decode(&padded).as_deref(), Some(bytes.as_bytes()));
            assert_eq!(decode(&plain).as_deref(), Some(bytes.as_bytes()));
        }
        let (mut padded, mut plain) = (String::new(), String::new());
        standard(&[0xfb, 0xef, 0xff], &mut padded);
        url(&[0xfb, 0xef, 0xff], &mut plain);
        assert_eq!((padded.as_str(), plain.as_str()), ("++//", "--__"));
        assert_eq!(decode(&padded), Some(vec![0xfb, 0xef, 0xff]));
        assert_eq!(decode("a?"), None);
    }
}
