//! What of a route cannot be meant, found before a table is built of it.

use super::{Policy, Route};
use crate::canary::Canary;
use crate::money::{Allowance, Ledger};

/// The name of a setting, and what it may be.
pub(crate) type Fault = (&'static str, &'static str);

impl Route {
    /// The first setting that cannot be used.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let steps = self.canary.as_ref().map(|(_, steps)| &**steps);
        let steps = steps.filter(|steps| !are_steps(steps));
        self.policy
            .fault()
            .or_else(|| {
                steps.map(|_| {
                    (
                        "canary",
                        "its steps may be 1 to 99 percent, ascending, at most 8",
                    )
                })
            })
            .or_else(|| self.allowance.fault())
    }
}

impl Allowance {
    /// What of it would be dropped.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let many = self.alerts.len() > Ledger::MAX_ALERTS;
        many.then_some(("allowance.alerts", "there may be at most 4"))
    }
}

/// Shares of a trial; none stands for the usual ones.
fn are_steps(steps: &[u8]) -> bool {
    let ascending = steps.is_sorted_by(|a, b| a < b);
    let percentages = steps.iter().all(|step| (1..100).contains(step));
    ascending && percentages && steps.len() <= Canary::MOST_STEPS
}

impl Policy {
    /// The first number that would leave every call without an answer, or be taken for another.
    fn fault(&self) -> Option<Fault> {
        let one = "it may be 1 or more, else nobody is ever asked";
        if self.attempts == 0 {
            return Some(("policy.attempts", one));
        }
        if self.max_sends == 0 {
            return Some(("policy.max_sends", one));
        }
        if self.eject_percent > 100 {
            return Some(("policy.eject_percent", "it may be 0 to 100"));
        }
        let named = |setting| move |mend| (setting, mend);
        let retries = self.retries.fault().map(named("policy.retries"));
        let hedge = self.hedging.budget().fault().map(named("policy.hedging"));
        let learnt = self.learnt.and_then(crate::budget::Learnt::fault);
        retries
            .or(hedge)
            .or_else(|| learnt.map(named("policy.learnt")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Budget, Hedge, Learnt};
    use crate::money::Spend;
    use crate::route::Hedging;

    #[test]
    fn what_cannot_be_meant_is_named() {
        let named = |change: fn(&mut Policy)| {
            let mut policy = Policy::agent();
            change(&mut policy);
            policy.fault().map(|(setting, _)| setting)
        };
        assert_eq!(named(|_| ()), None);
        assert_eq!(named(|policy| policy.attempts = 0), Some("policy.attempts"));
        assert_eq!(
            named(|policy| policy.max_sends = 0),
            Some("policy.max_sends")
        );
        assert_eq!(
            named(|policy| policy.eject_percent = 101),
            Some("policy.eject_percent")
        );
        assert_eq!(
            named(|policy| policy.retries.reserve = 21),
            Some("policy.retries")
        );
        assert_eq!(
            named(|policy| policy.retries = Budget::PROVIDER),
            None,
            "a larger one is fine"
        );
        let off = |policy: &mut Policy| {
            policy.hedging = Hedging::At(Hedge {
                percentile: 100,
                ..Hedge::AT_P90
            });
        };
        assert_eq!(named(off), Some("policy.hedging"));
        let short = |policy: &mut Policy| {
            policy.learnt = Some(Learnt {
                percent: 99,
                ..Learnt::default()
            });
        };
        assert_eq!(named(short), Some("policy.learnt"));
        assert_eq!(named(|policy| policy.learnt = None), None);
    }

    #[test]
    fn steps_and_alerts_that_would_be_dropped_are_named() {
        let route = |steps: &[u8]| Route::new("r").tier(["a"]).canary("b", steps).fault();
        assert_eq!(route(&[]), None);
        assert_eq!(route(&[1, 2, 3, 4, 5, 6, 7, 99]), None);
        for steps in [&[0u8, 5][..], &[5, 5], &[100], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
            assert_eq!(route(steps).map(|(setting, _)| setting), Some("canary"));
        }
        let allowance = Allowance {
            alerts: vec![Spend(1); 5],
            ..Allowance::default()
        };
        let route = Route::new("r").tier(["a"]).allowance(allowance);
        assert_eq!(
            route.fault().map(|(setting, _)| setting),
            Some("allowance.alerts")
        );
    }
}
