//! What is counted of money, trials, and of what is passed over: targets, and events that are none.

use super::{TargetLabels, TargetTexts};
use crate::engine::{Alert, CanaryState, Client, Payer, Scope, Spend};
use llm_resilience::Report;
use llm_resilience::breaker::State;
use llm_resilience::router::{CanaryVerdict, Refused};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SpendLabels {
    route: Arc<str>,
    target: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AlertLabels {
    /// `route`, `target` or `caller`.
    of: &'static str,
    name: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassedOverLabels {
    target: Arc<str>,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    route: Arc<str>,
    target: Arc<str>,
    /// `step`, `promoted`, or what it was stopped for.
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    target: Arc<str>,
    scope: &'static str,
    change: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabels {
    target: Arc<str>,
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallerLabels {
    caller: Arc<str>,
}

/// These counts. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Policy {
    spend: Family<SpendLabels, Counter<f64, AtomicU64>>,
    caller_spend: Family<CallerLabels, Counter<f64, AtomicU64>>,
    alerts: Family<AlertLabels, Counter>,
    passed_over: Family<PassedOverLabels, Counter>,
    canary_share: Family<SpendLabels, Gauge>,
    canary_events: Family<EventLabels, Counter>,
    scope_open: Family<ScopeLabels, Gauge>,
    changes: Family<ChangeLabels, Counter>,
    spared: Family<TargetLabels, Counter>,
    error_rate: Family<TargetLabels, Gauge<f64, AtomicU64>>,
    alert: Family<TargetLabels, Gauge>,
    broken_events: Family<TargetLabels, Counter>,
}

impl Policy {
    pub(super) fn register(&self, ours: &mut Registry) {
        ours.register(
            "spend_usd",
            "What upstream calls cost, in US dollars, by the prices configured",
            self.spend.clone(),
        );
        ours.register(
            "caller_spend_usd",
            "What upstream calls for a caller cost, in US dollars, by the prices configured",
            self.caller_spend.clone(),
        );
        ours.register(
            "spend_alerts",
            "Times that the spend of an hour crossed one of its alerts",
            self.alerts.clone(),
        );
        ours.register(
            "passed_over",
            "Times that a target was passed over in favour of another one, or of none, and why",
            self.passed_over.clone(),
        );
        ours.register(
            "canary_share",
            "Share of the callers that a target on trial gets, in percent; 0: stopped",
            self.canary_share.clone(),
        );
        ours.register(
            "canary_events",
            "Steps of trials, promotions, and stops by their reason",
            self.canary_events.clone(),
        );
        ours.register(
            "scope_open",
            "1 where what a target shares with others is set aside",
            self.scope_open.clone(),
        );
        ours.register(
            "health_changes",
            "Changes of a breaker: of a target's own, or of one for what it shares with others",
            self.changes.clone(),
        );
        ours.register(
            "spared",
            "Times that a detector would have set a target aside, if half of its route were not already",
            self.spared.clone(),
        );
        ours.register(
            "target_error_rate",
            "Share of the calls of the last half minute that were not good",
            self.error_rate.clone(),
        );
        ours.register(
            "target_alert",
            "1 where that is above alert_percent, 2 above escalate_percent, 0 where it is not or where calls are too few",
            self.alert.clone(),
        );
        ours.register(
            "broken_events",
            "Events of streamed answers that could not be read",
            self.broken_events.clone(),
        );
    }

    /// Forgets what is shown of targets that may be gone.
    pub(super) fn forget_states(&self) {
        self.canary_share.clear();
        self.scope_open.clear();
        self.error_rate.clear();
        self.alert.clear();
    }

    /// Takes in what a call of this caller cost, and whether it crossed an alert of the caller's.
    pub(super) fn charged(&self, caller: &Arc<str>, cost: Spend, alert: bool) {
        let labels = CallerLabels {
            caller: Arc::clone(caller),
        };
        let spend = self.caller_spend.get_or_create(&labels);
        spend.inc_by(dollars(cost));
        if alert {
            let labels = AlertLabels {
                of: "caller",
                name: Arc::clone(caller),
            };
            self.alerts.get_or_create(&labels).inc();
        }
    }

    pub(super) fn finished(&self, report: &Report<'_>, route: &Arc<str>, targets: &[TargetTexts]) {
        let name = |index: usize| targets.get(index).map(|texts| Arc::clone(&texts.name));
        let trace = report.trace;
        for hop in &trace.hops {
            if hop.cost.0 > 0
                && let Some(target) = name(hop.target.index())
            {
                let route = Arc::clone(route);
                self.spend
                    .get_or_create(&SpendLabels { route, target })
                    .inc_by(dollars(hop.cost));
            }
            if hop.broken_events > 0
                && let Some(target) = name(hop.target.index())
            {
                self.broken_events
                    .get_or_create(&TargetLabels { target })
                    .inc_by(hop.broken_events.into());
            }
            self.passed_over(&hop.passed_over, targets);
        }
        self.passed_over(&trace.refused, targets);
        for seen in &trace.changes {
            if let Some(target) = name(seen.target.index()) {
                let labels = ChangeLabels {
                    target,
                    scope: seen.scope.as_str(),
                    change: seen.change.as_str(),
                    reason: seen.change.reason().as_str(),
                };
                self.changes.get_or_create(&labels).inc();
            }
        }
        for alert in &trace.alerts {
            let (of, name) = match alert.payer {
                Payer::Route => ("route", Some(Arc::clone(route))),
                Payer::Target(target) => ("target", name(target.index())),
            };
            if let Some(name) = name {
                self.alerts.get_or_create(&AlertLabels { of, name }).inc();
            }
        }
        if let Some((target, verdict)) = trace.canary
            && let Some(target) = name(target.index())
        {
            let event = match verdict {
                CanaryVerdict::Promote(100) => "promoted",
                CanaryVerdict::Promote(_) => "step",
                CanaryVerdict::Stop(reason) => reason.as_str(),
                CanaryVerdict::Continue => return,
            };
            let route = Arc::clone(route);
            let labels = EventLabels {
                route,
                target,
                event,
            };
            self.canary_events.get_or_create(&labels).inc();
        }
        for (target, _) in &trace.spared {
            if let Some(target) = name(target.index()) {
                self.spared.get_or_create(&TargetLabels { target }).inc();
            }
        }
    }

    fn passed_over(&self, refused: &[Refused], targets: &[TargetTexts]) {
        for refused in refused {
            if let Some(texts) = targets.get(refused.target.index()) {
                let labels = PassedOverLabels {
                    target: Arc::clone(&texts.name),
                    reason: refused.reason.as_str(),
                };
                self.passed_over.get_or_create(&labels).inc();
            }
        }
    }

    /// Takes in how trials and shared scopes stand.
    pub(super) fn look(&self, client: &Client, now: Instant) {
        let table = client.table();
        for route in table.route_names().filter_map(|name| table.route(name)) {
            if let Some((target, state)) = table.canary(route) {
                let labels = SpendLabels {
                    route: Arc::from(table.route_name(route)),
                    target: Arc::from(table.target_name(target)),
                };
                let share = match state {
                    CanaryState::Running(share) => share,
                    CanaryState::Promoted => 100,
                    CanaryState::Stopped(_) => 0,
                };
                self.canary_share
                    .get_or_create(&labels)
                    .set(i64::from(share));
            }
        }
        for target in table.targets() {
            let seen = table.gate(target).snapshot(now);
            let labels = TargetLabels {
                target: Arc::from(table.target_name(target)),
            };
            self.error_rate.get_or_create(&labels).set(seen.error_rate);
            let level = match seen.alert {
                Alert::Quiet => 0,
                Alert::Alert => 1,
                Alert::Escalate => 2,
            };
            self.alert.get_or_create(&labels).set(level);
            for scope in [
                Scope::Credential,
                Scope::Organisation,
                Scope::Model,
                Scope::Region,
                Scope::Provider,
            ] {
                let gate = table.scope_gate(target, scope);
                let alone = std::ptr::eq(gate, table.gate(target));
                let open = !alone && gate.snapshot(now).state != State::Closed;
                let labels = ScopeLabels {
                    target: Arc::from(table.target_name(target)),
                    scope: scope.as_str(),
                };
                // Shown from its first opening on: nearly all are never open.
                if open || self.scope_open.get(&labels).is_some() {
                    self.scope_open.get_or_create(&labels).set(i64::from(open));
                }
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a call costs less than 2^52 millionths"
)]
fn dollars(cost: Spend) -> f64 {
    cost.0 as f64 / 1e6
}
