//! The way back: a growing share of calls passes, at most three steps long.
//!
//! A target that has healed, and fails now and then as any does, must get through; one that has not must be left after a few calls. So a
//! ramp never begins anew. Time ends each step; good results end it early where they are more than `ramp_good` for each failure and
//! `ramp_good` besides, that is while fewer than one in six fail by default. All that opens a closed breaker opens this one, and it does so
//! besides when hard failures since the probe outnumber good results, the probe among them, by half of `failures`. Of one call in ten
//! that fails by itself that is the ruin of a gambler: (1/9)^4, once in 6 000 ramps.
//!
//! Where the last stream that ended was a broken one, a beginning shortens nothing: only ends do.

use crate::breaker::Breaker;
use crate::gate::{Gate, Phase};
use crate::outcome::{Change, Outcome};
use crate::reason::TripReason;
use crate::sync::Ordering;
use crate::trip::Told;

/// Shares of calls admitted by the steps of a ramp, in percent; after the last step everything passes.
const SHARES: [u64; 3] = [10, 25, 50];
const STEPS: u64 = SHARES.len() as u64;

/// The ramp's word: calls asked 16 | step 2 | good results of the step 23 | others 23.
const ASKED_SHIFT: u32 = 48;
const STEP_SHIFT: u32 = 46;
const GOOD_SHIFT: u32 = 23;
const COUNT: u64 = (1 << GOOD_SHIFT) - 1;

impl Breaker {
    /// The step of a ramp and when it began; `None` once time has ended the last.
    pub(crate) fn ramp_step(&self, gate: Gate, t: u64) -> Option<(u64, u64)> {
        let (step, since) = gate.step();
        let length = self.settings.ramp_step().max(1);
        let passed = t.saturating_sub(since) / length;
        let step = step.saturating_add(passed);
        (step < STEPS).then(|| (step, since + passed * length))
    }

    /// The share of calls that passes, in percent.
    pub(crate) fn ramp_percent(&self, gate: Gate, t: u64) -> u64 {
        let step = self.ramp_step(gate, t);
        step.and_then(|(step, _)| SHARES.get(usize::try_from(step).ok()?))
            .copied()
            .unwrap_or(100)
    }

    pub(crate) fn passes_ramp(&self, gate: Gate, t: u64) -> bool {
        let word = self.hot.ramp.fetch_add(1 << ASKED_SHIFT, Ordering::Relaxed);
        let percent = self.ramp_percent(gate, t);
        // Evenly spread: the first of ten, then each tenth.
        ((word >> ASKED_SHIFT) * percent) % 100 < percent
    }

    /// A result in a step of the ramp that began at `since`.
    pub(crate) fn judge_ramp(
        &self,
        gate: Gate,
        (step, since): (u64, u64),
        told: Told,
        t: u64,
    ) -> Option<Change> {
        match told.outcome {
            Outcome::Success | Outcome::Begun => {
                self.judge(gate, told, t);
                let counted =
                    told.begun || told.outcome == Outcome::Begun && self.doubts_beginnings();
                if counted {
                    return None;
                }
                let (good, bad) = self.tally(step, |good, bad| (good + 1, bad))?;
                let enough = self.settings.ramp_good().saturating_mul(bad + 1);
                let least = (self.settings.ramp_step() / 10).max(1);
                if good < enough || t.saturating_sub(since) < least {
                    return None;
                }
                let next = if step + 1 < STEPS {
                    gate.ramp(gate.epoch(), step + 1, t)
                } else {
                    gate.stay(Phase::Closed, TripReason::None, 0)
                };
                self.swap(gate, next).ok()?;
                (next.phase() == Phase::Closed).then_some(Change::Closed)
            }
            Outcome::Hard | Outcome::Soft | Outcome::BadAnswer => {
                // Whether the usual share of bad answers has drifted is asked of a closed one.
                let spared = Told {
                    spared: true,
                    ..told
                };
                if let Some(change) = self.judge(gate, spared, t) {
                    return Some(change);
                }
                let taken_back = u64::from(told.begun);
                self.tally(step, |good, bad| (good.saturating_sub(taken_back), bad + 1));
                let sums = self.window.sums(t);
                let lead = self.settings.failures().div_ceil(2);
                let is_down =
                    told.outcome == Outcome::Hard && sums.hard >= sums.good.saturating_add(lead);
                is_down
                    .then(|| self.open(gate, t, TripReason::Probe))
                    .flatten()
            }
            Outcome::Neutral => None,
        }
    }

    /// Counts a result in its step; how many good ones and others there are now. `None`: a later step has begun.
    fn tally(&self, step: u64, next: impl Fn(u64, u64) -> (u64, u64)) -> Option<(u64, u64)> {
        let mut seen = self.hot.ramp.load(Ordering::Relaxed);
        loop {
            let counted = (seen >> STEP_SHIFT) & 3;
            let (good, bad) = if counted == step {
                ((seen >> GOOD_SHIFT) & COUNT, seen & COUNT)
            } else if counted < step {
                (0, 0)
            } else {
                return None;
            };
            let (good, bad) = next(good, bad);
            let (good, bad) = (good.min(COUNT), bad.min(COUNT));
            let asked = (seen >> ASKED_SHIFT) << ASKED_SHIFT;
            let word = asked | (step << STEP_SHIFT) | (good << GOOD_SHIFT) | bad;
            let ramp = &self.hot.ramp;
            match ramp.compare_exchange(seen, word, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some((good, bad)),
                Err(now) => seen = now,
            }
        }
    }
}
