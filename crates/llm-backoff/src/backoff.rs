//! How long to wait before the next attempt.
//!
//! With `c = min(ceiling, base * factor^n)` for the n-th wait, the jitters are those of Marc Brooker's
//! "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): none `c`, full `U(0, c)`, equal
//! `c/2 + U(0, c/2)`, decorrelated `min(ceiling, U(base, 3 * previous))`. The ceiling is applied after the
//! jitter, so no wait is ever longer than it. Full jitter is the default because it makes the fewest calls
//! under contention; decorrelated finishes a little sooner and calls about a quarter more.
//!
//! A server's hint is a **floor**, never a substitute: a hint of zero leaves the ordinary wait in force, and a
//! hint is jittered upwards only, so that a fleet told "20 s" does not return in the same millisecond.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The largest spread added above a server's hint.
pub const HINT_SPREAD_MAX: Duration = Duration::from_secs(5);

/// Steps after which a simulated decorrelated chain is taken as settled.
const CHAIN_STEPS: u32 = 32;

/// How randomness is mixed into a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Jitter {
    /// No randomness: callers that failed together return together.
    None,
    /// Uniform between zero and the computed wait.
    #[default]
    Full,
    /// Half the computed wait, and a uniform half on top.
    Equal,
    /// Uniform between the base and three times the previous wait.
    Decorrelated,
}

/// Exponential waits with jitter and a ceiling.
///
/// The default is base 0.5 s, factor 2, ceiling 10 s, full jitter.
///
/// ```
/// use std::time::Duration;
/// use llm_backoff::{Backoff, Jitter};
/// use rand::{SeedableRng, rngs::SmallRng};
///
/// let backoff = Backoff::builder()
///     .base(Duration::from_millis(200))
///     .ceiling(Duration::from_secs(5))
///     .jitter(Jitter::Equal)
///     .build()?;
/// let mut rng = SmallRng::seed_from_u64(7);
/// assert!(backoff.delay(0, &mut rng) >= Duration::from_millis(100));
/// assert!(backoff.delay(40, &mut rng) <= Duration::from_secs(5));
/// # Ok::<(), llm_backoff::BackoffError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    base: Duration,
    factor: f64,
    ceiling: Duration,
    jitter: Jitter,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(500),
            factor: 2.0,
            ceiling: Duration::from_secs(10),
            jitter: Jitter::Full,
        }
    }
}

impl Backoff {
    /// Starts from the defaults.
    #[must_use]
    pub fn builder() -> BackoffBuilder {
        BackoffBuilder {
            backoff: Self::default(),
        }
    }

    /// The longest wait this can ever give without a hint.
    #[must_use]
    pub const fn ceiling(&self) -> Duration {
        self.ceiling
    }

    /// The same waits with another ceiling; the base is lowered to it if it is above.
    pub(crate) fn with_ceiling(self, ceiling: Duration) -> Self {
        Self {
            base: self.base.min(ceiling),
            ceiling,
            ..self
        }
    }

    /// The computed wait before jitter: `min(ceiling, base * factor^retry)`.
    #[must_use]
    pub fn nominal(&self, retry: u32) -> Duration {
        let exponent = i32::try_from(retry).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        // Zero times infinity is no number, and a base of zero means no wait.
        if seconds < self.ceiling.as_secs_f64() {
            Duration::from_secs_f64(seconds)
        } else if self.base.is_zero() {
            Duration::ZERO
        } else {
            self.ceiling
        }
    }

    /// The wait before the retry with this index; 0 is the first wait.
    ///
    /// For [`Jitter::Decorrelated`] the chain of earlier waits is drawn anew; use [`next_delay`](Self::next_delay)
    /// to continue from the wait that really took place.
    pub fn delay(&self, retry: u32, rng: &mut (impl Rng + ?Sized)) -> Duration {
        if self.jitter == Jitter::Decorrelated {
            let mut wait = self.base.min(self.ceiling);
            for _ in 0..=retry.min(CHAIN_STEPS) {
                wait = self.decorrelated(wait, rng);
            }
            return wait;
        }
        self.next_delay(retry, Duration::ZERO, rng)
    }

    /// The wait before the retry with this index, given the wait before the last one (zero if there was none).
    ///
    /// Only [`Jitter::Decorrelated`] looks at `previous`.
    pub fn next_delay(
        &self,
        retry: u32,
        previous: Duration,
        rng: &mut (impl Rng + ?Sized),
    ) -> Duration {
        match self.jitter {
            Jitter::None => self.nominal(retry),
            Jitter::Full => between(Duration::ZERO, self.nominal(retry), rng),
            Jitter::Equal => {
                let half = self.nominal(retry) / 2;
                half + between(Duration::ZERO, half, rng)
            }
            Jitter::Decorrelated => self.decorrelated(previous.max(self.base), rng),
        }
    }

