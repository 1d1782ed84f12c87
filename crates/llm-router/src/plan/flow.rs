//! A stream that has come to its end tells how fast its target's answers flow.

use super::{AttemptId, Plan};
use crate::detector::Detector;
use crate::flow::is_faster;
use llm_breaker::TripReason;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Plan {
    /// Notes how long each token of a stream took after the first, as far as that was the target's doing; said before the event that
    /// ends the stream. A target whose streams flow much slower than they did, for longer than a wave of load lasts, is left for one
    /// that is faster.
    pub fn flowed(&mut self, attempt: AttemptId, per_token: Duration, now: Instant) {
        let Some(hop) = self.trace.hops.get(attempt.index()) else {
            return;
        };
        let (target, sent_at) = (hop.target, self.started + hop.sent_after);
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let slot = table.slot(target);
        let health = &slot.health;
        if health.vitals.thinks(&self.request) {
            // Between its thoughts it rests for as long as the question is hard.
            return;
        }
        let usual = health.gate.per_token();
        health.vitals.flowed(usual, per_token, sent_at, now);
        if !health.vitals.flows_slowly(usual, now) || !slot.facts.detectors.contains(Detector::Flow)
        {
            return;
        }
        let mut candidates = route.candidates.iter().zip(0u8..);
        let Some((_, position)) = candidates.find(|(one, _)| one.target == target) else {
            return;
        };
        let faster = self
            .ready_others(&table, route, position, now)
            .map(|(_, other)| &other.health.gate)
            .any(|other| other.share(now) >= 1.0 && is_faster(other.per_token(), usual));
        if faster && self.may_eject(&table, route, target, TripReason::Latency, now) {
            self.leave_as_slow(slot, target, now);
        }
    }
}
