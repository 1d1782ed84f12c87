//! Tells an operator, once, that a target's error rate has passed `alert_percent` or `escalate_percent`, and that it is well again.
//!
//! A rate is looked at where a call has failed, and while one is known to be high; all other calls cost one read.

use crate::engine::Alert;
use llm_resilience::router::{HopResult, TargetId};
use llm_resilience::{Observer, Report};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// What was told of which target. It outlives reloads, so that nothing is told twice and no end is left untold.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// By name: those of the configuration in force, and no others.
    told: Mutex<HashMap<Arc<str>, Alert>>,
    /// Whether any is above the quiet level.
    some: AtomicBool,
}

impl Alerts {
    /// Knows these targets from now on, and forgets all others.
    pub(crate) fn follow<'a>(&self, names: impl IntoIterator<Item = &'a Arc<str>>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names.into_iter().map(|name| {
            let level = told.get(name).copied().unwrap_or(Alert::Quiet);
            (Arc::clone(name), level)
        });
        *told = names.collect();
        self.set_some(&told);
    }

    fn set_some(&self, told: &HashMap<Arc<str>, Alert>) {
        let some = told.values().any(|level| *level != Alert::Quiet);
        self.some.store(some, Ordering::Relaxed);
    }

    /// Takes in a target's level; what was told before, where that is another one. A call that began before a reload may
    /// still speak of a target that is gone: that is nobody's concern any more.
    fn changed(&self, target: &str, level: Alert) -> Option<Alert> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(told.get_mut(target)?, level);
        if before == level {
            return None;
        }
        self.set_some(&told);
        Some(before)
    }

    fn look(&self, report: &Report<'_>, target: TargetId, now: Instant) {
        let seen = report.table.gate(target).snapshot(now);
        let target = report.table.target_name(target);
        let Some(before) = self.changed(target, seen.alert) else {
            return;
        };
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

    fn names(all: &[&str]) -> Vec<Arc<str>> {
        all.iter().map(|name| Arc::from(*name)).collect()
    }

    #[test]
    fn each_level_is_told_once() {
        let alerts = Alerts::default();
        alerts.follow(&names(&["a"]));
        assert_eq!(alerts.changed("a", Alert::Quiet), None);
        assert_eq!(alerts.changed("a", Alert::Alert), Some(Alert::Quiet));
        assert_eq!(alerts.changed("a", Alert::Alert), None);
        assert!(alerts.some.load(Ordering::Relaxed));
        assert_eq!(alerts.changed("a", Alert::Escalate), Some(Alert::Alert));
        assert_eq!(alerts.changed("a", Alert::Quiet), Some(Alert::Escalate));
        assert!(!alerts.some.load(Ordering::Relaxed));
    }

    #[test]
    fn a_reload_keeps_what_was_told_of_targets_that_stay_and_forgets_the_others() {
        let alerts = Alerts::default();
        alerts.follow(&names(&["a", "b"]));
        alerts.changed("a", Alert::Alert);
        alerts.changed("b", Alert::Escalate);
        alerts.follow(&names(&["b", "c"]));
        assert_eq!(alerts.changed("b", Alert::Escalate), None, "told before");
        // A call that began before the reload ends after it.
        assert_eq!(alerts.changed("a", Alert::Alert), None);
        assert_eq!(alerts.changed("b", Alert::Quiet), Some(Alert::Escalate));
        assert!(
            !alerts.some.load(Ordering::Relaxed),
            "nothing is left of `a`"
        );
        assert_eq!(alerts.told.lock().unwrap().len(), 2);
    }
}
