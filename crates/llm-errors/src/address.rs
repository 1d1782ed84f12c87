//! Addresses in a message: their words mean nothing, but one.

use crate::window::{HIGH, LOW, equal, window};

/// The part of an address that leads to a provider's list of retired models.
pub(crate) const RETIRED: &str = "deprecations";

/// The length of the address at the start of `bytes`, and whether one of its parts is
/// [`RETIRED`]: eight bytes at a time.
pub(crate) fn address(bytes: &[u8]) -> (usize, bool) {
    let mut at = 0;
    let mut retired = false;
    while let Some(window) = window(bytes, at) {
        // what is below `-`, above ASCII, `>` or a backslash may end it
        let low = window.wrapping_sub(LOW * u64::from(b'-')) & !window & HIGH;
        let mut ends = low | (window & HIGH) | equal(window, b'>') | equal(window, b'\\');
        let mut parts = equal(window, b'/') | equal(window, b'#');
        let mut end = None;
        while ends != 0 && end.is_none() {
            let place = at + ends.trailing_zeros() as usize / 8;
            let byte = bytes.get(place).copied().unwrap_or(b' ');
            let stops = matches!(
                byte,
                b' ' | b'"' | b'\'' | b'\n' | b'\\' | b'>' | b')' | b',' | 0x80..
            );
            end = stops.then_some(place);
            ends &= ends - 1;
        }
        while parts != 0 {
            let place = at + parts.trailing_zeros() as usize / 8;
            let part = bytes.get(place + 1..).unwrap_or_default();
            retired |= part.starts_with(RETIRED.as_bytes())
                && end.is_none_or(|end| place < end)
                && matches!(bytes.get(place), Some(b'/' | b'#'));
            parts &= parts - 1;
        }
        if let Some(end) = end {
            return (end, retired);
        }
        at += 8;
    }
    (bytes.len(), retired)
}
