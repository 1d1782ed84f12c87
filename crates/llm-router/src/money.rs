//! What calls cost, and a cap on what an hour may cost. All sums are whole millionths of a dollar.

use crate::pace::Cost;
use std::array;
use std::fmt;
use std::iter::Sum;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

#[cfg(test)]
mod tests;

/// A sum of money in millionths of a US dollar. Saturates; prints as `$0.0123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Spend(pub u64);

impl Spend {
    /// Both together, at most the largest sum there is.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sum for Spend {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Self::saturating_add)
    }
}

impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        match micros % 100 {
            0 => write!(f, "${dollars}.{:04}", micros / 100),
            _ => write!(f, "${dollars}.{micros:06}"),
        }
    }
}

/// The price of a model, in millionths of a US dollar for a million tokens of each sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Price {
    /// Prompt tokens that no cache served.
    pub input: u64,
    /// Generated tokens.
    pub output: u64,
    /// Prompt tokens served from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
    /// Each call, in millionths of a dollar.
    pub per_request: u64,
}

/// Billed tokens of one call; the four sorts do not overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Billed {
    /// Prompt tokens that no cache served.
    pub input: u64,
    /// Generated tokens.
    pub output: u64,
    /// Prompt tokens served from the provider's cache.
    pub cache_read: u64,
    /// Prompt tokens written to the provider's cache.
    pub cache_write: u64,
}

impl Billed {
    /// What a call is billed for, as far as plain token counts tell: none from or to a cache.
    pub(crate) fn expected(cost: Cost) -> Self {
        Self {
            input: cost.input_tokens,
            output: cost.output_tokens,
            ..Self::default()
        }
    }
}

/// What a call costs, rounded up to the next millionth of a dollar.
#[must_use]
pub fn cost(price: &Price, tokens: &Billed) -> Spend {
    let sort = |price: u64, tokens: u64| u128::from(price) * u128::from(tokens);
    let sum = sort(price.input, tokens.input)
        .saturating_add(sort(price.output, tokens.output))
        .saturating_add(sort(price.cache_read, tokens.cache_read))
        .saturating_add(sort(price.cache_write, tokens.cache_write));
    // A division of 128 bits costs more than all the rest.
    let tokens = match u64::try_from(sum) {
        Ok(sum) => sum.div_ceil(1_000_000),
        Err(_) => u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX),
    };
    Spend(price.per_request.saturating_add(tokens))
}

/// A price by the token, to be compared with others: in the unit of [`Spend`], as numbers that are quick to reckon with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    call: f64,
    input: f64,
    output: f64,
}

/// The tokens of one call, likewise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    input: f64,
    output: f64,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "52 bits tell any two apart that matter"
)]
impl Rates {
    pub(crate) const fn of(price: &Price) -> Self {
        Self {
            call: price.per_request as f64,
            input: price.input as f64 / 1e6,
            output: price.output as f64 / 1e6,
        }
    }

    /// What is never the lowest price.
    pub(crate) const NEVER: Self = Self {
        call: f64::INFINITY,
        input: 0.0,
        output: 0.0,
    };

    /// What [`cost`] says of a target that counts so many times the estimate of a prompt, not rounded.
    #[inline]
    pub(crate) fn price(&self, expected: &Expected, factor: f64) -> f64 {
        self.call + self.output * expected.output + self.input * expected.input * factor
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "52 bits tell any two apart that matter"
)]
impl Expected {
    pub(crate) const fn of(cost: Cost) -> Self {
        Self {
            input: cost.input_tokens as f64,
            output: cost.output_tokens as f64,
        }
    }
}

const MINUTES: u64 = 60;
/// Bits of a bucket that hold its money: a minute counts at most 1.09 million dollars.
const MONEY_BITS: u32 = 40;
const MONEY: u64 = (1 << MONEY_BITS) - 1;

/// Money set aside for a call under way. Pass it to [`Ledger::settle`], with zero where nothing
/// was spent; dropped, it counts against the cap for ever.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle it, or it counts against the cap for ever"]
pub struct Earmark(u64);

