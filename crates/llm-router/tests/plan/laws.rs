//! What holds for every request, whatever its targets do.

use crate::world::{End, Reply, World, bad, bad_for, good, ms};
use llm_errors::{Certainty, ErrorKind, Phase, Retry, Verdict};
use llm_router::{HopResult, Policy, Request, Route, Table, Target, Trace, Windows};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

fn any_reply() -> impl Strategy<Value = Reply> {
    let kinds = proptest::sample::select(ErrorKind::ALL);
    prop_oneof![
        2 => Just(good()),
        4 => kinds.clone().prop_map(bad),
        2 => (kinds, 0u64..40_000).prop_map(|(kind, wait)| bad_for(kind, ms(wait))),
        1 => Just(Reply::Hang),
    ]
}

type Scripts = [Vec<Reply>; 4];

fn scripts() -> impl Strategy<Value = Scripts> {
    let script = || proptest::collection::vec(any_reply(), 1..6);
    [script(), script(), script(), script()]
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn world(scripts: &Scripts) -> World {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("a", "one").credential("k1"))
            .target(
                Target::new("b", "one")
                    .credential("k2")
                    .context_window(8_000),
            )
            .target(Target::new("c", "two").context_window(200_000))
            .target(Target::new("d", "three"))
            .route(Route::new("r").tier(["a", "b"]).tier(["c"]).tier(["d"]))
            .build(now)
            .unwrap()
    });
    for (name, script) in NAMES.iter().zip(scripts) {
        world.script(name, script.iter().copied());
    }
    world
}

