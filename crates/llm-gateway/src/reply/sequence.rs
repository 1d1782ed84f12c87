//! The numbers of events on OpenAI's responses wire.

/// Inside a text the quotes would be escaped, so this is the field and nothing else.
const FIELD: &[u8] = b"\"sequence_number\":";

/// The number of the event that follows `piece`, whole events of a stream.
pub(super) fn after(piece: &[u8]) -> u64 {
    let found = piece
        .windows(FIELD.len())
        .rposition(|window| window == FIELD);
    let Some(at) = found else {
        return 0;
    };
    let rest = piece.get(at + FIELD.len()..).unwrap_or_default();
    let rest = rest.trim_ascii_start();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0, |number: u64, digit| {
        number
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    number.saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_goes_on_from_the_last_event() {
        assert_eq!(after(b""), 0);
        assert_eq!(after(b": ping\n\n"), 0);
        let two = br#"data: {"sequence_number":7,"delta":"\"sequence_number\":99"}"#;
        assert_eq!(after(two), 8);
        assert_eq!(
            after(br#"{"sequence_number":1} {"sequence_number": 12}"#),
            13
        );
    }
}
