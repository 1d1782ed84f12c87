//! Which bytes a JSON string holds as they are.

/// True of everything but quotes, backslashes and control characters.
const PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut rest: &mut [bool] = &mut plain;
    let mut byte = 0;
    while let Some((first, others)) = rest.split_first_mut() {
        *first = byte >= 0x20 && byte != b'"' as usize && byte != b'\\' as usize;
        rest = others;
        byte += 1;
    }
    plain
};

/// How many bytes at the beginning of `bytes` a JSON string holds as they are.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| PLAIN.get(usize::from(*byte)).copied().unwrap_or(false);
    let end = bytes.iter().position(|byte| !is_plain(byte));
    end.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_plain_is_written_as_it_is(text in any::<String>()) {
            let plain = plain_length(text.as_bytes());
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&json.as_bytes()[1..=plain], &text.as_bytes()[..plain]);
            prop_assert_eq!(plain == text.len(), json.len() == text.len() + 2);
        }
    }
}
