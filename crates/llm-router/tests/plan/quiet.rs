//! Requests to which nobody says anything, where too little is known to tell at once that nobody will.

use crate::beside::two;
use crate::world::*;
use llm_errors::ErrorKind as K;
use llm_router::{HopResult, Policy, Request, Route, Table, Target, Why};
use std::time::Duration;

fn three() -> World {
    World::new(|now| {
        let mut table = Table::builder();
        for name in ["primary", "backup", "last"] {
            table = table.target(Target::new(name, name));
        }
        let route = Route::new("r").tier(["primary"]).tier(["backup"]);
        table.route(route.tier(["last"])).build(now).unwrap()
    })
}

fn all(world: &mut World, reply: Reply) {
    for target in ["primary", "backup", "last"] {
        world.script(target, [reply]);
    }
}

fn window() -> Duration {
    Policy::default().windows.first_token
}

/// Room for the looks at an attempt, which come every so often.
const LOOKS: Duration = Duration::from_millis(20);

#[test]
fn a_cold_route_that_hangs_whole_gives_its_answer_after_one_window() {
    for (mut world, targets) in [(two(Policy::default()), 2), (three(), 3)] {
        all(&mut world, Reply::Hang);
        let (end, trace) = world.call_with(Request::new().streamed(), 1);
        assert!(matches!(end, End::Degraded(_)), "{trace:?}");
        assert_eq!(trace.sends(), targets, "{trace:?}");
        let took = world.since_start();
        assert!(took <= window() + LOOKS, "{took:?} {trace:?}");
        // Each has had half a window at least.
        let times = trace.hops.iter().map(|hop| hop.took().unwrap());
        assert!(times.min() >= Some(window() / 2 - LOOKS), "{trace:?}");
    }
}

#[test]
fn however_many_ask_a_route_that_hangs_whole_nobody_waits_for_longer() {
    for warm in [0, 300] {
        for pause in [ms(50), secs(1), secs(20), secs(600)] {
            let mut world = two(Policy::default());
            let request = Request::new().streamed();
            world.traffic(warm, pause, |n| (request, n));
            all(&mut world, Reply::Hang);
            world.calls.clear();
            let done = world.traffic(400, pause, |n| (request, 1_000 + n));
            let longest = done.iter().max_by_key(|done| done.took).unwrap();
            // Who waits for an opening to end does so within the patience, and for a rescue no longer than it is in sight.
            let bound = window() + Policy::default().patience + ms(300);
            assert!(
                longest.took <= bound,
                "{warm}, {pause:?}: {:?}",
                longest.trace
            );
            assert!(world.calls.len() <= 880, "{} calls", world.calls.len());
        }
    }
}

#[test]
fn a_silent_target_beside_one_that_fails_takes_no_longer() {
    for (primary, backup) in [
        (Reply::Hang, bad(K::ServerError)),
        (bad(K::Overloaded), Reply::Hang),
    ] {
        let mut world = two(Policy::default());
        world.script("primary", [primary]);
        world.script("backup", [backup]);
        let (end, trace) = world.call_with(Request::new().streamed(), 1);
        assert!(matches!(end, End::Degraded(_)), "{trace:?}");
        let took = world.since_start();
        assert!(took <= window() + secs(2), "{took:?} {trace:?}");
    }
}

#[test]
fn the_first_callers_of_a_target_that_hangs_are_answered_by_another_long_before_its_window_ends() {
    let mut world = three();
    world.script("primary", [Reply::Hang]);
    world.script("backup", [Reply::Hang]);
    let (end, trace) = world.call_with(Request::new().streamed(), 1);
    assert_eq!(end, End::Answered);
    assert_eq!(trace.hops[1].why, Why::Trial);
    let took = world.since_start();
    assert!(took <= window() / 2 + ms(200), "{took:?} {trace:?}");
}

#[test]
fn where_trials_cannot_be_paid_another_one_is_asked_at_half_a_window() {
    let mut world = two(Policy::default());
    world.script("primary", [Reply::Hang]);
    let request = Request::new().streamed();
    let done = world.traffic(100, ms(1), |n| (request, n));
    assert!(done.iter().all(|done| done.end == End::Answered));
    let covered = |done: &&Done| done.trace.hops.iter().any(|hop| hop.why == Why::Cover);
    assert!(done.iter().filter(covered).count() >= 20);
    let longest = done.iter().map(|done| done.took).max().unwrap();
    assert!(longest <= window() * 2 / 3, "{longest:?}");
}

#[test]
fn a_model_that_is_slow_by_nature_is_asked_once_as_soon_as_that_is_known() {
    for takes in [secs(3), secs(4), secs(6)] {
        let mut world = two(Policy::default());
        let request = Request::new().streamed();
        for target in ["primary", "backup"] {
            world.script(target, [Reply::Good(takes)]);
        }
        let done = world.traffic(200, secs(1), |n| (request, n));
        assert!(
            done.iter().all(|done| done.end == End::Answered),
            "{takes:?}"
        );
        assert!(world.calls.len() <= 280, "{takes:?}: {}", world.calls.len());
        world.calls.clear();
        // However seldom it is asked.
        for pause in [ms(300), secs(20), secs(600)] {
            world.calls.clear();
            let done = world.traffic(100, pause, |n| (request, 1_000 + n));
            let whys: Vec<_> = done
                .iter()
                .flat_map(|done| &done.trace.hops)
                .map(|hop| hop.why)
                .collect();
            assert!(world.calls.len() <= 102, "{takes:?}, {pause:?}: {whys:?}");
        }
    }
}