    /// The wait when a server said how long: its hint is a floor, spread upwards by [`spread_hint`].
    pub fn delay_with_hint(
        &self,
        retry: u32,
        hint: Duration,
        rng: &mut (impl Rng + ?Sized),
    ) -> Duration {
        let own = self.delay(retry, rng);
        floor_with_hint(own, hint, rng)
    }

    fn decorrelated(&self, previous: Duration, rng: &mut (impl Rng + ?Sized)) -> Duration {
        // A wait stretched by a hint says nothing about this series.
        let previous = previous.min(self.ceiling);
        between(self.base, previous.saturating_mul(3), rng).min(self.ceiling)
    }
}

/// Raises a wait to a server's hint, and spreads it upwards: `max(own, hint) + U(0, min(hint/4, 5 s))`.
pub fn floor_with_hint(own: Duration, hint: Duration, rng: &mut (impl Rng + ?Sized)) -> Duration {
    own.max(hint).saturating_add(spread_hint(hint, rng))
}

/// The random part added above a hint: `U(0, min(hint/4, 5 s))`.
pub fn spread_hint(hint: Duration, rng: &mut (impl Rng + ?Sized)) -> Duration {
    between(Duration::ZERO, (hint / 4).min(HINT_SPREAD_MAX), rng)
}

/// Uniform in `low..=high`; `low` when the range is empty.
pub(crate) fn between(low: Duration, high: Duration, rng: &mut (impl Rng + ?Sized)) -> Duration {
    let Some(span) = high.checked_sub(low) else {
        return low;
    };
    let part = span.as_secs_f64() * rng.random::<f64>();
    // Near the largest duration the product may round beyond it.
    let part = Duration::try_from_secs_f64(part).unwrap_or(span);
    low + part.min(span)
}

/// Builds a [`Backoff`].
#[derive(Debug, Clone, Copy)]
pub struct BackoffBuilder {
    backoff: Backoff,
}

impl BackoffBuilder {
    /// The first wait, before jitter. Default 0.5 s.
    #[must_use]
    pub const fn base(mut self, base: Duration) -> Self {
        self.backoff.base = base;
        self
    }

    /// What each wait is multiplied by to give the next. Default 2.
    #[must_use]
    pub const fn factor(mut self, factor: f64) -> Self {
        self.backoff.factor = factor;
        self
    }

    /// The longest wait, after jitter. Default 10 s.
    #[must_use]
    pub const fn ceiling(mut self, ceiling: Duration) -> Self {
        self.backoff.ceiling = ceiling;
        self
    }

    /// The kind of randomness. Default [`Jitter::Full`].
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.backoff.jitter = jitter;
        self
    }

    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// The factor is not a finite number of at least 1, the ceiling is above a day, or the base is above the ceiling.
    pub fn build(self) -> Result<Backoff, BackoffError> {
        let Backoff {
            base,
            factor,
            ceiling,
            ..
        } = self.backoff;
        if !factor.is_finite() || factor < 1.0 {
            return Err(BackoffError::Factor(factor));
        }
        if ceiling > Duration::from_secs(86_400) {
            return Err(BackoffError::Ceiling(ceiling));
        }
        if base > ceiling {
            return Err(BackoffError::Base { base, ceiling });
        }
        Ok(self.backoff)
    }
}

