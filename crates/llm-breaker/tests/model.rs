//! The lock-free breaker against a naive one: plain enums, lists of everything, one thread.
#![expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "the twin is as plain as can be"
)]

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;
use llm_breaker::{Breaker, BreakerConfig, Outcome, Readiness, State, Ticket};
use proptest::prelude::*;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Where {
    Closed,
    Open { until: u64 },
    Probing { lease: u64 },
    Ramp { since: u64 },
}

/// Times are milliseconds since the origin.
#[derive(Debug)]
struct Model {
    at: Where,
    life: u64,
    hold: u64,
    hard_run: Vec<u64>,
    bad_run: Vec<u64>,
    results: Vec<(u64, f64)>,
    level: u64,
    healthy_since: u64,
    asked: u64,
    good: u64,
    failed: bool,
    /// Whether it is, or was last, open for what passes.
    passing: bool,
    shadow_due: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Pass {
    life: u64,
    probe: bool,
}

impl Model {
    fn new() -> Self {
        Self {
            at: Where::Closed,
            life: 0,
            hold: 0,
            hard_run: vec![],
            bad_run: vec![],
            results: vec![],
            level: 0,
            healthy_since: 0,
            asked: 0,
            good: 0,
            failed: false,
            passing: true,
            shadow_due: 0,
        }
    }

    fn percent(&self, since: u64, t: u64) -> u64 {
        let age = t - since;
        let step = (age / 10_000).max((self.good / 5).min(age / 1000));
        [10, 25, 50, 100][step.min(3) as usize]
    }

    fn acquire(&mut self, t: u64) -> Option<Pass> {
        if self.hold > t {
            return None;
        }
        let pass = |life, probe| Some(Pass { life, probe });
        match self.at {
            Where::Closed => pass(self.life, false),
            Where::Ramp { since } => {
                let percent = self.percent(since, t);
                let turn = self.asked * percent % 100 < percent;
                self.asked += 1;
                if turn { pass(self.life, false) } else { None }
            }
            Where::Open { until: end } | Where::Probing { lease: end } if end > t => None,
            Where::Open { .. } | Where::Probing { .. } => {
                self.at = Where::Probing { lease: t + 150_000 };
                self.life += 1;
                pass(self.life, true)
            }
        }
    }

    /// A duplicate that looks for recovery: beside the probe that is to come, or in its place where nobody came.
    fn shadow(&mut self, t: u64) -> Option<Pass> {
        let (end, before) = match self.at {
            Where::Open { until } => (until, until > t),
            Where::Probing { lease } => (lease, false),
            Where::Closed | Where::Ramp { .. } => return None,
        };
        let in_time = before || end + 5_000 <= t;
        if !in_time || !self.passing || self.hold > t || self.shadow_due > t {
            return None;
        }
        self.shadow_due = t + 5_000;
        if before {
            return Some(Pass {
                life: self.life,
                probe: false,
            });
        }
        self.acquire(t)
    }

    fn abandon(&mut self, pass: Pass) {
        if let (Where::Probing { .. }, true, true) = (self.at, pass.probe, pass.life == self.life) {
            self.at = Where::Probing { lease: 0 };
        }
    }

