//! Models that think before they speak: silent for seconds to minutes, by design, and no worse for it.

use crate::world::{Done, End, Reply, World, bad, ms, secs};
use llm_breaker::{State, TripReason};
use llm_errors::ErrorKind;
use llm_router::{Hedging, Policy, Request, Route, Table, Target, Thinking, Why};
use std::time::{Duration, Instant};

/// Two names and nothing else; the first thinks unless it is told not to.
fn pair_with(policy: Policy) -> World {
    World::new(|now| {
        Table::builder()
            .target(Target::new("thinker", "openai").thinks(Thinking::ByDefault))
            .target(Target::new("other", "anthropic"))
            .route(
                Route::new("r")
                    .tier(["thinker"])
                    .tier(["other"])
                    .policy(policy),
            )
            .build(now)
            .unwrap()
    })
}

fn pair() -> World {
    pair_with(Policy::interactive())
}

fn both_kinds() -> [Request; 2] {
    [Request::new().streamed(), Request::new()]
}

fn is_well(world: &World, target: usize) -> bool {
    let target = world.table.targets().nth(target).unwrap();
    let seen = world.table.gate(target).snapshot(world.now);
    seen.state == State::Closed && (seen.streak, seen.hard, seen.soft) == (0, 0, 0)
}

/// A number in `0.0..1.0` that looks drawn.
fn drawn(n: u64) -> f64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as f64 / u64::MAX as f64
}

/// From 4 s to 2 min, half of them below 22 s.
fn thought(n: u64) -> Duration {
    Duration::from_secs_f64(4.0 * 30f64.powf(drawn(n)))
}

#[test]
fn a_cold_thinker_is_waited_for_and_asked_once() {
    for silence in [secs(25), secs(60), secs(90), secs(240)] {
        for request in both_kinds() {
            let mut world = pair();
            world.script("thinker", [Reply::Good(silence)]);
            let (end, trace) = world.call_with(request, 1);
            assert_eq!(end, End::Answered);
            assert_eq!(world.calls, ["thinker"], "{silence:?}");
            assert_eq!(trace.ended_after, Some(silence));
            assert!(is_well(&world, 0), "{silence:?}");
        }
    }
}

#[test]
fn what_is_told_not_to_think_is_cut_off_as_any_other() {
    let mut world = pair();
    world.script("thinker", [Reply::Hang]);
    let request = Request::new().streamed().thinking(false);
    let (end, trace) = world.call_with(request, 1);
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["thinker", "other"]);
    // After a quarter of its window.
    assert_eq!(trace.ended_after, Some(ms(2_500) + ms(100)));
}

#[test]
fn what_asks_for_thoughts_is_waited_for_at_any_target_that_has_them() {
    let mut world = pair();
    world.script("thinker", [bad(ErrorKind::ServerError)]);
    world.script("other", [Reply::Good(secs(90))]);
    let (end, _) = world.call_with(Request::new().streamed().thinking(true), 1);
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls_to("other"), 1);
}

#[test]
fn one_that_does_not_think_has_its_usual_time_after_one_that_does() {
    let mut world = pair();
    world.script("thinker", [Reply::Hang]);
    world.script("other", [Reply::Hang]);
    let (end, trace) = world.call_with(Request::new().streamed(), 1);
    assert!(matches!(end, End::Degraded(_)), "{end:?}");
    assert_eq!(world.calls, ["thinker", "other"]);
    assert_eq!(trace.ended_after, Some(secs(310 + 10)));
}

#[test]
fn a_caller_has_the_last_word_and_the_target_is_not_blamed_for_it() {
    for request in both_kinds() {
        let mut world = pair();
        world.script("thinker", [Reply::Good(secs(60))]);
        let (end, trace) = world.call_with(request.deadline(secs(20)), 1);
        assert_eq!(end, End::Answered);
        assert_eq!(world.calls, ["thinker", "other"]);
        assert!(trace.ended_after.unwrap() <= secs(20));
        assert!(is_well(&world, 0));
    }
    let mut world = pair();
    world.script("thinker", [Reply::Good(secs(60))]);
    let mut request = Request::new().streamed().deadline(secs(20));
    request.thinking_deadline = Some(secs(100));
    let (end, _) = world.call_with(request, 1);
    assert_eq!((end, world.calls.len()), (End::Answered, 1));
}

#[test]
fn a_lone_thinker_is_waited_for_until_the_deadline() {
    for request in both_kinds() {
        let mut world = World::new(|now| {
            Table::builder()
                .target(Target::new("thinker", "openai").thinks(Thinking::Always))
                .route(Route::new("r").tier(["thinker"]))
                .build(now)
                .unwrap()
        });
        world.script("thinker", [Reply::Good(secs(400))]);
        let (end, _) = world.call_with(request.thinking(false), 1);
        assert_eq!((end, world.calls.len()), (End::Answered, 1));
        assert!(is_well(&world, 0));
    }
}

