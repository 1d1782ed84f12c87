//! The lock-free breaker against its naive twin, step by step, whatever is done to both.
#![expect(
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    reason = "the twin is as plain as can be"
)]

#[path = "support/clock.rs"]
mod clock;
#[path = "support/twin.rs"]
mod twin;

use clock::Clock;
use llm_breaker::{Breaker, BreakerConfig, Mode, Outcome, Readiness, State, Ticket, TripReason};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use twin::{Model, OTHER, Pass, Rules, Sort, USUAL, Where};

fn config(rules: Rules) -> BreakerConfig {
    let ms = Duration::from_millis;
    BreakerConfig::builder()
        .failures(rules.failures as u32)
        .cooldown(ms(rules.cooldown))
        .ramp_step(ms(rules.ramp_step))
        .ratio_window(ms(rules.window))
        .build()
        .expect("valid")
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Pass(u64),
    Acquire,
    AcquireAnyway,
    /// A call that is over at once.
    Call(Outcome),
    Settle(usize, Outcome),
    Spare(usize),
    Begin(usize),
    Abandon(usize),
    Lose(usize),
    Hold(u64),
    SetAside(u64),
    Trip,
    Recall,
    Force(Mode),
    Reconfigure(bool),
    Shadow,
}

/// A target that fails in every way, and hands that reach for every switch.
fn rough() -> impl Strategy<Value = Vec<Step>> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        1 => Just(Outcome::Begun),
        6 => Just(Outcome::Hard),
        2 => Just(Outcome::Soft),
        2 => Just(Outcome::BadAnswer),
        1 => Just(Outcome::Neutral),
    ];
    let mode = prop_oneof![
        4 => Just(Mode::Enforce),
        1 => Just(Mode::Observe),
        1 => Just(Mode::ForcedClosed),
        1 => Just(Mode::ForcedOpen),
    ];
    let step = prop_oneof![
        8 => (0u64..2000).prop_map(Step::Pass),
        2 => (0u64..160_000).prop_map(Step::Pass),
        24 => Just(Step::Acquire),
        2 => Just(Step::AcquireAnyway),
        24 => (0usize..4, outcome).prop_map(|(at, outcome)| Step::Settle(at, outcome)),
        1 => (0usize..4).prop_map(Step::Spare),
        8 => (0usize..4).prop_map(Step::Begin),
        2 => (0usize..4).prop_map(Step::Abandon),
        2 => (0usize..4).prop_map(Step::Lose),
        2 => (0u64..30_000).prop_map(Step::Hold),
        2 => (0u64..30_000).prop_map(Step::SetAside),
        1 => Just(Step::Trip),
        1 => Just(Step::Recall),
        2 => mode.prop_map(Step::Force),
        1 => any::<bool>().prop_map(Step::Reconfigure),
        4 => Just(Step::Shadow),
    ];
    prop::collection::vec(step, 1..400)
}

/// A target that answers, and badly more often at times: what its usual share is has been learnt before long.
fn mild() -> impl Strategy<Value = Vec<Step>> {
    let outcome = |bad: u32| {
        prop_oneof![
            100 - bad => Just(Outcome::Success),
            5 => Just(Outcome::Begun),
            1 => Just(Outcome::Hard),
            bad => Just(Outcome::BadAnswer),
        ]
    };
    let spell = prop_oneof![3 => 1u32..4, 1 => 10u32..60].prop_flat_map(move |bad| {
        let step = prop_oneof![
            40 => outcome(bad).prop_map(Step::Call),
            4 => Just(Step::Acquire),
            4 => (0usize..4).prop_map(Step::Spare),
            4 => (0usize..4).prop_map(Step::Begin),
            4 => (0usize..4, outcome(bad)).prop_map(|(at, outcome)| Step::Settle(at, outcome)),
            8 => (0u64..1000).prop_map(Step::Pass),
            1 => (0u64..70_000).prop_map(Step::Pass),
        ];
        prop::collection::vec(step, 20..200)
    });
    prop::collection::vec(spell, 1..6).prop_map(|spells| spells.concat())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![rough(), mild()]
}

fn ms(clock: &Clock, at: Instant) -> u64 {
    (at - clock.origin).as_millis() as u64
}

/// Both, and the calls that are out.
struct Pair {
    clock: Clock,
    breaker: Breaker,
    model: Model,
    out: Vec<(Ticket, Pass)>,
}

impl Pair {
    fn acquire(&mut self) -> Result<(), TestCaseError> {
        let (now, t) = (self.clock.now, ms(&self.clock, self.clock.now));
        let ready = self.breaker.readiness(now);
        let enforces = self.model.mode == Mode::Enforce;
        let told = self.breaker.acquire(now);
        match (told, self.model.acquire(t)) {
            (Ok(ticket), Ok(pass)) => {
                let probe = matches!(pass.sort, Sort::Probe { .. });
                prop_assert_eq!(ticket.is_probe(), probe);
                if enforces {
                    let expected = if probe {
                        Readiness::Probe
                    } else {
                        Readiness::Ready
                    };
                    prop_assert_eq!(ready, expected);
                }
                self.out.push((ticket, pass));
            }
            (Err(rejected), Err(again)) => {
                prop_assert_eq!(ms(&self.clock, rejected.retry_at), again);
            }
            (told, expected) => prop_assert!(false, "{told:?}, but {expected:?}"),
        }
        Ok(())
    }

