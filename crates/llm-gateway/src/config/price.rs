//! Reads `price = { ... }`: US dollars as people write them, into whole millionths as the engine counts them.

use super::key::Section;
use super::reader::{Entries, Reader, Value};
use super::wording::kind;
use crate::engine::Price;
use toml::de::DeValue;

/// Millionths of a dollar in a dollar.
const MICROS: u64 = 1_000_000;
/// The highest price in dollars; beyond it stands a slip.
const HIGHEST: u64 = 1_000_000;

/// Reads the price of a target, if it has one.
pub(super) fn read(reader: &mut Reader<'_>, target: &Entries<'_, '_>) -> Option<Price> {
    let table = reader.table(target, "price", Section::Price)?;
    for name in ["input", "output"] {
        if table.get(name).is_none() {
            reader.missing(&table, name, "0.15, in dollars a million tokens");
        }
    }
    let mut of = |name| dollars(reader, &table, name);
    let (input, output) = (of("input"), of("output"));
    let (cache_read, cache_write) = (of("cache_read"), of("cache_write"));
    let per_request = of("per_request").unwrap_or(0);
    let input = input?;
    Some(Price {
        input,
        output: output?,
        cache_read: cache_read.unwrap_or(input),
        cache_write: cache_write.unwrap_or(input),
        per_request,
    })
}

/// The sum under a key, in millionths of a dollar.
pub(super) fn dollars(reader: &mut Reader<'_>, table: &Entries<'_, '_>, name: &str) -> Option<u64> {
    let example = format!("{name} = 0.15");
    value(reader, table.get(name)?, &table.path_of(name), &example)
}

/// A value that must be a sum in dollars, in millionths of one.
pub(super) fn value(
    reader: &mut Reader<'_>,
    value: &Value<'_>,
    path: &str,
    example: &str,
) -> Option<u64> {
    let read = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => micros(number.as_str()),
        DeValue::Float(number) => micros(number.as_str()),
        DeValue::Integer(_) => Err("not a decimal number".to_owned()),
        other => Err(format!("{} where a number is expected", kind(other))),
    };
    match read {
        Ok(micros) => Some(micros),
        Err(what) => {
            let mend = format!(
                "write dollars from 0 to {HIGHEST} as a plain number with at most six decimals: {example}"
            );
            reader.fault(value.span().start, path, what, mend);
            None
        }
    }
}

/// Reads `3`, `0.15`, `12.5` exactly, without a float between.
pub(crate) fn micros(text: &str) -> Result<u64, String> {
    if text.starts_with('-') {
        return Err(format!("{text} is below zero"));
    }
    let plain = text.trim_start_matches('+');
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) {
        return Err(format!("{text} is not a plain number"));
    }
    let decimals = decimals.trim_end_matches('0');
    if decimals.len() > 6 {
        return Err(format!("{text} is finer than a millionth of a dollar"));
    }
    let too_much = || format!("{text} is out of range");
    let whole: u64 = whole.parse().map_err(|_| too_much())?;
    let part: u64 = format!("{decimals:0<6}").parse().map_err(|_| too_much())?;
    whole
        .checked_mul(MICROS)
        .and_then(|micros| micros.checked_add(part))
        .filter(|micros| *micros <= HIGHEST * MICROS)
        .ok_or_else(too_much)
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn dollars_are_read_exactly() {
        for (text, expected) in [
            ("0", 0),
            ("3", 3_000_000),
            ("0.15", 150_000),
            ("0.000001", 1),
            ("12.5000000", 12_500_000),
            ("+1.1", 1_100_000),
            ("0.29", 290_000),
            ("1000000", 1_000_000_000_000),
        ] {
            assert_eq!(micros(text), Ok(expected), "{text}");
        }
        for (text, why) in [
            ("-1", "below zero"),
            ("0.0000001", "finer than a millionth"),
            ("1e-3", "not a plain number"),
            ("nan", "not a plain number"),
            ("inf", "not a plain number"),
            ("1000000.1", "out of range"),
            ("99999999999999999999999", "out of range"),
        ] {
            let error = micros(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
