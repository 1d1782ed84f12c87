//! What is learnt of a target from the times of its calls: how fast it usually is, whether it has
//! grown slow, and whether it has stopped answering.
//!
//! Times are to the first token for streams and to the end for whole answers; the two are learnt
//! apart, for nothing else makes them comparable. So are calls in which the model thinks before it speaks: by design they are silent for
//! ten to a hundred times as long as the others, and what is slow, late or hanging there is another matter.

mod kind;

use self::kind::{Kind, TRIALS, later};
use crate::budget::{Hedge, Learnt};
use crate::crowd::Crowd;
use crate::flow::Flow;
use crate::purse::Purse;
use crate::request::Request;
use crate::route::Windows;
use crate::thinking::Thinking;
use crate::turn::Turn;
use llm_backoff::{AdaptiveWindow, SizeClass};
use llm_breaker::{HangDetector, LatencyDetector, Waiting};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The shortest silence that says something of one call by itself.
const LEAST_SILENCE: Duration = Duration::from_secs(1);
/// For so long after its trouble a target is not met by all who flee from another at once.
const HEALED_LATELY_MS: u64 = 30_000;
/// What nobody has asked for longer may be as it was or not.
const OF_LATE_MS: u64 = 60_000;

/// Half of the thoughts of which nothing is known are taken to be longer.
const MEDIAN_UNKNOWN_SECONDS: f32 = 120.0;
/// For so long, and as long again, the times of calls are kept in which the model thinks: there are few of them.
const THINKING_HALF: Duration = Duration::from_secs(30 * 60);

/// The learnt facts of one target. About 50 KiB, and as much again once it has been asked for something it thinks about.
#[derive(Debug)]
pub(crate) struct Vitals {
    plain: Times,
    /// Of calls in which the model thinks first.
    thinking: OnceLock<Box<Times>>,
    habit: Thinking,
    /// A shadow probe is under way that its model thinks about.
    shadow_thinks: AtomicBool,
    /// Those who wait for an answer without a thought: who waits for a thought stands in no line.
    crowd: Crowd,
    /// Who waits for the next place of its rate limits.
    pub(crate) turn: Turn,
    flow: Flow,
    /// What pays for its comparison with others.
    pub(crate) trials: Purse,
    origin: Instant,
    /// Milliseconds since the origin at which trouble was last forgotten: calls sent before it
    /// say nothing about the time after.
    forgotten_at: AtomicU64,
}

/// The facts of calls that take comparable times.
#[derive(Debug)]
struct Times {
    streamed: Kind,
    whole: Kind,
    /// How times are spread, by size class, streamed and whole ones apart.
    window: AdaptiveWindow,
    /// All calls in flight, by the same classes: each is weighed against its like.
    hang: HangDetector,
    /// When the call was sent, of those that were answered the one sent last: milliseconds since the origin.
    answered_ms: AtomicU64,
}

/// A call in flight that has been silent so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Silence {
    waiting: Waiting,
    thinks: bool,
}

/// The share of thoughts that are taken to be longer than this where nothing is learnt of them yet: slower than any that were measured
/// (see [`Windows`]), so that it takes many silent calls to doubt a target.
fn unknown_thoughts(age: Duration) -> f32 {
    1.0 / (1.0 + (age.as_secs_f32() / MEDIAN_UNKNOWN_SECONDS).powi(2))
}

impl Times {
    fn new(origin: Instant) -> Self {
        Self {
            streamed: Kind::new(origin),
            whole: Kind::new(origin),
            // The route's own window is the cap; it is applied where the window is used.
            window: AdaptiveWindow::new(Duration::MAX, origin),
            hang: HangDetector::new(SizeClass::COUNT, origin),
            answered_ms: AtomicU64::new(0),
        }
    }

    fn of_thoughts(origin: Instant) -> Self {
        let kind = || {
            let kind = Kind::new(origin);
            Kind {
                usual: kind.usual.over(THINKING_HALF),
                ..kind
            }
        };
        Self {
            streamed: kind(),
            whole: kind(),
            window: AdaptiveWindow::new(Duration::MAX, origin).over(THINKING_HALF),
            hang: HangDetector::for_long_calls(SizeClass::COUNT, origin),
            answered_ms: AtomicU64::new(0),
        }
    }

    /// How many calls say the same, and how slow the last ones were.
    fn waves(&self) -> (f32, f32) {
        let waves = self.streamed.slow.waves().max(self.whole.slow.waves());
        let level = self.streamed.slow.level().max(self.whole.slow.level());
        (waves, level)
    }

