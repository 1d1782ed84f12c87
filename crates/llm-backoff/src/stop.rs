//! When to stop trying.
//!
//! Rules compose: `a | b` stops when either does, `a & b` when both do. A deadline is not a rule but a setting of the driver,
//! because it must also bound waits and attempts. The wait is computed *before* the rule is asked, so that [`before`] can
//! stop in time instead of one wait late.
//!
//! ```
//! use std::time::Duration;
//! use llm_backoff::stop;
//!
//! let rule = stop::attempts(6) | (stop::attempts(2) & stop::elapsed(Duration::from_secs(20)));
//! # let _ = rule;
//! ```

use std::time::Duration;

use crate::operator::{operators, pointers};
use crate::progress::Progress;

/// Decides whether the attempt that has just failed was the last.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no rule for stopping",
    note = "a number becomes one by `stop::attempts(number)`, a closure by `stop::when(|progress| ..)`"
)]
pub trait Stop {
    /// Whether to stop now.
    fn stop(&self, progress: &Progress) -> bool;
}

pointers! { Stop => fn stop(&self, progress: &Progress) -> bool; }

/// Stops after this many attempts, the first included.
#[must_use]
pub const fn attempts(most: u32) -> Attempts {
    Attempts(most)
}

/// Stops once this much time has passed since the call began, inside attempts and between them.
#[must_use]
pub const fn elapsed(limit: Duration) -> Elapsed {
    Elapsed(limit)
}

/// Stops if the next wait would not end before this much time has passed since the call began.
#[must_use]
pub const fn before(limit: Duration) -> Before {
    Before(limit)
}

/// Never stops by itself: for combining, or where a deadline or budget decides.
#[must_use]
pub const fn never() -> Never {
    Never
}

/// Stops when the function says so: a shutdown flag, a counter of one's own.
#[must_use]
pub const fn when<F: Fn(&Progress) -> bool>(rule: F) -> When<F> {
    When(rule)
}

/// See [`attempts`].
#[derive(Debug, Clone, Copy)]
pub struct Attempts(u32);

impl Stop for Attempts {
    fn stop(&self, progress: &Progress) -> bool {
        progress.attempt >= self.0
    }
}

/// See [`elapsed`].
#[derive(Debug, Clone, Copy)]
pub struct Elapsed(Duration);

impl Stop for Elapsed {
    fn stop(&self, progress: &Progress) -> bool {
        progress.elapsed() >= self.0
    }
}

/// See [`before`].
#[derive(Debug, Clone, Copy)]
pub struct Before(Duration);

impl Stop for Before {
    fn stop(&self, progress: &Progress) -> bool {
        progress.elapsed().saturating_add(progress.wait) >= self.0
    }
}

/// See [`never()`].
#[derive(Debug, Clone, Copy)]
pub struct Never;

impl Stop for Never {
    fn stop(&self, _: &Progress) -> bool {
        false
    }
}

/// See [`when`].
#[derive(Debug, Clone, Copy)]
pub struct When<F>(F);

impl<F: Fn(&Progress) -> bool> Stop for When<F> {
    fn stop(&self, progress: &Progress) -> bool {
        (self.0)(progress)
    }
}

/// Stops when either rule does: `a | b`.
#[derive(Debug, Clone, Copy)]
pub struct Any<A, B>(A, B);

impl<A: Stop, B: Stop> Stop for Any<A, B> {
    fn stop(&self, progress: &Progress) -> bool {
        self.0.stop(progress) || self.1.stop(progress)
    }
}

/// Stops when both rules do: `a & b`.
#[derive(Debug, Clone, Copy)]
pub struct All<A, B>(A, B);

impl<A: Stop, B: Stop> Stop for All<A, B> {
    fn stop(&self, progress: &Progress) -> bool {
        self.0.stop(progress) && self.1.stop(progress)
    }
}

operators!(Attempts, Elapsed, Before, Never, When<F>, Any<A, B>, All<A, B>);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    fn at(attempt: u32, elapsed_s: u64, wait_s: u64) -> Progress {
        let now = start();
        Progress {
            attempt,
            now: now + Duration::from_secs(elapsed_s),
            wait: Duration::from_secs(wait_s),
            ..Progress::new(now)
        }
    }

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn each_rule_stops_at_its_limit_and_not_before() {
        assert!(!attempts(3).stop(&at(2, 0, 0)) && attempts(3).stop(&at(3, 0, 0)));
        assert!(!elapsed(S(5)).stop(&at(1, 4, 9)) && elapsed(S(5)).stop(&at(1, 5, 0)));
        assert!(!before(S(5)).stop(&at(1, 2, 2)) && before(S(5)).stop(&at(1, 2, 3)));
        assert!(!never().stop(&at(u32::MAX, 1 << 30, 0)));
        assert!(when(|p| p.timeouts == 0).stop(&at(1, 0, 0)));
    }

    #[test]
    fn or_stops_with_either_and_and_with_both() {
        let either = attempts(3) | elapsed(S(5));
        let both = attempts(3) & elapsed(S(5));
        for (attempt, seconds, any, all) in [
            (1, 1, false, false),
            (3, 1, true, false),
            (1, 5, true, false),
            (3, 5, true, true),
        ] {
            let progress = at(attempt, seconds, 0);
            assert_eq!(either.stop(&progress), any);
            assert_eq!(both.stop(&progress), all);
        }
        assert!((never() & attempts(1) | attempts(2)).stop(&at(2, 0, 0)));
    }
}