#[test]
fn a_thinker_that_hangs_while_cold_is_left_in_time_for_another() {
    let mut world = pair();
    world.script("thinker", [Reply::Hang]);
    let (end, trace) = world.call_with(Request::new().streamed(), 1);
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["thinker", "other"]);
    assert_eq!(trace.ended_after, Some(secs(310) + ms(100)));
}

#[test]
fn many_that_wait_for_a_thinker_that_hangs_while_cold_do_not_wait_for_long() {
    for (every, within) in [(ms(50), secs(90)), (secs(1), secs(180))] {
        let mut world = pair();
        world.script("thinker", [Reply::Hang]);
        let began = world.now;
        let request = Request::new().streamed();
        let done = world.traffic(400, every, |n| (request, n));
        let left = last_of(&done, &world) - began;
        assert!(left <= within, "still called after {left:?}");
        for done in &done {
            assert_eq!(done.end, End::Answered);
            assert!(done.took <= within + secs(40), "{:?}", done.took);
        }
    }
}

#[test]
fn the_slowest_of_thinkers_is_not_doubted_while_cold() {
    for every in [ms(300), secs(1)] {
        let mut world = pair();
        // A minute at the least, and half of them longer than 3 min.
        let deep = |n: u64| Reply::Good(Duration::from_secs_f64(60.0 + 240.0 * drawn(n)));
        world.script("thinker", (0..200).map(deep));
        for done in world.traffic(200, every, |n| (Request::new().streamed(), n)) {
            assert_eq!(done.end, End::Answered);
            assert!(done.trace.changes.is_empty(), "{:?}", done.trace.changes);
            assert_eq!(done.trace.hops.len(), 1);
        }
    }
}

#[test]
fn a_quick_thinker_that_hangs_is_left_nearly_as_soon_as_any_other() {
    let mut world = pair();
    let request = Request::new().streamed();
    world.script("thinker", (0..400).map(|n| Reply::Good(thought(n) / 40)));
    world.traffic(400, ms(50), |n| (request, n));
    world.script("thinker", [Reply::Hang]);
    let began = world.now;
    let done = world.traffic(200, ms(50), |n| (request, 10_000 + n));
    let left = last_of(&done, &world) - began;
    assert!(left <= secs(5), "still called after {left:?}");
}

/// When the last call that was no probe began to be a burden to the first target.
fn last_of(done: &[Done], world: &World) -> Instant {
    let thinker = world.table.targets().next().unwrap();
    let to_it = |done: &&Done| {
        let mut hops = done.trace.hops.iter();
        hops.any(|hop| hop.target == thinker && !hop.probe)
    };
    done.iter()
        .filter(to_it)
        .map(|done| done.sent_at)
        .max()
        .unwrap()
}

/// So many calls of a thinker, `every` apart, from `first` on.
fn think(world: &mut World, request: Request, first: u64, count: u64, every: Duration) {
    world.script(
        "thinker",
        (first..first + count).map(|n| Reply::Good(thought(n))),
    );
    for done in world.traffic(count, every, |n| (request, first + n)) {
        assert_eq!(done.end, End::Answered);
    }
}

#[test]
fn a_thinker_that_begins_to_hang_is_left_by_its_own_measure() {
    for (request, every) in [
        (Request::new().streamed(), secs(1)),
        (Request::new(), secs(1)),
        (Request::new().streamed(), ms(50)),
    ] {
        let mut world = pair();
        think(&mut world, request, 0, 400, every);
        assert!(is_well(&world, 0));
        world.script("thinker", [Reply::Hang]);
        let began = world.now;
        let done = world.traffic(300, every, |n| (request, 10_000 + n));
        let left = last_of(&done, &world) - began;
        // Its p99 is 2 min: one call by itself would wait for 4.
        assert!(
            left <= secs(60),
            "still called after {left:?}, one every {every:?}"
        );
        for done in &done {
            assert_eq!(done.end, End::Answered);
            assert!(done.took <= secs(245), "{:?}", done.took);
        }
    }
}

#[test]
fn what_is_learnt_of_thoughts_shortens_their_window() {
    let mut world = pair();
    let request = Request::new().streamed();
    // Quick thoughts, one every 20 s: half an hour's worth is remembered.
    world.script("thinker", [Reply::Good(secs(3))]);
    world.traffic(130, secs(20), |n| (request, n));
    world.script("thinker", [Reply::Hang]);
    world.calls.clear();
    let (end, trace) = world.call_with(request, 9_999);
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["thinker", "other"]);
    let took = trace.ended_after.unwrap();
    assert!(took < secs(8), "{took:?}");
}