    fn is_hanging(&self, now: Instant) -> bool {
        let (waves, level) = self.waves();
        self.hang.is_hanging(now, waves, level, |class| {
            let slower = self.window.slower(class, now)?;
            Some(move |age| slower.than(age))
        })
    }

    /// The same of calls in which the model thinks. They come to their end in the order of their length, whenever they began: the long ones
    /// among them are no wave.
    fn is_hanging_in_thought(&self, now: Instant) -> bool {
        self.hang.is_hanging(now, 1.0, 1.0, |class| {
            let slower = self.window.slower(class, now);
            Some(move |age| match &slower {
                Some(slower) => slower.than(age),
                None => unknown_thoughts(age),
            })
        })
    }

    fn recovered(&self, now: Instant) {
        self.hang.reset(now);
        for kind in [&self.streamed, &self.whole] {
            kind.forget_trouble();
        }
    }
}

impl Vitals {
    pub(crate) fn new(habit: Thinking, origin: Instant) -> Self {
        Self {
            plain: Times::new(origin),
            thinking: OnceLock::new(),
            habit,
            shadow_thinks: AtomicBool::new(false),
            crowd: Crowd::new(origin),
            turn: Turn::new(origin),
            flow: Flow::new(),
            trials: Purse::new(origin),
            origin,
            forgotten_at: AtomicU64::new(0),
        }
    }

    /// Whether the model thinks before it speaks in answer to this request.
    pub(crate) fn thinks(&self, request: &Request) -> bool {
        self.habit.about(request.thinking)
    }

    /// Whether a shadow probe may copy this request: of those that the model thinks about one at a time, since each is paid for
    /// in full.
    pub(crate) fn may_shadow(&self, request: &Request) -> bool {
        !self.thinks(request) || !self.shadow_thinks.load(Ordering::Relaxed)
    }

    /// A probe that the model thinks about, or does not, is under way or over.
    pub(crate) fn shadow(&self, thinks: bool, under_way: bool) {
        if thinks {
            self.shadow_thinks.store(under_way, Ordering::Relaxed);
        }
    }

    fn times(&self, thinks: bool) -> &Times {
        if thinks {
            // Allocated once in the life of a target.
            let times = || Box::new(Times::of_thoughts(self.origin));
            self.thinking.get_or_init(times)
        } else {
            &self.plain
        }
    }

    /// The times of this request's like.
    fn like(&self, request: &Request) -> &Times {
        self.times(self.thinks(request))
    }

    fn of(&self, request: &Request) -> &Kind {
        let times = self.like(request);
        if request.streamed {
            &times.streamed
        } else {
            &times.whole
        }
    }

    /// The class of a request's size. How long a model thinks depends on the question, not on its length.
    fn class(&self, request: &Request) -> SizeClass {
        let tokens = if self.thinks(request) {
            0
        } else {
            u64::from(request.context_tokens)
        };
        if request.streamed {
            SizeClass::streamed(tokens)
        } else {
            SizeClass::whole(tokens)
        }
    }

    /// A call begins.
    pub(crate) fn begin(&self, request: &Request, now: Instant) -> Silence {
        let thinks = self.thinks(request);
        if !thinks {
            self.crowd.join();
        }
        let class = self.class(request).index();
        Silence {
            waiting: self.times(thinks).hang.begin(class, now),
            thinks,
        }
    }

    /// A call that has begun does not wait for its first token any more: it has it, or was given up. Once a call.
    pub(crate) fn leave(&self, request: &Request) {
        if !self.thinks(request) {
            self.crowd.leave();
        }
    }

    /// A call has shown that somebody is there; nothing where it had done so before.
    pub(crate) fn end_silence(&self, silence: Option<Silence>) {
        if let Some(Silence { waiting, thinks }) = silence {
            self.times(thinks).hang.answered(waiting);
        }
    }

    /// A call was given up before its silence meant anything; nothing where it was not silent any more.
    pub(crate) fn forget_silence(&self, silence: Option<Silence>) {
        if let Some(Silence { waiting, thinks }) = silence {
            self.times(thinks).hang.withdrawn(waiting);
        }
    }

    /// A caller whose first call went to this target had its first token, or its whole answer, after
    /// this time, from whichever target.
    pub(crate) fn usual_was(&self, request: &Request, caller_saw: Duration, now: Instant) {
        self.of(request).usual.record(caller_saw, now);
    }

