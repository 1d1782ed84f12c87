//! Breakers among others: how many may be set aside, and when trouble belongs to something wider.

use std::time::{Duration, Instant};

use crate::config::{FAILURES_MAX, millis};
use crate::reason::TripReason;
use crate::streak::Times;
use crate::sync::{AtomicU32, Ordering};

/// Limits how much of a pool detectors may set aside: at most a share, and never the last member.
///
/// Detectors compare and can be wrong about everyone at once. Plain facts (a streak of failures, a spent quota) are not limited:
/// a target that cannot answer does not get better by being asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EjectionCap {
    share: f64,
}

impl EjectionCap {
    /// At most half.
    pub const HALF: Self = Self { share: 0.5 };

    /// At most `share` (`0.0..=1.0`, else the nearest).
    #[must_use]
    pub const fn new(share: f64) -> Self {
        Self {
            share: share.clamp(0.0, 1.0),
        }
    }

    /// Whether one more of a pool of so many members may be ejected, where so many are.
    #[must_use]
    pub fn allows(self, members: u32, ejected: u32) -> bool {
        let more = f64::from(ejected) + 1.0;
        more <= f64::from(members) * self.share && ejected.saturating_add(1) < members
    }

    /// Whether a trip for this reason counts against the cap.
    #[must_use]
    pub const fn applies(reason: TripReason) -> bool {
        matches!(
            reason,
            TripReason::Latency | TripReason::Quality | TripReason::Hang
        )
    }
}

impl Default for EjectionCap {
    fn default() -> Self {
        Self::HALF
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
