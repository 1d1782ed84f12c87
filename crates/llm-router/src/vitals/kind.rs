//! What is learnt of one kind of call of a target: its usual times, since when they are slow, and how comparisons with others ended.

use llm_backoff::{HedgeDelay, SizeClass};
use llm_breaker::{LatencyDetector, SLOW};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The slowness score that a single call reaches, if it took longer than nearly any before.
const SUSPECT: f32 = 2.0;
/// Calls of one moment say nothing of the next.
const LEAST_SLOWNESS_MS: u64 = 2_000;
/// A call so many times as slow as usual says it at once: no wave of load does that.
const BEYOND_WAVES: u32 = 20;
/// Trials in a row that another target must win before a slow one is left.
pub(super) const TRIALS: u32 = 4;

/// The facts of one kind of call.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) usual: HedgeDelay,
    pub(super) slow: LatencyDetector,
    /// Calls in a row in which another target, asked beside this one, was faster by far.
    pub(super) lost_trials: AtomicU32,
    /// When the call was sent, of those that needed no other the one sent last: milliseconds since the origin.
    pub(super) quick_sent: AtomicU64,
    /// How long that other one took, in milliseconds: less by an eighth with each call that needed no other.
    pub(super) rival_ms: AtomicU32,
    /// Milliseconds since the origin from which on calls have been slower than usual; 0 while they are not.
    pub(super) raised_since: AtomicU64,
    /// The same for what is beyond doubt, and when a call last showed it.
    pub(super) slow_since: AtomicU64,
    pub(super) slow_seen: AtomicU64,
    /// The longest silence that another target, asked beside it, put an end to: milliseconds.
    pub(super) outwaited_ms: AtomicU32,
    /// A call said nothing for the whole of its window, and none has been answered since.
    pub(super) mute: AtomicBool,
}

impl Kind {
    pub(super) fn new(origin: Instant) -> Self {
        Self {
            usual: HedgeDelay::new(origin),
            slow: LatencyDetector::with_classes(SizeClass::COUNT),
            lost_trials: AtomicU32::new(0),
            quick_sent: AtomicU64::new(0),
            rival_ms: AtomicU32::new(0),
            raised_since: AtomicU64::new(0),
            slow_since: AtomicU64::new(0),
            slow_seen: AtomicU64::new(0),
            outwaited_ms: AtomicU32::new(0),
            mute: AtomicBool::new(false),
        }
    }

    /// After how long another target should be asked beside a call of this class, because of what was seen before it.
    pub(super) fn doubtful_after(&self, class: SizeClass, now: Instant) -> Option<Duration> {
        let score = self.slow.score();
        if score >= SLOW {
            let rival = Duration::from_millis(self.rival_ms.load(Ordering::Relaxed).into());
            return Some((self.slow.typical_in(class.index())? * 3 / 2).max(rival));
        }
        let usual = self.usual.delay(now).filter(|_| score > SUSPECT)?;
        Some(usual * 3 / 2)
    }

    pub(super) fn won(&self) {
        if self.lost_trials.load(Ordering::Relaxed) > 0 {
            self.lost_trials.store(0, Ordering::Relaxed);
        }
        let rival = self.rival_ms.load(Ordering::Relaxed);
        if rival > 0 {
            self.rival_ms
                .store(rival - rival.div_ceil(8), Ordering::Relaxed);
        }
    }

    /// How long a silence may last that says nothing yet of a target whose usual time is not known: half as much again as any that another one
    /// put an end to, for else it would never be known.
    pub(super) fn unknown_silence(&self) -> Duration {
        if self.mute.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        let outwaited = self.outwaited_ms.load(Ordering::Relaxed);
        Duration::from_millis(outwaited.into()) * 3 / 2
    }

    pub(super) fn forget_trouble(&self) {
        self.slow.reset();
        self.lost_trials.store(0, Ordering::Relaxed);
        self.rival_ms.store(0, Ordering::Relaxed);
        self.raised_since.store(0, Ordering::Relaxed);
        self.slow_since.store(0, Ordering::Relaxed);
    }

    /// Notes since when calls are slow, by the score after one of this class that took so long and has ended now.
    pub(super) fn note(&self, score: f32, class: SizeClass, took: Duration, now_ms: u64) {
        let usual = self.slow.typical_in(class.index());
        let raised_ms = if usual.is_some_and(|usual| took >= usual * BEYOND_WAVES) {
            now_ms.saturating_sub(LEAST_SLOWNESS_MS)
        } else {
            now_ms
        };
        let note = |since: &AtomicU64, holds: bool, from_ms: u64| {
            let known = since.load(Ordering::Relaxed);
            if holds && (known == 0 || from_ms < known) {
                since.store(from_ms.max(1), Ordering::Relaxed);
            } else if score <= SUSPECT && known != 0 {
                since.store(0, Ordering::Relaxed);
            }
        };
        note(&self.raised_since, score > SUSPECT, raised_ms);
        note(&self.slow_since, score >= SLOW, now_ms);
        // A quick call of one that was slow for long does not make up for all of that, and shows no slowness.
        if score >= SLOW && usual.is_some_and(|usual| took >= usual * 3 / 2) {
            self.slow_seen.store(now_ms, Ordering::Relaxed);
        }
    }

    /// Whether calls have been slower than usual for more than a moment.
    pub(super) fn is_lasting(&self, now_ms: u64) -> bool {
        lasted(&self.raised_since, now_ms) >= Duration::from_millis(LEAST_SLOWNESS_MS)
    }

    /// Whether calls are slow, and no wave of load that was ever seen explains it.
    pub(super) fn is_lastingly_slow(&self, now_ms: u64) -> bool {
        let slow_for = lasted(&self.slow_since, now_ms);
        self.slow.is_slow() && self.is_lasting(now_ms) && !self.slow.may_be_wave(slow_for)
    }
}

/// Keeps the later of two instants. Threads that meet may lose one of theirs: the next is as good.
pub(super) fn later(known: &AtomicU64, at_ms: u64) {
    if at_ms > known.load(Ordering::Relaxed) {
        known.store(at_ms, Ordering::Relaxed);
    }
}

/// How long ago this was, where it is anything.
fn lasted(since: &AtomicU64, now_ms: u64) -> Duration {
    match since.load(Ordering::Relaxed) {
        0 => Duration::ZERO,
        since => Duration::from_millis(now_ms.saturating_sub(since)),
    }
}
