//! Eight bytes of a text, looked at at once.

/// One in each byte.
pub(crate) const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
pub(crate) const HIGH: u64 = 0x8080_8080_8080_8080;

/// The eight bytes at `at`; behind the end of all stand spaces. `None` where nothing is left.
#[inline(always)]
pub(crate) fn window(bytes: &[u8], at: usize) -> Option<u64> {
    let rest = bytes.get(at..)?;
    match rest.first_chunk() {
        Some(eight) => Some(u64::from_le_bytes(*eight)),
        None => last_window(rest),
    }
}

#[inline]
fn last_window(rest: &[u8]) -> Option<u64> {
    const SPACES: u64 = LOW * b' ' as u64;
    (!rest.is_empty()).then(|| few(rest) | SPACES << (8 * rest.len()))
}

/// Up to seven bytes; behind them stand zeros.
#[inline]
pub(crate) const fn few(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    // loads that overlap read the same bytes to the same places
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        u32::from_le_bytes(*head) as u64 | (u32::from_le_bytes(*tail) as u64) << (8 * len - 32)
    } else if let (Some(head), Some(tail)) = (bytes.first_chunk::<2>(), bytes.last_chunk::<2>()) {
        u16::from_le_bytes(*head) as u64 | (u16::from_le_bytes(*tail) as u64) << (8 * len - 16)
    } else if let Some(only) = bytes.first() {
        *only as u64
    } else {
        0
    }
}

/// The high bits of the bytes of `word` that equal `byte`, which is below 0x80: the first is
/// exact, one behind it may be wrong.
pub(crate) const fn equal(word: u64, byte: u8) -> u64 {
    (word ^ (LOW * byte as u64)).wrapping_sub(LOW) & !word & HIGH
}

/// Eight bytes with every digit as `0`.
#[inline(always)]
pub(crate) const fn masked(eight: u64) -> u64 {
    // the highest bit of every byte that is from `0` to `9`
    let ascii = eight & (LOW * 0x7f);
    let from = ascii + LOW * (0x80 - b'0' as u64);
    let beyond = ascii + LOW * (0x7f - b'9' as u64);
    let digits = from & !(beyond | eight) & HIGH;
    eight & !((digits >> 3) - (digits >> 7))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_stand_behind_the_end() {
        let text = b"abcdefghij";
        for at in 0..text.len() {
            let mut expected = [b' '; 8];
            let rest = &text[at..];
            let len = rest.len().min(8);
            expected[..len].copy_from_slice(&rest[..len]);
            assert_eq!(window(text, at), Some(u64::from_le_bytes(expected)), "{at}");
        }
        assert_eq!(window(text, text.len()), None);
    }

    #[test]
    fn digits_alone_are_masked() {
        for byte in 0..=u8::MAX {
            let expected = if byte.is_ascii_digit() { b'0' } else { byte };
            for (place, neighbour) in [(0, 0xff), (3, b'9'), (7, b'/')] {
                let mut eight = [neighbour; 8];
                eight[place] = byte;
                let seen = masked(u64::from_le_bytes(eight)).to_le_bytes();
                assert_eq!(seen[place], expected, "{byte}");
            }
        }
    }
}
