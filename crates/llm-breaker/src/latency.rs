//! Is this target slower than its own past?
//!
//! A one-sided CUSUM of likelihood ratios: how much better does "everything takes 2.8 times as long, or more" explain the times than "as ever"?
//!
//! ```text
//! S = max(0, S + clip(ln g(x) / f(x), -2.5, 2.5) / waves)        alarm at S >= 10
//! g(x) = mean of f(x / k), k = 2.8, 4.8, 8, 13; a twentieth spread over all that is slower than the median, a tenth over what is more than 13 times as slow
//! ```
//!
//! `f` is the learnt share of times in each quarter of an octave, smoothed with its neighbours; beyond what was ever seen it falls by half
//! with each octave. Because it is learnt, the shape of the times does not matter: a second mode or a tail without end is as usual there as it has been. Whatever `f`
//! is, a healthy target's S reaches h in fewer than one of e^h stretches of calls (Page 1954; Lorden 1971). Nothing is learnt while S is
//! above 2, so that a slow hour does not become the baseline. Feed it time to first token and, in a second one, time per output
//! token; never the total time, which is mostly the length of the answer. A call that is given up says that it took longer than
//! its age, and is weighed by how much likelier that is: ln G(age) / F(age), the shares of all slower times.
//!
//! Calls differ in how long they usually take: a long prompt is read for longer. So `f` is learnt for each class of calls, and each time is weighed
//! against its like; the score is one, for it is the target that grows slow.
//!
//! Where load comes in waves, successive calls are not independent, and a few of them prove little. How much less is learnt
//! (`waves` above, see `waves.rs`); it is 1 where calls are independent. Nor is a wave that slows all calls of some seconds a reason to leave
//! the target: [`may_be_wave`](LatencyDetector::may_be_wave) compares the level of the last calls with those of earlier moments (`levels.rs`).
//!
//! What it cannot do: tell this target's trouble from a wave of load that slows everyone. So its alarm opens no breaker. Ask a peer beside
//! the target then, and leave it for one that is faster again and again; `llm-router` does.

use std::time::Duration;

use crate::baseline::Baseline;
use crate::levels::Levels;
use crate::sync::{AtomicU32, Ordering};
use crate::waves::Waves;

/// The score from which a target counts as slow.
pub const SLOW: f32 = 10.0;

const FREEZE: f32 = 2.0;
const SCORE_MAX: f32 = 15.0;
/// Calls with a raised score after which the slow time is taken for the new normal.
const FREEZE_MAX: u32 = 1000;
/// Where a slowness lasts for so many times as long, it counts for as many levels.
const WAVE_SECONDS: f32 = 10.0;

/// Learns how long one target usually takes, and scores how far it is from that. Lock-free.
#[derive(Debug)]
pub struct LatencyDetector {
    /// The score (f32).
    score: AtomicU32,
    /// Calls since the usual times were last learnt.
    frozen: AtomicU32,
    /// The usual times of each class.
    classes: Box<[Baseline]>,
    waves: Waves,
    levels: Levels,
}

impl Default for LatencyDetector {
    /// For calls that are all of one class.
    fn default() -> Self {
        Self::with_classes(1)
    }
}

impl LatencyDetector {
    /// For calls of so many classes (at least one), each with times of its own: they are weighed together, each against its like. A class that does
    /// not exist is taken for the last one.
    #[must_use]
    pub fn with_classes(classes: usize) -> Self {
        Self {
            score: AtomicU32::new(0),
            frozen: AtomicU32::new(0),
            classes: (0..classes.max(1)).map(|_| Baseline::new()).collect(),
            waves: Waves::new(),
            levels: Levels::new(),
        }
    }

    /// Books a time of the first class; the score after it.
    pub fn observe(&self, time: Duration) -> f32 {
        self.observe_in(0, time)
    }