    fn settle(&mut self, pass: Pass, outcome: Outcome, t: u64) {
        if pass.life != self.life || outcome == Outcome::Neutral && !pass.probe {
            return;
        }
        match self.at {
            Where::Open { until } => {
                if outcome == Outcome::Success && until > t {
                    self.at = Where::Open { until: t };
                }
            }
            Where::Probing { .. } => match outcome {
                Outcome::Neutral => self.at = Where::Probing { lease: 0 },
                Outcome::Hard | Outcome::BadAnswer => self.open(t, false),
                Outcome::Soft => {
                    self.at = Where::Open {
                        until: t + cooldown(self.level.saturating_sub(1)),
                    };
                    self.life += 1;
                    self.shadow_due = t + 5_000;
                }
                Outcome::Success | Outcome::Begun => {
                    let level = self.level;
                    *self = Self {
                        at: Where::Ramp { since: t },
                        life: self.life + 1,
                        level,
                        healthy_since: t,
                        hold: self.hold,
                        passing: self.passing,
                        shadow_due: self.shadow_due,
                        ..Self::new()
                    };
                }
            },
            Where::Ramp { since } => {
                self.note(outcome, t);
                match outcome {
                    Outcome::Success | Outcome::Begun => {
                        self.good += 1;
                        if self.percent(since, t) == 100 {
                            self.at = Where::Closed;
                        }
                    }
                    Outcome::Hard if self.failed && self.good < 5 => self.open(t, true),
                    _ => {
                        self.failed |= outcome == Outcome::Hard;
                        (self.asked, self.good) = (0, 0);
                        self.at = Where::Ramp { since: t };
                    }
                }
            }
            Where::Closed => {
                self.note(outcome, t);
                let run = match outcome {
                    Outcome::Hard => &mut self.hard_run,
                    Outcome::BadAnswer => &mut self.bad_run,
                    Outcome::Soft => &mut vec![],
                    _ => return,
                };
                run.push(t);
                let streak = run.len() >= 5 && t - run[run.len() - 5] <= 60_000;
                let streak = streak && outcome != Outcome::Soft;
                let recent: Vec<f64> = self
                    .results
                    .iter()
                    .filter(|(at, _)| at / 3000 + 10 > t / 3000)
                    .map(|(_, bad)| *bad)
                    .collect();
                let share = recent.iter().sum::<f64>() / recent.len() as f64;
                if streak || recent.len() >= 20 && share >= 0.5 {
                    self.open(t, true);
                }
            }
        }
    }

    fn note(&mut self, outcome: Outcome, t: u64) {
        match outcome {
            Outcome::Success => {
                self.hard_run.clear();
                self.bad_run.clear();
                self.results.push((t, 0.0));
            }
            Outcome::Begun => {
                self.hard_run.clear();
                self.results.push((t, 0.0));
            }
            Outcome::Hard => self.results.push((t, 1.0)),
            _ => self.results.push((t, 0.5)),
        }
    }

    fn open(&mut self, t: u64, healthy: bool) {
        if healthy {
            self.level = self.level.saturating_sub((t - self.healthy_since) / 60_000);
        }
        self.at = Where::Open {
            until: t + cooldown(self.level),
        };
        self.level = (self.level + 1).min(16);
        self.passing = true;
        self.shadow_due = t + 5_000;
        self.healthy_since = t;
        self.life += 1;
        self.hard_run.clear();
        self.bad_run.clear();
    }
}

fn cooldown(level: u64) -> u64 {
    (60_000 << level.min(16)).min(300_000)
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(u64),
    Acquire,
    Settle(usize, Outcome),
    EndedWell,
    Abandon(usize),
    Lose(usize),
    Hold(u64),
    SetAside(u64),
    Shadow,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        1 => Just(Outcome::Begun),
        6 => Just(Outcome::Hard),
        2 => Just(Outcome::Soft),
        2 => Just(Outcome::BadAnswer),
        1 => Just(Outcome::Neutral),
    ];
    let step = prop_oneof![
        4 => (0u64..2000).prop_map(Step::Pass),
        1 => (0u64..90_000).prop_map(Step::Pass),
        12 => Just(Step::Acquire),
        12 => (0usize..4, outcome).prop_map(|(at, outcome)| Step::Settle(at, outcome)),
        1 => Just(Step::EndedWell),
        1 => (0usize..4).prop_map(Step::Abandon),
        1 => (0usize..4).prop_map(Step::Lose),
        1 => (0u64..30_000).prop_map(Step::Hold),
        1 => (0u64..30_000).prop_map(Step::SetAside),
        2 => Just(Step::Shadow),
    ];
    prop::collection::vec(step, 1..400)
}