    /// A call gave its first token, or its whole answer, so long after it was sent.
    pub(crate) fn answered(&self, request: &Request, took: Duration, now: Instant) {
        if !self.thinks(request) {
            self.crowd.answered(took, now);
        }
        let (kind, class) = (self.of(request), self.class(request));
        self.like(request).window.record(class, took, now);
        let sent = now.checked_sub(took).map_or(0, |sent| self.millis(sent));
        later(&self.like(request).answered_ms, sent);
        if kind
            .doubtful_after(class, now)
            .is_none_or(|doubtful| took <= doubtful)
        {
            later(&kind.quick_sent, sent);
            kind.won();
        }
        if kind.mute.load(Ordering::Relaxed) {
            kind.mute.store(false, Ordering::Relaxed);
        }
        self.observe(request, took, now);
    }

    /// A call was silent for so long when another target, asked beside it, answered.
    pub(crate) fn was_beaten(&self, request: &Request, age: Duration, now: Instant) {
        let sent = now.checked_sub(age).map_or(0, |sent| self.millis(sent));
        if sent >= self.forgotten_at.load(Ordering::Relaxed) {
            let kind = self.of(request);
            let score = kind.slow.outlasted_in(self.class(request).index(), age);
            kind.note(score, self.class(request), age, self.millis(now));
        }
    }

    /// Books a time as evidence of slowness, unless its call began before trouble was forgotten.
    fn observe(&self, request: &Request, took: Duration, now: Instant) {
        let sent = now.checked_sub(took).map_or(0, |sent| self.millis(sent));
        if sent >= self.forgotten_at.load(Ordering::Relaxed) {
            let kind = self.of(request);
            let score = kind.slow.observe_in(self.class(request).index(), took);
            kind.note(score, self.class(request), took, self.millis(now));
        }
    }

    /// The tokens of a stream that was sent at `sent_at` took so long each.
    pub(crate) fn flowed(
        &self,
        usual: &LatencyDetector,
        per_token: Duration,
        sent_at: Instant,
        now: Instant,
    ) {
        if self.millis(sent_at) >= self.forgotten_at.load(Ordering::Relaxed) {
            self.flow.observe(usual, per_token, self.millis(now));
        }
    }

    /// Whether its streams flow much slower than they did.
    pub(crate) fn flows_slowly(&self, usual: &LatencyDetector, now: Instant) -> bool {
        self.flow.is_slow(usual, self.millis(now))
    }

