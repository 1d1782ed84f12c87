//! The probe: who has it, when it may have answered, and when it counts as lost.
//!
//! Whoever has it has a lease, known by the instant it ends. When that is over another probe may be sent, so a lost one costs a lease and
//! no more; but the first is not forgotten. It was sent in the same opening, and whichever probe ends first decides. Were the answer of one that
//! outlasts its lease dropped, a target that always takes longer than that, as a model that thinks may, would never come back.
//!
//! Others cannot know when it will have answered. They are told the usual time to first token after it was sent, or one second where that is not known;
//! then twice that, four times and so on, up to the end of the lease. So who asks when told waits at most as long again as it took, and asks
//! but a few times. What lets no crowd in is the ramp, not the waiting.

use std::time::{Duration, Instant};

use crate::breaker::Breaker;
use crate::config::millis;
use crate::gate::{Gate, Phase};
use crate::sync::Ordering;
use crate::ticket::{Kind, Ticket};

/// How long a target that is not known is thought to take.
const UNKNOWN: Duration = Duration::from_secs(1);

impl Breaker {
    /// Makes the caller the probe, of this opening or in place of one whose lease is over; or the gate that has changed meanwhile.
    pub(crate) fn send_probe(&self, gate: Gate, t: u64) -> Result<Ticket, Gate> {
        let until = t + self.settings.lease();
        let next = if gate.phase() == Phase::HalfOpen {
            gate.stay(Phase::HalfOpen, gate.reason(), until)
        } else {
            gate.enter(Phase::HalfOpen, gate.reason(), until)
        };
        self.swap(gate, next)
            .map(|()| Ticket::probe(next.epoch(), lease_of(next)))
    }

    /// Ends the ticket's own lease, so that the next call is the probe; that of another probe goes on.
    pub(crate) fn free_lease(&self, ticket: &Ticket) {
        let mut gate = Gate(self.hot.gate.load(Ordering::Acquire));
        while ticket.kind == Kind::Probe
            && gate.phase() == Phase::HalfOpen
            && gate.epoch() == ticket.epoch
            && lease_of(gate) == ticket.lease
        {
            match self.swap(gate, gate.stay(Phase::HalfOpen, gate.reason(), 0)) {
                Ok(()) => return,
                Err(seen) => gate = seen,
            }
        }
    }

    /// Until when a gate that is open or half-open lets nobody in, as far as can be told.
    pub(crate) fn asks_again_at(&self, gate: Gate, t: u64) -> u64 {
        if gate.phase() != Phase::HalfOpen || gate.until() <= t {
            return gate.until();
        }
        let sent = gate.until().saturating_sub(self.settings.lease()).min(t);
        let usual = self.first_token.typical().unwrap_or(UNKNOWN);
        let usual = millis(usual).max(1);
        let spans = ((t - sent) / usual + 1).next_power_of_two();
        sent.saturating_add(usual.saturating_mul(spans))
            .min(gate.until())
    }

    pub(crate) fn instant(&self, ms: u64) -> Instant {
        self.origin
            .checked_add(Duration::from_millis(ms))
            .unwrap_or(self.origin)
    }
}

/// What tells leases of one opening apart: the low half of when they end. None ends when another does, as they follow each other.
#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn lease_of(gate: Gate) -> u32 {
    gate.until() as u32
}
