//! Random draws that depend on nothing but the seed and what they are for, so that every policy meets the same luck.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// A generator for one purpose: equal seed and parts, equal draws.
pub(crate) fn generator(seed: u64, parts: [u64; 2]) -> SmallRng {
    SmallRng::seed_from_u64(mix(seed, parts))
}

/// A number that is as good as random, of a seed and two parts.
pub(crate) fn mix(seed: u64, parts: [u64; 2]) -> u64 {
    parts.iter().fold(seed, |state, part| {
        // The finaliser of SplitMix64.
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A lognormal time with this median.
pub(crate) fn lognormal(rng: &mut SmallRng, median: Duration, sigma: f64) -> Duration {
    median.mul_f64((sigma * normal(rng)).exp())
}

/// A standard normal number.
pub(crate) fn normal(rng: &mut SmallRng) -> f64 {
    // Box and Muller; 1 - u is never 0.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// The time to the next arrival where there are `per_second` of them on average.
pub(crate) fn gap(rng: &mut SmallRng, per_second: f64) -> Duration {
    Duration::from_secs_f64(-(1.0 - rng.random::<f64>()).ln() / per_second)
}
