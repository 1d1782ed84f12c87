//! How many calls wait at a target for their first token, and how long one that joins them would.
//!
//! By Little's law it is the number of those who wait, divided by how many are answered in a second. The law speaks of a target that
//! is busy all the time: of one with little to do it would say that a few calls at once wait for ever. So it is asked only of a target that
//! has grown slow beside its own past, or whose last answers were long in coming: slowness that lasts for a minute is taken for usual by whoever
//! compares it with the past, and the line is no shorter for that.
//!
//! Whoever comes beside the usual calls, because he waited for room or fled from elsewhere, could come with all others who did. Where that
//! must not be, they are let in one by one, at a seventh of the rate of answers: one with a queue answers faster than calls usually come.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Answers are counted over one to two times this long.
const SPAN_MS: u64 = 4_000;
/// Fewer answers in that time say nothing of a rate.
const LEAST_ANSWERS: u32 = 4;
const COUNT: u64 = 0xffff;
/// One call beside the usual ones for so many answers.
const ANSWERS_A_CALL: u64 = 7;

/// The queue before one target, as far as it can be seen from here.
#[derive(Debug)]
pub(crate) struct Crowd {
    silent: AtomicU32,
    /// Number of the running span 32 | answers in the one before 16 | in the running one 16.
    answers: AtomicU64,
    /// How long the last of them took, in milliseconds: the newest with an eighth of the weight.
    took_ms: AtomicU32,
    /// Milliseconds since the origin at which the next call beside the usual ones is let in.
    next_ms: AtomicU64,
    origin: Instant,
}

impl Crowd {
    pub(crate) fn new(origin: Instant) -> Self {
        Self {
            silent: AtomicU32::new(0),
            answers: AtomicU64::new(0),
            took_ms: AtomicU32::new(0),
            next_ms: AtomicU64::new(0),
            origin,
        }
    }

    /// A call joins.
    pub(crate) fn join(&self) {
        self.silent.fetch_add(1, Ordering::Relaxed);
    }

    /// One has its first token, or was given up.
    pub(crate) fn leave(&self) {
        self.silent.fetch_sub(1, Ordering::Relaxed);
    }

    /// One has its first token, after so long.
    pub(crate) fn answered(&self, took: Duration, now: Instant) {
        let took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
        let known = self.took_ms.load(Ordering::Relaxed);
        // Threads that meet lose one of them: it is a statistic.
        let next = known - known / 8 + took_ms / 8;
        self.took_ms.store(next, Ordering::Relaxed);
        let (span, _) = self.place(now);
        let count = |word: u64| {
            let (before, running) = counts(word, span);
            Some((span << 32) | (before << 16) | (running + 1).min(COUNT))
        };
        // It always changes the word, so it never fails.
        let _ = self
            .answers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    /// Whether more than a few wait, and those before them have waited for so long.
    pub(crate) fn is_crowd(&self, took: Duration) -> bool {
        let took_ms = Duration::from_millis(self.took_ms.load(Ordering::Relaxed).into());
        took_ms >= took && self.silent.load(Ordering::Relaxed) > LEAST_ANSWERS
    }

    /// How long a call that joins now will wait; `None` where too few are answered to tell.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let (span, into_ms) = self.place(now);
        let (before, running) = counts(self.answers.load(Ordering::Relaxed), span);
        let answers = u32::try_from(before + running).unwrap_or(u32::MAX);
        let over = Duration::from_millis(SPAN_MS + into_ms);
        let silent = self.silent.load(Ordering::Relaxed);
        (answers >= LEAST_ANSWERS).then(|| over.saturating_mul(silent) / answers)
    }

    /// Whether one more call than usually come is let in now; at most one for seven answers. Where too few are answered to tell, all are.
    pub(crate) fn lets_in(&self, now: Instant) -> bool {
        let (span, into_ms) = self.place(now);
        let (before, running) = counts(self.answers.load(Ordering::Relaxed), span);
        let answers = before + running;
        if answers < LEAST_ANSWERS.into() {
            return true;
        }
        let pause = (SPAN_MS + into_ms) * ANSWERS_A_CALL / answers;
        let t = self.millis(now);
        let next = self.next_ms.load(Ordering::Relaxed);
        t >= next
            && self
                .next_ms
                .compare_exchange(next, t + pause, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.origin).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX)
    }

    /// The number of the running span, and how long it has run.
    fn place(&self, now: Instant) -> (u64, u64) {
        let since = self.millis(now);
        ((since / SPAN_MS) & u64::from(u32::MAX), since % SPAN_MS)
    }
}

/// The answers of the span before this one and of this one.
fn counts(word: u64, span: u64) -> (u64, u64) {
    let (before, running) = ((word >> 16) & COUNT, word & COUNT);
    match span.wrapping_sub(word >> 32) {
        0 => (before, running),
        1 => (running, 0),
        _ => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::origin;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn one_who_joins_waits_for_those_before_him() {
        let start = origin();
        let crowd = Crowd::new(start);
        assert_eq!(crowd.wait(start), None);
        for n in 0..80u64 {
            crowd.answered(MS(5_000), start + MS(n * 100));
        }
        for _ in 0..50 {
            crowd.join();
        }
        // Ten answers a second, fifty before him.
        let wait = crowd.wait(start + MS(7_999)).unwrap();
        assert!(wait > MS(4_900) && wait < MS(5_100), "{wait:?}");
        assert!(crowd.is_crowd(MS(4_900)) && !crowd.is_crowd(MS(5_100)));
        (0..50).for_each(|_| crowd.leave());
        assert_eq!(crowd.wait(start + MS(8_000)), Some(Duration::ZERO));
        assert_eq!(crowd.wait(start + MS(20_000)), None, "that was long ago");
    }

    #[test]
    fn those_who_come_beside_the_usual_ones_are_let_in_one_by_one() {
        let start = origin();
        let crowd = Crowd::new(start);
        let let_in = |crowd: &Crowd, from: u64, to: u64| {
            (from..to).filter(|t| crowd.lets_in(start + MS(*t))).count()
        };
        assert_eq!(let_in(&crowd, 0, 100), 100, "nothing is known of the rate");
        for n in 0..160u64 {
            crowd.answered(MS(300), start + MS(n * 50));
        }
        // Twenty answers a second: one call at once, and three more.
        let second = let_in(&crowd, 7_000, 8_000);
        assert!((3..=4).contains(&second), "{second}");
    }
}
