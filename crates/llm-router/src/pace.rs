//! Local pacing of one target: its rate limits are spent here before the provider says 429.
//!
//! Each quota is a generic cell rate algorithm (GCRA): one theoretical arrival time (TAT) in one
//! atomic. A call that costs `n` units moves it by `n * window / limit`; it is let through where
//! the result is no more than the burst ahead of now. A whole window's worth is *not* let through
//! at once: the burst is [`Limits::burst`] of the rate, 10 s by default and always at least one
//! call. Daily quotas are the exception, they are spent as they come.
//!
//! Reply headers correct the picture. With `remaining` units for the time `reset` until a fixed
//! window turns over, burst and refill together may use no more than `remaining`, so that
//! `tat >= now + burst + (reset - unit) - remaining * unit`: the last unit to flow in does so at the
//! reset itself and belongs to the next window. Where the stated reset is the time a token
//! bucket needs to fill (`used * unit`, within a quarter), its refill is real and the bound is
//! `now + burst - remaining * unit`. The bound raises the TAT at once; it lowers it only where the
//! reply answers the newest reservation, for an older one does not count what was sent since.

use std::array;
use std::iter;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

mod limits;
mod quota;
mod seen;
#[cfg(test)]
mod tests;

pub use self::limits::{Cost, Limits};
use self::quota::{Quota, is_of_requests};
pub use self::seen::Seen;
use self::seen::{bound, fills_as_it_goes, place};

const QUOTAS: usize = 5;
const MINUTE_NS: u64 = 60_000_000_000;
const DAY_NS: u64 = 86_400_000_000_000;
/// The places of the quotas of requests, by the minute and by the day, among the quotas.
const REQUESTS: usize = 0;
const DAILY: usize = 4;
/// The bits of `Spent::active` above those of the quotas.
const BLOCKED: u32 = 1 << 5;
/// Some quota of a minute yields less than one unit in the burst, so that it has one of its own.
const SLOW: u32 = 1 << 6;
/// There is no limit and no block.
const UNLIMITED: u32 = 1 << 7;
/// The longest block that a reply can ask for.
const MAX_BLOCK: Duration = Duration::from_secs(86_400);

/// Whether paces of these united [`looks`](Pace::looks) can be compared by one number: all have limits, of bursts that are alike, and no
/// block; or none has a limit.
#[inline(always)]
pub(crate) const fn are_alike(looks: u32) -> bool {
    looks == UNLIMITED || looks & (UNLIMITED | BLOCKED | SLOW | 1 << DAILY) == 0
}

/// Whether a call may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceReadiness {
    /// Now.
    Ready,
    /// Not before this instant, as far as is known.
    NotBefore(Instant),
    /// Never: it costs more than a whole window holds.
    TooLarge,
    /// Not while so many others are in flight.
    Full,
}

/// What a call has taken from the quotas. Give it back with [`Pace::refund`] where nothing was
/// sent, with [`Pace::correct`] once the true cost is known; dropped, the estimate stands.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "pass it to `correct` or `refund`, or the estimate stands"]
pub struct Reservation {
    took_ns: [u64; QUOTAS],
    /// What it was taken for.
    cost: Cost,
    sequence: u64,
}

