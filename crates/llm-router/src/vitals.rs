//! What is learnt of a target from the times of its calls: how fast it usually is, whether it has
//! grown slow, and whether it has stopped answering.
//!
//! Times are to the first token for streams and to the end for whole answers; the two are learnt
//! apart, for nothing else makes them comparable.

use crate::request::Request;
use crate::route::Windows;
use llm_backoff::{AdaptiveWindow, HedgeDelay, SizeClass};
use llm_breaker::{HangDetector, LatencyDetector, Waiting};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The longest silence the hang detector looks back over.
const HORIZON: Duration = Duration::from_secs(30);
/// The shortest silence that can count as a hang: a pause of the provider's own is none.
const LEAST_SILENCE: Duration = Duration::from_secs(1);
/// Trials in a row that another target must win before a slow one is left.
const TRIALS: u32 = 4;

/// The learnt facts of one target. About 60 KiB.
#[derive(Debug)]
pub(crate) struct Vitals {
    streamed: Kind,
    whole: Kind,
    origin: Instant,
    /// Milliseconds since the origin at which trouble was last forgotten: calls sent before it
    /// say nothing about the time after.
    forgotten_at: AtomicU64,
}

/// The facts of one kind of call.
#[derive(Debug)]
struct Kind {
    usual: HedgeDelay,
    window: AdaptiveWindow,
    hang: HangDetector,
    slow: LatencyDetector,
    /// Calls in a row in which another target, asked beside this one, was faster.
    lost_trials: AtomicU32,
}

impl Kind {
    fn new(origin: Instant) -> Self {
        Self {
            usual: HedgeDelay::new(origin),
            // The route's own window is the cap; it is applied where the window is used.
            window: AdaptiveWindow::new(Duration::MAX, origin),
            hang: HangDetector::new(HORIZON, origin),
            slow: LatencyDetector::default(),
            lost_trials: AtomicU32::new(0),
        }
    }
}

impl Vitals {
    pub(crate) fn new(origin: Instant) -> Self {
        Self {
            streamed: Kind::new(origin),
            whole: Kind::new(origin),
            origin,
            forgotten_at: AtomicU64::new(0),
        }
    }

    fn of(&self, request: &Request) -> &Kind {
        if request.streamed {
            &self.streamed
        } else {
            &self.whole
        }
    }

    /// A call begins.
    pub(crate) fn begin(&self, request: &Request, now: Instant) -> Waiting {
        self.of(request).hang.begin(now)
    }

    /// A call has shown that somebody is there, or was cancelled.
    pub(crate) fn end_silence(&self, request: &Request, waiting: Waiting) {
        self.of(request).hang.answered(waiting);
    }

    /// A caller whose first call went to this target had its first token, or its whole answer, after
    /// this time, from whichever target.
    pub(crate) fn usual_was(&self, request: &Request, caller_saw: Duration, now: Instant) {
        self.of(request).usual.record(caller_saw, now);
    }

    /// A call gave its first token, or its whole answer, so long after it was sent.
    pub(crate) fn answered(&self, request: &Request, took: Duration, now: Instant) {
        let kind = self.of(request);
        kind.window.record(class(request), took, now);
        self.observe(kind, took, now);
    }

    /// Books a time as evidence of slowness, unless its call began before trouble was forgotten.
    fn observe(&self, kind: &Kind, took: Duration, now: Instant) {
        let sent = now.checked_sub(took).map_or(0, |sent| self.millis(sent));
        if sent >= self.forgotten_at.load(Ordering::Relaxed) {
            kind.slow.observe(took);
        }
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A call ran into its window.
    pub(crate) fn timed_out(&self, request: &Request, window: Duration, now: Instant) {
        let kind = self.of(request);
        kind.usual.record(window, now);
        kind.window.record(class(request), window, now);
        self.observe(kind, window, now);
    }

    /// The learnt window for the first token or the whole answer, inside the route's.
    pub(crate) fn windows(&self, request: &Request, route: Windows, now: Instant) -> Windows {
        let learnt = self.of(request).window.window(class(request), now);
        if request.streamed {
            Windows {
                first_token: route.first_token.min(learnt),
                ..route
            }
        } else {
            Windows {
                whole: route.whole.min(learnt),
                ..route
            }
        }
    }

    /// The time by which nine of ten calls have answered; `None` while too little is known.
    pub(crate) fn usual(&self, request: &Request, now: Instant) -> Option<Duration> {
        self.of(request).usual.delay(now)
    }

    /// The silence after which a call may be part of a hang; `None` while too little is known.
    pub(crate) fn suspicious_silence(&self, request: &Request, now: Instant) -> Option<Duration> {
        let usual = self.of(request).usual.delay(now)?;
        Some(LEAST_SILENCE.max(usual * 2))
    }

    /// Whether calls go in and nothing comes out.
    pub(crate) fn is_hanging(&self, request: &Request, now: Instant) -> bool {
        self.suspicious_silence(request, now)
            .is_some_and(|silence| self.of(request).hang.is_hanging(silence, now))
    }

    /// The usual time of a target that has grown slow beside its own past: the moment at which to
    /// ask another one as well.
    pub(crate) fn slow_beyond(&self, request: &Request) -> Option<Duration> {
        let slow = &self.of(request).slow;
        slow.is_slow().then(|| slow.typical()).flatten()
    }

    /// Another target, asked beside this one, was faster (or not). True where that has happened
    /// so often in a row that this one should be left.
    pub(crate) fn lost_trial(&self, request: &Request, lost: bool) -> bool {
        let trials = &self.of(request).lost_trials;
        if lost {
            trials.fetch_add(1, Ordering::Relaxed) + 1 >= TRIALS
        } else {
            trials.store(0, Ordering::Relaxed);
            false
        }
    }

    /// After a recovery: what was learnt of trouble is forgotten, usual times are kept.
    pub(crate) fn recovered(&self, now: Instant) {
        self.forgotten_at.store(self.millis(now), Ordering::Relaxed);
        for kind in [&self.streamed, &self.whole] {
            kind.hang.reset();
            kind.slow.reset();
            kind.lost_trials.store(0, Ordering::Relaxed);
        }
    }
}

fn class(request: &Request) -> SizeClass {
    let tokens = u64::from(request.context_tokens);
    if request.streamed {
        SizeClass::streamed(tokens)
    } else {
        SizeClass::whole(tokens)
    }
}