#[test]
fn calls_with_and_without_thoughts_do_not_alarm_each_other() {
    let mut world = pair();
    let quick = Request::new().streamed().thinking(false);
    let slow = Request::new().streamed();
    let each = |n: u64| (if n.is_multiple_of(10) { slow } else { quick }, n);
    let reply = |n: u64| {
        let quick = Duration::from_secs_f64(0.3 * 8f64.powf(drawn(n)));
        Reply::Good(if n.is_multiple_of(10) {
            thought(n)
        } else {
            quick
        })
    };
    let count = 10_000;
    world.script("thinker", (0..count).map(reply));
    let done = world.traffic(count, ms(100), each);
    let healthy = &world.table;
    let thinker = healthy.targets().next().unwrap();
    for done in &done {
        assert_eq!(done.end, End::Answered);
        assert!(done.trace.changes.is_empty(), "{:?}", done.trace.changes);
        let failed = done.trace.failures().count();
        assert_eq!(failed, 0, "{:?}", done.trace);
    }
    let beside = world.calls_to("other");
    assert!(beside <= 20, "{beside} calls were sent twice");
    assert!(is_well(&world, 0));
    // And a hang of all is noticed by those that come at once.
    world.script("thinker", [Reply::Hang]);
    let began = world.now;
    let done = world.traffic(300, ms(100), each);
    let gate = world.table.gate(thinker).snapshot(world.now);
    assert_eq!(gate.reason, TripReason::Hang);
    let left = last_of(&done, &world) - began;
    assert!(left <= secs(5), "still called after {left:?}");
    for done in &done {
        assert_eq!(done.end, End::Answered);
        assert!(done.took <= secs(7), "{:?}", done.took);
    }
}

#[test]
fn quick_calls_of_a_thinker_that_hangs_are_sent_elsewhere_within_three_seconds() {
    for thoughts in [0u64, 20] {
        let mut world = pair();
        let quick = Request::new().streamed().thinking(false);
        let slow = Request::new().streamed();
        let each = |n: u64| {
            let thinks = thoughts > 0 && n.is_multiple_of(thoughts);
            (if thinks { slow } else { quick }, n)
        };
        let reply = |n: u64| {
            Reply::Good(match each(n) {
                (request, _) if request == slow => thought(n),
                _ => ms(300),
            })
        };
        world.script("thinker", (0..600).map(reply));
        world.traffic(600, ms(50), each);
        world.script("thinker", [Reply::Hang]);
        let done = world.leaves_the_first(secs(3), 200, quick);
        assert!(done.iter().all(|done| done.took <= secs(3)));
    }
}

#[test]
fn harder_questions_than_before_are_no_trouble_of_the_target() {
    let mut world = pair();
    let request = Request::new().streamed();
    world.script("thinker", (0..600).map(|n| Reply::Good(thought(n) / 4)));
    world.traffic(600, secs(1), |n| (request, n));
    world.calls.clear();
    world.script(
        "thinker",
        (0..600).map(|n| Reply::Good(thought(n).mul_f64(0.75))),
    );
    let done = world.traffic(600, secs(1), |n| (request, 10_000 + n));
    for done in &done {
        assert_eq!(done.end, End::Answered);
        assert!(done.trace.changes.is_empty(), "{:?}", done.trace.changes);
    }
    assert!(is_well(&world, 0));
}

#[test]
fn a_call_in_which_the_model_thinks_is_not_hedged() {
    for (thinks, most) in [(true, 0), (false, 40)] {
        let mut policy = Policy::interactive();
        policy.hedging = Hedging::AtP90;
        let mut world = pair_with(policy);
        let request = Request::new().streamed().thinking(thinks);
        let replies = (0..300).map(|n| Reply::Good(ms(500) + ms(200).mul_f64(drawn(n))));
        world.script("thinker", replies);
        world.script("other", [Reply::Good(ms(500))]);
        let done = world.traffic(300, ms(200), |n| (request, n));
        let hops = done.iter().flat_map(|done| &done.trace.hops);
        let hedges = hops.filter(|hop| hop.why == Why::Hedge).count();
        assert!(hedges <= most && (thinks || hedges > 5), "{hedges}");
    }
}

#[test]
fn a_probe_of_a_thinker_is_given_time_to_think() {
    let mut world = pair();
    let request = Request::new().streamed();
    world.script("thinker", [bad(ErrorKind::ServerError)]);
    world.traffic(6, secs(1), |n| (request, n));
    assert!(!is_well(&world, 0));
    world.now += secs(61);
    world.script("thinker", [Reply::Good(secs(40))]);
    world.calls.clear();
    let (end, trace) = world.call_with(request, 77);
    assert_eq!(end, End::Answered);
    assert_eq!(world.calls, ["thinker"]);
    assert!(trace.hops[0].probe);
}

#[test]
fn one_shadow_of_thoughts_is_under_way_at_a_time() {
    let mut world = pair();
    let request = Request::new().streamed();
    world.script("thinker", [bad(ErrorKind::ServerError)]);
    world.traffic(6, secs(1), |n| (request, n));
    let route = world.table.route("r").unwrap();
    let shadow = |request: &Request, after: u64| {
        let now = world.now + secs(after);
        world.table.shadow(route, request, now)
    };
    let first = shadow(&request, 6).unwrap();
    assert_eq!(first.windows().first_token, secs(120));
    assert!(shadow(&request, 12).is_none(), "each is paid in full");
    let quick = shadow(&request.thinking(false), 18).unwrap();
    assert_eq!(quick.windows().first_token, secs(10));
    drop((first, quick));
    assert!(shadow(&request, 24).is_some());
}
