//! Equal requests in flight make one call.
//!
//! The first to ask for a key leads, the others wait for its answer. What one request must never do is fail another:
//!
//! - a leader that is cancelled or dropped hands the lead to the one who has waited longest;
//! - errors are not shared: a leader that fails for good lets the others go on [alone](Turn::Alone), all at once and not one after another;
//! - whoever waits may leave at any time, by dropping the future.
//!
//! Keys cover the tenant, so nothing is shared across tenants here either. Coalesce only requests whose answers may be shared:
//! a caller who wants variety (a temperature above zero) may not want somebody else's roll of the dice.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turnstile, OwnedMutexGuard};

use crate::entry::Entry;
use crate::key::PromptKey;

/// Calls in flight at once, by default; beyond it requests are not coalesced.
const FLIGHTS_MAX: usize = 10_000;

#[derive(Debug)]
enum State {
    Pending,
    Answered(Entry),
    GivenUp,
}

type Flight = Arc<Turnstile<State>>;

#[derive(Debug)]
struct Flights {
    by_key: Mutex<HashMap<PromptKey, Flight>>,
    most: usize,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<PromptKey, Flight>> {
        // The map is whole between any two statements, so a panic elsewhere has not broken it.
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the flight for a key or begins one; `None` when there are too many.
    fn board(&self, key: PromptKey) -> Option<Flight> {
        let mut flights = self.lock();
        let full = flights.len() >= self.most;
        match flights.entry(key) {
            Slot::Occupied(flight) => Some(Arc::clone(flight.get())),
            Slot::Vacant(_) if full => None,
            Slot::Vacant(slot) => Some(Arc::clone(
                slot.insert(Arc::new(Turnstile::new(State::Pending))),
            )),
        }
    }

    /// Takes a finished flight off the map; later requests begin anew.
    fn land(&self, key: PromptKey, flight: &Flight) {
        let mut flights = self.lock();
        if flights.get(&key).is_some_and(|f| Arc::ptr_eq(f, flight)) {
            flights.remove(&key);
        }
    }

    /// Lets go of a flight, and takes it off the map if that was the last one on it.
    fn leave(&self, key: PromptKey, share: impl Sized) {
        let mut flights = self.lock();
        drop(share);
        if flights.get(&key).is_some_and(|f| Arc::strong_count(f) == 1) {
            flights.remove(&key);
        }
    }
}

/// Makes equal requests share one call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Coalescer {
    flights: Arc<Flights>,
}

impl Default for Coalescer {
    fn default() -> Self {
        Self::new(FLIGHTS_MAX)
    }
}

/// What a request is to do.
#[derive(Debug)]
#[must_use]
pub enum Turn {
    /// Make the call, and tell the leader guard how it went.
    Lead(Leader),
    /// Somebody else made the call; this is the answer.
    Answer(Entry),
    /// Make the call without telling anybody: the leader gave up, or there is too much in flight.
    Alone,
}

impl Coalescer {
    /// At most this many calls at once are shared; 10 000 by default.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            flights: Arc::new(Flights {
                by_key: Mutex::default(),
                most,
            }),
        }
    }

    /// Waits until it is clear what this request is to do. The first one is told at once; others wait for the leader, so
    /// bound this by the request's own deadline.
    ///
    /// # Cancel safety
    ///
    /// Safe: whoever leaves is forgotten.
    pub async fn turn(&self, key: PromptKey) -> Turn {
        let Some(flight) = self.flights.board(key) else {
            return Turn::Alone;
        };
        let seat = Seat {
            flights: Arc::clone(&self.flights),
            key,
            flight: Some(Arc::clone(&flight)),
        };
        let state = flight.lock_owned().await;
        match &*state {
            State::Answered(entry) => Turn::Answer(entry.clone()),
            State::GivenUp => Turn::Alone,
            State::Pending => Turn::Lead(Leader {
                seat,
                state: Some(state),
            }),
        }
    }

    /// Calls being shared now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flights.lock().len()
    }
}

/// A place on a flight, given up when dropped.
struct Seat {
    flights: Arc<Flights>,
    key: PromptKey,
    flight: Option<Flight>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.flights.leave(self.key, self.flight.take());
    }
}

/// The one that makes the call for all. Dropped without a word (cancelled, panicked), it hands the lead on.
#[must_use = "dropping the leader hands the lead to the next in line"]
pub struct Leader {
    seat: Seat,
    state: Option<OwnedMutexGuard<State>>,
}

impl Leader {
    /// Gives the answer to all who wait. As everywhere here, it is one that passed the quality look.
    pub fn answer(self, entry: Entry) {
        self.finish(State::Answered(entry));
    }

    /// The call failed for good: those who wait go on by themselves.
    pub fn give_up(self) {
        self.finish(State::GivenUp);
    }

    fn finish(mut self, end: State) {
        if let Some(state) = &mut self.state {
            **state = end;
        }
        if let Some(flight) = &self.seat.flight {
            self.seat.flights.land(self.seat.key, flight);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let state = self.state.take();
        self.seat.flights.leave(self.seat.key, state);
    }
}

impl fmt::Debug for Leader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leader").field(&self.seat.key).finish()
    }
}