    fn millis(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// A call ran into its window.
    pub(crate) fn timed_out(&self, request: &Request, window: Duration, now: Instant) {
        let kind = self.of(request);
        kind.mute.store(true, Ordering::Relaxed);
        kind.usual.record(window, now);
        self.like(request)
            .window
            .record(self.class(request), window, now);
        // What is usual is learnt from answers.
        if self.typical(request).is_some() {
            self.observe(request, window, now);
        }
    }

    /// Whether a call of the same sort that was sent later than this has been answered.
    pub(crate) fn has_answered_since(&self, request: &Request, sent_at: Instant) -> bool {
        self.like(request).answered_ms.load(Ordering::Relaxed) > self.millis(sent_at)
    }

    /// The route's windows for this request: longer where the model thinks first.
    pub(crate) fn allowed(&self, request: &Request, route: Windows) -> Windows {
        route.where_it_thinks(self.thinks(request))
    }

    /// The learnt window for the first token or the whole answer, inside the [allowed](Self::allowed) ones.
    pub(crate) fn windows(
        &self,
        request: &Request,
        allowed: Windows,
        by: Option<Learnt>,
        now: Instant,
    ) -> Windows {
        let Some(learnt) = self.learnt(request, by, now) else {
            return allowed;
        };
        if request.streamed {
            Windows {
                first_token: allowed.first_token.min(learnt),
                ..allowed
            }
        } else {
            Windows {
                whole: allowed.whole.min(learnt),
                ..allowed
            }
        }
    }

    /// How long to wait for a first token where there is nobody else to ask: `usual` or, where this target is known to need more,
    /// more.
    pub(crate) fn patience(
        &self,
        request: &Request,
        usual: Duration,
        by: Option<Learnt>,
        now: Instant,
    ) -> Duration {
        let learnt = self.answers_within(request, by, now);
        learnt.map_or(usual, |learnt| learnt.max(usual))
    }

    /// The window by what was learnt of calls of this request's like; `None` where the route asks for none, or too little is known.
    pub(crate) fn learnt(
        &self,
        request: &Request,
        by: Option<Learnt>,
        now: Instant,
    ) -> Option<Duration> {
        let times = &self.like(request).window;
        Some(by?.window(times.longest(self.class(request), now)?))
    }

    /// The same by answers: while there are none, the windows of those who waited in vain are no measure.
    pub(crate) fn answers_within(
        &self,
        request: &Request,
        by: Option<Learnt>,
        now: Instant,
    ) -> Option<Duration> {
        let mute = self.of(request).mute.load(Ordering::Relaxed);
        self.learnt(request, by, now).filter(|_| !mute)
    }

    /// After how long a silence may be more than slowness, by what its target usually takes; where that is not known, at once at first and after
    /// a whole window of silence, and later each time that another target is asked and answers. `None` where it
    /// could be anything: for whole answers, thoughts, and the longest prompts at a target that has not answered such ones.
    pub(crate) fn surely_silent_after(&self, request: &Request) -> Option<Duration> {
        if !request.streamed || self.thinks(request) {
            return None;
        }
        let usual = self.typical(request).map(|usual| usual * 3);
        let long = self.class(request) == SizeClass::streamed(u64::MAX);
        usual.or_else(|| (!long).then(|| self.of(request).unknown_silence()))
    }

    /// Another target, asked beside a call, put an end to this silence. Whether that is one more of a target that does not answer any more.
    pub(crate) fn outwaited(&self, request: &Request, age: Duration) -> bool {
        let kind = self.of(request);
        if self.surely_silent_after(request).is_none() || self.typical(request).is_some() {
            return false;
        }
        let age_ms = u32::try_from(age.as_millis()).unwrap_or(u32::MAX);
        kind.outwaited_ms.fetch_max(age_ms, Ordering::Relaxed);
        kind.mute.load(Ordering::Relaxed)
    }

    /// Whether it is known to be as quick as ever, for calls of this request's like.
    pub(crate) fn is_quick(&self, request: &Request) -> bool {
        self.typical(request).is_some() && !self.is_slow(request)
    }

    /// Whether a call that is sent now would wait for most of the time that is left, behind those already sent. To send it all the
    /// same would help nobody: it would come too late, and so would those after it.
    pub(crate) fn is_crowded(&self, request: &Request, left: Duration, now: Instant) -> bool {
        // What is slow for long is taken for usual in the end, and is no less crowded.
        if self.thinks(request) {
            return false;
        }
        let in_line = self.crowd.is_crowd(left / 4);
        match self.crowd.wait(now) {
            Some(wait) => (in_line || self.is_slow(request)) && wait > left * 9 / 10,
            // Those who stand in line are answered no more: the few who may try show whether others are.
            None => in_line,
        }
    }

    /// Whether it answers, some calls every few seconds, and whoever joins now would wait for at least half as long as this.
    pub(crate) fn works_slowly(&self, request: &Request, waited: Duration, now: Instant) -> bool {
        !self.thinks(request) && self.crowd.wait(now).is_some_and(|wait| wait >= waited / 2)
    }

    /// Whether it answers nobody at present, and not for being slow: a slowness that shows in nothing but silence is none.
    pub(crate) fn may_be_dead(&self, request: &Request, now: Instant) -> bool {
        let mute = || self.of(request).mute.load(Ordering::Relaxed);
        self.crowd.wait(now).is_none() && (!self.is_slow(request) || mute())
    }

    /// Whether a call is let in that comes beside the usual ones, with all others that do.
    pub(crate) fn lets_in(&self, now: Instant) -> bool {
        self.crowd.lets_in(now)
    }

    /// The same where only a target that has healed lately is to be spared.
    pub(crate) fn takes_refugee(&self, now: Instant) -> bool {
        !self.healed_lately(now) || self.crowd.lets_in(now)
    }

    /// Whether it was in trouble a short while ago.
    pub(crate) fn healed_lately(&self, now: Instant) -> bool {
        let healed_ms = self.forgotten_at.load(Ordering::Relaxed);
        healed_ms > 0 && self.millis(now).saturating_sub(healed_ms) < HEALED_LATELY_MS
    }

    /// The time by which nine of ten calls have answered; `None` while too little is known.
    pub(crate) fn usual(&self, request: &Request, now: Instant) -> Option<Duration> {
        self.of(request).usual.delay(now)
    }

    /// After how long a route that hedges by numbers of its own asks a second target; `None` while too little is known.
    pub(crate) fn hedge_after(
        &self,
        request: &Request,
        hedge: &Hedge,
        now: Instant,
    ) -> Option<Duration> {
        let usual = &self.of(request).usual;
        usual.delay_at(hedge.quantile(), hedge.samples, hedge.floor, now)
    }

    /// The silence of one call that is long by any measure; `None` while too little is known.
    pub(crate) fn suspicious_silence(&self, request: &Request, now: Instant) -> Option<Duration> {
        let usual = self.of(request).usual.delay(now)?;
        Some(LEAST_SILENCE.max(usual * 2))
    }

    /// Whether one call has been silent for longer than its target ever is, as good as: by itself that is a reason to ask another one.
    pub(crate) fn is_late(&self, request: &Request, age: Duration, now: Instant) -> bool {
        let longest = self.like(request).window.longest(self.class(request), now);
        longest.is_some_and(|longest| age >= LEAST_SILENCE.max(longest * 2))
    }

    /// After how long another target should be asked beside a call that is sent now: half again the old usual time of a target that has
    /// grown slow, or as long as the other one last took, where that is more; half again the p90 where the last calls were very late;
    /// `None` where nothing is wrong, or nothing can be told: how long a model thinks is the request's doing.
    pub(crate) fn doubtful_after(&self, request: &Request, now: Instant) -> Option<Duration> {
        if self.thinks(request) {
            return None;
        }
        self.of(request).doubtful_after(self.class(request), now)
    }

    /// Its usual time, as learnt while it was well; `None` while too little is known.
    pub(crate) fn typical(&self, request: &Request) -> Option<Duration> {
        self.of(request)
            .slow
            .typical_in(self.class(request).index())
    }

    /// Whether it has grown slow beside its own past; never by how long its model thinks.
    pub(crate) fn is_slow(&self, request: &Request) -> bool {
        !self.thinks(request) && self.of(request).slow.is_slow()
    }

    /// Whether that was seen so lately that it is not worth trying whether it still is.
    pub(crate) fn is_slow_of_late(&self, request: &Request, now: Instant) -> bool {
        let kind = self.of(request);
        let seen_ms = kind.slow_seen.load(Ordering::Relaxed);
        kind.slow.is_slow() && self.millis(now).saturating_sub(seen_ms) < OF_LATE_MS
    }

    /// Whether calls go in and nothing comes out, as far as all those in flight can tell together.
    pub(crate) fn is_hanging(&self, now: Instant) -> bool {
        let thinking = self.thinking.get();
        self.plain.is_hanging(now) || thinking.is_some_and(|times| times.is_hanging_in_thought(now))
    }

    /// Another target, asked beside a call that was sent then, answered first, after so long. That it did is no more than luck where it was
    /// not at least twice as fast, or where a call that was sent later was quick: the latest of a crowd are all late.
    pub(crate) fn lost_trial(
        &self,
        request: &Request,
        sent_at: Instant,
        rival: Duration,
        now: Instant,
    ) {
        let kind = self.of(request);
        let is_latest = self.millis(sent_at) >= kind.quick_sent.load(Ordering::Relaxed);
        if is_latest && rival * 2 <= now.saturating_duration_since(sent_at) {
            kind.lost_trials.fetch_add(1, Ordering::Relaxed);
        }
        let rival = u32::try_from(rival.as_millis()).unwrap_or(u32::MAX);
        kind.rival_ms.store(rival, Ordering::Relaxed);
    }

    /// Whether that has happened so often in a row that this one, slow beside its own past and by more than a wave, should be left.
    pub(crate) fn is_outrun(&self, request: &Request, now: Instant) -> bool {
        let kind = self.of(request);
        !self.thinks(request)
            && kind.lost_trials.load(Ordering::Relaxed) >= TRIALS
            && kind.is_lastingly_slow(self.millis(now))
    }

    /// Whether one more trial says what the last did not: not while nothing but a moment's time is wanting to leave this one.
    pub(crate) fn is_trial_news(&self, request: &Request, now: Instant) -> bool {
        let kind = self.of(request);
        kind.lost_trials.load(Ordering::Relaxed) < 2 * TRIALS || kind.is_lasting(self.millis(now))
    }

    /// It answered before the one that was asked beside it.
    pub(crate) fn won_trial(&self, request: &Request) {
        self.of(request).won();
    }

    /// It takes all calls again. Where it could have for long, and nobody came, that is no news.
    pub(crate) fn ramped(&self, now: Instant) {
        let healed_ms = self.forgotten_at.load(Ordering::Relaxed);
        if self.millis(now).saturating_sub(healed_ms) < OF_LATE_MS {
            self.recovered(now);
        }
    }

    /// After a recovery: what was learnt of trouble is forgotten, usual times are kept.
    pub(crate) fn recovered(&self, now: Instant) {
        self.forgotten_at.store(self.millis(now), Ordering::Relaxed);
        self.flow.forget();
        self.plain.recovered(now);
        if let Some(times) = self.thinking.get() {
            times.recovered(now);
        }
    }
}
