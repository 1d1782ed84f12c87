//! How long one attempt may take.

use std::time::{Duration, Instant};

use crate::deadline::Deadline;

/// The time limit of attempts: an attempt's own, or what the deadline leaves, whichever is shorter.
///
/// `window = min(own * widen^timeouts, remaining - reserve)`. The reserve is what a fallback needs to still be of use. After a
/// timeout the next attempt gets more, since the first limit was evidently too short for this request.
///
/// ```
/// use std::time::Duration;
/// use llm_backoff::{AttemptWindow, Deadline};
/// # let now = tokio::time::Instant::now().into_std();
/// let window = AttemptWindow::new(Duration::from_secs(10)).reserve(Duration::from_secs(4));
/// let deadline = Deadline::after(now, Duration::from_secs(30));
/// assert_eq!(window.at(now, Some(deadline), 0), Duration::from_secs(10));
/// assert_eq!(window.at(now, Some(deadline), 1), Duration::from_secs(15));
/// assert_eq!(window.at(now + Duration::from_secs(20), Some(deadline), 1), Duration::from_secs(6));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttemptWindow {
    own: Duration,
    reserve: Duration,
    widen: f64,
}

impl AttemptWindow {
    /// Attempts of at most this long, no reserve, widened by half after a timeout.
    #[must_use]
    pub const fn new(own: Duration) -> Self {
        Self {
            own,
            reserve: Duration::ZERO,
            widen: 1.5,
        }
    }

    /// Time to leave between the end of an attempt and the deadline. Default none.
    #[must_use]
    pub const fn reserve(mut self, reserve: Duration) -> Self {
        self.reserve = reserve;
        self
    }

    /// What the limit is multiplied by after each timeout. Default 1.5; anything below 1, and what is no number, counts as 1.
    #[must_use]
    pub const fn widen(mut self, factor: f64) -> Self {
        self.widen = factor;
        self
    }

    /// The limit of an attempt that begins now, after so many timeouts of earlier ones. Zero: there is no time left for it.
    #[must_use]
    pub fn at(&self, now: Instant, deadline: Option<Deadline>, timeouts: u32) -> Duration {
        let factor = self.widen.max(1.0).powi(timeouts.min(64).cast_signed());
        let seconds = self.own.as_secs_f64() * factor;
        let own = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        match deadline {
            None => own,
            Some(deadline) => own.min(deadline.remaining(now).saturating_sub(self.reserve)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_attempt_never_eats_the_reserve(
            own_ms in 0u64..1_000_000, reserve_ms in 0u64..100_000, left_ms in 0u64..1_000_000,
            timeouts: u32, widen in -1.0f64..10.0,
        ) {
            let now = start();
            let deadline = Deadline::after(now, Duration::from_millis(left_ms));
            let window = AttemptWindow::new(Duration::from_millis(own_ms))
                .reserve(Duration::from_millis(reserve_ms)).widen(widen)
                .at(now, Some(deadline), timeouts);
            prop_assert!(window.as_millis() <= u128::from(left_ms.saturating_sub(reserve_ms)));
        }

        #[test]
        fn windows_never_shrink_after_a_timeout(own_ms in 0u64..1_000_000, timeouts in 0u32..100, widen in -1.0f64..10.0) {
            let window = AttemptWindow::new(Duration::from_millis(own_ms)).widen(widen);
            prop_assert!(window.at(start(), None, timeouts + 1) >= window.at(start(), None, timeouts));
        }
    }

    #[test]
    fn no_number_is_no_widening() {
        let window = AttemptWindow::new(Duration::from_secs(2)).widen(f64::NAN);
        assert_eq!(window.at(start(), None, 9), Duration::from_secs(2));
    }
}
