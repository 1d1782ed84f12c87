//! When a breaker opens, and how it finds its way back: what each result does to the state.
//!
//! A function here is given the gate as its caller saw it, and changes nothing if the gate has moved on meanwhile.

use crate::breaker::Breaker;
use crate::config::FAILURES_MAX;
use crate::gate::{Gate, Phase};
use crate::outcome::{Change, Outcome};
use crate::reason::TripReason;
use crate::streak::Times;
use crate::sync::Ordering;
use crate::window::Sort;

/// Repetitions are not counted beyond this; the cooldown is at its maximum long before.
const LEVEL_MAX: u64 = 16;
const SINCE_BITS: u32 = 48;

/// The streaks' word: doubt 1 | bad answers 21 | broken streams 21 | hard failures 21.
const STREAK: u64 = (1 << 21) - 1;
const HARD_SHIFT: u32 = 0;
const BROKEN_SHIFT: u32 = 21;
const BAD_SHIFT: u32 = 42;
/// The last stream that ended was a broken one.
const DOUBT: u64 = 1 << 63;

/// The part of the window that broken streams in a row must be, to mean anything. Streams that break are over before those that end
/// well: where answers take minutes, the first five to end are broken ones although nearly all will end well.
const ROW_SHARE: f64 = 1.0 / 3.0;

/// A result as it is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) outcome: Outcome,
    /// Its beginning was counted as good.
    pub(crate) begun: bool,
    /// A drift of the share of bad answers may not open it.
    pub(crate) spared: bool,
}

impl Breaker {
    #[inline]
    pub(crate) fn succeed(&self, t: u64) {
        self.window.good(t);
        if self.hot.streaks.load(Ordering::Relaxed) != 0 {
            self.hot.streaks.store(0, Ordering::Relaxed);
        }
    }

    /// The same for an answer that has only begun: how it ends is not known yet.
    fn begin_well(&self, t: u64) {
        self.window.good(t);
        self.end_streaks(STREAK << HARD_SHIFT);
    }

    /// What had begun was good to its end. Whether calls fail at once by now it does not say.
    fn end_well(&self) {
        self.end_streaks(!(STREAK << HARD_SHIFT));
    }

    fn end_streaks(&self, which: u64) {
        if self.hot.streaks.load(Ordering::Relaxed) & which != 0 {
            self.hot.streaks.fetch_and(!which, Ordering::Relaxed);
        }
    }

