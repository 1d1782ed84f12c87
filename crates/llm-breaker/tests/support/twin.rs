//! The naive twin of a breaker: plain enums, lists of everything, one thread. It states the rules again, not the code.

use llm_breaker::{Change, Mode, Outcome, TripReason};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Where {
    Closed,
    Open { until: u64 },
    Probing { lease: u64 },
    Ramp { since: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sort {
    Call,
    Probe { lease: u64 },
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

/// Bad answers one by one: every answer moves share and score, nothing is put off.
#[derive(Debug)]
struct Quality {
    seen: u32,
    share: f64,
    usual: f64,
    score: f64,
}

impl Quality {
    fn new() -> Self {
        Self {
            seen: 0,
            share: 0.05,
            usual: 0.05,
            score: 0.0,
        }
    }

    fn feared(&self) -> f64 {
        let ten_times = (10.0 * self.usual).clamp(0.15, 0.3);
        ten_times.max(1.5 * self.usual)
    }

    fn learn(&mut self, answer: f64) {
        let known = f64::from((self.seen + 20).min(1000));
        self.share = (self.share * known + answer) / (known + 1.0);
        self.seen += 1;
    }

    fn good(&mut self) {
        let weight = ((1.0 - self.feared()) / (1.0 - self.usual)).ln();
        self.score = (self.score + weight).max(0.0);
        self.learn(0.0);
    }

    fn judge_all(&mut self) {
        self.usual = self.share.clamp(0.01, 0.5);
    }

    fn bad(&mut self) -> bool {
        let seen = self.seen;
        self.learn(1.0);
        if seen < 100 || self.score == 0.0 {
            self.judge_all();
        }
        if seen < 100 {
            return false;
        }
        let (p0, p1) = (self.usual, self.feared());
        self.score += (p1 / p0).ln();
        let lost = p0 * (p0 / p1).ln() + (1.0 - p0) * ((1.0 - p0) / (1.0 - p1)).ln();
        let enough = (6_000.0 * (1.0 + 40.0 * p0) * lost).ln() + 1_200.0 / f64::from(seen);
        let alarm = self.score >= enough;
        if alarm {
            self.score = 0.0;
            self.judge_all();
        }
        alarm
    }

    /// The shortest row of bad answers that is rarer by chance than one in 40 000.
    fn row(&self) -> usize {
        let likely = |row: &i32| self.seen >= 100 && self.usual.powi(*row) > (-10.6f64).exp();
        (1..).take_while(likely).count() + 1
    }
}

/// Times are milliseconds since the origin.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) rules: Rules,
    pub(crate) mode: Mode,
    pub(crate) at: Where,
    pub(crate) reason: TripReason,
    pub(crate) life: u64,
    pub(crate) hold: u64,
    pub(crate) hard_run: Vec<u64>,
    pub(crate) bad_run: Vec<u64>,
    pub(crate) results: Vec<(u64, Outcome)>,
    quality: Quality,
    pub(crate) level: u64,
    pub(crate) healthy_since: u64,
    pub(crate) asked: u64,
    pub(crate) good: u64,
    pub(crate) failed: bool,
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
            bad_run: vec![],
            results: vec![],
            quality: Quality::new(),
            level: 0,
            healthy_since: 0,
            asked: 0,
            good: 0,
            failed: false,
            shadow_due: 0,
            late: 0,
        }
    }

    fn is_forced(&self) -> bool {
        matches!(self.mode, Mode::ForcedOpen | Mode::ForcedClosed)
    }

    fn percent(&self, since: u64, t: u64) -> u64 {
        let age = t - since;
        let step = self.rules.ramp_step;
        let step = (age / step).max((self.good / 5).min(age / (step / 10)));
        [10, 25, 50, 100][step.min(3) as usize]
    }

    pub(crate) fn share(&self, t: u64) -> u64 {
        match (self.mode, self.at) {
            (Mode::ForcedOpen, _) => 0,
            (Mode::ForcedClosed | Mode::Observe, _) => 100,
            (Mode::Enforce, _) if self.hold > t => 0,
            (Mode::Enforce, Where::Closed) => 100,
            (Mode::Enforce, Where::Ramp { since }) => self.percent(since, t),
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
            Where::Ramp { since } => {
                let percent = self.percent(since, t);
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
        match (self.at, pass.sort) {
            (Where::Closed, Sort::Call) => self.settle_closed(outcome, spared, t),
            (Where::Ramp { since }, Sort::Call) => self.settle_ramp(since, outcome, t),
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
                self.at = Where::Ramp { since: t };
                self.life += 1;
                self.healthy_since = t;
                self.forget_rows();
                self.results.clear();
                (self.asked, self.good, self.failed) = (0, 0, false);
                self.quality.score = 0.0;
                self.quality.judge_all();
                Some(Change::Ramping)
            }
        }
    }

    fn settle_ramp(&mut self, since: u64, outcome: Outcome, t: u64) -> Option<Change> {
        self.note(outcome, t);
        match outcome {
            Outcome::Neutral => None,
            Outcome::Success | Outcome::Begun => {
                self.good += 1;
                (self.percent(since, t) == 100).then(|| {
                    self.at = Where::Closed;
                    self.reason = TripReason::None;
                    Change::Closed
                })
            }
            Outcome::Hard if self.failed && self.good < 5 => self.open(t, true, TripReason::Probe),
            Outcome::Hard | Outcome::Soft | Outcome::BadAnswer => {
                self.failed |= outcome == Outcome::Hard;
                (self.asked, self.good) = (0, 0);
                self.at = Where::Ramp { since: t };
                None
            }
        }
    }

    fn settle_closed(&mut self, outcome: Outcome, spared: bool, t: u64) -> Option<Change> {
        self.note(outcome, t);
        let in_a_row = |run: &[u64], needed: usize| {
            run.len() >= needed && t - run[run.len() - needed] <= 60_000
        };
        let reason = match outcome {
            Outcome::Success | Outcome::Begun | Outcome::Neutral => return None,
            Outcome::Soft => None,
            Outcome::Hard => {
                self.hard_run.push(t);
                in_a_row(&self.hard_run, self.rules.failures).then_some(TripReason::Streak)
            }
            Outcome::BadAnswer => {
                let drifted = self.quality.bad();
                self.bad_run.push(t);
                let needed = self.rules.failures.max(self.quality.row());
                let quality = in_a_row(&self.bad_run, needed) || drifted && !spared;
                quality.then_some(TripReason::Quality)
            }
        };
        let [good, hard, soft] = self.recent(t).map(f64::from);
        let total = good + hard + soft;
        let half_failed = total >= 20.0 && hard + soft / 2.0 >= total / 2.0;
        let reason = reason.or_else(|| half_failed.then_some(TripReason::Ratio))?;
        self.open(t, true, reason)
    }

    /// Good, hard and soft results of the ten latest tenths of the window.
    pub(crate) fn recent(&self, t: u64) -> [u32; 3] {
        let slot = self.rules.window / 10;
        let mut sums = [0; 3];
        for (at, outcome) in &self.results {
            if at / slot + 10 > t / slot {
                sums[match outcome {
                    Outcome::Success | Outcome::Begun => 0,
                    Outcome::Hard => 1,
                    _ => 2,
                }] += 1;
            }
        }
        sums
    }

    fn note(&mut self, outcome: Outcome, t: u64) {
        if outcome == Outcome::Neutral {
            return;
        }
        self.results.push((t, outcome));
        if matches!(outcome, Outcome::Success | Outcome::Begun) {
            self.hard_run.clear();
            self.quality.good();
        }
        if outcome == Outcome::Success {
            self.bad_run.clear();
        }
    }

    fn forget_rows(&mut self) {
        self.hard_run.clear();
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
        }
        self.rules = rules;
    }
}
