//! Evidence from calls that have not finished.
//!
//! A target that accepts and never answers produces no result to judge until the first timeout. But every call in flight
//! says something by its age: one that is still silent when two thirds of its like have answered says a little, one that is
//! when nearly all have says much, and twenty that began in the same second say it together long before any of them is late by
//! itself. So calls are counted by the slot of time they began in, and all of them are weighed at once, by how many of their like were
//! slower than they are old:
//!
//! ```text
//! h = 0.95: the share of calls that never answer while a target hangs      S(a): the learnt share of calls that take longer than a
//!
//! silent for a:  ln((1 - h) + h / S(a / 1.3)), at most ln(48)              answered:  ln(1 - h)
//!
//! score = max over t of the sum over all calls begun since t
//! alarm:  score >= max(10, 1.5 x the highest that passed without an alarm), and a silence of 2.25 s
//! ```
//!
//! Both lines are logarithms of likelihood ratios: "it has hung since t" against "it is well, or at most 1.3 times as slow as usual". For
//! each t their exponential is a martingale while the target is well, so the chance that a call ever starts a false alarm is
//! below e^-10, one in 22 000 (Ville's inequality), whatever the shape of S, as long as it is known and calls are independent.
//!
//! They are not where load comes in waves: then all calls of a second are late together, and their silence says no more than that of a
//! few would. A hang differs from a wave in that nothing comes back at all, so what is learnt of waves takes from the silences and never
//! from the answers:
//!
//! - the weight of a silence is divided by how many times over calls say the same (`LatencyDetector::waves`, which looks at 32 calls in
//!   a row; where more than that begin in a second, all of a second are taken to say the same to that degree);
//! - from two on (less is within the error of the estimate) the undivided weights must come to 5 as well where "at most 1.3 times as slow"
//!   becomes "at most six times, or as much slower than the last answers as those were than usual";
//! - scores that rose and fell again raise what an alarm needs.
//!
//! `tests/hang.rs` tries it all, on shapes that none of the numbers was chosen on as well.
//!
//! Everything is bounded: 256 slots of an eighth of a second; calls older than the ring (32 s) are forgotten. Where a model thinks for
//! minutes before it speaks, slots of a second remember for four minutes, and see a hang a second later.

use std::time::{Duration, Instant};

use crate::gate::UNTIL_MAX;
use crate::sync::{AtomicU64, Ordering};

const SLOT_MS: u64 = 125;
const LONG_SLOT_MS: u64 = 1000;
const RING: usize = 256;
const SLOTS: u64 = 256;
const COUNT: u64 = 0xffff;

/// The share of calls that are silent while a target hangs.
const HUNG: f32 = 0.95;
/// ln(1 - HUNG).
const ANSWERED: f32 = -2.9957;
/// The share of slower calls is never taken for less: the tail of what was learnt is not known better.
const LEAST_SHARE: f32 = 0.02;
/// Ages count this much less: a target that has grown a little slower does not hang.
const SLACK: f32 = 1.3;
/// The same where calls are long because a model thinks: what is asked may be harder than it was before.
const LONG_SLACK: f32 = 3.0;
/// The score of an alarm, where nothing is known of waves.
const ALARM: f32 = 10.0;
/// So many times as high as the highest score of a wave must that of an alarm be, but no higher than the limit.
const ABOVE_WAVES: f32 = 1.5;
const ALARM_MAX: f32 = 100.0;
/// What each rise and fall of the score leaves of the memory of higher ones: half of it after 3 500.
const MEMORY: f32 = 0.9998;
/// Where the score stops.
const SCORE_MAX: f32 = 200.0;
/// A hang must be seen in the end, whatever the waves.
const WAVES_MAX: f32 = 16.0;
/// So many calls in a row are what waves are learnt from.
const WAVES_CALLS: f32 = 32.0;
/// Waves that say less are within the error of their estimate.
const WAVY: f32 = 2.0;
/// What [`SLACK`] is beside that where there are waves, and what the score must be then.
const SLACK_IN_WAVES: f32 = 6.0;
const ALARM_IN_WAVES: f32 = 5.0;
/// How many slots the calls of a second are counted over: four seconds, or half a minute.
const RATE_SLOTS: u64 = 32;
/// The shortest silence that can be a hang: a pause of the provider's own is none.
const LEAST_SILENCE_MS: u64 = 2250;
/// Calls are weighed no more often.
const WEIGH_MS: u64 = 50;

/// Watches the calls in flight to one target. Lock-free, 2 KiB a class of calls.
#[derive(Debug)]
pub struct HangDetector {
    /// A ring of slots a class: slot number 32 | begun 16 | still silent 16.
    rings: Box<[[AtomicU64; RING]]>,
    /// When calls were last weighed, in steps of 50 ms 32 | the alarm's strength then (f32), 1 and more being one 32.
    weighed: AtomicU64,
    /// The highest score that passed without an alarm (f32) | the highest since the score was last 0 (f32).
    waves: AtomicU64,
    /// Calls of slots before this one are not weighed.
    since: AtomicU64,
    /// How long a slot is.
    slot_ms: u64,
    /// Ages count so many times less.
    slack: f32,
    origin: Instant,
}

