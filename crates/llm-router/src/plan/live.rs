//! The attempts under way: one, or up to three while other targets are asked beside the first.

use super::AttemptId;
use super::pay::Earmarks;
use crate::pace::Reservation;
use crate::request::Request;
use crate::scope::Passes;
use crate::table::Slot;
use crate::trace::Tokens;
use crate::vitals::Silence;
use llm_breaker::Ticket;
use llm_errors::{ErrorKind, Phase, Verdict};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) attempt: AttemptId,
    pub(super) position: u8,
    pub(super) tickets: Tickets,
    /// The gates have been told of a stream's first token: from then on it counts as answered, however long it flows. Those it
    /// shares hear no more of it; its own is told how it ended.
    pub(super) begun: bool,
    pub(super) reservation: Reservation,
    /// Gone once the target has shown that somebody is there: told twice, it would speak for another call.
    pub(super) waiting: Option<Silence>,
    pub(super) sent_at: Instant,
    /// How long it may take until its first token, or its end.
    pub(super) window: Duration,
    /// When to look whether it is late by itself; see [`Plan::cut_if_late`](super::Plan::cut_if_late).
    pub(super) cut_at: Option<Instant>,
    /// The deadline did not take more than half of its usual window: a timeout is evidence.
    pub(super) fair: bool,
    /// Its first token has come.
    pub(super) spoke: bool,
    /// When that was, after the send.
    pub(super) spoke_after: Option<Duration>,
    /// Money set aside for it.
    pub(super) earmarks: Earmarks,
    /// What of its answer was seen so far.
    pub(super) used: Tokens,
    /// Its answer is with the caller.
    pub(super) committed: bool,
}

/// What the gate of a target and those it shares with others gave for one call.
#[derive(Debug)]
pub(super) struct Tickets {
    pub(super) own: Ticket,
    pub(super) shared: Passes,
}

impl Tickets {
    /// Whether some gate takes the call for its probe.
    pub(super) fn is_probe(&self) -> bool {
        let mut all = self.shared.iter().flatten().chain([&self.own]);
        all.any(Ticket::is_probe)
    }
}

impl Live {
    /// Is over: nobody counts on it any more.
    pub(super) fn leave(&self, slot: &Slot, request: &Request) {
        slot.health.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.spoke {
            slot.health.vitals.leave(request);
        }
    }

    /// Whether this failure is that it said nothing for the whole of its window. A 504 that comes at once is a failure like any other.
    pub(super) fn was_silent(&self, verdict: &Verdict, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.sent_at);
        verdict.kind == ErrorKind::Timeout
            && verdict.phase != Phase::Connect
            && waited * 10 >= self.window * 9
    }

    /// Whether it is a breaker's probe whose outcome is not known yet.
    pub(super) fn is_probe(&self) -> bool {
        self.tickets.own.is_probe()
    }
}

/// At most three attempts, without allocation.
#[derive(Debug, Default)]
pub(super) struct Lives([Option<Live>; 3]);

impl Lives {
    /// Whether one more may join.
    pub(super) fn has_room(&self) -> bool {
        self.0.iter().any(Option::is_none)
    }

    /// The one that was sent last.
    pub(super) fn youngest(&self) -> Option<&Live> {
        self.iter().max_by_key(|live| live.attempt.index())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.0.iter().flatten()
    }

    pub(super) fn count(&self) -> usize {
        self.iter().count()
    }

    pub(super) fn find(&self, attempt: AttemptId) -> Option<&Live> {
        self.iter().find(|live| live.attempt == attempt)
    }

    pub(super) fn find_mut(&mut self, attempt: AttemptId) -> Option<&mut Live> {
        let mut lives = self.0.iter_mut().flatten();
        lives.find(|live| live.attempt == attempt)
    }

    /// Adds an attempt; gives it back where there is no room.
    #[must_use]
    pub(super) fn add(&mut self, live: Live) -> Option<Live> {
        match self.0.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(live);
                None
            }
            None => Some(live),
        }
    }

    pub(super) fn take(&mut self, attempt: AttemptId) -> Option<Live> {
        let held =
            |place: &&mut Option<Live>| place.as_ref().is_some_and(|live| live.attempt == attempt);
        self.0.iter_mut().find(held)?.take()
    }

    /// Takes any attempt but `kept`.
    pub(super) fn take_other(&mut self, kept: Option<AttemptId>) -> Option<Live> {
        let other = |place: &&mut Option<Live>| {
            place
                .as_ref()
                .is_some_and(|live| Some(live.attempt) != kept)
        };
        self.0.iter_mut().find(other)?.take()
    }
}
