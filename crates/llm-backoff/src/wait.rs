//! How long to wait: rules beside [`Backoff`], and what can be made of them.
//!
//! `a + b` waits for both, [`chain`] goes through a list and stays with its last, [`then`] changes from one kind of rule to another.
//!
//! ```
//! use std::time::Duration;
//! use llm_backoff::{Backoff, wait};
//!
//! // Two quick tries, then exponential; always at least 50 ms.
//! let rule = wait::fixed(Duration::from_millis(50))
//!     + wait::then(2, wait::uniform(Duration::ZERO, Duration::from_millis(100)), Backoff::default());
//! # let _ = rule;
//! ```

use std::ops::Add;
use std::time::Duration;

use rand::Rng;

use crate::backoff::{Backoff, between};
use crate::operator::pointers;
use crate::progress::Progress;

/// Decides how long to wait before the next attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no rule for waiting",
    note = "a time becomes one by `wait::fixed(time)`, a closure by `wait::by(|progress| ..)`"
)]
pub trait Wait {
    /// The wait after the attempt that has just failed. `progress.wait` is the wait before that attempt.
    fn wait(&self, progress: &Progress, rng: &mut dyn Rng) -> Duration;
}

pointers! { Wait => fn wait(&self, progress: &Progress, rng: &mut dyn Rng) -> Duration; }

impl Wait for Backoff {
    fn wait(&self, progress: &Progress, rng: &mut dyn Rng) -> Duration {
        self.next_delay(progress.attempt.saturating_sub(1), progress.wait, rng)
    }
}

/// Always the same wait.
#[must_use]
pub const fn fixed(wait: Duration) -> Fixed {
    Fixed(wait)
}

/// No wait.
#[must_use]
pub const fn none() -> Fixed {
    Fixed(Duration::ZERO)
}

/// Uniform between two bounds; the lower one if they are reversed.
#[must_use]
pub const fn uniform(low: Duration, high: Duration) -> Uniform {
    Uniform { low, high }
}

/// `first`, then `step` more each time, up to `ceiling`.
#[must_use]
pub const fn incrementing(first: Duration, step: Duration, ceiling: Duration) -> Incrementing {
    Incrementing {
        first,
        step,
        ceiling,
    }
}

/// Each rule once, in order; the last one from then on. An empty list does not wait.
#[must_use]
pub const fn chain<W, const N: usize>(rules: [W; N]) -> Chain<W, N> {
    Chain(rules)
}

/// The first `count` waits by one rule, all others by another, which counts from its own beginning.
#[must_use]
pub const fn then<A, B>(count: u32, first: A, second: B) -> Then<A, B> {
    Then {
        count,
        first,
        second,
    }
}

/// By a function of one's own.
#[must_use]
pub const fn by<F: Fn(&Progress) -> Duration>(rule: F) -> By<F> {
    By(rule)
}

/// See [`fixed`].
#[derive(Debug, Clone, Copy)]
pub struct Fixed(Duration);

impl Wait for Fixed {
    fn wait(&self, _: &Progress, _: &mut dyn Rng) -> Duration {
        self.0
    }
}

/// See [`uniform`].
#[derive(Debug, Clone, Copy)]
pub struct Uniform {
    low: Duration,
    high: Duration,
}

impl Wait for Uniform {
    fn wait(&self, _: &Progress, rng: &mut dyn Rng) -> Duration {
        between(self.low, self.high, rng)
    }
}

/// See [`incrementing`].
#[derive(Debug, Clone, Copy)]
pub struct Incrementing {
    first: Duration,
    step: Duration,
    ceiling: Duration,
}

impl Wait for Incrementing {
    fn wait(&self, progress: &Progress, _: &mut dyn Rng) -> Duration {
        let steps = progress.attempt.saturating_sub(1);
        self.first
            .saturating_add(self.step.saturating_mul(steps))
            .min(self.ceiling)
    }
}

/// See [`chain`].
#[derive(Debug, Clone, Copy)]
pub struct Chain<W, const N: usize>([W; N]);