    /// Books a time of this class; the score after it.
    pub fn observe_in(&self, class: usize, time: Duration) -> f32 {
        let x = time.as_secs_f32().max(1e-6).ln();
        let Some(usual) = self.class(class) else {
            return 0.0;
        };
        let score = self.score();
        let evidence = usual.evidence(x);
        let next = evidence.map_or(score, |evidence| self.after(score, evidence));
        let frozen = if next <= FREEZE {
            0
        } else {
            self.frozen.load(Ordering::Relaxed).saturating_add(1)
        };
        self.score.store(next.to_bits(), Ordering::Relaxed);
        self.frozen.store(frozen, Ordering::Relaxed);
        if let Some(evidence) = evidence {
            // What may be trouble says nothing of waves, nor does what is weighed by hardly known shares.
            if next < SLOW / 2.0 && usual.is_known() {
                self.waves.learn(evidence);
            }
            let off = x - usual.median();
            self.levels.observe(off);
            if next < SLOW / 2.0 || frozen > FREEZE_MAX {
                self.levels.learn(off);
            }
        }
        if frozen == 0 || frozen > FREEZE_MAX {
            usual.learn(x);
        }
        usual.see();
        next
    }

    /// Books a call of the first class that was given up, or beaten by another, at this age: it would have taken longer; the score after
    /// it. Nothing is learnt from it.
    pub fn outlasted(&self, age: Duration) -> f32 {
        self.outlasted_in(0, age)
    }

    /// The same for a call of this class.
    pub fn outlasted_in(&self, class: usize, age: Duration) -> f32 {
        let x = age.as_secs_f32().max(1e-6).ln();
        let score = self.score();
        let Some(usual) = self.class(class) else {
            return score;
        };
        let Some(evidence) = usual.evidence_beyond(x) else {
            return score;
        };
        let next = self.after(score, evidence);
        self.score.store(next.to_bits(), Ordering::Relaxed);
        self.levels.outlasted(x - usual.median());
        next
    }

    /// The score: 0 is usual, [`SLOW`] and above is slow.
    #[must_use]
    pub fn score(&self) -> f32 {
        f32::from_bits(self.score.load(Ordering::Relaxed))
    }

    /// Whether the target is much slower than its own past.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.score() >= SLOW
    }

    /// How many successive calls say what one independent call would, 1 to 64: more than 1 where load comes in waves.
    #[must_use]
    pub fn waves(&self) -> f32 {
        self.waves.inflation()
    }

    /// How many times as slow as on average the last calls were, whether that is usual here or not; never less than 1.
    #[must_use]
    pub fn level(&self) -> f32 {
        self.levels.slower()
    }

    /// Whether calls that have been slow for so long may as well be in a wave of load such as were seen before: their level is within
    /// what chance makes of those waves. Whatever lasts for longer than waves do is none.
    #[must_use]
    pub fn may_be_wave(&self, lasted: Duration) -> bool {
        let longer = (lasted.as_secs_f32() / WAVE_SECONDS).max(1.0);
        let none = |beyond: f32| beyond.max(0.0).powi(2) / 2.0 * longer >= SLOW;
        !self.levels.beyond().is_none_or(none)
    }

    /// The learnt median of the first class, once there is one.
    #[must_use]
    pub fn typical(&self) -> Option<Duration> {
        self.typical_in(0)
    }

    /// The learnt median of this class, once there is one.
    #[must_use]
    pub fn typical_in(&self, class: usize) -> Option<Duration> {
        self.class(class)?.typical()
    }

    /// Takes the score back to zero and keeps the usual times: after a recovery.
    pub fn reset(&self) {
        self.score.store(0, Ordering::Relaxed);
        self.frozen.store(0, Ordering::Relaxed);
        self.levels.reset();
    }

    /// The score after this evidence.
    fn after(&self, score: f32, evidence: f32) -> f32 {
        (score + evidence / self.waves.inflation()).clamp(0.0, SCORE_MAX)
    }

    fn class(&self, class: usize) -> Option<&Baseline> {
        self.classes.get(class).or(self.classes.last())
    }
}