/// What an hour may cost, and at which sums somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Allowance {
    /// Nothing that would pass this sum is sent; `None`: no cap.
    pub per_hour: Option<Spend>,
    /// Sums whose crossing is told, at most [`Ledger::MAX_ALERTS`]: a table with more is refused.
    pub alerts: Vec<Spend>,
}

impl Allowance {
    /// No cap and no alert: nothing is counted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.per_hour.is_none() && self.alerts.is_empty()
    }
}

/// The hour's cap does not allow this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hour's cap of {cap} does not allow another {wanted}")]
pub struct OverCap {
    /// The cap.
    pub cap: Spend,
    /// What was asked for.
    pub wanted: Spend,
}

/// The spend of the last hour: the minute that runs and the 59 before it.
///
/// Lock-free. A call's estimate is set aside before it is sent, so that calls beside each other
/// cannot pass the cap together; only the error of the estimates can.
#[derive(Debug)]
pub struct Ledger {
    cap: AtomicU64,
    /// Ascending; `u64::MAX` for none.
    alerts: [AtomicU64; Self::MAX_ALERTS],
    /// Spent in the hour and set aside.
    committed: AtomicU64,
    /// Spent in the hour.
    spent: AtomicU64,
    /// Of that, what was booked since the last call that tells what it crossed.
    untold: AtomicU64,
    /// The last minute in which old buckets were cleared.
    swept: AtomicU64,
    /// Minute (24 bits) and money (40 bits).
    buckets: [AtomicU64; 60],
    origin: Instant,
}

impl Ledger {
    /// Alert thresholds kept; the lowest ones count.
    pub const MAX_ALERTS: usize = 4;

    /// An empty ledger. No `cap` means that everything is allowed; `alerts` are sums whose
    /// crossing [`settle`](Self::settle) tells. `origin` is any instant before the first use.
    #[must_use]
    pub fn new(cap: Option<Spend>, alerts: &[Spend], origin: Instant) -> Self {
        let ledger = Self {
            cap: AtomicU64::new(u64::MAX),
            alerts: array::from_fn(|_| AtomicU64::new(u64::MAX)),
            committed: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            swept: AtomicU64::new(0),
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            origin,
        };
        ledger.limit(cap, alerts);
        ledger
    }

    /// Replaces cap and alerts; what was spent stays.
    pub fn limit(&self, cap: Option<Spend>, alerts: &[Spend]) {
        let mut kept = [u64::MAX; Self::MAX_ALERTS];
        for alert in alerts {
            let mut moving = alert.0;
            for place in &mut kept {
                if moving < *place {
                    std::mem::swap(place, &mut moving);
                }
            }
        }
        self.cap.store(cap.map_or(u64::MAX, |cap| cap.0), Relaxed);
        for (place, sum) in self.alerts.iter().zip(kept) {
            place.store(sum, Relaxed);
        }
    }

    /// Whether [`reserve`](Self::reserve) would grant this now.
    #[must_use]
    pub fn allows(&self, estimate: Spend, now: Instant) -> bool {
        self.sweep(self.minute(now));
        let committed = self.committed.load(Relaxed);
        committed.saturating_add(estimate.0) <= self.cap.load(Relaxed)
    }

    /// What was spent in the last hour.
    #[must_use]
    pub fn spent(&self, now: Instant) -> Spend {
        self.sweep(self.minute(now));
        Spend(self.spent.load(Relaxed))
    }

    /// Sets an estimate aside.
    ///
    /// # Errors
    ///
    /// [`OverCap`] where the hour's spend, what is set aside and this together pass the cap.
    pub fn reserve(&self, estimate: Spend, now: Instant) -> Result<Earmark, OverCap> {
        self.sweep(self.minute(now));
        self.committed
            .fetch_update(Relaxed, Relaxed, |committed| {
                let sum = committed.checked_add(estimate.0)?;
                (sum <= self.cap.load(Relaxed)).then_some(sum)
            })
            .map(|_| Earmark(estimate.0))
            .map_err(|_| OverCap {
                cap: Spend(self.cap.load(Relaxed)),
                wanted: estimate,
            })
    }