impl<W: Wait, const N: usize> Wait for Chain<W, N> {
    fn wait(&self, progress: &Progress, rng: &mut dyn Rng) -> Duration {
        let index = usize::try_from(progress.attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.0
            .get(index)
            .or_else(|| self.0.last())
            .map_or(Duration::ZERO, |rule| rule.wait(progress, rng))
    }
}

/// See [`then`].
#[derive(Debug, Clone, Copy)]
pub struct Then<A, B> {
    count: u32,
    first: A,
    second: B,
}

impl<A: Wait, B: Wait> Wait for Then<A, B> {
    fn wait(&self, progress: &Progress, rng: &mut dyn Rng) -> Duration {
        if progress.attempt <= self.count {
            return self.first.wait(progress, rng);
        }
        let own = Progress {
            attempt: progress.attempt - self.count,
            ..*progress
        };
        self.second.wait(&own, rng)
    }
}

/// See [`by`].
#[derive(Debug, Clone, Copy)]
pub struct By<F>(F);

impl<F: Fn(&Progress) -> Duration> Wait for By<F> {
    fn wait(&self, progress: &Progress, _: &mut dyn Rng) -> Duration {
        (self.0)(progress)
    }
}

/// The sum of two waits: `a + b`.
#[derive(Debug, Clone, Copy)]
pub struct Sum<A, B>(A, B);

impl<A: Wait, B: Wait> Wait for Sum<A, B> {
    fn wait(&self, progress: &Progress, rng: &mut dyn Rng) -> Duration {
        let first = self.0.wait(progress, rng);
        first.saturating_add(self.1.wait(progress, rng))
    }
}

macro_rules! sums {
    ($( $type:ty $([ $($param:tt)+ ])? ),+ $(,)?) => {$(
        impl<Right $(, $($param)+)?> Add<Right> for $type {
            type Output = Sum<Self, Right>;
            fn add(self, right: Right) -> Sum<Self, Right> {
                Sum(self, right)
            }
        }
    )+};
}
sums!(
    Backoff,
    Fixed,
    Uniform,
    Incrementing,
    Chain<W, N> [W, const N: usize],
    Then<A, B> [A, B],
    By<F> [F],
    Sum<A, B> [A, B],
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Jitter;
    use crate::tests::start;
    use rand::{SeedableRng, rngs::SmallRng};

    fn waits(rule: impl Wait, count: u32) -> Vec<u128> {
        let mut progress = Progress::new(start());
        let mut rng = SmallRng::seed_from_u64(1);
        (1..=count)
            .map(|attempt| {
                progress.attempt = attempt;
                progress.wait = rule.wait(&progress, &mut rng);
                progress.wait.as_millis()
            })
            .collect()
    }

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn plain() -> Backoff {
        Backoff::builder().jitter(Jitter::None).build().unwrap()
    }

    #[test]
    fn each_rule_gives_its_series() {
        assert_eq!(waits(fixed(MS(30)), 3), [30, 30, 30]);
        assert_eq!(waits(none(), 2), [0, 0]);
        assert_eq!(
            waits(incrementing(MS(10), MS(5), MS(22)), 5),
            [10, 15, 20, 22, 22]
        );
        assert_eq!(
            waits(chain([fixed(MS(1)), fixed(MS(5)), fixed(MS(9))]), 5),
            [1, 5, 9, 9, 9]
        );
        assert_eq!(waits(chain::<Fixed, 0>([]), 2), [0, 0]);
        assert_eq!(waits(plain(), 4), [500, 1000, 2000, 4000]);
        assert_eq!(waits(by(|p| MS(u64::from(p.attempt))), 3), [1, 2, 3]);
        assert!(
            waits(uniform(MS(10), MS(20)), 200)
                .iter()
                .all(|w| (10..=20).contains(w))
        );
    }

    #[test]
    fn sums_and_sequences_compose() {
        assert_eq!(
            waits(then(2, none(), plain()) + fixed(MS(1)), 4),
            [1, 1, 501, 1001]
        );
        assert_eq!(
            waits(fixed(Duration::MAX) + fixed(Duration::MAX), 1),
            [Duration::MAX.as_millis()]
        );
    }

    #[test]
    fn decorrelated_waits_grow_from_the_wait_before() {
        let rule = Backoff::builder()
            .jitter(Jitter::Decorrelated)
            .build()
            .unwrap();
        let series = waits(rule, 50);
        for pair in series.windows(2) {
            assert!(pair[1] <= (pair[0].max(500) + 1) * 3);
        }
    }
}
