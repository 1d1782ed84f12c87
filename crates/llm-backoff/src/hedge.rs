//! When to send a second request beside a slow first one, and how many of them to afford.
//!
//! The delay is the p90 of the time to first token **as the caller saw it**, from the first dispatch to the first token of
//! whichever request won. Measured so, a call is hedged exactly when its first request is slower than the p90, which is one
//! in ten by definition and stays so. Measuring the winner from its own start (as common middleware does) makes the estimate
//! drift down and the share of hedges up.
//!
//! No delay is known before 100 samples, and it is never below 50 ms.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::budget::{RetryBudget, thousandths};
use crate::quantile::Quantile;

/// The delay after which a call to one target (or size class of it) deserves a second request.
#[derive(Debug)]
pub struct HedgeDelay {
    quantile: Quantile,
    floor: Duration,
}

impl HedgeDelay {
    /// At the p90, from 100 samples on, over halves of 30 s, never below 50 ms.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self::at(0.9, 100, Duration::from_millis(50), origin)
    }

    /// At another quantile, number of samples and floor.
    #[must_use]
    pub fn at(share: f64, samples: u32, floor: Duration, origin: Instant) -> Self {
        Self {
            quantile: Quantile::new(share, samples, Duration::from_secs(30), origin),
            floor,
        }
    }

    /// The same with what is learnt kept for halves of this long instead of 30 s: for calls that are rare and long.
    #[must_use]
    pub fn over(self, half: Duration) -> Self {
        Self {
            quantile: self.quantile.over(half),
            ..self
        }
    }

    /// Books a call: from its first dispatch to the first token the caller saw. Book a timeout with the time it took; do not book errors
    /// that came fast, nor calls the caller gave up.
    pub fn record(&self, caller_saw: Duration, now: Instant) {
        self.quantile.record(caller_saw, now);
    }

    /// How long to wait for the first token before hedging; `None` while too little is known.
    #[must_use]
    pub fn delay(&self, now: Instant) -> Option<Duration> {
        Some(self.quantile.get(now)?.max(self.floor))
    }
}

impl HedgeDelay {
    /// The same at another quantile (`0.0..=1.0`), from another number of samples on and with another floor, of the same times: computed
    /// anew at each call, in some 400 steps.
    #[must_use]
    pub fn delay_at(
        &self,
        share: f64,
        samples: u32,
        floor: Duration,
        now: Instant,
    ) -> Option<Duration> {
        Some(self.quantile.at(share, samples, now)?.max(floor))
    }
}

const NANO_OF_MICRO: u64 = 1000;

/// What hedges may cost: a share of calls and a share of spend, both funded by calls that succeeded.
///
/// The default is 10 % of each. Unlike retries, hedges have next to no reserve: without traffic there is nothing to gain.
#[derive(Debug)]
pub struct HedgeBudget {
    calls: RetryBudget,
    /// In thousandths of the callers' unit, so that a share of the cheapest call is still something.
    spend_nano_usd: AtomicU64,
    spend_max: u64,
    share: u32,
}

impl Default for HedgeBudget {
    fn default() -> Self {
        Self::new(0.1, 1_000_000)
    }
}

impl HedgeBudget {
    /// Hedges of at most `share` (`0.0..=1.0`) of calls and of spend, holding at most 20 hedges and `burst_micro_usd` millionths
    /// of a US dollar in store.
    #[must_use]
    pub const fn new(share: f64, burst_micro_usd: u64) -> Self {
        Self::with_capacity(share, 20, burst_micro_usd)
    }

    /// The same holding at most so many hedges in store (two million at most).
    #[must_use]
    pub const fn with_capacity(share: f64, stored: u32, burst_micro_usd: u64) -> Self {
        Self {
            calls: RetryBudget::with_capacity(share, 1, stored),
            spend_nano_usd: AtomicU64::new(0),
            spend_max: burst_micro_usd.saturating_mul(NANO_OF_MICRO),
            share: thousandths(share),
        }
    }