impl Reservation {
    /// Its place in the order of this pace's reservations.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// The pace of one target: what of its limits is left, as far as is known here.
///
/// Shared by reference. Reading costs a few relaxed loads; nothing locks or allocates.
///
/// Whether a call may be sent is asked at every decision, of quotas that are seldom near their end. So the pace keeps two
/// numbers that stand for all quotas together: the room that was left at the last reservation, and the price of a token where it is
/// dearest. As time only adds to the room, no clock is needed to see that a call passes by them; for any other the quotas are asked.
#[derive(Debug)]
#[repr(C, align(64))] // What every decision reads comes first, on one cache line.
pub struct Pace {
    /// A call whose tokens are priced below this passes every quota, and no block is there.
    room: AtomicU64,
    /// The most that one token takes from any quota of tokens. It only rises.
    token_ns: AtomicU64,
    /// The most calls in flight; all bits set: any number.
    concurrency: u32,
    burst_ns: u64,
    spent: Spent,
    /// Nothing is sent before this, whatever the quotas say.
    blocked_until: AtomicU64,
    /// Requests, tokens, input tokens, output tokens, requests a day.
    quotas: [Quota; QUOTAS],
    origin: Instant,
}

/// What every call changes, away from what every decision reads; and on the same cache line what is looked at together with it.
#[derive(Debug)]
#[repr(align(64))]
struct Spent {
    /// The latest TAT of all quotas but the daily one.
    latest_tat: AtomicU64,
    /// Which quotas have a limit, and whether the block is to be looked at.
    active: AtomicU32,
    sequence: AtomicU64,
}

impl Pace {
    /// A pace with everything left. `origin` is the zero of its clock: any instant before its
    /// first use.
    #[must_use]
    pub fn new(limits: Limits, origin: Instant) -> Self {
        let burst_ns = nanos(limits.burst).min(MINUTE_NS);
        let given = [
            limits.rpm,
            limits.tpm,
            limits.input_tpm,
            limits.output_tpm,
            limits.rpd,
        ];
        let quotas = array::from_fn(|at| {
            let limit = given.get(at).copied().flatten();
            match at {
                DAILY => Quota::new(limit, DAY_NS, DAY_NS),
                _ => Quota::new(limit, MINUTE_NS, burst_ns),
            }
        });
        let mut active = 0;
        for (bit, quota) in bits().zip(&quotas) {
            if quota.configured != 0 {
                active |= bit;
            }
        }
        let pace = Self {
            room: AtomicU64::new(0),
            token_ns: AtomicU64::new(0),
            concurrency: match limits.concurrency {
                None | Some(0) => u32::MAX,
                Some(most) => most,
            },
            burst_ns,
            spent: Spent {
                latest_tat: AtomicU64::new(0),
                active: AtomicU32::new(active),
                sequence: AtomicU64::new(0),
            },
            blocked_until: AtomicU64::new(0),
            quotas,
            origin,
        };
        pace.note_prices();
        pace.widen(0, pace.least_room(0), 0);
        pace
    }

    /// The same with other limits: what was spent stays spent, by the time it takes to flow back, and
    /// so does what was learnt of limits that are not given. Calls under way still count towards
    /// the old one.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        let next = Self::new(limits, self.origin);
        for ((bit, quota), known) in bits().zip(&next.quotas).zip(&self.quotas) {
            let learnt = known.limit.load(Relaxed);
            // A limit that was given before and is not any more is forgotten.
            if quota.configured == 0 && known.configured == 0 && learnt != 0 {
                quota.set_limit(learnt);
                next.spent.active.fetch_or(bit, Relaxed);
            }
            quota.tat.store(known.tat.load(Relaxed), Relaxed);
        }
        let blocked = self.spent.active.load(Relaxed) & BLOCKED;
        next.spent.active.fetch_or(blocked, Relaxed);
        for (place, known) in [
            (&next.blocked_until, &self.blocked_until),
            (&next.spent.sequence, &self.spent.sequence),
        ] {
            place.store(known.load(Relaxed), Relaxed);
        }
        next.note_prices();
        next.note_spent();
        // How much room there is the first reservation finds out.
        next.room.store(0, Relaxed);
        next
    }

    /// Whether a call of this cost could be sent now, beside `in_flight` others. Takes nothing.
    #[must_use]
    pub fn readiness(&self, cost: Cost, in_flight: u32, now: Instant) -> PaceReadiness {
        let active = self.spent.active.load(Relaxed);
        let at = self.clock(now);
        let mut wait = match active & BLOCKED {
            0 => 0,
            _ => self.blocked_until.load(Relaxed).saturating_sub(at),
        };
        for (_, quota, units) in self.limited(active, cost) {
            match quota.wait(units, at) {
                Some(longer) => wait = wait.max(longer),
                None => return PaceReadiness::TooLarge,
            }
        }
        if in_flight >= self.concurrency {
            return PaceReadiness::Full;
        }
        match wait {
            0 => PaceReadiness::Ready,
            _ => self.not_before(at.saturating_add(wait), now),
        }
    }

