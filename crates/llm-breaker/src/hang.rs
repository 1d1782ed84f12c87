//! Evidence from calls that have not finished.
//!
//! A target that accepts and never answers produces no result to judge until the first timeout. But a call that has no first token at
//! a time by which nearly all have one says something already. Calls are counted by the time slot they began in; once
//! a slot is older than that time, its calls are judged: those that have their token are good, those still waiting are bad.
//!
//! ```text
//! waiting: S += ln(0.7/0.05)      answered: S = max(0, S + ln(0.3/0.95))      alarm at S >= 10: four in a row from rest
//! ```
//!
//! The time is the caller's to choose; one and a half to two times the learnt p90 of the time to first token keeps the share of healthy
//! calls that are late below 5 %. Everything is bounded: 64 slots, calls older than the ring are forgotten.

use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, Ordering};

const SLOTS: u64 = 64;
const RING: usize = 64;
const COUNT: u64 = 0xffff;
/// ln(p1/p0) and ln((1-p1)/(1-p0)) with p0 = 5 %, p1 = 70 %.
const LATE: f32 = 2.639;
const ANSWERED: f32 = -1.1527;
const ALARM: f32 = 10.0;

/// Watches the calls in flight to one target. Lock-free.
#[derive(Debug)]
pub struct HangDetector {
    /// Slot number 32 | begun 16 | still waiting 16.
    slots: [AtomicU64; RING],
    slot_ms: u64,
    /// First slot not judged yet 32 | score (f32) 32.
    judged: AtomicU64,
    origin: Instant,
}

/// A call in flight, given back with [`HangDetector::answered`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a call that is never reported as answered counts as hanging"]
pub struct Waiting(u64);

impl HangDetector {
    /// Watches calls of up to `horizon`: choose it above the time given to [`is_hanging`](Self::is_hanging), such as the configured attempt timeout.
    #[must_use]
    pub fn new(horizon: Duration, origin: Instant) -> Self {
        let horizon_ms = u64::try_from(horizon.as_millis()).unwrap_or(u64::MAX);
        Self {
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
            slot_ms: (horizon_ms / (SLOTS - 2)).clamp(20, 60_000),
            judged: AtomicU64::new(0),
            origin,
        }
    }

    /// A call begins.
    pub fn begin(&self, now: Instant) -> Waiting {
        let number = self.number(now);
        self.update(number, |begun, waiting| {
            Some(((begun + 1).min(COUNT), (waiting + 1).min(COUNT)))
        });
        Waiting(number)
    }

    /// It has its first token, or ended in any way that is judged elsewhere (an error, a cancellation).
    pub fn answered(&self, call: Waiting) {
        self.update(call.0, |begun, waiting| {
            (begun > 0).then(|| (begun, waiting.saturating_sub(1)))
        });
    }

    /// Judges all calls that began more than `due` ago and were not judged yet; whether the target hangs. Ask when a call
    /// is about to be sent, or on a timer.
    #[must_use]
    pub fn is_hanging(&self, due: Duration, now: Instant) -> bool {
        let due_ms = u64::try_from(due.as_millis()).unwrap_or(u64::MAX);
        // The slot must have ended, not only begun, that long ago.
        let end = (self.tick(now).saturating_sub(due_ms) / self.slot_ms) & u64::from(u32::MAX);
        let seen = self.judged.load(Ordering::Relaxed);
        let (first, mut score) = (seen >> 32, score_of(seen));
        if end <= first {
            return score >= ALARM;
        }
        for number in first.max(end.saturating_sub(SLOTS))..end {
            let (begun, waiting) = self.read(number);
            // Calls of one slot have no order, so its answers and its silences are weighed together: a few late calls
            // among many that were answered are a tail, not a hang.
            let slot =
                f32::from(begun.saturating_sub(waiting)) * ANSWERED + f32::from(waiting) * LATE;
            score = (score + slot).clamp(0.0, 3.0 * ALARM);
        }
        let next = (end << 32) | u64::from(score.to_bits());
        // A lost race means that somebody else has judged the same slots.
        let _ = self
            .judged
            .compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed);
        score >= ALARM
    }

    /// Takes the score back to zero: after a recovery.
    pub fn reset(&self) {
        let seen = self.judged.load(Ordering::Relaxed);
        self.judged
            .store(seen & !u64::from(u32::MAX), Ordering::Relaxed);
    }

    fn tick(&self, now: Instant) -> u64 {
        let span = now.saturating_duration_since(self.origin);
        span.as_secs() * 1000 + u64::from(span.subsec_millis())
    }

    fn number(&self, now: Instant) -> u64 {
        (self.tick(now) / self.slot_ms) & u64::from(u32::MAX)
    }

    fn slot(&self, number: u64) -> Option<&AtomicU64> {
        self.slots.get(usize::try_from(number % SLOTS).ok()?)
    }

    fn read(&self, number: u64) -> (u16, u16) {
        let Some(slot) = self.slot(number) else {
            return (0, 0);
        };
        let word = slot.load(Ordering::Relaxed);
        if word >> 32 != number {
            return (0, 0);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the two quarters are meant"
        )]
        let counts = ((word >> 16) as u16, word as u16);
        counts
    }

    fn update(&self, number: u64, next: impl Fn(u64, u64) -> Option<(u64, u64)>) {
        let Some(slot) = self.slot(number) else {
            return;
        };
        let change = |word: u64| {
            let (begun, waiting) = if word >> 32 == number {
                ((word >> 16) & COUNT, word & COUNT)
            } else {
                (0, 0)
            };
            let (begun, waiting) = next(begun, waiting)?;
            Some((number << 32) | (begun << 16) | waiting)
        };
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

fn score_of(word: u64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    let bits = word as u32;
    f32::from_bits(bits)
}
