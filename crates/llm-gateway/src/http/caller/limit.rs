//! How much one caller may ask for: requests a minute, and calls at once.
//!
//! The minute is paced as a target's is: a sixth of its requests may come at once, the others evenly, and callers at once never pass
//! the limit together.

use crate::config::Caller;
use crate::reply::Problem;
use llm_resilience::router::{Cost, Limits as Rates, Pace, PaceReadiness};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// When somebody whose calls are all under way may come again: one of them is over by then, or not.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// What one caller may ask for, and has asked for.
#[derive(Debug)]
pub(super) struct Limits {
    rpm: Option<u32>,
    concurrency: Option<u32>,
    slots: Arc<Semaphore>,
    pace: Pace,
}

/// A call of a caller who may have only so many at once; the next may come when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Limits {
    pub(super) fn new(caller: &Caller) -> Self {
        let slots = caller
            .concurrency
            .map_or(Semaphore::MAX_PERMITS, |most| most as usize);
        let mut rates = Rates::default();
        rates.rpm = caller.rpm.map(u64::from);
        Self {
            rpm: caller.rpm,
            concurrency: caller.concurrency,
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            pace: Pace::new(rates, now()),
        }
    }

    /// Whether these are the limits that `caller` has: then they are kept over a reload, with all that was asked for.
    pub(super) fn are_of(&self, caller: &Caller) -> bool {
        (self.rpm, self.concurrency) == (caller.rpm, caller.concurrency)
    }

    /// Takes leave for one call.
    ///
    /// # Errors
    ///
    /// The limit that is reached, and when to come again.
    pub(super) fn enter(&self) -> Result<Slot, Problem> {
        let permit = match self.concurrency {
            None => None,
            Some(most) => match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(permit) => Some(permit),
                Err(_) => return Err(Problem::CallerBusy(most, BUSY_WAIT)),
            },
        };
        if let Some(rpm) = self.rpm {
            self.take(now())
                .map_err(|wait| Problem::CallerLimit(rpm, wait))?;
        }
        Ok(Slot { _permit: permit })
    }

    /// Books one request at `now`; how long to wait where it is one too many.
    fn take(&self, now: std::time::Instant) -> Result<(), Duration> {
        match self.pace.reserve(Cost::default(), 0, now) {
            // What a request took is never given back.
            Ok(_) => Ok(()),
            Err(PaceReadiness::NotBefore(then)) => Err(then.saturating_duration_since(now)),
            Err(_) => Err(BUSY_WAIT),
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(rpm: u32) -> Limits {
        Limits::new(&Caller {
            name: "a".to_owned(),
            keys: Vec::new(),
            routes: None,
            rpm: Some(rpm),
            concurrency: None,
            spend: Default::default(),
        })
    }

    #[test]
    fn a_sixth_of_a_minute_comes_at_once_and_the_rest_evenly() {
        let (limits, start) = (limits(60), now());
        let take = |ms| limits.take(start + Duration::from_millis(ms));
        for _ in 0..10 {
            assert_eq!(take(0), Ok(()));
        }
        assert_eq!(take(0), Err(Duration::from_secs(1)));
        assert_eq!(take(250), Err(Duration::from_millis(750)));
        assert_eq!(take(1_000), Ok(()));
        assert!(take(1_000).is_err());
        // Whoever was away for long has no more than the usual burst.
        let many = (0..100).filter(|_| take(1_000_000).is_ok()).count();
        assert_eq!(many, 10);
    }

    #[test]
    fn one_request_a_minute_is_one() {
        let (limits, start) = (limits(1), now());
        let minute = Duration::from_secs(60);
        assert_eq!(limits.take(start), Ok(()));
        assert_eq!(limits.take(start), Err(minute));
        assert_eq!(limits.take(start + minute), Ok(()));
    }
}