    /// Books a call that succeeded, with what it cost in millionths of a US dollar (0 where prices are not known).
    pub fn deposit(&self, cost_micro_usd: u64) {
        self.calls.deposit();
        // The share is in thousandths, too.
        let credit = cost_micro_usd.saturating_mul(u64::from(self.share));
        if credit > 0 {
            self.update(|spend| Some(spend.saturating_add(credit).min(self.spend_max)));
        }
    }

    /// Takes what a hedge is expected to cost; both parts or nothing. `false`: do not send it.
    #[must_use = "a hedge that was not paid for must not be sent"]
    pub fn withdraw(&self, cost_micro_usd: u64) -> bool {
        let cost = cost_micro_usd.saturating_mul(NANO_OF_MICRO);
        if cost > 0 && !self.update(|spend| spend.checked_sub(cost)) {
            return false;
        }
        let paid = self.calls.withdraw();
        if !paid {
            self.give_back(cost);
        }
        paid
    }

    /// Gives back what was taken for a hedge that was then not sent.
    pub fn refund(&self, cost_micro_usd: u64) {
        self.calls.refund();
        self.give_back(cost_micro_usd.saturating_mul(NANO_OF_MICRO));
    }

    fn give_back(&self, cost: u64) {
        if cost > 0 {
            self.update(|spend| Some(spend.saturating_add(cost).min(self.spend_max)));
        }
    }

    /// Hedges in store, by number.
    #[must_use]
    pub fn balance(&self) -> f64 {
        self.calls.balance()
    }

    fn update(&self, next: impl Fn(u64) -> Option<u64>) -> bool {
        self.spend_nano_usd
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::start;

    #[test]
    fn the_delay_has_a_floor() {
        let origin = start();
        let delay = HedgeDelay::new(origin);
        assert_eq!(delay.delay(origin), None);
        for _ in 0..100 {
            delay.record(Duration::from_millis(3), origin);
        }
        assert_eq!(delay.delay(origin), Some(Duration::from_millis(50)));
    }

    #[test]
    fn another_quantile_of_the_same_times_may_be_asked_for() {
        let origin = start();
        let delay = HedgeDelay::new(origin);
        let ms = Duration::from_millis;
        assert_eq!(delay.delay_at(0.5, 20, ms(50), origin), None);
        for n in 1..=50u64 {
            delay.record(ms(n * 20), origin);
        }
        assert_eq!(delay.delay(origin), None, "too few for the usual one");
        let median = delay.delay_at(0.5, 20, ms(50), origin).unwrap();
        assert!(median > ms(450) && median < ms(550), "{median:?}");
        let late = delay.delay_at(0.98, 20, ms(50), origin).unwrap();
        assert!(late > ms(920), "{late:?}");
        assert_eq!(delay.delay_at(0.5, 20, ms(3_000), origin), Some(ms(3_000)));
        let long_after = origin + Duration::from_secs(3_600);
        assert_eq!(delay.delay_at(0.5, 20, ms(50), long_after), None);
    }

    #[test]
    fn a_hedge_is_paid_in_full_or_not_at_all() {
        let budget = HedgeBudget::new(0.1, 1_000_000);
        assert!(!budget.withdraw(500), "no spend yet, so no dear hedge");
        assert_eq!(budget.balance(), 1.0, "and the call part was not taken");
        assert!(budget.withdraw(0));
        for _ in 0..10 {
            budget.deposit(1000);
        }
        assert!(!budget.withdraw(1001));
        assert!(budget.withdraw(1000));
        for _ in 0..9 {
            budget.deposit(1000);
        }
        assert!(!budget.withdraw(500), "nine calls do not pay for one hedge");
        budget.deposit(0);
        assert!(
            budget.withdraw(900),
            "the refused hedge's money was given back"
        );
        assert!(!budget.withdraw(0));
        budget.refund(900);
        assert!(budget.withdraw(900), "a hedge that was not sent is free");
    }

    #[test]
    fn ten_of_the_cheapest_calls_pay_for_one_more() {
        let budget = HedgeBudget::default();
        for _ in 0..10 {
            budget.deposit(1);
        }
        assert!(budget.withdraw(1));
        assert!(!budget.withdraw(1));
        assert!(!budget.withdraw(u64::MAX));
    }
}