#[test]
fn the_longest_prompts_are_given_the_time_to_be_read() {
    let mut world = two(Policy::default());
    all(&mut world, Reply::Good(secs(14)));
    let request = Request::new().streamed().context_tokens(150_000);
    let (end, trace) = world.call_with(request, 1);
    assert_eq!(end, End::Answered, "{trace:?}");
    assert_eq!(trace.sends(), 2);
    assert!(matches!(trace.hops[0].result, HopResult::Failed(_)));
}

#[test]
fn a_lone_target_is_waited_for() {
    let mut world = World::new(|now| {
        let table = Table::builder().target(Target::new("primary", "one"));
        table
            .route(Route::new("r").tier(["primary"]))
            .build(now)
            .unwrap()
    });
    all(&mut world, Reply::Good(secs(20)));
    let (end, trace) = world.call_with(Request::new().streamed(), 1);
    assert_eq!((end, trace.sends()), (End::Answered, 1));
}

#[test]
fn calls_with_side_effects_are_asked_one_by_one() {
    let mut world = two(Policy::default());
    all(&mut world, Reply::Hang);
    let request = Request::new().streamed().side_effects();
    let (_, trace) = world.call_with(request, 1);
    for two in trace.hops.windows(2) {
        assert!(
            two[1].sent_after >= two[0].ended_after.unwrap(),
            "{trace:?}"
        );
    }
}

#[test]
fn a_slow_target_beside_a_quick_one_answers_all_the_same() {
    for pause in [ms(50), secs(1), secs(20), secs(600)] {
        let mut world = two(Policy::default());
        let request = Request::new().streamed();
        world.script("primary", [Reply::Good(secs(6))]);
        let primary = world.table.targets().next();
        world.traffic(400, pause, |n| (request, n));
        let done = world.traffic(50, pause, |n| (request, 1_000 + n));
        let by_primary = |done: &&Done| done.trace.answered_by() == primary;
        let answered = done.iter().filter(by_primary).count();
        assert!(answered >= 49, "{pause:?}: {answered}");
    }
}

#[test]
fn one_that_hangs_from_the_first_call_on_is_left() {
    for (pause, within) in [
        (ms(50), secs(11)),
        (secs(1), secs(30)),
        (secs(5), secs(120)),
    ] {
        let mut world = two(Policy::default());
        let request = Request::new().streamed();
        world.script("primary", [Reply::Hang]);
        let began = world.now;
        let primary = world.table.targets().next().unwrap();
        for done in world.traffic(400, pause, |n| (request, n)) {
            assert_eq!(done.end, End::Answered);
            assert!(
                done.took <= window() + ms(200),
                "{pause:?}: {:?}",
                done.took
            );
            let to_primary = done
                .trace
                .hops
                .iter()
                .any(|hop| hop.target == primary && !hop.probe);
            let after = done.sent_at - began;
            assert!(
                !to_primary || after <= within,
                "{pause:?}: still called after {after:?}"
            );
        }
    }
}

#[test]
fn a_request_that_takes_long_by_itself_is_answered_by_whoever_was_asked_last() {
    let mut world = two(Policy::default());
    let request = Request::new().streamed();
    let usual = |n: u64| Reply::Good(ms(300 + n * 37 % 300));
    // Both are well known: first the one, then the other while the one is down, then both are well.
    world.script("primary", [bad(K::ServerError)]);
    world.script("backup", (0..2_000).map(usual));
    world.traffic(1_500, ms(20), |n| (request, n));
    world.script("primary", (0..3_000).map(usual));
    world.now += secs(90);
    world.traffic(800, ms(100), |n| (request, 5_000 + n));
    all(&mut world, Reply::Good(ms(3_500)));
    // Long enough for nobody to know whether they still answer.
    world.now += secs(9);
    let (end, trace) = world.call_with(request, 9_000);
    assert_eq!(end, End::Answered, "{trace:?}");
    assert_eq!(trace.sends(), 2, "{trace:?}");
}

#[test]
fn two_gateway_timeouts_at_once_are_no_silence() {
    let mut world = two(Policy::default());
    world.script("primary", [bad(K::Timeout), good()]);
    world.script("backup", [bad(K::Timeout), good()]);
    let (end, _) = world.call_with(Request::new().streamed(), 1);
    assert_eq!(end, End::Answered);
}

#[test]
fn the_few_callers_of_a_target_that_hangs_wait_for_a_quarter_of_its_window() {
    let mut world = two(Policy::default());
    let request = Request::new().streamed();
    world.script("primary", [Reply::Hang]);
    let done = world.traffic(100, secs(20), |n| (request, n));
    for done in &done[10..] {
        assert_eq!(done.end, End::Answered);
        assert!(done.took <= window() / 4 + ms(200), "{:?}", done.trace);
    }
}
