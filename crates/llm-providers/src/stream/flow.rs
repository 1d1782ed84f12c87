//! How fast a streamed answer flows, as far as that is its target's doing.
//!
//! Only the time is counted in which the reader waited for the target: what arrives while the caller takes its time is there when it comes
//! back. A caller that does not read at all may still lengthen one wait, so the longest is left out; and a reader that seldom waited knows
//! nothing of its target's speed.

use std::time::Duration;
use tokio::time::Instant;

/// The least number of waits that say something.
const LEAST_WAITS: u32 = 8;

/// The waits of one stream for more, after its first content.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// When the wait under way began. Kept here, as whoever waits may stop and come back.
    since: Option<Instant>,
    waits: u32,
    total: Duration,
    longest: Duration,
}

impl Flow {
    /// Nothing more is there.
    pub(super) fn begin_wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// More has come.
    pub(super) fn end_wait(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            let waited = now.saturating_duration_since(since);
            self.waits = self.waits.saturating_add(1);
            self.total = self.total.saturating_add(waited);
            self.longest = self.longest.max(waited);
        }
    }

    /// More was there when it was asked for: since when, nobody knows.
    pub(super) fn forget_wait(&mut self) {
        self.since = None;
    }

    /// The time that each of so many tokens took, which came in so many pieces; `None` where the stream was too short, or was seldom
    /// waited for.
    pub(super) fn per_token(&self, tokens: u64, pieces: u32) -> Option<Duration> {
        if self.waits < LEAST_WAITS || self.waits < pieces / 4 {
            return None;
        }
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX).max(pieces);
        let counted = self.total.saturating_sub(self.longest);
        counted.checked_div(tokens).filter(|time| !time.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flow of waits that lasted so many milliseconds each.
    fn flow(waits_ms: &[u64]) -> Flow {
        let mut flow = Flow::default();
        let mut now = Instant::now();
        for wait in waits_ms {
            flow.begin_wait(now);
            now += Duration::from_millis(*wait);
            flow.end_wait(now);
        }
        flow
    }

    #[test]
    fn the_longest_wait_is_left_out_as_it_may_be_the_callers() {
        let mut waits = [10; 21];
        waits[7] = 9_000;
        assert_eq!(
            flow(&waits).per_token(20, 20),
            Some(Duration::from_millis(10))
        );
    }

    #[test]
    fn tokens_that_come_together_share_their_time() {
        assert_eq!(
            flow(&[40; 11]).per_token(100, 11),
            Some(Duration::from_millis(4))
        );
        // No fewer than there are pieces, whatever the provider counts.
        assert_eq!(
            flow(&[40; 11]).per_token(3, 10),
            Some(Duration::from_millis(40))
        );
    }

    #[test]
    fn short_streams_and_those_seldom_waited_for_say_nothing() {
        assert_eq!(flow(&[10; 7]).per_token(7, 7), None);
        assert_eq!(flow(&[10; 8]).per_token(40, 40), None);
        assert_eq!(flow(&[0; 20]).per_token(20, 20), None);
    }

    #[test]
    fn a_wait_that_is_broken_off_and_taken_up_again_is_one() {
        let mut flow = flow(&[10; 8]);
        let now = Instant::now();
        flow.begin_wait(now);
        flow.begin_wait(now + Duration::from_millis(6));
        flow.end_wait(now + Duration::from_millis(10));
        assert_eq!(flow.per_token(8, 8), Some(Duration::from_millis(10)));
        flow.begin_wait(now);
        flow.forget_wait();
        flow.end_wait(now + Duration::from_secs(10));
        assert_eq!(flow.per_token(8, 8), Some(Duration::from_millis(10)));
    }
}
