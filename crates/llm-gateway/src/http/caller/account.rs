//! What one caller has spent in the last hour, and may spend.
//!
//! Costs are known when a call is over, so whoever is below the sum is let in, and whoever has reached it is not: calls under way
//! together may pass it by what they cost.

use crate::config::Caller;
use crate::engine::{Ledger, Spend};
use crate::metrics::Metrics;
use crate::reply::Problem;
use llm_resilience::{Observer, Report};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When somebody who has spent his hour may come again: sums leave it minute by minute.
const NEXT_SUM: Duration = Duration::from_secs(60);

/// The hour of one caller.
#[derive(Debug)]
pub(super) struct Account {
    caller: Arc<str>,
    cap: Option<Spend>,
    /// Shared by all accounts of one name, over reloads.
    hour: Arc<Ledger>,
}

/// Where the cost of one call is put down when it is over.
#[derive(Debug)]
struct Bill {
    account: Arc<Account>,
    metrics: Arc<Metrics>,
}

impl Account {
    /// The account of `caller`, with what was spent on the account `before` it.
    pub(super) fn new(caller: &Caller, before: Option<&Self>) -> Self {
        let alerts = &caller.spend.alerts;
        let hour = match before {
            Some(before) => {
                before.hour.limit(None, alerts);
                Arc::clone(&before.hour)
            }
            // The cap is looked at here, since what has run is put down whether or not it passes it.
            None => Arc::new(Ledger::new(None, alerts, now())),
        };
        Self {
            caller: caller.name.as_str().into(),
            cap: caller.spend.per_hour,
            hour,
        }
    }

    /// Lets a call in.
    ///
    /// # Errors
    ///
    /// The sum of the hour that is spent.
    pub(super) fn enter(&self) -> Result<(), Problem> {
        match self.cap {
            Some(cap) if self.hour.spent(now()) >= cap => Err(Problem::CallerSpent(cap, NEXT_SUM)),
            _ => Ok(()),
        }
    }

    /// Who puts down what one call costs.
    pub(super) fn bill(self: &Arc<Self>, metrics: &Arc<Metrics>) -> Arc<dyn Observer> {
        Arc::new(Bill {
            account: Arc::clone(self),
            metrics: Arc::clone(metrics),
        })
    }

    /// Puts a sum down; the alert that this crossed.
    fn charge(&self, cost: Spend, now: Instant) -> Option<Spend> {
        let earmark = self.hour.reserve(Spend(0), now).ok()?;
        self.hour.settle(earmark, cost, now)
    }
}

impl Observer for Bill {
    fn finished(&self, report: &Report<'_>) {
        let cost = report.trace.cost();
        if cost == Spend(0) {
            return;
        }
        let caller = &self.account.caller;
        let now = now();
        let crossed = self.account.charge(cost, now);
        if let Some(threshold) = crossed {
            let spent = self.account.hour.spent(now);
            tracing::error!(caller = &**caller, %threshold, %spent, "what a caller spent in the last hour is high");
        }
        self.metrics.charged(caller, cost, crossed.is_some());
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
