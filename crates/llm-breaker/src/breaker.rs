//! The breaker: admission over a few atomics; what results do to them is in `trip.rs`.
//!
//! Every transition is one compare-and-swap of the gate word; who wins it does the bookkeeping, who loses it lets the
//! winner's view stand. Nothing is ever waited for, and every phase but *closed* ends by time alone:
//! an opening is over at its instant, a probe at the end of its lease, a ramp after its steps. So no lost call, panic or
//! cancelled future can leave a breaker in a state without a way out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::{BreakerConfig, millis};
use crate::gate::{Gate, Mode, Phase, UNTIL_MAX};
use crate::latency::LatencyDetector;
use crate::outcome::{Change, Outcome, Readiness};
use crate::quality::QualityDetector;
use crate::reason::TripReason;
use crate::settings::Settings;
use crate::snapshot::{Alert, Snapshot, State};
use crate::streak::Times;
use crate::sync::{AtomicU64, Ordering};
use crate::ticket::{Kind, Permit, Rejected, Ticket};
use crate::unrest::Unrest;
use crate::window::Window;

/// The words touched by every call, alone on their pair of cache lines.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Hot {
    pub(crate) gate: AtomicU64,
    /// End of a rate limit, ms; 0 = none.
    pub(crate) hold: AtomicU64,
    /// Failures in a row, see `trip.rs`.
    pub(crate) streaks: AtomicU64,
    /// See `ramp.rs`.
    pub(crate) ramp: AtomicU64,
    /// Repetitions 16 | healthy since, ms 48.
    pub(crate) level: AtomicU64,
    /// When the next shadow probe may go, ms.
    pub(crate) shadow: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) quality: QualityDetector,
}

/// A circuit breaker for one target (or credential, model, provider). All methods take `&self` and never block.
#[derive(Debug)]
pub struct Breaker {
    pub(crate) hot: Hot,
    pub(crate) window: Window,
    pub(crate) hard_times: Times,
    pub(crate) broken_times: Times,
    pub(crate) bad_times: Times,
    pub(crate) first_token: LatencyDetector,
    pub(crate) per_token: LatencyDetector,
    pub(crate) settings: Settings,
    pub(crate) origin: Instant,
    unrest: Option<Arc<Unrest>>,
}

