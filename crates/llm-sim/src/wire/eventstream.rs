//! AWS's binary framing of a stream, `application/vnd.amazon.eventstream`.
//!
//! ```text
//! total length  u32 ┐
//! headers length u32├ prelude, then its CRC-32 as u32
//! headers: name length u8, name, type u8 (7 is text), value length u16, value
//! payload
//! CRC-32 of all before it, as u32
//! ```
//!
//! All numbers big-endian, the checksum is that of gzip
//! (<https://smithy.io/2.0/aws/amazon-eventstream.html>; checked against botocore 1.44.8, `eventstream.py`; read
//! 2026-11-26).

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes before the headers, and after the payload.
const PRELUDE: usize = 12;
const TRAILER: usize = 4;
/// The type of a header whose value is text.
const TEXT: u8 = 7;

/// One frame. Names and values are short texts of our own, payloads far below the 16 MiB that the format allows.
pub(crate) fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = BytesMut::with_capacity(96);
    for (name, value) in headers {
        head.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.put_slice(name.as_bytes());
        head.put_u8(TEXT);
        head.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        head.put_slice(value.as_bytes());
    }
    frame(&head, payload)
}

fn frame(head: &[u8], payload: &[u8]) -> Bytes {
    let total = PRELUDE + head.len() + payload.len() + TRAILER;
    let mut frame = BytesMut::with_capacity(total);
    frame.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    frame.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    frame.put_u32(checksum(&frame));
    frame.put_slice(head);
    frame.put_slice(payload);
    frame.put_u32(checksum(&frame));
    frame.freeze()
}

/// The same frame with another payload, framed as properly.
pub(crate) fn with_payload(old: &Bytes, change: impl FnOnce(&Bytes) -> Bytes) -> Bytes {
    let head = old
        .get(4..8)
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
        .and_then(|bytes| usize::try_from(u32::from_be_bytes(bytes)).ok())
        .unwrap_or(0);
    let begin = (PRELUDE + head).min(old.len());
    let end = old.len().saturating_sub(TRAILER).max(begin);
    let payload = change(&old.slice(begin..end));
    frame(&old.slice(PRELUDE.min(begin)..begin), &payload)
}

/// The same frame with a false checksum.
pub(crate) fn with_false_checksum(frame: &Bytes) -> Bytes {
    let mut bytes = BytesMut::from(&frame[..]);
    if let Some(last) = bytes.last_mut() {
        *last ^= 0xFF;
    }
    bytes.freeze()
}

/// CRC-32 with the reversed polynomial 0xEDB88320.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let place = (crc ^ u32::from(*byte)) & 0xFF;
        let entry = usize::try_from(place)
            .ok()
            .and_then(|place| TABLE.get(place));
        (crc >> 8) ^ entry.copied().unwrap_or(0)
    })
}

static TABLE: [u32; 256] = table();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated while compiling; the index stays below 256"
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut place = 0;
    while place < 256 {
        let mut entry = place as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = if entry & 1 == 1 {
                (entry >> 1) ^ 0xEDB8_8320
            } else {
                entry >> 1
            };
            bit += 1;
        }
        table[place] = entry;
        place += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
        assert_eq!(checksum(b""), 0);
    }

    #[test]
    fn an_empty_frame_is_the_one_of_the_specification() {
        // The test vector "empty_message" that the AWS SDKs share.
        assert_eq!(
            encode(&[], b"")[..],
            [
                0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xC2, 0x48, 0xEB, 0x7D, 0x98, 0xC8, 0xFF
            ]
        );
    }

    #[test]
    fn a_payload_is_exchanged_and_the_headers_stay() {
        let headers = [(":event-type", "x"), (":content-type", "application/json")];
        let old = encode(&headers, b"old");
        assert_eq!(
            with_payload(&old, |_| Bytes::from_static(b"another")),
            encode(&headers, b"another")
        );
        assert_eq!(with_payload(&old, Clone::clone), old);
        assert_ne!(with_false_checksum(&old), old);
    }
}
