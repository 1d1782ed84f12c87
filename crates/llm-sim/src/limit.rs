//! Rate limits of the simulated provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::script::{LimitScope, Limits};
use crate::seed;
use crate::voice::{Hit, Problem};
use crate::wire::Family;

/// The most limits counted apart; whoever comes later shares one.
const MAX_BUCKETS: usize = 4_096;

/// What is left of a limit on requests a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub limit: u32,
    pub remaining: u32,
    /// Until the limit is whole again.
    pub reset: Duration,
}

/// A call that is not let in.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub retry_after: Duration,
    pub allowance: Option<Allowance>,
    concurrency: Option<u32>,
}

#[derive(Debug)]
struct Bucket {
    /// Requests that may come at once; fractions of one grow with time.
    level: f64,
    at: Instant,
    in_progress: u32,
}

/// Counts calls against the limits.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    buckets: Mutex<HashMap<u64, Bucket>>,
}

/// A place among the calls in progress; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Slot {
    limiter: Arc<Limiter>,
    bucket: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(bucket) = self.limiter.buckets().get_mut(&self.bucket) {
            bucket.in_progress = bucket.in_progress.saturating_sub(1);
        }
    }
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            buckets: Mutex::default(),
        }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<u64, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in, or says when to come again.
    pub(crate) fn admit(
        self: &Arc<Self>,
        key: &[u8],
        model: &str,
        now: Instant,
    ) -> Result<(Slot, Option<Allowance>), Refusal> {
        let mut name = match self.limits.per {
            LimitScope::All => 0,
            LimitScope::Key => seed::hash(1, key),
            LimitScope::Model => seed::join(seed::hash(1, key), seed::hash(2, model.as_bytes())),
        };
        let mut buckets = self.buckets();
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&name) {
            name = u64::MAX;
        }
        let full = self.limits.rpm.map_or(0.0, f64::from);
        let bucket = buckets.entry(name).or_insert(Bucket {
            level: full,
            at: now,
            in_progress: 0,
        });
        let per_second = full / 60.0;
        bucket.level = (now
            .saturating_duration_since(bucket.at)
            .as_secs_f64()
            .mul_add(per_second, bucket.level))
        .min(full);
        bucket.at = now;
        if let Some(most) = self
            .limits
            .concurrency
            .filter(|&most| bucket.in_progress >= most)
        {
            let allowance = self.allowance(bucket.level);
            return Err(Refusal {
                retry_after: Duration::from_secs(1),
                allowance,
                concurrency: Some(most),
            });
        }
        if self.limits.rpm.is_some() {
            if bucket.level < 1.0 - 1e-9 {
                let retry_after = Duration::from_secs_f64((1.0 - bucket.level) / per_second);
                return Err(Refusal {
                    retry_after,
                    allowance: self.allowance(bucket.level),
                    concurrency: None,
                });
            }
            bucket.level -= 1.0;
        }
        bucket.in_progress += 1;
        let allowance = self.allowance(bucket.level);
        drop(buckets);
        Ok((
            Slot {
                limiter: Arc::clone(self),
                bucket: name,
            },
            allowance,
        ))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the level lies between 0 and a u32"
    )]
    fn allowance(&self, level: f64) -> Option<Allowance> {
        let limit = self.limits.rpm?;
        let level = level.max(0.0);
        let reset =
            Duration::from_secs_f64((f64::from(limit) - level).max(0.0) * 60.0 / f64::from(limit));
        Some(Allowance {
            limit,
            remaining: (level + 1e-9) as u32,
            reset,
        })
    }
}

impl Refusal {
    pub(crate) fn problem(&self, family: Family, model: &str) -> Problem {
        let hit = match (self.concurrency, self.allowance) {
            (Some(most), _) => Hit::Concurrency(most),
            (None, allowance) => Hit::Rpm(allowance.map_or(0, |a| a.limit), self.retry_after),
        };
        family
            .voice()
            .limited(model, hit)
            .retry_after(Some(self.retry_after))
    }
}

/// Whole seconds, rounded up: who waits that long has waited enough.
pub(crate) fn ceil_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// Whole milliseconds, rounded up.
pub(crate) fn ceil_millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// `250ms`, `1.5s`, `6m0s`, as OpenAI writes durations.
pub(crate) fn go_duration(wait: Duration) -> String {
    let millis = ceil_millis(wait);
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    if millis < 1_000 {
        return format!("{millis}ms");
    }
    let seconds = if rest % 1_000 == 0 {
        format!("{}s", rest / 1_000)
    } else {
        format!("{}.{:03}s", rest / 1_000, rest % 1_000)
    };
    if minutes == 0 {
        seconds
    } else {
        format!("{minutes}m{seconds}")
    }
}

/// A Unix time as `2026-11-23T22:00:00Z` (days to civil date after the proleptic Gregorian calendar).
pub(crate) fn rfc3339(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test needs some first instant")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn the_stated_wait_is_enough_and_not_too_long() {
        let limiter = Arc::new(Limiter::new(Limits::new().rpm(60)));
        let now = start();
        for _ in 0..60 {
            limiter.admit(b"k", "m", now).unwrap();
        }
        let refusal = limiter.admit(b"k", "m", now).unwrap_err();
        assert_eq!(ceil_seconds(refusal.retry_after), 1);
        assert!(
            limiter
                .admit(
                    b"k",
                    "m",
                    now + refusal.retry_after - Duration::from_millis(5)
                )
                .is_err()
        );
        assert!(limiter.admit(b"k", "m", now + refusal.retry_after).is_ok());
        assert!(limiter.admit(b"other key", "m", now).is_ok());
    }

    #[test]
    fn a_finished_call_gives_its_place_back() {
        let limiter = Arc::new(Limiter::new(Limits::new().concurrency(1)));
        let now = start();
        let (slot, _) = limiter.admit(b"k", "m", now).unwrap();
        assert!(limiter.admit(b"k", "m", now).is_err());
        drop(slot);
        assert!(limiter.admit(b"k", "m", now).is_ok());
    }

    #[test]
    fn durations_and_dates_are_written_as_the_providers_write_them() {
        assert_eq!(go_duration(Duration::from_millis(250)), "250ms");
        assert_eq!(go_duration(Duration::from_millis(1_500)), "1.500s");
        assert_eq!(go_duration(Duration::from_secs(360)), "6m0s");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_764_547_200), "2025-12-01T00:00:00Z");
    }
}
