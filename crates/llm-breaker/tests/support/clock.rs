//! A clock that moves when told.

use std::time::{Duration, Instant};

/// Starts somewhere and goes forward by hand.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) origin: Instant,
    pub(crate) now: Instant,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    pub(crate) fn new() -> Self {
        let origin = Instant::now();
        Self {
            origin,
            now: origin + Duration::from_secs(1000),
        }
    }

    pub(crate) fn pass(&mut self, seconds: f64) -> Instant {
        self.now += Duration::from_secs_f64(seconds);
        self.now
    }
}