    /// Books what the call truly cost in place of its estimate. Returns the highest alert
    /// threshold that this crossed.
    pub fn settle(&self, earmark: Earmark, actual: Spend, now: Instant) -> Option<Spend> {
        let (before, booked) = self.replace(earmark, actual, now);
        let after = before.saturating_add(booked);
        let before = before.saturating_sub(self.untold.swap(0, Relaxed));
        let crossed = self.alerts.iter().rev();
        crossed
            .map(|alert| alert.load(Relaxed))
            .find(|alert| before < *alert && *alert <= after && *alert != u64::MAX)
            .map(Spend)
    }

    /// The same for a call of which nobody hears: what it crosses is told by the next one that is [settled](Self::settle).
    pub fn settle_untold(&self, earmark: Earmark, actual: Spend, now: Instant) {
        let (_, booked) = self.replace(earmark, actual, now);
        add(&self.untold, booked);
    }

    /// Books a spend in place of an earmark; what was spent before it, and how much of it was booked.
    #[expect(clippy::needless_pass_by_value, reason = "an earmark is settled once")]
    fn replace(&self, earmark: Earmark, actual: Spend, now: Instant) -> (u64, u64) {
        let minute = self.minute(now);
        self.sweep(minute);
        let booked = self.book(minute, actual.0);
        add(&self.committed, booked);
        subtract(&self.committed, earmark.0);
        (add(&self.spent, booked), booked)
    }

    /// Adds to the minute's bucket, and returns how much found room in it.
    fn book(&self, minute: u64, money: u64) -> u64 {
        let Some(bucket) = self.buckets.get(index(minute)) else {
            return 0;
        };
        let mut booked = 0;
        let old = bucket.fetch_update(Relaxed, Relaxed, |bucket| {
            // A bucket ahead of us belongs to somebody whose clock was read later.
            let kept = if bucket >> MONEY_BITS < minute {
                0
            } else {
                bucket & MONEY
            };
            let owner = minute.max(bucket >> MONEY_BITS);
            booked = money.min(MONEY - kept);
            Some(owner << MONEY_BITS | (kept + booked))
        });
        if let Ok(old) = old
            && old >> MONEY_BITS < minute
        {
            self.forget(old & MONEY);
        }
        booked
    }

    /// Once a minute: takes what is older than an hour out of the sums.
    fn sweep(&self, minute: u64) {
        let swept = self.swept.load(Relaxed);
        let mine = swept < minute
            && self
                .swept
                .compare_exchange(swept, minute, Relaxed, Relaxed)
                .is_ok();
        if !mine {
            return;
        }
        for bucket in &self.buckets {
            let old = bucket.fetch_update(Relaxed, Relaxed, |bucket| {
                let is_old = (bucket >> MONEY_BITS) + MINUTES <= minute;
                (is_old && bucket & MONEY != 0).then_some(bucket & !MONEY)
            });
            if let Ok(old) = old {
                self.forget(old & MONEY);
            }
        }
    }

    fn forget(&self, money: u64) {
        subtract(&self.spent, money);
        subtract(&self.committed, money);
    }

    /// Minutes since the origin: enough for thirty years.
    fn minute(&self, now: Instant) -> u64 {
        let minute = now.saturating_duration_since(self.origin).as_secs() / 60;
        minute.min((1 << 24) - 1)
    }
}

fn index(minute: u64) -> usize {
    usize::try_from(minute % MINUTES).unwrap_or(0)
}

fn add(sum: &AtomicU64, money: u64) -> u64 {
    let add = |sum: u64| Some(sum.saturating_add(money));
    sum.fetch_update(Relaxed, Relaxed, add).unwrap_or(0)
}

fn subtract(sum: &AtomicU64, money: u64) {
    let _ = sum.fetch_update(Relaxed, Relaxed, |sum| Some(sum.saturating_sub(money)));
}