/// The numbers given to a [`BackoffBuilder`] do not make a backoff.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BackoffError {
    /// Waits would shrink or never be a number.
    #[error("backoff factor {0} is not a finite number of at least 1")]
    Factor(f64),
    /// A wait above a day is a mistake in a unit.
    #[error("backoff ceiling {0:?} is above one day")]
    Ceiling(Duration),
    /// The first wait is already above the longest.
    #[error("backoff base {base:?} is above its ceiling {ceiling:?}")]
    Base {
        /// The first wait.
        base: Duration,
        /// The longest wait.
        ceiling: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};

    const JITTERS: [Jitter; 4] = [
        Jitter::None,
        Jitter::Full,
        Jitter::Equal,
        Jitter::Decorrelated,
    ];

    #[test]
    fn defaults_are_half_a_second_doubling_to_ten() {
        let backoff = Backoff::default();
        let nominal: Vec<u128> = (0..7).map(|n| backoff.nominal(n).as_millis()).collect();
        assert_eq!(nominal, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(backoff.nominal(u32::MAX), Duration::from_secs(10));
    }

    #[test]
    fn full_jitter_fills_its_range_evenly() {
        let backoff = Backoff::default();
        let mut rng = SmallRng::seed_from_u64(1);
        let waits: Vec<f64> = (0..20_000)
            .map(|_| backoff.delay(1, &mut rng).as_secs_f64())
            .collect();
        let mean = waits.iter().sum::<f64>() / 20_000.0;
        assert!((mean - 0.5).abs() < 0.01, "mean {mean}");
        assert!(waits.iter().any(|w| *w < 0.01) && waits.iter().any(|w| *w > 0.99));
    }

    #[test]
    fn decorrelated_continues_from_the_wait_that_took_place() {
        let backoff = Backoff::builder()
            .jitter(Jitter::Decorrelated)
            .ceiling(Duration::from_secs(60))
            .build()
            .unwrap();
        let mut rng = SmallRng::seed_from_u64(2);
        let longest = (0..5000)
            .map(|_| backoff.next_delay(3, Duration::from_secs(4), &mut rng))
            .max()
            .unwrap();
        assert!(longest > Duration::from_secs(11) && longest <= Duration::from_secs(12));
    }

    #[test]
    fn a_hint_of_zero_does_not_switch_the_wait_off() {
        let backoff = Backoff::builder().jitter(Jitter::Equal).build().unwrap();
        let mut rng = SmallRng::seed_from_u64(3);
        for _ in 0..100 {
            assert!(
                backoff.delay_with_hint(0, Duration::ZERO, &mut rng) >= Duration::from_millis(250)
            );
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let shrinking = Backoff::builder().factor(0.5).build();
        assert_eq!(shrinking, Err(BackoffError::Factor(0.5)));
        assert!(Backoff::builder().factor(f64::NAN).build().is_err());
        assert!(matches!(
            Backoff::builder().base(Duration::from_secs(11)).build(),
            Err(BackoffError::Base { .. })
        ));
        assert!(matches!(
            Backoff::builder().ceiling(Duration::MAX).build(),
            Err(BackoffError::Ceiling(_))
        ));
    }

    #[test]
    fn a_base_of_zero_never_waits() {
        let backoff = Backoff::builder().base(Duration::ZERO).build().unwrap();
        assert_eq!(backoff.nominal(u32::MAX), Duration::ZERO);
        assert_eq!(
            backoff.delay(u32::MAX, &mut SmallRng::seed_from_u64(1)),
            Duration::ZERO
        );
    }

    #[test]
    fn the_longest_of_all_waits_is_drawn_without_overflow() {
        let mut rng = SmallRng::seed_from_u64(1);
        for _ in 0..1000 {
            assert!(
                between(Duration::from_secs(1), Duration::MAX, &mut rng) >= Duration::from_secs(1)
            );
        }
    }

    proptest! {
        #[test]
        fn no_wait_passes_the_ceiling(
            base_ms in 0u64..10_000, factor in 1.0f64..1e6, extra_ms in 0u64..100_000,
            jitter in 0usize..4, retry: u32, previous_ms: u64, seed: u64,
        ) {
            let backoff = Backoff::builder()
                .base(Duration::from_millis(base_ms)).factor(factor)
                .ceiling(Duration::from_millis(base_ms + extra_ms)).jitter(JITTERS[jitter])
                .build().unwrap();
            let mut rng = SmallRng::seed_from_u64(seed);
            prop_assert!(backoff.delay(retry, &mut rng) <= backoff.ceiling());
            let previous = Duration::from_millis(previous_ms);
            prop_assert!(backoff.next_delay(retry, previous, &mut rng) <= backoff.ceiling());
        }

        #[test]
        fn a_hint_is_a_floor_and_its_spread_is_bounded(hint_ms in 0u64..100_000_000, retry in 0u32..100, seed: u64) {
            let hint = Duration::from_millis(hint_ms);
            let wait = Backoff::default().delay_with_hint(retry, hint, &mut SmallRng::seed_from_u64(seed));
            prop_assert!(wait >= hint);
            prop_assert!(wait <= hint.max(Duration::from_secs(10)) + (hint / 4).min(HINT_SPREAD_MAX));
        }

        #[test]
        fn the_same_seed_waits_the_same(retry in 0u32..100, seed: u64, jitter in 0usize..4) {
            let backoff = Backoff::builder().jitter(JITTERS[jitter]).build().unwrap();
            let first = backoff.delay(retry, &mut SmallRng::seed_from_u64(seed));
            prop_assert_eq!(first, backoff.delay(retry, &mut SmallRng::seed_from_u64(seed)));
        }

        #[test]
        fn nominal_waits_never_shrink(retry in 0u32..1000, factor in 1.0f64..10.0) {
            let backoff = Backoff::builder().factor(factor).build().unwrap();
            prop_assert!(backoff.nominal(retry + 1) >= backoff.nominal(retry));
        }
    }
}
