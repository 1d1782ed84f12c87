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
        }
        let (mut padded, mut plain) = (String::new(), String::new());
        standard(&[0xfb, 0xef, 0xff], &mut padded);
        url(&[0xfb, 0xef, 0xff], &mut plain);
        assert_eq!((padded.as_str(), plain.as_str()), ("++//", "--__"));
    }
}
