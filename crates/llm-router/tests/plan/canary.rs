//! A target on trial, in a route.

use crate::world::*;
use llm_errors::ErrorKind as K;
use llm_router::{
    CanaryState, CanaryVerdict, Hedging, Policy, Refusal, Request, Route, StopReason, Table,
    Target, Why,
};

fn route() -> Route {
    Route::new("r")
        .tier(["stable"])
        .tier(["backup"])
        .canary("new", &[])
}

fn world() -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("stable", "one"))
            .target(Target::new("backup", "two"))
            .target(Target::new("new", "three"))
            .route(route())
            .build(now)
            .unwrap()
    })
}

/// Answers of which so many in a thousand fail, spread by a fixed rule.
fn failing(per_mille: u64, salt: u64) -> Vec<Reply> {
    let fails = |n: u64| {
        let mixed = (n ^ salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed ^ mixed >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40 & 1023
    };
    (0..40_000)
        .map(|n| match fails(n) * 1_000 / 1_024 < per_mille {
            true => bad(K::ServerError),
            false => good(),
        })
        .collect()
}

/// Calls until the trial is decided; how many of them the canary got, and how it ended.
fn run(stable: u64, new: u64, salt: u64) -> Option<(usize, CanaryState)> {
    let mut world = world();
    world.script("stable", failing(stable, salt));
    world.script("new", failing(new, salt ^ 0x5555));
    let route = world.table.route("r").unwrap();
    for seed in 0..30_000 {
        world.now += ms(20);
        let (end, trace) = world.call_with(Request::new(), seed ^ salt << 20);
        assert_eq!(end, End::Answered, "a trial costs no caller an answer");
        let state = world.table.canary(route).unwrap().1;
        if !matches!(state, CanaryState::Running(_)) {
            let (target, verdict) = trace.canary.unwrap();
            assert_eq!(world.table.target_name(target), "new");
            assert_ne!(verdict, CanaryVerdict::Continue);
            return Some((world.calls_to("new"), state));
        }
    }
    None
}

#[test]
fn a_canary_three_times_as_bad_is_stopped_within_400_of_its_calls() {
    let stopped = (1..=8).filter(|salt| {
        let (calls, state) = run(20, 60, salt * 77).unwrap();
        state == CanaryState::Stopped(StopReason::Errors) && calls <= 400
    });
    assert!(stopped.count() >= 7);
}

#[test]
fn an_equal_canary_is_promoted_and_then_gets_every_caller() {
    let promoted =
        (1..=4).filter(|salt| run(20, 20, salt * 31).unwrap().1 == CanaryState::Promoted);
    assert!(promoted.count() >= 3);
}

#[test]
fn it_gets_its_share_and_nothing_else_and_its_failure_costs_no_answer() {
    let mut world = world();
    let mut first = 0;
    for seed in 0..2_000 {
        let (_, trace) = world.call_with(Request::new(), seed);
        first += usize::from(trace.hops[0].why == Why::Canary);
    }
    assert!((60..=140).contains(&first), "{first} of 2 000");
    assert_eq!(world.calls_to("new"), first);
    // Nobody falls back to it.
    world.script("stable", [bad(K::EmptyOutput)]);
    world.script("backup", [bad(K::EmptyOutput)]);
    let ends: Vec<_> = (0..40)
        .map(|seed| world.call_with(Request::new(), seed))
        .collect();
    let lost = ends.iter().find(|(end, _)| *end != End::Answered).unwrap();
    let of_new = lost
        .1
        .refused
        .iter()
        .find(|seen| seen.reason == Refusal::OnTrial);
    assert!(of_new.is_some(), "{:?}", lost.1.refused);
}

#[test]
fn what_was_learnt_survives_a_new_table_unless_the_target_or_the_steps_change() {
    let mut world = world();
    world.script("new", [bad(K::ServerError)]);
    for seed in 0..6_000 {
        world.now += ms(20);
        world.call_with(Request::new(), seed);
    }
    let stopped = CanaryState::Stopped(StopReason::Errors);
    let next = |route: Route, identity: u64| {
        let table = Table::builder()
            .target(Target::new("stable", "one"))
            .target(Target::new("backup", "two"))
            .target(Target::new("new", "three").identity(identity))
            .route(route)
            .inherit(std::sync::Arc::clone(&world.table))
            .build(world.now)
            .unwrap();
        table.canary(table.route("r").unwrap()).unwrap().1
    };
    assert_eq!(next(route(), 0), stopped);
    assert_eq!(next(route(), 1), CanaryState::Running(5));
    assert_eq!(
        next(route().canary("new", &[10, 50]), 0),
        CanaryState::Running(10)
    );
    let words = world
        .table
        .explain(world.table.route("r").unwrap(), &Request::new(), world.now)
        .to_string();
    assert!(
        words.contains("canary new (stopped for its errors): not used: on_trial"),
        "{words}"
    );
}

#[test]
fn a_canary_that_others_answer_for_is_stopped() {
    for reply in [Reply::Hang, Reply::Good(secs(6))] {
        let mut world = world();
        world.script("stable", [Reply::Good(ms(300))]);
        world.script("new", [reply]);
        let request = Request::new().streamed();
        for done in world.traffic(4_000, ms(50), |n| (request, n)) {
            assert_eq!(done.end, End::Answered);
        }
        let route = world.table.route("r").unwrap();
        let state = world.table.canary(route).unwrap().1;
        assert!(
            matches!(state, CanaryState::Stopped(_)),
            "{reply:?}: {state:?}"
        );
        let calls = world.calls_to("new");
        assert!(calls <= 200, "{reply:?}: {calls}");
    }
}

#[test]
fn a_canary_whose_late_answers_are_hedged_away_is_as_slow_as_it_is() {
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = World::new(|now| {
        let targets = ["stable", "backup", "new"].map(|name| Target::new(name, name));
        let table = targets
            .into_iter()
            .fold(Table::builder(), |table, target| table.target(target));
        table.route(route().policy(policy)).build(now).unwrap()
    });
    let request = Request::new().streamed();
    // For a while it is as good as any, then half of its calls are late.
    let late = |n: u64| n >= 150 && n.is_multiple_of(2);
    let time = |n: u64| Reply::Good(if late(n) { ms(5_000) } else { ms(200) });
    world.script("stable", [Reply::Good(ms(200))]);
    world.script("new", (0..4_000).map(time));
    world.traffic(20_000, ms(20), |n| (request, n));
    let route = world.table.route("r").unwrap();
    let state = world.table.canary(route).unwrap().1;
    assert_eq!(state, CanaryState::Stopped(StopReason::Latency));
}
