//! Who is told how each request went.

use llm_breaker::TripReason;
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
    /// What the caller of this library calls the request; empty where it gave no name.
    pub request_id: &'a str,
    /// Every upstream call, with verdicts, waits and tokens.
    pub trace: &'a Trace,
    /// What providers told with their failures, in the order they came.
    pub told: &'a [Told],
    /// What the caller got.
    pub outcome: Outcome,
    /// What the answering provider told: its model's name, tokens, finish reason.
    pub facts: Option<&'a Facts>,
    /// Whether the caller asked for a stream.
    pub streamed: bool,
    /// From the request to its end.
    pub took: Duration,
}

/// What a provider told with a failure, for whoever asks it what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// Which upstream call failed: its place among the trace's hops.
    pub hop: usize,
    /// The HTTP status, where a reply came. It may be 200: an error inside an answer or a stream.
    pub status: Option<u16>,
    /// The provider's own name for the request, of at most 256 bytes.
    pub provider_request_id: Option<Box<str>>,
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
        let request_id = (!report.request_id.is_empty()).then_some(report.request_id);
        for (index, hop) in report.trace.hops.iter().enumerate() {
            if let llm_router::HopResult::Failed(verdict) = hop.result {
                let target = report.table.target_name(hop.target);
                let told = report.told.iter().rev().find(|told| told.hop == index);
                let status = told.and_then(|told| told.status);
                let provider_request_id = told.and_then(|told| told.provider_request_id.as_deref());
                let ended = hop.ended_after.unwrap_or(hop.sent_after);
                let took_ms = millis(ended.saturating_sub(hop.sent_after));
                let retry_after_ms = verdict.retry_after().map(millis);
                let outcome = report.outcome.as_str();
                if verdict.advice.alert {
                    tracing::error!(
                        request_id, route, target, error.type = verdict.kind.as_str(),
                        scope = verdict.scope.as_str(),
                        status, provider_request_id, retry_after_ms, took_ms, outcome,
                        "an operator is needed: the target is set aside"
                    );
                } else {
                    tracing::warn!(
                        request_id, route, target, error.type = verdict.kind.as_str(),
                        phase = verdict.phase.as_str(),
                        status, provider_request_id, retry_after_ms, took_ms, outcome,
                        "upstream call failed"
                    );
                }
            }
        }
        for seen in &report.trace.changes {
            let target = report.table.target_name(seen.target);
            let (scope, change) = (seen.scope.as_str(), seen.change.as_str());
            let reason = seen.change.reason();
            let reason = (reason != TripReason::None).then_some(reason.as_str());
            tracing::warn!(route, target, scope, change, reason, "health changed");
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
            request_id,
            route,
            outcome = report.outcome.as_str(),
            sends = report.trace.sends(),
            took_ms = millis(report.took),
            trail = %report.trace.describe(report.table),
            "request finished"
        );
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
