//! The checksum of AWS's event stream: CRC-32 as in IEEE 802.3, eight bytes a step.

/// The polynomial, lowest bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// What one byte does to the checksum (first table), and what it does so many bytes later.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    let mut value = 0_u32;
    while byte < 256 {
        let mut sum = value;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (POLYNOMIAL * (sum & 1));
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
        value += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The checksum of `bytes`.
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let (eights, rest) = bytes.as_chunks::<8>();
    let mut sum = !0;
    for eight in eights {
        let word = u64::from_le_bytes(*eight) ^ u64::from(sum);
        sum = word
            .to_le_bytes()
            .iter()
            .zip(TABLES.iter().rev())
            .fold(0, |sum, (byte, table)| sum ^ at(table, *byte));
    }
    for byte in rest {
        let [low, ..] = sum.to_le_bytes();
        sum = (sum >> 8) ^ at(&TABLES[0], low ^ byte);
    }
    !sum
}

fn at(table: &[u32; 256], byte: u8) -> u32 {
    // A byte is always inside a table of 256.
    table.get(usize::from(byte)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard_is_met() {
        // <https://reveng.sourceforge.io/crc-catalogue/all.htm>, CRC-32/ISO-HDLC, read 2026-11-26.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        let byte_by_byte = |bytes: &[u8]| {
            !bytes.iter().fold(!0_u32, |sum, byte| {
                let index = (sum ^ u32::from(*byte)) & 0xff;
                (sum >> 8) ^ TABLES[0][index as usize]
            })
        };
        let long: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        for length in 0..long.len() {
            assert_eq!(crc32(&long[..length]), byte_by_byte(&long[..length]));
        }
    }
}
