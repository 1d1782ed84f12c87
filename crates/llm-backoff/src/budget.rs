//! How many retries the traffic as a whole may cost.
//!
//! A token bucket funded by **successes** (Finagle's and gRPC's idea): each success deposits `ratio` of a token, each
//! retry or hedge withdraws one. While nothing succeeds nothing is deposited, so a full outage costs at most the
//! balance once and then no retry at all: load does not multiply exactly when the provider can bear it least.
//! Share one budget per failure domain (provider and region), between retries and hedges.
//!
//! Everything is one atomic counter in thousandths of a token. A withdrawal is one compare-and-swap that either takes
//! the whole cost or nothing, so the balance never goes below zero and never above the capacity.

use std::sync::atomic::{AtomicU32, Ordering};

const TOKEN: u32 = 1000;
const TOKEN_F64: f64 = 1000.0;

/// Default capacity, in tokens.
const CAPACITY: u32 = 100;

/// The largest capacity, in tokens: about two million.
const CAPACITY_MAX: u32 = u32::MAX / TOKEN / 2;

/// A token bucket shared by all retries and hedges of one failure domain.
///
/// The default allows one retry for five successes (20 %), holds at most 100 and starts with a reserve of 10 so that
/// the first failures of a new process may be retried.
///
/// It can be a `static`, be shared in an `Arc`, or live beside what it protects:
///
/// ```
/// use llm_backoff::RetryBudget;
///
/// static DATABASE: RetryBudget = RetryBudget::new(0.1, 10);
/// assert!(DATABASE.withdraw());
/// ```
#[derive(Debug)]
pub struct RetryBudget {
    balance: AtomicU32,
    deposit: u32,
    capacity: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(0.2, 10)
    }
}

impl RetryBudget {
    /// A budget of `ratio` retries per success (clamped to `0.0..=1.0`, to the thousandth; not a number counts as 0), starting with
    /// `reserve` tokens. The bucket holds at most 100 tokens, or the reserve if that is more.
    #[must_use]
    pub const fn new(ratio: f64, reserve: u32) -> Self {
        let capacity = if reserve > CAPACITY {
            reserve
        } else {
            CAPACITY
        };
        Self::with_capacity(ratio, reserve, capacity)
    }

    /// The same with the most tokens the bucket may hold (two million at most); it bounds the burst of retries after a long healthy
    /// time. A reserve above it is cut down to it.
    #[must_use]
    pub const fn with_capacity(ratio: f64, reserve: u32, capacity: u32) -> Self {
        let capacity = if capacity > CAPACITY_MAX {
            CAPACITY_MAX
        } else {
            capacity
        };
        let reserve = if reserve > capacity {
            capacity
        } else {
            reserve
        };
        Self {
            balance: AtomicU32::new(reserve * TOKEN),
            deposit: thousandths(ratio),
            capacity: capacity * TOKEN,
        }
    }

    /// Books a success.
    pub fn deposit(&self) {
        self.add(self.deposit);
    }

    /// Takes one token for a retry or a hedge. `false`: there is none, so do not send it.
    #[must_use = "a retry that was not paid for must not be sent"]
    pub fn withdraw(&self) -> bool {
        self.take(TOKEN)
    }

    /// Takes a part of a token, for retries that cost the provider less (a refused request against one that ran).
    /// `share` is clamped to `0.0..=1.0` and counts to the thousandth; what is no number costs a whole token.
    #[must_use = "a retry that was not paid for must not be sent"]
    pub fn withdraw_part(&self, share: f64) -> bool {
        self.take(thousandths(if share.is_nan() { 1.0 } else { share }))
    }

    /// Gives back one token that was withdrawn for a retry that was then not sent.
    pub fn refund(&self) {
        self.add(TOKEN);
    }

    /// What is left, in tokens.
    #[must_use]
    pub fn balance(&self) -> f64 {
        f64::from(self.balance.load(Ordering::Relaxed)) / TOKEN_F64
    }

