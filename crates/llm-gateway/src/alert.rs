//! Tells an operator, once, that a target's error rate has passed `alert_percent` or `escalate_percent`, and that it is well again.
//!
//! A rate is looked at where a call has failed, and while one is known to be high; all other calls cost one read.

use crate::engine::Alert;
use llm_resilience::router::{HopResult, TargetId};
use llm_resilience::{Observer, Report};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What was told of which target.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Levels above the quiet one: at most one a target of the table.
    told: Mutex<HashMap<TargetId, Alert>>,
    /// Whether there is any.
    some: AtomicBool,
}

impl Alerts {
    /// Takes in a target's level; what was told before, where that is another one.
    fn changed(&self, target: TargetId, level: Alert) -> Option<Alert> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match level {
            Alert::Quiet => told.remove(&target),
            level => told.insert(target, level),
        };
        self.some.store(!told.is_empty(), Ordering::Relaxed);
        let before = before.unwrap_or(Alert::Quiet);
        (before != level).then_some(before)
    }

    fn look(&self, report: &Report<'_>, target: TargetId, now: Instant) {
        let seen = report.table.gate(target).snapshot(now);
        let Some(before) = self.changed(target, seen.alert) else {
            return;
        };
        let target = report.table.target_name(target);
        let error_rate = seen.error_rate;
        match seen.alert {
            Alert::Escalate => tracing::error!(target, error_rate, "the error rate is very high"),
            Alert::Alert if before == Alert::Quiet => {
                tracing::warn!(target, error_rate, "the error rate is high");
            }
            Alert::Alert => tracing::warn!(target, error_rate, "the error rate is still high"),
            Alert::Quiet => tracing::info!(target, error_rate, "the error rate is as usual again"),
        }
    }
}

impl Observer for Alerts {
    fn finished(&self, report: &Report<'_>) {
        let high = self.some.load(Ordering::Relaxed);
        for hop in &report.trace.hops {
            if high || matches!(hop.result, HopResult::Failed(_)) {
                self.look(report, hop.target, tokio::time::Instant::now().into_std());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llm_resilience::router::{Route, Table, Target};

    #[test]
    fn each_level_is_told_once() {
        let alerts = Alerts::default();
        let table = Table::builder().target(Target::new("a", "openai"));
        let table = table.route(Route::new("r").tier(["a"]));
        let table = table.build(tokio::time::Instant::now().into_std()).unwrap();
        let target = table.targets().next().unwrap();
        assert_eq!(alerts.changed(target, Alert::Quiet), None);
        assert_eq!(alerts.changed(target, Alert::Alert), Some(Alert::Quiet));
        assert_eq!(alerts.changed(target, Alert::Alert), None);
        assert!(alerts.some.load(Ordering::Relaxed));
        assert_eq!(alerts.changed(target, Alert::Escalate), Some(Alert::Alert));
        assert_eq!(alerts.changed(target, Alert::Quiet), Some(Alert::Escalate));
        assert!(!alerts.some.load(Ordering::Relaxed));
    }
}