impl Breaker {
    /// A closed breaker. `origin` is the zero of its clock: any instant not after the first use.
    #[must_use]
    pub fn new(config: BreakerConfig, origin: Instant) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            hot: Hot {
                gate: AtomicU64::new(Gate::CLOSED.0),
                hold: zero(),
                streaks: zero(),
                ramp: zero(),
                level: zero(),
                shadow: zero(),
                late: zero(),
                quality: QualityDetector::new(),
            },
            window: Window::new(millis(config.window)),
            hard_times: Times::new(),
            broken_times: Times::new(),
            bad_times: Times::new(),
            first_token: LatencyDetector::default(),
            per_token: LatencyDetector::default(),
            settings: Settings::new(&config),
            origin,
            unrest: None,
        }
    }

    /// The same, counted in a common word while it keeps calls back. For a new one.
    #[must_use]
    pub fn counted_in(mut self, unrest: Arc<Unrest>) -> Self {
        self.unrest = Some(unrest);
        self
    }

    /// Whether a call may pass now. Reads only; when the breaker is closed that is two relaxed loads and no clock arithmetic.
    #[inline]
    pub fn readiness(&self, now: Instant) -> Readiness {
        if self.is_clear() {
            return Readiness::Ready;
        }
        let gate = Gate(self.hot.gate.load(Ordering::Relaxed));
        let hold = self.hot.hold.load(Ordering::Relaxed);
        self.readiness_in(gate, hold, now)
    }

    /// Whether it is closed and nothing holds calls back, so that [`readiness`](Self::readiness) is [`Readiness::Ready`] at any time.
    #[inline(always)]
    pub fn is_clear(&self) -> bool {
        let gate = Gate(self.hot.gate.load(Ordering::Relaxed));
        gate.is_clear() && self.hot.hold.load(Ordering::Relaxed) == 0
    }

    #[cold]
    fn readiness_in(&self, gate: Gate, hold: u64, now: Instant) -> Readiness {
        let t = self.tick(now);
        match gate.mode() {
            Mode::ForcedClosed | Mode::Observe => return Readiness::Ready,
            Mode::ForcedOpen => {
                return Readiness::Open(now + Duration::from_millis(self.settings.cooldown()));
            }
            Mode::Enforce => {}
        }
        let waiting = matches!(gate.phase(), Phase::Open | Phase::HalfOpen);
        let until = if waiting {
            self.asks_again_at(gate, t).max(hold)
        } else {
            hold
        };
        if until > t {
            let until = self.instant(until);
            if waiting {
                Readiness::Open(until)
            } else {
                Readiness::Held(until)
            }
        } else if waiting {
            Readiness::Probe
        } else {
            Readiness::Ready
        }
    }

    /// Asks for one call.
    ///
    /// # Errors
    ///
    /// [`Rejected`] while the target is held back, open, or its probe is out, and for some calls during a ramp.
    #[inline]
    pub fn acquire(&self, now: Instant) -> Result<Ticket, Rejected> {
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        let hold = self.hot.hold.load(Ordering::Relaxed);
        if gate.is_clear() && hold == 0 {
            return Ok(Ticket::new(Kind::Call, gate.epoch()));
        }
        self.acquire_in(gate, hold, now)
    }

    /// Asks for one call through a gate that many share; `None`: it is closed, so that there is nothing to record. Two relaxed
    /// loads and no write as long as it is closed, however many call.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    #[inline]
    pub fn pass(&self, now: Instant) -> Result<Option<Ticket>, Rejected> {
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        let hold = self.hot.hold.load(Ordering::Relaxed);
        if gate.is_clear() && hold == 0 {
            return Ok(None);
        }
        self.acquire_in(gate, hold, now).map(Some)
    }

    fn acquire_in(&self, mut gate: Gate, hold: u64, now: Instant) -> Result<Ticket, Rejected> {
        let t = self.tick(now);
        let refused = |until: u64, reason| Rejected {
            retry_at: self.instant(until).max(now),
            reason,
        };
        loop {
            let verdict = match gate.mode() {
                Mode::ForcedClosed => return Ok(Ticket::new(Kind::Ignored, gate.epoch())),
                Mode::ForcedOpen => {
                    return Err(Rejected {
                        retry_at: now + Duration::from_millis(self.settings.cooldown()),
                        reason: TripReason::Forced,
                    });
                }
                Mode::Enforce if hold > t => {
                    let open = gate.phase() == Phase::Open && gate.until() > hold;
                    Err(if open {
                        refused(gate.until(), gate.reason())
                    } else {
                        refused(hold, TripReason::RateLimit)
                    })
                }
                Mode::Enforce | Mode::Observe => match gate.phase() {
                    Phase::Closed => Ok(Kind::Call),
                    Phase::Ramp if self.passes_ramp(gate, t) => Ok(Kind::Call),
                    Phase::Ramp => Err(refused(t, gate.reason())),
                    Phase::Open | Phase::HalfOpen if gate.until() > t => {
                        Err(refused(self.asks_again_at(gate, t), gate.reason()))
                    }
                    Phase::Open | Phase::HalfOpen => match self.send_probe(gate, t) {
                        Ok(ticket) => return Ok(ticket),
                        Err(seen) => {
                            gate = seen;
                            continue;
                        }
                    },
                },
            };
            if hold != 0 && hold <= t {
                // A hold that is over is taken down, so that the fast path is fast again; a newer one stays.
                let hot = &self.hot.hold;
                let ended = hot.compare_exchange(hold, 0, Ordering::Relaxed, Ordering::Relaxed);
                self.note_change(ended.is_err(), true);
            }
            return match verdict {
                Ok(kind) => Ok(Ticket::new(kind, gate.epoch())),
                Err(_) if gate.mode() == Mode::Observe => {
                    Ok(Ticket::new(Kind::Ignored, gate.epoch()))
                }
                Err(rejected) => Err(rejected),
            };
        }
    }

    /// Asks for a call that gives itself back when dropped.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn permit(&self, now: Instant) -> Result<Permit<&Self>, Rejected> {
        Ok(Permit::new(self, self.acquire(now)?))
    }

    /// The same for a call that outlives the borrow: in a task of its own, or a stream that is handed on.
    ///
    /// ```
    /// # use std::{sync::Arc, time::Instant};
    /// use llm_breaker::{Breaker, BreakerConfig, Outcome};
    ///
    /// # let now = Instant::now();
    /// let breaker = Arc::new(Breaker::new(BreakerConfig::default(), now));
    /// let permit = breaker.permit_owned(now)?;
    /// std::thread::spawn(move || permit.record(Outcome::Success, Instant::now()));
    /// # Ok::<(), llm_breaker::Rejected>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn permit_owned(self: &Arc<Self>, now: Instant) -> Result<Permit<Arc<Self>>, Rejected> {
        let ticket = self.acquire(now)?;
        Ok(Permit::new(Arc::clone(self), ticket))
    }

    /// A ticket whatever the state: for when nothing is admissible and the least bad target is to be used. A success on
    /// an open target, or a stream that begins there, brings its probe forward; a failure says nothing new.
    pub fn acquire_anyway(&self, now: Instant) -> Ticket {
        self.acquire(now).unwrap_or_else(|_| {
            let gate = Gate(self.hot.gate.load(Ordering::Acquire));
            let kind = match (gate.mode(), gate.phase()) {
                (Mode::ForcedOpen | Mode::ForcedClosed, _) => Kind::Ignored,
                (_, Phase::Closed | Phase::Ramp) => Kind::Call,
                (_, Phase::Open | Phase::HalfOpen) => Kind::Extra,
            };
            Ticket::new(kind, gate.epoch())
        })
    }

    /// A ticket for a shadow probe: the duplicate of a live call without side effects, its answer thrown away.
    ///
    /// Granted only while the breaker is open for a passing reason and enforcing, not held, and at most once in the configured
    /// time. A success brings the real probe forward to now. Where a probe has been due for as long and nobody has come to be it, as with a fallback that is
    /// not needed, the duplicate is the probe.
    pub fn shadow(&self, now: Instant) -> Option<Ticket> {
        let t = self.tick(now);
        let (gate, due, every) = self.shadow_at(t)?;
        self.hot
            .shadow
            .compare_exchange(due, t + every, Ordering::Relaxed, Ordering::Relaxed)
            .ok()?;
        if gate.until() > t {
            return Some(Ticket::new(Kind::Extra, gate.epoch()));
        }
        self.acquire(now).ok()
    }

    /// Whether [`shadow`](Self::shadow) would grant one now. Reads only: for whoever needs the leave of several breakers at once.
    pub fn is_shadow_due(&self, now: Instant) -> bool {
        self.shadow_at(self.tick(now)).is_some()
    }

    /// The gate that a shadow probe may look behind, since when it may, and how long until the next.
    fn shadow_at(&self, t: u64) -> Option<(Gate, u64, u64)> {
        let every = self.settings.shadow()?;
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        let due = self.hot.shadow.load(Ordering::Relaxed);
        let in_time = match gate.phase() {
            Phase::Open => gate.until() > t || gate.until() + every <= t,
            Phase::HalfOpen => gate.until() + every <= t,
            Phase::Closed | Phase::Ramp => false,
        };
        let wanted = in_time
            && gate.mode() == Mode::Enforce
            && gate.reason().is_passing()
            && self.hot.hold.load(Ordering::Relaxed) <= t;
        (wanted && due <= t).then_some((gate, due, every))
    }

    /// Books how a call ended; exactly once a ticket.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is used up")]
    #[inline]
    pub fn settle(&self, ticket: Ticket, outcome: Outcome, now: Instant) -> Option<Change> {
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        if gate.is_clear()
            && matches!(ticket.kind, Kind::Call)
            && ticket.epoch == gate.epoch()
            && outcome == Outcome::Success
        {
            self.succeed(self.tick(now));
            return None;
        }
        self.settle_in(gate, &ticket, (outcome, false), now)
    }

    /// Gives a ticket back without a result: the call was cancelled, or never sent. Frees a probe's lease at once.
    #[expect(clippy::needless_pass_by_value, reason = "a ticket is used up")]
    pub fn abandon(&self, ticket: Ticket) {
        self.free_lease(&ticket);
    }

    /// Refuses calls until then (a rate limit with a stated end), and lets them straight back afterwards. The latest end counts.
    pub fn hold(&self, until: Instant) {
        if Gate(self.hot.gate.load(Ordering::Relaxed)).is_forced() {
            return;
        }
        let until = self.tick_up(until);
        let before = self.hot.hold.fetch_max(until, Ordering::Relaxed);
        self.note_change(before == 0, before.max(until) == 0);
    }

    /// Sets the target aside until then (quota, key, money, or anything found elsewhere); it comes back through a probe.
    /// Never shortens an opening, and never counts as a repetition. An opening that lasts longer as it is keeps its reason; one that is
    /// made longer has the new one, which is no change of state.
    pub fn open_until(&self, now: Instant, until: Instant, reason: TripReason) -> Option<Change> {
        let until = self.tick_up(until).max(self.tick(now));
        let mut gate = Gate(self.hot.gate.load(Ordering::Acquire));
        loop {
            let was_open = gate.phase() == Phase::Open;
            if gate.is_forced() || (was_open && gate.until() >= until) {
                return None;
            }
            let next = if was_open {
                gate.stay(Phase::Open, reason, until)
            } else {
                gate.enter(Phase::Open, reason, until)
            };
            match self.swap(gate, next) {
                Ok(()) => return (!was_open).then_some(Change::Opened { reason }),
                Err(seen) => gate = seen,
            }
        }
    }

    /// Ends a hold, and lets the next call be the probe of what is open: for whoever knows that the cause is gone (a bill paid, a key
    /// renewed, a limit raised).
    pub fn recall(&self, now: Instant) -> Option<Change> {
        let mut gate = Gate(self.hot.gate.load(Ordering::Acquire));
        if gate.is_forced() {
            return None;
        }
        let held = self.hot.hold.swap(0, Ordering::Relaxed);
        self.note_change(held == 0, true);
        let t = self.tick(now);
        while gate.phase() == Phase::Open && gate.until() > t {
            match self.swap(gate, gate.stay(Phase::Open, gate.reason(), t)) {
                Ok(()) => return Some(Change::HalfOpened),
                Err(seen) => gate = seen,
            }
        }
        None
    }

    /// Opens it for its next cooldown on evidence judged elsewhere (latency beside its peers, hanging calls, a wider scope).
    /// Does nothing unless calls are passing.
    pub fn trip(&self, now: Instant, reason: TripReason) -> Option<Change> {
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        let passing = matches!(gate.phase(), Phase::Closed | Phase::Ramp);
        let judged = matches!(gate.mode(), Mode::Enforce | Mode::Observe);
        (passing && judged)
            .then(|| self.open(gate, self.tick(now), reason))
            .flatten()
    }

    /// Changes the mode. In the forced modes nothing is judged, and [`hold`](Self::hold), [`open_until`](Self::open_until),
    /// [`recall`](Self::recall) and [`trip`](Self::trip) do nothing; on leaving them the breaker is where it was, less the time that has passed.
    pub fn force(&self, mode: Mode) {
        let mut gate = Gate(self.hot.gate.load(Ordering::Acquire));
        while let Err(seen) = self.swap(gate, gate.with_mode(mode)) {
            gate = seen;
        }
    }

    /// The share of calls admitted now, `0.0..=1.0`.
    #[must_use]
    pub fn share(&self, now: Instant) -> f64 {
        let gate = Gate(self.hot.gate.load(Ordering::Relaxed));
        let hold = self.hot.hold.load(Ordering::Relaxed);
        match (gate.mode(), gate.phase()) {
            (Mode::Enforce, _) if hold != 0 && hold > self.tick(now) => 0.0,
            (Mode::ForcedOpen, _) | (Mode::Enforce, Phase::Open | Phase::HalfOpen) => 0.0,
            (Mode::Enforce, Phase::Ramp) => {
                let percent = self.ramp_percent(gate, self.tick(now));
                f64::from(u8::try_from(percent).unwrap_or(100)) / 100.0
            }
            _ => 1.0,
        }
    }

    /// The detector for times to first token. Its alarm does not open the breaker by itself; see [`trip`](Self::trip).
    #[must_use]
    pub const fn first_token(&self) -> &LatencyDetector {
        &self.first_token
    }

    /// The detector for times per output token.
    #[must_use]
    pub const fn per_token(&self) -> &LatencyDetector {
        &self.per_token
    }

    /// The settings, to the millisecond.
    #[must_use]
    pub fn config(&self) -> BreakerConfig {
        self.settings.config()
    }

    /// Changes the settings and keeps state and evidence: an opening that has begun ends as it would have, the next one follows
    /// the new numbers. Only another length of the window begins its counts anew.
    pub fn reconfigure(&self, config: &BreakerConfig) {
        let before = self.settings.window();
        self.settings.set(config);
        let window = self.settings.window();
        if before != window {
            self.window.resize(window);
        }
    }

    /// One look at everything.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let t = self.tick(now);
        let gate = Gate(self.hot.gate.load(Ordering::Acquire));
        let hold = self.hot.hold.load(Ordering::Relaxed);
        let sums = self.window.sums(t);
        let error_rate = sums.error_rate();
        let alert = if sums.total() < self.settings.samples() {
            Alert::Quiet
        } else if error_rate > self.settings.escalate() {
            Alert::Escalate
        } else if error_rate > self.settings.alert() {
            Alert::Alert
        } else {
            Alert::Quiet
        };
        let waiting = matches!(gate.phase(), Phase::Open | Phase::HalfOpen);
        let state = match gate.phase() {
            Phase::Closed => State::Closed,
            Phase::Open => State::Open,
            Phase::Ramp if self.ramp_step(gate, t).is_none() => State::Closed,
            Phase::HalfOpen | Phase::Ramp => State::HalfOpen,
        };
        Snapshot {
            state,
            mode: gate.mode(),
            reason: if state == State::Closed {
                TripReason::None
            } else {
                gate.reason()
            },
            retry_at: waiting.then(|| self.instant(gate.until())),
            held_until: (hold > t).then(|| self.instant(hold)),
            share: self.share(now),
            streak: self.streak(),
            good: sums.good,
            hard: sums.hard,
            soft: sums.soft,
            error_rate,
            alert,
            repeats: u32::try_from(self.repeats(t, !waiting)).unwrap_or(0),
            late: self.hot.late.load(Ordering::Relaxed),
        }
    }

    /// Milliseconds since the origin, rounded down; before it, zero.
    #[inline]
    pub(crate) fn tick(&self, now: Instant) -> u64 {
        let span = now.saturating_duration_since(self.origin);
        let ms = span.as_secs().saturating_mul(1000);
        ms.saturating_add(u64::from(span.subsec_millis()))
            .min(UNTIL_MAX)
    }

    /// The same rounded up: an end must not come early.
    fn tick_up(&self, until: Instant) -> u64 {
        millis(until.saturating_duration_since(self.origin)).min(UNTIL_MAX)
    }

    pub(crate) fn swap(&self, from: Gate, to: Gate) -> Result<(), Gate> {
        self.hot
            .gate
            .compare_exchange(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .map(|_| self.note_change(from.is_clear(), to.is_clear()))
            .map_err(Gate)
    }

    /// Tells what is kept back to whoever counts it.
    fn note_change(&self, was_clear: bool, is_clear: bool) {
        if let Some(unrest) = &self.unrest {
            unrest.note(was_clear, is_clear);
        }
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        if self.unrest.is_some() {
            let gate = Gate(self.hot.gate.load(Ordering::Relaxed));
            let held = self.hot.hold.load(Ordering::Relaxed) != 0;
            self.note_change(gate.is_clear(), true);
            self.note_change(!held, true);
        }
    }
}
