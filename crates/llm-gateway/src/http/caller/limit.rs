//! How much one caller may ask for: requests a minute, and calls at once.
//!
//! The minute is kept as the time at which all requests so far would be over if they came one by one, evenly (GCRA, the
//! generic cell rate algorithm): one word, changed by one atomic step, so that callers at once never pass the limit
//! together. A sixth of a minute's requests may come at once.

use crate::config::Caller;
use crate::reply::Problem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How much of the allowance may be used at once, as time at the full rate.
const BURST: Duration = Duration::from_secs(10);
/// When somebody whose calls are all under way may come again: one of them is over by then, or not.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// What one caller may ask for, and has asked for.
#[derive(Debug)]
pub(super) struct Limits {
    /// Between two requests at the full rate, in microseconds; none where there is no limit.
    every: Option<u64>,
    rpm: Option<u32>,
    concurrency: Option<u32>,
    slots: Arc<Semaphore>,
    began: Instant,
    /// When the requests so far are over, in microseconds since `began`.
    over: AtomicU64,
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
        Self {
            every: caller.rpm.map(|rpm| 60_000_000 / u64::from(rpm.max(1))),
            rpm: caller.rpm,
            concurrency: caller.concurrency,
            slots: Arc::new(Semaphore::new(slots.min(Semaphore::MAX_PERMITS))),
            began: Instant::now(),
            over: AtomicU64::new(0),
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
        if let (Some(every), Some(rpm)) = (self.every, self.rpm) {
            let now = micros(self.began.elapsed());
            self.take(every, now)
                .map_err(|wait| Problem::CallerLimit(rpm, wait))?;
        }
        Ok(Slot { _permit: permit })
    }

    /// Books one request at `now`; how long to wait where it is one too many.
    fn take(&self, every: u64, now: u64) -> Result<(), Duration> {
        let room = micros(BURST).max(every);
        let next = |over: u64| over.max(now).saturating_add(every);
        let booked = self
            .over
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |over| {
                Some(next(over)).filter(|next| next - now <= room)
            });
        match booked {
            Ok(_) => Ok(()),
            Err(over) => Err(Duration::from_micros(next(over) - now - room)),
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
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
        })
    }

    #[test]
    fn a_sixth_of_a_minute_comes_at_once_and_the_rest_evenly() {
        let limits = limits(60);
        let take = |now_ms: u64| limits.take(1_000_000, now_ms * 1_000);
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
        let limits = limits(1);
        assert!(limits.take(60_000_000, 0).is_ok());
        assert_eq!(limits.take(60_000_000, 0), Err(Duration::from_secs(60)));
        assert!(limits.take(60_000_000, 60_000_000).is_ok());
    }
}
