//! The naive twin of a breaker: plain enums, lists of everything, one thread. It states the rules again, not the code.

#[path = "quality.rs"]
mod quality;

use llm_breaker::{Change, Mode, Outcome, TripReason};
use quality::Quality;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Where {
    Closed,
    Open {
        until: u64,
    },
    Probing {
        lease: u64,
    },
    /// A step, and when it began, before time is taken into account.
    Ramp {
        step: u64,
        since: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sort {
    Call,
    /// A call whose stream has begun.
    Stream,
    Probe {
        lease: u64,
    },
    Extra,
    Unjudged,
}

/// What the twin of a ticket knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pass {
    pub(crate) life: u64,
    pub(crate) sort: Sort,
}

/// The settings that change; times are milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) failures: usize,
    pub(crate) cooldown: u64,
    pub(crate) ramp_step: u64,
    pub(crate) window: u64,
}

pub(crate) const USUAL: Rules = Rules {
    failures: 5,
    cooldown: 60_000,
    ramp_step: 10_000,
    window: 30_000,
};
pub(crate) const OTHER: Rules = Rules {
    failures: 3,
    cooldown: 20_000,
    ramp_step: 5_000,
    window: 20_000,
};
const LEASE: u64 = 150_000;

/// Times are milliseconds since the origin.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) mode: Mode,
    pub(crate) at: Where,
    pub(crate) reason: TripReason,
    pub(crate) life: u64,
    pub(crate) hold: u64,
    /// Calls in a row that failed at once, with none between that answered or began to.
    pub(crate) hard_run: Vec<u64>,
    /// Streams in a row that broke, with none between that ended well.
    pub(crate) broken_run: Vec<u64>,
    pub(crate) bad_run: Vec<u64>,
    /// The last stream that ended was a broken one.
    doubt: bool,
    pub(crate) results: Vec<(u64, Outcome)>,
    /// When what had been counted as good turned out a failure.
    taken_back: Vec<u64>,
    quality: Quality,
    pub(crate) level: u64,
    pub(crate) healthy_since: u64,
    pub(crate) asked: u64,
    /// The latest step in which results were counted, how many were good, and the others.
    tally: (u64, u64, u64),
    pub(crate) shadow_due: u64,
    pub(crate) late: u64,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            rules: USUAL,
            mode: Mode::Enforce,
            at: Where::Closed,
            reason: TripReason::None,
            life: 0,
            hold: 0,
            hard_run: vec![],
            broken_run: vec![],
            bad_run: vec![],
            doubt: false,
            results: vec![],
            taken_back: vec![],
            quality: Quality::new(),
            level: 0,
            healthy_since: 0,
            asked: 0,
            tally: (0, 0, 0),
            shadow_due: 0,
            late: 0,
        }
    }

    fn is_forced(&self) -> bool {
        matches!(self.mode, Mode::ForcedOpen | Mode::ForcedClosed)
    }

    /// The step that time has brought a ramp to; `None` where that was its end.
    fn ramp_at(&self, mut step: u64, mut since: u64, t: u64) -> Option<(u64, u64)> {
        while t >= since + self.rules.ramp_step {
            step += 1;
            since += self.rules.ramp_step;
        }
        (step < 3).then_some((step, since))
    }

    fn percent(&self, step: u64, since: u64, t: u64) -> u64 {
        self.ramp_at(step, since, t)
            .map_or(100, |(step, _)| [10, 25, 50][step as usize])
    }

    pub(crate) fn is_closed(&self, t: u64) -> bool {
        match self.at {
            Where::Closed => true,
            Where::Ramp { step, since } => self.ramp_at(step, since, t).is_none(),
            _ => false,
        }
    }

    pub(crate) fn share(&self, t: u64) -> u64 {
        match (self.mode, self.at) {
            (Mode::ForcedOpen, _) => 0,
            (Mode::ForcedClosed | Mode::Observe, _) => 100,
            (Mode::Enforce, _) if self.hold > t => 0,
            (Mode::Enforce, Where::Closed) => 100,
            (Mode::Enforce, Where::Ramp { step, since }) => self.percent(step, since, t),
            (Mode::Enforce, _) => 0,
        }
    }

    fn pass(&self, sort: Sort) -> Pass {
        let life = self.life;
        Pass { life, sort }
    }

    /// Leave to call, or when to ask again.
    pub(crate) fn acquire(&mut self, t: u64) -> Result<Pass, u64> {
        match self.mode {
            Mode::ForcedClosed => return Ok(self.pass(Sort::Unjudged)),
            Mode::ForcedOpen => return Err(t + self.rules.cooldown),
            Mode::Enforce | Mode::Observe => {}
        }
        if self.mode == Mode::Enforce && self.hold > t {
            return Err(match self.at {
                Where::Open { until } => until.max(self.hold),
                _ => self.hold,
            });
        }
        let again = match self.at {
            Where::Closed => return Ok(self.pass(Sort::Call)),
            Where::Ramp { step, since } => {
                let percent = self.percent(step, since, t);
                let turn = self.asked * percent % 100 < percent;
                self.asked += 1;
                if turn {
                    return Ok(self.pass(Sort::Call));
                }
                t
            }
            Where::Open { until } if until > t => until,
            Where::Probing { lease } if lease > t => {
                // One second after the probe was sent, two, four ... but no later than its lease.
                let sent = lease - LEASE;
                let looks = (0..).map(|n| sent + (1000 << n));
                looks
                    .take(8)
                    .find(|look| *look > t)
                    .map_or(lease, |look| look.min(lease))
            }
            Where::Open { .. } | Where::Probing { .. } => {
                if matches!(self.at, Where::Open { .. }) {
                    self.life += 1;
                }
                let lease = t + LEASE;
                self.at = Where::Probing { lease };
                return Ok(self.pass(Sort::Probe { lease }));
            }
        };
        if self.mode == Mode::Observe {
            return Ok(self.pass(Sort::Unjudged));
        }
        Err(again)
    }

    pub(crate) fn acquire_anyway(&mut self, t: u64) -> Pass {
        self.acquire(t)
            .unwrap_or_else(|_| match (self.mode, self.at) {
                (Mode::ForcedOpen | Mode::ForcedClosed, _) => self.pass(Sort::Unjudged),
                (_, Where::Closed | Where::Ramp { .. }) => self.pass(Sort::Call),
                (_, Where::Open { .. } | Where::Probing { .. }) => self.pass(Sort::Extra),
            })
    }

    /// A duplicate that looks for recovery: beside the probe that is to come, or in its place where nobody came.
    pub(crate) fn shadow(&mut self, t: u64) -> Option<Pass> {
        let (end, before) = match self.at {
            Where::Open { until } => (until, until > t),
            Where::Probing { lease } => (lease, false),
            Where::Closed | Where::Ramp { .. } => return None,
        };
        let in_time = before || end + 5_000 <= t;
        let enforces = self.mode == Mode::Enforce;
        let wanted = in_time && enforces && self.reason.is_passing();
        if !wanted || self.hold > t || self.shadow_due > t {
            return None;
        }
        self.shadow_due = t + 5_000;
        if before {
            return Some(self.pass(Sort::Extra));
        }
        self.acquire(t).ok()
    }

    pub(crate) fn abandon(&mut self, pass: Pass) {
        if let (Where::Probing { lease }, Sort::Probe { lease: own }) = (self.at, pass.sort)
            && (pass.life, own) == (self.life, lease)
        {
            self.at = Where::Probing { lease: 0 };
        }
    }

    pub(crate) fn settle(
        &mut self,
        pass: Pass,
        outcome: Outcome,
        spared: bool,
        t: u64,
    ) -> Option<Change> {
        if pass.sort == Sort::Unjudged || self.is_forced() {
            return None;
        }
        if pass.life != self.life {
            self.late += 1;
            return None;
        }
        let mut closed = None;
        if matches!(self.at, Where::Ramp { .. }) && self.is_closed(t) {
            // Before anything is judged.
            self.close();
            closed = Some(Change::Closed);
        }
        self.settle_in_time(pass, outcome, spared, t).or(closed)
    }

    fn close(&mut self) {
        self.at = Where::Closed;
        self.reason = TripReason::None;
    }

    /// The stream of a call begins; what is left to be told of it.
    pub(crate) fn begin(&mut self, pass: &mut Pass, t: u64) -> Option<Change> {
        if self.is_forced() || pass.sort == Sort::Stream {
            return None;
        }
        let was_in_time = pass.life == self.life;
        let change = self.settle(*pass, Outcome::Begun, false, t);
        let sort = match pass.sort {
            Sort::Call if was_in_time => Sort::Stream,
            // The end of a probe's stream counts in the ramp that its beginning was the beginning of.
            Sort::Probe { .. } if change == Some(Change::Ramping) => Sort::Stream,
            _ => Sort::Unjudged,
        };
        *pass = self.pass(sort);
        change
    }

    fn settle_in_time(
        &mut self,
        pass: Pass,
        outcome: Outcome,
        spared: bool,
        t: u64,
    ) -> Option<Change> {
        let begun = pass.sort == Sort::Stream;
        if begun && outcome == Outcome::Begun {
            return None;
        }
        match (self.at, pass.sort) {
            (Where::Closed, Sort::Call | Sort::Stream) => {
                self.settle_closed(outcome, begun, spared, t)
            }
            (Where::Ramp { step, since }, Sort::Call | Sort::Stream) => {
                let (step, since) = self.ramp_at(step, since, t)?;
                self.settle_ramp(step, since, outcome, begun, t)
            }
            (Where::Probing { .. }, Sort::Probe { .. }) => self.settle_probe(pass, outcome, t),
            (Where::Open { until }, Sort::Extra) if until > t => {
                let lives = matches!(outcome, Outcome::Success | Outcome::Begun);
                lives.then(|| {
                    self.at = Where::Open { until: t };
                    Change::HalfOpened
                })
            }
            _ => None,
        }
    }

    fn settle_probe(&mut self, pass: Pass, outcome: Outcome, t: u64) -> Option<Change> {
        match outcome {
            Outcome::Neutral => {
                self.abandon(pass);
                None
            }
            Outcome::Hard | Outcome::BadAnswer => self.open(t, false, TripReason::Probe),
            Outcome::Soft => {
                self.at = Where::Open {
                    until: t + self.cooldown(self.level.saturating_sub(1)),
                };
                self.life += 1;
                self.shadow_due = t + 5_000;
                self.forget_rows();
                let reason = self.reason;
                Some(Change::Opened { reason })
            }
            Outcome::Success | Outcome::Begun => {
                self.at = Where::Ramp { step: 0, since: t };
                self.life += 1;
                self.healthy_since = t;
                self.forget_rows();
                self.doubt &= outcome == Outcome::Begun;
                self.results = vec![(t, outcome)];
                self.taken_back.clear();
                (self.asked, self.tally) = (0, (0, 0, 0));
                self.quality.take_goods(0);
                self.quality.score = 0.0;
                self.quality.judge_all();
                self.quality.good();
                Some(Change::Ramping)
            }
        }
    }

    fn settle_ramp(
        &mut self,
        step: u64,
        since: u64,
        outcome: Outcome,
        begun: bool,
        t: u64,
    ) -> Option<Change> {
        // What opens a closed one opens a ramp, but for the share of bad answers.
        if let Some(change) = self.settle_closed(outcome, begun, true, t) {
            return Some(change);
        }
        match outcome {
            Outcome::Neutral => None,
            // It was counted when it began.
            Outcome::Success if begun => None,
            // Its end will say more than its beginning.
            Outcome::Begun if self.doubt => None,
            Outcome::Success | Outcome::Begun => {
                let (good, bad) = self.count(step, |good, bad| (good + 1, bad))?;
                if good < 5 * (1 + bad) || t < since + self.rules.ramp_step / 10 {
                    return None;
                }
                if step < 2 {
                    self.at = Where::Ramp {
                        step: step + 1,
                        since: t,
                    };
                    return None;
                }
                self.close();
                Some(Change::Closed)
            }
            Outcome::Hard | Outcome::Soft | Outcome::BadAnswer => {
                let taken_back = u64::from(begun);
                self.count(step, |good, bad| (good.saturating_sub(taken_back), bad + 1));
                let [good, hard, _] = self.recent(t);
                let is_down = hard as usize >= good as usize + self.rules.failures.div_ceil(2);
                (outcome == Outcome::Hard && is_down)
                    .then(|| self.open(t, true, TripReason::Probe))
                    .flatten()
            }
        }
    }

    /// Counts in a step; `None` where a later one has begun.
    fn count(&mut self, step: u64, next: impl Fn(u64, u64) -> (u64, u64)) -> Option<(u64, u64)> {
        let (counted, good, bad) = self.tally;
        let (good, bad) = match step {
            _ if step == counted => next(good, bad),
            _ if step > counted => next(0, 0),
            _ => return None,
        };
        self.tally = (step, good, bad);
        Some((good, bad))
    }

    fn settle_closed(
        &mut self,
        outcome: Outcome,
        begun: bool,
        spared: bool,
        t: u64,
    ) -> Option<Change> {
        self.note(outcome, begun, t);
        let in_a_row = |run: &[u64], needed: usize| {
            run.len() >= needed && t - run[run.len() - needed] <= 60_000
        };
        let [good, hard, soft] = self.recent(t).map(f64::from);
        let (total, failed) = (good + hard + soft, hard + soft / 2.0);
        let reason = match outcome {
            Outcome::Success | Outcome::Begun | Outcome::Neutral => return None,
            Outcome::Soft => None,
            Outcome::Hard if begun => {
                self.doubt = true;
                self.broken_run.push(t);
                let many = 3.0 * failed >= total;
                let broken = in_a_row(&self.broken_run, self.rules.failures) && many;
                broken.then_some(TripReason::Streak)
            }
            Outcome::Hard => {
                self.hard_run.push(t);
                in_a_row(&self.hard_run, self.rules.failures).then_some(TripReason::Streak)
            }
            Outcome::BadAnswer => {
                let drifted = self.quality.bad(begun);
                self.bad_run.push(t);
                let needed = self.rules.failures.max(self.quality.row());
                let quality = in_a_row(&self.bad_run, needed) || drifted && !spared;
                quality.then_some(TripReason::Quality)
            }
        };
        let half_failed = total >= 20.0 && failed >= total / 2.0;
        let reason = reason.or_else(|| half_failed.then_some(TripReason::Ratio))?;
        self.open(t, true, reason)
    }

    /// Good, hard and soft results of the ten latest tenths of the window.
    pub(crate) fn recent(&self, t: u64) -> [u32; 3] {
        let slot = self.rules.window / 10;
        let is_recent = |at: u64| at / slot + 10 > t / slot;
        let mut sums = [0u32; 3];
        for (at, outcome) in &self.results {
            if is_recent(*at) {
                sums[match outcome {
                    Outcome::Success | Outcome::Begun => 0,
                    Outcome::Hard => 1,
                    _ => 2,
                }] += 1;
            }
        }
        let taken_back = self.taken_back.iter().filter(|at| is_recent(**at));
        sums[0] = sums[0].saturating_sub(taken_back.count() as u32);
        sums
    }

    fn note(&mut self, outcome: Outcome, begun: bool, t: u64) {
        if outcome == Outcome::Success {
            self.broken_run.clear();
            self.bad_run.clear();
            self.doubt = false;
        }
        if outcome == Outcome::Neutral || outcome == Outcome::Success && begun {
            return;
        }
        self.results.push((t, outcome));
        if matches!(outcome, Outcome::Success | Outcome::Begun) {
            self.hard_run.clear();
            self.quality.good();
        } else if begun {
            self.taken_back.push(t);
        }
    }

    fn forget_rows(&mut self) {
        self.hard_run.clear();
        self.broken_run.clear();
        self.bad_run.clear();
    }

    fn open(&mut self, t: u64, healthy: bool, reason: TripReason) -> Option<Change> {
        if healthy {
            self.level = self.repeats(t);
        }
        self.at = Where::Open {
            until: t + self.cooldown(self.level),
        };
        self.level = (self.level + 1).min(16);
        self.reason = reason;
        self.shadow_due = t + 5_000;
        self.healthy_since = t;
        self.life += 1;
        self.forget_rows();
        Some(Change::Opened { reason })
    }

    /// Openings in a row, less one for each healthy minute since.
    pub(crate) fn repeats(&self, t: u64) -> u64 {
        self.level.saturating_sub((t - self.healthy_since) / 60_000)
    }

    fn cooldown(&self, level: u64) -> u64 {
        (self.rules.cooldown << level).min(300_000)
    }

    pub(crate) fn hold(&mut self, until: u64) {
        if !self.is_forced() {
            self.hold = self.hold.max(until);
        }
    }

    pub(crate) fn open_until(&mut self, until: u64, reason: TripReason) -> Option<Change> {
        if self.is_forced() {
            return None;
        }
        if let Where::Open { until: stands } = self.at {
            if until > stands {
                self.at = Where::Open { until };
                self.reason = reason;
            }
            return None;
        }
        self.life += 1;
        self.at = Where::Open { until };
        self.reason = reason;
        Some(Change::Opened { reason })
    }

    pub(crate) fn recall(&mut self, t: u64) -> Option<Change> {
        if self.is_forced() {
            return None;
        }
        self.hold = 0;
        match self.at {
            Where::Open { until } if until > t => {
                self.at = Where::Open { until: t };
                Some(Change::HalfOpened)
            }
            _ => None,
        }
    }

    pub(crate) fn trip(&mut self, t: u64, reason: TripReason) -> Option<Change> {
        let passing = matches!(self.at, Where::Closed | Where::Ramp { .. });
        if passing && !self.is_forced() {
            self.open(t, true, reason)
        } else {
            None
        }
    }

    pub(crate) fn reconfigure(&mut self, rules: Rules) {
        if rules.window != self.rules.window {
            self.results.clear();
            self.taken_back.clear();
        }
        self.rules = rules;
    }
}
