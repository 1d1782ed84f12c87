//! Which life of the breaker a result belongs to. That of a stream is one result, told in two parts.

use std::time::Instant;

use crate::breaker::Breaker;
use crate::gate::{Gate, Mode, Phase};
use crate::outcome::{Change, Outcome};
use crate::reason::TripReason;
use crate::sync::Ordering;
use crate::ticket::{Kind, Ticket};
use crate::trip::Told;

impl Breaker {
    /// Books that the stream of a call has begun, which may be minutes before it ends. The ticket is kept, and settled when the stream is over.
    ///
    /// From its first token the call counts as good: a probe starts the ramp, a streak of calls that fail at once is over. If it then
    /// breaks, [`settle`](Self::settle) puts the failure in the place of the good result; whoever abandons it leaves it at the good
    /// one. The end counts in the life of the breaker it was admitted in, a probe's in the ramp it began.
    pub fn begin(&self, ticket: &mut Ticket, now: Instant) -> Option<Change> {
        if ticket.kind == Kind::Stream {
            return None;
        }
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        if gate.is_forced() {
            // Nothing is judged: what counts is how it ends.
            return None;
        }
        let change = self.settle_in(gate, ticket, (Outcome::Begun, false), now);
        let recovered = matches!(change, Some(Change::Ramping | Change::Closed));
        *ticket = match ticket.kind {
            Kind::Call if ticket.epoch == gate.epoch() => Ticket::new(Kind::Stream, ticket.epoch),
            Kind::Probe if recovered => Ticket::new(Kind::Stream, Gate::after(ticket.epoch)),
            // It came late, or its success was all there was to say.
            _ => Ticket::new(Kind::Ignored, ticket.epoch),
        };
        change
    }

    /// Books a bad answer of a member that an [`EjectionCap`](crate::EjectionCap) spares: it opens for bad answers in a row, a
    /// plain fact, but not because their share has drifted up.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is used up")]
    pub fn settle_spared(&self, ticket: Ticket, now: Instant) -> Option<Change> {
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        self.settle_in(gate, &ticket, (Outcome::BadAnswer, true), now)
    }

    /// `spared`: its bad answer may not open for a drift of their share.
    pub(crate) fn settle_in(
        &self,
        mut gate: Gate,
        ticket: &Ticket,
        (outcome, spared): (Outcome, bool),
        now: Instant,
    ) -> Option<Change> {
        if ticket.kind == Kind::Ignored
            || matches!(gate.mode(), Mode::ForcedOpen | Mode::ForcedClosed)
        {
            return None;
        }
        if ticket.epoch != gate.epoch() {
            self.hot.late.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let t = self.tick(now);
        let mut closed = None;
        let step = (gate.phase() == Phase::Ramp).then(|| self.ramp_step(gate, t));
        if step == Some(None) {
            // Time has ended the ramp: what comes now is the result of a closed one.
            let next = gate.stay(Phase::Closed, TripReason::None, 0);
            match self.swap(gate, next) {
                Ok(()) => (gate, closed) = (next, Some(Change::Closed)),
                Err(seen) => return self.settle_in(seen, ticket, (outcome, spared), now),
            }
        }
        let begun = ticket.kind == Kind::Stream;
        let told = Told {
            outcome: match outcome {
                // It is known.
                Outcome::Begun if begun => Outcome::Neutral,
                outcome => outcome,
            },
            begun,
            spared,
        };
        let change = match (gate.phase(), ticket.kind) {
            (Phase::Closed, Kind::Call | Kind::Stream) => self.judge(gate, told, t),
            (Phase::Ramp, Kind::Call | Kind::Stream) => step
                .flatten()
                .and_then(|step| self.judge_ramp(gate, step, told, t)),
            (Phase::HalfOpen, Kind::Probe) if outcome == Outcome::Neutral => {
                self.free_lease(ticket);
                None
            }
            (Phase::HalfOpen, Kind::Probe) => self.judge_probe(gate, outcome, t),
            (Phase::Open, Kind::Extra)
                if matches!(outcome, Outcome::Success | Outcome::Begun) && gate.until() > t =>
            {
                let next = gate.stay(Phase::Open, gate.reason(), t);
                self.swap(gate, next).ok().map(|()| Change::HalfOpened)
            }
            _ => None,
        };
        change.or(closed)
    }
}
