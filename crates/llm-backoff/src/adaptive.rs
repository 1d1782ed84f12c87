//! An attempt window that a warm target teaches.
//!
//! A fixed limit fits nobody: thirty seconds is for ever when the target usually answers in one, and too short for a long
//! prompt. So the limit is a multiple of the p99 of recent calls of the same size class, between a floor and the configured
//! cap; while too little is known, the cap alone. Calls that ran into the limit are booked with the limit itself, so that a
//! target which has really become slower is given more time, step by step, instead of being cut for ever.

use std::time::{Duration, Instant};

use crate::quantile::{Quantile, Slower};

/// Requests that take comparable time: by input length, and streamed (to the first token) or whole (to the end).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SizeClass(u8);

/// Input lengths at which a class ends, in tokens.
const BOUNDS: [u64; 3] = [1_000, 8_000, 32_000];

/// The number of classes.
const CLASSES: usize = 8;

impl SizeClass {
    /// How many there are.
    pub const COUNT: usize = CLASSES;

    /// The position among all classes, below [`COUNT`](Self::COUNT): for arrays kept by the caller.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// A streamed request with this many input tokens: times are to the first token.
    #[must_use]
    pub fn streamed(input_tokens: u64) -> Self {
        Self(Self::length(input_tokens))
    }

    /// A request answered in one piece: times are to the end.
    #[must_use]
    pub fn whole(input_tokens: u64) -> Self {
        Self(4 + Self::length(input_tokens))
    }

    fn length(tokens: u64) -> u8 {
        BOUNDS.iter().map(|bound| u8::from(tokens >= *bound)).sum()
    }
}

/// The learnt attempt window of one target. About 24 KiB.
///
/// The default is twice the p99 from 100 calls on, never below 2 s.
#[derive(Debug)]
pub struct AdaptiveWindow {
    classes: Box<[Quantile]>,
    factor: f64,
    floor: Duration,
    cap: Duration,
}

impl AdaptiveWindow {
    /// With the default factor 2 and floor 2 s under this cap.
    #[must_use]
    pub fn new(cap: Duration, origin: Instant) -> Self {
        Self::with(2.0, Duration::from_secs(2), cap, origin)
    }

    /// With another factor (at least 1) and floor. A floor above the cap is the cap.
    #[must_use]
    pub fn with(factor: f64, floor: Duration, cap: Duration, origin: Instant) -> Self {
        let quantile = |_| Quantile::new(0.99, 100, Duration::from_secs(60), origin);
        Self {
            classes: (0..CLASSES).map(quantile).collect(),
            factor: factor.max(1.0),
            floor: floor.min(cap),
            cap,
        }
    }

    /// The same with what is learnt kept for halves of this long instead of a minute: for calls that are rare and long, such as those in
    /// which a model thinks before it speaks. Keep such calls apart from others: they take ten to a hundred times as long, by design.
    #[must_use]
    pub fn over(self, half: Duration) -> Self {
        let classes = self.classes.into_iter();
        Self {
            classes: classes.map(|class| class.over(half)).collect(),
            ..self
        }
    }

    /// Books how long a call took; one that ran into its window, with that window.
    pub fn record(&self, class: SizeClass, took: Duration, now: Instant) {
        if let Some(quantile) = self.classes.get(usize::from(class.0)) {
            quantile.record(took, now);
        }
    }

    /// How times of the class at this [index](SizeClass::index) are spread; `None` while too little is known.
    #[must_use]
    pub fn slower(&self, class: usize, now: Instant) -> Option<Slower> {
        self.classes.get(class)?.slower(now)
    }

    /// The p99 of this class; `None` while too little is known.
    #[must_use]
    pub fn longest(&self, class: SizeClass, now: Instant) -> Option<Duration> {
        self.classes.get(usize::from(class.0))?.get(now)
    }

    /// How long an attempt of this class may take.
    #[must_use]
    pub fn window(&self, class: SizeClass, now: Instant) -> Duration {
        match self.longest(class, now) {
            None => self.cap,
            Some(p99) => Duration::try_from_secs_f64(p99.as_secs_f64() * self.factor)
                .unwrap_or(self.cap)
                .clamp(self.floor, self.cap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    const S: fn(u64) -> Duration = Duration::from_secs;
    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_cap_alone_while_cold_then_twice_the_p99_between_floor_and_cap() {
        let origin = start();
        let adaptive = AdaptiveWindow::new(S(30), origin);
        let small = SizeClass::streamed(100);
        assert_eq!(adaptive.window(small, origin), S(30));
        let learn = |class, took| {
            for _ in 0..128 {
                adaptive.record(class, took, origin);
            }
        };
        learn(small, MS(300));
        assert_eq!(adaptive.window(small, origin), S(2));
        learn(SizeClass::streamed(9_000), S(4));
        let window = adaptive.window(SizeClass::streamed(31_999), origin);
        assert!(window >= MS(7_900) && window <= MS(8_600), "{window:?}");
        learn(SizeClass::whole(100), S(25));
        assert_eq!(adaptive.window(SizeClass::whole(5), origin), S(30));
        assert_eq!(adaptive.window(SizeClass::whole(40_000), origin), S(30));
    }

    #[test]
    fn rare_calls_are_learnt_where_what_is_learnt_is_kept_for_longer() {
        let origin = start();
        let usual = AdaptiveWindow::new(S(600), origin);
        let rare = AdaptiveWindow::new(S(600), origin).over(S(30 * 60));
        let class = SizeClass::streamed(100);
        for n in 0..128 {
            let now = origin + S(n * 40);
            usual.record(class, S(60), now);
            rare.record(class, S(60), now);
        }
        let now = origin + S(128 * 40);
        assert_eq!(
            usual.window(class, now),
            S(600),
            "forgotten before it was enough"
        );
        let window = rare.window(class, now);
        assert!(window >= S(118) && window <= S(128), "{window:?}");
    }

    #[test]
    fn a_target_that_became_slower_is_given_more_time_step_by_step() {
        let origin = start();
        let adaptive = AdaptiveWindow::new(S(60), origin);
        let class = SizeClass::whole(100);
        let mut windows = Vec::new();
        for second in 0..600u64 {
            let now = origin + S(second);
            let window = adaptive.window(class, now);
            let truth = if second < 120 { S(2) } else { S(20) };
            for _ in 0..5 {
                adaptive.record(class, truth.min(window), now);
            }
            windows.push(window.as_secs());
        }
        assert!(windows[110] <= 4, "{}", windows[110]);
        assert!(windows[599] >= 38, "{}", windows[599]);
    }
}