fn ms(clock: &Clock, at: Instant) -> u64 {
    (at - clock.origin).as_millis() as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_breaker_equals_its_naive_twin_and_always_has_a_way_out(steps in steps()) {
        let mut clock = Clock::new();
        let breaker = Breaker::new(BreakerConfig::default(), clock.origin);
        let mut model = Model::new();
        let mut out: Vec<(Ticket, Pass)> = vec![];
        for step in steps {
            let t = ms(&clock, clock.now);
            match step {
                Step::Pass(span) => { clock.now += Duration::from_millis(span); }
                Step::Acquire => {
                    let ready = breaker.readiness(clock.now);
                    let expected = model.acquire(t);
                    match breaker.acquire(clock.now) {
                        Ok(ticket) => {
                            let pass = expected.expect("the twin admits too");
                            prop_assert_eq!(ticket.is_probe(), pass.probe);
                            prop_assert_eq!(ready, if pass.probe { Readiness::Probe } else { Readiness::Ready });
                            out.push((ticket, pass));
                        }
                        Err(rejected) => {
                            prop_assert_eq!(expected, None);
                            prop_assert!(rejected.retry_at >= clock.now);
                        }
                    }
                }
                Step::Settle(at, outcome) if at < out.len() => {
                    let (ticket, pass) = out.remove(at);
                    breaker.settle(ticket, outcome, clock.now);
                    model.settle(pass, outcome, t);
                }
                Step::EndedWell => {
                    breaker.ended_well();
                    model.bad_run.clear();
                }
                Step::Abandon(at) if at < out.len() => {
                    let (ticket, pass) = out.remove(at);
                    breaker.abandon(ticket);
                    model.abandon(pass);
                }
                Step::Lose(at) if at < out.len() => drop(out.remove(at)),
                Step::Hold(span) => {
                    breaker.hold(clock.now + Duration::from_millis(span));
                    model.hold = model.hold.max(t + span);
                }
                Step::Shadow => {
                    let due = breaker.is_shadow_due(clock.now);
                    let expected = model.shadow(t);
                    let granted = breaker.shadow(clock.now);
                    prop_assert_eq!(granted.is_some(), expected.is_some());
                    prop_assert_eq!(granted.is_some(), due);
                    if let (Some(ticket), Some(pass)) = (granted, expected) {
                        prop_assert_eq!(ticket.is_probe(), pass.probe);
                        out.push((ticket, pass));
                    }
                }
                Step::SetAside(span) => {
                    model.passing = false;
                    breaker.open_until(clock.now, clock.now + Duration::from_millis(span), llm_breaker::TripReason::Quota);
                    model.at = match model.at {
                        Where::Open { until } => Where::Open { until: until.max(t + span) },
                        _ => { model.life += 1; model.hard_run.clear(); model.bad_run.clear(); Where::Open { until: t + span } }
                    };
                }
                _ => {}
            }
            let state = breaker.snapshot(clock.now).state;
            let expected = match model.at {
                Where::Closed => State::Closed,
                Where::Open { .. } => State::Open,
                Where::Probing { .. } | Where::Ramp { .. } => State::HalfOpen,
            };
            prop_assert_eq!(state, expected);
        }
        // Every call still out is lost. Whatever the state, waiting and good answers lead back to closed.
        drop(out);
        for _ in 0..100 {
            let snapshot = breaker.snapshot(clock.now);
            let wait = snapshot.retry_at.max(snapshot.held_until).unwrap_or(clock.now);
            prop_assert!(wait <= clock.now + Duration::from_secs(301));
            clock.now = wait.max(clock.now);
            clock.pass(1.0);
            if let Ok(ticket) = breaker.acquire(clock.now) {
                breaker.settle(ticket, Outcome::Success, clock.now);
            }
            if breaker.snapshot(clock.now).state == State::Closed { break; }
        }
        prop_assert_eq!(breaker.snapshot(clock.now).state, State::Closed);
        prop_assert_eq!(breaker.readiness(clock.now), Readiness::Ready);
    }
}