fn sends_per_target(trace: &Trace) -> HashMap<usize, usize> {
    let mut sends = HashMap::new();
    for hop in &trace.hops {
        *sends.entry(hop.target.index()).or_default() += 1;
    }
    sends
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // `World::call` itself asserts that every wait moves time, that none passes the deadline and
    // that the plan ends.
    #[test]
    fn a_request_stays_inside_its_limits(scripts in scripts(), seed: u64) {
        let mut world = world(&scripts);
        let policy = Policy::interactive();
        for round in 0..4 {
            let before = world.now;
            let (_, trace) = world.call_with(Request::new(), seed.wrapping_add(round));
            prop_assert!(world.now - before <= policy.deadline);
            prop_assert!(trace.sends() <= usize::from(policy.max_sends));
            for sends in sends_per_target(&trace).into_values() {
                prop_assert!(sends <= usize::from(policy.attempts));
            }
            for target in world.table.targets() {
                prop_assert_eq!(world.table.in_flight(target), 0);
            }
        }
    }

    #[test]
    fn a_target_that_must_not_be_asked_again_is_not(scripts in scripts(), seed: u64) {
        let mut world = world(&scripts);
        let (_, trace) = world.call_with(Request::new(), seed);
        for (index, hop) in trace.hops.iter().enumerate() {
            if let HopResult::Failed(verdict) = hop.result
                && verdict.advice.retry == Retry::Never
            {
                let again = trace.hops.iter().skip(index + 1).any(|later| later.target == hop.target);
                prop_assert!(!again, "{} asked again after {}", hop.target, verdict.kind);
            }
        }
    }

    #[test]
    fn a_hint_is_a_floor_for_its_target(scripts in scripts(), seed: u64) {
        let mut world = world(&scripts);
        let (_, trace) = world.call_with(Request::new(), seed);
        for (index, hop) in trace.hops.iter().enumerate() {
            let Some(wait) = (match hop.result {
                HopResult::Failed(verdict) => verdict.retry_after(),
                HopResult::Running | HopResult::Answered(_) | HopResult::Cancelled | _ => None,
            }) else { continue };
            for later in trace.hops.iter().skip(index + 1).filter(|later| later.target == hop.target) {
                prop_assert!(later.sent_after >= hop.ended_after.unwrap() + wait);
            }
        }
    }

    #[test]
    fn an_untried_ready_sibling_comes_before_a_second_try(scripts in scripts(), seed: u64) {
        let mut world = world(&scripts);
        let (_, trace) = world.call_with(Request::new(), seed);
        // Targets 0 and 1 are siblings and start healthy: whichever fails first for a reason that
        // others do not share, the other is next.
        let tier: Vec<_> = trace.hops.iter().filter(|hop| hop.target.index() < 2).collect();
        if let [first, second, ..] = tier[..]
            && let HopResult::Failed(verdict) = first.result
            && verdict.advice.elsewhere
            && !matches!(verdict.kind, ErrorKind::ContextLength | ErrorKind::OutputLimit)
        {
            prop_assert_ne!(first.target, second.target);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_trace(scripts in scripts(), seed: u64) {
        let run = || {
            let mut world = world(&scripts);
            let traces: Vec<_> = (0..3)
                .map(|_| format!("{:?}", world.call_with(Request::new(), seed).1))
                .collect();
            traces
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn with_everything_down_upstream_calls_stay_within_the_retry_budget() {
    let down = || vec![bad(ErrorKind::Overloaded)];
    let mut world = world(&[down(), down(), down(), down()]);
    let requests = 500;
    for seed in 0..requests {
        world.call_with(Request::new(), seed);
    }
    // Overload never opens a breaker by itself here, so every request makes a first pass over the
    // four targets; beyond it only the budget's reserve is left, for nothing succeeds.
    let first_pass = 4 * usize::try_from(requests).unwrap();
    assert!(
        world.calls.len() <= first_pass + first_pass / 5,
        "{} calls",
        world.calls.len()
    );
}

#[test]
fn a_committed_stream_is_never_sent_again() {
    use llm_router::{Action, Event, Plan};
    let world = world(&[vec![], vec![], vec![], vec![]]);
    let route = world.table.route("r").unwrap();
    let table = std::sync::Arc::clone(&world.table);
    let mut plan = Plan::new(table, route, Request::new().streamed(), world.now, 3);
    let Action::Send { attempt, .. } = plan.poll(world.now) else {
        panic!();
    };
    plan.on(Event::FirstToken(attempt), world.now);
    assert_eq!(plan.poll(world.now), Action::Accept(attempt));
    let verdict = Verdict::new(ErrorKind::Network, Phase::MidStream);
    assert_eq!(verdict.certainty, Certainty::Committed);
    plan.on(Event::Failed(attempt, verdict), world.now);
    assert_eq!(plan.poll(world.now), Action::GiveUp(verdict));
    assert_eq!(plan.trace().sends(), 1);
}

#[test]
fn no_limit_is_too_long_to_be_counted() {
    for streamed in [false, true] {
        let mut policy = Policy::default();
        policy.deadline = Duration::MAX;
        policy.thinking_deadline = Duration::MAX;
        policy.patience = Duration::MAX;
        policy.windows = Windows {
            connect: Duration::MAX,
            first_token: Duration::MAX,
            idle: Duration::MAX,
            whole: Duration::MAX,
            stream: Duration::MAX,
            thinking: Duration::MAX,
        };
        let mut world = World::new(|now| {
            Table::builder()
                .target(Target::new("a", "one"))
                .target(Target::new("b", "two"))
                .route(Route::new("r").tier(["a"]).tier(["b"]).policy(policy))
                .build(now)
                .unwrap()
        });
        let timeout = ErrorKind::Timeout;
        let begins = if streamed {
            Reply::Left(ms(100))
        } else {
            good()
        };
        world.script("a", [bad(timeout), begins]);
        world.script("b", [bad(timeout), good()]);
        for seed in 0..4 {
            let mut request = Request::new().deadline(Duration::MAX);
            request.patience = Some(Duration::MAX);
            if streamed {
                request = request.streamed();
            }
            let (end, _) = world.call_with(request, seed);
            assert_eq!(end, End::Answered);
        }
    }
}
