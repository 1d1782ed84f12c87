//! What must not be held against a target, a credential or a caller.

use crate::world::*;
use llm_breaker::State;
use llm_errors::{ErrorKind as K, Phase, Verdict};
use llm_router::{Policy, Request, Route, Table, Target, Thinking, Why};

fn tiers(names: &'static [&'static str]) -> World {
    World::new(|now| {
        let mut builder = Table::builder();
        let mut route = Route::new("r").policy(Policy::default());
        for name in names {
            builder = builder.target(Target::new(*name, *name));
            route = route.tier([*name]);
        }
        builder.route(route).build(now).unwrap()
    })
}

#[test]
fn a_slow_spell_of_every_target_is_no_outage() {
    for names in [&["only"][..], &["a", "b"]] {
        let mut world = tiers(names);
        for name in names {
            world.script(
                name,
                (0..400).map(|call| Reply::Good(ms(250 + call * 37 % 100))),
            );
        }
        world.traffic(400, ms(50), |n| (Request::new(), n));
        for name in names {
            world.script(name, [Reply::Good(ms(1_800))]);
        }
        let done = world.traffic(1_000, ms(50), |n| (Request::new(), 5_000 + n));
        let answered = done.iter().filter(|done| done.end == End::Answered).count();
        assert!(answered >= 990, "{names:?}: {answered} of 1000 answered");
    }
}

#[test]
fn heavy_healthy_traffic_trips_nothing() {
    let mut world = tiers(&["a", "b"]);
    // A tail that any provider has: 3 % of the calls take eight times as long.
    let time = |call: u64| ms((200 + call * 37 % 300) * if call % 33 == 5 { 8 } else { 1 });
    world.script("a", (0..20_000).map(|call| Reply::Good(time(call))));
    let done = world.traffic(20_000, ms(4), |n| (Request::new(), n));
    assert!(done.iter().all(|done| done.end == End::Answered));
    let elsewhere = world.calls_to("b");
    assert!(
        elsewhere <= 1_000,
        "{elsewhere} of 20000 calls went to the backup"
    );
}

#[test]
fn a_healed_lone_target_throws_no_call_away_while_it_ramps() {
    let mut world = tiers(&["only"]);
    world.script("only", [bad(K::ServerError)]);
    let only = world.table.targets().next().unwrap();
    while world.table.gate(only).snapshot(world.now).state != State::Open {
        world.call();
    }
    world.script("only", [good()]);
    world.now += secs(70);
    let done = world.traffic(60, secs(1), |n| (Request::new(), n));
    assert!(done.iter().all(|done| done.end == End::Answered));
}

#[test]
fn healed_siblings_share_what_their_ramps_refuse() {
    let names = ["a", "b"];
    let mut world = World::new(|now| {
        let builder = names.iter().fold(Table::builder(), |builder, name| {
            builder.target(Target::new(*name, *name))
        });
        let route = Route::new("r").tier(names);
        builder.route(route).build(now).unwrap()
    });
    for name in names {
        world.script(name, [bad(K::ServerError)]);
    }
    world.traffic(20, ms(50), |n| (Request::new(), n));
    for name in names {
        world.script(name, [good()]);
    }
    world.now += secs(61);
    // By their probes both are in the first step of a ramp, which lasts a second.
    let waits = |world: &World| {
        let mut gates = world.table.targets().map(|id| world.table.gate(id));
        gates.any(|gate| gate.share(world.now) == 0.0)
    };
    while waits(&world) {
        world.call();
    }
    world.calls.clear();
    let done = world.traffic(100, ms(10), |n| (Request::new(), n));
    assert!(done.iter().all(|done| done.end == End::Answered));
    let first = world.calls_to("a");
    assert!((35..=65).contains(&first), "{first} of 100");
}

#[test]
fn what_a_smaller_request_would_get_is_not_set_aside() {
    let mut world = tiers(&["a", "b"]);
    let mut verdict = Verdict::new(K::Billing, Phase::FirstByte);
    verdict.advice.change = llm_errors::Change::LowerMaxTokens;
    world.script("a", [Reply::Bad(verdict), good()]);
    world.call();
    let (_, trace) = world.call();
    assert_eq!(trace.hops[0].why, Why::First);
}

#[test]
fn the_callers_fault_is_told_whatever_failed_before_it() {
    let mut world = tiers(&["a", "b"]);
    world.script("a", [bad(K::Network)]);
    world.script("b", [bad(K::InvalidRequest)]);
    let (end, trace) = world.call();
    assert!(matches!(end, End::GaveUp(verdict) if verdict.kind == K::InvalidRequest));
    assert_eq!(trace.sends(), 2);
    world.script("b", [bad(K::ContentFilter)]);
    let (end, _) = world.call();
    assert!(matches!(end, End::GaveUp(verdict) if verdict.kind == K::ContentFilter));
}

#[test]
fn answers_that_take_longer_than_a_probes_lease_close_the_breaker() {
    // As a model that thinks is waited for by default: for up to seven minutes where the answer comes whole, five to the first token.
    for (request, answer) in [
        (Request::new(), secs(400)),
        (Request::new(), secs(160)),
        (Request::new().streamed(), secs(250)),
    ] {
        let mut world = World::new(|now| {
            Table::builder()
                .target(Target::new("only", "openai").thinks(Thinking::ByDefault))
                .route(Route::new("r").tier(["only"]))
                .build(now)
                .unwrap()
        });
        world.script("only", [bad(K::ServerError)]);
        let only = world.table.targets().next().unwrap();
        let state = |world: &World| world.table.gate(only).snapshot(world.now).state;
        while state(&world) != State::Open {
            world.call();
        }
        world.script("only", [Reply::Good(answer)]);
        world.now += secs(70);
        let request = request.deadline(secs(600));
        world.traffic(1200, secs(1), |n| (request, n));
        assert_eq!(state(&world), State::Closed, "{request:?}");
        let done = world.traffic(50, secs(1), |n| (request, n));
        assert!(done.iter().all(|done| done.end == End::Answered));
    }
}

#[test]
fn gateway_timeouts_that_come_at_once_are_failures_and_teach_no_times() {
    let mut world = tiers(&["a", "b"]);
    world.script(
        "a",
        (0..300).map(|call| {
            if call % 7 == 3 {
                bad(K::Timeout)
            } else {
                Reply::Good(ms(250 + call * 37 % 100))
            }
        }),
    );
    world.traffic(300, ms(50), |n| (Request::new(), n));
    world.script("a", [Reply::Hang]);
    let done = world.traffic(200, ms(50), |n| (Request::new(), 999 + n));
    let longest = done.iter().map(|done| done.took).max().unwrap();
    assert!(longest <= secs(3), "{longest:?}");
}
