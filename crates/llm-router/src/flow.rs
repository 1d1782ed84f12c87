//! How fast a target's answers flow: whether the time for each token of its streams has grown.
//!
//! What is seen is known only at the end of a stream, and by the target's own past alone: nobody is asked beside it. So more is asked of the
//! evidence than of a late first token: that it lasts, that it is no wave, and that there is somebody who flows faster, or whose pace is
//! not known yet.

use llm_breaker::LatencyDetector;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// For so many tokens times are compared, as the detector tells no times below a millisecond apart.
const TOKENS: u32 = 100;
/// The shortest slowness that counts.
const LEAST_SLOWNESS: Duration = Duration::from_secs(5);
/// How many times as slow as usual it must be on the whole, whatever each stream says. That is known after some 180 streams; before,
/// nobody is left for this.
const LEAST_LEVEL: f32 = 2.0;
/// How many times as fast another target must be.
const FASTER: f32 = 1.5;

/// Since when the streams of one target have flowed slowly. What is usual its breaker's detector knows.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Milliseconds since the origin; 0 while they do not.
    slow_since: AtomicU64,
}

impl Flow {
    pub(crate) const fn new() -> Self {
        Self {
            slow_since: AtomicU64::new(0),
        }
    }

    /// A stream has ended whose tokens took so long each.
    pub(crate) fn observe(&self, usual: &LatencyDetector, per_token: Duration, now_ms: u64) {
        usual.observe(per_token.saturating_mul(TOKENS));
        let since = self.slow_since.load(Ordering::Relaxed);
        match (usual.is_slow(), since) {
            (true, 0) => self.slow_since.store(now_ms.max(1), Ordering::Relaxed),
            (true, _) | (false, 0) => {}
            (false, _) => self.slow_since.store(0, Ordering::Relaxed),
        }
    }

    /// Whether it is slow by more than a wave of load.
    pub(crate) fn is_slow(&self, usual: &LatencyDetector, now_ms: u64) -> bool {
        let since = self.slow_since.load(Ordering::Relaxed);
        let lasted = Duration::from_millis(now_ms.saturating_sub(since));
        since != 0
            && usual.is_slow()
            && lasted >= LEAST_SLOWNESS
            && usual.level() >= LEAST_LEVEL
            && !usual.may_be_wave(lasted)
    }

    /// What was learnt of trouble is forgotten.
    pub(crate) fn forget(&self) {
        self.slow_since.store(0, Ordering::Relaxed);
    }
}

/// Whether one target's streams flow faster than another's do now, or may do so for all that is known.
pub(crate) fn is_faster(one: &LatencyDetector, than: &LatencyDetector) -> bool {
    if one.is_slow() {
        return false;
    }
    let (Some(one), Some(usual)) = (one.typical(), than.typical()) else {
        return true;
    };
    one.as_secs_f32() * FASTER <= usual.as_secs_f32() * than.level()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};

    /// A number of a normal distribution, as good as.
    fn normal(rng: &mut SmallRng) -> f32 {
        (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
    }

    /// Times per token of 20 streams a second, around 20 ms, in waves of load whose neighbours are alike by `correlation`.
    fn times(seed: u64, correlation: f32, waves: f32) -> impl Iterator<Item = Duration> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut wave = 0.0f32;
        std::iter::repeat_with(move || {
            wave = correlation * wave + (1.0 - correlation * correlation).sqrt() * normal(&mut rng);
            let spread = 0.3 * normal(&mut rng);
            Duration::from_secs_f32(0.02 * (waves * wave + spread).exp())
        })
    }

    /// The first of these streams after which it counts as slow.
    fn slow_after(
        flow: &Flow,
        usual: &LatencyDetector,
        from: u64,
        times: impl Iterator<Item = Duration>,
    ) -> Option<usize> {
        (from..).zip(times).position(|(nth, time)| {
            flow.observe(usual, time, nth * 50);
            flow.is_slow(usual, nth * 50)
        })
    }

    #[test]
    fn waves_of_load_are_no_slowness() {
        for (correlation, waves) in [(0.0, 0.0), (0.5, 0.4), (0.9, 0.4), (0.99, 0.3)] {
            for seed in 0..5 {
                let (flow, usual) = (Flow::new(), LatencyDetector::default());
                let times = times(seed, correlation, waves).take(100_000);
                let slow = slow_after(&flow, &usual, 0, times);
                assert_eq!(slow, None, "{correlation}, seed {seed}");
            }
        }
    }

    #[test]
    fn streams_that_flow_three_times_slower_are_so_within_seconds() {
        // At 20 a second: 8 s, and 13 s where load comes in waves.
        for (correlation, waves, most) in [(0.0, 0.0, 160), (0.5, 0.2, 260)] {
            for seed in 0..20 {
                let (flow, usual) = (Flow::new(), LatencyDetector::default());
                slow_after(
                    &flow,
                    &usual,
                    0,
                    times(seed, correlation, waves).take(2_000),
                );
                let slower = times(seed + 100, correlation, waves).map(|time| time * 3);
                let slow = slow_after(&flow, &usual, 2_000, slower.take(1_000));
                assert!(
                    slow.is_some_and(|streams| streams <= most),
                    "{correlation}, seed {seed}: {slow:?}"
                );
            }
        }
    }

    #[test]
    fn who_is_not_known_may_be_faster_and_who_is_slow_himself_is_not() {
        let known = |millis: u64, by: u32| {
            let usual = LatencyDetector::default();
            for nth in 0..200 {
                usual.observe(Duration::from_millis(millis + nth % 5));
            }
            for _ in 0..40 {
                usual.observe(Duration::from_millis(millis) * by);
            }
            usual
        };
        let slowed = known(1_000, 4);
        assert!(is_faster(&LatencyDetector::default(), &slowed));
        assert!(is_faster(&known(1_000, 1), &slowed));
        assert!(!is_faster(&known(3_500, 1), &slowed));
        assert!(!is_faster(&known(100, 4), &slowed));
    }
}