    /// Whether [`readiness`](Self::readiness) says that it could be sent now, `at` so many nanoseconds after the origin.
    pub(crate) fn is_ready(&self, cost: Cost, in_flight: u32, at: impl FnOnce() -> u64) -> bool {
        in_flight < self.concurrency
            && (self.passes_easily(cost)
                || self.passes(self.spent.active.load(Relaxed), cost, at()))
    }

    /// Whether it is ready by far, so that no quota need be asked by itself.
    #[inline(always)]
    pub(crate) fn is_easily_ready(&self, cost: Cost, in_flight: &AtomicU32) -> bool {
        self.passes_easily(cost)
            && (self.concurrency == u32::MAX || in_flight.load(Relaxed) < self.concurrency)
    }

    /// Whether there is room by the two numbers kept of all quotas: where there is for the price, there is for every true span.
    #[inline(always)]
    fn passes_easily(&self, cost: Cost) -> bool {
        let tokens = cost.input_tokens.checked_add(cost.output_tokens);
        let price = tokens.and_then(|tokens| tokens.checked_mul(self.token_ns.load(Relaxed)));
        price.is_some_and(|price| price < self.room.load(Relaxed))
    }

    /// Whether every quota lets the call pass, each asked by itself.
    fn passes(&self, active: u32, cost: Cost, at: u64) -> bool {
        let mut quotas = self.limited(active, cost);
        quotas.all(|(_, quota, units)| quota.wait(units, at) == Some(0))
            && (active & BLOCKED == 0 || self.blocked_until.load(Relaxed) <= at)
    }

    /// Keeps the room no wider than what has become of it.
    fn narrow(&self, room: u64) {
        if room < self.room.load(Relaxed) {
            // Somewhat narrower than it need be, so that not every call writes to what all decisions read.
            self.room.fetch_min(room - room / 16, AcqRel);
        }
    }

    /// Makes the room as wide as it was seen to be at `at`, if it was `known` before that look. Of two reservations at the same
    /// instant it may miss one, which the next makes up for: none is granted on this alone.
    fn widen(&self, known: u64, room: u64, at: u64) {
        let next = room - room / 16;
        if next <= known.saturating_add(known / 8) || self.is_blocked(at) {
            return;
        }
        let _ = self.room.compare_exchange(known, next, AcqRel, Relaxed);
        // A block comes before its narrowing, so that it is met by one of the two.
        if self.is_blocked(at) {
            self.room.store(0, Relaxed);
        }
    }

    /// The room that the tightest quota leaves at `at`.
    fn least_room(&self, at: u64) -> u64 {
        self.limited(self.spent.active.load(Relaxed), Cost::default())
            .map(|(place, quota, _)| quota.room(place, at))
            .min()
            .unwrap_or(u64::MAX)
    }

    fn note_prices(&self) {
        for (place, quota) in self.quotas.iter().enumerate() {
            if !is_of_requests(place) {
                self.token_ns.fetch_max(quota.unit(), Relaxed);
            }
            if place != DAILY && quota.unit() > self.burst_ns {
                self.spent.active.fetch_or(SLOW, Relaxed);
            }
        }
    }

    /// Of two calls that end at the same instant the one may be missed until the next one ends.
    fn note_spent(&self) {
        let minutes = self.quotas.iter().take(DAILY);
        let latest = minutes.map(|quota| quota.tat.load(Relaxed)).max();
        self.spent.latest_tat.store(latest.unwrap_or(0), Relaxed);
    }

    fn is_blocked(&self, at: u64) -> bool {
        self.spent.active.load(Relaxed) & BLOCKED != 0 && self.blocked_until.load(Relaxed) > at
    }

