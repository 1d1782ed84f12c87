//! Breakers among others: how many may be set aside, and when trouble belongs to something wider.

use std::time::{Duration, Instant};

use crate::config::{FAILURES_MAX, millis};
use crate::reason::TripReason;
use crate::streak::Times;
use crate::sync::{AtomicU32, Ordering};

/// Limits how much of a pool detectors may set aside: at most half, and never the last member.
///
/// Detectors compare and can be wrong about everyone at once. Plain facts (a streak of failures, a spent quota) are not limited:
/// a target that cannot answer does not get better by being asked.
#[derive(Debug)]
pub struct EjectionCap {
    ejected: AtomicU32,
    most: u32,
}

impl EjectionCap {
    /// A cap of `share` (`0.0..=1.0`) of a pool with this many members, rounded down, and always leaving one.
    #[must_use]
    pub fn new(members: u32, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and members"
        )]
        let most = (f64::from(members) * share.clamp(0.0, 1.0)) as u32;
        Self {
            ejected: AtomicU32::new(0),
            most: most.min(members.saturating_sub(1)),
        }
    }

    /// Whether a trip for this reason counts against the cap.
    #[must_use]
    pub const fn applies(reason: TripReason) -> bool {
        matches!(
            reason,
            TripReason::Latency | TripReason::Quality | TripReason::Hang
        )
    }

    /// Takes a place among the ejected. `false`: all places are taken, so the member stays.
    #[must_use = "a member may only be ejected when this says so"]
    pub fn eject(&self) -> bool {
        let take = |ejected: u32| (ejected < self.most).then(|| ejected + 1);
        self.ejected
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Gives the place back when the member is in again.
    pub fn restore(&self) {
        let give = |ejected: u32| ejected.checked_sub(1);
        let _ = self
            .ejected
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, give);
    }

    /// Places taken now.
    #[must_use]
    pub fn ejected(&self) -> u32 {
        self.ejected.load(Ordering::Relaxed)
    }
}

/// Tells when the openings of several narrow scopes are one trouble of the wider one: by default when three children
/// (credentials of a deployment, deployments of a model, models of a provider) open within 60 s.
#[derive(Debug)]
pub struct Promotion {
    times: Times,
    count: AtomicU32,
    needed: u32,
    window_ms: u64,
    origin: Instant,
}

impl Promotion {
    /// Three openings within 60 s.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self::with(3, Duration::from_secs(60), origin)
    }

    /// So many openings (2 to 16) within this time.
    #[must_use]
    pub fn with(needed: u32, window: Duration, origin: Instant) -> Self {
        Self {
            times: Times::new(),
            count: AtomicU32::new(0),
            needed: needed.clamp(2, FAILURES_MAX),
            window_ms: millis(window),
            origin,
        }
    }

    /// A child has opened; whether the parent should, too.
    #[must_use = "the parent opens only if its owner opens it"]
    pub fn child_opened(&self, now: Instant) -> bool {
        let count = self.count.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let now_ms = millis(now.saturating_duration_since(self.origin));
        self.times.note(count, now_ms, self.needed, self.window_ms)
    }

    /// A call through any child succeeded: whatever opened so far was not the parent's trouble.
    pub fn succeeded(&self) {
        if self.count.load(Ordering::Relaxed) != 0 {
            self.count.store(0, Ordering::Relaxed);
        }
    }
}
