//! Tables of extreme numbers, events in any order and clocks that jump, stand still and go back: nothing panics, every search ends, no
//! limit is passed and nothing is left in flight.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests; any instant will do"
)]

use llm_breaker::BreakerConfig;
use llm_errors::{ErrorKind, Hint, HintSource, Phase, Scope, Verdict};
use llm_router::{
    Action, Allowance, AttemptId, BadAnswer, Broken, Budget, Detectors, Event, FailOpen, Hedge,
    Hedging, Learnt, Limits, Member, Mend, Plan, Policy, Price, Request, Route, RouteId, Spend,
    Strategy, Table, Target, Tokens,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::sync::Arc;
use std::time::{Duration, Instant};

const TABLES: u64 = 150;
const REQUESTS: usize = 40;
/// Steps after which a search is taken to go in circles.
const ENDLESS: usize = 20_000;

struct Dice(SmallRng);

impl Dice {
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())]
    }

    fn one_in(&mut self, number: u32) -> bool {
        self.0.random_ratio(1, number)
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(3).then(|| value(self))
    }

    fn number(&mut self) -> u64 {
        let usual = self.0.random_range(0..10_000);
        self.of(&[
            0,
            1,
            u64::from(u32::MAX),
            u64::MAX / 60_000_000_000,
            u64::MAX,
            usual,
            usual,
        ])
    }

    fn count(&mut self) -> u32 {
        u32::try_from(self.number()).unwrap_or(u32::MAX)
    }

    fn time(&mut self) -> Duration {
        let usual = Duration::from_millis(self.0.random_range(0..60_000));
        self.of(&[
            Duration::ZERO,
            Duration::from_nanos(1),
            Duration::from_secs(u64::MAX / 2),
            Duration::MAX,
            usual,
            usual,
        ])
    }

    fn tokens(&mut self) -> Tokens {
        let mut tokens = Tokens::default();
        (tokens.input, tokens.output) = (self.count(), self.count());
        tokens
    }

    fn verdict(&mut self) -> Verdict {
        let phase = self.of(&[
            Phase::Connect,
            Phase::Sent,
            Phase::FirstByte,
            Phase::MidStream,
        ]);
        let mut verdict = Verdict::new(self.of(ErrorKind::ALL), phase);
        if let Some(wait) = self.maybe(Self::time) {
            verdict = verdict.with_hint(Hint::new(wait, HintSource::Body));
        }
        if self.one_in(9) {
            verdict.scope = self.of(&[
                Scope::Deployment,
                Scope::Credential,
                Scope::Model,
                Scope::Provider,
            ]);
        }
        verdict
    }

    fn policy(&mut self) -> Policy {
        let mut policy = self.of(&[Policy::interactive(), Policy::background(), Policy::agent()]);
        policy.strategy = self.of(&Strategy::ALL);
        policy.hedging = self.of(&[Hedging::Off, Hedging::AtP90]);
        policy.fail_open = self.of(&[FailOpen::Never, FailOpen::LeastBad]);
        policy.max_cost = self.maybe(|dice| Spend(dice.number()));
        policy.deadline = self.maybe(Self::time).unwrap_or(policy.deadline);
        policy.patience = self.maybe(Self::time).unwrap_or(policy.patience);
        policy.attempts = self
            .maybe(|dice| dice.0.random_range(1..=u8::MAX))
            .unwrap_or(policy.attempts);
        policy.max_sends = self
            .maybe(|dice| dice.0.random_range(1..=u8::MAX))
            .unwrap_or(policy.max_sends);
        policy.eject_percent = self.of(&[0, 50, 100]);
        policy.learnt = self.maybe(|dice| Learnt {
            percent: dice.of(&[100, 1_000]),
            floor: dice.time(),
        });
        policy.retries = self.budget();
        if self.one_in(3) {
            let budget = self.budget();
            policy.hedging = Hedging::At(Hedge {
                percentile: self.of(&[1, 50, 99]),
                samples: self.of(&[1, 10_000]),
                floor: self.time(),
                percent: budget.percent,
                most: budget.most,
            });
        }
        if self.one_in(3) {
            let windows = &mut policy.windows;
            for window in [
                &mut windows.connect,
                &mut windows.first_token,
                &mut windows.idle,
                &mut windows.whole,
                &mut windows.stream,
            ] {
                *window = self.time();
            }
        }
        policy
    }

    fn budget(&mut self) -> Budget {
        let most = self.of(&[1, 20, 1_000_000]);
        Budget {
            percent: self.of(&[0, 15, 100]),
            reserve: self.of(&[0, 1, most]),
            most,
        }
    }

    fn target(&mut self, name: &str) -> Target {
        let mut limits = Limits::default();
        for limit in [
            &mut limits.rpm,
            &mut limits.tpm,
            &mut limits.input_tpm,
            &mut limits.output_tpm,
            &mut limits.rpd,
        ] {
            *limit = self.maybe(Self::number);
        }
        limits.concurrency = self.maybe(Self::count);
        limits.burst = self.maybe(Self::time).unwrap_or(limits.burst);
        let mut price = Price::default();
        (price.input, price.output, price.per_request) =
            (self.number(), self.number(), self.number());
        let mut allowance = Allowance::default();
        allowance.per_hour = self.maybe(|dice| Spend(dice.number()));
        allowance.alerts = vec![Spend(self.number()); usize::from(self.one_in(2)) * 4];
        let provider = self.of(&["one", "two"]);
        let target = Target::new(name, provider)
            .limits(limits)
            .allowance(allowance)
            .context_window(self.count())
            .detectors(self.of(&[Detectors::ALL, Detectors::ALL, Detectors::NONE]));
        if self.one_in(2) {
            target.price(price)
        } else {
            target
        }
    }

    fn table(&mut self, now: Instant) -> Option<(Arc<Table>, RouteId)> {
        let names = ["a", "b", "c", "d"];
        let mut builder = Table::builder();
        for name in names {
            builder = builder.target(self.target(name));
        }
        let breaker = BreakerConfig::builder()
            .failures(self.0.random_range(1..=16))
            .cooldown(Duration::from_millis(1))
            .ramp_step(self.of(&[
                Duration::ZERO,
                Duration::from_millis(1),
                Duration::from_secs(10),
            ]))
            .ramp_good(self.count())
            .samples(self.count().max(1));
        let mut route = Route::new("r").policy(self.policy());
        for tier in names.chunks(self.of(&[1, 2, 4])) {
            let weight = |name: &&str| Member::new(*name).weight(self.of(&[0, 1, 3, u32::MAX]));
            route = route.tier(tier.iter().map(weight).collect::<Vec<_>>());
        }
        if self.one_in(4) {
            builder = builder.target(Target::new("new", "one"));
            route = route.canary(
                "new",
                &[self.0.random_range(1..50), self.0.random_range(50..100)],
            );
        }
        let table = builder
            .breaker(breaker.build().unwrap())
            .retry_budget(self.budget())
            .route(route)
            .build(now)
            .ok()?;
        let route = table.route("r")?;
        Some((table, route))
    }

    fn request(&mut self) -> Request {
        let mut request = Request::new();
        request.streamed = self.one_in(2);
        request.side_effects = self.one_in(8);
        request.at_most_once = request.side_effects && self.one_in(2);
        request.key = self.0.random();
        request.context_tokens = self.maybe(Self::count).unwrap_or(0);
        (
            request.expected.input_tokens,
            request.expected.output_tokens,
        ) = (self.number(), self.number());
        request.deadline = self.maybe(Self::time);
        request.patience = self.maybe(Self::time);
        request.attempts = self.maybe(|dice| dice.0.random());
        request.max_sends = self.maybe(|dice| dice.0.random());
        request.max_cost = self.maybe(|dice| Spend(dice.number()));
        request
    }

    fn event(&mut self, attempt: AttemptId) -> Event {
        let bad = BadAnswer {
            verdict: self.verdict(),
            finding: "some",
            tokens: self.tokens(),
        };
        let broken = Broken {
            verdict: self.verdict(),
            at_chars: self.count(),
            tokens: self.tokens(),
            mend: self.of(&[Mend::Never, Mend::Replay, Mend::Prefill]),
        };
        let failed = Event::Failed(attempt, self.verdict());
        let tokens = self.tokens();
        self.of(&[
            Event::FirstToken(attempt),
            Event::Succeeded(attempt, tokens),
            Event::Diverged(attempt, tokens),
            Event::Bad(attempt, bad),
            Event::Broken(attempt, broken),
            failed,
            failed,
        ])
    }

    /// Follows one request to its end, or leaves it on the way.
    fn ask(&mut self, table: &Arc<Table>, route: RouteId, now: &mut Instant) {
        let request = self.request();
        let most = request.max_sends.unwrap_or(table.policy(route).max_sends);
        let mut plan = Plan::new(Arc::clone(table), route, request, *now, self.0.random());
        let mut live: Vec<AttemptId> = Vec::new();
        for step in 0.. {
            assert!(step < ENDLESS, "no end: {}", plan.trace().describe(table));
            match plan.poll(*now) {
                Action::Send { attempt, .. } => live.push(attempt),
                Action::Cancel(attempt) => live.retain(|known| *known != attempt),
                Action::WaitUntil(at) if live.is_empty() || self.one_in(2) => *now = at.max(*now),
                Action::WaitUntil(_) => {}
                Action::Accept(_) if request.streamed => {}
                Action::Accept(_) | Action::Degrade(_) | Action::GiveUp(_) => break,
            }
            assert!(plan.trace().sends() <= usize::from(most));
            if !live.is_empty() && self.one_in(2) {
                let attempt = self.of(&live);
                let event = self.event(attempt);
                if !matches!(event, Event::FirstToken(_)) {
                    live.retain(|known| *known != attempt);
                }
                let before = now.checked_sub(Duration::from_secs(100)).unwrap_or(*now);
                plan.on(event, if self.one_in(20) { before } else { *now });
            }
            if self.one_in(200) || (live.is_empty() && plan.trace().answered_by().is_some()) {
                break;
            }
        }
        let _ = plan.trace().describe(table).to_string();
        let _ = table.explain(route, &request, *now).to_string();
    }
}

#[test]
fn nothing_is_too_small_too_large_or_too_late() {
    let mut searched = 0;
    for seed in 0..TABLES {
        let mut dice = Dice(SmallRng::seed_from_u64(seed));
        let mut now = Instant::now();
        let Some((table, route)) = dice.table(now) else {
            continue;
        };
        searched += 1;
        for _ in 0..REQUESTS {
            dice.ask(&table, route, &mut now);
            now += Duration::from_millis(dice.of(&[0, 0, 200, 3_600_000]));
            let left = table
                .targets()
                .filter(|target| table.in_flight(*target) > 0);
            assert_eq!(left.count(), 0, "table {seed}");
        }
    }
    assert!(searched > TABLES / 2, "{searched}");
}
