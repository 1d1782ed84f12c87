//! Who is told how each request went.

use llm_errors::ErrorKind;
use llm_providers::Facts;
use llm_router::{CanaryVerdict, Payer, Table, Trace};
use std::fmt;
use std::time::Duration;

use crate::degrade::Mode;

/// Told once of every request, when it is over. Metrics, logs and pages are observers.
///
/// Called on the request's own task: be quick, never block.
pub trait Observer: Send + Sync + fmt::Debug {
    /// One request is over.
    fn finished(&self, report: &Report<'_>);
}

/// How one request went.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Report<'a> {
    /// The table whose names the trace refers to.
    pub table: &'a Table,
    /// Every upstream call, with verdicts, waits and tokens.
    pub trace: &'a Trace,
    /// What the caller got.
    pub outcome: Outcome,
    /// What the answering provider told: its model's name, tokens, finish reason.
    pub facts: Option<&'a Facts>,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// From the request to its end.
    pub took: Duration,
}

/// What the caller got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A target's answer.
    Answered,
    /// A degraded answer.
    Degraded(Mode),
    /// An error of this kind.
    Failed(ErrorKind),
    /// Nothing: the caller left first.
    Cancelled,
}

impl Outcome {
    /// The stable name, for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Degraded(_) => "degraded",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Writes each request to `tracing`: one event a failed hop, one a request. Never a prompt, an
/// answer or a key.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Log;

impl Observer for Log {
    fn finished(&self, report: &Report<'_>) {
        let route = report.table.route_name(report.trace.route);
        for hop in &report.trace.hops {
            if let llm_router::HopResult::Failed(verdict) = hop.result {
                let target = report.table.target_name(hop.target);
                if verdict.advice.alert {
                    tracing::error!(
                        route, target, error.type = verdict.kind.as_str(),
                        scope = verdict.scope.as_str(),
                        "an operator is needed: the target is set aside"
                    );
                } else {
                    tracing::warn!(
                        route, target, error.type = verdict.kind.as_str(),
                        phase = verdict.phase.as_str(),
                        "upstream call failed"
                    );
                }
            }
        }
        for seen in &report.trace.changes {
            let target = report.table.target_name(seen.target);
            let (scope, change) = (seen.scope.as_str(), seen.change);
            tracing::warn!(route, target, scope, ?change, "health changed");
        }
        if let Some((target, verdict)) = report.trace.canary {
            let target = report.table.target_name(target);
            match verdict {
                CanaryVerdict::Stop(reason) => {
                    let reason = reason.as_str();
                    tracing::error!(route, target, reason, "the canary is stopped");
                }
                CanaryVerdict::Promote(share) => {
                    tracing::info!(route, target, share, "the canary takes its next step");
                }
                CanaryVerdict::Continue => {}
            }
        }
        for alert in &report.trace.alerts {
            let payer = match alert.payer {
                Payer::Target(target) => report.table.target_name(target),
                Payer::Route => "the route",
            };
            let (threshold, spent) = (alert.threshold, alert.spent);
            tracing::error!(route, payer, %threshold, %spent, "the spend of the last hour is high");
        }
        tracing::debug!(
            route,
            outcome = report.outcome.as_str(),
            sends = report.trace.sends(),
            took_ms = u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
            trail = %report.trace.describe(report.table),
            "request finished"
        );
    }
}
