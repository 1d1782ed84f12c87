//! Who waits for the next place of a rate limit while another target could answer: one caller at a time.
//!
//! A limit that is met gives its places one by one. Of a crowd that waits for the next one, all but one would have waited in
//! vain, and would go elsewhere later than those who did not wait. A turn ends by itself, so that nobody who leaves holds it up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The turn at one target.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Milliseconds since the origin at which the present one ends.
    until_ms: AtomicU64,
    origin: Instant,
}

impl Turn {
    pub(crate) const fn new(origin: Instant) -> Self {
        Self {
            until_ms: AtomicU64::new(0),
            origin,
        }
    }

    /// Whether somebody waits.
    pub(crate) fn is_taken(&self, now: Instant) -> bool {
        self.millis(now) < self.until_ms.load(Ordering::Relaxed)
    }

    /// Somebody waits until then. Two that come in the same moment both do.
    pub(crate) fn take(&self, until: Instant) {
        let until_ms = self.millis(until);
        self.until_ms.fetch_max(until_ms, Ordering::Relaxed);
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;
    use std::time::Duration;

    #[test]
    fn a_turn_ends_by_itself() {
        let start = origin();
        let at = |ms: u64| start + Duration::from_micros(ms * 1_000 + 300);
        let turn = Turn::new(start);
        assert!(!turn.is_taken(at(0)));
        turn.take(at(800));
        assert!(turn.is_taken(at(0)) && turn.is_taken(at(799)));
        assert!(!turn.is_taken(at(800)), "it is its holder's to use now");
        turn.take(at(500));
        assert!(!turn.is_taken(at(800)));
    }
}
