//! When a breaker opens, and how it finds its way back: what each result does to the state.
//!
//! A function here is given the gate as its caller saw it, and changes nothing if the gate has moved on meanwhile.

use crate::breaker::Breaker;
use crate::gate::{Gate, Phase};
use crate::outcome::{Change, Outcome};
use crate::reason::TripReason;
use crate::sync::Ordering;
use crate::window::Sort;

/// Shares of calls admitted by the steps of a ramp, in percent; after the last step everything passes.
const RAMP: [u64; 3] = [10, 25, 50];

/// Repetitions are not counted beyond this; the cooldown is at its maximum long before.
const LEVEL_MAX: u64 = 16;
const SINCE_BITS: u32 = 48;

/// The ramp's word: calls asked 32 | one failure behind it 1 | unused 7 | good results 24.
const ASKED_SHIFT: u32 = 32;
const ASKED_ONE: u64 = 1 << ASKED_SHIFT;
const FAILED_BIT: u64 = 1 << 31;
pub(crate) const GOOD_MASK: u64 = (1 << 24) - 1;

/// The streaks' word: bad answers 32 | hard failures 32.
pub(crate) const HARD_STREAK: u64 = (1 << 32) - 1;

impl Breaker {
    #[inline]
    pub(crate) fn succeed(&self, t: u64) {
        self.window.good(t);
        if self.hot.streaks.load(Ordering::Relaxed) != 0 {
            self.hot.streaks.store(0, Ordering::Relaxed);
        }
    }

    /// The same for an answer that has only begun.
    fn begin(&self, t: u64) {
        self.window.good(t);
        if self.hot.streaks.load(Ordering::Relaxed) & HARD_STREAK != 0 {
            self.hot.streaks.fetch_and(!HARD_STREAK, Ordering::Relaxed);
        }
    }

    /// A result while closed.
    pub(crate) fn judge(&self, gate: Gate, outcome: Outcome, t: u64) -> Option<Change> {
        let reason = match outcome {
            Outcome::Neutral => return None,
            Outcome::Success => {
                self.succeed(t);
                return None;
            }
            Outcome::Begun => {
                self.begin(t);
                return None;
            }
            Outcome::Hard => {
                self.window.failure(Sort::Hard, t);
                let before = self.hot.streaks.fetch_add(1, Ordering::Relaxed);
                #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
                let count = (before as u32).wrapping_add(1);
                let (needed, window) = (self.settings.failures(), self.settings.failure_window());
                let in_a_row = self.hard_times.note(count, t, needed, window);
                in_a_row.then_some(TripReason::Streak)
            }
            Outcome::BadAnswer => {
                let (in_a_row, drifted) = self.note_bad_answer(t);
                (in_a_row || drifted).then_some(TripReason::Quality)
            }
            Outcome::Soft => {
                self.window.failure(Sort::Soft, t);
                None
            }
        };
        let reason = reason.or_else(|| self.is_ratio(t).then_some(TripReason::Ratio))?;
        self.open(gate, t, reason)
    }

    /// A bad answer while closed, where the drift of quality may not open it.
    pub(crate) fn judge_spared(&self, gate: Gate, t: u64) -> Option<Change> {
        let (in_a_row, _) = self.note_bad_answer(t);
        let reason = in_a_row.then_some(TripReason::Quality);
        let reason = reason.or_else(|| self.is_ratio(t).then_some(TripReason::Ratio))?;
        self.open(gate, t, reason)
    }

    /// Whether there were too many bad answers in a row, and whether their share has drifted up.
    fn note_bad_answer(&self, t: u64) -> (bool, bool) {
        self.window.failure(Sort::Soft, t);
        let before = self.hot.streaks.fetch_add(1 << 32, Ordering::Relaxed);
        let count = ((before >> 32) as u32).wrapping_add(1);
        let drifted = self.hot.quality.bad(self.window.take_goods());
        // Where bad answers are usual, chance alone makes some follow each other.
        let needed = self.settings.failures().max(self.hot.quality.streak());
        let window = self.settings.failure_window();
        let in_a_row = self.bad_times.note(count, t, needed, window);
        (in_a_row, drifted)
    }