    /// Takes the cost of a call from every quota, or from none.
    ///
    /// # Errors
    ///
    /// What [`readiness`](Self::readiness) says, where that is not `Ready`. Whoever waits for
    /// `NotBefore` asks again then: others may have been faster.
    pub fn reserve(
        &self,
        cost: Cost,
        in_flight: u32,
        now: Instant,
    ) -> Result<Reservation, PaceReadiness> {
        let active = self.spent.active.load(Relaxed);
        let mut reservation = Reservation {
            took_ns: [0; QUOTAS],
            cost,
            sequence: 0,
        };
        if active == 0 && in_flight < self.concurrency {
            return Ok(reservation);
        }
        let at = self.clock(now);
        if self.is_blocked(at) || !self.is_ready(cost, in_flight, || at) {
            return Err(self.refusal(cost, in_flight, now));
        }
        let (known, mut room) = (self.room.load(Relaxed), u64::MAX);
        for (place, quota, units) in self.limited(active, cost) {
            if units != 0 {
                if let Some(span) = quota.take(units, at)
                    && let Some(took) = reservation.took_ns.get_mut(place)
                {
                    *took = span;
                } else {
                    // Somebody was faster between the look and the grasp.
                    self.refund(reservation);
                    return Err(self.refusal(cost, in_flight, now));
                }
            }
            room = room.min(quota.room(place, at));
        }
        self.note_spent();
        self.narrow(room);
        self.widen(known, room, at);
        reservation.sequence = self.spent.sequence.fetch_add(1, Relaxed) + 1;
        Ok(reservation)
    }

    /// Why a call was not let through that may have become ready meanwhile: then it is to ask again at once.
    #[cold]
    fn refusal(&self, cost: Cost, in_flight: u32, now: Instant) -> PaceReadiness {
        let at = self.clock(now);
        self.narrow(if self.is_blocked(at) {
            0
        } else {
            self.least_room(at)
        });
        match self.readiness(cost, in_flight, now) {
            PaceReadiness::Ready => self.not_before(at.saturating_add(1), now),
            refused => refused,
        }
    }