    /// Adds one to a streak; how long it is now.
    fn lengthen(&self, shift: u32, doubt: u64) -> u32 {
        let mut seen = self.hot.streaks.load(Ordering::Relaxed);
        loop {
            let count = (seen >> shift) & STREAK;
            // A full count goes back by a round of the times kept: it is as long as ever, and its next place is the right one.
            let longer = if count == STREAK {
                count + 1 - u64::from(FAILURES_MAX)
            } else {
                count + 1
            };
            let next = (seen & !(STREAK << shift)) | (longer << shift) | doubt;
            let streaks = &self.hot.streaks;
            match streaks.compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return u32::try_from(longer).unwrap_or(u32::MAX),
                Err(now) => seen = now,
            }
        }
    }

    /// Hard failures in a row, at once or after a beginning.
    pub(crate) fn streak(&self) -> u32 {
        let word = self.hot.streaks.load(Ordering::Relaxed);
        let count = |shift: u32| u32::try_from((word >> shift) & STREAK).unwrap_or(u32::MAX);
        count(HARD_SHIFT).max(count(BROKEN_SHIFT))
    }

    /// Whether a stream's beginning says little, because the last that ended was a broken one.
    pub(crate) fn doubts_beginnings(&self) -> bool {
        self.hot.streaks.load(Ordering::Relaxed) & DOUBT != 0
    }

    /// A result while closed, or in a ramp: whatever opens the one opens the other.
    pub(crate) fn judge(&self, gate: Gate, told: Told, t: u64) -> Option<Change> {
        let reason = match told.outcome {
            Outcome::Neutral => return None,
            Outcome::Success if told.begun => {
                self.end_well();
                return None;
            }
            Outcome::Success => {
                self.succeed(t);
                return None;
            }
            Outcome::Begun => {
                self.begin_well(t);
                return None;
            }
            Outcome::Hard => {
                self.note_failure(Sort::Hard, told, t);
                self.is_hard_row(told, t).then_some(TripReason::Streak)
            }
            Outcome::BadAnswer => {
                let (in_a_row, drifted) = self.note_bad_answer(told, t);
                (in_a_row || drifted && !told.spared).then_some(TripReason::Quality)
            }
            Outcome::Soft => {
                self.note_failure(Sort::Soft, told, t);
                None
            }
        };
        let reason = reason.or_else(|| self.is_ratio(t).then_some(TripReason::Ratio))?;
        self.open(gate, t, reason)
    }

    fn note_failure(&self, sort: Sort, told: Told, t: u64) {
        if told.begun {
            self.window.broken(sort, t);
        } else {
            self.window.failure(sort, t);
        }
    }

    /// Whether there were too many failures at once in a row with no beginning between them, or too many broken streams with no good end.
    fn is_hard_row(&self, told: Told, t: u64) -> bool {
        if !told.begun {
            let count = self.lengthen(HARD_SHIFT, 0);
            return self.is_streak(&self.hard_times, count, t);
        }
        let count = self.lengthen(BROKEN_SHIFT, DOUBT);
        self.is_streak(&self.broken_times, count, t)
            && self.window.sums(t).trip_share() >= ROW_SHARE
    }

    /// Whether there were too many bad answers in a row, and whether their share has drifted up.
    fn note_bad_answer(&self, told: Told, t: u64) -> (bool, bool) {
        self.note_failure(Sort::Soft, told, t);
        let count = self.lengthen(BAD_SHIFT, 0);
        // Its own beginning is one of them.
        let goods = self.window.take_goods().saturating_sub(told.begun.into());
        let drifted = self.hot.quality.bad(goods);
        // Where bad answers are usual, chance alone makes some follow each other.
        let needed = self.settings.failures().max(self.hot.quality.streak());
        let window = self.settings.failure_window();
        let in_a_row = self.bad_times.note(count, t, needed, window);
        (in_a_row, drifted)
    }

    fn is_streak(&self, times: &Times, count: u32, t: u64) -> bool {
        let (needed, window) = (self.settings.failures(), self.settings.failure_window());
        times.note(count, t, needed, window)
    }

    fn is_ratio(&self, t: u64) -> bool {
        let Some(ratio) = self.settings.ratio() else {
            return false;
        };
        let sums = self.window.sums(t);
        sums.total() >= self.settings.samples() && sums.trip_share() >= ratio
    }

    /// The result of the first probe to end.
    pub(crate) fn judge_probe(&self, gate: Gate, outcome: Outcome, t: u64) -> Option<Change> {
        match outcome {
            Outcome::Neutral => None,
            Outcome::Hard | Outcome::BadAnswer => self.open(gate, t, TripReason::Probe),
            Outcome::Soft => {
                // It answers, and has no room: another cooldown as long as the last, not a longer one.
                let level = self.repeats(t, false).saturating_sub(1);
                let until = t + self.cooldown(level);
                let next = gate.enter(Phase::Open, gate.reason(), until);
                let reason = gate.reason();
                self.enter_open(gate, next, t)
                    .then_some(Change::Opened { reason })
            }
            Outcome::Success | Outcome::Begun => {
                // Only the probe's owner is here: the past is forgotten before anyone is let in.
                self.window.clear();
                self.hot.quality.reset(self.window.take_goods());
                self.first_token.reset();
                self.per_token.reset();
                let kept = if outcome == Outcome::Begun { DOUBT } else { 0 };
                self.hot.streaks.fetch_and(kept, Ordering::Relaxed);
                self.hot.ramp.store(0, Ordering::Relaxed);
                self.window.good(t);
                let level = self.hot.level.load(Ordering::Relaxed) >> SINCE_BITS;
                self.hot
                    .level
                    .store((level << SINCE_BITS) | t, Ordering::Relaxed);
                let (next, change) = if self.settings.ramp_step() == 0 {
                    let closed = gate.enter(Phase::Closed, TripReason::None, 0);
                    (closed, Change::Closed)
                } else {
                    (gate.ramp(Gate::after(gate.epoch()), 0, t), Change::Ramping)
                };
                self.swap(gate, next).ok().map(|()| change)
            }
        }
    }

    /// Opens for the next cooldown; `None` when somebody else changed the state first.
    pub(crate) fn open(&self, gate: Gate, t: u64, reason: TripReason) -> Option<Change> {
        let healthy = gate.phase() != Phase::HalfOpen;
        let level = self.repeats(t, healthy);
        let next = gate.enter(Phase::Open, reason, t + self.cooldown(level));
        if !self.enter_open(gate, next, t) {
            return None;
        }
        let raised = (level + 1).min(LEVEL_MAX);
        self.hot
            .level
            .store((raised << SINCE_BITS) | t, Ordering::Relaxed);
        Some(Change::Opened { reason })
    }

    fn enter_open(&self, gate: Gate, next: Gate, t: u64) -> bool {
        let won = self.swap(gate, next).is_ok();
        if won {
            self.hot.streaks.fetch_and(DOUBT, Ordering::Relaxed);
            self.hot
                .shadow
                .store(t + self.settings.shadow().unwrap_or(0), Ordering::Relaxed);
        }
        won
    }

    /// Repetitions so far, less one for each healthy span when `healthy`.
    pub(crate) fn repeats(&self, t: u64, healthy: bool) -> u64 {
        let word = self.hot.level.load(Ordering::Relaxed);
        let (level, since) = (word >> SINCE_BITS, word & ((1 << SINCE_BITS) - 1));
        if healthy {
            level.saturating_sub(t.saturating_sub(since) / self.settings.heal())
        } else {
            level
        }
    }

    fn cooldown(&self, level: u64) -> u64 {
        self.settings
            .cooldown()
            .saturating_mul(1 << level.min(LEVEL_MAX))
            .min(self.settings.cooldown_max())
    }
}