    fn is_ratio(&self, t: u64) -> bool {
        let Some(ratio) = self.settings.ratio() else {
            return false;
        };
        let sums = self.window.sums(t);
        sums.total() >= self.settings.samples() && sums.trip_share() >= ratio
    }

    /// A result while a growing share of calls passes.
    ///
    /// One failure goes back to the first step; a second one before five good results re-opens. A target that always
    /// fails one call in twenty would otherwise hardly ever get through its ramp.
    pub(crate) fn judge_ramp(&self, gate: Gate, outcome: Outcome, t: u64) -> Option<Change> {
        match outcome {
            Outcome::Neutral => None,
            Outcome::Success | Outcome::Begun => {
                if outcome == Outcome::Begun {
                    self.begin(t);
                } else {
                    self.succeed(t);
                }
                let ramp = self.hot.ramp.fetch_add(1, Ordering::Relaxed) + 1;
                if self.ramp_percent(gate, ramp & GOOD_MASK, t) < 100 {
                    return None;
                }
                let next = gate.stay(Phase::Closed, TripReason::None, 0);
                self.swap(gate, next).ok().map(|()| Change::Closed)
            }
            Outcome::Hard => {
                self.window.failure(Sort::Hard, t);
                let ramp = self.hot.ramp.load(Ordering::Relaxed);
                let again =
                    ramp & FAILED_BIT != 0 && (ramp & GOOD_MASK) < self.settings.ramp_good();
                if again {
                    return self.open(gate, t, TripReason::Probe);
                }
                self.restart_ramp(gate, FAILED_BIT, t);
                None
            }
            Outcome::Soft | Outcome::BadAnswer => {
                self.window.failure(Sort::Soft, t);
                let failed = self.hot.ramp.load(Ordering::Relaxed) & FAILED_BIT;
                self.restart_ramp(gate, failed, t);
                None
            }
        }
    }

    fn restart_ramp(&self, gate: Gate, failed: u64, t: u64) {
        if self
            .swap(gate, gate.stay(Phase::Ramp, gate.reason(), t))
            .is_ok()
        {
            self.hot.ramp.store(failed, Ordering::Relaxed);
        }
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
                self.hot.streaks.store(0, Ordering::Relaxed);
                self.hot.ramp.store(0, Ordering::Relaxed);
                let (phase, change) = if self.settings.ramp_step() == 0 {
                    (Phase::Closed, Change::Closed)
                } else {
                    (Phase::Ramp, Change::Ramping)
                };
                let reason = if phase == Phase::Closed {
                    TripReason::None
                } else {
                    gate.reason()
                };
                let level = self.hot.level.load(Ordering::Relaxed) >> SINCE_BITS;
                self.hot
                    .level
                    .store((level << SINCE_BITS) | t, Ordering::Relaxed);
                let until = if phase == Phase::Ramp { t } else { 0 };
                self.swap(gate, gate.enter(phase, reason, until))
                    .ok()
                    .map(|()| change)
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
            self.hot.streaks.store(0, Ordering::Relaxed);
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

    pub(crate) fn passes_ramp(&self, gate: Gate, t: u64) -> bool {
        let ramp = self.hot.ramp.fetch_add(ASKED_ONE, Ordering::Relaxed);
        let percent = self.ramp_percent(gate, ramp & GOOD_MASK, t);
        // Evenly spread: the first of ten, then each tenth.
        ((ramp >> ASKED_SHIFT) * percent) % 100 < percent
    }

    /// The step is the further one of what time and good results allow; results alone take at least a tenth of a step each.
    pub(crate) fn ramp_percent(&self, gate: Gate, good: u64, t: u64) -> u64 {
        let age = t.saturating_sub(gate.until());
        let step = self.settings.ramp_step().max(1);
        let by_time = age / step;
        let by_good = (good / self.settings.ramp_good()).min(age / (step / 10).max(1));
        usize::try_from(by_time.max(by_good))
            .ok()
            .and_then(|index| RAMP.get(index))
            .copied()
            .unwrap_or(100)
    }
}
