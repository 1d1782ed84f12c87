//! How many calls may be made beside those that are needed: again, or twice.

use llm_backoff::{HedgeBudget, RetryBudget};
use std::time::Duration;

/// What repeated calls may come to: a share of what funds them, a reserve to begin with, and the most that is saved up.
///
/// A table takes over what is left in a budget from the table before unless these numbers have changed: then it begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Repeated calls for a hundred, 0 to 100.
    pub percent: u32,
    /// Calls in store at the beginning, at most `most`.
    pub reserve: u32,
    /// Calls in store at the most, 1 to 1 000 000.
    pub most: u32,
}

impl Budget {
    /// Of a provider's region: one repeated call for five that succeed, 10 in reserve, 100 saved up. Many routes draw on it.
    pub const PROVIDER: Self = Self {
        percent: 20,
        reserve: 10,
        most: 100,
    };

    /// Of a route: one repeated call for about seven requests, 10 in reserve, 20 saved up. So, with everything down and nothing learnt to be so,
    /// calls stay within a fifth of the requests beyond the first pass over the targets, however much a healthy past has put into the
    /// providers' budgets.
    pub const ROUTE: Self = Self {
        percent: 15,
        reserve: 10,
        most: 20,
    };

    pub(crate) fn open(self) -> RetryBudget {
        RetryBudget::with_capacity(share(self.percent), self.reserve, self.most)
    }

    /// What is wrong with it, and the mend.
    pub(crate) const fn fault(self) -> Option<&'static str> {
        if self.percent > 100 || self.most == 0 || self.most > 1_000_000 || self.reserve > self.most
        {
            Some("percent may be 0 to 100, most 1 to 1 000 000, reserve at most most")
        } else {
            None
        }
    }
}

/// When a second target is asked beside one that is merely late, and how often. [`Hedge::AT_P90`] is what [`Hedging::AtP90`](crate::Hedging) does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hedge {
    /// After what percentile of the times callers usually see, 1 to 99.
    pub percentile: u8,
    /// From how many recent calls on, 1 to 10 000.
    pub samples: u32,
    /// Never before this.
    pub floor: Duration,
    /// Hedges for a hundred calls that succeed, 0 to 100.
    pub percent: u32,
    /// Hedges saved up at the most, 1 to 1 000 000.
    pub most: u32,
}

impl Hedge {
    /// At the p90 of 100 calls and more, never before 50 ms, for one call in ten, 20 saved up.
    pub const AT_P90: Self = Self {
        percentile: 90,
        samples: 100,
        floor: Duration::from_millis(50),
        percent: 10,
        most: 20,
    };

    pub(crate) fn open(self) -> HedgeBudget {
        HedgeBudget::with_capacity(share(self.percent), self.most, 1_000_000)
    }

    /// Whether the delay is the one that is known at any time.
    pub(crate) fn is_usual(&self) -> bool {
        let usual = Self::AT_P90;
        self.percentile == usual.percentile
            && self.samples == usual.samples
            && self.floor == usual.floor
    }

    pub(crate) fn quantile(&self) -> f64 {
        f64::from(self.percentile) / 100.0
    }

    /// What is wrong with it, and the mend.
    pub(crate) const fn fault(&self) -> Option<&'static str> {
        let timely = matches!(self.percentile, 1..=99) && matches!(self.samples, 1..=10_000);
        if timely && self.percent <= 100 && matches!(self.most, 1..=1_000_000) {
            None
        } else {
            Some(
                "percentile may be 1 to 99, samples 1 to 10 000, percent 0 to 100, most 1 to 1 000 000",
            )
        }
    }
}

impl Default for Hedge {
    fn default() -> Self {
        Self::AT_P90
    }
}

/// How what was learnt of a target shortens the window of an attempt, while another target is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learnt {
    /// Percent of the p99 of its like, 100 to 1000.
    pub percent: u32,
    /// Never below this.
    pub floor: Duration,
}

impl Default for Learnt {
    /// Twice the p99, never below 2 s.
    fn default() -> Self {
        Self {
            percent: 200,
            floor: Duration::from_secs(2),
        }
    }
}

impl Learnt {
    /// The window by this p99.
    pub(crate) fn window(self, p99: Duration) -> Duration {
        let window = p99.saturating_mul(self.percent) / 100;
        window.max(self.floor)
    }

    /// What is wrong with it, and the mend.
    pub(crate) const fn fault(self) -> Option<&'static str> {
        match self.percent {
            100..=1_000 => None,
            _ => Some("percent may be 100 to 1000; None for no learnt window"),
        }
    }
}

/// Percent as a part of one.
fn share(percent: u32) -> f64 {
    f64::from(percent) / 100.0
}
