//! What a run leaves behind: every request and every call, enough to measure anything afterwards.

use llm_breaker::{State, TripReason};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) requests: Vec<RequestSeen>,
    pub(crate) calls: Vec<CallSeen>,
    pub(crate) gates: Gates,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Degraded,
    Failed,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestSeen {
    pub(crate) arrived: Duration,
    pub(crate) end: End,
    /// Until the caller had an answer's beginning, a degraded answer or an error.
    pub(crate) took: Duration,
    /// When and where its first call went, and whether that was a breaker's probe.
    pub(crate) first: Option<(Duration, usize, bool)>,
    pub(crate) served_by: Option<usize>,
    /// From arrival until the call that answered was sent.
    pub(crate) switched: Duration,
    pub(crate) calls: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct CallSeen {
    pub(crate) at: Duration,
    pub(crate) site: usize,
    /// Whether it ran to a good end that somebody listened to.
    pub(crate) used: bool,
}

impl RequestSeen {
    pub(crate) fn new(arrived: Duration) -> Self {
        Self {
            arrived,
            end: End::Failed,
            took: Duration::ZERO,
            first: None,
            served_by: None,
            switched: Duration::ZERO,
            calls: 0,
        }
    }
}

/// Where a gateway's gates of one site were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GateSeen {
    pub(crate) at: Duration,
    pub(crate) gateway: usize,
    pub(crate) site: usize,
    pub(crate) gate: (State, TripReason),
    /// Of its credential.
    pub(crate) account: (State, TripReason),
}

/// Every change of a gate, as seen at the looks.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    pub(crate) changes: Vec<GateSeen>,
    last: Vec<GateSeen>,
}

impl Gates {
    /// Keeps the sighting if it differs from the last of the same gates.
    pub(crate) fn note(&mut self, seen: GateSeen) {
        let known = self
            .last
            .iter_mut()
            .find(|last| (last.gateway, last.site) == (seen.gateway, seen.site));
        match known {
            Some(last) if (last.gate, last.account) == (seen.gate, seen.account) => return,
            Some(last) => *last = seen,
            None => {
                self.last.push(seen);
                return; // where it began
            }
        }
        self.changes.push(seen);
    }
}
