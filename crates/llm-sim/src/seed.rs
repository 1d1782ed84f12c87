//! Repeatable pseudo-randomness.
//!
//! Everything the simulator makes up (texts, ids, whether a rule with a `rate` strikes) is a pure function of the seed
//! and of what was asked, so no generator is shared between calls and the order of threads cannot change an answer.
//! The mixer is the finaliser of `SplitMix64`; it is written out here because its output must never change between
//! versions of a library.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Scrambles one number; neighbouring inputs give unrelated outputs.
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Joins two numbers into one.
pub(crate) const fn join(a: u64, b: u64) -> u64 {
    mix(mix(a) ^ b.rotate_left(32))
}

/// Hashes bytes under a seed (FNV-1a, then [`mix`]). Not a defence against anybody; only for variety.
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = 0xCBF2_9CE4_8422_2325 ^ mix(seed);
    for &byte in bytes {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    mix(state)
}

/// Maps a number to `0.0..1.0`.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
pub(crate) const fn fraction(value: u64) -> f64 {
    (value >> 11) as f64 / (1_u64 << 53) as f64
}

/// An endless sequence of numbers.
#[derive(Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn next(&mut self) -> u64 {
        let value = mix(self.0);
        self.0 = self.0.wrapping_add(GOLDEN);
        value
    }

    /// Picks one of `items`; `None` only of an empty list.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(items.len()).ok().filter(|&count| count > 0)?;
        let index = usize::try_from(self.next() % count).ok()?;
        items.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_reference_sequence_of_splitmix64() {
        // The published test vector for the seed 1234567.
        let mut numbers = Numbers::new(1_234_567);
        assert_eq!(numbers.next(), 6_457_827_717_110_365_317);
        assert_eq!(numbers.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn fractions_stay_below_one_and_spread() {
        let values: Vec<f64> = (0..1_000).map(|n| fraction(mix(n))).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        let mean = values.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }

    #[test]
    fn the_seed_changes_the_hash() {
        assert_ne!(hash(1, b"hello"), hash(2, b"hello"));
        assert_eq!(hash(1, b"hello"), hash(1, b"hello"));
    }
}