/// A call in flight, given back with [`HangDetector::answered`] or [`HangDetector::withdrawn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a call that is never given back counts as silent"]
pub struct Waiting {
    slot: u32,
    class: u32,
}

impl HangDetector {
    /// Watches calls of so many classes, each with times of its own: they are weighed together, each against its like.
    #[must_use]
    pub fn new(classes: usize, origin: Instant) -> Self {
        let ring = |_| std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            rings: (0..classes).map(ring).collect(),
            weighed: AtomicU64::new(0),
            waves: AtomicU64::new(0),
            since: AtomicU64::new(0),
            slot_ms: SLOT_MS,
            slack: SLACK,
            origin,
        }
    }

    /// The same for calls that may be silent for minutes, because a model thinks before it speaks: slots of a second in place of an
    /// eighth, so that calls are watched for 256 s in place of 32; and they may take three times as long as usual in place of 1.3
    /// times, since how long one thinks depends on what is asked.
    #[must_use]
    pub fn for_long_calls(classes: usize, origin: Instant) -> Self {
        Self {
            slot_ms: LONG_SLOT_MS,
            slack: LONG_SLACK,
            ..Self::new(classes, origin)
        }
    }

    /// A call of this class begins. One of a class that does not exist is not watched.
    pub fn begin(&self, class: usize, now: Instant) -> Waiting {
        let call = Waiting {
            slot: low(self.tick(now) / self.slot_ms),
            class: u32::try_from(class).unwrap_or(u32::MAX),
        };
        self.update(call, |begun, silent| {
            Some(((begun + 1).min(COUNT), (silent + 1).min(COUNT)))
        });
        call
    }

    /// It has its first token, or an error: somebody is there.
    pub fn answered(&self, call: Waiting) {
        self.update(call, |begun, silent| {
            (begun > 0).then(|| (begun, silent.saturating_sub(1)))
        });
    }

    /// It was given up and says nothing any more.
    pub fn withdrawn(&self, call: Waiting) {
        self.update(call, |begun, silent| {
            Some((begun.checked_sub(1)?, silent.saturating_sub(1)))
        });
    }

    /// Whether the target hangs. Ask when a call is about to be sent, and while one is silent. `waves` is how many calls say what one
    /// independent call would, 1 where nothing is known of that (taken for 1 to 16); `level`, how many times as slow as usual the last answers
    /// were (1 at least). `slower` gives, for a class, the share
    /// (`0.0..=1.0`) of its calls that take longer than a time; `None` where too little is known, which leaves that class out. It is
    /// called at most once in 50 ms, whoever asks.
    pub fn is_hanging<S: Fn(Duration) -> f32>(
        &self,
        now: Instant,
        waves: f32,
        level: f32,
        slower: impl Fn(usize) -> Option<S>,
    ) -> bool {
        let t = self.tick(now);
        let seen = self.weighed.load(Ordering::Relaxed);
        let step = t / WEIGH_MS;
        // Whoever loses the race takes the last judgement for the present one.
        let claimed = pack(step, low(seen));
        let mine = step > seen >> 32
            && self
                .weighed
                .compare_exchange(seen, claimed, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !mine {
            return f32::from_bits(low(seen)) >= 1.0;
        }
        let waves = waves.clamp(1.0, WAVES_MAX);
        let alike = self.alike(t, waves);
        let (score, silence_ms) = self.weigh(t, alike, self.slack, &slower);
        // A wave that made the last answers so much slower may have gone on rising.
        let slack = SLACK_IN_WAVES.max(level * level);
        let wave = || waves >= WAVY && self.weigh(t, 1.0, slack, &slower).0 < ALARM_IN_WAVES;
        let strength = self.compare(score, silence_ms, wave);
        let news = pack(step, strength.to_bits());
        let _ = self
            .weighed
            .compare_exchange(claimed, news, Ordering::Relaxed, Ordering::Relaxed);
        strength >= 1.0
    }

    /// How many of the calls that begin now say what one independent call would.
    fn alike(&self, t: u64, waves: f32) -> f32 {
        let newest = t / self.slot_ms;
        let slots = newest.saturating_sub(RATE_SLOTS - 1)..=newest;
        let begun = |ring| {
            slots
                .clone()
                .map(|slot| u32::from(read(ring, slot).0))
                .sum::<u32>()
        };
        let calls: u32 = self.rings.iter().map(begun).sum();
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let per_second = calls as f32 * 1000.0 / (RATE_SLOTS * self.slot_ms) as f32;
        1.0 + (waves - 1.0) * (per_second / WAVES_CALLS).max(1.0)
    }

    /// The score beside what an alarm needs, which it teaches; none where it may as well be a wave.
    fn compare(&self, score: f32, silence_ms: u64, wave: impl Fn() -> bool) -> f32 {
        let word = self.waves.load(Ordering::Relaxed);
        let (known, highest) = (f32::from_bits(low(word >> 32)), f32::from_bits(low(word)));
        let needed = (known * ABOVE_WAVES).clamp(ALARM, ALARM_MAX);
        let strength = if silence_ms < LEAST_SILENCE_MS || (score >= needed && wave()) {
            0.0
        } else {
            score / needed
        };
        // What became an alarm is no wave.
        let (known, highest) = match (strength >= 1.0, score > 0.0) {
            (true, _) => (known, 0.0),
            (false, true) => (known, highest.max(score)),
            (false, false) if highest > 0.0 => ((known * MEMORY).max(highest), 0.0),
            (false, false) => (known, 0.0),
        };
        let next = pack(u64::from(known.to_bits()), highest.to_bits());
        if next != word {
            self.waves.store(next, Ordering::Relaxed);
        }
        strength
    }

    /// Forgets all calls so far: after the target was left, and after a recovery.
    pub fn reset(&self, now: Instant) {
        let t = self.tick(now);
        self.since.store(t / self.slot_ms + 1, Ordering::Relaxed);
        self.weighed.store(pack(t / WEIGH_MS, 0), Ordering::Relaxed);
        self.waves
            .fetch_and(!u64::from(u32::MAX), Ordering::Relaxed);
    }

    /// The score at `t`, where so many silences say what one would and all times may be so many times the usual ones; and how long
    /// the silence has lasted that it speaks of, in ms.
    fn weigh<S: Fn(Duration) -> f32>(
        &self,
        t: u64,
        alike: f32,
        slack: f32,
        slower: &impl Fn(usize) -> Option<S>,
    ) -> (f32, u64) {
        let newest = t / self.slot_ms;
        let oldest = (newest + 1)
            .saturating_sub(SLOTS)
            .max(self.since.load(Ordering::Relaxed));
        // Calls of one slot have no order, so its answers and its silences are weighed together.
        let mut weights = [0.0f32; RING];
        for (class, ring) in self.rings.iter().enumerate() {
            let Some(slower) = slower(class) else {
                continue;
            };
            for (slot, weight) in (oldest..=newest).zip(&mut weights) {
                let (begun, silent) = read(ring, slot);
                if begun == 0 {
                    continue;
                }
                *weight += f32::from(begun.saturating_sub(silent)) * ANSWERED;
                if silent > 0 {
                    // The age of the slot's youngest call.
                    let age = t.saturating_sub((slot + 1) * self.slot_ms);
                    let share = slower(Duration::from_millis(age).div_f32(slack));
                    let share = share.clamp(LEAST_SHARE, 1.0);
                    *weight += f32::from(silent) * ((1.0 - HUNG) + HUNG / share).ln() / alike;
                }
            }
        }
        let (mut score, mut silent_since) = (0.0f32, t);
        for (slot, weight) in (oldest..=newest).zip(&weights) {
            if score == 0.0 {
                silent_since = ((slot + 1) * self.slot_ms).min(t);
            }
            score = (score + weight).clamp(0.0, SCORE_MAX);
        }
        (score, t - silent_since)
    }

    fn tick(&self, now: Instant) -> u64 {
        let span = now.saturating_duration_since(self.origin);
        let ms = span.as_secs().saturating_mul(1000);
        ms.saturating_add(u64::from(span.subsec_millis()))
            .min(UNTIL_MAX)
    }

    fn update(&self, call: Waiting, next: impl Fn(u64, u64) -> Option<(u64, u64)>) {
        let ring = usize::try_from(call.class)
            .ok()
            .and_then(|class| self.rings.get(class));
        let Some(cell) = ring.and_then(|ring| cell(ring, u64::from(call.slot))) else {
            return;
        };
        let number = u64::from(call.slot);
        let change = |word: u64| {
            let (begun, silent) = if word >> 32 == number {
                ((word >> 16) & COUNT, word & COUNT)
            } else {
                (0, 0)
            };
            let (begun, silent) = next(begun, silent)?;
            Some((number << 32) | (begun << 16) | silent)
        };
        let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
    }
}

fn cell(ring: &[AtomicU64; RING], slot: u64) -> Option<&AtomicU64> {
    ring.get(usize::try_from(slot % SLOTS).ok()?)
}

fn read(ring: &[AtomicU64; RING], slot: u64) -> (u16, u16) {
    let word = cell(ring, slot).map_or(0, |cell| cell.load(Ordering::Relaxed));
    if word >> 32 != slot {
        return (0, 0);
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two quarters are meant"
    )]
    let counts = ((word >> 16) as u16, word as u16);
    counts
}

fn pack(high: u64, low: u32) -> u64 {
    (high << 32) | u64::from(low)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
fn low(word: u64) -> u32 {
    word as u32
}