    fn settle(&mut self, at: usize, outcome: Outcome, spared: bool) -> Result<(), TestCaseError> {
        if at < self.out.len() {
            let (now, t) = (self.clock.now, ms(&self.clock, self.clock.now));
            let (ticket, pass) = self.out.remove(at);
            let change = if spared {
                self.breaker.settle_spared(ticket, now)
            } else {
                self.breaker.settle(ticket, outcome, now)
            };
            prop_assert_eq!(change, self.model.settle(pass, outcome, spared, t));
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (now, t) = (self.clock.now, ms(&self.clock, self.clock.now));
        let later = |span: u64| now + Duration::from_millis(span);
        let Self {
            breaker,
            model,
            out,
            ..
        } = self;
        match step {
            Step::Pass(span) => self.clock.now = later(span),
            Step::Acquire => self.acquire()?,
            Step::AcquireAnyway => {
                out.push((breaker.acquire_anyway(now), model.acquire_anyway(t)));
            }
            Step::Call(outcome) => {
                let before = out.len();
                self.acquire()?;
                self.settle(before, outcome, false)?;
            }
            Step::Settle(at, outcome) => self.settle(at, outcome, false)?,
            Step::Spare(at) => self.settle(at, Outcome::BadAnswer, true)?,
            Step::Begin(at) => {
                if let Some((ticket, pass)) = out.get_mut(at) {
                    prop_assert_eq!(breaker.begin(ticket, now), model.begin(pass, t));
                }
            }
            Step::Abandon(at) if at < out.len() => {
                let (ticket, pass) = out.remove(at);
                breaker.abandon(ticket);
                model.abandon(pass);
            }
            Step::Lose(at) if at < out.len() => drop(out.remove(at)),
            Step::Abandon(_) | Step::Lose(_) => {}
            Step::Hold(span) => {
                breaker.hold(later(span));
                model.hold(t + span);
            }
            Step::SetAside(span) => {
                let change = breaker.open_until(now, later(span), TripReason::Quota);
                prop_assert_eq!(change, model.open_until(t + span, TripReason::Quota));
            }
            Step::Trip => {
                let change = breaker.trip(now, TripReason::Hang);
                prop_assert_eq!(change, model.trip(t, TripReason::Hang));
            }
            Step::Recall => prop_assert_eq!(breaker.recall(now), model.recall(t)),
            Step::Force(mode) => {
                breaker.force(mode);
                model.mode = mode;
            }
            Step::Reconfigure(usual) => {
                let rules = if usual { USUAL } else { OTHER };
                breaker.reconfigure(&config(rules));
                model.reconfigure(rules);
            }
            Step::Shadow => {
                let due = breaker.is_shadow_due(now);
                let (granted, expected) = (breaker.shadow(now), model.shadow(t));
                prop_assert_eq!(granted.is_some(), expected.is_some());
                prop_assert_eq!(granted.is_some(), due);
                out.extend(granted.zip(expected));
            }
        }
        Ok(())
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let (clock, model) = (&self.clock, &self.model);
        let t = ms(clock, clock.now);
        let seen = self.breaker.snapshot(clock.now);
        let (state, end) = match model.at {
            _ if model.is_closed(t) => (State::Closed, None),
            Where::Closed | Where::Ramp { .. } => (State::HalfOpen, None),
            Where::Open { until } => (State::Open, Some(until)),
            Where::Probing { lease } => (State::HalfOpen, Some(lease)),
        };
        prop_assert_eq!((seen.state, seen.mode), (state, model.mode));
        let reason = if model.is_closed(t) {
            TripReason::None
        } else {
            model.reason
        };
        prop_assert_eq!(seen.reason, reason);
        prop_assert_eq!(seen.retry_at.map(|at| ms(clock, at)), end);
        let held = (model.hold > t).then_some(model.hold);
        prop_assert_eq!(seen.held_until.map(|at| ms(clock, at)), held);
        prop_assert_eq!(seen.share, model.share(t) as f64 / 100.0);
        let streak = model.hard_run.len().max(model.broken_run.len());
        prop_assert_eq!(seen.streak as usize, streak);
        prop_assert_eq!([seen.good, seen.hard, seen.soft], model.recent(t));
        prop_assert_eq!(seen.late, model.late);
        let repeats = if end.is_some() {
            model.level
        } else {
            model.repeats(t)
        };
        prop_assert_eq!(u64::from(seen.repeats), repeats);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_breaker_equals_its_naive_twin_and_always_has_a_way_out(steps in steps()) {
        let clock = Clock::new();
        let breaker = Breaker::new(config(USUAL), clock.origin);
        let mut pair = Pair { clock, breaker, model: Model::new(), out: vec![] };
        for step in steps {
            pair.take(step)?;
            pair.compare()?;
        }
        // Every call still out is lost, and nobody forces anything. Whatever the state, waiting and good answers lead back to closed.
        let Pair { mut clock, breaker, .. } = pair;
        breaker.force(Mode::Enforce);
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