    fn add(&self, amount: u32) {
        // A full bucket is the usual case: do not write to a line that all callers share.
        let mut seen = self.balance.load(Ordering::Relaxed);
        while seen < self.capacity {
            let next = (seen + amount).min(self.capacity);
            match self.balance.compare_exchange_weak(
                seen,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    fn take(&self, cost: u32) -> bool {
        let mut seen = self.balance.load(Ordering::Relaxed);
        while let Some(next) = seen.checked_sub(cost) {
            match self.balance.compare_exchange_weak(
                seen,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }
}

/// A ratio as thousandths, rounded, within one token.
pub(crate) const fn thousandths(ratio: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=1000; not a number becomes 0"
    )]
    let parts = (ratio.clamp(0.0, 1.0) * TOKEN_F64).round() as u32;
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn five_successes_pay_for_one_retry() {
        let budget = RetryBudget::new(0.2, 0);
        for _ in 0..4 {
            budget.deposit();
            assert!(!budget.withdraw());
        }
        budget.deposit();
        assert!(budget.withdraw());
        assert!(!budget.withdraw());
    }

    #[test]
    fn a_full_outage_costs_the_balance_once() {
        let budget = RetryBudget::default();
        for _ in 0..10_000 {
            budget.deposit();
        }
        let retries = (0..100_000).filter(|_| budget.withdraw()).count();
        assert_eq!(retries, 100);
    }

    #[test]
    fn a_ratio_that_is_no_number_funds_nothing() {
        let budget = RetryBudget::new(f64::NAN, 0);
        budget.deposit();
        assert_eq!(budget.balance(), 0.0);
        assert_eq!(RetryBudget::new(7.0, u32::MAX).deposit, 1000);
        assert!(!budget.withdraw_part(f64::NAN), "nor is one for nothing");
    }

    #[test]
    fn threads_never_overdraw() {
        let budget = RetryBudget::new(0.2, 50);
        let taken: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).filter(|_| budget.withdraw()).count()))
                .collect();
            workers.into_iter().map(|w| w.join().unwrap()).sum()
        });
        assert_eq!(taken, 50);
    }

    proptest! {
        /// Conservation: the balance is exactly what went in less what went out, clipped at the capacity.
        #[test]
        fn tokens_are_conserved(ratio in 0.0f64..=1.0, reserve in 0u32..200, steps in prop::collection::vec(0u8..3, 0..400)) {
            let budget = RetryBudget::new(ratio, reserve);
            let cap = i64::from(reserve.max(100)) * 1000;
            let mut model = i64::from(reserve) * 1000;
            for step in steps {
                match step {
                    0 => { budget.deposit(); model = (model + i64::from(thousandths(ratio))).min(cap); }
                    1 => { budget.refund(); model = (model + 1000).min(cap); }
                    _ => {
                        let paid = budget.withdraw();
                        prop_assert_eq!(paid, model >= 1000);
                        if paid { model -= 1000; }
                    }
                }
                prop_assert_eq!(budget.balance(), model as f64 / 1000.0);
            }
        }

        /// With a fraction of calls failing, retries never pass the ratio of successes plus the reserve.
        #[test]
        fn amplification_is_bounded(failing in 0.0f64..=1.0, seed: u64) {
            use rand::{RngExt, SeedableRng, rngs::SmallRng};
            let mut rng = SmallRng::seed_from_u64(seed);
            let budget = RetryBudget::default();
            let (mut calls, mut good) = (0u32, 0u32);
            for _ in 0..2000 {
                for attempt in 0..4 {
                    if attempt > 0 && !budget.withdraw() { break; }
                    calls += 1;
                    if rng.random::<f64>() >= failing { budget.deposit(); good += 1; break; }
                }
            }
            prop_assert!(f64::from(calls) <= 2000.0 + 10.0 + 0.2 * f64::from(good) + 1.0);
        }
    }
}
