//! What a caller holds while its call is out.

use std::ops::Deref;
use std::time::Instant;

use crate::breaker::Breaker;
use crate::outcome::{Change, Outcome};
use crate::reason::TripReason;

/// What a ticket's result is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An ordinary call: counts in the life of the breaker it was admitted in.
    Call,
    /// An ordinary call whose stream has begun, which was counted as good.
    Stream,
    /// The probe of a half-open breaker.
    Probe,
    /// A call sent although the breaker is open: a shadow probe, or the least bad of nothing. Only a success says something.
    Extra,
    /// The breaker's opinion was not asked; neither is the result's.
    Ignored,
}

/// The right to make one call. Give it back with [`Breaker::settle`] or [`Breaker::abandon`].
///
/// It is not a guard: dropping it does nothing, and a probe lost that way is replaced when its lease expires. Use
/// [`Breaker::permit`] for a guard.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket is given back by `settle` or `abandon`"]
pub struct Ticket {
    pub(crate) epoch: u16,
    pub(crate) kind: Kind,
    /// Which lease a probe has; see `probe.rs`.
    pub(crate) lease: u32,
}

impl Ticket {
    pub(crate) const fn new(kind: Kind, epoch: u16) -> Self {
        Self {
            epoch,
            kind,
            lease: 0,
        }
    }

    pub(crate) const fn probe(epoch: u16, lease: u32) -> Self {
        Self {
            epoch,
            kind: Kind::Probe,
            lease,
        }
    }

    /// Whether this call is the probe of a half-open breaker: worth starting its fallback beside it.
    #[must_use]
    pub const fn is_probe(&self) -> bool {
        matches!(self.kind, Kind::Probe)
    }
}

/// A call refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejected {
    /// When asking again may help: the end of what keeps calls away; while a probe is out, when it may have answered (its target's usual
    /// time to first token after it was sent, or a second, then doubled each time); `now` itself while a ramp lets only some calls pass.
    pub retry_at: Instant,
    /// Why.
    pub reason: TripReason,
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "set aside: {}", self.reason)
    }
}

impl std::error::Error for Rejected {}

/// A [`Ticket`] that gives itself back: dropped without a record, the call counts as abandoned.
///
/// It borrows its breaker ([`Breaker::permit`]) or shares it ([`Breaker::permit_owned`]), so that it can go where the call goes.
#[derive(Debug)]
#[must_use = "dropping a permit at once abandons the call it was granted for"]
pub struct Permit<B: Deref<Target = Breaker>> {
    breaker: B,
    ticket: Option<Ticket>,
}

impl<B: Deref<Target = Breaker>> Permit<B> {
    pub(crate) const fn new(breaker: B, ticket: Ticket) -> Self {
        Self {
            breaker,
            ticket: Some(ticket),
        }
    }

    /// Whether this call is the probe of a half-open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::is_probe)
    }

    /// Records that the call's stream has begun: [`Breaker::begin`]. Dropped without a record of its end, it leaves it at that.
    pub fn begin(&mut self, now: Instant) -> Option<Change> {
        self.breaker.begin(self.ticket.as_mut()?, now)
    }

    /// Records how the call ended; what that changed, if anything.
    pub fn record(mut self, outcome: Outcome, now: Instant) -> Option<Change> {
        let ticket = self.ticket.take()?;
        self.breaker.settle(ticket, outcome, now)
    }
}

impl<B: Deref<Target = Breaker>> Drop for Permit<B> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.abandon(ticket);
        }
    }
}