    /// Replaces the estimate of a finished call by what it truly cost.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a reservation is settled once"
    )]
    pub fn correct(&self, reservation: Reservation, actual: Cost, now: Instant) {
        let active = self.spent.active.load(Relaxed);
        if active == 0 {
            return;
        }
        let at = self.clock(now);
        let expected = reservation.cost.units();
        for (place, quota, units) in self.limited(active, actual) {
            let took = reservation.took_ns.get(place).copied().unwrap_or(0);
            if took == 0 || expected.get(place) != Some(&units) {
                let span = quota.span(units);
                quota.give_back(took.saturating_sub(span));
                quota.charge(span.saturating_sub(took), at);
                self.narrow(quota.room(place, at));
                self.note_spent();
            }
        }
    }

    /// Gives back what a call took that was never sent.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a reservation is given back once"
    )]
    pub fn refund(&self, reservation: Reservation) {
        for (quota, took) in self.quotas.iter().zip(reservation.took_ns) {
            quota.give_back(took);
        }
        self.note_spent();
    }

    /// Takes over what a reply's headers say. A limit that is not configured is learnt, a
    /// configured one only lowered. Nothing left means: nothing is sent before the reset (at most
    /// a day), or before the next unit where the reset is that of a bucket. Dimensions that are not paced here are ignored.
    pub fn learn(&self, seen: &Seen, now: Instant) {
        let Some(place) = place(seen) else { return };
        let Some((bit, quota)) = bits().zip(&self.quotas).nth(place) else {
            return;
        };
        if let Some(limit) = seen.limit.filter(|limit| *limit != 0) {
            let limit = match quota.configured {
                0 => limit,
                configured => limit.min(configured),
            };
            quota.set_limit(limit);
            self.spent.active.fetch_or(bit, Relaxed);
            self.note_prices();
            self.narrow(quota.room(place, self.clock(now)));
        }
        let Some(remaining) = seen.remaining else {
            return;
        };
        if let (0, Some(reset)) = (remaining, seen.reset_in)
            && !fills_as_it_goes(quota, seen.limit, remaining, reset)
        {
            self.block(now, reset);
        }
        if quota.limit.load(Relaxed) == 0 {
            return;
        }
        let at = self.clock(now);
        let bound = bound(quota, seen.limit, remaining, seen.reset_in, place, at);
        if seen.sequence == self.spent.sequence.load(Relaxed) {
            quota.tat.store(bound, Relaxed);
        } else {
            quota.tat.fetch_max(bound, Relaxed);
        }
        self.note_spent();
        self.narrow(quota.room(place, at));
    }

    /// Nothing is sent before `until`, at most a day from `now`, and no burst follows then: the
    /// answer to a 429. Never shortens an earlier block.
    pub fn drain(&self, now: Instant, until: Instant) {
        let wait = until.saturating_duration_since(now).min(MAX_BLOCK);
        self.block(now, wait);
        // Replies to what was sent before this may no longer lower anything.
        self.spent.sequence.fetch_add(1, Relaxed);
        let from = self.clock(now).saturating_add(nanos(wait));
        // A day's allowance is not what a passing refusal speaks of.
        for (place, quota) in self.quotas.iter().enumerate().take(DAILY) {
            quota.drain(from);
            if quota.unit() != 0 {
                self.narrow(quota.room(place, self.clock(now)));
            }
        }
        self.note_spent();
    }

    /// The free share of the scarcest quota's burst, `0.0..=1.0`; 1 where no limit is known. The
    /// concurrency cap is not part of it.
    #[must_use]
    pub fn headroom(&self, now: Instant) -> f64 {
        self.headroom_at(self.clock(now))
    }

    /// The same so many nanoseconds after the origin.
    #[inline(never)]
    fn headroom_at(&self, at: u64) -> f64 {
        let active = self.spent.active.load(Relaxed);
        if active == 0 {
            return 1.0;
        }
        if self.is_blocked(at) {
            return 0.0;
        }
        self.limited(active, Cost::default())
            .map(|(_, quota, _)| quota.free_share(at))
            .fold(1.0, f64::min)
    }

    /// The used share of the scarcest quota's burst, so many nanoseconds after the origin: what [`headroom`](Self::headroom) leaves of 1.
    #[inline]
    pub(crate) fn used_share(&self, at: u64) -> f64 {
        1.0 - self.headroom_at(at)
    }

    /// When all that is spent will have flowed back, in nanoseconds after the origin: of two paces whose quotas are alike and of one
    /// [`burst_ns`](Self::burst_ns) the one that is whole sooner has more room, at any time.
    #[inline(always)]
    pub(crate) fn whole_at(&self) -> u64 {
        self.spent.latest_tat.load(Relaxed)
    }

    /// What there is to look at, as bits that can be united with those of others for [`are_alike`].
    #[inline(always)]
    pub(crate) fn looks(&self) -> u32 {
        match self.spent.active.load(Relaxed) {
            0 => UNLIMITED,
            active => active,
        }
    }

    /// The burst of every quota but the daily one.
    pub(crate) const fn burst_ns(&self) -> u64 {
        self.burst_ns
    }

    fn block(&self, now: Instant, wait: Duration) {
        let until = self.clock(now).saturating_add(nanos(wait.min(MAX_BLOCK)));
        self.blocked_until.fetch_max(until, Relaxed);
        self.spent.active.fetch_or(BLOCKED, Relaxed);
        self.room.fetch_min(0, AcqRel);
    }

    /// The quotas that have a limit, with their places and what a call takes from each.
    #[inline]
    fn limited(&self, active: u32, cost: Cost) -> impl Iterator<Item = (usize, &Quota, u64)> {
        let units = cost.units();
        let mut left = active & (BLOCKED - 1);
        iter::from_fn(move || {
            let place = left.trailing_zeros() as usize;
            let found = (place, self.quotas.get(place)?, *units.get(place)?);
            left &= left - 1;
            Some(found)
        })
    }

    fn clock(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.origin))
    }

    fn not_before(&self, at: u64, now: Instant) -> PaceReadiness {
        let instant = self.origin.checked_add(Duration::from_nanos(at));
        PaceReadiness::NotBefore(instant.unwrap_or(now + MAX_BLOCK))
    }
}

fn bits() -> impl Iterator<Item = u32> {
    (0..QUOTAS).map(|place| 1 << place)
}

/// At most some 136 years, so that two can be added.
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    duration.as_secs().min(u64::from(u32::MAX)) * 1_000_000_000 + u64::from(duration.subsec_nanos())
}
