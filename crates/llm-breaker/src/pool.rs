//! Breakers among others: how many may be set aside, and when trouble belongs to something wider.

use std::time::{Duration, Instant};

use crate::config::millis;
use crate::reason::TripReason;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

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
/// (credentials of a deployment, deployments of a model, models of a provider) open within 60 s. One that opens again and again is one.
#[derive(Debug)]
pub struct Promotion {
    /// The children that opened last: which 22 | when, ms and one 42; 0 = none.
    openings: [AtomicU64; OPENINGS],
    any: AtomicU32,
    needed: usize,
    window_ms: u64,
    origin: Instant,
}

/// So many children are kept apart; of more, those that opened last.
const OPENINGS: usize = 16;
const TIME_BITS: u32 = 42;
const TIME: u64 = (1 << TIME_BITS) - 1;

impl Promotion {
    /// Three children within 60 s.
    #[must_use]
    pub fn new(origin: Instant) -> Self {
        Self::with(3, Duration::from_secs(60), origin)
    }

    /// So many children (2 to 16) within this time.
    #[must_use]
    pub fn with(needed: usize, window: Duration, origin: Instant) -> Self {
        Self {
            openings: std::array::from_fn(|_| AtomicU64::new(0)),
            any: AtomicU32::new(0),
            needed: needed.clamp(2, OPENINGS),
            window_ms: millis(window),
            origin,
        }
    }

    /// A child, known by any number below 2^22 that no other has, has opened; whether the parent should, too.
    #[must_use = "the parent opens only if its owner opens it"]
    pub fn child_opened(&self, child: u32, now: Instant) -> bool {
        let now_ms = millis(now.saturating_duration_since(self.origin));
        let opening = (u64::from(child) << TIME_BITS) | now_ms.saturating_add(1).min(TIME);
        self.any.store(1, Ordering::Relaxed);
        let seen = |slot: &AtomicU64| slot.load(Ordering::Relaxed);
        let same = |slot: &&AtomicU64| {
            let word = seen(slot);
            word != 0 && word >> TIME_BITS == opening >> TIME_BITS
        };
        // Its own place, or else that of the one whose opening is the longest ago.
        let oldest = || {
            let openings = self.openings.iter();
            openings.min_by_key(|slot| seen(slot) & TIME)
        };
        if let Some(slot) = self.openings.iter().find(same).or_else(oldest) {
            slot.store(opening, Ordering::Relaxed);
        }
        let recent =
            |word: &u64| *word != 0 && now_ms.saturating_sub((word & TIME) - 1) <= self.window_ms;
        self.openings.iter().map(seen).filter(recent).count() >= self.needed
    }

    /// A call through any child succeeded: whatever opened so far was not the parent's trouble.
    pub fn succeeded(&self) {
        if self.any.load(Ordering::Relaxed) != 0 {
            self.any.store(0, Ordering::Relaxed);
            for slot in &self.openings {
                slot.store(0, Ordering::Relaxed);
            }
        }
    }
}
